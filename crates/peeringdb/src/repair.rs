//! Makes a record readable whose text is no Unicode.
//!
//! JSON's grammar allows the escape `\ud800` of half a character on its own, and a broken encoder can send
//! bytes that are no UTF-8. Neither can be held as text. One such character must not cost the run all the
//! other records, so it becomes U+FFFD, the sign for a character that could not be read.

use std::borrow::Cow;

const REPLACEMENT: &[u8] = b"\\ufffd";

/// The JSON text `sent` with every unpaired surrogate escape and every byte that is no UTF-8 replaced; `None`
/// if there was nothing to replace.
pub(crate) fn repair(sent: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(sent);
    let bytes = text.as_bytes();
    let mut repaired = Vec::with_capacity(bytes.len());
    let mut changed = matches!(text, Cow::Owned(_));
    let mut rest = bytes;
    // Backslashes stand in strings only, so there is no need to know where strings begin.
    while let Some(at) = memchr::memchr(b'\\', rest) {
        repaired.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let width = match (surrogate(rest), rest.get(6..).and_then(surrogate)) {
            (None, _) => rest.len().min(2),
            (Some(Half::High), Some(Half::Low)) => 12,
            (Some(_), _) => {
                repaired.extend_from_slice(REPLACEMENT);
                changed = true;
                rest = &rest[6..];
                continue;
            }
        };
        repaired.extend_from_slice(&rest[..width]);
        rest = &rest[width..];
    }
    repaired.extend_from_slice(rest);
    changed.then_some(repaired)
}

enum Half {
    High,
    Low,
}

/// Which half of a character the text's first six bytes escape, if they do.
fn surrogate(text: &[u8]) -> Option<Half> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    match (digits[0].to_ascii_lowercase(), digits[1].to_ascii_lowercase()) {
        (b'd', b'8' | b'9' | b'a' | b'b') => Some(Half::High),
        (b'd', b'c'..=b'f') => Some(Half::Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::repair;

    #[test]
    fn replaces_lone_surrogates_and_nothing_else() {
        let cases: [(&[u8], Option<&[u8]>); 8] = [
            (br#"{"a":"plain"}"#, None),
            (br#"{"a":"\ud83d\ude00"}"#, None),
            (br#"{"a":"\\ud800"}"#, None),
            (br#"{"a":"\ud800"}"#, Some(br#"{"a":"\ufffd"}"#)),
            (br#"{"a":"\uDC00x"}"#, Some(br#"{"a":"\ufffdx"}"#)),
            (br#"{"a":"\ud800\ud83d\ude00"}"#, Some(br#"{"a":"\ufffd\ud83d\ude00"}"#)),
            (br#"{"a":"\ud800\n"}"#, Some(br#"{"a":"\ufffd\n"}"#)),
            (b"{\"a\":\"\xff\"}", Some("{\"a\":\"\u{fffd}\"}".as_bytes())),
        ];
        for (sent, expected) in cases {
            assert_eq!(repair(sent).as_deref(), expected, "{}", String::from_utf8_lossy(sent));
        }
    }
}
