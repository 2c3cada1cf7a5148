//! `schedule`: what is run by itself, and when.

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use pm_config::Config;
use pm_store::schedules::slots::Slot;
use pm_store::schedules::{self, Definition, Misfire, Schedule};
use pm_store::{Store, StoreError};
use pm_tasks::queue::{EnqueueError, workers_at_work};
use pm_tasks::schedule::{self, Coming, Health, Patch, ScheduleError, When};
use pm_tasks::{Clock as _, Editor, SystemClock};
use serde_json::{Value as Json, json};

use crate::app::{self, EXIT_OK, UsageError};
use crate::commands::Shared;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All schedules, when they ran last, and when they run next
    List,
    /// One schedule, with what became of its last slots
    Show {
        /// Its name
        name: String,
        /// The newest slots, at most so many
        #[arg(long, default_value_t = 10, value_name = "N")]
        slots: u32,
    },
    /// Make a schedule, or change one: what is not named stays as it is
    Set(Box<SetArguments>),
    /// Let a schedule run from now on
    Enable {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Keep a schedule, and do not run it
    Disable {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Remove a schedule and the record of its slots
    Delete {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Put a schedule's task on the queue now; the schedule goes on as if nothing had been
    Run {
        /// Its name
        name: String,
    },
    /// The coming slots of all enabled schedules, or of one
    Next {
        /// Its name
        name: Option<String>,
        /// So many in all
        #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        count: u32,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SetArguments {
    /// Its name
    name: String,
    /// When: minute, hour, day of the month, month, day of the week; or a name such as `@daily`
    #[arg(long, value_name = "EXPRESSION", conflicts_with = "interval", allow_hyphen_values = true)]
    cron: Option<String>,
    /// How often: seconds, or a time such as `90m`, `6h` or `1d`
    #[arg(long, value_name = "TIME")]
    interval: Option<String>,
    /// The task [default of a new schedule: its name]
    #[arg(long)]
    task: Option<String>,
    /// The task's arguments, as a JSON object
    #[arg(long, value_name = "JSON")]
    arguments: Option<String>,
    /// Run each slot up to so many seconds later, or a time such as `5m`
    #[arg(long, value_name = "TIME")]
    jitter: Option<String>,
    /// The zone of the cron expression, such as `Europe/Berlin`; `default` for that of the settings
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// What becomes of slots that no scheduler was there for [default of a new schedule: run-once]
    #[arg(long, value_enum, value_name = "RULE")]
    misfire: Option<MisfireChoice>,
    /// Run only if this is so: `peeringdb fresh 26h`, `irr fresh 26h`, `after NAME ok`; may be given more than once. `always`
    /// takes all conditions away
    #[arg(long, value_name = "CONDITION")]
    only_if: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MisfireChoice {
    /// Run the latest of them, once
    RunOnce,
    /// Run none of them
    Skip,
}

pub(crate) async fn run(shared: &Shared, output: &Output, command: Command) -> anyhow::Result<u8> {
    let (loaded, store) = app::open(shared, output).await?;
    let config = &loaded.config;
    match command {
        Command::List => list(&store, config, output).await?,
        Command::Show { name, slots } => show(&store, config, output, &name, slots).await?,
        Command::Next { name, count } => next(&store, config, output, name.as_deref(), count).await?,
        Command::Set(arguments) => {
            let patch = arguments.patch()?;
            set(&store, config, output, &[arguments.name], &patch).await?;
        }
        Command::Enable { names } => {
            let patch = Patch { enabled: Some(true), ..Patch::default() };
            set_known(&store, config, output, &names, &patch).await?;
        }
        Command::Disable { names } => {
            let patch = Patch { enabled: Some(false), ..Patch::default() };
            set_known(&store, config, output, &names, &patch).await?;
        }
        Command::Delete { names } => delete(&store, config, output, &names).await?,
        Command::Run { name } => run_now(&store, config, output, &name).await?,
    }
    store.close().await;
    Ok(EXIT_OK)
}

/// An error of the one who typed it is told as one.
fn told(error: ScheduleError) -> anyhow::Error {
    match error {
        error @ (ScheduleError::Field { .. } | ScheduleError::Enqueue(EnqueueError::Unfit { .. })) => {
            anyhow!(UsageError(error.to_string()))
        }
        ScheduleError::Store(error) | ScheduleError::Enqueue(EnqueueError::Store(error)) => error.into(),
        other => other.into(),
    }
}

impl SetArguments {
    fn patch(&self) -> anyhow::Result<Patch> {
        let arguments = self.arguments.as_deref().map(object).transpose()?;
        let interval = self.interval.as_deref().map(|text| seconds("interval", text)).transpose()?;
        let zone = |zone: &String| Some(zone.clone()).filter(|zone| zone != "default");
        let always = self.only_if.iter().any(|text| text == "always");
        if always && self.only_if.len() > 1 {
            return Err(anyhow!(UsageError("only_if: `always` goes with no condition".to_owned())));
        }
        let conditions =
            if always { Some(Vec::new()) } else { Some(self.only_if.clone()).filter(|all| !all.is_empty()) };
        Ok(Patch {
            task: self.task.clone(),
            arguments,
            when: self.cron.clone().map(When::Cron).or(interval.map(When::Interval)),
            time_zone: self.time_zone.as_ref().map(zone),
            jitter: self.jitter.as_deref().map(|text| seconds("jitter", text)).transpose()?,
            enabled: None,
            misfire: self.misfire.map(|rule| match rule {
                MisfireChoice::RunOnce => Misfire::RunOnce,
                MisfireChoice::Skip => Misfire::Skip,
            }),
            conditions,
        })
    }
}

fn object(text: &str) -> anyhow::Result<Json> {
    match serde_json::from_str(text) {
        Ok(object @ Json::Object(_)) => Ok(object),
        Ok(_) => Err(anyhow!(UsageError("arguments: this is no JSON object".to_owned()))),
        Err(error) => Err(anyhow!(UsageError(format!("arguments: this is no JSON: {error}")))),
    }
}

/// Seconds, or a time with its unit.
fn seconds(field: &str, text: &str) -> anyhow::Result<i64> {
    let plain = text.parse::<u32>().ok().map(i64::from);
    plain.or_else(|| schedule::age(text).map(|age| age.num_seconds())).ok_or_else(|| {
        anyhow!(UsageError(format!(
            "{field}: {text:?} is no number of seconds and no time such as 90s, 5m, 6h or 1d"
        )))
    })
}

async fn all(store: &Store) -> Result<Vec<Schedule>, StoreError> {
    schedules::list(&mut store.connection().await?.session()).await
}

async fn find(store: &Store, name: &str) -> anyhow::Result<Schedule> {
    let found = schedules::find(&mut store.connection().await?.session(), name).await?;
    found.ok_or_else(|| told(ScheduleError::Unknown(name.to_owned())))
}

/// A schedule with its next slot, for programs.
fn with_next(schedule: &Schedule, config: &Config, now: DateTime<Utc>) -> Json {
    let mut value = json!(schedule);
    let coming = schedule::coming(schedule, config, 1, now);
    let enabled = schedule.definition.enabled;
    value["next"] = json!(coming.as_ref().ok().filter(|_| enabled).and_then(|coming| coming.first()));
    value["problem"] = json!(coming.err());
    value
}

fn when(definition: &Definition) -> String {
    let jitter = match definition.jitter_seconds {
        0 => String::new(),
        jitter => format!(" +{jitter} s"),
    };
    match (&definition.cron, definition.interval_seconds) {
        (Some(cron), _) => format!("{cron}{jitter}"),
        (None, Some(seconds)) => format!("every {seconds} s{jitter}"),
        (None, None) => jitter,
    }
}

async fn list(store: &Store, config: &Config, output: &Output) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let all = all(store).await?;
    let health = schedule::health(store, config, now).await?;
    if output.json {
        let schedules: Vec<Json> = all.iter().map(|one| with_next(one, config, now)).collect();
        return output.json(&json!({ "schedules": schedules, "schedulers": health.schedulers }));
    }
    let header = ["Schedule", "Task", "When", "Enabled", "Next", "Last run", "Note"];
    output.table("schedules", &all, &header, |one| {
        let definition = &one.definition;
        let (next, problem) = match schedule::coming(one, config, 1, now) {
            Ok(coming) => (coming.first().map(|slot| slot.local.clone()), None),
            Err(why) => (None, Some(why)),
        };
        let job = one.last_job.map(|job| format!(", job {job}")).unwrap_or_default();
        let last = one.last_run.map(|time| format!("{}{job}", time.format("%Y-%m-%d %H:%M:%S UTC")));
        vec![
            definition.name.clone(),
            definition.task.clone(),
            when(definition),
            if definition.enabled { "yes" } else { "no" }.to_owned(),
            next.filter(|_| definition.enabled).unwrap_or_default(),
            last.unwrap_or_default(),
            problem.or_else(|| one.note.clone()).unwrap_or_default(),
        ]
    })?;
    nobody_at_work(output, &health);
    Ok(())
}

fn nobody_at_work(output: &Output, health: &Health) {
    if health.schedulers == 0 && health.enabled > 0 {
        output.warning("no scheduler is at work; `peering-manager run` starts one with a worker");
    }
}

async fn show(store: &Store, config: &Config, output: &Output, name: &str, slots: u32) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let found = find(store, name).await?;
    let slots =
        schedules::slots::list(&mut store.connection().await?.session(), found.id, slots.into()).await?;
    if output.json {
        return output.json(&json!({ "schedule": with_next(&found, config, now), "slots": slots }));
    }
    let definition = &found.definition;
    output.line(&format!("Schedule {name}{}", if definition.enabled { "" } else { ", not enabled" }));
    output.line(&format!("  task       {} {}", definition.task, definition.arguments));
    let zone = definition.time_zone.as_ref().unwrap_or(&config.time_zone);
    output.line(&format!("  when       {}, {zone}", when(definition)));
    output.line(&format!("  misfire    {}", definition.misfire));
    for condition in &definition.conditions {
        output.line(&format!("  only if    {condition}"));
    }
    match schedule::coming(&found, config, 1, now) {
        Ok(coming) => {
            for slot in coming.iter().filter(|_| definition.enabled) {
                output.line(&format!("  next       {}{}", slot.local, later(slot)));
            }
        }
        Err(why) => output.line(&format!("  problem    {why}")),
    }
    if let Some(note) = &found.note {
        output.line(&format!("  note       {note}"));
    }
    for slot in &slots {
        output.line(&format!("  {}", slot_line(slot)));
    }
    Ok(())
}

fn later(slot: &Coming) -> String {
    match (slot.due - slot.slot).num_seconds() {
        0 => String::new(),
        seconds => format!(", {seconds} s later"),
    }
}

fn slot_line(slot: &Slot) -> String {
    let time = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    let range = if slot.slots > 1 {
        format!(" to {} ({} slots)", time(slot.last_slot), slot.slots)
    } else {
        String::new()
    };
    let job = slot.job_id.map(|job| format!(", job {job}")).unwrap_or_default();
    let reason = slot.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{}{range} {}{job}{reason}", time(slot.slot), slot.state)
}

async fn next(
    store: &Store,
    config: &Config,
    output: &Output,
    name: Option<&str>,
    count: u32,
) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let asked = match name {
        Some(name) => vec![find(store, name).await?],
        None => all(store).await?.into_iter().filter(|one| one.definition.enabled).collect(),
    };
    let mut slots = Vec::new();
    for one in &asked {
        let coming = schedule::coming(one, config, count as usize, now);
        slots.extend(coming.map_err(|why| anyhow!("schedule {}: {why}", one.definition.name))?);
    }
    slots.sort_by(|one, other| one.due.cmp(&other.due).then_with(|| one.schedule.cmp(&other.schedule)));
    slots.truncate(count as usize);
    let header = ["Slot", "Schedule", "Task", "Runs at"];
    output.table("slots", &slots, &header, |slot| {
        let due = slot.due.format("%Y-%m-%d %H:%M:%S UTC").to_string();
        vec![slot.local.clone(), slot.schedule.clone(), slot.task.clone(), due]
    })?;
    if let Some(name) = name.filter(|_| asked.iter().any(|one| !one.definition.enabled)) {
        output.warning(&format!(
            "the schedule {name} is not enabled; `peering-manager schedule enable {name}` does that"
        ));
    }
    Ok(())
}

async fn set_known(
    store: &Store,
    config: &Config,
    output: &Output,
    names: &[String],
    patch: &Patch,
) -> anyhow::Result<()> {
    for name in names {
        find(store, name).await?;
    }
    set(store, config, output, names, patch).await
}

async fn set(
    store: &Store,
    config: &Config,
    output: &Output,
    names: &[String],
    patch: &Patch,
) -> anyhow::Result<()> {
    let editor = Editor::new(store, config, &SystemClock, "command line").await;
    let mut told_of = Vec::new();
    for name in names {
        let set =
            schedule::set(store, &editor.author, name, patch.clone(), &config.time_zone, editor.now).await;
        let (stored, changed) = set.map_err(told)?;
        let next = schedule::coming(&stored, config, 1, editor.now).unwrap_or_default();
        let next = next.first().filter(|_| stored.definition.enabled);
        output.remark(&match (changed, next) {
            (false, _) => format!("The schedule {name} is so already."),
            (true, Some(next)) => format!("The schedule {name} is set; its next slot is {}.", next.local),
            (true, None) => format!("The schedule {name} is set; it is not enabled."),
        });
        told_of.push(with_next(&stored, config, editor.now));
    }
    if output.json {
        output.json(&json!({ "schedules": told_of }))?;
    }
    Ok(())
}

async fn delete(store: &Store, config: &Config, output: &Output, names: &[String]) -> anyhow::Result<()> {
    let editor = Editor::new(store, config, &SystemClock, "command line").await;
    for name in names {
        schedule::delete(store, &editor.author, name, editor.now).await.map_err(told)?;
        output.remark(&format!("The schedule {name} is removed; its jobs stay."));
    }
    if output.json {
        output.json(&json!({ "deleted": names }))?;
    }
    Ok(())
}

async fn run_now(store: &Store, config: &Config, output: &Output, name: &str) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let (schedule, queued) = schedule::run_now(store, None, name, now).await.map_err(told)?;
    let lease = chrono::TimeDelta::seconds(config.lock_lease.into());
    let workers = workers_at_work(store, lease, now).await?;
    if workers == 0 {
        output.warning("no worker is at work; `peering-manager worker` runs what waits");
    }
    let task = &schedule.definition.task;
    if output.json {
        return output.json(&json!({
            "schedule": name, "job": queued.job, "task": task, "joined": queued.joined, "workers": workers,
        }));
    }
    let how = if queued.joined { "waits with the same arguments already" } else { "waits for a worker" };
    output.remark(&format!("Job {} ({task}) {how}; the schedule {name} goes on as it is.", queued.job));
    Ok(())
}
