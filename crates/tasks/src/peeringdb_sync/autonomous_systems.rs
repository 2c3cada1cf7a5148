//! After the cache: the autonomous systems we keep take name, AS-SET and prefix limits from their networks.

use std::collections::HashMap;

use pm_store::Session;
use pm_store::entities::autonomous_system::{self, AutonomousSystem, is_private};
use pm_store::peeringdb::lookup::{NetworkDetails, networks_of_own};

use crate::{TaskContext, TaskError};

/// What [`refresh`] did.
pub(crate) struct Refreshed {
    pub(crate) changed: u64,
    /// A sentence per autonomous system that changed.
    pub(crate) lines: Vec<String>,
}

/// Updates every autonomous system that PeeringDB can know, in the caller's transaction: two reads and one write
/// however many there are.
pub(crate) async fn refresh(
    context: &TaskContext,
    session: &mut Session<'_>,
) -> Result<Refreshed, TaskError> {
    let systems = autonomous_system::all_held(session).await?;
    // Where two records have a number, the one changed last wins: it comes last.
    let networks: HashMap<i64, NetworkDetails> =
        networks_of_own(session).await?.into_iter().map(|network| (network.asn, network)).collect();
    let (mut pairs, mut lines) = (Vec::new(), Vec::new());
    for before in systems.into_iter().filter(|system| !is_private(system.asn)) {
        let Some(network) = networks.get(&before.asn) else { continue };
        let (after, changes) = merge(&before, network);
        if !changes.is_empty() {
            lines.push(format!("AS{}: {}", before.asn, changes.join(", ")));
            pairs.push((before, after));
        }
    }
    autonomous_system::update(session, &context.author, &pairs, context.clock.now()).await?;
    Ok(Refreshed { changed: pairs.len() as u64, lines })
}

/// The system with what its network says, and what that changed. Nothing is taken that is empty, zero or null: a
/// network that has not filled in a field has not said that there is no limit.
pub fn merge(before: &AutonomousSystem, network: &NetworkDetails) -> (AutonomousSystem, Vec<String>) {
    let mut after = before.clone();
    let mut changes = Vec::new();
    let text = |value: &Option<String>| value.clone().filter(|text| !text.trim().is_empty());
    let count = |value: Option<i64>| value.filter(|count| *count > 0);
    if before.name_peeringdb_sync
        && let Some(name) = text(&network.name)
        && name != before.name
    {
        changes.push(format!("name {:?} → {name:?}", before.name));
        after.name = name;
    }
    if before.irr_as_set_peeringdb_sync
        && let Some(set) = text(&network.irr_as_set)
        && Some(&set) != before.irr_as_set.as_ref()
    {
        changes.push(format!("irr_as_set {:?} → {set:?}", before.irr_as_set.as_deref().unwrap_or_default()));
        after.irr_as_set = Some(set);
    }
    if before.ipv6_max_prefixes_peeringdb_sync
        && let Some(limit) = count(network.info_prefixes6)
        && Some(limit) != before.ipv6_max_prefixes
    {
        changes.push(format!("ipv6_max_prefixes {} → {limit}", before.ipv6_max_prefixes.unwrap_or_default()));
        after.ipv6_max_prefixes = Some(limit);
    }
    if before.ipv4_max_prefixes_peeringdb_sync
        && let Some(limit) = count(network.info_prefixes4)
        && Some(limit) != before.ipv4_max_prefixes
    {
        changes.push(format!("ipv4_max_prefixes {} → {limit}", before.ipv4_max_prefixes.unwrap_or_default()));
        after.ipv4_max_prefixes = Some(limit);
    }
    (after, changes)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn network() -> NetworkDetails {
        NetworkDetails {
            id: 1,
            asn: 3333,
            name: Some("RIPE NCC".into()),
            irr_as_set: Some("AS-RIPENCC".into()),
            info_prefixes4: Some(20),
            info_prefixes6: Some(10),
        }
    }

    fn system() -> AutonomousSystem {
        AutonomousSystem::new(3333, "old", DateTime::UNIX_EPOCH)
    }

    #[test]
    fn everything_is_taken_where_the_flags_are_on() {
        let (after, changes) = merge(&system(), &network());
        assert_eq!((after.name.as_str(), after.irr_as_set.as_deref()), ("RIPE NCC", Some("AS-RIPENCC")));
        assert_eq!((after.ipv4_max_prefixes, after.ipv6_max_prefixes), (Some(20), Some(10)));
        assert_eq!(changes.len(), 4);
        assert!(merge(&after, &network()).1.is_empty());
    }

    #[test]
    fn flags_that_are_off_keep_the_value() {
        let mut before = system();
        before.name_peeringdb_sync = false;
        before.irr_as_set_peeringdb_sync = false;
        before.ipv4_max_prefixes_peeringdb_sync = false;
        before.ipv6_max_prefixes_peeringdb_sync = false;
        assert_eq!(merge(&before, &network()), (before, vec![]));
    }

    #[test]
    fn empty_zero_and_null_overwrite_nothing() {
        let (before, _) = merge(&system(), &network());
        let empty = NetworkDetails {
            name: Some(" ".into()),
            irr_as_set: Some(String::new()),
            info_prefixes4: Some(0),
            info_prefixes6: None,
            ..network()
        };
        assert_eq!(merge(&before, &empty), (before, vec![]));
    }
}
