//! Secrets whose text is known, hidden wherever they stand: no keyword need come before them.

use crate::mask::MASK;

/// Shorter ones stand in too many words that are no secrets.
const SHORTEST: usize = 3;
/// From this length on they are hidden within words, too.
const LONG: usize = 6;

/// The text with each of these values replaced, but for those of one or two characters. One of up to five is replaced only
/// where no letter or digit stands beside it.
pub fn mask_values<S: AsRef<str>>(text: &str, values: &[S]) -> String {
    let mut values: Vec<&str> =
        values.iter().map(AsRef::as_ref).filter(|value| value.chars().count() >= SHORTEST).collect();
    // One may be a part of another.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values.dedup();
    values.iter().fold(text.to_owned(), |text, value| mask_value(&text, value))
}

fn mask_value(text: &str, value: &str) -> String {
    let within_words = value.chars().count() >= LONG;
    let mut out = String::new();
    let mut from = 0;
    for (at, found) in text.match_indices(value) {
        let end = at + found.len();
        let beside = [text[..at].chars().next_back(), text[end..].chars().next()];
        if within_words || !beside.into_iter().flatten().any(char::is_alphanumeric) {
            out.push_str(&text[from..at]);
            out.push_str(MASK);
            from = end;
        }
    }
    out.push_str(&text[from..]);
    out
}

#[cfg(test)]
mod tests {
    use super::mask_values;

    #[test]
    fn known_values_are_hidden_without_a_keyword_before_them() {
        let text = "define pw = \"hunter2\";\nx prehunter2 hunt hunter, 22 hunt; é\n";
        let masked = mask_values(text, &["hunt", "hunter2", "hunter2", "22", ""]);
        assert_eq!(masked, "define pw = \"******\";\nx pre****** ****** hunter, 22 ******; é\n");
        assert_eq!(mask_values(text, &[] as &[&str]), text);
    }
}
