//! Why a route is in a list: what is registered, which registry holds it, and the sets that lead there.

use std::collections::BTreeMap;

use crate::resolve::{Expansion, Limits, Lookup, Note, Request, Standing, Stop, View};
use crate::resolve::{
    all, expand, is_private, refusal, root_sources, settle, single_sources, standing_of_as, standing_of_set,
};
use crate::{Ask, Exception, Family, Object, Prefix, PrefixRange, Sources};

/// Why a route is in the lists of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Everything that leads to the route, the most specific first. [`Lookup::Empty`]: nothing does.
    pub lookup: Lookup<Vec<Reason>>,
    /// What an operator should know.
    pub notes: Vec<Note>,
}

/// Something registered that is the route, or covers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What is registered: a route object, a member of a route-set, or an argument.
    pub registered: PrefixRange,
    /// The AS that originates it, by the route object.
    pub origin: Option<u32>,
    /// The sources that hold the route object, in the order of the selection. Empty if there is no route object, or
    /// the server does not say which sources it takes by itself.
    pub sources: Vec<String>,
    /// The sets that lead there, the shortest way: from the request's set to the one that names the AS or the prefix.
    /// Empty for an AS or a prefix that the request names itself.
    pub path: Vec<String>,
    /// How many more sets below the request's name it, too.
    pub others: usize,
}

/// Finds everything that leads from a request's objects to a route: the prefix itself as well as those that cover it.
/// Which of these the list lets through depends on its shape (`-R`, `-m`). Sets are expanded level by level, and each
/// AS is asked for: for a big set that takes as many questions as bgpq4 asks for `RIPE::AS-FOO`.
pub async fn explain(ask: &dyn Ask, request: &Request, route: Prefix, limits: &Limits) -> Explanation {
    let default = match ask.features().await {
        Ok(features) => features.sources,
        Err(failure) => return Explanation { lookup: Lookup::Failed(failure.0), notes: Vec::new() },
    };
    let search = Search { request, route, default: &default };
    let explained = settle(ask, limits, false, |view| search.all(view)).await;
    explained.unwrap_or_else(|stop| {
        let lookup = stop.lookup().unwrap_or(Lookup::Nothing);
        Explanation { lookup, notes: Vec::new() }
    })
}

struct Search<'a> {
    request: &'a Request,
    route: Prefix,
    /// What the server takes by itself.
    default: &'a [String],
}

/// What one object adds.
#[derive(Default)]
struct Findings {
    ways: Vec<Way>,
    standing: Standing,
}

/// How something is reached.
struct Way {
    registered: PrefixRange,
    origin: Option<u32>,
    path: Vec<String>,
    /// How many sets name it, this one included.
    named: usize,
}

