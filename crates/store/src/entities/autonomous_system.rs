//! Autonomous systems: the networks to peer with, and one's own.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use super::entity;
use crate::changes::{self, Action, Author, Change};
use crate::database::placeholders;
use crate::{Engine, Session, Store, StoreError, Value};

entity! {
    /// A network to peer with, or one's own. What IRR databases say about it is in [`crate::irr`] and is not loaded
    /// with it.
    AutonomousSystem, "peering.autonomoussystem", "peering_autonomoussystem" {
        /// One line about it.
        description: String,
        /// Markdown about it.
        comments: String,
        /// Values for templates that hold for this object only.
        local_context_data: Option<Json>,
        /// AS number, 1 to 4294967295, unique.
        asn: i64,
        /// The network's name.
        name: String,
        /// Whether a synchronisation with PeeringDB may change the name.
        name_peeringdb_sync: bool,
        /// AS-SET or several, as people write it; empty stands for the AS itself.
        irr_as_set: Option<String>,
        /// Whether a synchronisation with PeeringDB may change the AS-SET.
        irr_as_set_peeringdb_sync: bool,
        /// Most IPv6 prefixes to accept from it.
        ipv6_max_prefixes: Option<i64>,
        /// Whether a synchronisation with PeeringDB may change the IPv6 limit.
        ipv6_max_prefixes_peeringdb_sync: bool,
        /// Most IPv4 prefixes to accept from it.
        ipv4_max_prefixes: Option<i64>,
        /// Whether a synchronisation with PeeringDB may change the IPv4 limit.
        ipv4_max_prefixes_peeringdb_sync: bool,
        /// Whether IRR prefixes are fetched.
        retrieve_prefixes: bool,
        /// Whether the AS list is fetched.
        retrieve_as_list: bool,
        /// IRR sources in place of the configured ones, comma separated.
        irr_sources_override: String,
        /// Arguments of the IPv6 prefix query in place of the configured ones.
        irr_ipv6_prefixes_args_override: String,
        /// Arguments of the IPv4 prefix query in place of the configured ones.
        irr_ipv4_prefixes_args_override: String,
        /// Whether it is one's own.
        affiliated: bool,
    }
}

/// ASNs that are not unique in the world, or not anybody's: the original's list (IANA's special-purpose AS numbers,
/// RFC 7249, RFC 5398, RFC 6996, and the block 65552-131071 that IANA reserves).
const PRIVATE: &[(i64, i64)] = &[
    (0, 0),
    (23_456, 23_456),
    (64_496, 64_511),
    (64_512, 65_534),
    (65_535, 65_535),
    (65_536, 65_551),
    (65_552, 131_071),
    (4_200_000_000, 4_294_967_294),
    (4_294_967_295, 4_294_967_295),
];

/// Whether PeeringDB can know nothing about this AS number.
pub fn is_private(asn: i64) -> bool {
    PRIVATE.iter().any(|(first, last)| (*first..=*last).contains(&asn))
}

impl AutonomousSystem {
    /// One with the given number and name and every other field at its default.
    pub fn new(asn: i64, name: &str, now: DateTime<Utc>) -> Self {
        Self {
            id: 0,
            created: now,
            updated: now,
            description: String::new(),
            comments: String::new(),
            local_context_data: None,
            asn,
            name: name.to_owned(),
            name_peeringdb_sync: true,
            irr_as_set: None,
            irr_as_set_peeringdb_sync: true,
            ipv6_max_prefixes: Some(0),
            ipv6_max_prefixes_peeringdb_sync: true,
            ipv4_max_prefixes: Some(0),
            ipv4_max_prefixes_peeringdb_sync: true,
            retrieve_prefixes: true,
            retrieve_as_list: true,
            irr_sources_override: String::new(),
            irr_ipv6_prefixes_args_override: String::new(),
            irr_ipv4_prefixes_args_override: String::new(),
            affiliated: false,
        }
    }

    /// What a person calls it.
    pub fn display(&self) -> String {
        format!("AS{} - {}", self.asn, self.name)
    }
}

/// All of them, by AS number.
pub async fn all(session: &mut Session<'_>) -> Result<Vec<AutonomousSystem>, StoreError> {
    select_all(session, "").await
}

/// All of them, by AS number, held still until the transaction ends, so that nobody's edit is overwritten unseen.
pub async fn all_held(session: &mut Session<'_>) -> Result<Vec<AutonomousSystem>, StoreError> {
    // A SQLite transaction that writes is alone anyway.
    let clause = if session.engine() == Engine::Postgres { " FOR UPDATE" } else { "" };
    select_all(session, clause).await
}

