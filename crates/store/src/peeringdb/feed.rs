//! What a synchronisation brings: rows, in one of two feeds, and the rule of which row wins against the cache's.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use xxhash_rust::xxh3::Xxh3;

use super::tables::CacheTable;
use crate::Value;
use crate::schema::ColumnKind;

/// Status of a tombstone.
pub const DELETED: &str = "deleted";
/// Status of a record that is there to be used.
pub const LIVE: &str = "ok";

/// One record on its way into the cache.
#[derive(Clone, Debug)]
pub struct CacheRow {
    /// PeeringDB's id.
    pub id: i64,
    /// `ok`, `pending`, `deleted`, or whatever else was sent.
    pub status: String,
    /// When it was made, as PeeringDB says.
    pub created: DateTime<Utc>,
    /// When it was last changed, as PeeringDB says.
    pub updated: DateTime<Utc>,
    /// What has no column or does not fit one, as JSON.
    pub extra: Option<String>,
    /// One value per column of the table, in its order.
    pub values: Vec<Value>,
}

impl CacheRow {
    /// A number that differs when anything differs; the same on every machine and release.
    pub(crate) fn hash(&self) -> i64 {
        let mut hash = Xxh3::new();
        hash.update(self.status.as_bytes());
        hash.update(&self.created.timestamp_micros().to_le_bytes());
        hash.update(&self.updated.timestamp_micros().to_le_bytes());
        hash.update(self.extra.as_deref().unwrap_or_default().as_bytes());
        for value in &self.values {
            match value {
                Value::Integer(Some(v)) => hash.update(&v.to_le_bytes()),
                Value::Boolean(Some(v)) => hash.update(&[1, u8::from(*v)]),
                Value::Float(Some(v)) => hash.update(&v.to_le_bytes()),
                Value::Text(Some(v)) => hash.update(v.as_bytes()),
                Value::Time(Some(v)) => hash.update(&v.timestamp_micros().to_le_bytes()),
                Value::Bytes(Some(v)) => hash.update(v),
                _ => hash.update(&[0]),
            }
            // A separator that no UTF-8 text holds, so that neighbouring values cannot trade octets.
            hash.update(&[0xff]);
        }
        hash.digest().cast_signed()
    }
}

/// What a staged table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feed {
    /// What changed since a time, tombstones included.
    Changes,
    /// Everything that is live.
    Snapshot,
}

impl Feed {
    pub(crate) fn stage_name(self, table: &CacheTable) -> String {
        let feed = match self {
            Self::Changes => "changes",
            Self::Snapshot => "snapshot",
        };
        format!("stage_{feed}_{}", table.namespace)
    }
}

/// A staged feed, and what is known about it.
#[derive(Clone, Copy, Debug)]
pub struct Taking {
    /// Which one.
    pub feed: Feed,
    /// When it was made, by PeeringDB's clock; `None` where that is not known.
    pub moment: Option<DateTime<Utc>>,
    /// Our own time, by which a row's time can be seen to be impossible.
    pub now: DateTime<Utc>,
    /// Whether every element could be read. If not, what a snapshot lacks says nothing.
    pub complete: bool,
}

impl Taking {
    /// Whether a staged row takes the place of the cache's row: it is as new or newer. A row whose time could not be
    /// read ([`DateTime::UNIX_EPOCH`] stands in) is the newest that is known, and what a snapshot shows is how things
    /// stood at its moment, even where a time was turned back.
    pub(crate) fn wins(self, held: &CacheRow, staged: &CacheRow) -> bool {
        staged.updated >= held.updated
            || staged.updated == DateTime::UNIX_EPOCH
            || self.impossible(held)
            || self.settled(held)
    }

    /// Whether a row of the cache goes because a snapshot lacks it. One that changed after the snapshot was made may
    /// be missing from it without being gone, and only live records are listed.
    pub(crate) fn removes_absent(self, held: &CacheRow) -> bool {
        self.feed == Feed::Snapshot
            && self.complete
            && held.status == LIVE
            && (self.moment.is_none() || self.settled(held) || self.impossible(held))
    }

    /// The snapshot was made after the row was last changed.
    fn settled(self, held: &CacheRow) -> bool {
        self.feed == Feed::Snapshot && self.moment.is_some_and(|moment| held.updated <= moment)
    }

    /// The row claims to have been changed more than a day from now; it is not believed, or it would stay for ever.
    fn impossible(self, held: &CacheRow) -> bool {
        held.updated > self.tomorrow()
    }

    fn tomorrow(self) -> DateTime<Utc> {
        self.now.checked_add_signed(TimeDelta::days(1)).unwrap_or(self.now)
    }

    /// [`Self::wins`] as a condition on the staged row `s` and the cache's row `t`.
    pub(super) fn wins_sql(self, t: &str) -> String {
        let newer = format!("s.updated >= {t}.updated OR s.updated = {}", literal(DateTime::UNIX_EPOCH));
        match (self.feed, self.moment) {
            (Feed::Snapshot, Some(moment)) => {
                format!("({newer} OR {} OR {t}.updated <= {})", self.impossible_sql(t), literal(moment))
            }
            _ => format!("({newer} OR {})", self.impossible_sql(t)),
        }
    }

    fn impossible_sql(self, t: &str) -> String {
        format!("{t}.updated > {}", literal(self.tomorrow()))
    }

    /// Condition on `t`, a row of the cache, that is true when the feed removes it.
    pub(super) fn going_sql(self, table: &CacheTable) -> String {
        let stage = self.feed.stage_name(table);
        let deleted = format!(
            "t.id IN (SELECT s.id FROM {stage} s JOIN {} h ON h.id = s.id WHERE s.status = '{DELETED}' AND {})",
            table.table,
            self.wins_sql("h")
        );
        if self.feed == Feed::Changes || !self.complete {
            return deleted;
        }
        let absent =
            format!("t.status = '{LIVE}' AND NOT EXISTS (SELECT 1 FROM {stage} s WHERE s.id = t.id)");
        let settled = self.moment.map_or_else(String::new, |moment| {
            format!(" AND (t.updated <= {} OR {})", literal(moment), self.impossible_sql("t"))
        });
        format!("({deleted} OR {absent}{settled})")
    }

    /// Condition on `t` that is true when the feed takes it out of sight without removing it.
    pub(super) fn hiding_sql(self, table: &CacheTable) -> String {
        format!(
            "t.status = '{LIVE}' AND t.id IN (SELECT s.id FROM {} s JOIN {} h ON h.id = s.id \
             WHERE s.status NOT IN ('{LIVE}', '{DELETED}') AND {})",
            self.feed.stage_name(table),
            table.table,
            self.wins_sql("h")
        )
    }
}

/// A time as both engines read it in a statement; for SQLite it is the text that is stored.
fn literal(time: DateTime<Utc>) -> String {
    format!("'{}'", time.to_rfc3339_opts(SecondsFormat::AutoSi, false))
}

/// The column's place after [`super::tables::COMMON`] in a row's values.
pub fn place_of(table: &CacheTable, column: &str) -> Option<usize> {
    table.columns.iter().position(|candidate| candidate.name == column)
}

/// A NULL that fits the column.
pub fn null_of(kind: ColumnKind) -> Value {
    match kind {
        ColumnKind::Integer => Value::Integer(None),
        ColumnKind::Boolean => Value::Boolean(None),
        ColumnKind::Float => Value::Float(None),
        ColumnKind::Text | ColumnKind::Json => Value::Text(None),
        ColumnKind::Time => Value::Time(None),
        ColumnKind::Address => Value::Bytes(None),
    }
}
