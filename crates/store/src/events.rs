//! What people may want to hear of, noted in the transaction in which it happens, and only if a rule wants it: whoever is
//! to be told is found out later, from these rows.
//!
//! Changes of objects are no events: webhooks get them from the change log, see [`crate::notifications`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::database::placeholders;
use crate::given::Given;
use crate::polls::{Polled, SessionKind, UNKNOWN, host};
use crate::schema::ColumnKind;
use crate::statuses::{Wish, inherited};
use crate::{Row, Session, Store, StoreError, Value};

/// Characters of a message that are kept.
const MESSAGE: usize = 4_000;
/// Characters of a subject that are kept: it is part of a key, and PostgreSQL takes keys of 2,700 octets.
const SUBJECT: usize = 500;

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum EventKind {
    /// A job did all that it was asked for, or there was nothing to do.
    #[serde(rename = "job completed")]
    JobCompleted,
    /// A job did part of it.
    #[serde(rename = "job partial")]
    JobPartial,
    /// A job could not do it, or broke.
    #[serde(rename = "job failed")]
    JobFailed,
    /// The process that ran a job vanished.
    #[serde(rename = "job lost")]
    JobLost,
    /// Somebody ended a job, or its lock was taken.
    #[serde(rename = "job cancelled")]
    JobCancelled,
    /// A session that should be there is not established any more.
    #[serde(rename = "session down")]
    SessionDown,
    /// A session came up.
    #[serde(rename = "session up")]
    SessionUp,
    /// A guard held something back, or refused it.
    #[serde(rename = "guard held")]
    GuardHeld,
    /// A schedule's time went by without a run: it was missed, or skipped for a reason.
    #[serde(rename = "schedule missed")]
    ScheduleMissed,
    /// What a guard had refused or held back went through. Nobody is told; it ends a trouble.
    #[serde(rename = "guard passed")]
    GuardPassed,
    /// A schedule was run. Nobody is told; it ends a trouble.
    #[serde(rename = "schedule run")]
    ScheduleRun,
}

impl EventKind {
    /// Those that somebody can be told of.
    pub const ALL: [Self; 9] = [
        Self::JobFailed,
        Self::JobPartial,
        Self::JobLost,
        Self::JobCancelled,
        Self::JobCompleted,
        Self::SessionDown,
        Self::SessionUp,
        Self::GuardHeld,
        Self::ScheduleMissed,
    ];

    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JobCompleted => "job completed",
            Self::JobPartial => "job partial",
            Self::JobFailed => "job failed",
            Self::JobLost => "job lost",
            Self::JobCancelled => "job cancelled",
            Self::SessionDown => "session down",
            Self::SessionUp => "session up",
            Self::GuardHeld => "guard held",
            Self::ScheduleMissed => "schedule missed",
            Self::GuardPassed => "guard passed",
            Self::ScheduleRun => "schedule run",
        }
    }

    /// The inverse of [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        let silent = [Self::GuardPassed, Self::ScheduleRun];
        Self::ALL.into_iter().chain(silent).find(|kind| kind.as_str() == text)
    }

    /// As [`Self::parse`], of those that somebody can be told of.
    pub fn told(text: &str) -> Option<Self> {
        Self::parse(text).filter(|kind| Self::ALL.contains(kind))
    }

    /// Whether it is bad news, of which equal ones are folded.
    pub const fn is_trouble(self) -> bool {
        !matches!(self, Self::JobCompleted | Self::SessionUp | Self::GuardPassed | Self::ScheduleRun)
    }

    /// The troubles of the same subject that are over when this happens.
    pub const fn ends(self) -> &'static [Self] {
        match self {
            Self::JobCompleted => {
                &[Self::JobPartial, Self::JobFailed, Self::JobLost, Self::JobCancelled, Self::GuardHeld]
            }
            Self::SessionUp => &[Self::SessionDown],
            Self::GuardPassed => &[Self::GuardHeld],
            Self::ScheduleRun => &[Self::ScheduleMissed],
            _ => &[],
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// What.
    pub kind: EventKind,
    /// What it is about; equal for troubles that are folded, and for what ends them.
    pub subject: String,
    /// One line that names the object, such as `session with AS64500 (192.0.2.1) on edge1 is down`.
    pub title: String,
    /// What is known of it; holds no secret.
    pub message: String,
    /// The task that it is about, for the filter of rules.
    pub task: Option<String>,
    /// The router that it is about, for the filter of rules.
    pub router: Option<String>,
    /// The job in which it happened.
    pub job: Option<i64>,
    /// The same for programs.
    pub data: Json,
}

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Its number.
    pub id: i64,
    /// When it happened.
    pub time: DateTime<Utc>,
    /// What happened.
    pub kind: EventKind,
    /// What it is about.
    pub subject: String,
    /// One line that names the object.
    pub title: String,
    /// What is known of it.
    pub message: String,
    /// The task that it is about.
    pub task: Option<String>,
    /// The router that it is about.
    pub router: Option<String>,
    /// The job in which it happened.
    pub job: Option<i64>,
    /// The same for programs.
    pub data: Json,
}

