//! How messages are told apart on a NETCONF session (RFC 6242, section 4). Pure: octets in, messages out.

use std::fmt;

/// What ends a message until both sides have said that they know chunks.
const END: &[u8] = b"]]>]]>";
/// A chunk's size has no more digits than 4294967295 (RFC 6242, section 4.2).
const DIGITS: usize = 10;

/// Why the octets are no messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FramingError {
    /// A message is longer than it may be.
    TooLong(usize),
    /// What stands where a chunk should begin is no chunk.
    NoChunk,
}

impl fmt::Display for FramingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(limit) => write!(f, "a message is longer than {limit} octets"),
            Self::NoChunk => f.write_str("a message is not in chunks as it should be"),
        }
    }
}

/// The two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `]]>]]>` after each message (NETCONF 1.0, and the first message of each side).
    Mark,
    /// Chunks with their sizes (NETCONF 1.1).
    Chunks,
}

impl Framing {
    /// The message as it goes out. Its `>` must be escaped in texts, so that it cannot hold the mark.
    pub fn frame(self, message: &str) -> Vec<u8> {
        match self {
            Self::Mark => [message.as_bytes(), END].concat(),
            Self::Chunks => {
                [format!("\n#{}\n", message.len()).as_bytes(), message.as_bytes(), b"\n##\n"].concat()
            }
        }
    }
}

/// Takes octets as they come and gives messages when they are whole.
///
/// Holds one message and one piece of input, never more than the limit and what was pushed last.
pub struct Decoder {
    framing: Framing,
    limit: usize,
    /// What came and is not yet looked at from `at` on.
    input: Vec<u8>,
    at: usize,
    message: Vec<u8>,
    /// Octets that the chunk still lacks.
    chunk: usize,
}

impl Decoder {
    /// For messages of at most `limit` octets, with [`Framing::Mark`] at first.
    pub fn new(limit: usize) -> Self {
        Self { framing: Framing::Mark, limit, input: Vec::new(), at: 0, message: Vec::new(), chunk: 0 }
    }

    /// From the next message on.
    pub fn set_framing(&mut self, framing: Framing) {
        self.framing = framing;
    }

    /// The length that a message may have.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Takes what has come.
    pub fn push(&mut self, octets: &[u8]) {
        self.input.drain(..self.at);
        self.at = 0;
        self.input.extend_from_slice(octets);
    }

    /// The next message, or `None` until more has come.
    pub fn message(&mut self) -> Result<Option<Vec<u8>>, FramingError> {
        match self.framing {
            Framing::Mark => self.next_marked(),
            Framing::Chunks => self.next_chunked(),
        }
    }

    /// Octets that are held.
    pub fn held(&self) -> usize {
        self.message.len() + self.input.len()
    }

    fn take(&mut self, count: usize) -> Result<(), FramingError> {
        if self.message.len() + count > self.limit {
            return Err(FramingError::TooLong(self.limit));
        }
        self.message.extend_from_slice(&self.input[self.at..self.at + count]);
        self.at += count;
        Ok(())
    }

    fn next_marked(&mut self) -> Result<Option<Vec<u8>>, FramingError> {
        // The mark may be cut in two: its beginning is in the message already.
        let from = self.message.len().saturating_sub(END.len() - 1);
        let count = self.input.len() - self.at;
        let held = self.message.len() - from;
        let mut joint = self.message[from..].to_vec();
        joint.extend_from_slice(&self.input[self.at..self.input.len().min(self.at + END.len() - 1)]);
        if let Some(place) = find(&joint) {
            if from + place > self.limit {
                return Err(FramingError::TooLong(self.limit));
            }
            self.message.truncate(from + place);
            self.at += place + END.len() - held;
            return Ok(Some(std::mem::take(&mut self.message)));
        }
        if let Some(place) = find(&self.input[self.at..]) {
            self.take(place)?;
            self.at += END.len();
            return Ok(Some(std::mem::take(&mut self.message)));
        }
        // What is held may end with a part of the mark.
        if self.message.len() + count >= self.limit + END.len() {
            return Err(FramingError::TooLong(self.limit));
        }
        self.message.extend_from_slice(&self.input[self.at..]);
        self.at += count;
        Ok(None)
    }

    fn next_chunked(&mut self) -> Result<Option<Vec<u8>>, FramingError> {
        loop {
            if self.chunk > 0 {
                let count = self.chunk.min(self.input.len() - self.at);
                self.take(count)?;
                self.chunk -= count;
                if self.chunk > 0 {
                    return Ok(None);
                }
            }
            let rest = &self.input[self.at..];
            let Some(head) = head(rest)? else { return Ok(None) };
            match head {
                Head::End => {
                    // A message has one chunk at least.
                    if self.message.is_empty() {
                        return Err(FramingError::NoChunk);
                    }
                    self.at += 4;
                    return Ok(Some(std::mem::take(&mut self.message)));
                }
                Head::Chunk { size, length } => {
                    if size > self.limit - self.message.len() {
                        return Err(FramingError::TooLong(self.limit));
                    }
                    self.chunk = size;
                    self.at += length;
                }
            }
        }
    }
}

enum Head {
    End,
    Chunk { size: usize, length: usize },
}

