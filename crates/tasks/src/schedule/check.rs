//! What a schedule may be.

use chrono::TimeDelta;
use pm_store::schedules::Definition;

use super::change::ScheduleError;
use super::conditions::Condition;
use super::timing::Timing;
use crate::{AnyTask, queue};

/// The shortest interval, in seconds; cron expressions know no shorter one either.
const SHORTEST: i64 = 60;
/// The longest interval and jitter, in seconds.
const LONGEST: i64 = 366 * 86_400;

/// PeeringDB asks for no shorter one.
pub(super) const BETWEEN_SYNCHRONISATIONS: TimeDelta = TimeDelta::hours(1);

fn wrong(field: &'static str, message: impl Into<String>) -> ScheduleError {
    ScheduleError::Field { field, message: message.into() }
}

/// Brings a definition into the form in which it is kept, or says which field is wrong and why. Whether a condition names
/// something that exists is asked elsewhere.
pub(super) fn checked(mut definition: Definition, time_zone: &str) -> Result<Definition, ScheduleError> {
    name(&definition.name)?;
    let task = task(&mut definition)?;
    if let Some(interval) = definition.interval_seconds
        && !(SHORTEST..=LONGEST).contains(&interval)
    {
        return Err(wrong("interval", format!("{interval} s is not between {SHORTEST} s and 366 days")));
    }
    let timing = Timing::of(&definition, time_zone).map_err(|(field, why)| wrong(field, why))?;
    if timing.after(chrono::DateTime::UNIX_EPOCH).is_none() {
        return Err(wrong("cron", "no day has such a time"));
    }
    let nearest = timing.nearest();
    jitter(definition.jitter_seconds, nearest)?;
    if let (AnyTask::PeeringdbSync(_), Some(nearest)) = (&task, nearest)
        && nearest - TimeDelta::seconds(definition.jitter_seconds) < BETWEEN_SYNCHRONISATIONS
    {
        let field = if definition.cron.is_some() { "cron" } else { "interval" };
        return Err(wrong(
            field,
            format!(
                "two runs of peeringdb_sync could be {} min apart; PeeringDB asks everybody who keeps a copy to bring it up to \
                 date once an hour or less often (https://docs.peeringdb.com/howto/work_within_peeringdbs_query_limits/)",
                (nearest.num_seconds() - definition.jitter_seconds).max(0) / 60
            ),
        ));
    }
    definition.conditions = definition
        .conditions
        .iter()
        .map(|text| Condition::parse(text).map(|condition| condition.to_string()))
        .collect::<Result<_, _>>()
        .map_err(|why| wrong("only_if", why))?;
    Ok(definition)
}

fn name(name: &str) -> Result<(), ScheduleError> {
    let known = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    let begins = name.starts_with(|letter: char| letter.is_ascii_alphanumeric());
    if begins && name.len() <= 100 && name.chars().all(known) {
        return Ok(());
    }
    Err(wrong("name", format!("{name:?} is not made of up to 100 letters, digits, `_`, `-` and `.`")))
}

/// The task, with its arguments written out.
fn task(definition: &mut Definition) -> Result<AnyTask, ScheduleError> {
    if !AnyTask::is_name(&definition.task) {
        return Err(wrong("task", format!("there is no task {:?}", definition.task)));
    }
    if let Some(arguments) = definition.arguments.as_object_mut()
        && definition.task == "configure_routers"
    {
        // Its records name somebody, and a job of the queue waits for whatever it needs.
        arguments.entry("user").or_insert_with(|| format!("schedule {}", definition.name).into());
        arguments.entry("wait").or_insert(true.into());
    }
    let task = queue::read(&definition.task, &definition.arguments)
        .map_err(|why| wrong("arguments", format!("{} does not take them: {why}", definition.task)))?;
    let unfit = |why: String| wrong("task", format!("{} cannot be scheduled: {why}", definition.task));
    task.as_task().queueable().map_err(unfit)?;
    if let Some(why) = overrules(&task) {
        return Err(unfit(why.to_owned()));
    }
    definition.arguments = task.as_task().arguments();
    Ok(task)
}

/// What somebody has to look at each time cannot be agreed to once and for all.
fn overrules(task: &AnyTask) -> Option<&'static str> {
    const FORCE: &str = "force overrules a guard, and somebody has to look at what the guard saw, each time";
    match task {
        AnyTask::PeeringdbSync(task) if task.force => Some(FORCE),
        AnyTask::GetIrrData(task) if task.force => Some(FORCE),
        AnyTask::GrabPrefixes(task) if task.force => Some(FORCE),
        AnyTask::ConfigureRouters(task) if task.force => Some(FORCE),
        AnyTask::ConfigureRouters(task) if task.apply.is_some() => {
            Some("a plan is made true once, by somebody who has looked at it")
        }
        AnyTask::IrrAccept(_) => {
            Some("it takes what a guard held back, and somebody has to look at that, each time")
        }
        _ => None,
    }
}

fn jitter(seconds: i64, nearest: Option<TimeDelta>) -> Result<(), ScheduleError> {
    if !(0..=LONGEST).contains(&seconds) {
        return Err(wrong("jitter", format!("{seconds} s is not between 0 s and 366 days")));
    }
    match nearest {
        Some(nearest) if TimeDelta::seconds(seconds) >= nearest => Err(wrong(
            "jitter",
            format!("{seconds} s is not less than the {} s between two slots", nearest.num_seconds()),
        )),
        _ => Ok(()),
    }
}