/// The condition that a rule asks for one of these kinds, or for what they end; and its values.
fn wanted(kinds: impl IntoIterator<Item = EventKind>) -> (String, Vec<Value>) {
    let all: BTreeSet<EventKind> =
        kinds.into_iter().flat_map(|kind| [kind].into_iter().chain(kind.ends().iter().copied())).collect();
    let each = vec!["r.events LIKE ?"; all.len()].join(" OR ");
    let sql = format!("EXISTS (SELECT 1 FROM extras_notificationrule r WHERE r.enabled AND ({each}))");
    (sql, all.into_iter().map(|kind| format!("%\"{}\"%", kind.as_str()).into()).collect())
}

/// Whether a rule wants to hear of one of these kinds, or has to know of it because it ends a trouble.
pub async fn is_wanted(session: &mut Session<'_>, kinds: &[EventKind]) -> Result<bool, StoreError> {
    if kinds.is_empty() {
        return Ok(false);
    }
    let (condition, values) = wanted(kinds.iter().copied());
    Ok(session.row(&format!("SELECT 1 AS one WHERE {condition}"), values).await?.is_some())
}

/// Notes events, in the caller's transaction, if a rule wants any of their kinds.
pub async fn add_in(
    session: &mut Session<'_>,
    events: &[NewEvent],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let kinds: Vec<EventKind> =
        events.iter().map(|event| event.kind).collect::<BTreeSet<_>>().into_iter().collect();
    if !is_wanted(session, &kinds).await? {
        return Ok(());
    }
    for chunk in events.chunks(100) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 9);
        for event in chunk {
            values.extend([
                now.into(),
                event.kind.as_str().into(),
                event.subject.chars().take(SUBJECT).collect::<String>().into(),
                event.title.as_str().into(),
                event.message.chars().take(MESSAGE).collect::<String>().into(),
                event.task.clone().into(),
                event.router.clone().into(),
                event.job.into(),
                Value::json(&event.data),
            ]);
        }
        let sql = format!(
            "INSERT INTO extras_event (time, kind, subject, title, message, task, router, job_id, data) VALUES {}",
            vec!["(?, ?, ?, ?, ?, ?, ?, ?, ?)"; chunk.len()].join(", ")
        );
        session.execute(&sql, values).await?;
    }
    Ok(())
}

