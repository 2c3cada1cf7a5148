//! Messages to people and programs: one row for each message and receiver, from the moment in which there is something to
//! tell until it is told or given up.
//!
//! Changes of objects become deliveries to webhooks in the transaction that makes them. Events ([`crate::events`]) become
//! deliveries once somebody has looked which rules want them. Any number of couriers may look with [`due`] and take with
//! [`claim`]: only that statement decides who sends. A courier that vanishes lets its lease run out, and the message is sent
//! again under the same delivery id.

mod rules;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::database::placeholders;
use crate::{Engine, Row, Session, Store, StoreError, Value};

pub use rules::{Fold, FoldKey, Rule, folds, replace_folds, rules};

/// The receiver of everything that goes out by e-mail: one server takes all of it.
pub const MAIL: &str = "e-mail";

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum State {
    /// Not tried yet.
    #[serde(rename = "pending")]
    Pending,
    /// Taken by the receiver.
    #[serde(rename = "sent")]
    Sent,
    /// Tried in vain; it will be tried again.
    #[serde(rename = "failed")]
    Failed,
    /// Tried in vain for the last time.
    #[serde(rename = "given up")]
    GivenUp,
    /// Not sent, because the webhook's conditions do not hold, or it is gone or disabled.
    #[serde(rename = "skipped")]
    Skipped,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Sent, Self::Failed, Self::GivenUp, Self::Skipped];

    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::GivenUp => "given up",
            Self::Skipped => "skipped",
        }
    }

    /// Whether it is still to be sent.
    pub const fn is_to_be_sent(self) -> bool {
        matches!(self, Self::Pending | Self::Failed)
    }

    /// The inverse of [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A message to one receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Its number.
    pub id: i64,
    /// What the receiver gets to tell it from others, each time it is sent.
    pub delivery_id: String,
    /// When there was something to tell.
    pub created: DateTime<Utc>,
    /// Of those with the same receiver a courier sends few at a time.
    pub receiver: String,
    /// The webhook's name or the e-mail address.
    pub recipient: String,
    /// The webhook's number; `None` for e-mail, or when the webhook is gone.
    pub webhook: Option<i64>,
    /// The rule that asked for it.
    pub rule: Option<i64>,
    /// The event that it tells of.
    pub event: Option<i64>,
    /// The row of the change log that it tells of.
    pub change: Option<i64>,
    /// What it tells, in one line.
    pub summary: String,
    /// Equal troubles before this one that nobody was told of.
    pub folded: i64,
    /// Since when.
    pub folded_since: Option<DateTime<Utc>>,
    /// Where it stands.
    pub state: State,
    /// How often it was tried.
    pub attempts: i64,
    /// It is not tried earlier.
    pub not_before: DateTime<Utc>,
    /// Until when a courier has it.
    pub leased_until: Option<DateTime<Utc>>,
    /// When it was sent, given up or skipped.
    pub finished: Option<DateTime<Utc>>,
    /// HTTP status of the last answer.
    pub status: Option<i64>,
    /// Start of the last answer.
    pub answer: Option<String>,
    /// Why the last attempt failed, or why it was skipped.
    pub error: Option<String>,
}

impl Delivery {
    /// Whether it goes out by e-mail.
    pub fn is_mail(&self) -> bool {
        self.receiver == MAIL
    }
}

/// A message that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// The rule that asks for it.
    pub rule: i64,
    /// The event that it tells of.
    pub event: i64,
    /// Where to.
    pub to: Recipient,
    /// What it tells, in one line.
    pub summary: String,
    /// Equal troubles before this one that nobody was told of.
    pub folded: i64,
    /// Since when.
    pub folded_since: Option<DateTime<Utc>>,
}

/// Whom a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// An e-mail address.
    Mail(String),
    /// A webhook's number and name.
    Webhook(i64, String),
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What becomes of the delivery.
    pub state: State,
    /// When to try again, for [`State::Failed`].
    pub again: Option<DateTime<Utc>>,
    /// HTTP status of the answer.
    pub status: Option<u16>,
    /// Start of the answer, without secrets.
    pub answer: Option<String>,
    /// Why it failed, without secrets.
    pub error: Option<String>,
}

