//! What became of the slots of schedules.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::jobs::choices;
use crate::{Session, StoreError, Value};

choices! {
    /// What became of a slot.
    State {
        /// A job was put on the queue for it.
        Queued = "queued",
        /// A scheduler was there, and there was a reason not to run it.
        Skipped = "skipped",
        /// No scheduler was there in time.
        Missed = "missed",
    }
}

/// A slot that was claimed, or several that were missed one after the other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slot {
    /// The time that the schedule named; of several the first.
    pub slot: DateTime<Utc>,
    /// Of several the last; otherwise the same.
    pub last_slot: DateTime<Utc>,
    /// How many there are.
    pub slots: i64,
    /// What became of it.
    pub state: State,
    /// The job that was put on the queue.
    pub job_id: Option<i64>,
    /// Why it was not run.
    pub reason: Option<String>,
    /// When this was decided.
    pub recorded: DateTime<Utc>,
}

/// Rows that travel in one statement.
const CHUNK: usize = 100;

/// Records what became of slots, in the transaction that claimed them.
///
/// # Errors
/// [`StoreError::Conflict`] for a slot that is recorded already.
pub async fn record(session: &mut Session<'_>, schedule: i64, slots: &[Slot]) -> Result<(), StoreError> {
    for chunk in slots.chunks(CHUNK) {
        let mut values = Vec::with_capacity(chunk.len() * 8);
        for slot in chunk {
            values.extend([
                Value::from(schedule),
                slot.slot.into(),
                slot.last_slot.into(),
                slot.slots.into(),
                slot.state.as_str().into(),
                slot.job_id.into(),
                slot.reason.clone().into(),
                slot.recorded.into(),
            ]);
        }
        let sql = format!(
            "INSERT INTO core_scheduleslot (schedule_id, slot, last_slot, slots, state, job_id, reason, recorded) VALUES {}",
            vec!["(?, ?, ?, ?, ?, ?, ?, ?)"; chunk.len()].join(", ")
        );
        session.execute(&sql, values).await?;
    }
    Ok(())
}

/// A slot that a job was put on the queue for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The schedule's name.
    pub schedule: String,
    /// The time that it named.
    pub slot: DateTime<Utc>,
}

/// The slot that this job was put on the queue for; `None` for one that a person asked for.
pub async fn of_job(session: &mut Session<'_>, job: i64) -> Result<Option<Origin>, StoreError> {
    let sql = "SELECT s.name, c.slot FROM core_scheduleslot c JOIN core_schedule s ON s.id = c.schedule_id WHERE c.job_id = ?";
    let row = session.row(sql, vec![job.into()]).await?;
    row.map(|row| Ok(Origin { schedule: row.get("name")?, slot: row.get("slot")? })).transpose()
}

/// The newest slots of a schedule first, at most `limit`.
pub async fn list(session: &mut Session<'_>, schedule: i64, limit: i64) -> Result<Vec<Slot>, StoreError> {
    let sql = "SELECT * FROM core_scheduleslot WHERE schedule_id = ? ORDER BY slot DESC LIMIT ?";
    let rows = session.rows(sql, vec![schedule.into(), limit.into()]).await?;
    let slots = rows.iter().map(|row| {
        let state: String = row.get("state")?;
        Ok(Slot {
            slot: row.get("slot")?,
            last_slot: row.get("last_slot")?,
            slots: row.get("slots")?,
            state: State::parse(&state).ok_or_else(|| StoreError::Data(format!("slot state {state}")))?,
            job_id: row.get("job_id")?,
            reason: row.get("reason")?,
            recorded: row.get("recorded")?,
        })
    });
    slots.collect()
}
