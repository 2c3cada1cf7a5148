//! `/metrics`, in Prometheus's text format. Everything is a gauge, taken from the database when it is asked for: counters
//! would begin anew with each process, and the database knows better.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use pm_store::deployments;
use pm_store::jobs::{Outcome, Status};
use pm_store::notifications::State;
use pm_store::schedules::Schedule;
use pm_store::vitals::{LastRun, Place};
use pm_tasks::Pulse;
use pm_tasks::queue::Queue;
use pm_tasks::vitals::Standing;
use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::Given;

/// The format's media type.
const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How a run may have ended, in the words of the label.
const OUTCOMES: [&str; 7] = ["ok", "nothing to do", "partial", "failed", "errored", "lost", "cancelled"];

pub(crate) async fn answer(axum::extract::State(shared): Given) -> Response {
    if !shared.site.config.metrics_enabled {
        return (StatusCode::NOT_FOUND, "metrics are switched off: set metrics_enabled\n").into_response();
    }
    match shared.standing().await {
        Ok(standing) => {
            let text = text(&standing, &shared.site.pulses, shared.site.version);
            ([(header::CONTENT_TYPE, TYPE)], text).into_response()
        }
        Err(error) => {
            tracing::warn!(%error, "metrics cannot be read");
            let text = "the database cannot be used; the log of the program says why\n";
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

type Labels = Vec<(&'static str, String)>;
type Number = Gauge<f64, AtomicU64>;

/// What is written down, metric by metric.
struct Sheet(Registry);

impl Sheet {
    fn one(&mut self, name: &str, help: &str, value: f64) {
        let gauge = Number::default();
        gauge.set(value);
        self.0.register(name, help, gauge);
    }

    fn many(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = (Labels, f64)>) {
        let family = Family::<Labels, Number>::default();
        for (labels, value) in rows {
            family.get_or_create(&labels).set(value);
        }
        self.0.register(name, help, family);
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and epoch seconds are far below 2^53")]
fn number(count: i64) -> f64 {
    count as f64
}

fn count(of: usize) -> f64 {
    number(i64::try_from(of).unwrap_or(i64::MAX))
}

fn truth(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

fn label(name: &'static str, value: &str) -> Labels {
    vec![(name, value.to_owned())]
}

fn text(standing: &Standing, pulses: &[Pulse], version: &str) -> String {
    let mut sheet = Sheet(Registry::with_prefix("peering_manager"));
    sheet.many("build_info", "The program that answers", [(label("version", version), 1.0)]);
    let ages = pulses.iter().filter_map(|pulse| Some((label("loop", pulse.name()), pulse.age()?)));
    let ages = ages.map(|(labels, age): (_, Duration)| (labels, age.as_secs_f64()));
    sheet.many("loop_age_seconds", "Since a loop of this process turned", ages);
    tasks(&mut sheet, &standing.vitals.runs);
    queue(&mut sheet, standing);
    schedules(&mut sheet, standing);
    freshness(&mut sheet, standing);
    lists(&mut sheet, standing);
    sessions(&mut sheet, standing);
    notifications(&mut sheet, standing);
    let mut text = String::new();
    // Nothing else than memory is written to.
    let _ = encode(&mut text, &sheet.0);
    text
}

/// How a run ended, in one word.
fn outcome(run: &LastRun) -> &'static str {
    match (run.status, run.outcome) {
        (_, Some(outcome)) => outcome.as_str(),
        (Status::Completed, None) => Outcome::Ok.as_str(),
        (status, None) => status.as_str(),
    }
}

fn tasks(sheet: &mut Sheet, runs: &[LastRun]) {
    let each = |value: fn(&LastRun) -> Option<f64>| {
        runs.iter().filter_map(move |run| Some((label("task", &run.task), value(run)?))).collect::<Vec<_>>()
    };
    sheet.many(
        "task_last_run_timestamp_seconds",
        "When the last run of a task ended",
        each(|run| Some(number(run.ended.timestamp()))),
    );
    sheet.many(
        "task_last_success_timestamp_seconds",
        "When the last run of a task ended that did all it should",
        each(|run| run.succeeded.map(|time| number(time.timestamp()))),
    );
    sheet.many(
        "task_last_duration_seconds",
        "How long the last run of a task took",
        each(|run| Some((run.ended - run.started).as_seconds_f64())),
    );
    let outcomes = runs.iter().flat_map(|run| {
        OUTCOMES.map(|one| {
            (vec![("task", run.task.clone()), ("outcome", one.to_owned())], truth(one == outcome(run)))
        })
    });
    sheet.many(
        "task_last_outcome",
        "How the last run of a task ended: 1 for that, 0 for all others",
        outcomes,
    );
}

fn queue(sheet: &mut Sheet, standing: &Standing) {
    let open = &standing.vitals.open;
    let queues = Queue::ALL.map(|queue| Some(queue.as_str())).into_iter().chain([None]);
    let jobs = queues.flat_map(|queue| {
        Place::ALL.map(|place| {
            let alike = open.iter().filter(|one| one.place == place && one.queue.as_deref() == queue);
            let labels =
                vec![("status", place.as_str().to_owned()), ("queue", queue.unwrap_or("none").to_owned())];
            (labels, number(alike.map(|one| one.count).sum()))
        })
    });
    let help = "Jobs that wait for a worker (waiting), for a lock (pending), or run (running); on no queue are those that a \
                command runs itself";
    sheet.many("jobs", help, jobs);
    let oldest = open.iter().filter(|one| one.place == Place::Waiting).map(|one| one.since).min();
    let waits = oldest.map_or(0, |since| (standing.at - since).num_seconds().max(0));
    sheet.one("jobs_oldest_waiting_seconds", "How long the first job has waited for a worker", number(waits));
    let workers = &standing.workers;
    sheet.one("workers", "Workers that give signs of life", count(workers.len()));
    let serving = Queue::ALL.map(|queue| {
        let serving = workers.iter().filter(|worker| worker.serves(queue.as_str())).count();
        (label("queue", queue.as_str()), count(serving))
    });
    sheet.many("queue_workers", "Workers that serve a queue", serving);
    sheet.one("worker_places", "Jobs that workers can run at the same time", number(standing.places));
}

fn schedules(sheet: &mut Sheet, standing: &Standing) {
    sheet.one("schedulers", "Schedulers that give signs of life", count(standing.schedulers));
    let schedules = &standing.vitals.schedules;
    let of = |one: &Schedule| label("schedule", &one.definition.name);
    let enabled = schedules.iter().map(|one| (of(one), truth(one.definition.enabled)));
    sheet.many("schedule_enabled", "Whether a schedule is enabled", enabled);
    let next = schedules.iter().filter(|one| one.definition.enabled);
    let next = next.filter_map(|one| Some((of(one), number(one.due?.timestamp()))));
    sheet.many("schedule_next_run_timestamp_seconds", "When an enabled schedule is due next", next);
    let last = schedules.iter().filter_map(|one| Some((of(one), number(one.last_run?.timestamp()))));
    sheet.many("schedule_last_run_timestamp_seconds", "When a schedule last put a job on the queue", last);
}

fn freshness(sheet: &mut Sheet, standing: &Standing) {
    let ages =
        standing.checks.iter().filter_map(|one| Some((label("what", one.what), number(one.age_seconds?))));
    sheet.many(
        "age_seconds",
        "Since PeeringDB, prefix lists, polls or housekeeping were brought up to date",
        ages,
    );
    let stale = standing.checks.iter().map(|one| (label("what", one.what), truth(one.stale)));
    sheet.many("stale", "Whether that is longer ago than the settings allow, or never was", stale);
    let limits = standing.checks.iter().map(|one| (label("what", one.what), f64::from(one.limit_seconds)));
    sheet.many("stale_after_seconds", "What the settings allow", limits);
    let routers =
        standing.vitals.routers.iter().filter(|router| router.is_polled && router.status != "disabled");
    let polled = routers.filter_map(|router| {
        let age = (standing.at - router.polled?).num_seconds().max(0);
        Some((label("router", &router.name), number(age)))
    });
    sheet.many("router_poll_age_seconds", "Since a router was polled with success", polled);
    sheet.one(
        "database_size_bytes",
        "What the database takes on disk",
        number(standing.vitals.database_size),
    );
}

fn lists(sheet: &mut Sheet, standing: &Standing) {
    let vitals = &standing.vitals;
    let states = vitals.lists.iter().map(|lists| (label("state", &lists.state), number(lists.count)));
    sheet.many("irr_lists", "Prefix and AS lists by where they stand", states);
    let failing = vitals.lists.iter().map(|lists| lists.failing).sum();
    sheet.one("irr_lists_failing", "Lists for which the last look brought no answer", number(failing));
    let held = vitals.lists.iter().map(|lists| lists.held).sum();
    let refused = |task| vitals.runs.iter().find(|run| run.task == task).map_or(0, |run| run.refused);
    let guards = [
        ("prefix_lists", number(held)),
        ("deployments_frozen", truth(vitals.frozen.is_some())),
        ("deployments", number(vitals.refused)),
        ("peeringdb_sync", number(refused("peeringdb_sync"))),
    ];
    let guards = guards.map(|(guard, value)| (label("guard", guard), value));
    sheet.many(
        "guards_holding",
        "What guards hold: lists that wait for review, whether deployments are frozen, routers whose last deployment was refused, \
         and whether the last synchronisation was",
        guards,
    );
    let unknown = standing.left.iter().filter(|one| one.status == deployments::Status::Unknown).count();
    let left = [("unconfirmed", standing.left.len() - unknown), ("unknown", unknown)]
        .map(|(status, count)| (label("status", status), number(i64::try_from(count).unwrap_or(i64::MAX))));
    sheet.many("deployments_left", "Deployments of which nobody knows how they ended", left);
}

fn notifications(sheet: &mut Sheet, standing: &Standing) {
    let counted = &standing.vitals.notifications;
    let states = State::ALL.map(|state| {
        let count = counted.iter().filter(|(one, _)| *one == state).map(|(_, count)| *count).sum();
        (label("state", state.as_str()), number(count))
    });
    sheet.many("notifications", "Messages that are kept, by where they stand", states);
    let waits = standing.vitals.untold.map_or(0, |since| (standing.at - since).num_seconds().max(0));
    let help = "How long the oldest of what is still to be told has waited";
    sheet.one("notifications_oldest_waiting_seconds", help, number(waits));
}

fn sessions(sheet: &mut Sheet, standing: &Standing) {
    let sessions = standing.vitals.sessions.iter().map(|group| {
        let labels = vec![
            ("kind", group.kind.as_str().to_owned()),
            ("status", group.status.clone()),
            ("state", group.state.clone()),
        ];
        (labels, number(group.count))
    });
    sheet.many("sessions", "BGP sessions by kind, by status here, and by state at the last poll", sessions);
    let routers = standing.vitals.routers.iter().flat_map(|router| {
        let counts = &router.sessions;
        let states = [
            ("wanted", counts.wanted),
            ("established", counts.established),
            ("down", counts.down),
            ("unknown", counts.unknown),
            ("near_limit", counts.near_limit),
        ];
        states.map(|(state, count)| {
            (vec![("router", router.name.clone()), ("state", state.to_owned())], number(count))
        })
    });
    sheet.many(
        "router_sessions",
        "Sessions of a router that should be up, are up, should be and are not, it does not know, and are near their limit of prefixes",
        routers,
    );
}