/// A delivery id that nobody can guess, made by the database.
const fn random(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "LOWER(HEX(RANDOMBLOB(16)))",
        Engine::Postgres => "REPLACE(CAST(GEN_RANDOM_UUID() AS TEXT), '-', '')",
    }
}

/// Whether there is an enabled webhook: nothing has to be done for a change if not.
pub(crate) async fn any_webhook(session: &mut Session<'_>) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS one WHERE EXISTS (SELECT 1 FROM extras_webhook w WHERE w.enabled)";
    Ok(session.row(sql, vec![]).await?.is_some())
}

/// Makes deliveries of rows of the change log for the webhooks that ask for them, in the transaction that writes both.
pub(crate) async fn of_changes(
    session: &mut Session<'_>,
    changes: &[i64],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO extras_delivery (delivery_id, created, receiver, recipient, webhook_id, change_id, summary, state, \
         not_before) \
         SELECT {random}, ?, 'webhook:' || CAST(w.id AS TEXT), w.name, w.id, c.id, \
         c.action || ' of ' || c.changed_object_type || ' ' || c.object_repr, 'pending', ? \
         FROM core_objectchange c JOIN extras_webhook w ON w.enabled \
         AND w.content_types LIKE '%\"' || c.changed_object_type || '\"%' \
         AND ((c.action = 'create' AND w.type_create) OR (c.action = 'update' AND w.type_update) \
         OR (c.action = 'delete' AND w.type_delete)) WHERE c.id IN ({}) ORDER BY c.id, w.id",
        placeholders(changes.len()),
        random = random(session.engine()),
    );
    let mut values = vec![now.into(), now.into()];
    values.extend(changes.iter().map(|id| Value::from(*id)));
    session.execute(&sql, values).await.map(drop)
}

/// Adds messages, in the caller's transaction.
pub async fn add_in(
    session: &mut Session<'_>,
    deliveries: &[NewDelivery],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let row = format!("({}, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?)", random(session.engine()));
    for chunk in deliveries.chunks(100) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 10);
        for delivery in chunk {
            let (receiver, recipient, webhook) = match &delivery.to {
                Recipient::Mail(address) => (MAIL.to_owned(), address, None),
                Recipient::Webhook(id, name) => (format!("webhook:{id}"), name, Some(*id)),
            };
            values.extend([
                now.into(),
                receiver.into(),
                recipient.as_str().into(),
                webhook.into(),
                delivery.rule.into(),
                delivery.event.into(),
                delivery.summary.as_str().into(),
                delivery.folded.into(),
                delivery.folded_since.into(),
                now.into(),
            ]);
        }
        let sql = format!(
            "INSERT INTO extras_delivery (delivery_id, created, receiver, recipient, webhook_id, rule_id, event_id, summary, \
             folded, folded_since, state, not_before) VALUES {}",
            vec![row.as_str(); chunk.len()].join(", ")
        );
        session.execute(&sql, values).await?;
    }
    Ok(())
}

/// What can be sent now, to others than these receivers; and its values.
fn sendable(busy: &[String], now: DateTime<Utc>) -> (String, Vec<Value>) {
    let others = if busy.is_empty() {
        String::new()
    } else {
        format!(" AND d.receiver NOT IN ({})", placeholders(busy.len()))
    };
    let sql = format!(
        "d.state IN ('pending', 'failed') AND d.not_before <= ? AND (d.leased_until IS NULL OR d.leased_until <= ?){others}"
    );
    let mut values = vec![now.into(), now.into()];
    values.extend(busy.iter().map(|receiver| Value::from(receiver.as_str())));
    (sql, values)
}

