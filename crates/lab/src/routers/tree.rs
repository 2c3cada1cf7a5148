//! A configuration as a tree of lines, in the two ways in which systems write it: with braces (Junos) and by indentation
//! (IOS-XR).

use std::fmt::Write as _;

/// A line, and what stands in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    /// The words, without what opens or ends the line.
    pub(super) words: String,
    /// `None` for a line that cannot have any.
    pub(super) children: Option<Vec<Node>>,
    /// There, and not in force (Junos).
    pub(super) inactive: bool,
    /// What stood before the words.
    indent: String,
    tag: Tag,
}

/// What is to become of what is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tag {
    #[default]
    Merge,
    Replace,
    Delete,
}

/// Statements of which there is one at a time: a new one takes the old one's place.
const SINGLE: &[&str] = &[
    "as-path-limit",
    "authentication-key",
    "autonomous-system",
    "description",
    "export",
    "hold-time",
    "host-name",
    "hostname",
    "import",
    "local-address",
    "local-as",
    "maximum",
    "maximum-prefix",
    "mtu",
    "multihop",
    "next-hop",
    "password",
    "peer-as",
    "remote-as",
    "router-id",
    "timers",
    "ttl",
    "type",
    "update-source",
];

/// Words of `set` commands that stand for a block of their own, alone or with a name behind them.
const BLOCKS: &[&str] = &[
    "accepted-prefix-limit",
    "bgp",
    "family",
    "from",
    "interfaces",
    "policy-options",
    "prefix-limit",
    "protocols",
    "routing-instances",
    "routing-options",
    "static",
    "system",
    "then",
    "unicast",
];
const NAMED: &[&str] =
    &["as-path-group", "family", "group", "neighbor", "policy-statement", "prefix-list", "term", "unit"];

impl Node {
    fn first_word(&self) -> &str {
        self.words.split(' ').next().unwrap_or_default()
    }

    /// The words behind these, if the line begins with them.
    pub(super) fn after(&self, words: &str) -> Option<&str> {
        let rest = self.words.strip_prefix(words)?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix(' ') }
    }

    pub(super) fn inside(&self) -> &[Node] {
        self.children.as_deref().unwrap_or_default()
    }

    fn is_same(&self, other: &Self) -> bool {
        self.words == other.words
            || (self.first_word() == other.first_word() && SINGLE.contains(&self.first_word()))
    }
}

/// The value of a statement among these, without quotes; of the last one if there are several.
pub(super) fn value<'a>(nodes: &'a [Node], name: &str) -> Option<&'a str> {
    let found = nodes.iter().filter(|node| !node.inactive).filter_map(|node| node.after(name)).next_back()?;
    Some(found.trim_matches('"'))
}

/// What stands in the block of this name.
pub(super) fn block<'a>(nodes: &'a [Node], name: &str) -> &'a [Node] {
    nodes.iter().find(|node| node.words == name && !node.inactive).map_or(&[], Node::inside)
}

/// What is there with something new: what is new wins where there can be but one. Gives whether all that is to go was there.
fn merge(into: &mut Vec<Node>, new: Vec<Node>) -> bool {
    let mut found = true;
    for mut node in new {
        let at = into.iter().position(|old| old.is_same(&node));
        match (std::mem::take(&mut node.tag), at) {
            (Tag::Delete, Some(at)) => drop(into.remove(at)),
            (Tag::Delete, None) => found = false,
            (Tag::Replace, Some(at)) => into[at] = node,
            (Tag::Merge, Some(at)) => match (&mut into[at], node) {
                (
                    Node { children: Some(old), inactive, .. },
                    Node { children: Some(new), inactive: now, .. },
                ) => {
                    *inactive = now;
                    found &= merge(old, new);
                }
                (old, node) => *old = node,
            },
            (Tag::Merge | Tag::Replace, None) => into.push(node),
        }
    }
    found
}

