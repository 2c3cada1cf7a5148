//! Whatever a router could say to every parser: anything, what is nearly right, what is cut off anywhere, and very much.

use crate::support;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::support::{folders, variable};
use pm_router::PARSERS;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

#[path = "../fuzz/checks/framing.rs"]
mod framing;
#[path = "../fuzz/checks/parser.rs"]
mod parser;

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds")
}

/// The seeds of a target.
fn seeds_of(name: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(seeds().join(name)) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// The folders of cases make seeds, too: `UPDATE_SEEDS=1` writes them where there are none of this name.
#[test]
fn every_parser_has_seeds() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let update = variable("UPDATE_SEEDS").is_some();
    for one in PARSERS {
        let place = seeds().join(one.name);
        for case in folders(&cases.join(one.name)) {
            let seed = place.join(case.file_name().unwrap());
            if update && !seed.exists() {
                let parts: BTreeMap<String, String> = support::parts(&case);
                let text: Vec<String> = one
                    .parts
                    .iter()
                    .filter_map(|name| {
                        Some(format!("=== {name}\n{}\n", parts.get(*name)?.trim_end_matches('\n')))
                    })
                    .collect();
                std::fs::create_dir_all(&place).unwrap();
                std::fs::write(seed, text.concat()).unwrap();
            }
        }
        let all = seeds_of(one.name);
        assert!(!all.is_empty(), "{} has none", one.name);
        for seed in all {
            parser::anything(one.name, &seed);
        }
    }
    let all = seeds_of("framing");
    assert!(all.len() >= 5, "{} seeds for framing", all.len());
    for seed in all {
        framing::pieces_make_no_difference(&seed);
    }
}

/// The targets are built by cargo-fuzz alone, so they hold nothing but what is built here: one of the two checks.
#[test]
fn every_parser_is_a_target_of_the_fuzzer() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(place.join("Cargo.toml")).unwrap();
    let checks =
        PARSERS.iter().map(|one| (one.name, "parser", format!("anything(\"{}\", octets)", one.name)));
    let framing = ("framing", "framing", "pieces_make_no_difference(octets)".to_owned());
    let mut count = 0;
    for (name, file, check) in checks.chain([framing]) {
        let target = std::fs::read_to_string(place.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        let (comment, code) = target.split_once('\n').unwrap();
        assert!(comment.starts_with("//! "), "{name}");
        let expected = format!(
            "#![no_main]\n\n#[path = \"../checks/{file}.rs\"]\nmod check;\n\n\
             libfuzzer_sys::fuzz_target!(|octets: &[u8]| check::{check});\n"
        );
        assert_eq!(code, expected, "{name}");
        let entry = format!(
            "[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\ntest = false\ndoc = false\nbench = false\n"
        );
        assert!(manifest.contains(&entry), "{name} is not in Cargo.toml");
        count += 1;
    }
    assert_eq!(std::fs::read_dir(place.join("fuzz_targets")).unwrap().count(), count);
    assert_eq!(manifest.matches("[[bin]]").count(), count);
}

/// A seed of up to a thousand octets is cut off at each of them, a longer one at some.
#[test]
fn what_is_cut_off_does_no_harm() {
    for one in PARSERS {
        for seed in seeds_of(one.name) {
            let step = if seed.len() <= 1000 { 1 } else { seed.len() / 150 };
            for at in (0..seed.len()).step_by(step) {
                parser::anything(one.name, &seed[..at]);
            }
        }
    }
}

/// Where the numbers of a text stand, by what stands before them.
fn numbers(text: &str) -> BTreeMap<String, Vec<std::ops::Range<usize>>> {
    let mut all: BTreeMap<String, Vec<_>> = BTreeMap::new();
    let mut before = String::new();
    let mut letters = text.char_indices().peekable();
    while let Some((start, letter)) = letters.next() {
        if !letter.is_ascii_digit() {
            if letter == '\n' {
                before.clear();
            } else {
                before.push(letter);
            }
            continue;
        }
        let mut end = start + 1;
        while letters.next_if(|(_, letter)| letter.is_ascii_digit()).is_some() {
            end += 1;
        }
        let last: Vec<char> = before.chars().rev().take(24).collect();
        all.entry(last.into_iter().collect()).or_default().push(start..end);
    }
    all
}

/// Sums and products of numbers that are as large as they can be: those of each kind in turn.
#[test]
fn numbers_may_be_very_large() {
    for one in PARSERS {
        for seed in seeds_of(one.name) {
            let seed = String::from_utf8_lossy(&seed);
            for (_, places) in numbers(&seed) {
                for largest in [u64::MAX.to_string(), i64::MAX.to_string()] {
                    let mut text = seed.clone().into_owned();
                    for place in places.iter().rev() {
                        text.replace_range(place.clone(), &largest);
                    }
                    parser::anything(one.name, text.as_bytes());
                }
            }
        }
    }
}