/// Whether something could be sent now, to others than these receivers. It only reads.
pub async fn due(store: &Store, busy: &[String], now: DateTime<Utc>) -> Result<bool, StoreError> {
    let (condition, values) = sendable(busy, now);
    let sql = format!("SELECT 1 AS one FROM extras_delivery d WHERE {condition} LIMIT 1");
    Ok(store.row(&sql, values).await?.is_some())
}

/// Takes the message that has been due for longest, for others than these receivers, until `leased_until`, and counts the
/// attempt. This one statement decides: no two couriers get the same message while the lease lasts.
pub async fn claim(
    store: &Store,
    busy: &[String],
    leased_until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<Delivery>, StoreError> {
    let (condition, conditions) = sendable(busy, now);
    let skip = if store.engine() == Engine::Postgres { " FOR UPDATE OF d SKIP LOCKED" } else { "" };
    let sql = format!(
        "UPDATE extras_delivery SET leased_until = ?, attempts = attempts + 1 WHERE id = (SELECT d.id FROM extras_delivery d \
         WHERE {condition} ORDER BY d.not_before, d.id LIMIT 1{skip}) RETURNING *"
    );
    let mut values = vec![leased_until.into()];
    values.extend(conditions);
    store.row(&sql, values).await?.as_ref().map(delivery_of).transpose()
}

/// Records how an attempt ended, and says whether it did: not if somebody else has taken the message since.
pub async fn record(
    store: &Store,
    delivery: &Delivery,
    attempt: &Attempt,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let finished = (attempt.state != State::Failed).then_some(now);
    let touched = store
        .execute(
            "UPDATE extras_delivery SET state = ?, not_before = ?, leased_until = NULL, finished = ?, status = ?, answer = ?, \
             error = ? WHERE id = ? AND attempts = ? AND leased_until = ? AND state IN ('pending', 'failed')",
            vec![
                attempt.state.as_str().into(),
                attempt.again.unwrap_or(delivery.not_before).into(),
                finished.into(),
                attempt.status.map(i64::from).into(),
                attempt.answer.clone().into(),
                attempt.error.clone().into(),
                delivery.id.into(),
                delivery.attempts.into(),
                delivery.leased_until.into(),
            ],
        )
        .await?;
    Ok(touched > 0)
}

/// Which deliveries to list.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// Only those that stand there.
    pub state: Option<State>,
    /// Only those to this webhook or address.
    pub recipient: Option<String>,
    /// So many at most.
    pub limit: u32,
}

/// The newest deliveries first.
pub async fn list_deliveries(store: &Store, which: &Which) -> Result<Vec<Delivery>, StoreError> {
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    if let Some(state) = which.state {
        conditions.push("state = ?");
        values.push(state.as_str().into());
    }
    if let Some(recipient) = &which.recipient {
        conditions.push("recipient = ?");
        values.push(recipient.as_str().into());
    }
    let filter =
        if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    values.push(which.limit.into());
    let rows = store
        .rows(&format!("SELECT * FROM extras_delivery{filter} ORDER BY id DESC LIMIT ?"), values)
        .await?;
    rows.iter().map(delivery_of).collect()
}

/// The delivery with this number.
pub async fn get(store: &Store, id: i64) -> Result<Option<Delivery>, StoreError> {
    let row = store.row("SELECT * FROM extras_delivery WHERE id = ?", vec![id.into()]).await?;
    row.as_ref().map(delivery_of).transpose()
}

/// Lets deliveries that failed or were given up be tried again at once, from the first attempt on; all of these states if no
/// numbers are given. Gives how many.
pub async fn retry(store: &Store, ids: &[i64], now: DateTime<Utc>) -> Result<u64, StoreError> {
    let chosen =
        if ids.is_empty() { String::new() } else { format!(" AND id IN ({})", placeholders(ids.len())) };
    let sql = format!(
        "UPDATE extras_delivery SET state = 'pending', attempts = 0, not_before = ?, leased_until = NULL, finished = NULL \
         WHERE state IN ('failed', 'given up') AND (leased_until IS NULL OR leased_until <= ?){chosen}"
    );
    let mut values = vec![now.into(), now.into()];
    values.extend(ids.iter().map(|id| Value::from(*id)));
    store.execute(&sql, values).await
}

