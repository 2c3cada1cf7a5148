//! Schedules: what is run by itself, when its next slot is, and what became of the earlier ones.
//!
//! A schedule is a row that names its next slot. Whoever wants to run that slot moves the row on to the following one with
//! [`claim`]; this one statement decides, so any number of processes may try. The [`slots`] row and the job belong into the
//! same transaction. This module knows neither cron expressions nor tasks: slots come in as times.

pub mod facts;
pub mod schedulers;
pub mod slots;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value as Json;

use crate::jobs::choices;
use crate::{Row, Session, StoreError, Value};

choices! {
    /// What becomes of slots that no scheduler was there for.
    Misfire {
        /// The latest one is run, once; those before it are recorded as missed.
        RunOnce = "run once",
        /// All are recorded as missed.
        Skip = "skip",
    }
}

/// What people decide about a schedule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Definition {
    /// What it is called; unique.
    pub name: String,
    /// The task's name.
    pub task: String,
    /// The task's arguments.
    pub arguments: Json,
    /// When, as a cron expression of five fields. Either this or `interval_seconds`.
    pub cron: Option<String>,
    /// Seconds from one slot to the next.
    pub interval_seconds: Option<i64>,
    /// The time zone of the cron expression, as an IANA name; `None` for that of the settings.
    pub time_zone: Option<String>,
    /// A slot is run up to so many seconds later.
    pub jitter_seconds: i64,
    /// Whether anything is run.
    pub enabled: bool,
    /// What becomes of slots that no scheduler was there for.
    pub misfire: Misfire,
    /// What must be true at the time of a slot, or it is skipped.
    pub conditions: Vec<String>,
}

/// A schedule as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Schedule {
    /// Number in this database.
    pub id: i64,
    /// What people decided about it.
    #[serde(flatten)]
    pub definition: Definition,
    /// The next slot that nobody has claimed; `None` before a scheduler has seen it, and of one that is not enabled.
    pub next_run: Option<DateTime<Utc>>,
    /// When that slot is to be claimed: the slot and its jitter.
    pub due: Option<DateTime<Utc>>,
    /// Slots count from here on; `None`: from the first time a scheduler sees it.
    pub counts_from: Option<DateTime<Utc>>,
    /// The last slot that was claimed, whatever became of it.
    pub last_slot: Option<DateTime<Utc>>,
    /// When a job was last put on the queue for it.
    pub last_run: Option<DateTime<Utc>>,
    /// The number of that job.
    pub last_job: Option<i64>,
    /// Why the last slot was not run; `None` if it was.
    pub note: Option<String>,
    /// Counts the changes that people make.
    pub revision: i64,
}

/// A slot, and when it is to be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The time that the schedule names.
    pub slot: DateTime<Utc>,
    /// The same and the jitter.
    pub due: DateTime<Utc>,
}

const SELECT: &str = "SELECT * FROM core_schedule";

/// All schedules, by name.
pub async fn list(session: &mut Session<'_>) -> Result<Vec<Schedule>, StoreError> {
    let rows = session.rows(&format!("{SELECT} ORDER BY name"), vec![]).await?;
    rows.iter().map(schedule_of).collect()
}

/// The schedule of this name.
pub async fn find(session: &mut Session<'_>, name: &str) -> Result<Option<Schedule>, StoreError> {
    let row = session.row(&format!("{SELECT} WHERE name = ?"), vec![name.into()]).await?;
    row.as_ref().map(schedule_of).transpose()
}

/// The columns of a definition, in the order of [`values`].
const COLUMNS: [&str; 10] = [
    "name",
    "task",
    "arguments",
    "cron",
    "interval_seconds",
    "time_zone",
    "jitter_seconds",
    "enabled",
    "misfire",
    "conditions",
];

fn values(definition: &Definition) -> Vec<Value> {
    vec![
        definition.name.as_str().into(),
        definition.task.as_str().into(),
        Value::json(&definition.arguments),
        definition.cron.clone().into(),
        definition.interval_seconds.into(),
        definition.time_zone.clone().into(),
        definition.jitter_seconds.into(),
        definition.enabled.into(),
        definition.misfire.as_str().into(),
        Value::json(&definition.conditions.clone().into()),
    ]
}

/// Makes a schedule whose slots count from now on, and gives its number.
///
/// # Errors
/// [`StoreError::Conflict`] for a name that is taken.
pub async fn insert(
    session: &mut Session<'_>,
    definition: &Definition,
    now: DateTime<Utc>,
) -> Result<i64, StoreError> {
    let sql = format!(
        "INSERT INTO core_schedule ({}, counts_from, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        COLUMNS.join(", ")
    );
    let mut values = values(definition);
    values.extend([now.into(), now.into()]);
    let row = session.row(&sql, values).await?;
    row.map_or_else(|| Err(StoreError::Data("the schedule was not recorded".into())), |row| row.get("id"))
}

