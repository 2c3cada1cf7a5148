//! Names of sets: their grammar, and what people write where a set's name is asked for.
//!
//! PeeringDB's field "IRR as-set/route-set" is free text: several sets, several notations for the registry, remarks.
//! [`parse_field`] takes out of it what is certain and says what it left out or read in another way; it never guesses
//! a set that was not named. The grammar of names is RFC 2622, sections 2 and 5.

use std::collections::HashSet;
use std::fmt;

use crate::Class;

/// The longest name that is asked for, in bytes: what fits into one question to any server.
const LONGEST_NAME: usize = 250;

/// How much of a text is repeated in a note, in characters.
const SHOWN: usize = 60;

/// A set (or a single AS, `AS64500`), and the registry in which it should be looked up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SetReference {
    /// The registry, upper case, such as `RIPE`.
    pub source: Option<String>,
    /// The name, upper case: letters, digits, `:`, `-` and `_`, at most 250 bytes.
    pub name: String,
}

/// `RIPE::AS-FOO`, or `AS-FOO`.
impl fmt::Display for SetReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "{source}::{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// What a field says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// The sets in the order of the field, each once.
    pub sets: Vec<SetReference>,
    /// What was left out, or read as something else, one sentence each. A different case of letters is not noted:
    /// names have none.
    pub notes: Vec<String>,
}

impl Field {
    /// Whether nothing was written. Only then may the AS itself take the place of its set: a field with a text that
    /// names no set is a mistake that somebody should see.
    pub fn is_blank(&self) -> bool {
        self.sets.is_empty() && self.notes.is_empty()
    }
}

/// Reads a field. `known_sources` are the registries in use; `RADB:AS-FOO` with one colon and `AS-FOO@RADB` mean
/// `RADB::AS-FOO`. Another registry is kept, and noted.
pub fn parse_field(text: &str, known_sources: &[String]) -> Field {
    let mut reader = Reader::new(known_sources);
    let whole = text.trim();
    if !whole.is_empty()
        && whole.bytes().all(|byte| byte.is_ascii_digit())
        && asn(&format!("AS{whole}")).is_some()
    {
        reader.word(&format!("AS{whole}"), whole);
        return reader.finish();
    }
    for chunk in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        reader.chunk(chunk);
    }
    let blank = whole.is_empty();
    let mut field = reader.finish();
    if !blank && field.is_blank() {
        field.notes.push(format!("{} names no set", shown(whole)));
    }
    field
}

/// Reads one word after the other.
struct Reader<'a> {
    known_sources: HashSet<String>,
    field: Field,
    seen: HashSet<SetReference>,
    /// Words that name nothing, until a set or the end comes.
    left_out: Vec<&'a str>,
    /// A registry that stands alone before its set: `RIPE: AS-FOO`.
    source: Option<(&'a str, String)>,
}

impl<'a> Reader<'a> {
    fn new(known_sources: &[String]) -> Self {
        let known_sources = known_sources.iter().map(|source| source.trim().to_ascii_uppercase());
        Self {
            known_sources: known_sources.filter(|source| is_source(source)).collect(),
            field: Field::default(),
            seen: HashSet::new(),
            left_out: Vec::new(),
            source: None,
        }
    }

    /// What stands between two blanks. Addresses of web pages and `n/a` must be seen before a slash parts words.
    fn chunk(&mut self, chunk: &'a str) {
        if chunk.trim_matches(|c: char| !c.is_alphanumeric()).eq_ignore_ascii_case("n/a") {
            self.left_out.push(chunk);
            return;
        }
        let (said, left_out) = (self.said(), self.left_out.len());
        let mut rest = chunk;
        while let Some((start, end)) = web_address(rest) {
            self.words(&rest[..start]);
            self.left_out.push(&rest[start..end]);
            rest = &rest[end..];
        }
        self.words(rest);
        if self.said() == said && self.left_out.len() > left_out {
            // Nothing of it is a name: it is shown as it was written.
            self.left_out.truncate(left_out);
            self.left_out.push(chunk);
        }
    }

