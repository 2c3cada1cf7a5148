//! The rules: which questions lead from an object to its prefixes or AS numbers.
//!
//! A list is made in one go from the answers that are there. Where one is lacking, the question is left behind and the
//! list begins anew when the answer has come; so the rules read from top to bottom, and what different lists have in
//! common is asked once.

use std::collections::BTreeSet;

use super::answers::{Members, Stop, View, all, both};
use super::conclude::{Part, Standing, conclude};
use super::expand::{Expansion, expand, root_sources};
use super::request::{Content, Lookup, Note, Request, What};
use crate::names::{means_all, set_class};
use crate::{Class, Family, Kind, Object, Prefix, PrefixRange, SetReference, Sources};

/// Private and reserved AS numbers (RFC 5398, RFC 6996, RFC 7300), the ones that bgpq4 refuses.
pub(crate) fn is_private(asn: u32) -> bool {
    matches!(asn, 64_496..=65_551 | 4_200_000_000..)
}

/// Why an object is not looked up at all.
pub(crate) fn refusal(request: &Request, object: &Object) -> Option<String> {
    if request.depth == Some(0) {
        return Some("a depth of 0 enters no set; the least is 1".to_owned());
    }
    match object {
        Object::AsSet(set) | Object::RouteSet(set) if means_all(&set.name) => {
            Some(format!("{set} stands for everything and is no set that can be looked up"))
        }
        Object::Asn(asn) if is_private(*asn) && !request.private => Some(format!(
            "AS{asn} is private or reserved; it is looked up only where private AS numbers are asked for"
        )),
        _ => None,
    }
}

/// Makes one list of a request.
pub(super) fn list(
    view: &View<'_>,
    request: &Request,
    what: What,
) -> Result<(Lookup<Content>, Vec<Note>), Stop> {
    if let Some(reason) = request.objects.iter().find_map(|object| refusal(request, object)) {
        return Err(Stop::Failed(reason));
    }
    let list = List { view, request, what };
    let parts = all(request.objects.iter().map(|object| list.part(object)))?;
    conclude(request, what, parts, view.limits)
}

/// A list in the making.
struct List<'a, 'v> {
    view: &'v View<'a>,
    request: &'a Request,
    what: What,
}

