//! What may be said of an answer.

/// Stands for what may not be shown.
const HIDDEN: &str = "***";
/// Shorter texts than this would hide half of every answer.
const SHORTEST: usize = 4;

/// The start of a text from outside, in one line, without these secrets.
pub(crate) fn start(text: &str, secrets: &[&str], characters: usize) -> String {
    let mut text = text.to_owned();
    let mut secrets: Vec<&str> = secrets.iter().copied().filter(|secret| secret.len() >= SHORTEST).collect();
    // The longest first: one may be part of another.
    secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in secrets {
        text = text.replace(secret, HIDDEN);
    }
    let shown = |letter: char| if letter.is_control() { ' ' } else { letter };
    let line: String = text.chars().map(shown).take(characters).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The innermost cause of an error, which says most.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_lines_joined() {
        let text = "bad\r\n key s3cret-more and s3cret\u{7}!";
        assert_eq!(start(text, &["s3cret", "s3cret-more", "a"], 100), "bad key *** and *** !");
        assert_eq!(start("abcdef", &[], 3), "abc");
    }
}
