//! The databases: what objects there are, by source.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::rpsl::{self, Object, RpslError, as_number};

/// The registries and their objects. Nothing changes in it.
pub struct World {
    /// Every object as IRRd prints it, with an empty line behind each.
    text: String,
    /// By class, key and source.
    entries: Vec<Entry>,
    /// In the order they first appear.
    sources: Vec<Source>,
    pub(super) peers: Vec<String>,
}

/// Without the objects, which may fill a hundred megabytes.
impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("objects", &self.entries.len()).finish_non_exhaustive()
    }
}

/// Where the text of an object is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    class: Class,
    /// As in `!m`: upper case, for routes the prefix and at once the origin.
    key: Box<str>,
    /// Index of the source.
    source: usize,
    begin: usize,
    end: usize,
    line: usize,
}

/// The classes that mean something here; objects of others are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Class {
    AsSet,
    RouteSet,
    AutNum,
    Route,
    Route6,
}

impl Class {
    pub(crate) const ALL: [Self; 5] = [Self::AsSet, Self::RouteSet, Self::AutNum, Self::Route, Self::Route6];

    /// The name, as in RPSL.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::AsSet => "as-set",
            Self::RouteSet => "route-set",
            Self::AutNum => "aut-num",
            Self::Route => "route",
            Self::Route6 => "route6",
        }
    }

    /// A class as `!m` names it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }
}

/// One registry.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) as_sets: HashMap<Box<str>, Vec<Member>>,
    pub(crate) route_sets: HashMap<Box<str>, Vec<Member>>,
    /// Prefixes by origin.
    pub(crate) routes: HashMap<u32, Vec<Ipv4Net>>,
    /// The same, IPv6.
    pub(crate) routes6: HashMap<u32, Vec<Ipv6Net>>,
}

/// What a set may have as a member.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Member {
    Asn(u32),
    /// A prefix with its range operator, if any; of route-sets only.
    Prefix(Box<str>),
    /// The name of a set, upper case - or whatever stood there, which no set is called.
    Name(Box<str>),
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asn(asn) => write!(f, "AS{asn}"),
            Self::Prefix(text) | Self::Name(text) => f.write_str(text),
        }
    }
}

impl World {
    /// Reads as-set, route-set, aut-num, route and route6 objects; those of other classes are passed over. Sources
    /// come in the order in which they appear first.
    ///
    /// An object that no registry would take is an error, which names the line: no source, a route without origin, a
    /// prefix with host bits, the same object twice.
    pub fn from_rpsl(text: &str) -> Result<Self, RpslError> {
        let mut draft = Draft::default();
        rpsl::objects(text, |object| draft.take(&object))?;
        draft.finish()
    }

    /// Everything as RPSL, in the order it came.
    pub fn to_rpsl(&self) -> &str {
        &self.text
    }

    /// The sources, in the order they appear first.
    pub fn sources(&self) -> Vec<&str> {
        self.sources.iter().map(|source| source.name.as_str()).collect()
    }

    /// Two hundred sets that stand for the peers of a network, for benches. Only a generated world has them.
    pub fn peers(&self) -> &[String] {
        &self.peers
    }

    /// How many objects there are.
    pub fn objects(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn source(&self, index: usize) -> &Source {
        &self.sources[index]
    }

    /// The text of an object in each of these sources that has it, with the index in `sources`.
    pub(crate) fn texts(&self, class: Class, key: &str, sources: &[usize]) -> Vec<(usize, &str)> {
        let from = self.entries.partition_point(|other| (other.class, &*other.key) < (class, key));
        self.entries[from..]
            .iter()
            .take_while(|entry| entry.class == class && &*entry.key == key)
            .filter_map(|entry| {
                let rank = sources.iter().position(|source| *source == entry.source)?;
                Some((rank, &self.text[entry.begin..entry.end]))
            })
            .collect()
    }
}

/// A world under construction.
#[derive(Default)]
struct Draft {
    text: String,
    entries: Vec<Entry>,
    sources: Vec<Source>,
    by_name: HashMap<String, usize>,
    /// What wants to be a member of a set: `member-of`.
    wishes: Vec<Wish>,
    /// Whose objects a set takes as members: `mbrs-by-ref`.
    takes: HashMap<(Class, usize, Box<str>), HashSet<String>>,
}

struct Wish {
    class: Class,
    source: usize,
    set: Box<str>,
    maintainers: Vec<String>,
    member: Member,
}

impl Draft {
    fn take(&mut self, object: &Object<'_>) -> Result<(), RpslError> {
        let Some(head) = object.head() else { return Ok(()) };
        let class = Class::ALL.into_iter().find(|class| head.is(class.as_str()));
        let Some(class) = class else { return Ok(()) };
        let name = head.value().to_ascii_uppercase();
        let wrong = |what: &str| RpslError { line: head.line, problem: format!("{name}: {what}") };
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(wrong("an object needs a name, which is one word"));
        }
        let source = object.value("source").filter(|source| !source.is_empty());
        let source = self.source_index(source.ok_or_else(|| wrong("it has no source"))?);
        let key = match class {
            Class::AsSet | Class::RouteSet => self.set(class, source, &name, object),
            Class::AutNum => {
                let asn = as_number(&name).ok_or_else(|| wrong("no AS number"))?;
                self.wish(Class::AsSet, source, &Member::Asn(asn), object);
                format!("AS{asn}")
            }
            Class::Route | Class::Route6 => {
                let prefix = prefix(&name, class).map_err(wrong)?;
                let origin = object.value("origin").and_then(as_number);
                let origin = origin.ok_or_else(|| wrong("a route needs an origin such as AS64500"))?;
                match prefix {
                    IpNet::V4(prefix) => self.sources[source].routes.entry(origin).or_default().push(prefix),
                    IpNet::V6(prefix) => self.sources[source].routes6.entry(origin).or_default().push(prefix),
                }
                self.wish(Class::RouteSet, source, &Member::Prefix(prefix.to_string().into()), object);
                format!("{prefix}AS{origin}").to_ascii_uppercase()
            }
        };
        let begin = self.text.len();
        object.print(&mut self.text);
        let end = self.text.len();
        self.text.push('\n');
        self.entries.push(Entry { class, key: key.into(), source, begin, end: end - 1, line: head.line });
        Ok(())
    }