async fn select_all(session: &mut Session<'_>, clause: &str) -> Result<Vec<AutonomousSystem>, StoreError> {
    let sql = format!("SELECT id, {} FROM {} ORDER BY asn{clause}", columns(), AutonomousSystem::TABLE);
    session.rows(&sql, vec![]).await?.iter().map(AutonomousSystem::from_row).collect()
}

/// Those of the given numbers that exist, by AS number.
pub async fn by_asns(session: &mut Session<'_>, asns: &[i64]) -> Result<Vec<AutonomousSystem>, StoreError> {
    let mut found = Vec::new();
    for chunk in asns.chunks(1000) {
        let sql = format!(
            "SELECT id, {} FROM {} WHERE asn IN ({}) ORDER BY asn",
            columns(),
            AutonomousSystem::TABLE,
            placeholders(chunk.len())
        );
        for row in session.rows(&sql, chunk.iter().map(|asn| Value::from(*asn)).collect()).await? {
            found.push(AutonomousSystem::from_row(&row)?);
        }
    }
    Ok(found)
}

/// Adds new ones and logs each, all or none. Their numbers are given by the database.
///
/// # Errors
/// [`StoreError::Conflict`] when one of the AS numbers exists.
pub async fn create(
    store: &Store,
    author: &Author,
    objects: Vec<AutonomousSystem>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    let mut session = transaction.session();
    let row = format!("({})", placeholders(AutonomousSystem::COLUMNS.len()));
    for chunk in objects.chunks(200) {
        let sql = format!(
            "INSERT INTO {} ({}) VALUES {} RETURNING id, asn",
            AutonomousSystem::TABLE,
            columns(),
            vec![row.as_str(); chunk.len()].join(", ")
        );
        let values = chunk.iter().flat_map(AutonomousSystem::values).collect();
        let numbered = session.rows(&sql, values).await.map_err(|error| match error {
            StoreError::Conflict(_) => {
                StoreError::Conflict("one of these AS numbers exists already".to_owned())
            }
            other => other,
        })?;
        let mut log = Vec::with_capacity(chunk.len());
        for row in &numbered {
            let asn: i64 = row.get("asn")?;
            let Some(object) = chunk.iter().find(|object| object.asn == asn) else { continue };
            log.push(Change {
                action: Action::Create,
                model: AutonomousSystem::MODEL,
                object_id: row.get("id")?,
                object_repr: object.display(),
                before: None,
                after: Some(object.snapshot()),
            });
        }
        changes::record(&mut session, author, &log, now).await?;
    }
    transaction.commit().await
}

/// Stores changed objects and logs each with its state before and after. Pairs are (before, after).
pub async fn update(
    session: &mut Session<'_>,
    author: &Author,
    pairs: &[(AutonomousSystem, AutonomousSystem)],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let assignments: Vec<String> =
        AutonomousSystem::COLUMNS.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    let width = AutonomousSystem::COLUMNS.len() + 1;
    let mut log = Vec::with_capacity(pairs.len());
    for chunk in pairs.chunks(200) {
        let mut values = Vec::with_capacity(chunk.len() * width);
        for (before, after) in chunk {
            values.push(after.id.into());
            values.extend(AutonomousSystem { updated: now, ..after.clone() }.values());
            log.push(Change {
                action: Action::Update,
                model: AutonomousSystem::MODEL,
                object_id: after.id,
                object_repr: after.display(),
                before: Some(before.snapshot()),
                after: Some(after.snapshot()),
            });
        }
        let row = format!("({})", placeholders(width));
        let sql = format!(
            "INSERT INTO {} (id, {}) VALUES {} ON CONFLICT (id) DO UPDATE SET {}",
            AutonomousSystem::TABLE,
            columns(),
            vec![row.as_str(); chunk.len()].join(", "),
            assignments.join(", ")
        );
        session.execute(&sql, values).await?;
    }
    changes::record(session, author, &log, now).await
}

fn columns() -> String {
    AutonomousSystem::COLUMNS.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_numbers_are_known() {
        for asn in
            [0, 23_456, 64_496, 64_512, 65_534, 65_535, 65_536, 65_552, 131_071, 4_200_000_000, 4_294_967_295]
        {
            assert!(is_private(asn), "{asn}");
        }
        for asn in [1, 64_495, 131_072, 4_199_999_999] {
            assert!(!is_private(asn), "{asn}");
        }
    }
}