/// Why a message was given up that grew too old.
const TOO_OLD: &str =
    "it was not sent for longer than job_retention: no worker was at work, or it was tried in vain";

/// Messages that grew too old to be told: those made before a time that are still to be sent and are not being sent now.
const OLD: &str =
    "created < ? AND state IN ('pending', 'failed') AND (leased_until IS NULL OR leased_until <= ?)";

/// How many messages made before this time are still to be sent, and how many events of before nobody has looked at.
pub async fn count_old(store: &Store, before: DateTime<Utc>, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let sql = format!(
        "SELECT (SELECT COUNT(*) FROM extras_delivery WHERE {OLD}) \
         + (SELECT COUNT(*) FROM extras_event WHERE handled IS NULL AND time < ?) AS count"
    );
    let row = store.row(&sql, vec![before.into(), now.into(), before.into()]).await?;
    let count: i64 = row.map_or(Ok(0), |row| row.get("count"))?;
    Ok(count.unsigned_abs())
}

/// Gives up messages that [`count_old`] counts, and looks at no such event any more: at most `batch` of each. Says how many.
pub async fn give_up_old(
    session: &mut Session<'_>,
    before: DateTime<Utc>,
    batch: u32,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let sql = format!(
        "UPDATE extras_delivery SET state = 'given up', finished = ?, leased_until = NULL, error = ? \
         WHERE id IN (SELECT id FROM extras_delivery WHERE {OLD} LIMIT ?)"
    );
    let values = vec![now.into(), TOO_OLD.into(), before.into(), now.into(), batch.into()];
    let deliveries = session.execute(&sql, values).await?;
    let sql = "UPDATE extras_event SET handled = ? WHERE id IN (SELECT id FROM extras_event \
               WHERE handled IS NULL AND time < ? LIMIT ?)";
    let events = session.execute(sql, vec![now.into(), before.into(), batch.into()]).await?;
    Ok(deliveries + events)
}

/// How many deliveries stand where, and when the oldest of each was made.
pub async fn counts(store: &Store) -> Result<Vec<(State, i64, DateTime<Utc>)>, StoreError> {
    counts_in(&mut store.connection().await?.session()).await
}

pub(crate) async fn counts_in(
    session: &mut Session<'_>,
) -> Result<Vec<(State, i64, DateTime<Utc>)>, StoreError> {
    let sql = "SELECT state, COUNT(*) AS count, MIN(created) AS oldest FROM extras_delivery GROUP BY state";
    let rows = session.rows(sql, vec![]).await?;
    let counted = rows.iter().map(|row| {
        let state: String = row.get("state")?;
        let state =
            State::parse(&state).ok_or_else(|| StoreError::Data(format!("state of a delivery {state}")))?;
        Ok((state, row.get("count")?, row.get("oldest")?))
    });
    counted.collect()
}

fn delivery_of(row: &Row) -> Result<Delivery, StoreError> {
    let state: String = row.get("state")?;
    Ok(Delivery {
        id: row.get("id")?,
        delivery_id: row.get("delivery_id")?,
        created: row.get("created")?,
        receiver: row.get("receiver")?,
        recipient: row.get("recipient")?,
        webhook: row.get("webhook_id")?,
        rule: row.get("rule_id")?,
        event: row.get("event_id")?,
        change: row.get("change_id")?,
        summary: row.get("summary")?,
        folded: row.get("folded")?,
        folded_since: row.get("folded_since")?,
        state: State::parse(&state)
            .ok_or_else(|| StoreError::Data(format!("state of a delivery {state}")))?,
        attempts: row.get("attempts")?,
        not_before: row.get("not_before")?,
        leased_until: row.get("leased_until")?,
        finished: row.get("finished")?,
        status: row.get("status")?,
        answer: row.get("answer")?,
        error: row.get("error")?,
    })
}
