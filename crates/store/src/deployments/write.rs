//! Deployments, recorded step by step.

use chrono::{DateTime, Utc};

use super::{New, Status, Step};
use crate::{Session, StoreError, Value};

/// Makes a plan, by the template of this name if one is chosen for all routers, and gives its number.
///
/// # Errors
/// Those of the database.
pub async fn open_plan(
    session: &mut Session<'_>,
    user_name: &str,
    job: i64,
    configuration: Option<&str>,
    now: DateTime<Utc>,
) -> Result<i64, StoreError> {
    let row = session
        .row(
            "INSERT INTO devices_deploymentplan (created, user_name, job_id, configuration) VALUES (?, ?, ?, ?) \
             RETURNING id",
            vec![now.into(), user_name.into(), job.into(), configuration.into()],
        )
        .await?;
    row.map_or_else(|| Err(StoreError::Data("a new plan has no number".to_owned())), |row| row.get("id"))
}

/// Records a deployment and gives its number.
///
/// # Errors
/// Those of the database.
pub async fn insert(session: &mut Session<'_>, new: &New, now: DateTime<Utc>) -> Result<i64, StoreError> {
    let ended = matches!(new.status, Status::Refused | Status::Failed).then_some(now);
    let sessions = serde_json::to_value(&new.sessions).unwrap_or_default();
    let row = session
        .row(
            "INSERT INTO devices_deployment (router_id, router_name, plan_id, job_id, user_name, begun, ended, status, \
             template, load_mode, forced, rendered, input_hash, candidate, running, diff, added, removed, sessions, warnings, \
             message, configuration, pending) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             RETURNING id",
            vec![
                new.router.into(),
                new.router_name.as_str().into(),
                new.plan.into(),
                new.job.into(),
                new.user_name.as_str().into(),
                now.into(),
                ended.into(),
                new.status.as_str().into(),
                new.template.as_str().into(),
                new.load_mode.into(),
                new.forced.into(),
                new.rendered.into(),
                new.input_hash.as_str().into(),
                new.candidate.as_str().into(),
                new.running.as_str().into(),
                new.diff.as_str().into(),
                new.added.into(),
                new.removed.into(),
                Value::json(&sessions),
                Value::json(&new.warnings.clone().into()),
                new.message.clone().into(),
                new.configuration.as_str().into(),
                new.pending.as_ref().map_or(Value::Text(None), Value::json),
            ],
        )
        .await?;
    row.map_or_else(
        || Err(StoreError::Data("a new deployment has no number".to_owned())),
        |row| row.get("id"),
    )
}

/// Notes what became of a deployment.
///
/// # Errors
/// Those of the database.
pub async fn step(
    session: &mut Session<'_>,
    id: i64,
    step: &Step,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut sets: Vec<&str> = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    if let Some(status) = step.status {
        sets.push("status = ?");
        values.push(status.as_str().into());
    }
    if step.ended {
        sets.push("ended = ?");
        values.push(now.into());
    }
    if let Some(pending) = &step.pending {
        sets.push("pending = ?");
        values.push(if pending.is_null() { Value::Text(None) } else { Value::json(pending) });
    }
    if let Some(message) = &step.message {
        sets.push("message = ?");
        values.push(message.as_str().into());
    }
    if let Some(in_force) = &step.in_force {
        sets.push("in_force = ?");
        values.push(in_force.as_str().into());
    }
    if sets.is_empty() {
        return Ok(());
    }
    values.push(id.into());
    let sql = format!("UPDATE devices_deployment SET {} WHERE id = ?", sets.join(", "));
    session.execute(&sql, values).await?;
    Ok(())
}
