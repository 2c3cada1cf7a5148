//! The change log: who changed which object, when, from what to what.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use crate::{Session, StoreError, Value};

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

/// Writes changes into the log, in the transaction that makes them.
pub async fn record(
    session: &mut Session<'_>,
    author: &Author,
    changes: &[Change],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
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
        session.execute(&sql, values).await?;
    }
    Ok(())
}
