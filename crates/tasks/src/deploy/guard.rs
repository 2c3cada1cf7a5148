//! What a configuration must have to be let near a router.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use pm_router::How;
use pm_store::deployments::Sessions;

/// Sessions that may always be lacking: a change this small is looked at by people, not by a percentage.
const ALWAYS: usize = 2;

/// All addresses that stand in a text.
pub fn addresses(text: &str) -> BTreeSet<IpAddr> {
    text.split(|letter: char| !(letter.is_ascii_hexdigit() || matches!(letter, ':' | '.')))
        .map(|word| word.trim_end_matches(['.', ':']))
        .filter(|word| word.contains(['.', ':']))
        // `2001:db8::` loses its colons above.
        .filter_map(|word| word.parse().ok().or_else(|| format!("{word}::").parse().ok()))
        .collect()
}

/// What is known of a router's sessions when a configuration is judged.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Sessions of the last deployment; `None` before the first.
    pub last: Option<Sessions>,
    /// Sessions in the database, and whether the router is to have each.
    pub stored: BTreeMap<IpAddr, bool>,
    /// Sessions that were deleted in the database and are still to be taken from the router.
    pub deleted: BTreeSet<IpAddr>,
    /// Neighbours on the router.
    pub neighbors: BTreeSet<IpAddr>,
    /// Addresses in the configuration that runs, as far as a new one takes its place. A neighbour that is not in it, such as
    /// one that another file or a range of addresses makes, is not this one's to keep or to take away.
    pub running: BTreeSet<IpAddr>,
}

impl Known {
    /// Those of the addresses in a configuration that are of sessions.
    pub fn sessions(&self, addresses: &BTreeSet<IpAddr>) -> Sessions {
        let (stored, rest): (Vec<IpAddr>, Vec<IpAddr>) =
            addresses.iter().partition(|address| self.stored.contains_key(address));
        let others = rest.into_iter().filter(|address| self.neighbors.contains(address)).collect();
        Sessions { stored, others }
    }

    /// Whether the database says that the router should not have it.
    fn unwanted(&self, address: IpAddr) -> bool {
        if let Some(wanted) = self.stored.get(&address) {
            return !wanted;
        }
        // What the database had and has no more was deleted; what it never had is somebody else's.
        let had = |last: &Sessions| last.stored.contains(&address);
        self.deleted.contains(&address) || self.last.as_ref().is_some_and(had)
    }

    /// Whether a change by this configuration is meant to end the session.
    pub fn is_removal(&self, address: IpAddr, text: &BTreeSet<IpAddr>, how: How) -> bool {
        let goes = how == How::Replace && self.running.contains(&address) && !text.contains(&address);
        self.unwanted(address) || goes
    }

