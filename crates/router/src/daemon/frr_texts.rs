//! What FRR's own programs say of a candidate.

use std::collections::HashSet;

use crate::Diff;
use crate::mask::excerpt;

/// What `frr-reload.py --test` prints: lines to delete, with `no` before them, then lines to add, each under the line that
/// opens its context.
pub(super) fn difference(text: &str) -> Diff {
    let mut sign = ' ';
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with("===")).collect();
    Diff::from_lines(lines.iter().enumerate().filter_map(|(at, line)| {
        match *line {
            "Lines To Delete" => sign = '-',
            "Lines To Add" => sign = '+',
            // A line with something indented below it is the context.
            line if !line.starts_with(' ') && lines.get(at + 1).is_some_and(|next| next.starts_with(' ')) => {
                return Some((' ', line));
            }
            line if sign == ' ' => return Some((' ', line)),
            line => return Some((sign, line)),
        }
        None
    }))
}

/// What a part of a configuration changes, read line by line under the line that opens its context. It is what is expected:
/// FRR has no way to tell.
pub(super) fn merge_difference(old: &str, part: &str) -> Diff {
    let present: HashSet<(Vec<&str>, &str)> = in_context(old).into_iter().collect();
    let openers: HashSet<&str> =
        present.iter().filter_map(|(contexts, _)| contexts.last().copied()).collect();
    let mut out: Vec<(char, &str)> = Vec::new();
    let mut shown: Vec<&str> = Vec::new();
    for (context, line) in in_context(part) {
        let opens = openers.contains(line);
        let change = match line.strip_prefix("no ") {
            Some(rest) => {
                let rest = rest.trim_start();
                let there = |&(ref inside, found): &(Vec<&str>, &str)| {
                    *inside == context && (found == rest || found.starts_with(&format!("{rest} ")))
                };
                present.iter().any(there).then_some('-')
            }
            None if present.contains(&(context.clone(), line)) || opens => None,
            None => Some('+'),
        };
        if let Some(sign) = change {
            for (depth, outer) in context.iter().enumerate() {
                if shown.get(depth) != Some(outer) {
                    shown.truncate(depth);
                    shown.push(outer);
                    out.push((' ', outer));
                }
            }
            out.push((sign, line));
        }
    }
    Diff::from_lines(out.into_iter())
}

/// Lines with the lines that they stand under; by indentation, as FRR writes it.
fn in_context(text: &str) -> Vec<(Vec<&str>, &str)> {
    let mut outer: Vec<(usize, &str)> = Vec::new();
    let mut all = Vec::new();
    for line in text.lines() {
        let words = line.trim();
        if words.is_empty() || words.starts_with('!') || words.starts_with("exit") || words == "end" {
            continue;
        }
        let depth = line.len() - line.trim_start().len();
        while outer.last().is_some_and(|&(above, _)| above >= depth) {
            outer.pop();
        }
        all.push((outer.iter().map(|&(_, line)| line).collect(), words));
        outer.push((depth, words));
    }
    all
}

/// FRR repeats the lines it does not understand, passwords behind misspelt words included: of each only the beginning is
/// shown.
pub(super) fn complaints(said: &str) -> String {
    let mut out = Vec::new();
    for line in said.lines().map(str::trim) {
        let bad = ["% ", "Failure", "exited with", "ERROR", "is not running", "failed", "denied", "required"];
        if line.contains("vtysh.conf") || !bad.iter().any(|word| line.contains(word)) {
            continue;
        }
        let repeated =
            ["]: ", "line: "].iter().filter_map(|mark| line.find(mark).map(|at| at + mark.len())).min();
        let (said, repeated) = line.split_at(repeated.unwrap_or(line.len()));
        let mut words = repeated.split_whitespace();
        let first = words.next().unwrap_or_default();
        let second = words.next().filter(|_| first == "neighbor").map(|word| format!(" {word}"));
        let more = if repeated.is_empty() { "" } else { " …" };
        out.push(format!("{said}{first}{}{more}", second.unwrap_or_default()));
    }
    if out.is_empty() { "it does not say why".to_owned() } else { excerpt(&out.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::{complaints, difference, merge_difference};

    #[test]
    fn the_difference_of_frr_reload() {
        let text = "\nLines To Delete\n===============\nrouter bgp 64500\n no neighbor 192.0.2.2 password old\n\n\
                    Lines To Add\n============\nrouter bgp 64500\n neighbor 192.0.2.2 password new\nline alone\n";
        let diff = difference(text);
        assert_eq!(
            diff.text(),
            " router bgp 64500\n- no neighbor 192.0.2.2 password ******\n router bgp 64500\n\
             + neighbor 192.0.2.2 password ******\n+line alone\n"
        );
        assert!(difference("").is_empty());
    }

    #[test]
    fn the_difference_of_a_part() {
        let old = "router bgp 1\n neighbor 192.0.2.1 remote-as 2\n neighbor 192.0.2.1 description old\n !\n\
                   address-family ipv4 unicast\n  neighbor 192.0.2.1 activate\n exit-address-family\nexit\n";
        let part = "router bgp 1\n neighbor 192.0.2.1 remote-as 2\n no neighbor 192.0.2.1 description\n \
                    neighbor 192.0.2.9 remote-as 9\n";
        let diff = merge_difference(old, part);
        assert_eq!(
            diff.text(),
            " router bgp 1\n-no neighbor 192.0.2.1 description\n+neighbor 192.0.2.9 remote-as 9\n"
        );
    }

    #[test]
    fn what_frr_repeats_is_cut() {
        let said = "line 9: % Unknown command[25]:  neighbor 192.0.2.1 passwrd hunter2\n\
                    Failure to communicate[13] to bgpd, line: passwrd hunter2\n\
                    INFO content ['neighbor 192.0.2.1 password hunter2']\n";
        assert_eq!(
            complaints(said),
            "line 9: % Unknown command[25]: neighbor 192.0.2.1 …; Failure to communicate[13] to bgpd, line: passwrd …"
        );
    }
}
