//! Names that more than one registry holds.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::{Stop, View, all};
use super::request::Limits;
use super::run::settle;
use crate::names::set_class;
use crate::{Ask, Class, Failure, Sources};

/// Who holds an object of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holders {
    /// The sources that hold it, in the order of the selection: the first is the one that is read.
    pub sources: Vec<String>,
    /// Those that could not be asked, or do not say.
    pub unsure: Vec<String>,
}

/// Finds out which of the selected sources hold a set of each name (`!m`, one question per source and name). Names
/// that are no set's are left out; so is everything when a server does not say which sources it takes by itself.
pub async fn collisions(
    ask: &dyn Ask,
    roots: &[(Sources, String)],
) -> Result<BTreeMap<(Sources, String), Holders>, Failure> {
    let default = if roots.iter().any(|(sources, _)| *sources == Sources::Default) {
        ask.features().await?.sources
    } else {
        Vec::new()
    };
    let roots: BTreeSet<&(Sources, String)> = roots.iter().collect();
    let limits = Limits::default();
    let found = settle(ask, &limits, false, |view| {
        let holders = roots.iter().filter_map(|root| holders(view, root, &default).transpose());
        all(holders)
    });
    match found.await {
        Ok(found) => Ok(found.into_iter().collect()),
        Err(Stop::Failed(reason)) => Err(Failure(reason)),
        Err(Stop::Waiting | Stop::TooBig { .. }) => Ok(BTreeMap::new()),
    }
}

type Found = ((Sources, String), Holders);

fn holders(view: &View<'_>, root: &(Sources, String), default: &[String]) -> Result<Option<Found>, Stop> {
    let (sources, name) = root;
    let Some(class) = set_class(name) else { return Ok(None) };
    let sources: Vec<&str> = single_sources(sources, default);
    let said = all(sources.iter().map(|source| held(view, source, class, name)))?;
    let mut holders = Holders::default();
    for (source, held) in sources.into_iter().zip(said) {
        match held {
            Some(true) => holders.sources.push(source.to_owned()),
            Some(false) => {}
            None => holders.unsure.push(source.to_owned()),
        }
    }
    Ok(Some((root.clone(), holders)))
}

/// Who fails to answer does not say.
fn held(view: &View<'_>, source: &str, class: Class, name: &str) -> Result<Option<bool>, Stop> {
    match view.exists(&Sources::Only(source.into()), class, name) {
        Err(Stop::Failed(_)) => Ok(None),
        said => said,
    }
}

/// The sources of a selection, one by one.
pub(crate) fn single_sources<'a>(sources: &'a Sources, default: &'a [String]) -> Vec<&'a str> {
    match sources {
        Sources::Default => default.iter().map(String::as_str).collect(),
        Sources::Only(list) => list.split(',').filter(|source| !source.is_empty()).collect(),
    }
}
