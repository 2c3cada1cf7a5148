//! One connection: bytes to lines, lines to answers, answers to bytes, with the delay of a long wire on both sides.
//!
//! Three parts run at once, and each waits for the next when that one is full: so a client that does not read is not
//! read from after a while, and nothing grows.

use std::borrow::Cow;
use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep, timeout_at};

use super::fault::{Fault, FaultKind, Faults};
use super::server::{Shared, Turn};
use super::session::{Session, refused_command};
use crate::delay::{Cut, Entrance, Exit, stretch};

/// How much is read at once.
const READ: usize = 16 << 10;
/// Answers up to this many bytes are gathered, to be sent together.
const SMALL: usize = 8 << 10;
/// How many bytes are gathered at most.
const GATHERED: usize = 64 << 10;
/// How many bytes are on their way at most. A wire with a delay must hold what is sent in that time, or it would be
/// slow as well.
const ROOM: usize = 256 << 10;
const ROOM_FOR_QUERIES: usize = 1 << 20;
const ROOM_FOR_ANSWERS: usize = 8 << 20;
/// A client that sends a longer line is left.
const LONGEST_LINE: usize = 1 << 20;

/// What the real server says when its database is away.
const FAILURE: &[u8] = b"F An internal error occurred while processing this query.\n";

/// What is to become of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Close,
    Reset,
}

/// Serves a connection until it ends, when it is its turn.
pub(crate) async fn serve(mut stream: TcpStream, turn: Option<Turn>, shared: &Arc<Shared>) {
    let (number, _open) = shared.seen.opened();
    // Small answers must not wait for the client's acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let accepted = Instant::now();
    if let Some(fault) = shared.strike(Faults::strike_connection) {
        misbehave(stream, &fault, accepted + shared.options.delay * 3).await;
        return;
    }
    // A worker serves one connection at a time; until one is free, nobody looks at this.
    let _worker = match turn {
        Some(turn) => Some(turn.await),
        None => None,
    };
    let ending = converse(&mut stream, shared, number, accepted).await;
    let _ = match ending {
        Next::Reset => stream.set_zero_linger(),
        _ => stream.shutdown().await,
    };
}

