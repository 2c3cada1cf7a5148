//! Sets entered level by level, breadth first, each once: what IRRd does for `!i…,1`, done here.

use std::collections::HashSet;

use super::answers::{Members, Missing, Stop, View, all};
use super::request::Request;
use crate::names::{means_all, set_class};
use crate::{Class, Exception, Kind, SetReference, Sources};

/// The sets below a root, nearest first.
pub(crate) struct Expansion<'a> {
    /// The sets that were read. The first is the root.
    pub sets: Vec<Entered<'a>>,
    /// Members that have no members themselves, or cannot be looked up.
    pub missing: Missing,
    /// Sets beyond the last level.
    pub cut: usize,
}

/// A set that was read.
pub(crate) struct Entered<'a> {
    /// As it is shown: the root with its source.
    pub set: SetReference,
    /// The place of the set that named it first.
    pub parent: Option<usize>,
    /// Its direct members.
    pub members: &'a Members,
}

/// Where a root is read: in its own source, if it names one.
pub(crate) fn root_sources(request: &Request, set: &SetReference) -> Sources {
    match &set.source {
        Some(source) => Sources::Only(source.as_str().into()),
        None => request.sources.clone(),
    }
}

/// Expands a set. `None`: there is no data about the root.
///
/// The root is read in its own source, all others in the request's, so a set that leads back to the name of a root
/// with a source enters the set of that name in the request's sources, as in bgpq4. Below an as-set only as-sets are
/// entered, below a route-set both; a route-set knows no depth and no exceptions (bgpq4 leaves it to the server).
pub(crate) fn expand<'a>(
    view: &View<'a>,
    request: &'a Request,
    root: &'a SetReference,
) -> Result<Option<Expansion<'a>>, Stop> {
    let class = set_class(&root.name);
    let is_as_set = class == Some(Class::AsSet);
    let excepted =
        |name: &str| is_as_set && request.except.iter().any(|e| matches!(e, Exception::Set(s) if s == name));
    let last = request.depth.filter(|_| is_as_set);
    let own = root_sources(request, root);

    let mut expansion = Expansion { sets: Vec::new(), missing: Missing::default(), cut: 0 };
    let mut seen = HashSet::new();
    let mut asns: HashSet<u32> = HashSet::new();
    if root.source.is_none() {
        seen.insert(root.name.as_str());
    }
    let mut level = vec![(None, root.name.as_str())];
    let mut depth = 1;
    loop {
        let sources = if depth == 1 { &own } else { &request.sources };
        let answers = all(level.iter().map(|(_, name)| view.members(sources, Kind::Members, name)))?;
        let mut next = Vec::new();
        for ((parent, name), members) in level.into_iter().zip(answers) {
            let Some(members) = members else {
                if parent.is_none() {
                    return Ok(None);
                }
                expansion.missing.add(name);
                continue;
            };
            asns.extend(&members.asns);
            expansion.missing.add_all(&members.others);
            let place = expansion.sets.len();
            for name in members.sets.iter().map(AsRef::as_ref).filter(|name| !excepted(name)) {
                if !seen.insert(name) {
                    continue;
                }
                let can_enter = !is_as_set || set_class(name) == class;
                if can_enter && !means_all(name) {
                    next.push((Some(place), name));
                } else {
                    expansion.missing.add(name);
                }
            }
            let source = root.source.clone().filter(|_| parent.is_none());
            let set = SetReference { source, name: name.to_owned() };
            expansion.sets.push(Entered { set, parent, members });
        }
        let limits = view.limits;
        if seen.len() + asns.len() > limits.members {
            return Err(Stop::too_big(
                &format!("members of {root}"),
                seen.len() + asns.len(),
                limits.members,
            ));
        }
        if next.is_empty() {
            return Ok(Some(expansion));
        }
        if last == Some(depth) {
            expansion.cut = next.len();
            return Ok(Some(expansion));
        }
        depth += 1;
        if depth > limits.depth {
            return Err(Stop::too_big(
                &format!("levels of sets in {root}"),
                depth as usize,
                limits.depth as usize,
            ));
        }
        level = next;
    }
}

impl Expansion<'_> {
    /// The AS numbers of all sets but the excepted, sorted, each once.
    pub(crate) fn asns(&self, request: &Request) -> Vec<u32> {
        let excepted = |asn: &u32| request.except.contains(&Exception::Asn(*asn));
        let members = self.sets.iter().flat_map(|entered| &entered.members.asns);
        let mut asns: Vec<u32> = members.copied().filter(|asn| !excepted(asn)).collect();
        asns.sort_unstable();
        asns.dedup();
        asns
    }
}