/// Notes how these jobs ended, in the transaction that ends them: one statement for any number.
pub(crate) async fn jobs_ended(
    session: &mut Session<'_>,
    jobs: &[i64],
    kind: EventKind,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let (condition, wanted) = wanted([kind]);
    let ended = match kind {
        EventKind::JobCompleted => "completed",
        EventKind::JobPartial => "was done in part",
        EventKind::JobLost => "was lost",
        EventKind::JobCancelled => "was cancelled",
        EventKind::GuardHeld => "was refused by a guard",
        _ => "failed",
    };
    let sql = format!(
        "INSERT INTO extras_event (time, kind, subject, title, message, task, job_id, data) \
         SELECT ?, ?, SUBSTR('job ' || j.task || ' ' || j.arguments, 1, {SUBJECT}), \
         'job ' || CAST(j.id AS TEXT) || ' (' || j.task || ') {ended}', \
         SUBSTR(COALESCE(j.error, ''), 1, {MESSAGE}), j.task, j.id, '{{}}' \
         FROM core_job j WHERE j.id IN ({}) AND {condition}",
        placeholders(jobs.len())
    );
    let mut values = vec![now.into(), kind.as_str().into()];
    values.extend(jobs.iter().map(|id| Value::from(*id)));
    values.extend(wanted);
    session.execute(&sql, values).await.map(drop)
}

/// What a router says of a session, as far as it matters here.
const GIVEN: [(&str, ColumnKind); 3] =
    [("id", ColumnKind::Integer), ("state", ColumnKind::Text), ("error", ColumnKind::Text)];

/// Notes which sessions of a router went down or came up, before what it says of them is stored: it compares with what is
/// kept. A session that nobody knew the state of in between counts by the last state that was known. One statement if no rule
/// wants to hear of it.
pub async fn sessions_polled(
    session: &mut Session<'_>,
    polled: &BTreeMap<SessionKind, Vec<Polled>>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if !is_wanted(session, &[EventKind::SessionDown, EventKind::SessionUp]).await? {
        return Ok(());
    }
    let mut events = Vec::new();
    for (kind, polled) in polled.iter().filter(|(_, polled)| !polled.is_empty()) {
        for row in changed(session, *kind, polled).await? {
            events.extend(turned(*kind, &row)?);
        }
    }
    if events.is_empty() { Ok(()) } else { add_in(session, &events, now).await }
}

/// The sessions of one kind that are established now and were not, or the other way round.
async fn changed(
    session: &mut Session<'_>,
    kind: SessionKind,
    polled: &[Polled],
) -> Result<Vec<Row>, StoreError> {
    let rows = polled
        .iter()
        .filter_map(|one| Some([one.id.into(), one.state?.into(), one.last_error.clone().into()]));
    let given = Given::new(session.engine(), GIVEN, rows);
    let (table, column, joins, router) = (kind.table(), kind.column(), kind.connection(), kind.router());
    let was = format!(
        "CASE WHEN p.state <> '{UNKNOWN}' THEN p.state ELSE (SELECT h.state FROM peering_sessionsample h \
         WHERE h.{column} = g.id AND h.state <> '{UNKNOWN}' ORDER BY h.time DESC, h.id DESC LIMIT 1) END"
    );
    let sql = format!(
        "SELECT * FROM (SELECT s.id, s.ip_address, g.state, {was} AS was, g.error, a.asn, a.name, r.name AS router, {} AS status \
         FROM {} JOIN peering_sessionpoll p ON p.{column} = g.id JOIN {table} s ON s.id = g.id {joins} \
         JOIN peering_autonomoussystem a ON a.id = s.autonomous_system_id \
         JOIN devices_router r ON r.id = {router}) t \
         WHERE (t.was = 'established' AND t.state <> 'established') OR (t.was <> 'established' AND t.state = 'established') \
         ORDER BY t.id",
        inherited(kind),
        given.table()
    );
    session.rows(&sql, given.values()).await
}

