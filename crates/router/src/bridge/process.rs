//! The Python process: one line of JSON for each request and for each answer.

use std::ops::Range;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::Deserialize;
use serde_json::de::StrRead;
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

const HELPER: &str = include_str!("helper.py");

/// What is kept of the standard error stream.
const SAID: usize = 4096;

/// What the helper reports of an exception.
#[derive(Debug, Deserialize)]
pub(super) struct Fault {
    /// The exception's classes and those of its causes, or one of the helper's own words.
    pub kinds: Vec<String>,
    pub message: String,
}

impl Fault {
    pub fn is(&self, kind: &str) -> bool {
        self.kinds.iter().any(|one| one == kind)
    }
}

/// Why there is no answer. The process is ended by then.
#[derive(Debug)]
pub(super) enum Broken {
    /// It took too long.
    Late,
    /// The process has ended; with what it said last.
    Ended(String),
    /// It answered something else than an answer.
    Unreadable(String),
}

#[derive(Deserialize)]
struct Reply<'a> {
    id: u64,
    #[serde(borrow)]
    ok: Option<&'a RawValue>,
    error: Option<Fault>,
}

/// An answer as it came; what is in it may be tens of megabytes, and is read where it lies.
pub(super) struct Answer {
    line: String,
    /// Where in the line.
    place: Range<usize>,
}

impl Answer {
    fn of(line: String, said: Option<Range<usize>>) -> Self {
        match said {
            Some(place) => Self { line, place },
            None => Self { line: "null".to_owned(), place: 0..4 },
        }
    }

    /// The JSON.
    pub(super) fn text(&self) -> &str {
        &self.line[self.place.clone()]
    }

    /// What reads it.
    pub(super) fn json(&self) -> serde_json::Deserializer<StrRead<'_>> {
        serde_json::Deserializer::from_str(self.text())
    }
}

/// Where in a text a part of it stands.
fn place(part: &str, text: &str) -> Range<usize> {
    let begin = part.as_ptr().addr() - text.as_ptr().addr();
    begin..begin + part.len()
}

/// The process. It and what it has started end when this is dropped.
pub(super) struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    said: Arc<Mutex<Vec<u8>>>,
    next: u64,
    /// No request was given up half-way.
    whole: bool,
    /// Octets that one answer may have.
    longest: usize,
}

impl Process {
    pub fn start(python: &Path, longest: usize) -> std::io::Result<Self> {
        let mut child = Command::new(python)
            .args(["-c", HELPER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let (Some(input), Some(output), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(std::io::Error::other("there are no pipes"));
        };
        let said = Arc::default();
        tokio::spawn(listen(errors, Arc::clone(&said)));
        Ok(Self { child, input, output: BufReader::new(output), said, next: 1, whole: true, longest })
    }

    /// Sends a request and waits for its answer.
    pub async fn request(
        &mut self,
        what: &str,
        arguments: Json,
        limit: Duration,
    ) -> Result<Result<Answer, Fault>, Broken> {
        if !std::mem::replace(&mut self.whole, false) {
            self.kill();
            return Err(Broken::Ended("it was ended, because an earlier request was given up".to_owned()));
        }
        let exchanged = tokio::time::timeout(limit, self.exchange(what, arguments)).await;
        match exchanged.unwrap_or(Err(Broken::Late)) {
            Ok(answer) => {
                self.whole = true;
                Ok(answer)
            }
            Err(broken) => {
                self.kill();
                Err(broken)
            }
        }
    }

    async fn exchange(&mut self, what: &str, arguments: Json) -> Result<Result<Answer, Fault>, Broken> {
        let id = self.next;
        self.next += 1;
        let mut request = arguments;
        request["id"] = json!(id);
        request["do"] = json!(what);
        let line = format!("{request}\n");
        // A process that has ended says why on its error stream.
        let sent = self.input.write_all(line.as_bytes()).await;
        if sent.is_err() || self.input.flush().await.is_err() {
            return Err(Broken::Ended(self.last_words().await));
        }
        let line = self.line().await?;
        let unreadable = |why: &str| Broken::Unreadable(format!("no answer of the helper: {why}"));
        let line = String::from_utf8(line).map_err(|_| unreadable("it is no UTF-8"))?;
        let reply: Reply<'_> =
            serde_json::from_str(&line).map_err(|error| unreadable(&crate::mask::json_error(&error)))?;
        if reply.id != id {
            return Err(Broken::Unreadable("an answer to something else".to_owned()));
        }
        let said = reply.ok.map(|said| place(said.get(), &line));
        Ok(match reply.error {
            Some(fault) => Err(fault),
            None => Ok(Answer::of(line, said)),
        })
    }

    async fn line(&mut self) -> Result<Vec<u8>, Broken> {
        let mut line = Vec::new();
        loop {
            let piece = self
                .output
                .fill_buf()
                .await
                .map_err(|error| Broken::Unreadable(format!("the pipe cannot be read: {error}")))?;
            if piece.is_empty() {
                return Err(Broken::Ended(self.last_words().await));
            }
            let end = piece.iter().position(|&octet| octet == b'\n');
            let length = end.map_or(piece.len(), |at| at + 1);
            line.extend_from_slice(&piece[..length]);
            self.output.consume(length);
            if end.is_some() {
                return Ok(line);
            }
            if line.len() > self.longest {
                return Err(Broken::Unreadable(format!("it is longer than {} octets", self.longest)));
            }
        }
    }

    /// What the process said before it ended, which may still be on its way.
    async fn last_words(&mut self) -> String {
        let ended = tokio::time::timeout(Duration::from_millis(500), self.child.wait()).await;
        tokio::task::yield_now().await;
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let said = String::from_utf8_lossy(&said);
        // The last line of a traceback is what happened.
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
        match ended {
            Ok(Ok(status)) if last.is_empty() => format!("{status}"),
            Ok(Ok(status)) => format!("{status}\n{last}"),
            _ => last,
        }
    }

    /// Ends the process and all that it has started.
    fn kill(&mut self) {
        // As long as nobody has waited for it, its number belongs to no other process.
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn listen(mut errors: ChildStderr, said: Arc<Mutex<Vec<u8>>>) {
    let mut piece = vec![0; SAID];
    while let Ok(length @ 1..) = errors.read(&mut piece).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(&piece[..length]);
        let surplus = said.len().saturating_sub(SAID);
        said.drain(..surplus);
    }
}
