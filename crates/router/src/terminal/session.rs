//! A session at a router's command line.
//!
//! What a command says stands between two lines that the router shows when something is typed: the prompt with the command,
//! and the prompt with a mark, a comment with a number that nobody can guess. Nothing that stands in a banner or in an answer
//! can be mistaken for either, and several commands may be typed before the first is answered.

use std::time::Duration;

use ring::rand::SecureRandom as _;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::exchange::{Exchange, is_prompt};
use super::refusal::Refusal;
use super::screen::Screen;
use crate::ssh::{Bounds, Service, Ssh, Stream};
use crate::{Error, Step};

/// Wide enough for every command: a router scrolls what it shows of a longer one.
const COLUMNS: u32 = 511;
/// How often a prompt is looked for.
const ATTEMPTS: usize = 4;
/// A router that shows its prompt for so long has forgotten what was typed before.
const STALLED: Duration = Duration::from_secs(2);
/// A prompt after which nothing comes for so long is no part of an answer.
const SETTLED: Duration = Duration::from_millis(50);

/// How a router is talked to.
pub(super) struct Manner {
    /// What is typed first: no pages, and wide lines.
    pub first: &'static str,
    /// Octets that may be typed before the answer to what was typed earlier is there. 0 where the router shows what is
    /// typed ahead in the middle of its answer.
    pub ahead: usize,
    /// What opens the privileged mode, if it is to be opened.
    pub secret: Option<SecretString>,
}

/// A session. One question is asked at a time; others wait.
pub(super) struct Terminal {
    ssh: Ssh,
    wire: Mutex<Wire>,
}

struct Wire {
    host: String,
    stream: Stream,
    screen: Screen,
    prompt: Vec<u8>,
    ahead: usize,
    nonce: String,
    marks: u64,
    /// Octets that came since the question.
    came: usize,
    most: usize,
    /// Whether the page that is shown was turned already.
    turned: bool,
    /// A question was cut off, and what comes may be its answer.
    broken: bool,
}

impl Terminal {
    /// Opens the terminal, finds the prompt, and enters the privileged mode if there is a secret for it.
    pub async fn begin(ssh: Ssh, user: &str, manner: Manner) -> Result<Self, Error> {
        let limits = *ssh.limits();
        let bounds = Bounds { step: Step::Login, time: limits.login, more: false };
        let host = ssh.host().to_owned();
        let failed =
            |message: &str| Error::Failed { host: host.clone(), step: Step::Login, message: message.into() };
        let stream = ssh.open(bounds, Service::Terminal(COLUMNS)).await?;
        let stream = stream.ok_or_else(|| failed("the router opens no terminal for this user"))?;
        let mut octets = [0_u8; 4];
        ring::rand::SystemRandom::new()
            .fill(&mut octets)
            .map_err(|_| failed("there is no randomness here to mark commands with"))?;
        let mut wire = Wire {
            host: host.clone(),
            stream,
            screen: Screen::default(),
            prompt: Vec::new(),
            ahead: manner.ahead,
            nonce: format!("!{:08x}", u32::from_be_bytes(octets)),
            marks: 0,
            came: 0,
            most: limits.answer,
            turned: false,
            broken: false,
        };
        wire.greet(manner.first, limits.login).await?;
        if let Some(secret) = manner.secret.filter(|_| wire.prompt.trim_ascii_end().ends_with(b">")) {
            wire.enable(user, &secret, limits.login).await?;
        }
        Ok(Self { ssh, wire: Mutex::new(wire) })
    }

    /// The router's name in messages.
    pub fn host(&self) -> &str {
        self.ssh.host()
    }

    /// The router's own name, as its prompt shows it.
    pub async fn hostname(&self) -> String {
        let prompt = String::from_utf8_lossy(&self.wire.lock().await.prompt).into_owned();
        prompt.trim_end().trim_end_matches(['>', '#']).to_owned()
    }

