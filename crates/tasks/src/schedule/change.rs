//! How people change schedules.

use chrono::{DateTime, Utc};
use pm_store::changes::{self, Action, Author, Change};
use pm_store::queue::Queued;
use pm_store::schedules::{self, Definition, Misfire, Schedule};
use pm_store::{Session, Store, StoreError};
use serde_json::{Value as Json, json};

use super::check::checked;
use super::conditions::Condition;
use crate::AnyTask;
use crate::queue::{self, EnqueueError, Origin, Priority, enqueue_in};

/// Why a schedule is not what it was asked to be.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// A field is wrong; nothing was changed.
    #[error("{field}: {message}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it, and what would be right.
        message: String,
    },
    /// There is none of this name.
    #[error("there is no schedule {0}; `peering-manager schedule list` lists them")]
    Unknown(String),
    /// Somebody else was at it at the same time.
    #[error("the schedule {0} was changed by somebody else meanwhile; look at it and try again")]
    Changed(String),
    /// Its task is not put on the queue.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// When a schedule's slots are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// A cron expression of five fields.
    Cron(String),
    /// So many seconds from one slot to the next.
    Interval(i64),
}

/// What is to be changed of a schedule, or what a new one is to be. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch {
    /// The task's name; of a new schedule by default the schedule's.
    pub task: Option<String>,
    /// The task's arguments, all of them.
    pub arguments: Option<Json>,
    /// When; a new schedule needs it.
    pub when: Option<When>,
    /// The time zone; `Some(None)` for that of the settings.
    pub time_zone: Option<Option<String>>,
    /// Seconds that a slot may be run later.
    pub jitter: Option<i64>,
    /// Whether anything is run; a new schedule is.
    pub enabled: Option<bool>,
    /// What becomes of slots that no scheduler was there for.
    pub misfire: Option<Misfire>,
    /// What must be true, all of it.
    pub conditions: Option<Vec<String>>,
}

impl Patch {
    fn onto(self, name: &str, known: Option<&Definition>) -> Result<Definition, ScheduleError> {
        let mut definition = match known {
            Some(known) => known.clone(),
            None if self.when.is_none() => {
                let message = format!(
                    "a new schedule needs a cron expression or an interval, and there is no {name} yet"
                );
                return Err(ScheduleError::Field { field: "cron", message });
            }
            None => fresh(name),
        };
        if let Some(task) = self.task {
            if task != definition.task {
                definition.arguments = json!({});
            }
            definition.task = task;
        }
        if let Some(arguments) = self.arguments {
            definition.arguments = arguments;
        }
        match self.when {
            Some(When::Cron(cron)) => (definition.cron, definition.interval_seconds) = (Some(cron), None),
            Some(When::Interval(seconds)) => {
                (definition.cron, definition.interval_seconds) = (None, Some(seconds));
            }
            None => {}
        }
        definition.time_zone = self.time_zone.unwrap_or(definition.time_zone);
        definition.jitter_seconds = self.jitter.unwrap_or(definition.jitter_seconds);
        definition.enabled = self.enabled.unwrap_or(definition.enabled);
        definition.misfire = self.misfire.unwrap_or(definition.misfire);
        definition.conditions = self.conditions.unwrap_or(definition.conditions);
        Ok(definition)
    }
}

fn fresh(name: &str) -> Definition {
    Definition {
        name: name.to_owned(),
        task: name.to_owned(),
        arguments: json!({}),
        cron: None,
        interval_seconds: None,
        time_zone: None,
        jitter_seconds: 0,
        enabled: true,
        misfire: Misfire::RunOnce,
        conditions: Vec::new(),
    }
}