/// Much of what parsers might go through again and again.
#[test]
fn much_takes_no_long_time() {
    const SIZE: usize = 20_000;
    let starts = [
        "",
        "BGP summary information for VRF default, address family IPv4 Unicast\nNeighbor  V  PfxRcd\n",
        "For address family: IPv4 Unicast\nBGP router identifier 192.0.2.9, local AS number 64500\nNeighbor V\n",
        "Name       Proto      Table      State  Since         Info\nx BGP --- up 2026-11-23\n",
    ];
    let pieces = [
        "a",
        " ",
        "\n",
        "<",
        "<a>",
        "<a/>",
        "<a b='c'>",
        "&amp;",
        "]]>",
        "<![CDATA[",
        "<!--",
        "{",
        "[",
        "{\"a\":",
        "\"",
        "\\",
        "\"\\\"",
        "password 7 ",
        "password=",
        "=:",
        "192.0.2.1 ",
        "192.0.2.1 4 1 1 1 1 1 1 1d 5\n",
        "BGP neighbor is 192.0.2.1,  remote AS 1, x\n",
        " For address family: IPv4 Unicast\n",
        "+\n",
        "- x\n",
        "no x\n",
        " x\n",
        "\u{e9}",
        "\u{0}",
        "7 ",
        "%",
        ",",
        "@@ a 0\n",
        "<bgp-peer>",
        "<bgp-peer/>",
        "<neighbor/>",
        "<rpc-error>",
        "Auto-Local-Addr x\n",
    ];
    let mut slowest = (Duration::ZERO, "", String::new());
    for one in PARSERS {
        for start in starts {
            for piece in pieces {
                let text = format!("{start}{}", piece.repeat(SIZE / piece.len()));
                let begun = Instant::now();
                parser::anything(one.name, text.as_bytes());
                if begun.elapsed() > slowest.0 {
                    slowest = (begun.elapsed(), one.name, format!("{start:.20} … {piece}"));
                }
            }
            // Nothing before it makes a difference to those that read no text.
            if matches!(
                one.name,
                "junos"
                    | "iosxr_netconf"
                    | "iosxr"
                    | "eos"
                    | "nxos"
                    | "frr"
                    | "openbgpd"
                    | "gobgp"
                    | "napalm"
            ) {
                break;
            }
        }
    }
    println!("the slowest is {} with {:?}: {:?}", slowest.1, slowest.2, slowest.0);
    assert!(slowest.0 < Duration::from_secs(30), "{slowest:?}");
}

/// A change of a text: what is there is taken away, said twice, or replaced.
fn changes() -> impl Strategy<Value = Vec<(Index, Index, u8, u8)>> {
    vec((any::<Index>(), any::<Index>(), 0_u8..5, any::<u8>()), 1..6)
}

fn changed(seed: &[u8], changes: &[(Index, Index, u8, u8)]) -> Vec<u8> {
    let mut octets = seed.to_vec();
    for (from, length, how, octet) in changes {
        if octets.is_empty() {
            break;
        }
        let from = from.index(octets.len());
        let to = from + 1 + length.index((octets.len() - from).min(200));
        match how {
            0 => drop(octets.drain(from..to.min(octets.len()))),
            1 => {
                let again = octets[from..to.min(octets.len())].to_vec();
                octets.splice(from..from, again);
            }
            2 => octets[from] = *octet,
            3 => octets[from] = b"<>{}[]\"\\ \n:,0-9."[usize::from(*octet) % 16],
            _ => {
                octets.splice(from..from, b"99999999999999999999".to_vec());
            }
        }
    }
    octets
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn anything_does_no_harm(octets in vec(any::<u8>(), 0..300), text in "[ \n<>/a-z\"{}:\\[\\],0-9.=&;#-]{0,300}") {
        for one in PARSERS {
            parser::anything(one.name, &octets);
            parser::anything(one.name, text.as_bytes());
        }
        framing::pieces_make_no_difference(&octets);
    }

    #[test]
    fn what_is_nearly_right_does_no_harm(place in any::<Index>(), changes in changes()) {
        for one in PARSERS {
            let seeds = seeds_of(one.name);
            if !seeds.is_empty() {
                parser::anything(one.name, &changed(&seeds[place.index(seeds.len())], &changes));
            }
        }
        let seeds = seeds_of("framing");
        framing::pieces_make_no_difference(&changed(&seeds[place.index(seeds.len())], &changes));
    }

    #[test]
    fn framing_in_any_pieces(octets in vec(prop_oneof![Just(b'\n'), Just(b'#'), Just(b']'), Just(b'>'), b'0'..=b'9', any::<u8>()], 0..1200)) {
        framing::pieces_make_no_difference(&octets);
    }
}
