//! Takes the answers of an IRRd server apart while they arrive.
//!
//! | first byte | whole answer | meaning |
//! | --- | --- | --- |
//! | `A` | `A<n>`, line feed, n bytes that end with a line feed, `C`, line feed | data |
//! | `C` `D` `E` | the letter, line feed | done, no such key, several keys |
//! | `F` | `F`, text, line feed | refused |
//!
//! Nothing else is let through: an answer carries no mark of its question, so whoever guesses where a damaged answer
//! ends gives the following ones to the wrong questions.

use crate::{Answer, Failure};

/// Longest line that is no data: a letter, and the text of a refusal.
const LINE: usize = 1000;
/// Most digits of a length. More than any limit, and far from what 64 bits hold.
const DIGITS: usize = 15;
/// Bytes of a damaged answer that are shown.
const SHOWN: usize = 60;

/// How much an answer may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of data that are kept. An answer of more becomes [`Frame::TooBig`].
    pub kept: u64,
    /// Bytes of data that are read past when they are not kept. After an answer of more nothing can be read any longer.
    pub skipped: u64,
}

/// One answer as it came over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// `A`: data, without its last line feed. Nothing says that it is text.
    Data(Vec<u8>),
    /// `C`.
    Done,
    /// `D`.
    NotFound,
    /// `E`.
    Ambiguous,
    /// `F`: its text, with a space for each control character.
    Refused(String),
    /// `A` of so many bytes, more than are kept. Comes as soon as the length is known; the data is read past.
    TooBig(u64),
}

impl Frame {
    /// The answer for whoever asked.
    ///
    /// Data must be UTF-8. The frame around it is sound, so only this one answer is given up, and it is not asked for
    /// again: it would come again the same. To go on with replacement characters would be to look for members and
    /// prefixes that nobody registered. With `lossy` that is done nevertheless: an object's remarks may be of any age.
    pub(crate) fn answer(self, lossy: bool) -> Result<Answer, Failure> {
        Ok(match self {
            Self::Data(bytes) => Answer::Data(match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) if lossy => String::from_utf8_lossy(error.as_bytes()).into_owned(),
                Err(_) => return Err(Failure("an answer that is not UTF-8 text".to_owned())),
            }),
            Self::Done => Answer::Done,
            Self::NotFound => Answer::NotFound,
            Self::Ambiguous => Answer::Ambiguous,
            Self::Refused(text) => Answer::Refused(text),
            Self::TooBig(bytes) => Answer::TooBig(bytes),
        })
    }
}

/// Bytes that are no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Something else where an answer begins; its first bytes, escaped.
    #[error("sent what is no IRRd answer: \"{0}\"")]
    Answer(String),
    /// Data that does not end where its length says; what came instead, escaped.
    #[error("sent an answer that does not end where its length says, but goes on with \"{0}\"")]
    Length(String),
    /// An answer of so many bytes: more than are read past.
    #[error("announced an answer of {0} bytes")]
    Endless(u64),
}

/// Where the parser stands.
#[derive(Debug)]
enum State {
    /// In the line that begins an answer.
    Line,
    /// In data that is kept: so many bytes are to come.
    Data(usize),
    /// In data that is read past: so many bytes are to come.
    Skip(u64),
    /// In the `C` line feed after data; whether the `C` was seen, and whether the data is handed out.
    End { letter: bool, kept: bool },
    /// Lost: no answer can be told from another any longer.
    Lost(Malformed),
}

/// Takes answers out of bytes that arrive in pieces of any size. Linear in the bytes; holds one answer at most.
#[derive(Debug)]
pub struct Parser {
    limits: Limits,
    state: State,
    /// The begun line, without its line feed.
    line: Vec<u8>,
    data: Vec<u8>,
    /// The last byte that was read past.
    last: u8,
}

impl Parser {
    /// Begins where an answer begins.
    pub const fn new(limits: Limits) -> Self {
        Self { limits, state: State::Line, line: Vec::new(), data: Vec::new(), last: 0 }
    }

