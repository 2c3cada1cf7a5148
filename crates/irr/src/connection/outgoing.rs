//! Lines on their way out: many of them leave in one write.

use std::fmt::Display;
use std::io::{self, Write as _};

use tokio::net::TcpStream;

/// Bytes that may wait to be sent before no more queries are taken.
const ENOUGH: usize = 256 << 10;

/// Bytes to be sent.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    /// So many of them are sent.
    sent: usize,
}

impl Outgoing {
    pub fn say(&mut self, line: &dyn Display) {
        // A vector takes everything.
        let _ = writeln!(self.bytes, "{line}");
    }

    pub const fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    pub const fn is_enough(&self) -> bool {
        self.bytes.len() - self.sent >= ENOUGH
    }

    /// Sends what the connection takes now; gives back how many bytes these were.
    pub fn write(&mut self, stream: &TcpStream) -> u64 {
        let before = self.sent;
        while !self.is_empty() {
            match stream.try_write(&self.bytes[self.sent..]) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Answers may have arrived before it broke; the next read says what happened.
                Err(_) => self.bytes.truncate(self.sent),
            }
        }
        let written = (self.sent - before) as u64;
        if self.is_empty() || self.sent >= ENOUGH {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        written
    }

    /// What is missing of a line that is half sent, then `!q`. Nothing else is sent any longer.
    pub fn farewell(&mut self) -> Vec<u8> {
        let unsent = self.bytes.split_off(self.sent);
        let half = self.bytes.last().is_some_and(|byte| *byte != b'\n');
        let rest = unsent.split_inclusive(|byte| *byte == b'\n').next().filter(|_| half).unwrap_or_default();
        let farewell = [rest, b"!q\n"].concat();
        *self = Self::default();
        farewell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_sent_line_is_ended_before_the_farewell() {
        for (sent, farewell) in [(0, "!q\n"), (3, "S1\n!q\n"), (6, "!q\n"), (12, "!q\n")] {
            let mut outgoing = Outgoing::default();
            outgoing.say(&"!gAS1");
            outgoing.say(&"!gAS2");
            outgoing.sent = sent;
            assert_eq!(String::from_utf8(outgoing.farewell()).as_deref(), Ok(farewell));
            assert!(outgoing.is_empty());
        }
    }
}
