//! Asking for a task to be done by a worker. What waits already is found again, by the task and its arguments.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value as Json;

use super::{WAITING, integers, list};
use crate::jobs::NewJob;
use crate::{Session, Store, StoreError, Value, bell};

/// Jobs that are recorded with one statement.
const CHUNK: usize = 200;

/// What the name of a batch begins with that is about all that its task is about, and not only what somebody picked out.
pub const WHOLE_BATCH: &str = "all-";

/// What is asked for, and how.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The job.
    pub job: NewJob,
    /// Jobs of the queue with the same one are run one after the other, and only while nobody else holds it.
    pub lock_key: Option<String>,
    /// Higher goes first.
    pub priority: i64,
    /// Which workers run it.
    pub queue: String,
    /// No worker begins it earlier.
    pub not_before: Option<DateTime<Utc>>,
    /// The job that this one does again.
    pub repeat_of: Option<i64>,
    /// What the jobs that are asked for together have in common; any text that no others have.
    pub batch: Option<String>,
    /// 1, and one more each time that it is asked for again because it did not work.
    pub attempt: i64,
}

impl Ask {
    /// To be begun as soon as possible, in this queue.
    pub fn new(job: NewJob, queue: &str) -> Self {
        Self {
            job,
            lock_key: None,
            priority: 0,
            queue: queue.to_owned(),
            not_before: None,
            repeat_of: None,
            batch: None,
            attempt: 1,
        }
    }
}

/// How the end of one job asks for the next.
#[derive(Clone, Debug)]
pub struct Again {
    /// What is asked for.
    pub ask: Ask,
    /// When or why, for people; stands behind "job 7 does it again".
    pub text: String,
}

/// What came of putting a job on the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Queued {
    /// The number of the job that will do it.
    pub job: i64,
    /// Whether that one waited already: nothing was added.
    pub joined: bool,
    /// When it was asked for first.
    pub since: DateTime<Utc>,
    /// Its place among those that wait; the first is 1.
    pub place: i64,
    /// A job that runs at this moment and was asked for in the same words.
    pub running: Option<i64>,
}

/// Puts a job on the queue. If one of the same task with the same arguments waits already, that one is as good; it is begun
/// as early as the more urgent of the two, and belongs to those that it was asked for together with last.
pub async fn add(store: &Store, ask: &Ask, now: DateTime<Utc>) -> Result<Queued, StoreError> {
    let mut transaction = store.begin().await?;
    let queued = add_in(&mut transaction.session(), ask, now).await?;
    transaction.commit().await?;
    Ok(queued)
}

/// As [`add`], in a transaction of the caller's.
pub async fn add_in(session: &mut Session<'_>, ask: &Ask, now: DateTime<Utc>) -> Result<Queued, StoreError> {
    let mut queued = add_all_in(session, std::slice::from_ref(ask), now).await?;
    queued.pop().ok_or_else(|| StoreError::Data("the job was not recorded".into()))
}

/// As [`add_in`], for many; what came of each, in their order. The number of statements does not depend on that of the jobs, but
/// for one in some hundreds.
pub async fn add_all_in(
    session: &mut Session<'_>,
    asks: &[Ask],
    now: DateTime<Utc>,
) -> Result<Vec<Queued>, StoreError> {
    // Always in the same order, so that two who ask for many do not wait for each other; and each once.
    let keys: Vec<String> = asks.iter().map(|ask| task_key(&ask.job.task, &ask.job.arguments)).collect();
    let ordered: BTreeMap<(&str, String), (&str, &Ask)> = asks
        .iter()
        .zip(&keys)
        .map(|(ask, key)| ((ask.job.task.as_str(), canonical(&ask.job.arguments)), (key.as_str(), ask)))
        .collect();
    let ordered: Vec<(&str, &Ask)> = ordered.into_values().collect();
    let mut found = BTreeMap::new();
    for chunk in ordered.chunks(CHUNK) {
        found.extend(insert(session, chunk, now).await?);
        for (key, job) in running(session, chunk).await? {
            found.entry(key).and_modify(|queued: &mut Queued| queued.running = Some(job));
        }
    }
    let ids: Vec<i64> = found.values().map(|queued| queued.job).collect();
    let places = places(session, &ids).await?;
    for queued in found.values_mut() {
        queued.place = places.get(&queued.job).copied().unwrap_or_default();
    }
    if !ids.is_empty() {
        bell::ring(session).await?;
    }
    let of = |key: &String| {
        found.get(key).cloned().ok_or_else(|| StoreError::Data("the job was not recorded".into()))
    };
    keys.iter().map(of).collect()
}

