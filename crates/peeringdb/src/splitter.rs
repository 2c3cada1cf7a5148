//! Cuts a JSON text into the texts of its values, as it is read.
//!
//! Only the outer structure is looked at: where strings end and how deep brackets are nested. Whether a slice
//! is JSON is for the parser to say that gets it.

use std::io::{BufRead, ErrorKind};

use memchr::memchr2;

use crate::error::ReadError;
use crate::printable::{EXCERPT_BYTES, excerpt_of_bytes, printable};

/// A single value longer than this is refused. `PeeringDB`'s longest records have less than 1 MB.
const VALUE_LIMIT: usize = 16 << 20;

pub(crate) struct Splitter<R> {
    input: R,
    position: u64,
}

impl<R: BufRead> Splitter<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, position: 0 }
    }

    /// Bytes read so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn cut(&self) -> ReadError {
        ReadError::Cut { bytes: self.position }
    }

    /// The error for text that is no JSON, or not of the expected shape, from here on.
    pub(crate) fn malformed(&mut self, why: &str) -> ReadError {
        let at = self.position;
        let mut next = Vec::new();
        while next.len() < EXCERPT_BYTES {
            match self.fill() {
                Ok(text) if !text.is_empty() => {
                    let length = text.len().min(EXCERPT_BYTES - next.len());
                    next.extend_from_slice(&text[..length]);
                    self.consume(length);
                }
                _ => break,
            }
        }
        ReadError::Malformed { at, why: printable(why), excerpt: excerpt_of_bytes(&next) }
    }

    /// The next byte that is not white space, which is left where it is; `None` at the end.
    pub(crate) fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        loop {
            let text = self.fill()?;
            let length = text.len();
            match text.iter().position(|byte| !is_space(*byte)) {
                Some(at) => {
                    let byte = text[at];
                    self.consume(at);
                    return Ok(Some(byte));
                }
                None if length == 0 => return Ok(None),
                None => self.consume(length),
            }
        }
    }

    /// Passes over `byte` if it comes next.
    pub(crate) fn skip(&mut self, byte: u8) -> Result<bool, ReadError> {
        match self.peek()? {
            Some(next) if next == byte => {
                self.consume(1);
                Ok(true)
            }
            Some(_) => Ok(false),
            None => Err(self.cut()),
        }
    }

    /// Passes over `byte`, which must come next.
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), ReadError> {
        if self.skip(byte)? {
            return Ok(());
        }
        Err(self.malformed(&format!("{:?} is missing", char::from(byte))))
    }

    /// Passes over a comma, or over the bracket that ends the list or object; says whether it was a comma.
    pub(crate) fn another(&mut self, end: u8) -> Result<bool, ReadError> {
        if self.skip(end)? {
            return Ok(false);
        }
        self.expect(b',').map(|()| true)
    }

    /// Puts the text of the next value into `slice`.
    pub(crate) fn value(&mut self, slice: &mut Vec<u8>) -> Result<(), ReadError> {
        slice.clear();
        let Some(first) = self.peek()? else { return Err(self.cut()) };
        let mut scan = Scan::new(first);
        loop {
            let text = self.fill()?;
            if text.is_empty() {
                return Err(self.cut());
            }
            let end = scan.end(text);
            let length = end.unwrap_or(text.len());
            if slice.len() + length > VALUE_LIMIT {
                return Err(ReadError::ValueTooBig { at: self.position, limit: VALUE_LIMIT });
            }
            slice.extend_from_slice(&text[..length]);
            self.consume(length);
            if end.is_some() {
                return Ok(());
            }
        }
    }

    /// What comes next, at least one byte unless it is the end.
    fn fill(&mut self) -> Result<&[u8], ReadError> {
        let ended = loop {
            match self.input.fill_buf() {
                Ok(text) => break text.is_empty(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        };
        // A borrow cannot leave the loop, so what is there now is asked for again. At the end that would be a
        // new read.
        if ended { Ok(&[]) } else { Ok(self.input.fill_buf()?) }
    }

    fn consume(&mut self, length: usize) {
        self.input.consume(length);
        self.position += length as u64;
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Where in a value a scan is.
struct Scan {
    /// The value is a number, true, false or null: it ends where something else begins.
    bare: bool,
    in_string: bool,
    /// The last byte was a backslash in a string.
    escaped: bool,
    depth: usize,
}

impl Scan {
    fn new(first: u8) -> Self {
        let bare = !matches!(first, b'{' | b'[' | b'"');
        Self { bare, in_string: false, escaped: false, depth: 0 }
    }

    /// How much of `text` still belongs to the value; `None` if it goes on behind it.
    fn end(&mut self, text: &[u8]) -> Option<usize> {
        if self.bare {
            return text.iter().position(|byte| is_space(*byte) || matches!(byte, b',' | b':' | b']' | b'}'));
        }
        let mut at = 0;
        while at < text.len() {
            if self.escaped {
                self.escaped = false;
                at += 1;
            } else if self.in_string {
                at += memchr2(b'"', b'\\', &text[at..])? + 1;
                if text[at - 1] == b'\\' {
                    self.escaped = true;
                } else {
                    self.in_string = false;
                    if self.depth == 0 {
                        return Some(at);
                    }
                }
            } else {
                let byte = text[at];
                at += 1;
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => {
                        self.depth -= 1;
                        if self.depth == 0 {
                            return Some(at);
                        }
                    }
                    _ => {}
                }
            }
        }
        None
    }
}