/// `\n##\n`, or `\n#`, a number without leading zero, `\n`.
fn head(rest: &[u8]) -> Result<Option<Head>, FramingError> {
    for (place, wanted) in [(0, b'\n'), (1, b'#')] {
        match rest.get(place) {
            None => return Ok(None),
            Some(&octet) if octet == wanted => {}
            Some(_) => return Err(FramingError::NoChunk),
        }
    }
    let rest = &rest[2..];
    match rest.first() {
        None => return Ok(None),
        Some(b'#') => {
            return match rest.get(1) {
                None => Ok(None),
                Some(b'\n') => Ok(Some(Head::End)),
                Some(_) => Err(FramingError::NoChunk),
            };
        }
        Some(b'1'..=b'9') => {}
        Some(_) => return Err(FramingError::NoChunk),
    }
    let digits = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
    if digits > DIGITS {
        return Err(FramingError::NoChunk);
    }
    match rest.get(digits) {
        None => Ok(None),
        Some(b'\n') => {
            let size = rest[..digits].iter().fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
            let size = usize::try_from(size).map_err(|_| FramingError::NoChunk)?;
            Ok(Some(Head::Chunk { size, length: 2 + digits + 1 }))
        }
        Some(_) => Err(FramingError::NoChunk),
    }
}

fn find(octets: &[u8]) -> Option<usize> {
    memchr::memmem::find(octets, END)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Decoder, Framing, FramingError};

    fn all(decoder: &mut Decoder, octets: &[u8], piece: usize) -> Result<Vec<Vec<u8>>, FramingError> {
        let mut found = Vec::new();
        for part in octets.chunks(piece.max(1)) {
            decoder.push(part);
            while let Some(message) = decoder.message()? {
                found.push(message);
            }
        }
        Ok(found)
    }

    fn chunked(limit: usize) -> Decoder {
        let mut decoder = Decoder::new(limit);
        decoder.set_framing(Framing::Chunks);
        decoder
    }

    #[test]
    fn messages_of_several_chunks() {
        let found = all(&mut chunked(100), b"\n#4\n<rpc\n#2\n/>\n##\n\n#1\nx\n##\n", 1).unwrap();
        assert_eq!(found, [b"<rpc/>".to_vec(), b"x".to_vec()]);
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for wrong in [
            "x",
            "\nx",
            "\n#0\n",
            "\n#x",
            "\n##\n",
            "\n#1a",
            "\n#01\n",
            "\n#12345678901\n",
            "\n###",
            "\n#3\nabcd",
            "\n# 3\n",
        ] {
            assert_eq!(
                all(&mut chunked(1 << 40), wrong.as_bytes(), 3),
                Err(FramingError::NoChunk),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn long_messages_are_refused_before_they_are_held() {
        assert_eq!(all(&mut chunked(10), b"\n#4294967295\n", 5), Err(FramingError::TooLong(10)));
        assert_eq!(all(&mut chunked(10), b"\n#6\nabcdef\n#5\n", 5), Err(FramingError::TooLong(10)));
        assert_eq!(all(&mut Decoder::new(10), &[b'x'; 30], 4), Err(FramingError::TooLong(10)));
    }

    #[test]
    fn the_way_changes_after_the_first_message() {
        let mut decoder = Decoder::new(100);
        decoder.push(b"<hello/>]]>]]>\n#2\nab\n##\n");
        assert_eq!(decoder.message().unwrap().unwrap(), b"<hello/>");
        decoder.set_framing(Framing::Chunks);
        assert_eq!(decoder.message().unwrap().unwrap(), b"ab");
        assert_eq!(decoder.message().unwrap(), None);
    }

    proptest! {
        #[test]
        fn whatever_is_framed_comes_out(
            messages in proptest::collection::vec("[a-z<>\\]\n#0-9é]{1,40}", 1..5),
            chunks: bool,
            piece in 1_usize..20,
        ) {
            let framing = if chunks { Framing::Chunks } else { Framing::Mark };
            let messages: Vec<String> = messages.iter().map(|one| one.replace(']', "")).filter(|one| !one.is_empty()).collect();
            let octets: Vec<u8> = messages.iter().flat_map(|one| framing.frame(one)).collect();
            let mut decoder = Decoder::new(1000);
            decoder.set_framing(framing);
            let found = all(&mut decoder, &octets, piece).unwrap();
            prop_assert_eq!(found, messages.iter().map(|one| one.as_bytes().to_vec()).collect::<Vec<_>>());
        }

        #[test]
        fn no_octets_make_it_panic_or_hold_much(
            octets in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'#'), Just(b']'), Just(b'>'), b'0'..=b'9', any::<u8>()], 0..400),
            chunks: bool,
            piece in 1_usize..50,
        ) {
            let mut decoder = Decoder::new(100);
            decoder.set_framing(if chunks { Framing::Chunks } else { Framing::Mark });
            let whole = all(&mut decoder, &octets, piece);
            prop_assert!(decoder.held() <= 105 + 50 + 20);
            let mut other = Decoder::new(100);
            other.set_framing(if chunks { Framing::Chunks } else { Framing::Mark });
            let at_once = all(&mut other, &octets, usize::MAX);
            prop_assert_eq!(whole, at_once);
        }
    }
}
