//! Lists as bgpq4 prints them with `-j`, byte for byte.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use crate::{Entry, Prefix};

/// How many AS numbers bgpq4 puts into a line unless told otherwise.
pub const AS_LIST_WIDTH: usize = 8;

/// A prefix list that is written while its entries come. `write!` takes it.
#[derive(Clone, Debug)]
pub struct PrefixListJson<'a, I> {
    /// Its name, any text.
    pub name: &'a str,
    /// Its entries, in order.
    pub entries: I,
}

/// A list of AS numbers that is written while they come. `write!` takes it.
#[derive(Clone, Debug)]
pub struct AsListJson<'a, I> {
    /// Its name, any text.
    pub name: &'a str,
    /// Its AS numbers, in order.
    pub asns: I,
    /// How many in a line; 0: all in one.
    pub width: usize,
}

/// What `bgpq4 -j -l NAME` prints for these entries, with the line feed at the end.
pub fn prefix_list_json(name: &str, entries: &[Entry]) -> String {
    PrefixListJson { name, entries: entries.iter().copied() }.to_string()
}

/// What `bgpq4 -j -t -W WIDTH -l NAME` prints for these AS numbers, with the line feed at the end.
pub fn as_list_json(name: &str, asns: &[u32], width: usize) -> String {
    AsListJson { name, asns: asns.iter().copied(), width }.to_string()
}

impl<I: Iterator<Item = Entry> + Clone> fmt::Display for PrefixListJson<'_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{ {}: [", Value::from(self.name))?;
        let mut separator = "";
        for Entry { prefix, lengths } in self.entries.clone() {
            write!(f, "{separator}\n    {{ \"prefix\": \"")?;
            write_address(f, prefix)?;
            write!(f, "\\/{}\", \"exact\": ", prefix.length())?;
            match lengths {
                None => f.write_str("true }")?,
                Some((low, high)) if low > prefix.length() => {
                    write!(f, "false,\n      \"greater-equal\": {low}, \"less-equal\": {high} }}")?;
                }
                Some((_, high)) => write!(f, "false, \"less-equal\": {high} }}")?,
            }
            separator = ",";
        }
        f.write_str("\n] }\n")
    }
}

impl<I: Iterator<Item = u32> + Clone> fmt::Display for AsListJson<'_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}: [", Value::from(self.name))?;
        for (at, asn) in self.asns.clone().enumerate() {
            let separator = match at {
                0 => "\n  ",
                _ if self.width > 0 && at % self.width == 0 => ",\n  ",
                _ => ",",
            };
            write!(f, "{separator}{asn}")?;
        }
        f.write_str("\n]}\n")
    }
}

/// The prefix's address as `inet_ntop` of the C library writes it: the last 32 bits of `::/96` are dotted, unless the
/// upper half of them is zero too.
fn write_address(f: &mut fmt::Formatter<'_>, prefix: Prefix) -> fmt::Result {
    let address = prefix.network();
    let dotted = match address {
        IpAddr::V6(address) => u32::try_from(address.to_bits()).ok().filter(|&low| low > 0xffff),
        IpAddr::V4(_) => None,
    };
    match dotted {
        Some(low) => write!(f, "::{}", Ipv4Addr::from_bits(low)),
        None => write!(f, "{address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(prefix: &str, lengths: Option<(u8, u8)>) -> Entry {
        Entry { prefix: prefix.parse().unwrap(), lengths }
    }

    #[test]
    fn prefix_lists_are_written_as_by_bgpq4() {
        let entries = [
            entry("192.0.2.0/24", None),
            entry("198.51.100.0/22", Some((22, 24))),
            entry("198.51.100.0/22", Some((26, 26))),
        ];
        let text = "{ \"x\": [\n    { \"prefix\": \"192.0.2.0\\/24\", \"exact\": true },\n    \
                    { \"prefix\": \"198.51.100.0\\/22\", \"exact\": false, \"less-equal\": 24 },\n    \
                    { \"prefix\": \"198.51.100.0\\/22\", \"exact\": false,\n      \
                    \"greater-equal\": 26, \"less-equal\": 26 }\n] }\n";
        assert_eq!(prefix_list_json("x", &entries), text);
        assert_eq!(prefix_list_json("x", &[]), "{ \"x\": [\n] }\n");

        let mut streamed = Vec::new();
        let list = PrefixListJson { name: "x", entries: entries.into_iter() };
        std::io::Write::write_fmt(&mut streamed, format_args!("{list}")).unwrap();
        assert_eq!(streamed, text.as_bytes());
    }

    #[test]
    fn as_lists_are_written_as_by_bgpq4() {
        let nine: Vec<u32> = (1..=9).collect();
        for (asns, width, text) in [
            (&nine[..], AS_LIST_WIDTH, "{\"x\": [\n  1,2,3,4,5,6,7,8,\n  9\n]}\n"),
            (&nine[..8], 8, "{\"x\": [\n  1,2,3,4,5,6,7,8\n]}\n"),
            (&nine[..], 0, "{\"x\": [\n  1,2,3,4,5,6,7,8,9\n]}\n"),
            (&nine[..2], 1, "{\"x\": [\n  1,\n  2\n]}\n"),
            (&[], 8, "{\"x\": [\n]}\n"),
            (&[], 0, "{\"x\": [\n]}\n"),
            (&[4_294_967_295], 8, "{\"x\": [\n  4294967295\n]}\n"),
        ] {
            assert_eq!(as_list_json("x", asns, width), text);
        }
    }

    #[test]
    fn addresses_are_written_as_the_c_library_does() {
        for (prefix, text) in [
            ("::/0", "::"),
            ("::1/128", "::1"),
            ("::ffff/128", "::ffff"),
            ("::1:0/112", "::0.1.0.0"),
            ("::102:304/128", "::1.2.3.4"),
            ("::1:0:0/128", "::1:0:0"),
            ("::ffff:0:0/96", "::ffff:0.0.0.0"),
            ("::ffff:0:0:0/80", "::ffff:0:0:0"),
            ("1:0:0:2:0:0:0:0/64", "1:0:0:2::"),
            ("0:1::/32", "0:1::"),
            ("1:0:2:3:4:5:6:7/128", "1:0:2:3:4:5:6:7"),
            ("64:ff9b::102:304/128", "64:ff9b::102:304"),
        ] {
            let json = prefix_list_json("x", &[entry(prefix, None)]);
            assert!(json.contains(&format!("\"prefix\": \"{text}\\/")), "{prefix}: {json}");
        }
    }

    /// bgpq4 prints names as they are.
    #[test]
    fn any_name_gives_json() {
        for name in ["", "x", "a\"b\\c\u{7}\té/ \u{2028}"] {
            for text in [prefix_list_json(name, &[entry("192.0.2.0/24", None)]), as_list_json(name, &[1], 8)]
            {
                let json: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), [name]);
            }
        }
    }
}
