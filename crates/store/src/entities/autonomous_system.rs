//! Autonomous systems: the networks to peer with, and one's own.

use chrono::{DateTime, Utc};

pub use crate::objects::models::autonomous_system::AutonomousSystem;

use crate::changes::Author;
use crate::database::placeholders;
use crate::objects::problems::{ObjectError, Rules};
use crate::objects::secrets::Keyring;
use crate::objects::write::{self, Writing};
use crate::{Engine, Session, Store, StoreError, Value};

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
    let drafts: Vec<_> = objects.iter().map(AutonomousSystem::draft).collect();
    let keyring = Keyring::empty();
    write::create(&mut transaction.session(), writing(author, now, &keyring), &drafts)
        .await
        .map_err(store_error)?;
    transaction.commit().await
}

/// Stores what changed and logs it. Pairs are (before, after); fields that are the same in both stay what they are in the
/// database.
pub async fn update(
    session: &mut Session<'_>,
    author: &Author,
    pairs: &[(AutonomousSystem, AutonomousSystem)],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let drafts: Vec<_> = pairs
        .iter()
        .map(|(before, after)| (after.id, after.draft().without_those_of(&before.draft())))
        .collect();
    let keyring = Keyring::empty();
    write::update(session, writing(author, now, &keyring), &drafts).await.map(drop).map_err(store_error)
}

/// What tasks find out by themselves is stored as it is: a name that PeeringDB has made too long for us does not keep a
/// synchronisation from ending.
fn writing<'a>(author: &'a Author, now: DateTime<Utc>, keyring: &'a Keyring) -> Writing<'a> {
    Writing { author, now, keyring, rules: Rules::FEWEST }
}

fn store_error(error: ObjectError) -> StoreError {
    match error {
        ObjectError::Store(error) => error,
        ObjectError::Invalid(_) => StoreError::Conflict(error.to_string()),
        other => StoreError::Data(other.to_string()),
    }
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
