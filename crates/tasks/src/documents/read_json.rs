//! JSON with the line of each member and item. `serde_json` says what is legal; the walk afterwards only counts lines.

use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;

use super::{Misplaced, member_path};

pub(super) fn read(text: &str) -> Result<(Json, HashMap<String, usize>), Misplaced> {
    let value: Json = serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        Misplaced {
            path: String::new(),
            line: Some(error.line()),
            message: format!("{message} (column {})", error.column()),
        }
    })?;
    let mut walk = Walk { rest: text.as_bytes(), line: 1, lines: HashMap::new(), twice: None };
    walk.value("");
    match walk.twice {
        Some(place) => Err(place),
        None => Ok((value, walk.lines)),
    }
}

/// A walk through a text that is known to be legal and not too deep.
struct Walk<'a> {
    rest: &'a [u8],
    line: usize,
    lines: HashMap<String, usize>,
    twice: Option<Misplaced>,
}

impl Walk<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        if *first == b'\n' {
            self.line += 1;
        }
        Some(*first)
    }

    /// The next octet that is neither white space nor punctuation between values, without taking it.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.rest.first(), Some(b' ' | b'\t' | b'\n' | b'\r' | b',' | b':')) {
            self.next();
        }
        self.rest.first().copied()
    }

    /// A string with its quotes.
    fn string(&mut self) -> Vec<u8> {
        let mut text: Vec<u8> = self.next().into_iter().collect();
        while let Some(octet) = self.next() {
            text.push(octet);
            match octet {
                b'"' => break,
                b'\\' => text.extend(self.next()),
                _ => {}
            }
        }
        text
    }

    fn value(&mut self, path: &str) {
        match self.peek() {
            Some(b'{') => {
                self.next();
                self.members(path);
            }
            Some(b'[') => {
                self.next();
                let mut place = 0;
                while self.peek().is_some_and(|octet| octet != b']') {
                    let path = format!("{path}[{place}]");
                    self.lines.insert(path.clone(), self.line);
                    self.value(&path);
                    place += 1;
                }
                self.next();
            }
            Some(b'"') => drop(self.string()),
            _ => {
                while !matches!(
                    self.rest.first(),
                    None | Some(b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t')
                ) {
                    self.next();
                }
            }
        }
    }

    fn members(&mut self, path: &str) {
        let mut names = HashSet::new();
        while self.peek().is_some_and(|octet| octet != b'}') {
            let line = self.line;
            let name: String = serde_json::from_slice(&self.string()).unwrap_or_default();
            let path = member_path(path, &name);
            if !names.insert(name) && self.twice.is_none() {
                let message = "stands twice in the same object".to_owned();
                self.twice = Some(Misplaced { path: path.clone(), line: Some(line), message });
            }
            self.lines.insert(path.clone(), line);
            self.value(&path);
        }
        self.next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_its_line() {
        let text =
            "{\"a\": 1,\n \"b\": [{\"c\\u0064\": \"x\\\"\\\\\"},\n\n {\"e\": [-1.5e3, true,\nnull]}]\n}";
        let (value, lines) = read(text).unwrap();
        assert_eq!(value["b"][1]["e"][2], Json::Null);
        for (path, line) in
            [("a", 1), ("b", 2), ("b[0]", 2), ("b[0].cd", 2), ("b[1]", 4), ("b[1].e", 4), ("b[1].e[2]", 5)]
        {
            assert_eq!(lines.get(path), Some(&line), "{path}");
        }
    }

    #[test]
    fn what_is_illegal_has_its_line() {
        assert_eq!(read("{\n\"a\": }").unwrap_err().line, Some(2));
        let twice = read("{\"a\": {\"b\": 1,\n \"b\": 2}}").unwrap_err();
        assert_eq!(twice.to_string(), "a.b, line 2: stands twice in the same object");
    }
}
