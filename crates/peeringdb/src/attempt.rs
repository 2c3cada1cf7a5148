//! One request and the reading of its answer.
//!
//! Two parties work on an answer at the same time: this task receives the body, and a blocking thread takes
//! it apart and hands out the records. Between them is a short channel of pieces of the body, so a slow
//! receiver of the records slows down the server and fills no memory. Which faults may pass is said at the
//! place where each happens.

use std::error::Error;
use std::io::{self, BufRead, Read};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};
use secrecy::ExposeSecret;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::client::{Answer, Event};
use crate::error::{FetchError, ReadError};
use crate::options::{ClientOptions, Credentials};
use crate::printable::printable;
use crate::record::Record;
use crate::stream::{Contents, SinkClosed, walk};
use crate::types::Namespace;

/// Pieces of the body on their way to the parser.
const PIECES: usize = 8;
/// Smaller pieces are joined up to this size, as waking the parser costs more than a copy.
const PIECE: usize = 64 * 1024;
/// How much of the body an error shows, in bytes.
const EXCERPT: usize = 200;
/// How much of an error's body is read, in bytes.
const ERROR_BODY: usize = 4096;
/// The pause after a 429 that names none.
const USUAL_PAUSE: Duration = Duration::from_mins(1);
/// A longer pause than this is as good as for ever.
const LONGEST_PAUSE: Duration = Duration::from_hours(24 * 365);

/// What it takes to make one request.
pub(crate) struct Attempt<'a> {
    pub(crate) options: &'a ClientOptions,
    pub(crate) namespace: Namespace,
    pub(crate) url: &'a str,
    /// What the request carries.
    pub(crate) credentials: Credentials,
    /// 1 for the first request.
    pub(crate) number: u32,
}

/// Why an attempt failed, and what follows.
pub(crate) struct Failed {
    pub(crate) error: FetchError,
    pub(crate) again: Again,
    /// Records were handed out that the next attempt will hand out again.
    pub(crate) handed_out: bool,
}

pub(crate) enum Again {
    /// It would fail again.
    Never,
    /// It may pass by itself.
    AfterBackOff,
    /// The server named the time.
    After(Duration),
}

impl Failed {
    fn new(error: FetchError, again: Again) -> Self {
        Self { error, again, handed_out: false }
    }
}

/// The time that is left to wait for the server.
struct Patience {
    left: Duration,
}

impl Patience {
    async fn wait<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let begin = Instant::now();
        let result = timeout(self.left, future).await;
        self.left = self.left.saturating_sub(begin.elapsed());
        result.ok()
    }
}