    /// Whether commands of the privileged mode may be typed.
    pub async fn is_privileged(&self) -> bool {
        self.wire.lock().await.prompt.trim_ascii_end().ends_with(b"#")
    }

    /// Types commands and gives what each of them says. The time is for each, the size for all.
    pub async fn ask(&self, step: Step, commands: &[String]) -> Result<Vec<String>, Error> {
        let mut wire = self.wire.lock().await;
        if wire.broken {
            let message = "an earlier question was cut off; connect again".to_owned();
            return Err(Error::Lost { host: self.host().to_owned(), step, message });
        }
        wire.broken = true;
        wire.came = 0;
        let answers = wire.exchange(step, commands, self.ssh.limits().read).await?;
        wire.broken = false;
        Ok(answers)
    }

    /// Ends the connection; the session goes with it.
    pub async fn close(&self) {
        self.ssh.close().await;
    }
}

/// Until when something may take.
#[derive(Clone, Copy)]
struct Deadline {
    step: Step,
    limit: Duration,
    at: Instant,
}

impl Deadline {
    fn new(step: Step, limit: Duration) -> Self {
        Self { step, limit, at: Instant::now() + limit }
    }
}

impl Wire {
    fn late(&self, until: Deadline) -> Error {
        Error::Timeout { host: self.host.clone(), step: until.step, limit: until.limit }
    }

    fn mark(&mut self) -> String {
        self.marks += 1;
        format!("{}{}", self.nonce, self.marks)
    }

    async fn type_in(&mut self, until: Deadline, text: String) -> Result<(), Error> {
        let sent = timeout_at(until.at, self.stream.send(until.step, text.into_bytes())).await;
        sent.map_err(|_| self.late(until))?
    }

    /// The next octets that come; each line that they end is given to `line`.
    async fn read(&mut self, until: Deadline, mut line: impl FnMut(&[u8])) -> Result<(), Error> {
        let octets = timeout_at(until.at, self.stream.receive(until.step)).await;
        let octets = octets.map_err(|_| self.late(until))??;
        self.came += octets.len();
        if self.came > self.most {
            let message = format!("it is longer than {} octets", self.most);
            return Err(Error::Unreadable { host: self.host.clone(), step: until.step, message });
        }
        let turned = &mut self.turned;
        self.screen.push(&octets, |text| {
            // A page that comes after further lines is another one.
            *turned = false;
            line(text);
        });
        let is_page = self.screen.current().trim_ascii().eq_ignore_ascii_case(b"--More--");
        if is_page && !self.turned {
            self.type_in(until, " ".to_owned()).await?;
        }
        self.turned = is_page;
        Ok(())
    }

    /// Waits until something is shown that may be a prompt, and types what comes first.
    async fn greet(&mut self, first: &str, limit: Duration) -> Result<(), Error> {
        let until = Deadline::new(Step::Login, limit);
        while !is_prompt(self.screen.current()) {
            self.read(until, |_| ()).await?;
        }
        self.find_prompt(until, first).await
    }

    /// The prompt is what stands before a mark that is typed, and then below it.
    async fn find_prompt(&mut self, until: Deadline, first: &str) -> Result<(), Error> {
        let mut first = first.to_owned();
        for _ in 0..ATTEMPTS {
            let mark = self.mark();
            self.type_in(until, format!("{first}{mark}\n")).await?;
            first.clear();
            let mut before: Option<Vec<u8>> = None;
            loop {
                let mut refused = false;
                self.read(until, |line| {
                    refused |= Refusal::of(&String::from_utf8_lossy(line)).is_some();
                    if let Some(text) = line.trim_ascii_end().strip_suffix(mark.as_bytes()) {
                        before = Some(text.to_vec());
                    }
                })
                .await?;
                if refused {
                    // Perhaps it goes on to show pages, and would take what is typed ahead for keys.
                    self.ahead = 0;
                }
                let current = self.screen.current();
                let Some(before) = before.as_ref().filter(|_| is_prompt(current)) else { continue };
                if before == current {
                    self.prompt.clone_from(before);
                    return Ok(());
                }
                if before.starts_with(current) {
                    // The rest of it is on its way.
                    continue;
                }
                // The mark was shown at once, in the middle of something else.
                break;
            }
        }
        let message = "the prompt is another one each time".to_owned();
        Err(Error::Unreadable { host: self.host.clone(), step: until.step, message })
    }

