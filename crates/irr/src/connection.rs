//! One connection to an IRRd server: queries go out in bursts, answers come back in the order of the queries.

pub(crate) mod dial;
mod end;
mod greeting;
mod outgoing;
mod refusal;

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use std::{io, mem};

use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

pub(crate) use self::end::{Break, End};
use self::greeting::{Greeting, Part};
use self::outgoing::Outgoing;
use self::refusal::refusal;
use crate::answer::{Frame, Limits, Parser};
use crate::client::hosts::{Asking, Choice, Hosts};
use crate::client::outlet::Gone;
use crate::client::queue::{Job, Seat, Selection};
use crate::client::run::Run;
use crate::{Failure, Kind, Sources};

/// Bytes that are read at once.
const READ: usize = 64 << 10;
/// A connection that never said a word while others do is given up after this time: a server accepts more connections
/// than it has workers, and the rest waits without an answer.
const MUTE: Duration = Duration::from_secs(3);
/// How often to look for that.
const LOOK: Duration = Duration::from_secs(1);
/// How long to wait for a server to take the good-bye.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a connection must be told.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub name: String,
    pub idle_timeout: Duration,
    pub window: usize,
    pub limits: Limits,
}

/// Counters of all connections of a client.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub queries: AtomicU64,
    pub answers: AtomicU64,
    pub bytes_in: AtomicU64,
    pub bytes_out: AtomicU64,
    pub connections: AtomicU64,
    pub reconnects: AtomicU64,
}

/// What a connection waits for.
#[derive(Debug)]
enum Due {
    Greeting(Part),
    Select(Sources),
    Query(Job),
}

/// The answer that was due when a connection broke.
#[derive(Debug)]
pub(crate) enum Head {
    Greeting,
    Select(Sources),
    Query,
}

/// An open connection. Whoever drops it takes leave of the server.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    pub choice: Choice,
    terms: Arc<Terms>,
    hosts: Arc<Hosts>,
    traffic: Arc<Traffic>,
    parser: Parser,
    buffer: Box<[u8]>,
    outgoing: Outgoing,
    due: VecDeque<Due>,
    /// Until the last part of it is answered.
    greeting: Option<Greeting>,
    /// What is selected when all is sent that is in `outgoing`.
    selection: Sources,
    /// What the server selects for sure.
    confirmed: Sources,
    /// What the server selects by itself, as it is sent to select it again; `None` as long as it did not say.
    default: Option<String>,
    /// A selection that was refused: queries for it are answered by something else, and with this text instead.
    refused: Option<(Sources, String)>,
    /// Whether it was used before.
    pub used: bool,
    /// Whether it ever said something.
    pub greeted: bool,
    /// Whether it said something in this use.
    spoke: bool,
    /// Queries it answered in this use.
    pub answers: u64,
    last_byte: Instant,
}

impl Connection {
    /// Begins to talk: the greeting goes out with the first queries.
    pub(crate) fn new(
        stream: TcpStream,
        choice: Choice,
        terms: Arc<Terms>,
        hosts: Arc<Hosts>,
        traffic: Arc<Traffic>,
        asking: Option<Asking>,
    ) -> Self {
        traffic.connections.fetch_add(1, Relaxed);
        let greeting = Greeting::new(choice.host.to_string(), asking);
        let mut outgoing = Outgoing::default();
        outgoing.say(&greeting.lines(&terms.name, terms.idle_timeout));
        let due: VecDeque<Due> = greeting.parts().iter().copied().map(Due::Greeting).collect();
        traffic.queries.fetch_add(due.len() as u64, Relaxed);
        let parser = Parser::new(terms.limits);
        Self {
            stream,
            choice,
            terms,
            hosts,
            traffic,
            parser,
            buffer: vec![0; READ].into_boxed_slice(),
            outgoing,
            due,
            greeting: Some(greeting),
            selection: Sources::Default,
            confirmed: Sources::Default,
            default: None,
            refused: None,
            used: false,
            greeted: false,
            spoke: false,
            answers: 0,
            last_byte: Instant::now(),
        }
    }

    /// Asks what is to be asked until nothing is left or the connection ends.
    pub(crate) async fn work(&mut self, run: &Run) -> End {
        let mut seat = Seat::default();
        (self.answers, self.spoke, self.last_byte) = (0, false, Instant::now());
        let end = loop {
            if let Err(end) = self.step(run, &mut seat).await {
                break end;
            }
        };
        run.queue().leave(&mut seat);
        if self.spoke && !matches!(end, End::Idle) {
            run.served.fetch_sub(1, Relaxed);
        }
        match end {
            // What was cut off had been given up already, and no other answer was begun.
            End::Broken(_) if self.parser.is_skipping() && self.answers > 0 => End::Spent,
            end => end,
        }
    }

