//! Makes text from outside fit to be shown: what `PeeringDB`, or whoever answers in its place, sent may hold
//! control characters, which a terminal obeys and PostgreSQL refuses.

/// Characters of outside text that are shown.
const EXCERPT: usize = 200;
/// What an excerpt is made from, in bytes: a character has up to four.
pub(crate) const EXCERPT_BYTES: usize = EXCERPT * 4;

/// The text with a space for each control character.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(visible).collect()
}

/// The first 200 characters of the text, with a space for each control character.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT).map(visible).collect()
}

/// The excerpt of text that need not be Unicode.
pub(crate) fn excerpt_of_bytes(text: &[u8]) -> String {
    excerpt(&String::from_utf8_lossy(&text[..text.len().min(EXCERPT_BYTES)]))
}

fn visible(letter: char) -> char {
    if letter.is_control() { ' ' } else { letter }
}

#[cfg(test)]
mod tests {
    use super::{excerpt, excerpt_of_bytes, printable};

    #[test]
    fn control_characters_become_spaces() {
        assert_eq!(printable("a\0\u{1b}[1mb\r\n\u{7f}\u{9b}é"), "a  [1mb    é");
        assert_eq!(excerpt("a\0b"), "a b");
        assert_eq!(excerpt_of_bytes(b"a\0\xff\x1b"), "a \u{fffd} ");
    }

    #[test]
    fn an_excerpt_has_200_characters_whatever_their_width() {
        for letter in ["a", "é", "東", "\u{1f600}"] {
            let text = letter.repeat(1000);
            assert_eq!(excerpt(&text), letter.repeat(200));
            assert_eq!(excerpt_of_bytes(text.as_bytes()), letter.repeat(200));
        }
    }
}
