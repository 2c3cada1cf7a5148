//! A world of registries, read from RPSL, that answers by the rules of IRRd 4: a set comes from the first selected
//! source that has it, routes from all of them. Written without a look at the crate's own rules.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use pm_irr::{Answer, Class, Family, Kind, Prefix, Query, Sources};

#[derive(Clone, Debug, Default)]
pub struct World {
    /// In the order in which a server takes them by itself.
    pub sources: Vec<String>,
    /// Source and name to members, as-sets.
    pub as_sets: BTreeMap<(String, String), BTreeSet<String>>,
    pub route_sets: BTreeMap<(String, String), BTreeSet<String>>,
    pub aut_nums: BTreeSet<(String, u32)>,
    /// Source and origin.
    pub routes: BTreeMap<(String, u32), BTreeSet<Prefix>>,
}

/// An object that joins a set by itself: the set's class, source and name, the maintainers, the member.
type Joining = (&'static str, String, String, Vec<String>, String);

impl World {
    pub fn from_rpsl(sources: &[&str], text: &str) -> Self {
        let mut world =
            Self { sources: sources.iter().map(|s| (*s).to_owned()).collect(), ..Self::default() };
        let mut open = BTreeMap::new();
        let mut joining = Vec::new();
        for object in text.split("\n\n").filter(|object| !object.trim().is_empty()) {
            world.add(&attributes(object), &mut open, &mut joining);
        }
        for (class, source, set, maintainers, member) in joining {
            let Some(by) = open.get(&(class, source.clone(), set.clone())) else { continue };
            if by.contains("ANY") || maintainers.iter().any(|maintainer| by.contains(maintainer)) {
                let sets = if class == "as-set" { &mut world.as_sets } else { &mut world.route_sets };
                sets.entry((source, set)).or_default().insert(member);
            }
        }
        world
    }

    fn add(
        &mut self,
        attributes: &[(String, String)],
        open: &mut BTreeMap<(&'static str, String, String), HashSet<String>>,
        joining: &mut Vec<Joining>,
    ) {
        let all = |name: &str| -> Vec<String> {
            let values =
                attributes.iter().filter(|(key, _)| key == name).flat_map(|(_, value)| value.split(','));
            values.map(|value| value.trim().to_uppercase()).filter(|value| !value.is_empty()).collect()
        };
        let (class, key) = (attributes[0].0.as_str(), attributes[0].1.to_uppercase());
        let source = all("source").remove(0);
        let joins = |class, member: &str| {
            let maintainers = all("mnt-by");
            all("member-of")
                .into_iter()
                .map(|s| (class, source.clone(), s, maintainers.clone(), member.to_owned()))
                .collect()
        };
        let mut found: Vec<Joining> = match class {
            "as-set" | "route-set" => {
                let class = if class == "as-set" { "as-set" } else { "route-set" };
                open.insert((class, source.clone(), key.clone()), all("mbrs-by-ref").into_iter().collect());
                let sets = if class == "as-set" { &mut self.as_sets } else { &mut self.route_sets };
                sets.entry((source, key)).or_default().extend([all("members"), all("mp-members")].concat());
                return;
            }
            "route" | "route6" => {
                let prefix: Prefix = key.parse().unwrap();
                let origin = number(&all("origin").remove(0)).unwrap();
                self.routes.entry((source.clone(), origin)).or_default().insert(prefix);
                joins("route-set", &prefix.to_string())
            }
            "aut-num" => {
                self.aut_nums.insert((source.clone(), number(&key).unwrap()));
                joins("as-set", &key)
            }
            other => panic!("class {other}"),
        };
        joining.append(&mut found);
    }

    /// What a server says to a question. `set_routes`: it knows `!a`.
    pub fn answer(&self, query: &Query, set_routes: bool) -> Answer {
        let selected: Vec<&str> = match &query.sources {
            Sources::Default => self.sources.iter().map(String::as_str).collect(),
            Sources::Only(list) => list.split(',').collect(),
        };
        if selected.iter().any(|source| !self.sources.iter().any(|known| known == source)) {
            return Answer::Refused("One or more selected sources are unavailable.".to_owned());
        }
        let name = query.name.to_uppercase();
        match query.kind {
            Kind::Members => {
                let members = self.set(&selected, &name, true).map(|(members, _)| members.clone());
                data(members.unwrap_or_default().into_iter().filter(|member| *member != name))
            }
            Kind::AllMembers => data(self.leaves(&selected, &name, true)),
            Kind::Routes(family) => match number(&name) {
                Some(asn) => data(self.originated(&selected, asn, family).iter().map(ToString::to_string)),
                None => Answer::Refused(format!("Invalid AS number {name}")),
            },
            Kind::SetRoutes(_) if !set_routes => Answer::Refused("Unrecognised command: a".to_owned()),
            Kind::SetRoutes(family) => {
                let asns = self.leaves(&selected, &name, false);
                let asns = asns.iter().filter_map(|name| number(name));
                let routes = asns.flat_map(|asn| self.originated(&selected, asn, family));
                data(routes.collect::<BTreeSet<_>>().iter().map(ToString::to_string))
            }
            Kind::Object(class) => {
                let exists = selected.iter().any(|source| match class {
                    Class::AsSet => self.as_sets.contains_key(&((*source).to_owned(), name.clone())),
                    Class::RouteSet => self.route_sets.contains_key(&((*source).to_owned(), name.clone())),
                    Class::AutNum => self.aut_nums.contains(&((*source).to_owned(), number(&name).unwrap())),
                });
                if exists { Answer::Data(format!("{class}: {name}\nsource: X")) } else { Answer::NotFound }
            }
        }
    }

    fn set(&self, selected: &[&str], name: &str, or_route_set: bool) -> Option<(&BTreeSet<String>, bool)> {
        let find = |sets: &'_ BTreeMap<(String, String), _>| {
            selected
                .iter()
                .find(|source| sets.contains_key(&((**source).to_owned(), name.to_owned())))
                .copied()
        };
        if let Some(source) = find(&self.as_sets) {
            return Some((&self.as_sets[&(source.to_owned(), name.to_owned())], false));
        }
        let source = find(&self.route_sets).filter(|_| or_route_set)?;
        Some((&self.route_sets[&(source.to_owned(), name.to_owned())], true))
    }

    /// AS numbers below an as-set, or prefixes below a route-set.
    fn leaves(&self, selected: &[&str], root: &str, or_route_set: bool) -> BTreeSet<String> {
        let is_route_set = matches!(self.set(selected, root, or_route_set), Some((_, true)));
        let (mut leaves, mut seen, mut todo) = (BTreeSet::new(), HashSet::new(), vec![root.to_owned()]);
        while let Some(name) = todo.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            let Some((members, _)) = self.set(selected, &name, is_route_set) else { continue };
            for member in members {
                let prefix = member.split('^').next().unwrap();
                if let Some(asn) = number(member) {
                    if is_route_set {
                        let routes =
                            [Family::V4, Family::V6].map(|family| self.originated(selected, asn, family));
                        leaves.extend(routes.iter().flatten().map(ToString::to_string));
                    } else {
                        leaves.insert(member.clone());
                    }
                } else if is_route_set && prefix.parse::<Prefix>().is_ok() {
                    leaves.insert(member.clone());
                } else {
                    todo.push(member.clone());
                }
            }
        }
        leaves
    }

    pub fn originated(&self, selected: &[&str], asn: u32, family: Family) -> BTreeSet<Prefix> {
        let held = selected.iter().filter_map(|source| self.routes.get(&((*source).to_owned(), asn)));
        held.flatten().filter(|prefix| prefix.family() == family).copied().collect()
    }
}

