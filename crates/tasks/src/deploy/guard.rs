//! What a configuration must have to be let near a router.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use pm_router::How;
use pm_store::deployments::Sessions;
use pm_store::statuses::Wish;

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
    /// Whether that was by the same template; if not, they are those of all other templates' last ones.
    pub is_own: bool,
    /// Sessions in the database, and what is to become of each on the router.
    pub stored: BTreeMap<IpAddr, Wish>,
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
        if let Some(wish) = self.stored.get(&address) {
            return *wish == Wish::Leaves;
        }
        // What the database had and has no more was deleted; what it never had is somebody else's.
        let had = |last: &Sessions| last.stored.contains(&address);
        self.deleted.contains(&address) || self.last.as_ref().is_some_and(had)
    }

    /// Whether the session may be down after a change by this configuration. One that is to be up may not, wherever it stands.
    pub fn may_end(&self, address: IpAddr, text: &BTreeSet<IpAddr>, how: How) -> bool {
        match self.stored.get(&address) {
            Some(Wish::Leaves | Wish::MayGoDown) => true,
            Some(Wish::Stays) => false,
            Some(Wish::NotYet) | None => self.unwanted(address) || self.goes(address, text, how),
        }
    }

    /// The sessions that this configuration takes from the router although they are to be up.
    pub fn taken(&self, text: &BTreeSet<IpAddr>, how: How) -> BTreeSet<IpAddr> {
        let stay = self.stored.iter().filter(|(_, wish)| **wish == Wish::Stays);
        stay.map(|(address, _)| *address).filter(|address| self.goes(*address, text, how)).collect()
    }

    /// Whether it stands in what runs and not in what takes its place.
    fn goes(&self, address: IpAddr, text: &BTreeSet<IpAddr>, how: How) -> bool {
        how == How::Replace && self.running.contains(&address) && !text.contains(&address)
    }

    /// Refuses a configuration that lacks too many sessions. One that takes the place of what runs is measured by the sessions
    /// in that, those of the last deployment and neighbours that somebody else configured alike. One that is merged takes
    /// nothing away by not naming it: it is measured by the last deployment by its template or, before the first, by those of all
    /// other templates and what of the router's neighbours is in the database. A session there that is not yet wanted counts like
    /// a neighbour that the database does not know.
    ///
    /// # Errors
    /// A sentence that names some of them.
    pub fn judge(&self, text: &BTreeSet<IpAddr>, how: How, percent: u8) -> Result<(), String> {
        let last = self.last.iter().flat_map(|last| last.stored.iter().chain(&last.others)).copied();
        let here = self.neighbors.iter().copied();
        let before: BTreeSet<IpAddr> = match how {
            How::Replace => last.chain(here).filter(|address| self.running.contains(address)).collect(),
            How::Merge if self.is_own => last.collect(),
            How::Merge => last.chain(here.filter(|address| self.is_ours(*address))).collect(),
        };
        let lacking: Vec<IpAddr> = before
            .iter()
            .filter(|address| !text.contains(address) && !self.unwanted(**address))
            .copied()
            .collect();
        if lacking.len() <= ALWAYS || lacking.len() * 100 <= usize::from(percent) * before.len() {
            return Ok(());
        }
        let of = match (how, &self.last) {
            (How::Merge, Some(_)) if self.is_own => "of its last deployment",
            (How::Merge, Some(_)) => "that the router has or was given by other templates",
            _ => "that the router has",
        };
        Err(format!(
            "the configuration lacks {} of {} sessions {of} ({}), and not because they, their connection, exchange or group \
             were disabled, or they were deleted; look at the template, or deploy with --force \
             (config_max_removed_percent is {percent})",
            lacking.len(),
            before.len(),
            some(&lacking)
        ))
    }

    /// Whether the database has it as a session that the router is to have.
    fn is_ours(&self, address: IpAddr) -> bool {
        self.stored.get(&address).is_some_and(|wish| *wish != Wish::NotYet)
    }
}

