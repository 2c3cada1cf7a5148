//! A text, word by word, with what quotes mean in it.

pub(super) const fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'')
}

/// Follows quotes through a text. A quote opens where no word is before it, and closes where none is after it: `5"` and
/// `Bob's` open nothing.
#[derive(Default)]
struct Quotes {
    open: Option<char>,
    before: Option<char>,
    escaped: bool,
}

impl Quotes {
    /// The next character, and the one after it.
    fn pass(&mut self, c: char, after: Option<char>) {
        match self.open {
            _ if self.escaped => {}
            Some(quote) if c == quote && !after.is_some_and(char::is_alphanumeric) => self.open = None,
            None if is_quote(c) && !self.before.is_some_and(char::is_alphanumeric) => self.open = Some(c),
            _ => {}
        }
        self.escaped = c == '\\' && !self.escaped;
        self.before = Some(c);
    }
}

/// Where the first text in quotes begins and ends, if it ends: at its quotes.
pub(super) fn quoted(text: &str) -> Option<(usize, usize)> {
    let mut quotes = Quotes::default();
    let mut from = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let was = quotes.open;
        quotes.pass(c, characters.peek().map(|(_, c)| *c));
        match (was, quotes.open, from) {
            (None, Some(_), _) => from = Some(at),
            (Some(_), None, Some(from)) => return Some((from, at)),
            _ => {}
        }
    }
    None
}

/// A text, word by word. What stands in quotes is one word.
pub(super) struct Words<'a> {
    /// What is not read yet.
    pub(super) rest: &'a str,
    /// The quotes that were not closed, and so no later one is.
    alone: [Option<char>; 2],
}

impl<'a> Words<'a> {
    pub(super) const fn of(text: &'a str) -> Self {
        Self { rest: text, alone: [None; 2] }
    }

    /// The white space before the next word, the word, and what follows. A quote that nothing closes is none, but before a
    /// `secret`: there all that is left may belong to it.
    pub(super) fn next(&mut self, secret: bool) -> Option<(&'a str, &'a str, &'a str)> {
        let start = self.rest.find(|c: char| !c.is_whitespace())?;
        let (gap, text) = self.rest.split_at(start);
        let (mut quotes, mut first) = (Quotes::default(), None);
        let mut characters = text.char_indices().peekable();
        let mut end = text.len();
        while let Some((at, c)) = characters.next() {
            if c.is_whitespace() {
                first = first.or(Some(at));
                let ignored = !secret && self.alone.contains(&quotes.open);
                if quotes.open.is_none() || ignored {
                    end = at;
                    break;
                }
            }
            quotes.pass(c, characters.peek().map(|(_, c)| *c));
        }
        if let (Some(quote), Some(first), false) = (quotes.open, first, secret) {
            self.alone[usize::from(quote == '"')] = Some(quote);
            end = first;
        }
        let (token, after) = text.split_at(end);
        self.rest = after;
        Some((gap, token, after))
    }
}

/// A word and the punctuation that ends a statement after it.
pub(super) fn split_end(token: &str) -> (&str, &str) {
    let word = token.trim_end_matches([';', '}', ',']);
    if word.is_empty() { (token, "") } else { (word, &token[word.len()..]) }
}