pub fn number(name: &str) -> Option<u32> {
    name.strip_prefix("AS")?.parse().ok()
}

fn data(words: impl IntoIterator<Item = String>) -> Answer {
    let text = words.into_iter().collect::<Vec<_>>().join(" ");
    if text.is_empty() { Answer::NotFound } else { Answer::Data(text) }
}

fn attributes(object: &str) -> Vec<(String, String)> {
    let lines = object.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned()))
        .collect()
}

/// RPSL of short lines: `RIPE AS-FOO = AS1 AS-BAR`, `RIPE RS-FOO = 192.0.2.0/24^+`, `RIPE 192.0.2.0/24 AS1`, `RIPE AS1`.
pub fn written_out(short: &str) -> String {
    let objects = short.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| {
        let (source, object) = line.split_once(' ').unwrap();
        let object = match object.split_once('=') {
            Some((name, members)) => {
                let class = if name.contains("RS-") { "route-set" } else { "as-set" };
                let members = members.split_whitespace().collect::<Vec<_>>().join(", ");
                format!("{class}: {}\nmp-members: {members}", name.trim())
            }
            None => match object.split_once(' ') {
                Some((prefix, origin)) => format!("route: {prefix}\norigin: {origin}"),
                None => format!("aut-num: {object}"),
            },
        };
        format!("{object}\nmnt-by: MNT-X\nsource: {source}\n")
    });
    objects.collect::<Vec<_>>().join("\n")
}