/// A few addresses, for a sentence.
pub fn some<'a>(addresses: impl IntoIterator<Item = &'a IpAddr>) -> String {
    let mut addresses = addresses.into_iter();
    let named: Vec<String> = addresses.by_ref().take(5).map(IpAddr::to_string).collect();
    let more = if addresses.next().is_some() { ", …" } else { "" };
    format!("{}{more}", named.join(", "))
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
        let here = (0..10).map(|last| (ip(last), Wish::Stays)).collect();
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
        let wish = |last| if last < 5 { Wish::Stays } else { Wish::Leaves };
        let here = (0..10).map(|last| (ip(last), wish(last))).collect();
        let known =
            Known { last: Some(stored(0..10)), stored: here, running: text(0..10), ..Known::default() };
        assert_eq!(known.judge(&text(0..5), How::Replace, 20), Ok(()));
        assert!(known.may_end(ip(7), &text(0..10), How::Merge));
        assert!(
            !known.may_end(ip(2), &text(3..4), How::Merge),
            "a merge takes nothing away by not naming it"
        );
        assert!(!known.may_end(ip(2), &text(3..4), How::Replace), "it is to be up");
        assert_eq!(known.taken(&text(3..4), How::Replace), [0, 1, 2, 4].map(ip).into());
        assert!(known.taken(&text(3..4), How::Merge).is_empty());
    }

    #[test]
    fn what_is_prepared_is_missed_like_what_the_database_does_not_know() {
        let stored = |wish| (0..10).map(|last| (ip(last), wish)).collect();
        let known = Known {
            stored: stored(Wish::NotYet),
            neighbors: text(0..10),
            running: text(0..10),
            ..Known::default()
        };
        assert!(known.judge(&text(0..1), How::Replace, 20).unwrap_err().contains("lacks 9 of 10"));
        // A merge takes nothing of it away, and a change that ends it was not meant to.
        assert_eq!(known.judge(&text(0..1), How::Merge, 20), Ok(()));
        assert!(!known.may_end(ip(5), &text(0..1), How::Merge));
        assert!(known.may_end(ip(9), &text(0..9), How::Replace), "as a neighbour that nobody entered here");
        assert!(known.taken(&text(0..9), How::Replace).is_empty());
        // What is worked on may be down, and is missed all the same.
        let known = Known { stored: stored(Wish::MayGoDown), ..known };
        assert!(known.judge(&text(0..1), How::Replace, 20).is_err());
        assert!(known.judge(&text(0..1), How::Merge, 20).is_err());
        assert!(known.may_end(ip(0), &text(0..10), How::Merge));
    }

    #[test]
    fn neighbors_that_the_database_never_had_are_missed() {
        let last = Some(Sessions { stored: vec![ip(1)], others: (2..8).map(ip).collect() });
        let known = Known { last, running: text(1..8), ..Known::default() };
        assert!(known.judge(&text(1..2), How::Replace, 20).is_err());
        assert!(!known.may_end(ip(3), &text(1..9), How::Replace));
        let deleted = (2..8).map(ip).collect();
        assert_eq!(Known { deleted, ..known }.judge(&text(1..2), How::Replace, 20), Ok(()));
    }

    #[test]
    fn neighbors_that_somebody_configured_since_are_missed_and_those_of_other_files_are_not() {
        let known = Known {
            last: Some(stored(0..2)),
            stored: (0..2).map(|last| (ip(last), Wish::Stays)).collect(),
            neighbors: text(0..10),
            running: text(0..10),
            ..Known::default()
        };
        let error = known.judge(&text(0..2), How::Replace, 20).unwrap_err();
        assert!(error.contains("lacks 8 of 10"), "{error}");
        assert!(known.may_end(ip(5), &text(0..2), How::Replace));
        // They stand in another file, which is not replaced.
        let known = Known { running: text(0..2), ..known };
        assert_eq!(known.judge(&text(0..2), How::Replace, 20), Ok(()));
        assert!(!known.may_end(ip(5), &text(0..2), How::Replace), "if it goes down, it is lost");
    }

    #[test]
    fn a_template_s_first_merge_is_measured_by_all_the_others_and_the_router() {
        let stored: BTreeMap<IpAddr, Wish> = (0..10).map(|last| (ip(last), Wish::Stays)).collect();
        let known = Known { stored, neighbors: text(5..10), ..Known::default() };
        // The other templates gave it next to nothing, or something else.
        for last in [Sessions::default(), super::tests::stored(0..1)] {
            let known = Known { last: Some(last), ..known.clone() };
            let error = known.judge(&text(9..10), How::Merge, 20).unwrap_err();
            assert!(error.contains("was given by other templates"), "{error}");
            assert_eq!(known.judge(&text(5..10), How::Merge, 20), Ok(()));
            // Its own last one is what it should have.
            let known = Known { is_own: true, ..known };
            assert_eq!(known.judge(&text(9..10), How::Merge, 20), Ok(()));
        }
    }

    #[test]
    fn the_first_deployment_is_compared_with_the_router() {
        let neighbors = text(0..10);
        let stored: BTreeMap<IpAddr, Wish> = (0..4).map(|last| (ip(last), Wish::Stays)).collect();
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
