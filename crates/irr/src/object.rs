//! What a prefix list is made of: the arguments that bgpq4 takes, told apart by its rules.

use std::fmt;
use std::str::FromStr;

use crate::names::{asn, is_source, set_class, shown};
use crate::{Class, Prefix, PrefixRange, SetReference};

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Object {
    /// `AS-FOO`, `RIPE::AS-FOO`, `AS64500:AS-FOO`.
    AsSet(SetReference),
    /// `RS-FOO`, `RIPE::RS-FOO`, `AS64500:RS-FOO`.
    RouteSet(SetReference),
    /// `AS64500`.
    Asn(u32),
    /// `192.0.2.0/24`, `2001:db8::/32^48`. Belongs to the list of its own family.
    Prefix(PrefixRange),
    /// A set of another class, such as `AS64500:FLTR-FOO`: bgpq4 passes over it.
    Ignored(String),
}

/// As it was written, upper case.
impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsSet(set) | Self::RouteSet(set) => set.fmt(f),
            Self::Asn(asn) => write!(f, "AS{asn}"),
            Self::Prefix(PrefixRange { prefix, low, high }) => {
                prefix.fmt(f)?;
                match (*low, *high) {
                    (low, high) if low == high && low == prefix.length() => Ok(()),
                    (low, high) if low == high => write!(f, "^{low}"),
                    (low, high) => write!(f, "^{low}-{high}"),
                }
            }
            Self::Ignored(name) => f.write_str(name),
        }
    }
}

/// What is not entered while sets are expanded: bgpq4's arguments after `EXCEPT`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Exception {
    /// An AS that is left out of every set; an AS that is an argument itself stays.
    Asn(u32),
    /// A set that is not entered, upper case; a set that is an argument itself is.
    Set(String),
}

/// A text that is none of these; says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ObjectError(String);

/// Takes a list of arguments apart: objects, and exceptions after the word `EXCEPT`.
pub fn parse_arguments<T: AsRef<str>>(words: &[T]) -> Result<(Vec<Object>, Vec<Exception>), ObjectError> {
    let mut parts = words.split(|word| word.as_ref() == "EXCEPT");
    let objects = parts
        .next()
        .unwrap_or_default()
        .iter()
        .map(|word| word.as_ref().parse())
        .collect::<Result<_, _>>()?;
    let exceptions = parts.flatten().map(|word| word.as_ref().parse()).collect::<Result<_, _>>()?;
    Ok((objects, exceptions))
}

/// Tells arguments apart as bgpq4 does, in any case of letters.
impl FromStr for Object {
    type Err = ObjectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // First, since an IPv6 prefix has colons as well.
        if let Ok(range) = parse_prefix_range(text) {
            return Ok(Self::Prefix(range));
        }
        let upper = text.to_ascii_uppercase();
        let (source, name) =
            upper.split_once("::").map_or((None, upper.as_str()), |(s, name)| (Some(s), name));
        let is_set = set_class(name);
        if let Some(source) = source.filter(|source| is_set.is_some() && !is_source(source)) {
            return Err(wrong(text, &format!("{} is not the name of a source", shown(source))));
        }
        let set = || SetReference { source: source.map(str::to_owned), name: name.to_owned() };
        match is_set {
            Some(Class::RouteSet) => Ok(Self::RouteSet(set())),
            Some(_) => Ok(Self::AsSet(set())),
            None if begins_like_set(name) => {
                Err(wrong(text, "not a set's name: AS- or RS-, letters, digits, - and _"))
            }
            None if is_below_as(name) => Ok(Self::Ignored(name.to_owned())),
            None if name.starts_with("AS") => number(name, source).map_err(|reason| wrong(text, &reason)),
            None => parse_prefix_range(text).map(Self::Prefix),
        }
    }
}

fn is_below_as(name: &str) -> bool {
    name.split_once(':').is_some_and(|(first, _)| asn(first).is_some())
}