/// The statements of a text with braces, or what is wrong with it.
pub(super) fn from_braces(text: &str) -> Result<Vec<Node>, String> {
    let mut open: Vec<Node> = vec![Node { children: Some(Vec::new()), ..Node::default() }];
    let mut words = String::new();
    let mut place = text.chars().peekable();
    while let Some(c) = place.next() {
        match c {
            '"' => {
                words.push(c);
                loop {
                    let c = place.next().ok_or("syntax error: a quotation mark is missing")?;
                    words.push(c);
                    match c {
                        '\\' => words.extend(place.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '#' => while place.next_if(|&c| c != '\n').is_some() {},
            '/' if place.peek() == Some(&'*') => {
                let mut before = ' ';
                for c in place.by_ref() {
                    if before == '*' && c == '/' {
                        break;
                    }
                    before = c;
                }
            }
            '{' => open.push(node(&mut words, true)?),
            '}' => {
                if !words.trim().is_empty() {
                    return Err(format!("syntax error: {} has no end", words.trim()));
                }
                let closed =
                    open.pop().filter(|_| !open.is_empty()).ok_or("syntax error: one brace too many")?;
                insert(&mut open, closed);
            }
            ';' => {
                let node = node(&mut words, false)?;
                insert(&mut open, node);
            }
            c if c.is_whitespace() => {
                if !words.ends_with(' ') {
                    words.push(' ');
                }
            }
            c => words.push(c),
        }
    }
    match (open.pop(), open.is_empty() && words.trim().is_empty()) {
        (Some(root), true) => Ok(root.children.unwrap_or_default()),
        _ => Err("syntax error: missing brace".into()),
    }
}

fn insert(open: &mut [Node], node: Node) {
    if let Some(Node { children: Some(children), .. }) = open.last_mut() {
        children.push(node);
    }
}

fn node(words: &mut String, is_block: bool) -> Result<Node, String> {
    let said = std::mem::take(words);
    let mut rest = said.trim();
    let mut node = Node { children: is_block.then(Vec::new), ..Node::default() };
    while let Some((tag, after)) = rest.split_once(' ') {
        match tag {
            "replace:" => node.tag = Tag::Replace,
            "delete:" => node.tag = Tag::Delete,
            "inactive:" => node.inactive = true,
            "active:" | "protect:" | "unprotect:" => {}
            _ => break,
        }
        rest = after;
    }
    if rest.is_empty() {
        return Err("syntax error: a statement without words".into());
    }
    rest.clone_into(&mut node.words);
    Ok(node)
}

/// The text with braces.
pub(super) fn to_braces(nodes: &[Node]) -> String {
    fn write(nodes: &[Node], depth: usize, out: &mut String) {
        for node in nodes {
            let _ = write!(out, "{:indent$}", "", indent = 4 * depth);
            if node.inactive {
                out.push_str("inactive: ");
            }
            out.push_str(&node.words);
            match &node.children {
                Some(children) => {
                    out.push_str(" {\n");
                    write(children, depth + 1, out);
                    let _ = writeln!(out, "{:indent$}}}", "", indent = 4 * depth);
                }
                None => out.push_str(";\n"),
            }
        }
    }
    let mut out = String::new();
    write(nodes, 0, &mut out);
    out
}

/// A configuration of Junos with a part loaded into it, and whether all that it deletes was there.
pub(super) fn merge_braces(old: &str, new: &str) -> Result<(String, bool), String> {
    let mut all = from_braces(old)?;
    let found = merge(&mut all, from_braces(new)?);
    Ok((to_braces(&all), found))
}

/// A configuration of Junos after commands such as `set` and `delete`, and whether all that they delete was there.
pub(super) fn merge_commands(old: &str, commands: &str) -> Result<(String, bool), String> {
    let mut all = from_braces(old)?;
    let mut found = true;
    for line in commands.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (command, path) = line.split_once(' ').ok_or_else(|| format!("syntax error: {line}"))?;
        let tag = match command {
            "set" => Tag::Merge,
            "delete" => Tag::Delete,
            _ => return Err(format!("syntax error: {command}")),
        };
        found &= merge(&mut all, vec![path_of(path.trim(), tag)]);
    }
    Ok((to_braces(&all), found))
}

/// The blocks and the statement that a `set` command names.
fn path_of(path: &str, tag: Tag) -> Node {
    let words: Vec<&str> = path.split(' ').collect();
    let mut at = 0;
    let mut blocks = Vec::new();
    while at < words.len() {
        let is_instance = at == 1 && words[0] == "routing-instances";
        let length = if NAMED.contains(&words[at]) && !is_instance { 2 } else { 1 };
        let is_block = length == 2 || BLOCKS.contains(&words[at]) || is_instance;
        if !is_block {
            break;
        }
        let end = (at + length).min(words.len());
        blocks.push(words[at..end].join(" "));
        at = end;
    }
    let block = |words: String, inside: Option<Node>, tag| Node {
        words,
        children: Some(inside.into_iter().collect()),
        tag,
        ..Node::default()
    };
    let mut inner = (at < words.len()).then(|| Node { words: words[at..].join(" "), tag, ..Node::default() });
    for words in blocks.into_iter().rev() {
        let tag = if inner.is_none() { tag } else { Tag::Merge };
        inner = Some(block(words, inner, tag));
    }
    inner.unwrap_or_default()
}

/// The lines of a text, by their indentation. `!` and `exit` end blocks that the indentation has ended anyway.
pub(super) fn from_indentation(text: &str) -> Vec<Node> {
    let lines: Vec<(usize, &str)> = text
        .lines()
        .map(|line| (line.len() - line.trim_start().len(), line.trim_end()))
        .filter(|(indent, line)| {
            let words = &line[*indent.min(&line.len())..];
            !words.is_empty() && !words.starts_with('!') && words != "end" && words != "exit"
        })
        .collect();
    take(&lines, &mut 0, None)
}

/// The lines from `at` on that are indented further than the one above them.
fn take(lines: &[(usize, &str)], at: &mut usize, above: Option<usize>) -> Vec<Node> {
    let mut all = Vec::new();
    while let Some(&(indent, line)) =
        lines.get(*at).filter(|(indent, _)| above.is_none_or(|above| *indent > above))
    {
        *at += 1;
        let inside = take(lines, at, Some(indent));
        let words = &line[indent..];
        let (tag, words) =
            words.strip_prefix("no ").map_or((Tag::Merge, words), |words| (Tag::Delete, words));
        all.push(Node {
            words: words.to_owned(),
            children: (!inside.is_empty() || opens(words)).then_some(inside),
            indent: line[..indent].to_owned(),
            tag,
            ..Node::default()
        });
    }
    all
}

/// Whether a line of IOS-XR's opens a block, also an empty one.
fn opens(words: &str) -> bool {
    let starts = ["router ", "neighbor ", "vrf ", "address-family ", "neighbor-group ", "interface "];
    starts.iter().any(|start| words.starts_with(start))
}

/// A configuration of IOS-XR with a part loaded into it.
pub(super) fn merge_indentation(old: &str, new: &str) -> String {
    let mut all = from_indentation(old);
    let mut new = from_indentation(new);
    widen(&all, &mut new);
    merge(&mut all, new);
    let mut out = String::new();
    write_indentation(&all, &mut out);
    out
}

/// `no neighbor 192.0.2.1` and `no description` take away whatever stands behind these words.
fn widen(old: &[Node], new: &mut Vec<Node>) {
    let mut more = Vec::new();
    for node in new.iter_mut() {
        if node.tag == Tag::Delete {
            let gone = old.iter().filter(|old| old.after(&node.words).is_some_and(|rest| !rest.is_empty()));
            more.extend(gone.map(|old| Node { tag: Tag::Delete, ..old.clone() }));
        } else if let (Some(inside), Some(old)) =
            (&mut node.children, old.iter().find(|old| old.words == node.words))
        {
            widen(old.inside(), inside);
        }
    }
    new.extend(more);
}

fn write_indentation(nodes: &[Node], out: &mut String) {
    for node in nodes {
        let _ = writeln!(out, "{}{}", node.indent, node.words);
        write_indentation(node.inside(), out);
    }
}

#[cfg(test)]
mod tests {
    use super::{from_braces, merge_braces, merge_commands, merge_indentation, to_braces};

    const OLD: &str = "system {\n    host-name edge1;\n}\nprotocols {\n    bgp {\n        group ix {\n            \
        neighbor 192.0.2.1 {\n                description \"One; {two}\";\n                peer-as 64501;\n            }\n        \
        }\n    }\n}\n";

    #[test]
    fn braces_come_back_as_they_were() {
        assert_eq!(to_braces(&from_braces(OLD).unwrap()), OLD);
        for broken in ["a {", "a;}", "a { b }", "a", "{ b; }", "a \"b;"] {
            assert!(from_braces(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn junos_merges_replaces_and_deletes() {
        let more = "protocols { bgp { group ix {\n# a comment\nneighbor 192.0.2.1 { peer-as 64509; }\n/* and one more */\
            neighbor 192.0.2.2 { peer-as 64502; } } } }";
        let (merged, found) = merge_braces(OLD, more).unwrap();
        assert!(found);
        assert!(merged.contains("peer-as 64509;") && !merged.contains("peer-as 64501;"), "{merged}");
        assert!(merged.contains("One; {two}") && merged.contains("neighbor 192.0.2.2 {"), "{merged}");
        let (replaced, _) = merge_braces(
            &merged,
            "protocols { bgp { replace: group ix { neighbor 192.0.2.3 { peer-as 1; } } } }",
        )
        .unwrap();
        assert!(!replaced.contains("192.0.2.1") && replaced.contains("192.0.2.3"), "{replaced}");
        let (deleted, found) =
            merge_braces(&merged, "protocols { bgp { group ix { delete: neighbor 192.0.2.1; } } }").unwrap();
        assert!(found);
        assert!(!deleted.contains("192.0.2.1 ") && deleted.contains("192.0.2.2"), "{deleted}");
    }

    #[test]
    fn junos_takes_commands() {
        let set = "set system host-name edge2\nset protocols bgp group ix neighbor 192.0.2.2 peer-as 64502\n\
            delete protocols bgp group ix neighbor 192.0.2.1\nset routing-instances blue protocols bgp group a neighbor 192.0.2.9 peer-as 9";
        let (new, found) = merge_commands(OLD, set).unwrap();
        assert!(found && !merge_commands(OLD, "delete system domain-name").unwrap().1);
        assert_eq!(
            new,
            "system {\n    host-name edge2;\n}\nprotocols {\n    bgp {\n        group ix {\n            neighbor 192.0.2.2 {\n                \
             peer-as 64502;\n            }\n        }\n    }\n}\nrouting-instances {\n    blue {\n        protocols {\n            \
             bgp {\n                group a {\n                    neighbor 192.0.2.9 {\n                        peer-as 9;\n                    \
             }\n                }\n            }\n        }\n    }\n}\n"
        );
        assert!(merge_commands(OLD, "rename a to b").is_err());
    }

    #[test]
    fn ios_xr_merges_and_deletes() {
        let old = "hostname a\nrouter bgp 64500\n neighbor 192.0.2.1\n  remote-as 64501\n  shutdown\n !\n neighbor 192.0.2.2\n  remote-as 64502\n";
        let new = merge_indentation(
            old,
            "hostname b\nrouter bgp 64500\n neighbor 192.0.2.1\n  no shutdown\n  remote-as 64509\n !\n no neighbor 192.0.2.2\n neighbor 192.0.2.3\n  remote-as 64503\n!\n",
        );
        assert_eq!(
            new,
            "hostname b\nrouter bgp 64500\n neighbor 192.0.2.1\n  remote-as 64509\n neighbor 192.0.2.3\n  remote-as 64503\n"
        );
    }
}
