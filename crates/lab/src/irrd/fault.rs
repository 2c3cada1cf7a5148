//! A server going wrong on demand.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A fault, whom it strikes, and how often.
///
/// As text, on the command line: the name of the kind and then what differs from [`Fault::once`], separated by commas,
/// as in `cut,match=AS-X,bytes=100,times=0`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Which queries it strikes: those that begin so, if it begins with `!`; those about this name otherwise; all, if
    /// empty. Case does not matter. Faults of connections have no use for it.
    pub matching: String,
    /// How many matching queries, or connections, it lets pass first.
    pub after: u64,
    /// How many it strikes then; 0 for all until the faults are cleared.
    pub times: u64,
    /// Of [`FaultKind::Cut`] and [`FaultKind::Reset`]: how many bytes of the answer still come, half of them if not
    /// stated. Of [`FaultKind::Slow`]: bytes in a second, 100. Of [`FaultKind::Huge`]: what is announced, 10^12.
    pub bytes: Option<u64>,
    /// Of [`FaultKind::Late`]: how late, 1 s. Of [`FaultKind::Refuse`]: how long, until cleared if not stated.
    pub wait: Option<Duration>,
}

impl Fault {
    /// This fault, for the next query (or connection) whatever it is.
    pub fn once(kind: FaultKind) -> Self {
        Self { kind, matching: String::new(), after: 0, times: 1, bytes: None, wait: None }
    }

    /// This fault, for every query (or connection) until the faults are cleared.
    pub fn always(kind: FaultKind) -> Self {
        Self { times: 0, ..Self::once(kind) }
    }

    /// The same for these queries only, see [`Fault::matching`].
    #[must_use]
    pub fn matching(self, text: &str) -> Self {
        Self { matching: text.to_owned(), ..self }
    }

    /// The same after so many queries (or connections) that it lets pass.
    #[must_use]
    pub fn after(self, count: u64) -> Self {
        Self { after: count, ..self }
    }

    fn strikes(&self, line: &str) -> bool {
        let wanted = self.matching.as_str();
        if wanted.starts_with('!') {
            line.get(..wanted.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(wanted))
        } else {
            wanted.is_empty() || subject(line).eq_ignore_ascii_case(wanted)
        }
    }

    /// Reads one `name=value`.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), BadFault> {
        let number = || value.parse::<u64>().map_err(|_| BadFault(format!("{name}={value} is no number")));
        match name {
            "match" => value.clone_into(&mut self.matching),
            "after" => self.after = number()?,
            "times" => self.times = number()?,
            "bytes" => self.bytes = Some(number()?),
            "seconds" => {
                let seconds = value.parse::<f64>().ok();
                let wait = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                self.wait = Some(wait.ok_or_else(|| BadFault(format!("seconds={value} is no time")))?);
            }
            _ => {
                return Err(BadFault(format!(
                    "unknown parameter {name}, known are match, after, times, bytes, seconds"
                )));
            }
        }
        Ok(())
    }
}

/// The name that a query is about, without family, recursion and class.
fn subject(line: &str) -> &str {
    let Some(command) = line.strip_prefix('!') else { return line };
    let mut rest = command.chars();
    match rest.next() {
        Some('a') => rest.as_str().trim_start_matches(['4', '6']),
        Some('i') => rest.as_str().trim_end_matches(",1"),
        Some('m') => rest.as_str().split_once(',').map_or("", |(_, key)| key),
        _ => rest.as_str(),
    }
}

/// A text that describes no fault; the message says what it may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadFault(pub String);

impl FromStr for Fault {
    type Err = BadFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(',');
        let mut fault = Self::once(parts.next().unwrap_or_default().parse()?);
        for part in parts {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| BadFault(format!("{part} is no parameter such as times=3")))?;
            fault.set(name, value)?;
        }
        Ok(fault)
    }
}

macro_rules! fault_kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $name:literal,)*) => {
        /// What can go wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FaultKind {
            $($(#[doc = $doc])+ $kind,)*
        }

        impl FaultKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The name, as in `--fault NAME`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

fault_kinds! {
    /// Nobody listens: connections are refused. Those that are open go on.
    Refuse = "refuse",
    /// The connection is accepted and never read from.
    Hang = "hang",
    /// The connection is closed as soon as it is accepted.
    Close = "close",
    /// The greeting of an SSH server, and nothing after it.
    Banner = "banner",
    /// The query is not answered, nor any after it on this connection, which stays open.
    Silent = "silent",
    /// The answer comes later than it should.
    Late = "late",
    /// The answer comes a few bytes at a time.
    Slow = "slow",
    /// The connection is closed in the middle of the answer.
    Cut = "cut",
    /// The connection is reset in the middle of the answer.
    Reset = "reset",
    /// The length announced is smaller than the data, by 5 bytes.
    Short = "short",
    /// The length announced is larger than the data, by 5 bytes.
    Long = "long",
    /// The length announced is no number.
    NoLength = "no-length",
    /// An answer far too long is announced, and comes without end.
    Huge = "huge",
    /// `F An internal error occurred`, as when the server's own database is away.
    Fail = "fail",
    /// `F Unrecognised command`, as from a server too old for the command.
    Unrecognised = "unrecognised",
    /// `D`, as if there were no such object, or nothing behind it.
    Empty = "empty",
    /// A line that is no answer, with bytes that are no text.
    Garbage = "garbage",
    /// The page of an HTTP server instead of the answer, and the end of the connection.
    Http = "http",
}

impl FaultKind {
    /// Whether it strikes a connection when it is accepted, rather than a query.
    pub(crate) fn is_of_connections(self) -> bool {
        matches!(self, Self::Refuse | Self::Hang | Self::Close | Self::Banner)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FaultKind {
    type Err = BadFault;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|kind| kind.as_str()).collect();
            BadFault(format!("{name} is no fault; there are {}", names.join(", ")))
        })
    }
}

/// The faults that wait, in the order they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fault that strikes a new connection.
    pub(crate) fn strike_connection(&mut self) -> Option<Fault> {
        self.strike(|fault| fault.kind.is_of_connections())
    }

    /// The fault that strikes this query.
    pub(crate) fn strike_query(&mut self, line: &str) -> Option<Fault> {
        self.strike(|fault| !fault.kind.is_of_connections() && fault.strikes(line))
    }

    /// Every fault that is meant counts; the first that does not let it pass strikes.
    fn strike(&mut self, is_meant: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut struck = None;
        for (at, fault) in self.0.iter_mut().enumerate() {
            if !is_meant(fault) {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
            } else {
                struck = Some(at);
                break;
            }
        }
        let at = struck?;
        let fault = self.0[at].clone();
        match fault.times {
            0 => {}
            1 => {
                self.0.remove(at);
            }
            times => self.0[at].times = times - 1,
        }
        Some(fault)
    }
}