fn begins_like_set(name: &str) -> bool {
    let begins = |text: &str| text.starts_with("AS-") || text.starts_with("RS-");
    begins(name) || name.split_once(':').is_some_and(|(first, rest)| first.starts_with("AS") && begins(rest))
}

fn number(name: &str, source: Option<&str>) -> Result<Object, String> {
    let asn = asn(name).ok_or("an AS number is AS and a number from 0 to 4294967295")?;
    match source {
        None => Ok(Object::Asn(asn)),
        Some(source) => Err(format!(
            "only a set can be looked up in one source; leave {source} out, or ask with {source} as the only source"
        )),
    }
}

/// `AS64500` or the name of a set, without a source.
impl FromStr for Exception {
    type Err = ObjectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.to_ascii_uppercase();
        match (asn(&name), set_class(&name)) {
            (Some(asn), _) => Ok(Self::Asn(asn)),
            (None, Some(_)) => Ok(Self::Set(name)),
            (None, None) => {
                Err(wrong(text, "what is excepted is an AS such as AS64500 or a set such as AS-FOO"))
            }
        }
    }
}

/// Reads a prefix with or without a range operator (RFC 2622, section 2): `^-`, `^+`, `^n`, `^n-m`. A range that holds
/// no prefix, such as `192.0.2.0/24^20-22`, is refused.
pub fn parse_prefix_range(text: &str) -> Result<PrefixRange, ObjectError> {
    let (prefix, operator) =
        text.split_once('^').map_or((text, None), |(prefix, range)| (prefix, Some(range)));
    let prefix: Prefix = prefix.parse().map_err(|_| wrong(text, "not a prefix, an AS number or a set"))?;
    let (length, longest) = (prefix.length(), prefix.family().bits());
    let bounds = match operator {
        None => Some((length, length)),
        Some("-") => Some((length.saturating_add(1), longest)),
        Some("+") => Some((length, longest)),
        Some(range) => {
            let (low, high) = range.split_once('-').unwrap_or((range, range));
            bound(low).zip(bound(high))
        }
    };
    let (low, high) = bounds.ok_or_else(|| wrong(text, "a range is one of ^-, ^+, ^n and ^n-m"))?;
    if low < length || high < low || high > longest {
        return Err(wrong(text, &format!("there is no prefix of length {low} to {high} in it")));
    }
    Ok(PrefixRange { prefix, low, high })
}

