//! Deletes the change log with the statement that housekeeping uses, and nothing around it.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::database::Kind;
use crate::session::start_time;

pub(crate) async fn run(kind: Kind, url: &str, batch: i64) -> anyhow::Result<()> {
    let before: DateTime<Utc> = start_time();
    let delete = |time: &str, limit: &str| {
        AssertSqlSafe(format!(
            "DELETE FROM core_objectchange WHERE id IN (SELECT id FROM core_objectchange WHERE time < {time} LIMIT {limit})"
        ))
    };
    let full = u64::try_from(batch)?;
    match kind {
        Kind::Sqlite => {
            let mut connection = super::sqlite(url).await?;
            while sqlx::query(delete("?", "?"))
                .bind(before)
                .bind(batch)
                .execute(&mut connection)
                .await?
                .rows_affected()
                == full
            {}
            connection.close().await?;
        }
        Kind::Postgres => {
            let mut connection = super::postgres(url).await?;
            while sqlx::query(delete("$1", "$2"))
                .bind(before)
                .bind(batch)
                .execute(&mut connection)
                .await?
                .rows_affected()
                == full
            {}
            connection.close().await?;
        }
    }
    Ok(())
}