/// Makes or changes the schedule of this name, and gives it as it is then, and whether anything changed. `time_zone` is the
/// one of the settings.
pub async fn set(
    store: &Store,
    author: &Author,
    name: &str,
    patch: Patch,
    time_zone: &str,
    now: DateTime<Utc>,
) -> Result<(Schedule, bool), ScheduleError> {
    let mut transaction = store.begin().await?;
    let mut session = transaction.session();
    let known = schedules::find(&mut session, name).await?;
    let definition = checked(patch.onto(name, known.as_ref().map(|known| &known.definition))?, time_zone)?;
    named(&mut session, &definition).await?;
    let changed = known.as_ref().is_none_or(|known| known.definition != definition);
    match &known {
        _ if !changed => {}
        None => {
            let id = schedules::insert(&mut session, &definition, now).await?;
            log(&mut session, author, id, None, Some(&definition), now).await?;
        }
        Some(known) => {
            let anew = planning(&known.definition) != planning(&definition);
            if !schedules::update(&mut session, known, &definition, anew, now).await? {
                return Err(ScheduleError::Changed(name.to_owned()));
            }
            log(&mut session, author, known.id, Some(&known.definition), Some(&definition), now).await?;
        }
    }
    let stored = schedules::find(&mut session, name).await?;
    transaction.commit().await?;
    let stored = stored.ok_or_else(|| ScheduleError::Changed(name.to_owned()))?;
    Ok((stored, changed))
}

/// What the next slot depends on.
fn planning(one: &Definition) -> (&Option<String>, Option<i64>, &Option<String>, i64, bool) {
    (&one.cron, one.interval_seconds, &one.time_zone, one.jitter_seconds, one.enabled)
}

/// Whether everything exists that the conditions name.
async fn named(session: &mut Session<'_>, definition: &Definition) -> Result<(), ScheduleError> {
    let conditions = definition.conditions.iter().filter_map(|text| Condition::parse(text).ok());
    let names: Vec<String> = conditions
        .filter_map(|condition| match condition {
            Condition::After(name) => Some(name),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let known = schedules::list(session).await?;
    let is_known = |name: &String| {
        known.iter().any(|schedule| schedule.definition.name == *name) || AnyTask::is_name(name)
    };
    match names.iter().find(|name| !is_known(name)) {
        Some(name) => Err(ScheduleError::Field {
            field: "only_if",
            message: format!("there is no schedule and no task {name:?}"),
        }),
        None => Ok(()),
    }
}

/// Removes a schedule, with what is known of its slots. Its jobs stay.
pub async fn delete(
    store: &Store,
    author: &Author,
    name: &str,
    now: DateTime<Utc>,
) -> Result<(), ScheduleError> {
    let mut transaction = store.begin().await?;
    let mut session = transaction.session();
    let unknown = || ScheduleError::Unknown(name.to_owned());
    let known = schedules::find(&mut session, name).await?.ok_or_else(unknown)?;
    if !schedules::delete(&mut session, known.id).await? {
        return Err(unknown());
    }
    log(&mut session, author, known.id, Some(&known.definition), None, now).await?;
    transaction.commit().await?;
    Ok(())
}

/// Puts a schedule's task on the queue, now and whatever the conditions say. The schedule goes on as if nothing had been.
pub async fn run_now(
    store: &Store,
    user_id: Option<i64>,
    name: &str,
    now: DateTime<Utc>,
) -> Result<(Schedule, Queued), ScheduleError> {
    let mut transaction = store.begin().await?;
    let mut session = transaction.session();
    let schedule = schedules::find(&mut session, name).await?;
    let schedule = schedule.ok_or_else(|| ScheduleError::Unknown(name.to_owned()))?;
    let task = queue::read(&schedule.definition.task, &schedule.definition.arguments)
        .map_err(|message| ScheduleError::Field { field: "task", message })?;
    let origin = Origin { user_id, priority: Priority::Person };
    let queued = enqueue_in(&mut session, &task, origin, now).await?;
    transaction.commit().await?;
    Ok((schedule, queued))
}

async fn log(
    session: &mut Session<'_>,
    author: &Author,
    id: i64,
    before: Option<&Definition>,
    after: Option<&Definition>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let as_json = |one: &Definition| serde_json::to_value(one).unwrap_or_default();
    let change = Change {
        action: match (before, after) {
            (None, _) => Action::Create,
            (_, None) => Action::Delete,
            _ => Action::Update,
        },
        model: "core.schedule",
        object_id: id,
        object_repr: before.or(after).map_or_else(String::new, |one| one.name.clone()),
        before: before.map(as_json),
        after: after.map(as_json),
    };
    changes::record(session, author, &[change], now).await
}