    fn source_index(&mut self, name: &str) -> usize {
        let name = name.to_ascii_uppercase();
        if let Some(index) = self.by_name.get(&name) {
            return *index;
        }
        let index = self.sources.len();
        self.sources.push(Source { name: name.clone(), ..Source::default() });
        self.by_name.insert(name, index);
        index
    }

    fn set(&mut self, class: Class, source: usize, name: &str, object: &Object<'_>) -> String {
        let mut members = Vec::new();
        let mut there = HashSet::new();
        for text in object.values("members").chain(object.values("mp-members")) {
            let member = member(class, text);
            if there.insert(member.clone()) {
                members.push(member);
            }
        }
        let takes: HashSet<String> = object.values("mbrs-by-ref").map(str::to_ascii_uppercase).collect();
        if !takes.is_empty() {
            self.takes.insert((class, source, name.into()), takes);
        }
        let source = &mut self.sources[source];
        let sets = if class == Class::AsSet { &mut source.as_sets } else { &mut source.route_sets };
        sets.insert(name.into(), members);
        name.to_owned()
    }

    fn wish(&mut self, class: Class, source: usize, member: &Member, object: &Object<'_>) {
        for set in object.values("member-of") {
            self.wishes.push(Wish {
                class,
                source,
                set: set.to_ascii_uppercase().into(),
                maintainers: object.values("mnt-by").map(str::to_ascii_uppercase).collect(),
                member: member.clone(),
            });
        }
    }

    fn finish(mut self) -> Result<World, RpslError> {
        for wish in std::mem::take(&mut self.wishes) {
            self.grant(wish);
        }
        self.entries.sort_unstable();
        let same = |a: &Entry, b: &Entry| (a.class, &a.key, a.source) == (b.class, &b.key, b.source);
        if let Some(twice) = self.entries.windows(2).find(|pair| same(&pair[0], &pair[1])) {
            let source = &self.sources[twice[0].source].name;
            return Err(RpslError {
                line: twice[1].line,
                problem: format!(
                    "{} stands in {source} twice, first in line {}",
                    twice[0].key, twice[0].line
                ),
            });
        }
        Ok(World { text: self.text, entries: self.entries, sources: self.sources, peers: Vec::new() })
    }

    /// RFC 2622, section 5.1: `member-of` counts if the set names one of the object's maintainers, or `ANY`. Set and
    /// object must be in the same source.
    fn grant(&mut self, wish: Wish) {
        let source = &mut self.sources[wish.source];
        let sets = if wish.class == Class::AsSet { &mut source.as_sets } else { &mut source.route_sets };
        let Some(members) = sets.get_mut(&wish.set) else { return };
        let Some(takes) = self.takes.get(&(wish.class, wish.source, wish.set)) else { return };
        let granted = takes.contains("ANY") || wish.maintainers.iter().any(|name| takes.contains(name));
        if granted && !members.contains(&wish.member) {
            members.push(wish.member);
        }
    }
}

fn prefix(text: &str, class: Class) -> Result<IpNet, &'static str> {
    let prefix: IpNet = text.parse().map_err(|_| "no prefix")?;
    if prefix != prefix.trunc() {
        return Err("a prefix with host bits");
    }
    match (class, prefix) {
        (Class::Route6, IpNet::V4(_)) => Err("a route6 with an IPv4 prefix"),
        (Class::Route, IpNet::V6(_)) => Err("a route with an IPv6 prefix"),
        _ => Ok(prefix),
    }
}

fn member(class: Class, text: &str) -> Member {
    if let Some(asn) = as_number(text) {
        return Member::Asn(asn);
    }
    let (prefix, operator) = text.find('^').map_or((text, ""), |at| text.split_at(at));
    let net = prefix.parse::<IpNet>().or_else(|_| prefix.parse::<IpAddr>().map(IpNet::from));
    match net {
        Ok(net) if class == Class::RouteSet => Member::Prefix(format!("{}{operator}", net.trunc()).into()),
        _ => Member::Name(text.to_ascii_uppercase().into()),
    }
}
