//! What the server has seen: counters, and the last queries.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::time::Instant;

/// A query is kept up to this many bytes.
const LONGEST: usize = 300;

/// Queries are counted by these beginnings; the longest that fits counts.
const KINDS: [&str; 20] = [
    "!!", "!6", "!a", "!a4", "!a6", "!e", "!g", "!i", "!i,1", "!j", "!J", "!m", "!n", "!q", "!s", "!s-lc",
    "!t", "!v", "other !", "other",
];

/// What happened since the server started, or since the counters were set to zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Queries by kind: `!a4`, `!i` (direct members), `!i,1` (all), `!s`, `!s-lc`, … Kinds that did not occur are not
    /// there.
    pub queries: BTreeMap<&'static str, u64>,
    /// Connections accepted.
    pub connections: u64,
    /// Connections that the client ended with `!q`.
    pub quits: u64,
    /// Connections that were closed because nothing was asked for too long.
    pub idle: u64,
    /// Connections open now.
    pub open: u64,
    /// The most that were open at the same time.
    pub most_open: u64,
    /// Queries and connections that a fault struck.
    pub faults: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
}

impl Counters {
    /// How many queries of this kind there were.
    pub fn of(&self, kind: &str) -> u64 {
        self.queries.get(kind).copied().unwrap_or_default()
    }

    /// How many queries there were, of whatever kind.
    pub fn all(&self) -> u64 {
        self.queries.values().sum()
    }
}

/// One query that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuerySeen {
    /// The number of its connection, from 1.
    pub connection: u64,
    /// The line, without blanks at its ends, and cut after 300 bytes.
    pub line: String,
    /// The sources that were selected, separated by commas.
    pub sources: String,
    /// Milliseconds since the server started.
    pub at_ms: u64,
}

#[derive(Debug)]
pub(crate) struct Seen {
    started: Instant,
    queries: [AtomicU64; KINDS.len()],
    numbers: AtomicU64,
    connections: AtomicU64,
    pub(crate) quits: AtomicU64,
    pub(crate) idle: AtomicU64,
    open: AtomicU64,
    most_open: AtomicU64,
    pub(crate) faults: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    /// The last queries, and how many are kept.
    log: Mutex<VecDeque<QuerySeen>>,
    most_logged: usize,
}

impl Seen {
    pub(crate) fn new(most_logged: usize) -> Self {
        Self {
            started: Instant::now(),
            queries: Default::default(),
            numbers: AtomicU64::default(),
            connections: AtomicU64::default(),
            quits: AtomicU64::default(),
            idle: AtomicU64::default(),
            open: AtomicU64::default(),
            most_open: AtomicU64::default(),
            faults: AtomicU64::default(),
            bytes_in: AtomicU64::default(),
            bytes_out: AtomicU64::default(),
            log: Mutex::default(),
            most_logged,
        }
    }

    /// Counts a connection, as open until what it gives is dropped. Gives its number, too.
    pub(crate) fn opened(&self) -> (u64, Open<'_>) {
        let open = self.open.fetch_add(1, Relaxed) + 1;
        self.most_open.fetch_max(open, Relaxed);
        self.connections.fetch_add(1, Relaxed);
        (self.numbers.fetch_add(1, Relaxed) + 1, Open(self))
    }

    pub(crate) fn query(&self, connection: u64, line: &str, sources: &str) {
        self.queries[kind(line)].fetch_add(1, Relaxed);
        if self.most_logged == 0 {
            return;
        }
        let seen = QuerySeen {
            connection,
            line: line[..line.floor_char_boundary(LONGEST)].to_owned(),
            sources: sources.to_owned(),
            at_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        let mut log = self.log();
        if log.len() == self.most_logged {
            log.pop_front();
        }
        log.push_back(seen);
    }

    pub(crate) fn logged(&self) -> Vec<QuerySeen> {
        self.log().iter().cloned().collect()
    }

    pub(crate) fn counters(&self) -> Counters {
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        let queries = KINDS.into_iter().zip(self.queries.iter().map(count)).filter(|(_, count)| *count > 0);
        Counters {
            queries: queries.collect(),
            connections: count(&self.connections),
            quits: count(&self.quits),
            idle: count(&self.idle),
            open: count(&self.open),
            most_open: count(&self.most_open),
            faults: count(&self.faults),
            bytes_in: count(&self.bytes_in),
            bytes_out: count(&self.bytes_out),
        }
    }

    /// Sets all counters to zero, except for the connections that are open, and empties the log.
    pub(crate) fn reset(&self) {
        let others =
            [&self.connections, &self.quits, &self.idle, &self.faults, &self.bytes_in, &self.bytes_out];
        for counter in self.queries.iter().chain(others) {
            counter.store(0, Relaxed);
        }
        self.most_open.store(self.open.load(Relaxed), Relaxed);
        self.log().clear();
    }

    fn log(&self) -> MutexGuard<'_, VecDeque<QuerySeen>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is open.
#[derive(Debug)]
pub(crate) struct Open<'a>(&'a Seen);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

/// The index in [`KINDS`].
fn kind(line: &str) -> usize {
    let name = match line.as_bytes() {
        [b'!', b'a', b'4', ..] => "!a4",
        [b'!', b'a', b'6', ..] => "!a6",
        [b'!', b'i', .., b',', b'1'] => "!i,1",
        b"!s-lc" => "!s-lc",
        b"!Q" => "!q",
        [b'!', ..] => line.get(..2).filter(|begin| KINDS.contains(begin)).unwrap_or("other !"),
        _ => "other",
    };
    KINDS.iter().position(|kind| *kind == name).unwrap_or(KINDS.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_counted_by_kind() {
        let cases = [
            ("!!", "!!"),
            ("!iAS-X", "!i"),
            ("!iAS-X,1", "!i,1"),
            ("!a4AS-X", "!a4"),
            ("!aAS-X", "!a"),
            ("!sRIPE", "!s"),
            ("!s-lc", "!s-lc"),
            ("!q", "!q"),
            ("!Q", "!q"),
            ("!zz", "other !"),
            ("!", "other !"),
            ("!é", "other !"),
            ("-k AS1", "other"),
        ];
        for (line, name) in cases {
            assert_eq!(KINDS[kind(line)], name, "{line}");
        }
    }

    #[test]
    fn the_log_keeps_the_last_ones() {
        let seen = Seen::new(2);
        for line in ["!gAS1", "!gAS2", "!gAS3"] {
            seen.query(1, line, "RIPE");
        }
        let lines: Vec<String> = seen.logged().into_iter().map(|query| query.line).collect();
        assert_eq!(lines, ["!gAS2", "!gAS3"]);
        assert_eq!(seen.counters().of("!g"), 3);
    }
}
