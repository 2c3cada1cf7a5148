//! Deployments, recorded step by step.

use chrono::{DateTime, Utc};

use super::{New, Status, Step};
use crate::locks::{listed, texts};
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
             message, configuration, secrets, pending) VALUES \
             (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
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
                new.secrets.as_str().into(),
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

/// Notes that these routers run what they should: nothing is refused them any more.
///
/// # Errors
/// Those of the database.
pub async fn nothing_against(
    session: &mut Session<'_>,
    router_names: &[String],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE devices_deployment SET passed = ? WHERE status = 'refused' AND passed IS NULL AND router_name IN {}",
        texts(session.engine())
    );
    session.execute(&sql, vec![now.into(), listed(router_names)]).await.map(drop)
}

/// Opens what was planned once more: the deployment that it was ended for has put nothing into force.
///
/// # Errors
/// Those of the database.
pub async fn reopen(session: &mut Session<'_>, planned: i64) -> Result<(), StoreError> {
    let sql =
        "UPDATE devices_deployment SET ended = NULL, message = NULL WHERE id = ? AND status = 'planned'";
    session.execute(sql, vec![planned.into()]).await.map(drop)
}

/// Ends the record of a deployment whose end is not known: somebody has looked at the router. `false`: it is none of these.
///
/// # Errors
/// Those of the database.
pub async fn close(
    session: &mut Session<'_>,
    id: i64,
    user_name: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let sql = "UPDATE devices_deployment SET closed_by = ?, ended = COALESCE(ended, ?), pending = NULL, \
               message = CASE WHEN status = 'unknown' THEN message ELSE ? END, status = 'unknown' \
               WHERE id = ? AND closed_by IS NULL AND status IN ('committing', 'unconfirmed', 'unknown')";
    let message = format!("what became of it was not recorded; closed by {user_name}");
    let values = vec![user_name.into(), now.into(), message.into(), id.into()];
    Ok(session.execute(sql, values).await? == 1)
}
