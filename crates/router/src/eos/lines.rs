//! A configuration as the commands of a request.

use serde_json::{Value, json};

/// The commands of a configuration: comments and empty lines are dropped, and what asks for several lines (a banner, a
/// certificate) has them as its input. Comments of a mode (`!!`) are kept.
pub(super) fn commands(text: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut remark: Vec<&str> = Vec::new();
    let mut lines = text.lines().map(|line| line.trim_end_matches('\r'));
    while let Some(line) = lines.next() {
        let body = line.trim();
        if let Some(text) = body.strip_prefix("!!") {
            remark.push(text.trim());
            continue;
        }
        if !remark.is_empty() {
            all.push(json!({ "cmd": "comment", "input": remark.join("\n") }));
            remark.clear();
        }
        // A session ends by its own `end`.
        if body.is_empty() || body.starts_with('!') || body == "end" {
            continue;
        }
        match end_of_input(body) {
            Some(end) => {
                let input: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != end).collect();
                all.push(json!({ "cmd": body, "input": input.join("\n") }));
            }
            None => all.push(json!(line.trim_end())),
        }
    }
    if !remark.is_empty() {
        all.push(json!({ "cmd": "comment", "input": remark.join("\n") }));
    }
    all
}

/// The line that ends what a command reads, if it reads any.
fn end_of_input(command: &str) -> Option<&'static str> {
    let mut words = command.split_whitespace();
    match (words.next()?, words.next(), words.next()) {
        ("banner", Some("login" | "motd" | "exec"), None)
        | ("comment", None, None)
        | ("code", Some("unit"), Some(_)) => Some("EOF"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::commands;
    use serde_json::json;

    #[test]
    fn comments_go_and_banners_are_input() {
        let text = "! device: x\n!\nhostname x\n\nbanner login\n ! mind\n  the gap\nEOF\nrouter bgp 64500\n   !! two\n   !! lines\n   \
                    neighbor 192.0.2.1 remote-as 64501\r\n!\nend\n";
        assert_eq!(
            commands(text),
            [
                json!("hostname x"),
                json!({"cmd": "banner login", "input": " ! mind\n  the gap"}),
                json!("router bgp 64500"),
                json!({"cmd": "comment", "input": "two\nlines"}),
                json!("   neighbor 192.0.2.1 remote-as 64501"),
            ]
        );
        assert!(commands("banner motd\nno end").len() == 1);
        assert!(commands("").is_empty());
    }
}