fn bound(digits: &str) -> Option<u8> {
    let is_number = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

fn wrong(text: &str, reason: &str) -> ObjectError {
    ObjectError(format!("{}: {reason}", shown(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> &'static str {
        match text.parse::<Object>() {
            Ok(Object::AsSet(_)) => "as-set",
            Ok(Object::RouteSet(_)) => "route-set",
            Ok(Object::Asn(_)) => "asn",
            Ok(Object::Prefix(_)) => "prefix",
            Ok(Object::Ignored(_)) => "ignored",
            Err(_) => "refused",
        }
    }

    #[test]
    fn arguments_are_told_apart_and_written_again() {
        for (text, wanted, written) in [
            ("as-foo", "as-set", "AS-FOO"),
            ("AS64500:as-foo", "as-set", "AS64500:AS-FOO"),
            ("AS-FOO:AS64500", "as-set", "AS-FOO:AS64500"),
            ("AS64500:AS64501:AS-FOO", "as-set", "AS64500:AS64501:AS-FOO"),
            ("ripe::AS-FOO", "as-set", "RIPE::AS-FOO"),
            ("Rs-Foo", "route-set", "RS-FOO"),
            ("RIPE::AS64500:RS-FOO", "route-set", "RIPE::AS64500:RS-FOO"),
            ("as064500", "asn", "AS64500"),
            ("AS0", "asn", "AS0"),
            ("AS4294967295", "asn", "AS4294967295"),
            ("192.0.2.77/24", "prefix", "192.0.2.0/24"),
            ("192.0.2.77", "prefix", "192.0.2.77/32"),
            ("2001:DB8::/32", "prefix", "2001:db8::/32"),
            ("fe80::1", "prefix", "fe80::1/128"),
            ("::/0^16-24", "prefix", "::/0^16-24"),
            ("192.0.2.0/24^+", "prefix", "192.0.2.0/24^24-32"),
            ("192.0.2.0/24^-", "prefix", "192.0.2.0/24^25-32"),
            ("192.0.2.0/24^26", "prefix", "192.0.2.0/24^26"),
            ("192.0.2.0/24^24", "prefix", "192.0.2.0/24"),
            ("AS64500:FLTR-FOO", "ignored", "AS64500:FLTR-FOO"),
            ("AS64500:", "ignored", "AS64500:"),
        ] {
            assert_eq!(kind(text), wanted, "{text}");
            assert_eq!(text.parse::<Object>().map(|object| object.to_string()).as_deref(), Ok(written));
            assert_eq!(kind(written), wanted, "{written}");
        }
    }

    #[test]
    fn mistakes_are_refused_with_a_reason() {
        let long = format!("AS-{}", "A".repeat(248));
        for (text, reason) in [
            ("AS12x", "AS12x\": an AS number is AS and a number"),
            ("AS", "AS\": an AS number is AS and a number"),
            ("AS3.3", "an AS number is AS and a number"),
            ("AS4294967296", "from 0 to 4294967295"),
            ("RIPE::AS64500", "only a set can be looked up in one source; leave RIPE out"),
            ("AS-", "not a set's name"),
            ("AS-FOO,1", "not a set's name"),
            ("AS-FOO:RS-BAR", "not a set's name"),
            ("AS64500:AS-", "not a set's name"),
            (&long, "not a set's name"),
            ("AS64500::AS-FOO", "\"AS64500\" is not the name of a source"),
            ("::AS-FOO", "\"\" is not the name of a source"),
            ("FOO", "\"FOO\": not a prefix, an AS number or a set"),
            ("", "not a prefix"),
            ("RIPE::192.0.2.0/24", "not a prefix"),
            ("192.0.2.0/33", "not a prefix"),
            ("192.0.2.0/24^", "a range is one of"),
            ("192.0.2.0/24^+4", "a range is one of"),
            ("192.0.2.0/24^24-", "a range is one of"),
            ("192.0.2.0/24^24-0025", "a range is one of"),
            ("192.0.2.0/24^+^-", "a range is one of"),
            ("192.0.2.0/24^20-22", "there is no prefix of length 20 to 22 in it"),
            ("192.0.2.0/24^26-25", "there is no prefix"),
            ("192.0.2.0/24^33", "there is no prefix"),
            ("192.0.2.0/32^-", "there is no prefix of length 33 to 32 in it"),
            ("2001:db8::1/128^-", "there is no prefix"),
            ("2001:db8::/32^256", "a range is one of"),
        ] {
            let refusal = text.parse::<Object>().err().map_or_else(String::new, |error| error.to_string());
            assert!(refusal.contains(reason), "{text}: {refusal}");
        }
    }

    #[test]
    fn arguments_after_except_are_exceptions() {
        let (objects, exceptions) =
            parse_arguments(&["AS-FOO", "EXCEPT", "as64500", "As-Bar"]).unwrap_or_default();
        assert_eq!(objects.len(), 1);
        assert_eq!(exceptions, [Exception::Asn(64_500), Exception::Set("AS-BAR".to_owned())]);
        assert_eq!(parse_arguments::<&str>(&[]), Ok((vec![], vec![])));
        assert_eq!(parse_arguments(&["EXCEPT"]), Ok((vec![], vec![])));
        for wrong in
            [["AS-FOO", "EXCEPT", "RIPE::AS-BAR"], ["AS-FOO", "EXCEPT", "192.0.2.0/24"], ["except", "", ""]]
        {
            assert!(parse_arguments(&wrong).is_err(), "{wrong:?}");
        }
    }
}