impl<'a> List<'a, '_> {
    fn part(&self, object: &'a Object) -> Result<Part<'a>, Stop> {
        match object {
            Object::Ignored(name) => {
                let notes = vec![Note::Ignored(name.clone())];
                Ok(Part { notes, ..Part::without_data(Standing::Ignored) })
            }
            Object::Prefix(range) => {
                let fits = self.what == What::Prefixes(range.prefix.family());
                Ok(Part { ranges: fits.then_some(*range).into_iter().collect(), ..Part::default() })
            }
            Object::Asn(asn) => self.autonomous_system(*asn),
            Object::AsSet(set) => self.as_set(set),
            Object::RouteSet(set) => match self.what {
                What::AsList => Ok(Part::default()),
                What::Prefixes(family) if set.source.is_some() => self.route_set_of_source(set, family),
                What::Prefixes(family) => self.route_set(set, family),
            },
        }
    }

    fn autonomous_system(&self, asn: u32) -> Result<Part<'a>, Stop> {
        let What::Prefixes(family) = self.what else {
            return Ok(Part { asns: vec![asn], ..Part::default() });
        };
        let routes = self.view.routes(&self.request.sources, family, asn)?;
        if routes.is_empty() {
            return Ok(Part::without_data(standing_of_as(self.view, &self.request.sources, asn, family)?));
        }
        Ok(Part::of_lists(vec![routes]))
    }

    fn as_set(&self, set: &'a SetReference) -> Result<Part<'a>, Stop> {
        let request = self.request;
        if request.depth.is_some() || !request.except.is_empty() {
            return self.expanded(set);
        }
        if set.source.is_none() {
            return self.whole(set, !request.is_expanded_by_client() || request.private);
        }
        if self.view.set_routes { self.set_of_source(set) } else { self.expanded(set) }
    }

    /// A set as the server expands it.
    fn whole(&self, set: &'a SetReference, keep_private: bool) -> Result<Part<'a>, Stop> {
        match self.below(&set.name, keep_private)? {
            Some(below) => Ok(with_private_noted(set, below)),
            None => Ok(Part::without_data(standing_of_set(self.view, &self.request.sources, &set.name)?)),
        }
    }

    /// What the server finds below a set in the request's sources. Where private AS numbers are dropped, the server's
    /// own list of routes will do only if it holds none.
    fn below(&self, name: &str, keep_private: bool) -> Result<Option<Below<'a>>, Stop> {
        let (view, sources) = (self.view, &self.request.sources);
        let members = || view.members(sources, Kind::AllMembers, name);
        let What::Prefixes(family) = self.what else {
            return Ok(members()?.map(|members| Below::of_asns(&members.asns, self.request.private)));
        };
        if !view.set_routes {
            let Some(members) = members()? else { return Ok(None) };
            return self.routes_of(Below::of_asns(&members.asns, keep_private), family).map(Some);
        }
        let routes = view.prefixes(sources, Kind::SetRoutes(family), name);
        if keep_private {
            return Ok(routes?.map(Below::of_list));
        }
        match both(routes, members())? {
            (_, Some(members)) if members.asns.iter().any(|asn| is_private(*asn)) => {
                self.routes_of(Below::of_asns(&members.asns, false), family).map(Some)
            }
            (Some(routes), _) => Ok(Some(Below::of_list(routes))),
            (None, members) => Ok(members.map(|_| Below::default())),
        }
    }

    /// The routes of each AS, all asked together.
    fn routes_of(&self, below: Below<'a>, family: Family) -> Result<Below<'a>, Stop> {
        let lists = all(below.asns.iter().map(|asn| self.view.routes(&self.request.sources, family, *asn)))?;
        Ok(Below { lists, asns: Vec::new(), ..below })
    }

    /// `RIPE::AS-FOO`: the root from its source, what is below from the request's sources, as the server expands it.
    fn set_of_source(&self, set: &'a SetReference) -> Result<Part<'a>, Stop> {
        let sources = root_sources(self.request, set);
        let Some(root) = self.view.members(&sources, Kind::Members, &set.name)? else {
            return Ok(Part::without_data(standing_of_set(self.view, &sources, &set.name)?));
        };
        let mut missing = root.others.clone();
        let is_as_set = |name: &&str| set_class(name) == Some(Class::AsSet) && !means_all(name);
        let (subsets, strangers): (Vec<&str>, Vec<_>) =
            root.sets.iter().map(AsRef::as_ref).partition(is_as_set);
        for name in strangers {
            missing.add(name);
        }
        let own = Below::of_asns(&root.asns, self.request.private);
        let own = match self.what {
            What::AsList => Ok(own),
            What::Prefixes(family) => self.routes_of(own, family),
        };
        let below = all(subsets.iter().map(|name| self.below(name, self.request.private)));
        let (mut whole, below) = both(own, below)?;
        for (name, below) in subsets.into_iter().zip(below) {
            match below {
                Some(below) => whole.add(below),
                None => missing.add(name),
            }
        }
        let mut part = with_private_noted(set, whole);
        part.notes.extend(missing.note(set));
        Ok(part)
    }

    /// A set that is expanded here, level by level.
    fn expanded(&self, set: &'a SetReference) -> Result<Part<'a>, Stop> {
        let Some(expansion) = expand(self.view, self.request, set)? else {
            let sources = root_sources(self.request, set);
            return Ok(Part::without_data(standing_of_set(self.view, &sources, &set.name)?));
        };
        let Expansion { missing, cut, .. } = &expansion;
        let mut below = Below::of_asns(&expansion.asns(self.request), self.request.private);
        if let What::Prefixes(family) = self.what {
            below = self.routes_of(below, family)?;
        }
        let mut part = with_private_noted(set, below);
        part.notes.extend(missing.note(set));
        if let (Some(depth), 1..) = (self.request.depth, *cut) {
            part.notes.push(Note::Cut { set: set.to_string(), depth, count: *cut });
        }
        Ok(part)
    }

    /// A route-set as the server expands it.
    fn route_set(&self, set: &'a SetReference, family: Family) -> Result<Part<'a>, Stop> {
        let sources = &self.request.sources;
        let Some(members) = self.view.members(sources, Kind::AllMembers, &set.name)? else {
            return Ok(Part::without_data(standing_of_set(self.view, sources, &set.name)?));
        };
        let mut missing = members.others.clone();
        members.sets.iter().for_each(|name| missing.add(name));
        let notes = missing.note(set).into_iter().collect();
        Ok(Part { ranges: of_family(members, family), notes, ..Part::default() })
    }

    /// `RIPE::RS-FOO`: the root from its source, what it names from the request's sources, expanded by the server.
    /// The rule for private AS numbers is one for as-sets: the server does not show them in route-sets.
    fn route_set_of_source(&self, set: &'a SetReference, family: Family) -> Result<Part<'a>, Stop> {
        let sources = root_sources(self.request, set);
        let Some(root) = self.view.members(&sources, Kind::Members, &set.name)? else {
            return Ok(Part::without_data(standing_of_set(self.view, &sources, &set.name)?));
        };
        let own = self.routes_of(Below::of_asns(&root.asns, true), family);
        let named = all(root.sets.iter().map(|name| self.named_in_route_set(name, family)));
        let (own, named) = both(own, named)?;
        let mut part = Part::of_lists(own.lists);
        part.ranges = of_family(root, family);
        let mut missing = root.others.clone();
        for (name, named) in root.sets.iter().zip(named) {
            match named {
                Some(named) => {
                    part.lists.extend(named.lists);
                    part.ranges.extend(named.ranges);
                }
                None => missing.add(name),
            }
        }
        part.notes.extend(missing.note(set));
        Ok(part)
    }

    fn named_in_route_set(&self, name: &str, family: Family) -> Result<Option<Part<'a>>, Stop> {
        if means_all(name) {
            return Ok(None);
        }
        if set_class(name) == Some(Class::AsSet) {
            return Ok(self.below(name, true)?.map(|below| Part::of_lists(below.lists)));
        }
        let members = self.view.members(&self.request.sources, Kind::AllMembers, name)?;
        Ok(members.map(|members| Part { ranges: of_family(members, family), ..Part::default() }))
    }
}

/// An AS without routes is known by its aut-num, or by its routes of the other family.
pub(crate) fn standing_of_as(
    view: &View<'_>,
    sources: &Sources,
    asn: u32,
    family: Family,
) -> Result<Standing, Stop> {
    let other = if family == Family::V4 { Family::V6 } else { Family::V4 };
    let exists = view.exists(sources, Class::AutNum, &format!("AS{asn}"));
    Ok(match both(exists, view.routes(sources, other, asn))? {
        (Some(false), []) => Standing::Unknown,
        (None, []) => Standing::Undecided,
        _ => Standing::Known,
    })
}

/// A set without data: whether it exists at all. Data about it of another kind is proof, and saves the question.
pub(crate) fn standing_of_set(view: &View<'_>, sources: &Sources, name: &str) -> Result<Standing, Stop> {
    let class = set_class(name).unwrap_or(Class::AsSet);
    let (v4, v6) = (Kind::SetRoutes(Family::V4), Kind::SetRoutes(Family::V6));
    if view.had_data(sources, &[v4, v6, Kind::AllMembers, Kind::Members], name)? {
        return Ok(Standing::Known);
    }
    Ok(match view.exists(sources, class, name)? {
        Some(true) => Standing::Known,
        Some(false) => Standing::Unknown,
        None => Standing::Undecided,
    })
}

/// What is below a set.
#[derive(Default)]
struct Below<'a> {
    lists: Vec<&'a [Prefix]>,
    asns: Vec<u32>,
    /// Private AS numbers that were left out.
    private: Vec<u32>,
}

impl<'a> Below<'a> {
    fn of_list(list: &'a [Prefix]) -> Self {
        Self { lists: vec![list], ..Self::default() }
    }

    fn of_asns(asns: &[u32], keep_private: bool) -> Self {
        let (private, asns) = asns.iter().partition(|asn| !keep_private && is_private(**asn));
        Self { lists: Vec::new(), asns, private }
    }

    fn add(&mut self, other: Self) {
        self.lists.extend(other.lists);
        self.asns.extend(other.asns);
        self.private.extend(other.private);
    }
}

fn with_private_noted<'a>(set: &SetReference, below: Below<'a>) -> Part<'a> {
    let private = below.private.iter().collect::<BTreeSet<_>>().len();
    let note = || Note::Private { set: set.to_string(), count: private };
    let notes = (private > 0).then(note).into_iter().collect();
    Part { lists: below.lists, asns: below.asns, notes, ..Part::default() }
}

fn of_family(members: &Members, family: Family) -> Vec<PrefixRange> {
    members.ranges.iter().copied().filter(|range| range.prefix.family() == family).collect()
}