    /// Waits for whatever comes first: room to write, something to read, or that it takes too long.
    async fn step(&mut self, run: &Run, seat: &mut Seat) -> Result<(), End> {
        self.take(run, seat);
        if self.due.is_empty() {
            return Err(if self.is_reusable() { End::Idle } else { End::Spent });
        }
        let interest = if self.outgoing.is_empty() {
            Interest::READABLE
        } else {
            Interest::READABLE | Interest::WRITABLE
        };
        let Ok(ready) = timeout_at(self.look_again(), self.stream.ready(interest)).await else {
            return self.look(run);
        };
        let ready = ready.map_err(|error| End::from(&error))?;
        if ready.is_writable() {
            self.traffic.bytes_out.fetch_add(self.outgoing.write(&self.stream), Relaxed);
        }
        if ready.is_readable() { self.read(run, seat).await } else { Ok(()) }
    }

    /// Takes as many queries as it may have.
    fn take(&mut self, run: &Run, seat: &mut Seat) {
        self.learn_default();
        let before = self.due.len();
        let mut queue = run.queue();
        while !self.outgoing.is_enough() && !self.parser.is_lost() {
            let selection = Selection { current: &self.selection, can_return: self.default.is_some() };
            let Some(job) = queue.take(seat, self.terms.window, selection) else { break };
            if job.query.sources != self.selection {
                self.select(&job.query.sources);
            }
            self.say(&job.query);
            self.due.push_back(Due::Query(job));
        }
        if before == 0 {
            self.last_byte = Instant::now();
        }
    }

    fn learn_default(&mut self) {
        if self.default.is_none() {
            let features = self.hosts.features(self.choice.place);
            self.default = features
                .filter(|features| !features.sources.is_empty())
                .map(|features| features.sources.join(","));
        }
    }

    fn select(&mut self, sources: &Sources) {
        let list = match sources {
            Sources::Only(list) => list.clone(),
            Sources::Default => self.default.as_deref().unwrap_or_default().into(),
        };
        self.say(&format_args!("!s{list}"));
        self.due.push_back(Due::Select(sources.clone()));
        self.selection = sources.clone();
    }

    fn say(&mut self, line: &dyn Display) {
        self.traffic.queries.fetch_add(1, Relaxed);
        self.outgoing.say(line);
    }

    /// Reads once, and hands out what was read.
    async fn read(&mut self, run: &Run, seat: &mut Seat) -> Result<(), End> {
        let mut buffer = mem::take(&mut self.buffer);
        let result = match self.stream.try_read(&mut buffer) {
            Ok(0) => Err(self.closed()),
            Ok(count) => self.hear(&buffer[..count], run, seat).await,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(End::from(&error)),
        };
        self.buffer = buffer;
        result
    }

    async fn hear(&mut self, mut input: &[u8], run: &Run, seat: &mut Seat) -> Result<(), End> {
        // A server that sends each answer by itself may wait for our acknowledgement before it sends the next.
        #[cfg(target_os = "linux")]
        let _ = self.stream.set_quickack(true);
        self.traffic.bytes_in.fetch_add(input.len() as u64, Relaxed);
        self.last_byte = Instant::now();
        while let Some(frame) = self.parser.next(&mut input).map_err(|why| End::broken(&why))? {
            if !mem::replace(&mut self.spoke, true) {
                run.served.fetch_add(1, Relaxed);
            }
            self.greeted = true;
            self.traffic.answers.fetch_add(1, Relaxed);
            self.settle(frame, run, seat).await?;
        }
        Ok(())
    }