    /// Refuses a configuration that lacks too many sessions. One that takes the place of what runs is measured by the sessions
    /// in that, those of the last deployment and neighbours that somebody else configured alike. One that is merged takes
    /// nothing away by not naming it: it is measured by the last deployment or, before the first, by what of the router's
    /// neighbours is in the database.
    ///
    /// # Errors
    /// A sentence that names some of them.
    pub fn judge(&self, text: &BTreeSet<IpAddr>, how: How, percent: u8) -> Result<(), String> {
        let last = self.last.iter().flat_map(|last| last.stored.iter().chain(&last.others)).copied();
        let before: BTreeSet<IpAddr> = match (&self.last, how) {
            (_, How::Replace) => last
                .chain(self.neighbors.iter().copied())
                .filter(|address| self.running.contains(address))
                .collect(),
            (Some(_), How::Merge) => last.collect(),
            (None, How::Merge) => {
                self.neighbors.iter().filter(|address| self.stored.contains_key(address)).copied().collect()
            }
        };
        let lacking: Vec<IpAddr> = before
            .iter()
            .filter(|address| !text.contains(address) && !self.unwanted(**address))
            .copied()
            .collect();
        if lacking.len() <= ALWAYS || lacking.len() * 100 <= usize::from(percent) * before.len() {
            return Ok(());
        }
        let named: Vec<String> = lacking.iter().take(5).map(IpAddr::to_string).collect();
        let more = if lacking.len() > named.len() { ", …" } else { "" };
        let of = match (&self.last, how) {
            (Some(_), How::Merge) => "of its last deployment",
            _ => "that the router has",
        };
        Err(format!(
            "the configuration lacks {} of {} sessions {of} ({}{more}), and not because they were disabled or deleted; \
             look at the template, or deploy with --force (config_max_removed_percent is {percent})",
            lacking.len(),
            before.len(),
            named.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn stored(range: std::ops::Range<u8>) -> Sessions {
        Sessions { stored: range.map(ip).collect(), others: Vec::new() }
    }

    fn text(range: std::ops::Range<u8>) -> BTreeSet<IpAddr> {
        range.map(ip).collect()
    }

    #[test]
    fn addresses_are_found_in_every_dialect() {
        let found = addresses(
            "neighbor 192.0.2.1;\nneighbor 2001:DB8::1 as 64500; # 12:30:05, see 198.51.100.0/24, 1.2.3\n\
             set protocols bgp group x neighbor 2001:db8:0:0::2\nend at 203.0.113.9. \"2001:db8::\"",
        );
        let expected =
            ["192.0.2.1", "198.51.100.0", "203.0.113.9", "2001:db8::", "2001:db8::1", "2001:db8::2"];
        let expected: BTreeSet<IpAddr> = expected.iter().map(|one| one.parse().unwrap()).collect();
        assert!(found.is_superset(&expected), "{found:?}");
    }

    #[test]
    fn a_template_that_lost_half_its_sessions_is_refused() {
        let known = Known { last: Some(stored(0..10)), running: text(0..10), ..Known::default() };
        // What is not in the database any more was deleted there.
        assert_eq!(known.judge(&text(0..5), How::Replace, 20), Ok(()));
        let here = (0..10).map(|last| (ip(last), true)).collect();
        let known = Known { stored: here, ..known };
        let error = known.judge(&text(0..5), How::Replace, 20).unwrap_err();
        assert!(error.contains("lacks 5 of 10") && error.contains("192.0.2.5"), "{error}");
        assert!(known.judge(&text(0..5), How::Merge, 20).is_err());
        assert_eq!(known.judge(&text(0..8), How::Replace, 20), Ok(()), "one or two may always be lacking");
        assert!(known.judge(&text(0..7), How::Replace, 29).is_err());
        assert_eq!(known.judge(&text(0..7), How::Replace, 30), Ok(()));
        assert_eq!(known.judge(&text(0..0), How::Replace, 100), Ok(()));
    }

    #[test]
    fn what_was_disabled_is_not_lacking() {
        let here = (0..10).map(|last| (ip(last), last < 5)).collect();
        let known =
            Known { last: Some(stored(0..10)), stored: here, running: text(0..10), ..Known::default() };
        assert_eq!(known.judge(&text(0..5), How::Replace, 20), Ok(()));
        assert!(known.is_removal(ip(7), &text(0..10), How::Merge));
        assert!(
            !known.is_removal(ip(2), &text(3..4), How::Merge),
            "a merge takes nothing away by not naming it"
        );
        assert!(known.is_removal(ip(2), &text(3..4), How::Replace));
    }

    #[test]
    fn neighbors_that_the_database_never_had_are_missed() {
        let last = Some(Sessions { stored: vec![ip(1)], others: (2..8).map(ip).collect() });
        let known = Known { last, running: text(1..8), ..Known::default() };
        assert!(known.judge(&text(1..2), How::Replace, 20).is_err());
        assert!(!known.is_removal(ip(3), &text(1..9), How::Replace));
        let deleted = (2..8).map(ip).collect();
        assert_eq!(Known { deleted, ..known }.judge(&text(1..2), How::Replace, 20), Ok(()));
    }

    #[test]
    fn neighbors_that_somebody_configured_since_are_missed_and_those_of_other_files_are_not() {
        let known = Known {
            last: Some(stored(0..2)),
            stored: (0..2).map(|last| (ip(last), true)).collect(),
            neighbors: text(0..10),
            running: text(0..10),
            ..Known::default()
        };
        let error = known.judge(&text(0..2), How::Replace, 20).unwrap_err();
        assert!(error.contains("lacks 8 of 10"), "{error}");
        assert!(known.is_removal(ip(5), &text(0..2), How::Replace));
        // They stand in another file, which is not replaced.
        let known = Known { running: text(0..2), ..known };
        assert_eq!(known.judge(&text(0..2), How::Replace, 20), Ok(()));
        assert!(!known.is_removal(ip(5), &text(0..2), How::Replace), "if it goes down, it is lost");
    }

    #[test]
    fn the_first_deployment_is_compared_with_the_router() {
        let neighbors = text(0..10);
        let stored: BTreeMap<IpAddr, bool> = (0..4).map(|last| (ip(last), true)).collect();
        let known = Known { stored, running: neighbors.clone(), neighbors, ..Known::default() };
        let error = known.judge(&text(0..4), How::Replace, 20).unwrap_err();
        assert!(error.contains("that the router has"), "{error}");
        // A part of a configuration says nothing of neighbours that others keep.
        assert_eq!(known.judge(&text(0..4), How::Merge, 20), Ok(()));
        assert!(known.judge(&text(0..1), How::Merge, 20).is_err());
        let found = known.sessions(&text(2..30));
        assert_eq!((found.stored, found.others), ((2..4).map(ip).collect(), (4..10).map(ip).collect()));
    }
}
