//! What a client must be told.

use std::fmt;
use std::net::Ipv6Addr;
use std::time::Duration;

/// The port of a host that names none: whois.
const PORT: u16 = 43;
/// Longest host name (RFC 1035, section 2.3.4), in bytes.
const HOST_NAME: usize = 253;
/// Longest client name, in bytes.
const CLIENT_NAME: usize = 200;

/// How to talk to IRRd servers.
#[derive(Clone, Debug)]
pub struct Options {
    /// Servers, in the order in which they are tried: `host`, `host:port`, `[2001:db8::1]:port`. Port 43 if none is
    /// given.
    pub hosts: Vec<String>,
    /// Most connections at a time, 1 to 4: a real IRRd has a handful of worker processes, and a connection holds one.
    pub connections: usize,
    /// How long to wait for a connection, looking up the name included.
    pub connect_timeout: Duration,
    /// How long to wait for the next byte while an answer is due.
    pub idle_timeout: Duration,
    /// How long the client may be used, from the first question on. What is unanswered then stays so.
    pub total: Duration,
    /// Longest answer that is taken, in bytes.
    pub answer_limit: u64,
    /// Most unanswered queries per connection.
    pub window: usize,
    /// What the client calls itself (`!n`).
    pub name: String,
    /// How long a host is left alone after it failed three times in a row.
    pub bad_host_pause: Duration,
    /// How long to wait before a host that failed twice in a row is tried the third time.
    pub retry_pause: Duration,
    /// How long a connection that nobody uses stays open.
    pub keep_open: Duration,
}

impl Options {
    /// These hosts, and the defaults for everything else.
    pub fn new(hosts: Vec<String>) -> Self {
        Self {
            hosts,
            connections: 4,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(1),
            total: Duration::from_mins(30),
            answer_limit: 64 << 20,
            window: 1000,
            name: concat!("peering-manager ", env!("CARGO_PKG_VERSION")).to_owned(),
            bad_host_pause: Duration::from_mins(1),
            retry_pause: Duration::from_secs(1),
            keep_open: Duration::from_secs(5),
        }
    }

    /// The hosts, read; or what is wrong with the options.
    pub(super) fn check(&self) -> Result<Vec<Host>, OptionsError> {
        if !(1..=4).contains(&self.connections) {
            return Err(OptionsError::Connections(self.connections));
        }
        if self.window == 0 {
            return Err(OptionsError::Window);
        }
        let fits = (1..=CLIENT_NAME).contains(&self.name.len()) && !self.name.chars().any(char::is_control);
        if !fits {
            return Err(OptionsError::Name(shown(&self.name)));
        }
        let mut hosts = Vec::new();
        for text in &self.hosts {
            let host = Host::parse(text).ok_or_else(|| OptionsError::Host(shown(text)))?;
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        if hosts.is_empty() { Err(OptionsError::NoHost) } else { Ok(hosts) }
    }
}

/// Options that no client can work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// The list of hosts is empty.
    #[error("no IRR server is given: name at least one, such as rr.ntt.net")]
    NoHost,
    /// A host that cannot be one.
    #[error(
        "\"{0}\" is not the address of an IRR server: write a name or an IP address, with a port from 1 to 65535 if it \
         is not 43, such as rr.ntt.net, 192.0.2.1:4343 or [2001:db8::1]:4343"
    )]
    Host(String),
    /// Too many connections, or none.
    #[error("{0} connections to an IRR server are not possible: choose 1 to 4")]
    Connections(usize),
    /// No query may be unanswered.
    #[error("the window of unanswered queries must be 1 or more")]
    Window,
    /// The client's name is empty, too long, or would be more than one line.
    #[error(
        "\"{0}\" cannot be the name of an IRR client: it must have 1 to 200 bytes and no control characters"
    )]
    Name(String),
}

/// The text as it can be shown: not too long, no control characters.
pub(crate) fn shown(text: &str) -> String {
    text.escape_debug().take(80).collect()
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// A name or an address, without brackets.
    pub name: String,
    /// TCP port.
    pub port: u16,
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        if text.parse::<Ipv6Addr>().is_ok() {
            return Some(Self { name: text.to_owned(), port: PORT });
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (name, rest) = rest.split_once(']')?;
            name.parse::<Ipv6Addr>().ok()?;
            let port = if rest.is_empty() { PORT } else { port(rest.strip_prefix(':')?)? };
            return Some(Self { name: name.to_owned(), port });
        }
        let (name, port) = match text.split_once(':') {
            Some((name, digits)) => (name, port(digits)?),
            None => (text, PORT),
        };
        is_host_name(name).then(|| Self { name: name.to_owned(), port })
    }
}

fn port(digits: &str) -> Option<u16> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|port| plain && *port > 0)
}

/// Names and IPv4 addresses. The underscore is no part of a host name, but of many names in use.
fn is_host_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(letter);
    name.len() <= HOST_NAME && name.strip_suffix('.').unwrap_or(name).split('.').all(label)
}

/// `host:port`, an IPv6 address in brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, port } = self;
        if name.contains(':') { write!(f, "[{name}]:{port}") } else { write!(f, "{name}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read() {
        for (text, written) in [
            ("rr.ntt.net", "rr.ntt.net:43"),
            ("rr.ntt.net.:4343", "rr.ntt.net.:4343"),
            ("192.0.2.1", "192.0.2.1:43"),
            ("2001:db8::1", "[2001:db8::1]:43"),
            ("[2001:db8::1]", "[2001:db8::1]:43"),
            ("[::1]:65535", "[::1]:65535"),
        ] {
            assert_eq!(Host::parse(text).map(|host| host.to_string()).as_deref(), Some(written));
        }
    }

    #[test]
    fn what_is_no_host_is_named() {
        for text in [
            "",
            ":43",
            "a b",
            "rr.ntt.net:",
            "rr.ntt.net:0",
            "rr.ntt.net:65536",
            "rr.ntt.net:+43",
            "a..b",
            "a:1:2",
            "[::1",
            "[::1]43",
            "[rr.ntt.net]:43",
            "whois://rr.ntt.net",
            "rr\n",
            "[::1]:",
        ] {
            let error = Options::new(vec!["rr.ntt.net".to_owned(), text.to_owned()]).check();
            assert_eq!(error, Err(OptionsError::Host(shown(text))));
        }
    }

    #[test]
    fn options_out_of_bounds_are_refused() {
        let with = |change: fn(&mut Options)| {
            let mut options = Options::new(vec!["a".to_owned(), "a:43".to_owned()]);
            change(&mut options);
            options.check().map(|hosts| hosts.len())
        };
        assert_eq!(with(|_| {}), Ok(1));
        assert_eq!(with(|options| options.hosts.clear()), Err(OptionsError::NoHost));
        assert_eq!(with(|options| options.connections = 0), Err(OptionsError::Connections(0)));
        assert_eq!(with(|options| options.connections = 5), Err(OptionsError::Connections(5)));
        assert_eq!(with(|options| options.window = 0), Err(OptionsError::Window));
        assert_eq!(with(|options| options.name.clear()), Err(OptionsError::Name(String::new())));
        assert_eq!(
            with(|options| "a\n!q".clone_into(&mut options.name)),
            Err(OptionsError::Name("a\\n!q".to_owned()))
        );
    }
}
