//! The scheduler: looks at the schedules, and claims the slots whose time has come, until it is told to stop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use pm_config::Config;
use pm_store::jobs::Level;
use pm_store::schedules::slots::State;
use pm_store::schedules::{self, Schedule, schedulers};
use pm_store::{Store, StoreError, migrations};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::check::BETWEEN_SYNCHRONISATIONS;
use super::conditions::Condition;
use super::lapse::ScheduleTime;
use super::slot::{Due, GRACE, Taken, Times, take};
use super::timing::Timing;
use crate::queue::{AllTasks, Whose, patrol, recover, silence, told, until_all_spoke};
use crate::worker::{GRACE as LAST_WORD, Reach, within_grace};
use crate::{AnyTask, Clock, Watch, process, queue};

/// How long it sleeps at most; a schedule that was changed meanwhile is seen no later.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long it sleeps at least.
const BREATH: Duration = Duration::from_millis(10);
/// How long it waits after the database failed; doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Claims the slots of schedules.
#[derive(Clone)]
pub struct Scheduler {
    /// The database.
    pub store: Store,
    /// The settings.
    pub config: Arc<Config>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The time that schedules go by.
    pub time: ScheduleTime,
    /// Who watches.
    pub watch: Arc<dyn Watch>,
}

/// A schedule that this program understands.
struct Known {
    schedule: Schedule,
    timing: Timing,
    task: AnyTask,
    conditions: Vec<Condition>,
}

/// What a scheduler remembers from one round to the next.
#[derive(Default)]
pub struct Memory {
    /// What was said about schedules that cannot be read, so that it is said once.
    said: BTreeMap<i64, String>,
    next_patrol: Option<Instant>,
    reach: Reach,
    settled: bool,
}

