//! Pieces of what routers and programs say, fit for people to see.

use super::mask_text;

/// What a router said: without secrets and control characters, and cut short.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 600;
    let masked = mask_text(text.trim());
    let mut out = String::new();
    for (at, line) in masked.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        if at > 0 {
            out.push_str("; ");
        }
        out.extend(line.chars().map(|c| if c.is_control() { ' ' } else { c }));
        if out.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|&at| out.is_char_boundary(at)).unwrap_or(0);
            out.truncate(end);
            out.push('…');
            break;
        }
    }
    if out.is_empty() { "it says nothing".to_owned() } else { out }
}

/// What is wrong with JSON, and where. A text that stands where none should is in serde's own words as a whole, and may be a
/// configuration; here it is not.
pub(crate) fn json_error(error: &serde_json::Error) -> String {
    let mut said = error.to_string();
    if let Some(at) = said.find('"') {
        said.truncate(at);
        let place = format!("at line {} column {}", error.line(), error.column());
        said.push_str(&place);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::{excerpt, json_error};

    #[test]
    fn wrong_json_does_not_show_what_is_in_it() {
        let error = serde_json::from_str::<Vec<u8>>(r#" "password hunter2 \" x""#).unwrap_err();
        assert_eq!(json_error(&error), "invalid type: string at line 1 column 24");
        let error = serde_json::from_str::<Vec<u8>>("[1, 2").unwrap_err();
        assert!(json_error(&error).starts_with("EOF while parsing"), "{error}");
    }

    #[test]
    fn excerpts_are_short_and_plain() {
        let text = excerpt(&format!("a\u{1b}[31m\n\npassword x\n{}", "é".repeat(5000)));
        assert!(text.len() < 700 && !text.contains('\u{1b}'));
        assert!(text.starts_with("a [31m; password ******; é"));
    }
}