    fn words(&mut self, text: &'a str) {
        for word in text.split(parts_words).filter(|word| word.contains(char::is_alphanumeric)) {
            self.word(word, word);
        }
    }

    fn said(&self) -> usize {
        self.field.sets.len() + self.field.notes.len() + usize::from(self.source.is_some())
    }

    /// `written` is what the field says, `word` what is read.
    fn word(&mut self, word: &str, written: &'a str) {
        if self.source.is_none() && self.stands_alone(written) {
            return;
        }
        let before = self.source.take();
        let Some(Reading { mut reference, both_families }) = self.read(word) else {
            self.left_out.extend(before.map(|(written, _)| written));
            self.left_out.push(written);
            return;
        };
        let mut written = written.to_owned();
        if let Some((text, source)) = before {
            if reference.source.is_none() {
                written = format!("{text} {written}");
                reference.source = Some(source);
            } else {
                self.left_out.push(text);
            }
        }
        self.flush();
        let notes = &mut self.field.notes;
        if both_families {
            notes.push(format!("{} is read as {reference}, for both IPv4 and IPv6", shown(&written)));
        } else if !is_just_case(&written, &reference, &self.known_sources) {
            notes.push(format!("{} is read as {reference}", shown(&written)));
        }
        if let Some(source) = reference.source.as_ref().filter(|source| !self.known_sources.contains(*source))
        {
            notes.push(format!("{source} in {reference} is none of the sources in use"));
        }
        if self.seen.insert(reference.clone()) {
            self.field.sets.push(reference);
        } else {
            self.field.notes.push(format!("{reference} is named more than once"));
        }
    }

    /// Whether this is a registry with colons and nothing behind them.
    fn stands_alone(&mut self, written: &'a str) -> bool {
        let source = written.trim_end_matches(':').to_ascii_uppercase();
        let alone = written.ends_with(':')
            && (self.known_sources.contains(&source) || written.ends_with("::") && is_source(&source));
        if alone {
            self.source = Some((written, source));
        }
        alone
    }

    /// The set that a word names.
    fn read(&self, word: &str) -> Option<Reading> {
        let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
        let word = word.trim_end_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_'));
        let word = word.to_ascii_uppercase();
        let (mut rest, mut source, mut both_families) = (word.as_str(), None, false);
        while let Some((label, tail)) = rest.split_once(':') {
            let tail = tail.trim_start_matches(':');
            match label {
                _ if is_family(label) => both_families = true,
                "AS-SET" => {}
                _ if source.is_none() && is_source(label) => source = Some(label),
                _ => break,
            }
            rest = tail;
        }
        if source.is_none() {
            let behind = rest.split_once('@').filter(|(_, behind)| is_source(behind));
            let swapped = || rest.split_once("::").filter(|(_, behind)| self.known_sources.contains(*behind));
            if let Some((name, registry)) = behind.or_else(swapped) {
                (rest, source) = (name, Some(registry));
            }
        }
        let reference = SetReference { source: source.map(str::to_owned), name: name(rest)? };
        Some(Reading { reference, both_families })
    }

    /// Notes the words that were left out.
    fn flush(&mut self) {
        if self.left_out.is_empty() {
            return;
        }
        let long = self.left_out.iter().any(|word| word.len() > LONGEST_NAME);
        let words = self.left_out.drain(..).collect::<Vec<_>>().join(" ");
        let reason = if long { "longer than any name of a set" } else { "not a name of a set or an AS" };
        self.field.notes.push(format!("{} is left out: {reason}", shown(&words)));
    }

    fn finish(mut self) -> Field {
        self.left_out.extend(self.source.take().map(|(written, _)| written));
        self.flush();
        self.field
    }
}

/// A word that names a set.
struct Reading {
    reference: SetReference,
    /// It was meant for one family, which a reference cannot say.
    both_families: bool,
}

/// Whether a word says just what was read, but for the case of letters and the number of colons after the registry.
fn is_just_case(written: &str, reference: &SetReference, known_sources: &HashSet<String>) -> bool {
    let upper = written.to_ascii_uppercase();
    match &reference.source {
        None => upper == reference.name,
        Some(source) => upper.strip_prefix(source.as_str()).is_some_and(|after| {
            let name = after.trim_start_matches(':');
            let colons = after.len() - name.len();
            name == reference.name && (colons == 2 || colons > 0 && known_sources.contains(source))
        }),
    }
}