/// What to tell of a session that is in another state than before; nothing of one that is not to be up.
fn turned(kind: SessionKind, row: &Row) -> Result<Option<NewEvent>, StoreError> {
    let id: i64 = row.get(0)?;
    let address: Option<IpAddr> = host(row, 1, || format!("the address of {} {id}", kind.table()))?;
    let address = address.map(|address| address.to_string()).unwrap_or_default();
    let (state, was): (String, String) = (row.get(2)?, row.get(3)?);
    let (error, asn, name): (Option<String>, i64, String) = (row.get(4)?, row.get(5)?, row.get(6)?);
    let (router, status): (String, String) = (row.get(7)?, row.get(8)?);
    let up = state == "established";
    if !up && !Wish::of(&status).is_wanted() {
        return Ok(None);
    }
    let what = if up { "is up" } else { "is down" };
    let why = error.as_deref().filter(|_| !up).map(|why| format!("; it says: {why}")).unwrap_or_default();
    Ok(Some(NewEvent {
        kind: if up { EventKind::SessionUp } else { EventKind::SessionDown },
        subject: format!("session {}:{id}", kind.as_str()),
        title: format!("session with AS{asn} {name} ({address}) on {router} {what}"),
        message: format!("It was {was} and is {state} now{why}."),
        task: None,
        router: Some(router.clone()),
        job: None,
        data: json!({
            "session": format!("{}:{id}", kind.as_str()), "asn": asn, "name": name, "ip_address": address,
            "router": router, "state": state, "was": was, "last_error": error,
        }),
    }))
}

/// Takes the oldest events that nobody has looked at, at most `limit`, in the caller's transaction: rolled back, they wait
/// again. On PostgreSQL others get none until it ends, so that events are looked at in order.
pub async fn take(
    session: &mut Session<'_>,
    limit: u32,
    now: DateTime<Utc>,
) -> Result<Vec<Event>, StoreError> {
    if session.engine() == crate::Engine::Postgres {
        let row = session.row("SELECT pg_try_advisory_xact_lock(7245)", vec![]).await?;
        if !row.is_some_and(|row| row.get(0).unwrap_or(false)) {
            return Ok(Vec::new());
        }
    }
    let sql = "UPDATE extras_event SET handled = ? WHERE id IN (SELECT id FROM extras_event WHERE handled IS NULL \
               ORDER BY id LIMIT ?) RETURNING *";
    let rows = session.rows(sql, vec![now.into(), limit.into()]).await?;
    let mut events = rows.iter().map(event_of).collect::<Result<Vec<_>, _>>()?;
    events.sort_by_key(|event| event.id);
    Ok(events)
}

/// Whether events wait. It only reads.
pub async fn wait(session: &mut Session<'_>) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS one FROM extras_event WHERE handled IS NULL LIMIT 1";
    Ok(session.row(sql, vec![]).await?.is_some())
}

/// How many events wait, and when the first of them happened.
pub async fn waiting(store: &Store) -> Result<(i64, Option<DateTime<Utc>>), StoreError> {
    waiting_in(&mut store.connection().await?.session()).await
}

pub(crate) async fn waiting_in(
    session: &mut Session<'_>,
) -> Result<(i64, Option<DateTime<Utc>>), StoreError> {
    let sql = "SELECT COUNT(*), MIN(time) FROM extras_event WHERE handled IS NULL";
    let row = session.row(sql, vec![]).await?;
    row.map_or(Ok((0, None)), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// The event with this number.
pub async fn get(session: &mut Session<'_>, id: i64) -> Result<Option<Event>, StoreError> {
    let row = session.row("SELECT * FROM extras_event WHERE id = ?", vec![id.into()]).await?;
    row.as_ref().map(event_of).transpose()
}

fn event_of(row: &Row) -> Result<Event, StoreError> {
    let kind: String = row.get("kind")?;
    Ok(Event {
        id: row.get("id")?,
        time: row.get("time")?,
        kind: EventKind::parse(&kind).ok_or_else(|| StoreError::Data(format!("kind of event {kind}")))?,
        subject: row.get("subject")?,
        title: row.get("title")?,
        message: row.get("message")?,
        task: row.get("task")?,
        router: row.get("router")?,
        job: row.get("job_id")?,
        data: row.json("data")?.unwrap_or_default(),
    })
}
