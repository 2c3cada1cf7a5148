//! A person's word on a deployment that no run brings to an end.

use chrono::{DateTime, Utc};
use pm_store::deployments::{self, Status};
use pm_store::{Store, jobs, locks};

use crate::runner::who;
use crate::{TaskError, process};

/// Ends the record of a deployment that was left half-way, or says of one that ended as unknown that somebody has looked at the
/// router. The router is not asked.
///
/// # Errors
/// [`TaskError::Held`] while a run is at work on the router; [`TaskError::Failed`] for a deployment that has an end, or that is
/// not there; those of the database.
pub async fn close_deployment(
    store: &Store,
    id: i64,
    user: &str,
    now: DateTime<Utc>,
) -> Result<(), TaskError> {
    let held = locks::held(store).await?;
    let mut transaction = store.begin().await?;
    let mut session = transaction.session();
    let Some(found) = deployments::find(&mut session, id).await? else {
        return Err(TaskError::Failed(format!(
            "there is no deployment {id}; `peering-manager deployments list` lists them"
        )));
    };
    let found = found.deployment;
    let key = found.router.map(|router| format!("deploy:{router}"));
    let holder = held.iter().find(|(held, _)| Some(held) == key.as_ref()).map(|(_, holder)| holder);
    if let Some(holder) = holder.filter(|holder| holder.expires > now && !process::is_dead(&holder.owner)) {
        return Err(TaskError::Held(format!("{} is being worked on by {}", found.router_name, who(holder))));
    }
    if !deployments::close(&mut session, id, user, now).await? {
        let why = match (found.status, &found.closed_by) {
            (Status::Unknown, Some(by)) => format!("was closed by {by}"),
            (status, _) => format!("is {}", status.as_str().replace('_', " ")),
        };
        return Err(TaskError::Failed(format!("deployment {id} {why}, so there is nothing to close")));
    }
    if let (Some(job), Status::Committing | Status::Unconfirmed) = (found.job, found.status) {
        let text = format!("{}: deployment {id}: closed by {user}", found.router_name);
        jobs::add_to_error(&mut session, job, &text).await?;
    }
    transaction.commit().await?;
    Ok(())
}