impl Attempt<'_> {
    pub(crate) async fn run(
        &self,
        request: &RequestBuilder,
        out: &mpsc::Sender<Event>,
    ) -> Result<Answer, Failed> {
        let mut patience = Patience { left: self.options.total_timeout };
        let Some(request) = request.try_clone() else {
            // Only requests with a streamed body cannot be cloned.
            return Err(Failed::new(self.transport("the request has a body"), Again::Never));
        };
        let response = match patience.wait(request.send()).await {
            None => return Err(Failed::new(self.timed_out(0), Again::AfterBackOff)),
            Some(Err(error)) => return Err(self.unanswered(error)),
            Some(Ok(response)) => response,
        };
        if !response.status().is_success() {
            return Err(self.refused(response, &mut patience).await);
        }
        let status = response.status();
        let date = date(response.headers());
        let contents = self.contents(response, status, &mut patience, out).await?;
        Ok(Answer {
            url: self.url.to_owned(),
            generated: contents.generated,
            date,
            records: contents.records,
            bytes: contents.bytes,
            unusable: contents.unusable,
            attempts: self.number,
        })
    }

    async fn contents(
        &self,
        response: Response,
        status: StatusCode,
        patience: &mut Patience,
        out: &mpsc::Sender<Event>,
    ) -> Result<Contents, Failed> {
        let (pieces, arriving) = mpsc::channel(PIECES);
        let namespace = self.namespace;
        let out = out.clone();
        let parser = tokio::task::spawn_blocking(move || {
            let mut handed_out = false;
            let mut sink = |records: Vec<Record>| {
                handed_out = true;
                out.blocking_send(Event::Records(records)).map_err(|_| SinkClosed)
            };
            let result = walk(namespace, Body { arriving, piece: Bytes::new() }, &mut sink);
            (result, handed_out)
        });
        let received = self.receive(response, patience, &pieces).await;
        // Without a sender the parser finds the end of the body.
        drop(pieces);
        let (parsed, handed_out) = match parser.await {
            Ok(done) => done,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is shutting down.
            Err(_) => (Err(SinkClosed.into()), false),
        };
        let failed = match (received, parsed) {
            (_, Err(ReadError::SinkClosed(closed))) => Failed::new(closed.into(), Again::Never),
            // A body that did not arrive in full explains whatever the parser made of it.
            (Err(failed), _) => failed,
            (Ok(()), Ok(contents)) => return Ok(contents),
            (Ok(()), Err(error)) => self.unreadable(error, status),
        };
        Err(Failed { handed_out, ..failed })
    }

    /// Passes the body on, until it ends or nobody wants any more of it.
    async fn receive(
        &self,
        mut response: Response,
        patience: &mut Patience,
        pieces: &mpsc::Sender<Bytes>,
    ) -> Result<(), Failed> {
        let mut total = 0;
        let mut joined = BytesMut::new();
        loop {
            let chunk = match patience.wait(response.chunk()).await {
                None => return Err(Failed::new(self.timed_out(total), Again::AfterBackOff)),
                Some(Err(error)) if error.is_timeout() => {
                    return Err(Failed::new(self.timed_out(total), Again::AfterBackOff));
                }
                Some(Err(error)) => {
                    return Err(Failed::new(self.cut(total, &causes(error)), Again::AfterBackOff));
                }
                Some(Ok(chunk)) => chunk,
            };
            let ended = chunk.is_none();
            let chunk = chunk.unwrap_or_default();
            total += chunk.len() as u64;
            if total > self.options.max_body {
                return Err(Failed::new(self.too_big(self.options.max_body), Again::Never));
            }
            joined.extend_from_slice(&chunk);
            if joined.len() < PIECE && !ended {
                continue;
            }
            if pieces.send(joined.split().freeze()).await.is_err() || ended {
                return Ok(());
            }
        }
    }

    /// The failure when no answer came.
    fn unanswered(&self, error: reqwest::Error) -> Failed {
        let again =
            if error.is_builder() || error.is_redirect() { Again::Never } else { Again::AfterBackOff };
        if error.is_timeout() && !error.is_connect() {
            return Failed::new(self.timed_out(0), again);
        }
        Failed::new(self.transport(&causes(error)), again)
    }

    /// The failure for an answer without success.
    async fn refused(&self, mut response: Response, patience: &mut Patience) -> Failed {
        let status = response.status();
        let mut body = Vec::new();
        while body.len() < ERROR_BODY {
            match patience.wait(response.chunk()).await {
                Some(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
                _ => break,
            }
        }
        body.truncate(ERROR_BODY);
        let url = self.url.to_owned();
        let attempts = self.number;
        let excerpt = self.excerpt(&String::from_utf8_lossy(&body));
        match status {
            StatusCode::TOO_MANY_REQUESTS => {
                let date = date(response.headers());
                let retry_after = pause(response.headers(), date);
                let again = if retry_after > self.options.max_retry_after {
                    Again::Never
                } else {
                    Again::After(retry_after)
                };
                let available = date
                    .and_then(|date| date.checked_add_signed(chrono::TimeDelta::from_std(retry_after).ok()?));
                Failed::new(FetchError::Throttled { url, retry_after, available, attempts, excerpt }, again)
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let (credentials, advice) = (self.credentials.as_str(), self.credentials.advice());
                let status = status.as_u16();
                Failed::new(
                    FetchError::Unauthorized { url, status, credentials, advice, excerpt },
                    Again::Never,
                )
            }
            _ => {
                let again = if status.is_server_error() { Again::AfterBackOff } else { Again::Never };
                Failed::new(FetchError::Status { url, status: status.as_u16(), excerpt, attempts }, again)
            }
        }
    }

    /// The failure for a body that came in full and cannot be read.
    fn unreadable(&self, error: ReadError, status: StatusCode) -> Failed {
        match error {
            ReadError::Malformed { at, why, excerpt } => {
                let error = FetchError::NotJson {
                    url: self.url.to_owned(),
                    status: status.as_u16(),
                    why: format!("at byte {at}: {why}"),
                    excerpt: self.excerpt(&excerpt),
                    attempts: self.number,
                };
                Failed::new(error, Again::AfterBackOff)
            }
            ReadError::Cut { bytes } => {
                Failed::new(self.cut(bytes, "its JSON has no end"), Again::AfterBackOff)
            }
            ReadError::ValueTooBig { limit, .. } => Failed::new(self.too_big(limit as u64), Again::Never),
            ReadError::SinkClosed(closed) => Failed::new(closed.into(), Again::Never),
            ReadError::Io(error) => Failed::new(self.transport(&error.to_string()), Again::Never),
        }
    }

    fn transport(&self, why: &str) -> FetchError {
        FetchError::Transport { url: self.url.to_owned(), why: printable(why), attempts: self.number }
    }

    fn timed_out(&self, bytes: u64) -> FetchError {
        let after = self.options.total_timeout;
        FetchError::TimedOut { url: self.url.to_owned(), after, bytes, attempts: self.number }
    }

    fn cut(&self, bytes: u64, why: &str) -> FetchError {
        FetchError::Cut { url: self.url.to_owned(), bytes, why: printable(why), attempts: self.number }
    }

    fn too_big(&self, limit: u64) -> FetchError {
        FetchError::TooBig { url: self.url.to_owned(), limit }
    }

    /// The beginning of a body, fit to be printed. Some servers send back what they got, so secrets are taken
    /// out.
    fn excerpt(&self, body: &str) -> String {
        let key = self.options.api_key.iter();
        let password = self.options.basic.iter().map(|(_, password)| password);
        let mut text = printable(body);
        let secrets =
            key.chain(password).map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty());
        for secret in secrets.map(printable) {
            text = text.replace(&secret, "[secret]");
            text.truncate(text.len() - cut_through(&text, &secret));
        }
        // What follows is a key, or a password in another spelling.
        for scheme in ["Api-Key ", "Basic ", "Bearer "] {
            text = without_word_after(&text, scheme);
        }
        let end = text.floor_char_boundary(EXCERPT);
        text[..end].trim().to_owned()
    }
}

