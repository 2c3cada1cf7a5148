//! What can go wrong between asking and having read the answer.

use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::stream::SinkClosed;

/// Why an answer could not be fetched.
///
/// The texts name the address, what came back and what to do; they never hold a key or a password, nor
/// control characters.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// `PeeringDB` asks to stay away, for longer than allowed or once more after the last attempt.
    #[error(
        "PeeringDB allows no more requests for the next {} s{} (HTTP 429 from {url}, attempt {attempts}): {excerpt}; run again after that",
        .retry_after.as_secs(), until(*.available)
    )]
    Throttled {
        /// What was asked for.
        url: String,
        /// How long to stay away, from now on.
        retry_after: Duration,
        /// When that is over, by the server's clock, if it told the time.
        available: Option<DateTime<Utc>>,
        /// Requests made for this answer.
        attempts: u32,
        /// The beginning of the body.
        excerpt: String,
    },
    /// HTTP 401 or 403.
    #[error("PeeringDB refused {credentials} (HTTP {status} from {url}): {excerpt}; {advice}")]
    Unauthorized {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the request came with: "the API key", for one.
        credentials: &'static str,
        /// What to do about it.
        advice: &'static str,
        /// The beginning of the body.
        excerpt: String,
    },
    /// Another status than success: after all attempts for 5xx, at once for others.
    #[error(
        "{url} answered with HTTP {status} (attempt {attempts}): {excerpt}; check the address, see https://status.peeringdb.com, or try later"
    )]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the body.
        excerpt: String,
        /// Requests made for this answer.
        attempts: u32,
    },
    /// No answer came: no route, no name, no TLS, connection refused or lost.
    #[error(
        "{url} cannot be reached (attempt {attempts}): {why}; check address, proxy, name resolution and certificates"
    )]
    Transport {
        /// What was asked for.
        url: String,
        /// The error and its causes.
        why: String,
        /// Requests made for this answer.
        attempts: u32,
    },
    /// The server took longer than [`crate::ClientOptions::total_timeout`].
    #[error("{url} did not answer in full within {} s (attempt {attempts}, {bytes} bytes came); allow more time or try later", .after.as_secs_f64())]
    TimedOut {
        /// What was asked for.
        url: String,
        /// The time it had.
        after: Duration,
        /// How much of the body came, decompressed.
        bytes: u64,
        /// Requests made for this answer.
        attempts: u32,
    },
    /// The decompressed answer is longer than allowed. Not tried again.
    #[error(
        "the answer from {url} is longer than {limit} bytes, which is no sane answer; raise the limit if it is"
    )]
    TooBig {
        /// What was asked for.
        url: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A success, but its body is no JSON or not the API's.
    #[error(
        "{url} answered HTTP {status}, but not with PeeringDB's JSON (attempt {attempts}): {why}: {excerpt}; is there a proxy or a login page in between?"
    )]
    NotJson {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What is wrong, and where.
        why: String,
        /// The first 200 bytes from there on.
        excerpt: String,
        /// Requests made for this answer.
        attempts: u32,
    },
    /// The body ended early.
    #[error("the answer from {url} was cut after {bytes} bytes (attempt {attempts}): {why}; try later")]
    Cut {
        /// What was asked for.
        url: String,
        /// How much came, decompressed.
        bytes: u64,
        /// How it was noticed.
        why: String,
        /// Requests made for this answer.
        attempts: u32,
    },
    /// The receiver of the records is gone.
    #[error(transparent)]
    SinkClosed(#[from] SinkClosed),
    /// No address is known for dumps: [`crate::ClientOptions::cache_url`] is not set.
    #[error("no address for PeeringDB's dumps is set")]
    NoCache,
}

fn until(available: Option<DateTime<Utc>>) -> String {
    available.map(|time| format!(", until {}", time.format("%Y-%m-%d %H:%M:%SZ"))).unwrap_or_default()
}

/// Why a text could not be read as an answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is no JSON, or not of the API's shape.
    #[error("at byte {at}: {why}: {excerpt}")]
    Malformed {
        /// Where reading ended.
        at: u64,
        /// What is wrong.
        why: String,
        /// Up to 200 characters from there on, with spaces for control characters.
        excerpt: String,
    },
    /// It ends before its JSON does.
    #[error("it ends early, after {bytes} bytes")]
    Cut {
        /// How much there was.
        bytes: u64,
    },
    /// One value in it is longer than any record.
    #[error("at byte {at}: a single value is longer than {limit} bytes")]
    ValueTooBig {
        /// Where reading ended.
        at: u64,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The reader failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The receiver of the records is gone.
    #[error(transparent)]
    SinkClosed(#[from] SinkClosed),
}

/// Why a client cannot be made from its options. Shows no values, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// The address of the API or of the dumps.
    #[error("{option} must be an http or https address without user, password, query and fragment")]
    Address {
        /// Which one.
        option: &'static str,
    },
    /// The API key or the user agent.
    #[error("{option} has characters that no HTTP header can hold")]
    Header {
        /// Which one.
        option: &'static str,
    },
}
