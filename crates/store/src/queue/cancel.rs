//! Asking for the end of a job.

use chrono::{DateTime, Utc};

use crate::events::{self, EventKind};
use crate::jobs::Status;
use crate::{Store, StoreError};

/// What came of asking for a job's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It had not begun, and never will.
    Done,
    /// Its process will see it within a second or so.
    Asked,
    /// It is over already.
    Over(Status),
    /// There is no such job.
    Unknown,
}

/// Error text of a job that was cancelled while it waited for a worker.
pub const NEVER_BEGUN: &str = "cancelled before it began";

/// Asks for a job's end. One that waits for a worker ends now.
pub async fn cancel(store: &Store, id: i64, now: DateTime<Utc>) -> Result<Cancelled, StoreError> {
    let mut transaction = store.begin().await?;
    let mut session = transaction.session();
    let row = session
        .row(
            "UPDATE core_job SET cancel_asked = COALESCE(cancel_asked, ?) WHERE id = ? \
             AND status IN ('pending', 'running') RETURNING owner",
            vec![now.into(), id.into()],
        )
        .await?;
    let cancelled = match row.map(|row| row.get::<Option<String>, _>("owner")).transpose()? {
        Some(Some(_)) => Cancelled::Asked,
        Some(None) => {
            let sql = "UPDATE core_job SET status = 'cancelled', completed = ?, error = ?, exit_code = 1 WHERE id = ?";
            session.execute(sql, vec![now.into(), NEVER_BEGUN.into(), id.into()]).await?;
            events::jobs_ended(&mut session, &[id], EventKind::JobCancelled, now).await?;
            Cancelled::Done
        }
        None => {
            let row = session.row("SELECT status FROM core_job WHERE id = ?", vec![id.into()]).await?;
            match row.map(|row| row.get::<String, _>("status")).transpose()? {
                Some(status) => Cancelled::Over(
                    Status::parse(&status).ok_or_else(|| StoreError::Data(format!("job status {status}")))?,
                ),
                None => Cancelled::Unknown,
            }
        }
    };
    transaction.commit().await?;
    Ok(cancelled)
}