    /// The next answer, with `input` moved past it; `None` when all of `input` is read and an answer is not yet
    /// complete. Once there was an error, there is nothing but that error.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Malformed> {
        loop {
            let result = match &mut self.state {
                State::Lost(why) => return Err(why.clone()),
                _ if input.is_empty() => return Ok(None),
                State::Line => self.line(input),
                State::Data(_) | State::Skip(_) => self.data(input),
                State::End { .. } => self.end(input),
            };
            match result {
                Ok(None) => {}
                Ok(frame) => return Ok(frame),
                Err(why) => self.state = State::Lost(why),
            }
        }
    }

    /// Whether the last answer is complete and no other has begun.
    pub const fn is_between(&self) -> bool {
        matches!(self.state, State::Line) && self.line.is_empty()
    }

    /// Whether no further answer can be read.
    pub const fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost(_))
    }

    /// Whether it reads past an answer that was too big, or would have to if it could.
    pub const fn is_skipping(&self) -> bool {
        matches!(
            self.state,
            State::Skip(_) | State::End { kept: false, .. } | State::Lost(Malformed::Endless(_))
        )
    }

    /// Bytes of memory that it holds.
    pub const fn held(&self) -> usize {
        self.line.capacity() + self.data.capacity()
    }

    fn line(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Malformed> {
        while let Some((&byte, rest)) = input.split_first() {
            if byte == b'\n' && self.line_is_whole() {
                *input = rest;
                return Ok(self.begin());
            }
            if !self.line_takes(byte) {
                let shown = [self.line.as_slice(), &input[..input.len().min(SHOWN)]].concat();
                return Err(Malformed::Answer(escaped(&shown)));
            }
            self.line.push(byte);
            *input = rest;
        }
        Ok(None)
    }

    fn line_takes(&self, byte: u8) -> bool {
        match self.line.first() {
            None => b"ACDEF".contains(&byte),
            // A length has no leading zero, and no data is `D`, not a length of 0.
            Some(b'A') => {
                byte.is_ascii_digit() && self.line.len() <= DIGITS && (byte != b'0' || self.line.len() > 1)
            }
            Some(b'F') => byte != b'\n' && self.line.len() < LINE,
            Some(_) => false,
        }
    }

    fn line_is_whole(&self) -> bool {
        match self.line.first() {
            None => false,
            Some(b'A') => self.line.len() > 1,
            Some(_) => true,
        }
    }

    /// What a whole line begins: an answer of one line, or data.
    fn begin(&mut self) -> Option<Frame> {
        let (letter, text) = self.line.split_first()?;
        let frame = match letter {
            b'A' => {
                let length = text.iter().fold(0, |length, digit| length * 10 + u64::from(digit - b'0'));
                self.begin_data(length)
            }
            b'C' => Some(Frame::Done),
            b'D' => Some(Frame::NotFound),
            b'E' => Some(Frame::Ambiguous),
            _ => Some(Frame::Refused(printable(text))),
        };
        self.line.clear();
        frame
    }

    fn begin_data(&mut self, length: u64) -> Option<Frame> {
        match usize::try_from(length) {
            Ok(kept) if length <= self.limits.kept => {
                // All at once: it is within the limit, and nothing is copied when more arrives.
                self.data = Vec::with_capacity(kept);
                self.state = State::Data(kept);
                return None;
            }
            _ if length <= self.limits.skipped => self.state = State::Skip(length),
            _ => self.state = State::Lost(Malformed::Endless(length)),
        }
        Some(Frame::TooBig(length))
    }

    fn data(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Malformed> {
        let (taken, rest) = match &mut self.state {
            State::Data(left) => {
                let (taken, rest) = input.split_at(input.len().min(*left));
                self.data.extend_from_slice(taken);
                *left -= taken.len();
                (taken, rest)
            }
            State::Skip(left) => {
                let (taken, rest) =
                    input.split_at(usize::try_from(*left).unwrap_or(usize::MAX).min(input.len()));
                *left -= taken.len() as u64;
                (taken, rest)
            }
            _ => return Ok(None),
        };
        self.last = taken.last().copied().unwrap_or(self.last);
        let kept = matches!(self.state, State::Data(_));
        if matches!(self.state, State::Data(0) | State::Skip(0)) {
            if self.last != b'\n' {
                return Err(self.wrong_length(rest));
            }
            self.state = State::End { letter: false, kept };
        }
        *input = rest;
        Ok(None)
    }

    fn end(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Malformed> {
        let State::End { letter, kept } = &mut self.state else { return Ok(None) };
        let Some((&byte, rest)) = input.split_first() else { return Ok(None) };
        match (byte, *letter) {
            (b'C', false) => {
                *letter = true;
                *input = rest;
                Ok(None)
            }
            (b'\n', true) => {
                let kept = *kept;
                self.state = State::Line;
                *input = rest;
                self.data.pop();
                Ok(kept.then(|| Frame::Data(std::mem::take(&mut self.data))))
            }
            _ => Err(self.wrong_length(input)),
        }
    }

    fn wrong_length(&mut self, rest: &[u8]) -> Malformed {
        self.data = Vec::new();
        Malformed::Length(escaped(rest))
    }
}

/// The first bytes in printable ASCII.
fn escaped(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(SHOWN)].escape_ascii().to_string()
}

/// Outside text, with a space for each control character and none at its ends.
pub(crate) fn printable(text: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(text)
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { kept: 20, skipped: 1000 };

    /// All answers of the bytes, and the error that ended them.
    fn read(mut input: &[u8]) -> (Vec<Frame>, Option<Malformed>) {
        let mut parser = Parser::new(LIMITS);
        let mut frames = Vec::new();
        loop {
            match parser.next(&mut input) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return (frames, None),
                Err(why) => return (frames, Some(why)),
            }
        }
    }

    #[test]
    fn every_form_of_answer_is_read() {
        let bytes = b"A8\nAS1 AS2\nC\nC\nD\nE\nF no\x1b[1m such\tset \nF\nA1\n\nC\n";
        let frames = vec![
            Frame::Data(b"AS1 AS2".to_vec()),
            Frame::Done,
            Frame::NotFound,
            Frame::Ambiguous,
            Frame::Refused("no [1m such set".to_owned()),
            Frame::Refused(String::new()),
            Frame::Data(Vec::new()),
        ];
        assert_eq!(read(bytes), (frames, None));
    }

    #[test]
    fn what_is_no_answer_is_shown_and_ends_the_reading() {
        for (bytes, shown) in [
            (&b"SSH-2.0-OpenSSH_9.2\r\n"[..], r"SSH-2.0-OpenSSH_9.2\r\n"),
            (b"\nC\n", r"\nC\n"),
            (b"C\r\n", r"C\r\n"),
            (b"A\nC\n", r"A\nC\n"),
            (b"A0\nC\n", r"A0\nC\n"),
            (b"A08\nAS1 AS2\nC\n", r"A08\nAS1 AS2\nC\n"),
            (b"A-1\n", "A-1\\n"),
            (b"A1234567890123456\n", "A1234567890123456\\n"),
            (b"\x1b[2J\xff", r"\x1b[2J\xff"),
        ] {
            let bytes = [b"D\n", bytes, b"C\n"].concat();
            let (frames, error) = read(&bytes);
            assert_eq!(frames, [Frame::NotFound]);
            let Some(Malformed::Answer(text)) = error else { panic!("{shown}: {error:?}") };
            assert!(text.starts_with(shown), "{text}");
        }
    }

    #[test]
    fn a_damaged_answer_is_shown_in_part_only() {
        let (_, error) = read(&[b'\xff'; 5000]);
        assert_eq!(error, Some(Malformed::Answer(r"\xff".repeat(SHOWN))));
        let (frames, error) = read(&[&b"F"[..], &[b'x'; 5000]].concat());
        assert!(frames.is_empty() && error.is_some());
    }

    #[test]
    fn a_wrong_length_is_noticed() {
        for bytes in
            [&b"A7\nAS1 AS2\nC\n"[..], b"A9\nAS1 AS2\nC\nD\n", b"A8\nAS1 AS2\nD\n", b"A8\nAS1 AS2\nCC\n"]
        {
            let (frames, error) = read(bytes);
            assert!(frames.is_empty() && matches!(error, Some(Malformed::Length(_))), "{frames:?} {error:?}");
        }
        let big = [b"A30\n", &[b'x'; 30][..], b"C\n"].concat();
        assert!(matches!(read(&big), (frames, Some(Malformed::Length(_))) if frames == [Frame::TooBig(30)]));
    }

    #[test]
    fn a_big_answer_is_read_past_and_a_bigger_one_is_the_last() {
        let mut bytes = b"A1000\n".to_vec();
        bytes.extend_from_slice(&[b'C'; 999]);
        bytes.extend_from_slice(b"\nC\nD\nA1001\nC\n");
        let frames = vec![Frame::TooBig(1000), Frame::NotFound, Frame::TooBig(1001)];
        assert_eq!(read(&bytes), (frames, Some(Malformed::Endless(1001))));
    }

    #[test]
    fn data_that_is_no_text_fails_alone() {
        let data = Frame::Data(b"AS1 \xff".to_vec());
        assert!(data.clone().answer(false).is_err());
        assert_eq!(data.answer(true), Ok(Answer::Data("AS1 \u{fffd}".to_owned())));
    }
}