/// Where a web address begins and ends.
fn web_address(chunk: &str) -> Option<(usize, usize)> {
    let scheme = chunk
        .find("://")
        .map(|colon| chunk[..colon].trim_end_matches(|c: char| c.is_ascii_alphanumeric()).len());
    let www = || chunk.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www.")).then_some(0);
    let start = scheme.or_else(www)?;
    let length = chunk[start..].find(|c| parts_words(c) && !matches!(c, '/' | '&'));
    Some((start, length.map_or(chunk.len(), |length| start + length)))
}

/// Characters that stand between two words, besides blanks.
fn parts_words(c: char) -> bool {
    matches!(c, '/' | ',' | '&' | '|' | ';' | '\\' | '+' | '，' | '、' | '；')
        || matches!(c, '"' | '\'' | '`' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>')
        || matches!(c, '“' | '”' | '„' | '‘' | '’' | '«' | '»' | '（' | '）')
}

/// A name as it is asked for: AS numbers without leading zeros, components parted by single colons. `None` if it is
/// no name, or one of those that mean everything (`AS-ANY`) or nothing (`AS-SET`, the label of the field).
fn name(text: &str) -> Option<String> {
    if let Some(asn) = asn(text) {
        return Some(format!("AS{asn}"));
    }
    let name = text.split(':').filter(|component| !component.is_empty()).collect::<Vec<_>>().join(":");
    (set_class(&name).is_some() && !means_all(&name) && name != "AS-SET").then_some(name)
}

/// A text for a note: quoted, no control characters, cut.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
        None => format!("{text:?}"),
    }
}

/// The number of `AS64500`, in upper or lower case.
pub(crate) fn asn(text: &str) -> Option<u32> {
    let (letters, digits) = text.split_at_checked(2)?;
    let is_number = letters.eq_ignore_ascii_case("AS") && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

/// The class of a set with this name, upper case; `None` if no set can have it. A hierarchical name consists of sets
/// of one class and AS numbers, and at least one set (RFC 2622, section 5). That names end in a letter or digit is not
/// asked for: registries hold others.
pub(crate) fn set_class(name: &str) -> Option<Class> {
    let mut class = None;
    for part in name.split(':') {
        match (component(part)?, class) {
            (Component::As, _) => {}
            (Component::Set(found), None) => class = Some(found),
            (Component::Set(found), Some(class)) if found == class => {}
            (Component::Set(_), Some(_)) => return None,
        }
    }
    class.filter(|_| name.len() <= LONGEST_NAME)
}

/// A part of a hierarchical name.
enum Component {
    As,
    Set(Class),
}

fn component(text: &str) -> Option<Component> {
    if asn(text).is_some() {
        return Some(Component::As);
    }
    let (class, rest) = match text.split_at_checked(3)? {
        ("AS-", rest) => (Class::AsSet, rest),
        ("RS-", rest) => (Class::RouteSet, rest),
        _ => return None,
    };
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (!rest.is_empty() && rest.bytes().all(fits)).then_some(Component::Set(class))
}

/// Whether a word stands for everything (RFC 2622, section 2: reserved words).
pub(crate) fn means_all(name: &str) -> bool {
    matches!(name, "ANY" | "AS-ANY" | "RS-ANY")
}

/// Whether this stands before sets that are meant for one family.
fn is_family(label: &str) -> bool {
    matches!(label, "IPV4" | "IPV6" | "V4" | "V6")
}

/// Whether this can be the name of a registry, upper case. Sets and AS numbers cannot.
pub(crate) fn is_source(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let is_word = text.starts_with(|c: char| c.is_ascii_uppercase()) && text.bytes().all(fits);
    let is_like_set = text.starts_with("AS-") || text.starts_with("RS-") || asn(text).is_some();
    is_word && text.len() <= 40 && !is_like_set && !is_family(text)
}
