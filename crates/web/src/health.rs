//! `/health/live`: is this process at work. `/health/ready`: can it do its work. `/health/fresh`: has what should have run.
//!
//! Each answers 200 or 503, with an object that has `status` and says what is amiss. Why the database cannot be used is for
//! the log, not for strangers.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use pm_store::{StoreError, migrations};
use serde_json::{Value, json};

use crate::Given;

/// A loop that has not turned for so long hangs. Longer than a statement waits for the database.
const HANGS: Duration = Duration::from_secs(90);
/// How long the database may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(5);

type Answer = (StatusCode, Json<Value>);

fn ok(more: &Value) -> Answer {
    (StatusCode::OK, Json(more.clone()))
}

fn amiss(more: &Value) -> Answer {
    (StatusCode::SERVICE_UNAVAILABLE, Json(more.clone()))
}

/// Whether every loop of this process turns.
pub(crate) async fn live(State(shared): Given) -> Answer {
    let pulses = &shared.site.pulses;
    let hang: Vec<&str> =
        pulses.iter().filter(|pulse| pulse.hangs(HANGS)).map(pm_tasks::Pulse::name).collect();
    if hang.is_empty() {
        ok(&json!({ "status": "live" }))
    } else {
        amiss(&json!({ "status": "hangs", "loops": hang }))
    }
}

/// Whether the database can be reached and is that of this release.
pub(crate) async fn ready(State(shared): Given) -> Answer {
    match tokio::time::timeout(PATIENCE, migrations::verify(&shared.site.store)).await {
        Ok(Ok(())) => ok(&json!({ "status": "ready" })),
        Ok(Err(error)) => not_ready(&error),
        Err(_) => amiss(&json!({ "status": "not ready", "why": "the database does not answer in time" })),
    }
}

fn not_ready(error: &StoreError) -> Answer {
    let why = match error {
        StoreError::SchemaTooOld { .. } => "the database needs migrations: run `peering-manager migrate`",
        StoreError::SchemaTooNew { .. } => "the database is that of a newer release",
        _ => "the database cannot be used; the log of the program says why",
    };
    tracing::warn!(%error, "not ready");
    amiss(&json!({ "status": "not ready", "why": why }))
}

/// Whether everything that should have been brought up to date was.
pub(crate) async fn fresh(State(shared): Given) -> Answer {
    let standing = match shared.standing().await {
        Ok(standing) => standing,
        Err(error) => return not_ready(&error),
    };
    let stale: Vec<&str> =
        standing.checks.iter().filter(|check| check.stale).map(|check| check.what).collect();
    if stale.is_empty() {
        ok(&json!({ "status": "fresh", "checks": standing.checks }))
    } else {
        amiss(&json!({ "status": "stale", "stale": stale, "checks": standing.checks }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pm_config::Config;
    use pm_store::testing::TestDatabase;
    use pm_tasks::{Pulse, SystemClock};
    use tokio::sync::Mutex;

    use super::*;
    use crate::{Shared, Site};

    #[tokio::test]
    async fn a_process_whose_loop_hangs_is_not_live() {
        let database = TestDatabase::sqlite();
        let (worker, scheduler) = (Pulse::new("worker"), Pulse::new("scheduler"));
        let site = Site {
            store: database.open().await,
            config: Arc::new(Config::default()),
            clock: Arc::new(SystemClock),
            pulses: vec![worker.clone(), scheduler.clone()],
            version: "0",
        };
        let shared = Arc::new(Shared { site, kept: Mutex::new(None) });
        tokio::time::pause();
        worker.turn(Some(0));
        scheduler.turn(Some(0));
        tokio::time::advance(HANGS / 2).await;
        assert_eq!(live(State(Arc::clone(&shared))).await.0, StatusCode::OK);
        scheduler.turn(Some(0));
        tokio::time::advance(HANGS).await;
        let (status, Json(said)) = live(State(shared)).await;
        assert_eq!(
            (status, said),
            (StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "hangs", "loops": ["worker"] }))
        );
    }
}