/// Records the jobs, or finds those that wait already, by key. One that waits already becomes as urgent as the new one.
async fn insert(
    session: &mut Session<'_>,
    chunk: &[(&str, &Ask)],
    now: DateTime<Utc>,
) -> Result<Vec<(String, Queued)>, StoreError> {
    let sql = format!(
        "INSERT INTO core_job (job_id, name, task, arguments, user_id, status, created, queued, lock_key, repeat_of, \
         priority, queue, not_before, batch, attempt, task_key) VALUES {} \
         ON CONFLICT (task_key) WHERE status = 'pending' AND queued AND owner IS NULL AND cancel_asked IS NULL \
         DO UPDATE SET priority = CASE WHEN excluded.priority > core_job.priority THEN excluded.priority \
         ELSE core_job.priority END, \
         not_before = CASE WHEN excluded.not_before < core_job.not_before THEN excluded.not_before \
         WHEN excluded.not_before IS NULL THEN NULL ELSE core_job.not_before END, \
         batch = COALESCE(excluded.batch, core_job.batch) \
         RETURNING id, job_id, created, task_key",
        vec!["(?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"; chunk.len()].join(", ")
    );
    let mut values = Vec::with_capacity(chunk.len() * 15);
    for (key, ask) in chunk {
        let Ask { job, lock_key, priority, queue, not_before, repeat_of, batch, attempt } = ask;
        values.extend([
            Value::from(job.job_id.as_str()),
            job.name.as_str().into(),
            job.task.as_str().into(),
            Value::json(&job.arguments),
            job.user_id.into(),
            now.into(),
            true.into(),
            lock_key.clone().into(),
            (*repeat_of).into(),
            (*priority).into(),
            queue.as_str().into(),
            (*not_before).into(),
            batch.clone().into(),
            (*attempt).into(),
            (*key).into(),
        ]);
    }
    let new: Vec<&str> = chunk.iter().map(|(_, ask)| ask.job.job_id.as_str()).collect();
    let rows = session.rows(&sql, values).await?;
    let queued = rows.iter().map(|row| {
        let job_id: String = row.get("job_id")?;
        let joined = !new.contains(&job_id.as_str());
        let queued =
            Queued { job: row.get("id")?, joined, since: row.get("created")?, place: 0, running: None };
        Ok((row.get("task_key")?, queued))
    });
    queued.collect()
}

/// Which of these run at this moment: their keys, and their jobs' numbers.
async fn running(
    session: &mut Session<'_>,
    chunk: &[(&str, &Ask)],
) -> Result<Vec<(String, i64)>, StoreError> {
    let sql = format!(
        "SELECT task_key, MIN(id) AS id FROM core_job WHERE status = 'running' AND task_key IN {} GROUP BY task_key",
        list(chunk.len())
    );
    let rows = session.rows(&sql, chunk.iter().map(|(key, _)| (*key).into()).collect()).await?;
    rows.iter().map(|row| Ok((row.get("task_key")?, row.get("id")?))).collect()
}

/// The places of these among those that wait.
pub(super) async fn places(session: &mut Session<'_>, ids: &[i64]) -> Result<BTreeMap<i64, i64>, StoreError> {
    let mut places = BTreeMap::new();
    for chunk in ids.chunks(1000) {
        let sql = format!(
            "SELECT id, place FROM (SELECT j.id, ROW_NUMBER() OVER (ORDER BY j.priority DESC, j.id) AS place \
             FROM core_job j WHERE {WAITING}) AS waiting WHERE id IN {}",
            list(chunk.len())
        );
        for row in session.rows(&sql, integers(chunk).collect()).await? {
            places.insert(row.get("id")?, row.get("place")?);
        }
    }
    Ok(places)
}

/// What is asked for, in short: two asks with the same one mean the same.
pub(crate) fn task_key(task: &str, arguments: &Json) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    // Arguments may be longer than what an index takes.
    let digest = ring::digest::digest(&ring::digest::SHA256, canonical(arguments).as_bytes());
    format!("{task}:{}", URL_SAFE_NO_PAD.encode(digest))
}

/// The document with the keys of each object in order.
fn canonical(value: &Json) -> String {
    match value {
        Json::Object(object) => {
            let sorted: BTreeMap<&String, String> =
                object.iter().map(|(key, value)| (key, canonical(value))).collect();
            let parts = sorted.iter().map(|(key, value)| format!("{}:{value}", Json::from(key.as_str())));
            format!("{{{}}}", parts.collect::<Vec<_>>().join(","))
        }
        Json::Array(values) => {
            format!("[{}]", values.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_keys_does_not_matter_and_that_of_values_does() {
        let one = json!({"limit": "a", "deep": {"x": [1, 2], "y": null}});
        let same: Json = serde_json::from_str(r#"{"deep":{"y":null,"x":[1,2]},"limit":"a"}"#).unwrap();
        assert_eq!(canonical(&one), r#"{"deep":{"x":[1,2],"y":null},"limit":"a"}"#);
        assert_eq!(task_key("one", &one), task_key("one", &same));
        for other in
            [json!({"limit": "a", "deep": {"x": [2, 1], "y": null}}), json!({"limit": "a"}), json!({})]
        {
            assert_ne!(task_key("one", &one), task_key("one", &other));
        }
        assert_ne!(task_key("one", &one), task_key("two", &one));
        let long = json!({"asns": (0..10_000).collect::<Vec<i64>>()});
        assert!(task_key("one", &long).len() < 60, "an index takes it");
    }
}
