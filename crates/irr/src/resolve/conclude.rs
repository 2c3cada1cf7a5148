//! What the objects of a request add to a list, put together.

use super::answers::Stop;
use super::request::{Content, Limits, Lookup, Note, Request, What};
use crate::{Prefix, PrefixRange};

/// What one object adds to a list.
#[derive(Default)]
pub(super) struct Part<'a> {
    pub lists: Vec<&'a [Prefix]>,
    pub ranges: Vec<PrefixRange>,
    pub asns: Vec<u32>,
    pub standing: Standing,
    pub notes: Vec<Note>,
}

/// What is known about an object.
#[derive(Default, PartialEq, Eq)]
pub(crate) enum Standing {
    #[default]
    Known,
    Unknown,
    /// No data, and the server does not say.
    Undecided,
    /// Adds nothing, whether it exists or not.
    Ignored,
}

impl<'a> Part<'a> {
    pub(super) fn of_lists(lists: Vec<&'a [Prefix]>) -> Self {
        Self { lists, ..Self::default() }
    }

    pub(super) fn without_data(standing: Standing) -> Self {
        Self { standing, ..Self::default() }
    }
}

/// Puts the parts together.
pub(super) fn conclude(
    request: &Request,
    what: What,
    parts: Vec<Part<'_>>,
    limits: &Limits,
) -> Result<(Lookup<Content>, Vec<Note>), Stop> {
    let (mut notes, mut lists, mut ranges, mut asns) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut known, mut undecided, mut unknown) = (false, false, Vec::new());
    for (object, part) in request.objects.iter().zip(parts) {
        match part.standing {
            Standing::Known => known = true,
            Standing::Ignored => {}
            Standing::Unknown => unknown.push(object.to_string()),
            Standing::Undecided => {
                undecided = true;
                notes.push(Note::Undecided(object.to_string()));
            }
        }
        notes.extend(part.notes);
        lists.extend(part.lists);
        ranges.extend(part.ranges);
        asns.extend(part.asns);
    }
    if !known && !undecided && unknown.is_empty() {
        return Err(Stop::Failed("there is nothing to look up: no set, no AS number, no prefix".to_owned()));
    }
    let content = match what {
        What::AsList => merged_asns(asns, limits)?,
        What::Prefixes(_) => merged_prefixes(&lists, ranges, limits)?,
    };
    if !known && !undecided {
        return Ok((Lookup::Unknown(unknown), notes));
    }
    notes.splice(0..0, unknown.into_iter().map(Note::Unknown));
    let lookup = match content {
        Some(content) => Lookup::Found(content),
        None if known => Lookup::Empty,
        None => Lookup::Nothing,
    };
    Ok((lookup, notes))
}

fn merged_asns(mut asns: Vec<u32>, limits: &Limits) -> Result<Option<Content>, Stop> {
    asns.sort_unstable();
    asns.dedup();
    if asns.len() > limits.members {
        return Err(Stop::too_big("AS numbers of the list", asns.len(), limits.members));
    }
    Ok((!asns.is_empty()).then_some(Content::Asns(asns)))
}

/// All prefixes, sorted, each once. What many parts have in common is thrown out on the way, so that the sum of all
/// parts never stands in memory.
fn merged_prefixes(
    lists: &[&[Prefix]],
    mut ranges: Vec<PrefixRange>,
    limits: &Limits,
) -> Result<Option<Content>, Stop> {
    let mut prefixes: Vec<Prefix> = Vec::new();
    let tidy = |prefixes: &mut Vec<Prefix>| {
        prefixes.sort_unstable();
        prefixes.dedup();
        if prefixes.len() > limits.prefixes {
            return Err(Stop::too_big("prefixes of the list", prefixes.len(), limits.prefixes));
        }
        Ok(())
    };
    ranges.retain(|range| {
        let is_single = range.low == range.high && range.low == range.prefix.length();
        prefixes.extend(is_single.then_some(range.prefix));
        !is_single
    });
    for list in lists {
        if prefixes.len() + list.len() > limits.prefixes.saturating_mul(2) {
            tidy(&mut prefixes)?;
        }
        prefixes.extend_from_slice(list);
    }
    tidy(&mut prefixes)?;
    ranges.sort_unstable();
    ranges.dedup();
    if ranges.len() > limits.prefixes {
        return Err(Stop::too_big("ranges of the list", ranges.len(), limits.prefixes));
    }
    let is_empty = prefixes.is_empty() && ranges.is_empty();
    Ok((!is_empty).then_some(Content::Prefixes { prefixes, ranges }))
}