/// Does what a connection's fault says.
async fn misbehave(mut stream: TcpStream, fault: &Fault, greeting: Instant) {
    if fault.kind == FaultKind::Close {
        return;
    }
    if fault.kind == FaultKind::Banner {
        tokio::time::sleep_until(greeting).await;
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n").await;
    }
    // Not read from, but dropped when the client has gone.
    while let Ok(ready) = stream.ready(Interest::READABLE).await {
        if ready.is_read_closed() {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn converse(stream: &mut TcpStream, shared: &Arc<Shared>, number: u64, accepted: Instant) -> Next {
    let delay = shared.options.delay;
    let (read, write) = stream.split();
    let (for_queries, for_answers) =
        if delay.is_zero() { (ROOM, ROOM) } else { (ROOM_FOR_QUERIES, ROOM_FOR_ANSWERS) };
    let (inlet, arriving) = stretch(for_queries);
    let (outlet, leaving) = stretch(for_answers);
    let talker = Talker {
        shared,
        number,
        session: Session::new(Arc::clone(&shared.registry), shared.options.idle),
        arriving,
        outlet,
        pending: BytesMut::new(),
        gathered: BytesMut::new(),
        clock: accepted,
        began: accepted,
    };
    tokio::select! {
        ended = async { tokio::try_join!(talker.run(), send(write, leaving, shared)) } => {
            ended.map_or(Next::Close, |(next, ())| next)
        }
        () = async {
            receive(read, inlet, shared).await;
            std::future::pending::<()>().await;
        } => Next::Close,
    }
}

/// Reads until the client has nothing more to say.
async fn receive(mut read: ReadHalf<'_>, inlet: Entrance, shared: &Shared) {
    let delay = shared.options.delay;
    let mut buffer = BytesMut::new();
    // The loopback has shaken hands at once. What that would have taken is made up for by the first bytes.
    let mut handshake = delay * 2;
    let mut last_due = Instant::now();
    loop {
        buffer.reserve(READ);
        let count = match read.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => {
                let _ = inlet.end(last_due.max(Instant::now() + delay)).await;
                return;
            }
            Ok(count) => count,
        };
        shared.seen.bytes_in.fetch_add(count as u64, Relaxed);
        last_due = last_due.max(Instant::now() + delay + std::mem::take(&mut handshake));
        if inlet.send(buffer.split().freeze(), last_due).await.is_err() {
            return;
        }
    }
}

/// Writes until there is nothing more to come.
async fn send(mut write: WriteHalf<'_>, mut leaving: Exit, shared: &Shared) -> Result<(), Cut> {
    let cut = |_: io::Error| Cut;
    while let Some(piece) = leaving.next().await {
        write.write_all(&piece.bytes).await.map_err(cut)?;
        shared.seen.bytes_out.fetch_add(piece.bytes.len() as u64, Relaxed);
    }
    Ok(())
}

/// The middle part: what answers.
struct Talker<'a> {
    shared: &'a Shared,
    number: u64,
    session: Session,
    arriving: Exit,
    outlet: Entrance,
    /// Bytes of lines that are not complete.
    pending: BytesMut,
    /// Answers that go out together.
    gathered: BytesMut,
    /// The time, as it would be if timers fired on the dot.
    clock: Instant,
    /// When the clock was set.
    began: Instant,
}

impl Talker<'_> {
    async fn run(mut self) -> Result<Next, Cut> {
        let mut deadline = Instant::now() + self.session.idle;
        loop {
            let Ok(arrived) = timeout_at(deadline, self.arriving.next()).await else {
                self.shared.seen.idle.fetch_add(1, Relaxed);
                return self.end(Next::Close).await;
            };
            // The last line may lack its end.
            let over = arrived.is_none();
            self.clock = arrived.as_ref().map_or(self.clock, |piece| self.clock.max(piece.due));
            self.began = Instant::now();
            self.pending.extend_from_slice(arrived.as_ref().map_or(b"\n", |piece| &piece.bytes));
            drop(arrived);
            let mut next = Next::GoOn;
            let mut complete = false;
            while next == Next::GoOn
                && let Some(end) = memchr(&self.pending)
            {
                let line = self.pending.split_to(end).freeze();
                self.pending.advance(1);
                next = self.line(&line).await?;
                complete = true;
            }
            self.flush().await?;
            if complete {
                deadline = Instant::now() + self.session.idle;
            }
            self.clock += self.began.elapsed();
            if next != Next::GoOn || over || self.pending.len() > LONGEST_LINE {
                return self.end(if next == Next::Reset { next } else { Next::Close }).await;
            }
        }
    }

    async fn end(self, next: Next) -> Result<Next, Cut> {
        let due = self.clock.max(Instant::now()) + self.shared.options.delay;
        self.outlet.end(due).await?;
        Ok(next)
    }

    async fn line(&mut self, line: &[u8]) -> Result<Next, Cut> {
        let line = decoded(line);
        let line = line.trim_matches(|c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c));
        if line.is_empty() {
            return Ok(Next::GoOn);
        }
        let seen = &self.shared.seen;
        seen.query(self.number, line, self.session.sources());
        if line.eq_ignore_ascii_case("!q") {
            seen.quits.fetch_add(1, Relaxed);
            return Ok(Next::Close);
        }
        let fault = self.shared.strike(|faults| faults.strike_query(line));
        let answer = self.session.answer(line);
        let next = match fault {
            None => {
                self.gather(answer).await?;
                Next::GoOn
            }
            Some(fault) => self.spoil(&fault, line, answer).await?,
        };
        Ok(if next == Next::GoOn && !self.session.multiple { Next::Close } else { next })
    }

    /// Answers as the fault wants it.
    async fn spoil(&mut self, fault: &Fault, line: &str, answer: Bytes) -> Result<Next, Cut> {
        match fault.kind {
            FaultKind::Silent => {
                self.flush().await?;
                while self.arriving.next().await.is_some() {}
                return Ok(Next::Close);
            }
            FaultKind::Late => {
                self.flush().await?;
                sleep(fault.wait.unwrap_or(Duration::from_secs(1))).await;
                self.gather(answer).await?;
            }
            FaultKind::Slow => self.dribble(&answer, fault.bytes.unwrap_or(100).max(1)).await?,
            FaultKind::Cut | FaultKind::Reset => {
                let most = fault
                    .bytes
                    .map_or(answer.len() / 2, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
                self.gather(answer.slice(..answer.len().min(most))).await?;
                return Ok(if fault.kind == FaultKind::Reset { Next::Reset } else { Next::Close });
            }
            FaultKind::Short => {
                self.gather(relabelled(&answer, |length| length.saturating_sub(5).to_string())).await?;
            }
            FaultKind::Long => self.gather(relabelled(&answer, |length| (length + 5).to_string())).await?,
            FaultKind::NoLength => self.gather(relabelled(&answer, |_| "12x".to_owned())).await?,
            FaultKind::Huge => self.overflow(fault.bytes.unwrap_or(1_000_000_000_000)).await?,
            FaultKind::Fail => self.gather(Bytes::from_static(FAILURE)).await?,
            FaultKind::Unrecognised => {
                self.gather(refused_command(line.chars().nth(1).unwrap_or('?'))).await?;
            }
            FaultKind::Empty => self.gather(Bytes::from_static(b"D\n")).await?,
            FaultKind::Garbage => {
                self.gather(Bytes::from_static(b"\xff\x00\x1b[31m this is no answer\n")).await?;
            }
            FaultKind::Http => {
                let page = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n\
                    <html><body><h1>400 Bad Request</h1></body></html>\n";
                self.gather(Bytes::from_static(page.as_bytes())).await?;
                return Ok(Next::Close);
            }
            FaultKind::Refuse | FaultKind::Hang | FaultKind::Close | FaultKind::Banner => {}
        }
        Ok(Next::GoOn)
    }

    /// Sends so many bytes a second.
    async fn dribble(&mut self, answer: &[u8], rate: u64) -> Result<(), Cut> {
        let parts = rate.min(10);
        let part = usize::try_from(rate / parts).unwrap_or(usize::MAX);
        let pause = Duration::from_millis(1_000 / parts);
        for bytes in answer.chunks(part) {
            self.gather(Bytes::copy_from_slice(bytes)).await?;
            self.flush().await?;
            sleep(pause).await;
        }
        Ok(())
    }

    /// Announces so many bytes and sends that many, however many that is.
    async fn overflow(&mut self, mut bytes: u64) -> Result<(), Cut> {
        self.gather(Bytes::from(format!("A{bytes}\n"))).await?;
        let filler = Bytes::from("192.0.2.0/24 ".repeat(5_000));
        while bytes > 0 {
            let part = filler.slice(..filler.len().min(usize::try_from(bytes).unwrap_or(usize::MAX)));
            bytes -= part.len() as u64;
            self.gather(part).await?;
        }
        self.gather(Bytes::from_static(b"C\n")).await
    }

    async fn gather(&mut self, answer: Bytes) -> Result<(), Cut> {
        if answer.len() > SMALL {
            self.flush().await?;
            let due = self.due();
            return self.outlet.send(answer, due).await;
        }
        self.gathered.extend_from_slice(&answer);
        if self.gathered.len() > GATHERED { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), Cut> {
        let due = self.due();
        self.outlet.send(self.gathered.split().freeze(), due).await
    }

    /// When what is sent now comes out at the other end.
    fn due(&self) -> Instant {
        self.clock + self.began.elapsed() + self.shared.options.delay
    }
}

fn memchr(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

/// Bytes that are no UTF-8 become `\xNN`.
fn decoded(line: &[u8]) -> Cow<'_, str> {
    if let Ok(line) = std::str::from_utf8(line) {
        return Cow::Borrowed(line);
    }
    let mut text = String::new();
    for chunk in line.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    Cow::Owned(text)
}

/// An answer with data, with another length.
fn relabelled(answer: &Bytes, length: impl Fn(usize) -> String) -> Bytes {
    let Some(end) = memchr(answer) else { return answer.clone() };
    let announced =
        std::str::from_utf8(&answer[..end]).ok().and_then(|line| line.strip_prefix('A')?.parse().ok());
    let Some(announced) = announced else { return answer.clone() };
    let mut bytes = format!("A{}", length(announced)).into_bytes();
    bytes.extend_from_slice(&answer[end..]);
    bytes.into()
}
