//! What becomes of a slot: one transaction.

use chrono::{DateTime, TimeDelta, Utc};
use pm_store::events::{self, EventKind, NewEvent};
use pm_store::schedules::slots::{self, Slot, State};
use pm_store::schedules::{self, Misfire, Schedule, facts};
use pm_store::{Session, Store, StoreError};
use serde_json::json;

use super::conditions::Condition;
use super::going_on::going_on;
use super::timing::Timing;
use crate::AnyTask;
use crate::queue::{EnqueueError, Origin, Priority, enqueue_in};

/// How late a slot may be run under the rule `skip`: a scheduler that was started anew, or a database that was away for a
/// moment, is no reason to leave a run out.
pub const GRACE: TimeDelta = TimeDelta::minutes(5);

/// As many missed slots get a row each; more of them share one.
const ROWS: usize = 50;

const NOBODY: &str = "no scheduler was at work then";

/// A schedule whose time has come, read and understood.
pub(crate) struct Due<'a> {
    pub(crate) schedule: &'a Schedule,
    pub(crate) timing: &'a Timing,
    pub(crate) task: &'a AnyTask,
    pub(crate) conditions: &'a [Condition],
}

/// The times that count for it.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// What time it is for schedules.
    pub(crate) schedules: DateTime<Utc>,
    /// What time it is for everything else.
    pub(crate) clock: DateTime<Utc>,
    /// How long somebody who has given no sign of life counts as alive.
    pub(crate) lease: TimeDelta,
    /// How long a synchronisation with PeeringDB has to be ago, by the clock.
    pub(crate) between_synchronisations: TimeDelta,
}

/// What was done about a slot.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Taken {
    /// Somebody else was faster.
    ByOthers,
    /// This job will do it.
    Queued(i64),
    /// It was not run, for this reason.
    NotRun(State, String),
}

/// Claims the slots of a schedule whose time has come, runs the latest, and records what became of each.
pub(crate) async fn take(store: &Store, due: &Due<'_>, times: Times) -> Result<Taken, StoreError> {
    let schedule = due.schedule;
    let Some(first) = schedule.next_run else { return Ok(Taken::ByOthers) };
    let reached = due.timing.reached(schedule.id, first, times.schedules);
    let latest = reached.slots.last().copied().unwrap_or(first);
    let mut transaction = store.begin().await?;
    let mut session = transaction.session();
    if !schedules::claim(&mut session, schedule, latest, reached.next).await? {
        transaction.rollback().await?;
        return Ok(Taken::ByOthers);
    }
    let late = times.schedules - due.timing.planned(schedule.id, latest).due;
    let too_late = schedule.definition.misfire == Misfire::Skip && late > GRACE;
    let taken = if too_late || reached.more {
        let why = NOBODY.to_owned();
        not_run(&mut session, schedule, &reached.slots, State::Missed, &why, times.clock).await?;
        Taken::NotRun(State::Missed, why)
    } else {
        let missed = &reached.slots[..reached.slots.len() - 1];
        not_run(&mut session, schedule, missed, State::Missed, NOBODY, times.clock).await?;
        run(&mut session, due, latest, times).await?
    };
    transaction.commit().await?;
    Ok(taken)
}

/// Runs a slot, or records why not.
async fn run(
    session: &mut Session<'_>,
    due: &Due<'_>,
    slot: DateTime<Utc>,
    times: Times,
) -> Result<Taken, StoreError> {
    let schedule = due.schedule;
    match queue(session, due, times).await? {
        Ok(job) => {
            let row = Slot {
                slot,
                last_slot: slot,
                slots: 1,
                state: State::Queued,
                job_id: Some(job),
                reason: None,
                recorded: times.clock,
            };
            slots::record(session, schedule.id, &[row]).await?;
            schedules::note_run(session, schedule.id, job, times.clock).await?;
            events::add_in(session, &[ran(schedule, job)], times.clock).await?;
            Ok(Taken::Queued(job))
        }
        Err(why) => {
            not_run(session, schedule, &[slot], State::Skipped, &why, times.clock).await?;
            Ok(Taken::NotRun(State::Skipped, why))
        }
    }
}