impl Scheduler {
    /// Works until it is cancelled.
    ///
    /// # Errors
    /// Those of the database at the very beginning; later it tries again. A schema of another release, whenever it appears.
    pub async fn run(&self, cancel: CancellationToken) -> Result<(), StoreError> {
        let mut memory = Memory::default();
        let mut trouble = 0_u32;
        let mut begun = false;
        let ended = loop {
            if cancel.is_cancelled() {
                break Ok(());
            }
            let Some(round) = within_grace(&cancel, Box::pin(self.round(&mut memory))).await else {
                self.watch.say(Level::Warning, "the database does not answer; stopping without it");
                break Ok(());
            };
            memory.reach.note(round.is_ok());
            let pause = match round {
                Ok(pause) => {
                    (trouble, begun) = (0, true);
                    self.watch.turned(Some(0));
                    pause
                }
                Err(error) if is_the_end(&error, begun) => break Err(error),
                Err(error) => {
                    self.watch.turned(None);
                    let pause = PAUSE.saturating_mul(1 << trouble.min(8)).min(LONGEST_PAUSE);
                    trouble += 1;
                    let text = format!("the schedules cannot be worked, trying again: {error}");
                    self.watch.say(Level::Warning, &text);
                    pause
                }
            };
            tokio::select! {
                () = cancel.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        };
        let owner = process::this_process();
        match tokio::time::timeout(LAST_WORD, schedulers::sign_off(&self.store, &owner)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the scheduler could not sign off"),
            Err(_) => tracing::debug!("the scheduler could not sign off in time"),
        }
        ended
    }

    /// Claims every slot whose time has come, and gives how long to sleep until the next one.
    ///
    /// # Errors
    /// Those of the database; slots that were claimed by then stay claimed.
    pub async fn round(&self, memory: &mut Memory) -> Result<Duration, StoreError> {
        if memory.next_patrol.is_none_or(|time| time <= Instant::now()) {
            let all_could_speak = memory.reach.held(silence(&self.store, self.lease()));
            match self.patrol(all_could_speak).await {
                Ok(()) => {}
                // What is written for long keeps nobody from his time; others may not be able to speak meanwhile either.
                Err(StoreError::Busy) => memory.reach.note(false),
                Err(error) => return Err(error),
            }
            let lease = self.lease();
            let next = if all_could_speak { patrol(lease) } else { until_all_spoke(lease) };
            memory.next_patrol = Some(Instant::now() + next);
        }
        loop {
            let known = self.read(memory).await?;
            if !memory.settled {
                self.settle(&known).await?;
                memory.settled = true;
                continue;
            }
            // Whoever was faster has changed what was read, so it is read again after anything was done or tried.
            if !self.plan(&known).await? && !self.take_what_is_due(&known).await? {
                return Ok(self.until_the_next(&known));
            }
        }
    }

    /// Gives a sign of life, closes the jobs of the dead, and of those who give none, if they could: there may be no worker that
    /// would.
    async fn patrol(&self, all_could_speak: bool) -> Result<(), StoreError> {
        // Somebody may have upgraded the database meanwhile; the program that is needed now is another one.
        migrations::verify(&self.store).await?;
        schedulers::sign_on(&self.store, &process::this_process(), self.clock.now()).await?;
        let now = self.clock.now();
        let whose = if all_could_speak { Whose::AlsoOfTheSilent } else { Whose::OfTheDead };
        for lost in recover(&self.store, &AllTasks, whose, self.lease(), now).await? {
            self.watch.say(Level::Warning, &told(&lost));
        }
        if !all_could_speak {
            return Ok(());
        }
        let signs = schedulers::list(&mut self.store.connection().await?.session()).await?;
        let gone: Vec<_> = signs.into_iter().filter(|sign| !is_at_work(sign, self.lease(), now)).collect();
        schedulers::forget(&self.store, &gone).await
    }

    fn lease(&self) -> TimeDelta {
        TimeDelta::seconds(self.config.lock_lease.into())
    }

    /// Nobody minds that a slot comes a moment early because the one before it was late.
    fn between_synchronisations(&self) -> TimeDelta {
        let between = self.time.wait(BETWEEN_SYNCHRONISATIONS - GRACE);
        TimeDelta::from_std(between).unwrap_or(BETWEEN_SYNCHRONISATIONS)
    }

    fn now(&self) -> DateTime<Utc> {
        self.time.at(self.clock.now())
    }

    /// The schedules that are enabled and understood. The others are left to a program that understands them.
    async fn read(&self, memory: &mut Memory) -> Result<Vec<Known>, StoreError> {
        let mut connection = self.store.connection().await?;
        let all = schedules::list(&mut connection.session()).await?;
        let mut known = Vec::new();
        for schedule in all.into_iter().filter(|schedule| schedule.definition.enabled) {
            let (id, name) = (schedule.id, schedule.definition.name.clone());
            match understand(schedule, &self.config) {
                Ok(one) => known.push(one),
                Err(why) if memory.said.get(&id) == Some(&why) => {}
                Err(why) => {
                    let text = format!("the schedule {name} is not run: {why}");
                    self.watch.say(Level::Warning, &text);
                    memory.said.insert(id, why);
                }
            }
        }
        Ok(known)
    }

    /// The time zone of the settings may be another one than when slots were planned: plans those anew that are to come.
    async fn settle(&self, known: &[Known]) -> Result<(), StoreError> {
        let now = self.now();
        for one in known.iter().filter(|one| one.schedule.definition.time_zone.is_none()) {
            let Some(planned) = one.schedule.next_run.filter(|slot| *slot > now) else { continue };
            let from = one.schedule.last_slot.map_or(now, |slot| slot.max(now));
            let Some(next) = one.timing.coming(one.schedule.id, from).next() else { continue };
            if one.schedule.definition.cron.is_some() && next.slot != planned {
                schedules::plan(&mut self.store.connection().await?.session(), &one.schedule, next).await?;
            }
        }
        Ok(())
    }

    /// Says of each schedule that has none what its next slot is. Whether there were any.
    async fn plan(&self, known: &[Known]) -> Result<bool, StoreError> {
        let now = self.now();
        let mut any = false;
        for one in known.iter().filter(|one| one.schedule.next_run.is_none()) {
            let Some(next) = first(&one.schedule, &one.timing, self.time, now) else { continue };
            schedules::plan(&mut self.store.connection().await?.session(), &one.schedule, next).await?;
            any = true;
        }
        Ok(any)
    }

    /// Claims what is due. Whether anything was.
    async fn take_what_is_due(&self, known: &[Known]) -> Result<bool, StoreError> {
        let (mut any, mut trouble) = (false, None);
        for one in known {
            let clock = self.clock.now();
            let times = Times {
                schedules: self.time.at(clock),
                clock,
                lease: self.lease(),
                between_synchronisations: self.between_synchronisations(),
            };
            if one.schedule.due.is_none_or(|due| due > times.schedules) {
                continue;
            }
            any = true;
            let due = Due {
                schedule: &one.schedule,
                timing: &one.timing,
                task: &one.task,
                conditions: &one.conditions,
            };
            match take(&self.store, &due, times).await {
                Ok(taken) => self.tell(&one.schedule, taken),
                // What is wrong with this one keeps no other from its time.
                Err(error @ (StoreError::Data(_) | StoreError::Conflict(_))) => trouble = Some(error),
                Err(error) => return Err(error),
            }
        }
        trouble.map_or(Ok(any), Err)
    }

    fn tell(&self, schedule: &Schedule, taken: Taken) {
        let name = &schedule.definition.name;
        match taken {
            Taken::ByOthers => {}
            Taken::Queued(job) => {
                self.watch.say(Level::Info, &format!("schedule {name}: job {job} is queued"));
            }
            Taken::NotRun(State::Skipped, why) => {
                self.watch.say(Level::Warning, &format!("schedule {name}: skipped, because {why}"));
            }
            Taken::NotRun(_, why) => {
                self.watch.say(Level::Warning, &format!("schedule {name}: missed, {why}"));
            }
        }
    }

    fn until_the_next(&self, known: &[Known]) -> Duration {
        let now = self.now();
        let due = known.iter().filter_map(|one| one.schedule.due).min();
        let pause = due.map_or(LOOK_AGAIN, |due| self.time.wait(due - now));
        pause.min(patrol(self.lease())).clamp(BREATH, LOOK_AGAIN)
    }
}

/// The first slot of a schedule that was never planned, or was changed.
pub(crate) fn first(
    schedule: &Schedule,
    timing: &Timing,
    time: ScheduleTime,
    now: DateTime<Utc>,
) -> Option<pm_store::schedules::Planned> {
    let from = time.counts_from(schedule.counts_from, now);
    // A clock that was set back does not bring slots back.
    let from = schedule.last_slot.map_or(from, |slot| slot.max(from));
    timing.coming(schedule.id, from).next()
}

fn understand(schedule: Schedule, config: &Config) -> Result<Known, String> {
    let definition = &schedule.definition;
    let timing =
        Timing::of(definition, &config.time_zone).map_err(|(field, why)| format!("{field}: {why}"))?;
    let task = queue::read(&definition.task, &definition.arguments)?;
    let conditions = definition.conditions.iter().map(|text| Condition::parse(text));
    let conditions = conditions.collect::<Result<Vec<_>, _>>()?;
    Ok(Known { schedule, timing, task, conditions })
}

/// Whether a scheduler is alive, as far as can be seen.
pub(crate) fn is_at_work(sign: &schedulers::Sign, lease: TimeDelta, now: DateTime<Utc>) -> bool {
    now - sign.heartbeat <= lease && !process::is_dead(&sign.owner)
}

/// Whether to end because of this rather than to try again.
fn is_the_end(error: &StoreError, begun: bool) -> bool {
    match error {
        StoreError::SchemaTooNew { .. } | StoreError::SchemaTooOld { .. } => true,
        StoreError::Busy => false,
        _ => !begun,
    }
}
