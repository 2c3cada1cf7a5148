//! The change log: who changed which object, when, from what to what.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use crate::{Session, StoreError, Value, notifications};

/// What was done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It was made.
    Create,
    /// It was changed.
    Update,
    /// It was removed.
    Delete,
}

impl Action {
    /// As it is stored, in the original's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// Who changes objects: one author and one request id for everything that belongs together.
#[derive(Clone, Debug)]
pub struct Author {
    /// The user's number; `None` for tasks and the command line.
    pub user_id: Option<i64>,
    /// The user's login name, or what stands in its place, such as `task peeringdb_sync`.
    pub user_name: String,
    /// UUID that the changes of one request or one job share.
    pub request_id: String,
}

/// One object change. `before` and `after` are snapshots: column name to JSON value, without secrets.
#[derive(Clone, Debug)]
pub struct Change {
    /// What was done.
    pub action: Action,
    /// The object's type, such as `peering.autonomoussystem`.
    pub model: &'static str,
    /// The object's number.
    pub object_id: i64,
    /// The object's text form at that time.
    pub object_repr: String,
    /// State before; `None` for a creation.
    pub before: Option<Json>,
    /// State after; `None` for a deletion.
    pub after: Option<Json>,
}

/// Writes changes into the log, in the transaction that makes them, and with them the deliveries to webhooks that want
/// to hear of them.
pub async fn record(
    session: &mut Session<'_>,
    author: &Author,
    changes: &[Change],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let hooked = notifications::any_webhook(session).await?;
    for chunk in changes.chunks(200) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 10);
        for change in chunk {
            values.extend([
                now.into(),
                author.user_id.into(),
                author.user_name.as_str().into(),
                author.request_id.as_str().into(),
                change.action.as_str().into(),
                change.model.into(),
                change.object_id.into(),
                change.object_repr.chars().take(200).collect::<String>().into(),
                change.before.as_ref().map(Json::to_string).into(),
                change.after.as_ref().map(Json::to_string).into(),
            ]);
        }
        let sql = format!(
            "INSERT INTO core_objectchange (time, user_id, user_name, request_id, action, changed_object_type, \
             changed_object_id, object_repr, prechange_data, postchange_data) VALUES {}",
            vec!["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"; chunk.len()].join(", ")
        );
        if hooked {
            let rows = session.rows(&format!("{sql} RETURNING id"), values).await?;
            let ids: Vec<i64> = rows.iter().map(|row| row.get("id")).collect::<Result<_, _>>()?;
            notifications::of_changes(session, &ids, now).await?;
        } else {
            session.execute(&sql, values).await?;
        }
    }
    Ok(())
}

/// A row of the change log.
#[derive(Clone, Debug)]
pub struct Logged {
    /// When it was made.
    pub time: DateTime<Utc>,
    /// Who made it.
    pub user_name: String,
    /// What changes share that belong together.
    pub request_id: String,
    /// `create`, `update` or `delete`.
    pub action: String,
    /// The object's type.
    pub model: String,
    /// The object's number.
    pub object_id: i64,
    /// The object's text form at that time.
    pub object_repr: String,
    /// State before.
    pub before: Option<Json>,
    /// State after.
    pub after: Option<Json>,
}

/// The row with this number, if it is still there.
pub async fn get(session: &mut Session<'_>, id: i64) -> Result<Option<Logged>, StoreError> {
    let row = session.row("SELECT * FROM core_objectchange WHERE id = ?", vec![id.into()]).await?;
    row.map(|row| {
        Ok(Logged {
            time: row.get("time")?,
            user_name: row.get("user_name")?,
            request_id: row.get("request_id")?,
            action: row.get("action")?,
            model: row.get("changed_object_type")?,
            object_id: row.get("changed_object_id")?,
            object_repr: row.get("object_repr")?,
            before: row.json("prechange_data")?,
            after: row.json("postchange_data")?,
        })
    })
    .transpose()
}