/// Puts a slot's job on the queue, or says why not.
async fn queue(
    session: &mut Session<'_>,
    due: &Due<'_>,
    times: Times,
) -> Result<Result<i64, String>, StoreError> {
    if let Some(why) = why_not(session, due, times).await? {
        return Ok(Err(why));
    }
    let origin = Origin { user_id: None, priority: Priority::Schedule };
    match enqueue_in(session, due.task, origin, times.clock).await {
        Ok(queued) if queued.joined => Ok(Err(format!("job {} waits with the same arguments", queued.job))),
        Ok(queued) => Ok(Ok(queued.job)),
        Err(EnqueueError::Store(error)) => Err(error),
        Err(error @ EnqueueError::Unfit { .. }) => Ok(Err(error.to_string())),
    }
}

async fn why_not(
    session: &mut Session<'_>,
    due: &Due<'_>,
    times: Times,
) -> Result<Option<String>, StoreError> {
    if let Some(why) = going_on(session, due.schedule, due.task, times.lease, times.clock).await? {
        return Ok(Some(why));
    }
    if let AnyTask::PeeringdbSync(_) = due.task
        && let Some(why) = synchronised(session, times).await?
    {
        return Ok(Some(why));
    }
    for condition in due.conditions {
        if let Some(why) = condition.why_not(session, times.clock).await? {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

/// Why PeeringDB is not to be asked yet: whoever asked for it, it was asked a short time ago, or is about to be.
async fn synchronised(session: &mut Session<'_>, times: Times) -> Result<Option<String>, StoreError> {
    let Some(asked) = facts::last_synchronisation(session).await? else { return Ok(None) };
    let job = asked.job;
    Ok(match asked.begun {
        None => Some(format!("job {job} waits and will synchronise")),
        Some(begun) if times.clock - begun < times.between_synchronisations => Some(format!(
            "the last synchronisation, job {job}, began at {}, less than an hour ago; PeeringDB asks for no more than one an hour",
            begun.format("%Y-%m-%d %H:%M UTC")
        )),
        Some(_) => None,
    })
}

/// Records that slots were not run, and why: every slot that was skipped or missed comes through here, in the transaction
/// that claimed it.
async fn not_run(
    session: &mut Session<'_>,
    schedule: &Schedule,
    times: &[DateTime<Utc>],
    state: State,
    why: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return Ok(()) };
    let row = |slot, last_slot, slots| Slot {
        slot,
        last_slot,
        slots,
        state,
        job_id: None,
        reason: Some(why.to_owned()),
        recorded: now,
    };
    let rows = if times.len() > ROWS {
        vec![row(*first, *last, i64::try_from(times.len()).unwrap_or(i64::MAX))]
    } else {
        times.iter().map(|slot| row(*slot, *slot, 1)).collect()
    };
    slots::record(session, schedule.id, &rows).await?;
    events::add_in(session, &[event(schedule, times, state, why)], now).await?;
    schedules::note_why_not(session, schedule.id, why).await
}

/// That the schedule is run again.
fn ran(schedule: &Schedule, job: i64) -> NewEvent {
    let definition = &schedule.definition;
    NewEvent {
        kind: EventKind::ScheduleRun,
        subject: subject(schedule),
        title: format!("the schedule {} was run", definition.name),
        message: String::new(),
        task: Some(definition.task.clone()),
        router: None,
        job: Some(job),
        data: json!({ "schedule": definition.name }),
    }
}

/// What an event about a schedule is about.
fn subject(schedule: &Schedule) -> String {
    format!("schedule {}", schedule.definition.name)
}

/// What people are told of slots that were not run.
fn event(schedule: &Schedule, times: &[DateTime<Utc>], state: State, why: &str) -> NewEvent {
    let definition = &schedule.definition;
    let shown = |time: &DateTime<Utc>| time.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    let when = match times {
        [one] => shown(one),
        several => {
            let last = several.last().map(shown).unwrap_or_default();
            format!("{} times up to {last}", several.len())
        }
    };
    NewEvent {
        kind: EventKind::ScheduleMissed,
        subject: subject(schedule),
        title: format!("the schedule {} was {}", definition.name, state.as_str()),
        message: format!("{} was not run at {when}: {why}.", definition.task),
        task: Some(definition.task.clone()),
        router: None,
        job: None,
        data: json!({ "schedule": definition.name, "state": state, "slots": times.iter().take(ROWS).collect::<Vec<_>>(), "reason": why }),
    }
}