    /// Enters the privileged mode. The secret is typed only where it is asked for.
    async fn enable(&mut self, user: &str, secret: &SecretString, limit: Duration) -> Result<(), Error> {
        let until = Deadline::new(Step::Login, limit);
        let refused = |host: &str| Error::Login {
            host: host.to_owned(),
            user: user.to_owned(),
            tried: "for the privileged mode: enable with the argument secret".to_owned(),
        };
        self.type_in(until, "enable\n".to_owned()).await?;
        let mut echoed = false;
        loop {
            self.read(until, |_| echoed = true).await?;
            let current = self.screen.current();
            if echoed && is_password(current) {
                break;
            }
            if echoed && is_prompt(current) {
                return self.find_mode(until, &refused).await;
            }
        }
        self.type_in(until, format!("{}\n", secret.expose_secret())).await?;
        let mut answered = false;
        loop {
            self.read(until, |_| answered = true).await?;
            let current = self.screen.current();
            if answered && is_password(current) {
                return Err(refused(&self.host));
            }
            if answered && is_prompt(current) {
                return self.find_mode(until, &refused).await;
            }
        }
    }

    /// Whether the prompt is that of the privileged mode.
    async fn find_mode(&mut self, until: Deadline, refused: &impl Fn(&str) -> Error) -> Result<(), Error> {
        self.find_prompt(until, "").await?;
        if self.prompt.trim_ascii_end().ends_with(b"#") { Ok(()) } else { Err(refused(&self.host)) }
    }

    async fn exchange(
        &mut self,
        step: Step,
        commands: &[String],
        limit: Duration,
    ) -> Result<Vec<String>, Error> {
        let mut exchange = Exchange::new(self.prompt.clone(), commands);
        let mut until = Deadline::new(step, limit);
        loop {
            let mut text = String::new();
            // Half of what may be typed ahead at a time, not a command for each answer.
            if exchange.waiting() <= self.ahead / 2 {
                while let Some(command) = exchange.next(self.ahead) {
                    let mark = self.mark();
                    text += &exchange.typed(command, mark, self.ahead > 0);
                }
            }
            if !text.is_empty() {
                self.type_in(until, text).await?;
            }
            let is_at_prompt = self.screen.current() == self.prompt;
            if exchange.is_done() && is_at_prompt {
                return Ok(exchange.answers());
            }
            let before = exchange.count();
            let wait = if exchange.owes_mark() { SETTLED } else { STALLED };
            let soon = Deadline { at: Instant::now() + wait, ..until };
            let may_wait = is_at_prompt && (exchange.owes_mark() || self.ahead > 0) && soon.at < until.at;
            match self.read(if may_wait { soon } else { until }, |line| exchange.line(line)).await {
                Err(Error::Timeout { .. }) if may_wait && exchange.owes_mark() => {
                    self.type_in(until, exchange.late_mark()).await?;
                }
                Err(Error::Timeout { .. }) if may_wait => {
                    // What was typed ahead is lost. From here on one thing is typed after the other.
                    tracing::debug!(host = self.host, "the router forgets what is typed ahead");
                    self.ahead = 0;
                    exchange.forget();
                }
                other => other?,
            }
            if exchange.count() > before {
                until = Deadline::new(step, limit);
            }
        }
    }
}

fn is_password(line: &[u8]) -> bool {
    line.trim_ascii().to_ascii_lowercase().ends_with(b"password:")
}
