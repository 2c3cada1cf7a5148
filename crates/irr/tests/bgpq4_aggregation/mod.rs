//! Prefix lists and AS lists against those of bgpq4: of the real program where it is installed, and of recorded runs.

mod bgpq4;
mod deviations;
mod goldens;
mod random;

use pm_irr::{Family, ListArguments, Prefix, PrefixRange, prefix_list, prefix_list_json};

/// What our side prints for a list of that name, of members of a route-set.
fn ours(name: &str, family: Family, arguments: &[String], members: &[String]) -> String {
    let shape = ListArguments::parse(arguments, family).unwrap().shape;
    let (mut prefixes, mut ranges) = (Vec::new(), Vec::new());
    for member in members {
        match range(member) {
            None => prefixes.push(member.parse().unwrap()),
            Some(range) => ranges.push(range),
        }
    }
    ranges.retain(|range| range.low <= range.high);
    let entries = prefix_list(family, prefixes, &ranges, &shape);
    assert!(entries.is_sorted(), "stored lists are sorted, so they would be printed in another order");
    prefix_list_json(name, &entries)
}

/// The range that a member is, if it is none of the plain prefixes.
fn range(member: &str) -> Option<PrefixRange> {
    let (prefix, operator) = member.split_once('^')?;
    let prefix: Prefix = prefix.parse().unwrap();
    let (own, bits) = (prefix.length(), prefix.family().bits());
    let (low, high) = match operator {
        "+" => (own, bits),
        "-" => (own + 1, bits),
        lengths => {
            let (low, high) = lengths.split_once('-').unwrap_or((lengths, lengths));
            (low.parse().unwrap(), high.parse().unwrap())
        }
    };
    Some(PrefixRange { prefix, low, high })
}

fn is_member(text: &str) -> bool {
    text.split('^').next().is_some_and(|prefix| prefix.parse::<Prefix>().is_ok())
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}