/// Changes a schedule, unless somebody else did since it was read; says whether it did. With `anew` its slots are planned
/// anew and count from now on.
pub async fn update(
    session: &mut Session<'_>,
    known: &Schedule,
    definition: &Definition,
    anew: bool,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let planned = if anew { ", next_run = NULL, due = NULL, note = NULL, counts_from = ?" } else { "" };
    let sql = format!(
        "UPDATE core_schedule SET {} = ?, revision = revision + 1{planned} WHERE id = ? AND revision = ?",
        COLUMNS.join(" = ?, ")
    );
    let mut values = values(definition);
    values.extend(anew.then(|| now.into()));
    values.extend([known.id.into(), known.revision.into()]);
    Ok(session.execute(&sql, values).await? > 0)
}

/// Removes a schedule with what is known of its slots. Its jobs stay.
pub async fn delete(session: &mut Session<'_>, id: i64) -> Result<bool, StoreError> {
    Ok(session.execute("DELETE FROM core_schedule WHERE id = ?", vec![id.into()]).await? > 0)
}

/// Says what the next slot of a schedule is, instead of the one that was read; whether it was still that one.
pub async fn plan(session: &mut Session<'_>, known: &Schedule, next: Planned) -> Result<bool, StoreError> {
    let same = if known.next_run.is_some() { "next_run = ?" } else { "next_run IS NULL" };
    let sql = format!(
        "UPDATE core_schedule SET next_run = ?, due = ? WHERE id = ? AND revision = ? AND enabled AND {same}"
    );
    let mut values = vec![next.slot.into(), next.due.into(), known.id.into(), known.revision.into()];
    values.extend(known.next_run.map(Value::from));
    Ok(session.execute(&sql, values).await? > 0)
}

/// Claims the next slot of a schedule, and all slots up to `last`: the schedule goes on to the slot `next`. Whoever gets
/// `true` is the only one, and the schedule is still what was read. To be called first in the transaction that records
/// what becomes of those slots.
pub async fn claim(
    session: &mut Session<'_>,
    known: &Schedule,
    last: DateTime<Utc>,
    next: Option<Planned>,
) -> Result<bool, StoreError> {
    let Some(slot) = known.next_run else { return Ok(false) };
    let sql = "UPDATE core_schedule SET next_run = ?, due = ?, last_slot = ? \
               WHERE id = ? AND next_run = ? AND revision = ? AND enabled";
    let values = vec![
        next.map(|next| next.slot).into(),
        next.map(|next| next.due).into(),
        last.into(),
        known.id.into(),
        slot.into(),
        known.revision.into(),
    ];
    Ok(session.execute(sql, values).await? > 0)
}

/// Notes that the last slot was run, by which job.
pub async fn note_run(
    session: &mut Session<'_>,
    id: i64,
    job: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sql = "UPDATE core_schedule SET last_run = ?, last_job = ?, note = NULL WHERE id = ?";
    session.execute(sql, vec![now.into(), job.into(), id.into()]).await.map(drop)
}

/// Notes why the last slot was not run.
pub async fn note_why_not(session: &mut Session<'_>, id: i64, why: &str) -> Result<(), StoreError> {
    let sql = "UPDATE core_schedule SET note = ? WHERE id = ?";
    session.execute(sql, vec![why.into(), id.into()]).await.map(drop)
}

fn schedule_of(row: &Row) -> Result<Schedule, StoreError> {
    let misfire: String = row.get("misfire")?;
    let conditions = row.json("conditions")?.unwrap_or_default();
    let conditions = serde_json::from_value(conditions)
        .map_err(|error| StoreError::Data(format!("conditions of a schedule: {error}")))?;
    Ok(Schedule {
        id: row.get("id")?,
        definition: Definition {
            name: row.get("name")?,
            task: row.get("task")?,
            arguments: row.json("arguments")?.unwrap_or_default(),
            cron: row.get("cron")?,
            interval_seconds: row.get("interval_seconds")?,
            time_zone: row.get("time_zone")?,
            jitter_seconds: row.get("jitter_seconds")?,
            enabled: row.get("enabled")?,
            misfire: Misfire::parse(&misfire)
                .ok_or_else(|| StoreError::Data(format!("misfire rule {misfire} of a schedule")))?,
            conditions,
        },
        next_run: row.get("next_run")?,
        due: row.get("due")?,
        counts_from: row.get("counts_from")?,
        last_slot: row.get("last_slot")?,
        last_run: row.get("last_run")?,
        last_job: row.get("last_job")?,
        note: row.get("note")?,
        revision: row.get("revision")?,
    })
}