impl Search<'_> {
    fn all(&self, view: &View<'_>) -> Result<Explanation, Stop> {
        let (mut unknown, mut notes) = (Vec::new(), Vec::new());
        let (mut known, mut undecided) = (false, false);
        let mut ways = Vec::new();
        let findings = all(self.request.objects.iter().map(|object| self.object(view, object)))?;
        for (object, found) in self.request.objects.iter().zip(findings) {
            match found.standing {
                Standing::Known => known = true,
                Standing::Ignored => notes.push(Note::Ignored(object.to_string())),
                Standing::Unknown => unknown.push(object.to_string()),
                Standing::Undecided => {
                    undecided = true;
                    notes.push(Note::Undecided(object.to_string()));
                }
            }
            ways.extend(found.ways);
        }
        let reasons = self.reasons(view, ways)?;
        let lookup = match (reasons.is_empty(), known, undecided) {
            (false, _, _) => Lookup::Found(reasons),
            (true, true, _) => Lookup::Empty,
            (true, false, true) => Lookup::Nothing,
            (true, false, false) => Lookup::Unknown(std::mem::take(&mut unknown)),
        };
        notes.splice(0..0, unknown.into_iter().map(Note::Unknown));
        Ok(Explanation { lookup, notes })
    }

    fn family(&self) -> Family {
        self.route.family()
    }

    fn object(&self, view: &View<'_>, object: &Object) -> Result<Findings, Stop> {
        if let Some(reason) = refusal(self.request, object) {
            return Err(Stop::Failed(reason));
        }
        match object {
            Object::Ignored(_) => Ok(Findings { standing: Standing::Ignored, ..Findings::default() }),
            Object::Prefix(range) => {
                let way = Way { registered: *range, origin: None, path: Vec::new(), named: 1 };
                let ways = range.prefix.covers(self.route).then_some(way).into_iter().collect();
                Ok(Findings { ways, ..Findings::default() })
            }
            Object::Asn(asn) => {
                let ways = self.registered_by(view, *asn, Vec::new, 1)?;
                let standing = if ways.is_empty() {
                    standing_of_as(view, &self.request.sources, *asn, self.family())?
                } else {
                    Standing::Known
                };
                Ok(Findings { ways, standing })
            }
            Object::AsSet(set) | Object::RouteSet(set) => {
                let Some(expansion) = expand(view, self.request, set)? else {
                    let standing = standing_of_set(view, &root_sources(self.request, set), &set.name)?;
                    return Ok(Findings { standing, ..Findings::default() });
                };
                let ways = self.below(view, &expansion, matches!(object, Object::RouteSet(_)))?;
                Ok(Findings { ways, ..Findings::default() })
            }
        }
    }

    /// Everything below a set that is the route or covers it.
    fn below(
        &self,
        view: &View<'_>,
        expansion: &Expansion<'_>,
        is_route_set: bool,
    ) -> Result<Vec<Way>, Stop> {
        let mut ways = Vec::new();
        let mut naming: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
        for (place, entered) in expansion.sets.iter().enumerate() {
            for asn in entered.members.asns.iter().filter(|asn| is_route_set || self.keeps(**asn)) {
                naming.entry(*asn).or_insert((place, 0)).1 += 1;
            }
            for range in
                entered.members.ranges.iter().filter(|range| is_route_set && range.prefix.covers(self.route))
            {
                ways.push(Way { registered: *range, origin: None, path: path(expansion, place), named: 1 });
            }
        }
        let registered = all(naming
            .into_iter()
            .map(|(asn, (place, named))| self.registered_by(view, asn, || path(expansion, place), named)))?;
        ways.extend(registered.into_iter().flatten());
        Ok(ways)
    }

    /// Whether an AS below an as-set counts: by the same rule as in the list.
    fn keeps(&self, asn: u32) -> bool {
        let request = self.request;
        let is_dropped = is_private(asn) && !request.private && request.is_expanded_by_client();
        !is_dropped && !request.except.contains(&Exception::Asn(asn))
    }

    fn registered_by(
        &self,
        view: &View<'_>,
        asn: u32,
        path: impl Fn() -> Vec<String>,
        named: usize,
    ) -> Result<Vec<Way>, Stop> {
        let routes = view.routes(&self.request.sources, self.family(), asn)?;
        let covering = routes.iter().filter(|prefix| prefix.covers(self.route));
        let ways = covering.map(|prefix| {
            let length = prefix.length();
            let registered = PrefixRange { prefix: *prefix, low: length, high: length };
            Way { registered, origin: Some(asn), path: path(), named }
        });
        Ok(ways.collect())
    }

    /// Puts together what is reached in several ways, and asks the sources one by one.
    fn reasons(&self, view: &View<'_>, ways: Vec<Way>) -> Result<Vec<Reason>, Stop> {
        let mut shortest: BTreeMap<(PrefixRange, Option<u32>), Way> = BTreeMap::new();
        for way in ways {
            match shortest.get_mut(&(way.registered, way.origin)) {
                Some(known) => {
                    known.named += way.named;
                    if way.path.len() < known.path.len() {
                        known.path = way.path;
                    }
                }
                None => {
                    shortest.insert((way.registered, way.origin), way);
                }
            }
        }
        let sources = all(shortest.values().map(|way| self.sources_of(view, way)))?;
        let reasons = shortest.into_values().zip(sources).map(|(way, sources)| Reason {
            registered: way.registered,
            origin: way.origin,
            sources,
            path: way.path,
            others: way.named - 1,
        });
        let mut reasons: Vec<Reason> = reasons.collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.registered.prefix.length()));
        Ok(reasons)
    }

    fn sources_of(&self, view: &View<'_>, way: &Way) -> Result<Vec<String>, Stop> {
        let Some(asn) = way.origin else { return Ok(Vec::new()) };
        let sources = single_sources(&self.request.sources, self.default);
        let routes = all(sources.iter().map(|source| {
            let only = Sources::Only((*source).into());
            view.routes(&only, self.family(), asn)
        }))?;
        let holds = |routes: &&[Prefix]| routes.binary_search(&way.registered.prefix).is_ok();
        let held = sources.into_iter().zip(routes).filter(|(_, routes)| holds(routes));
        Ok(held.map(|(source, _)| source.to_owned()).collect())
    }
}

/// The sets from the root to a set.
fn path(expansion: &Expansion<'_>, place: usize) -> Vec<String> {
    let mut path = Vec::new();
    let mut next = Some(place);
    while let Some(entered) = next.and_then(|place| expansion.sets.get(place)) {
        path.push(entered.set.to_string());
        next = entered.parent;
    }
    path.reverse();
    path
}