    /// Gives an answer to what it is the answer to.
    async fn settle(&mut self, frame: Frame, run: &Run, seat: &mut Seat) -> Result<(), End> {
        match self.due.pop_front() {
            None => return Err(End::broken(&"sent an answer that nobody asked for")),
            Some(Due::Greeting(part)) => {
                if let Some(Err(why)) = self.greeting.as_mut().map(|greeting| greeting.hear(part, frame)) {
                    self.due.push_front(Due::Greeting(part));
                    return Err(End::broken(&why));
                }
                if !matches!(self.due.front(), Some(Due::Greeting(_))) {
                    self.greeting.take().into_iter().for_each(Greeting::end);
                }
            }
            Some(Due::Select(sources)) => match frame {
                Frame::Done => (self.confirmed, self.refused) = (sources, None),
                Frame::Refused(text) => self.refuse(sources, &text, run).await?,
                _ => {
                    self.due.push_front(Due::Select(sources));
                    return Err(End::broken(&"answers a selection of sources with what is no answer to it"));
                }
            },
            Some(Due::Query(job)) => {
                self.answers += 1;
                self.hosts.answered(self.choice.place);
                run.queue().answered(seat);
                run.outlet.deliver(job.index, self.outcome(&job, frame)).await?;
                // Time in which the reader is busy is not the server's.
                self.last_byte = Instant::now();
            }
        }
        Ok(())
    }

    async fn refuse(&mut self, sources: Sources, text: &str, run: &Run) -> Result<(), Gone> {
        let features = self.hosts.features(self.choice.place).unwrap_or_default();
        let text = refusal(&self.choice.host, &features, &sources, text);
        run.queue().refuse(&sources, &text);
        self.refused = Some((sources, text));
        if !self.due.iter().any(|due| matches!(due, Due::Select(_))) {
            self.selection = self.confirmed.clone();
        }
        run.answer_refused().await
    }

    fn outcome(&self, job: &Job, frame: Frame) -> crate::Outcome {
        if let Some((_, text)) = self.refused.as_ref().filter(|(sources, _)| *sources == job.query.sources) {
            return Ok(crate::Answer::Refused(text.clone()));
        }
        let lossy = matches!(job.query.kind, Kind::Object(_));
        frame
            .answer(lossy)
            .map_err(|Failure(why)| Failure(format!("{} gave {} {why}", self.choice.host, job.query)))
    }

    /// When to look whether it takes too long.
    fn look_again(&self) -> Instant {
        let latest = self.last_byte + self.terms.idle_timeout;
        if self.greeted { latest } else { latest.min(Instant::now() + LOOK) }
    }

    fn look(&self, run: &Run) -> Result<(), End> {
        let silence = self.last_byte.elapsed();
        if !self.greeted && silence >= MUTE && run.can_spare_one() {
            return Err(End::Mute);
        }
        if silence < self.terms.idle_timeout {
            return Ok(());
        }
        let reason = format!("said nothing for {:?}", self.terms.idle_timeout);
        Err(End::Broken(Break { reason, silent: true, between: false }))
    }

    fn closed(&self) -> End {
        let between = self.parser.is_between();
        let reason = match (between, self.greeted) {
            (false, _) => "closed the connection in the middle of an answer",
            (true, false) => "closed the connection without a word",
            (true, true) => "closed the connection",
        };
        End::Broken(Break { reason: reason.to_owned(), silent: false, between })
    }

    /// Whether the greeting is answered.
    pub(crate) const fn is_ready(&self) -> bool {
        self.greeting.is_none()
    }

    /// Whether it can be used again: nothing is under way, and every selection can be made.
    fn is_reusable(&self) -> bool {
        let selects = self.selection == Sources::Default || self.default.is_some();
        self.is_ready()
            && self.due.is_empty()
            && self.outgoing.is_empty()
            && self.parser.is_between()
            && selects
    }

    /// Whether the server still holds it: nothing was sent that nobody asked for, nor was it closed.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The answer that is due, and the queries that are unanswered, in their order.
    pub(crate) fn unanswered(&mut self) -> (Head, VecDeque<Job>) {
        let head = match self.due.front() {
            Some(Due::Query(_)) => Head::Query,
            Some(Due::Select(sources)) => Head::Select(sources.clone()),
            Some(Due::Greeting(_)) | None => Head::Greeting,
        };
        let job = |due| if let Due::Query(job) = due { Some(job) } else { None };
        (head, mem::take(&mut self.due).into_iter().filter_map(job).collect())
    }

    /// Takes leave, and waits until that is sent.
    pub(crate) async fn quit(mut self) {
        let farewell = self.outgoing.farewell();
        let leave = async {
            self.stream.write_all(&farewell).await?;
            self.stream.shutdown().await
        };
        let _ = timeout(FAREWELL, leave).await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let farewell = self.outgoing.farewell();
        // It is as good as gone: whether the server hears it does not matter.
        let _ = self.stream.try_write(&farewell);
    }
}
