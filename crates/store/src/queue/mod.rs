//! The queue. It is made of job records: one that is pending and has no owner waits for a worker.
//!
//! [`add`] puts a job there (`ask.rs`). A worker looks with [`due`] and takes one with [`begin`], lock and all (`take.rs`); its
//! statement alone decides who gets a job, so any number of workers may look at the same time. [`cancel`] ends a job,
//! [`close_lost`] closes those whose process is gone (`lost.rs`), and `core_worker` knows who is at work (`workers.rs`).

mod ask;
mod cancel;
mod lost;
mod take;
mod workers;

use crate::database::placeholders;
use crate::{Session, StoreError, Value};

pub(crate) use ask::task_key;
pub use ask::{Again, Ask, Queued, WHOLE_BATCH, add, add_all_in, add_in};
pub use cancel::{Cancelled, NEVER_BEGUN, cancel};
pub use lost::{Lost, are_silent, close_lost};
pub use take::{
    Begun, Due, Look, PutBack, Waiting, Who, Wish, begin, due, put_back, spoilt_beside, waiting,
    waiting_by_queue,
};
pub(crate) use workers::workers_in;
pub use workers::{Worker, forget, sign_off, sign_on, workers};

/// A job of the queue that nobody has begun.
const WAITING: &str = "j.status = 'pending' AND j.queued AND j.owner IS NULL";

/// The place of a job among those that wait, in the order in which they are begun; the first is 1. Of use only for one that
/// waits.
pub async fn place(session: &mut Session<'_>, id: i64) -> Result<i64, StoreError> {
    Ok(ask::places(session, &[id]).await?.get(&id).copied().unwrap_or_default())
}

/// `(?, …)` for an `IN`, of which an empty list is `(NULL)`: nothing is in it.
fn list(count: usize) -> String {
    if count == 0 { "(NULL)".to_owned() } else { format!("({})", placeholders(count)) }
}

fn integers(ids: &[i64]) -> impl Iterator<Item = Value> {
    ids.iter().map(|id| Value::from(*id))
}