/// How many bytes of the secret's beginning the text ends with: whoever cut the text may have cut through the
/// secret. Two or three are no secret, and many a text ends with them.
fn cut_through(text: &str, secret: &str) -> usize {
    (4..secret.len())
        .rev()
        .find(|length| text.as_bytes().ends_with(&secret.as_bytes()[..*length]))
        .unwrap_or(0)
}

/// The text with the word after each occurrence of `scheme` taken out.
fn without_word_after(text: &str, scheme: &str) -> String {
    let mut parts = text.split(scheme);
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|letter: char| !(letter.is_ascii_alphanumeric() || "+/=-._~".contains(letter)));
        clean.push_str(scheme);
        clean.push_str("[secret]");
        clean.push_str(&part[end.unwrap_or(part.len())..]);
    }
    clean
}

/// An error and what caused it, without the address.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|time| time.to_utc())
}

/// What `Retry-After` asks for: seconds, or a time, which is counted from the answer's own.
fn pause(headers: &HeaderMap, date: Option<DateTime<Utc>>) -> Duration {
    let named = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(|text| {
        if let Ok(seconds) = text.trim().parse() {
            return Some(Duration::from_secs(seconds));
        }
        let until = http_date(text)?;
        Some((until - date?).to_std().unwrap_or_default())
    });
    named.unwrap_or(USUAL_PAUSE).min(LONGEST_PAUSE)
}

/// The body as the parser reads it, on its own thread.
struct Body {
    arriving: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl BufRead for Body {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.piece.is_empty() {
            match self.arriving.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => break,
            }
        }
        Ok(&self.piece)
    }

    fn consume(&mut self, length: usize) {
        self.piece.advance(length);
    }
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(into.len());
        into[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}
