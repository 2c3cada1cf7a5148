//! Fetches the 13 namespaces, four at a time as the program does, parses each as a whole, and inserts every row in
//! one transaction.

use std::net::IpAddr;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use futures::{StreamExt as _, stream};
use ipnet::IpNet;
use pm_store::address;
use pm_store::peeringdb::tables::{CacheTable, TABLES};
use pm_store::schema::{Column, ColumnKind};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments as _, AssertSqlSafe, Connection as _};

use crate::database::Kind;
use crate::peeringdb::http_client;

/// As many as the program.
const CONCURRENT: usize = 4;
/// Values per statement of SQLite, whose limit is 32,766.
const SQLITE_VALUES: usize = 32_000;
/// Rows per statement of PostgreSQL, which gets one array per column.
const POSTGRES_ROWS: usize = 1_000;

type Record = Map<String, Json>;

#[derive(Deserialize)]
struct Body {
    data: Vec<Record>,
}

pub(crate) async fn run(kind: Kind, api: &str, url: &str) -> anyhow::Result<()> {
    let http = http_client()?;
    let mut fetched = stream::iter(&TABLES)
        .map(|table| {
            let (http, url) = (http.clone(), format!("{api}/{}?depth=0", table.namespace));
            // A task of its own, so that parsing and inserting use two processors.
            tokio::spawn(async move { fetch(&http, &url).await.map(|records| (table, records)) })
        })
        .buffer_unordered(CONCURRENT);
    match kind {
        Kind::Sqlite => {
            let mut connection = super::sqlite(url).await?;
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            while let Some(one) = fetched.next().await {
                let (table, records) = one??;
                insert_sqlite(&mut transaction, table, records).await?;
            }
            transaction.commit().await?;
            connection.close().await?;
        }
        Kind::Postgres => {
            let mut connection = super::postgres(url).await?;
            let mut transaction = connection.begin().await?;
            while let Some(one) = fetched.next().await {
                let (table, records) = one??;
                insert_postgres(&mut transaction, table, records).await?;
            }
            transaction.commit().await?;
            connection.close().await?;
        }
    }
    Ok(())
}

async fn fetch(http: &reqwest::Client, url: &str) -> anyhow::Result<Vec<Record>> {
    let body = http.get(url).send().await?.error_for_status()?.bytes().await?;
    let body: Body = serde_json::from_slice(&body).with_context(|| url.to_owned())?;
    Ok(body.data)
}

/// The table's columns in the order of its statements; `extra` and `hash` are no fields of the API.
fn columns(table: &CacheTable) -> Vec<&'static Column> {
    table.all_columns().collect()
}

async fn insert_sqlite(
    connection: &mut SqliteConnection,
    table: &CacheTable,
    records: Vec<Record>,
) -> anyhow::Result<()> {
    let columns = columns(table);
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    let mut records = records.into_iter().peekable();
    while records.peek().is_some() {
        let mut arguments = SqliteArguments::default();
        let mut count = 0;
        for mut record in records.by_ref().take(SQLITE_VALUES / columns.len()) {
            for column in &columns {
                let value = record.get_mut(column.name).map(Json::take).unwrap_or_default();
                match column.kind {
                    ColumnKind::Integer => arguments.add(integer(column, &value)),
                    ColumnKind::Boolean => arguments.add(value.as_bool()),
                    ColumnKind::Float => arguments.add(value.as_f64()),
                    ColumnKind::Text => arguments.add(text(value)),
                    ColumnKind::Json => arguments.add(json(&value)),
                    ColumnKind::Time => arguments.add(time(&value)),
                    ColumnKind::Address => arguments.add(octets(&value)),
                }
                .map_err(sqlx::Error::Encode)?;
            }
            count += 1;
        }
        let rows = vec![row.as_str(); count].join(", ");
        let sql = format!("INSERT INTO {} ({}) VALUES {rows}", table.table, names.join(", "));
        sqlx::query_with(AssertSqlSafe(sql), arguments).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn insert_postgres(
    connection: &mut PgConnection,
    table: &CacheTable,
    records: Vec<Record>,
) -> anyhow::Result<()> {
    let columns = columns(table);
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let arrays: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(place, column)| format!("${}::{}[]", place + 1, column.kind.sql(pm_store::Engine::Postgres)))
        .collect();
    let sql = format!(
        "INSERT INTO {} ({}) SELECT * FROM UNNEST({})",
        table.table,
        names.join(", "),
        arrays.join(", ")
    );
    let mut records = records;
    for chunk in records.chunks_mut(POSTGRES_ROWS) {
        let mut arguments = PgArguments::default();
        for column in &columns {
            let values = chunk
                .iter_mut()
                .map(|record| record.get_mut(column.name).map(Json::take).unwrap_or_default());
            match column.kind {
                ColumnKind::Integer => {
                    arguments.add(values.map(|value| integer(column, &value)).collect::<Vec<_>>())
                }
                ColumnKind::Boolean => arguments.add(values.map(|value| value.as_bool()).collect::<Vec<_>>()),
                ColumnKind::Float => arguments.add(values.map(|value| value.as_f64()).collect::<Vec<_>>()),
                ColumnKind::Text => arguments.add(values.map(text).collect::<Vec<_>>()),
                ColumnKind::Json => arguments.add(values.map(|value| json(&value)).collect::<Vec<_>>()),
                ColumnKind::Time => arguments.add(values.map(|value| time(&value)).collect::<Vec<_>>()),
                ColumnKind::Address => arguments.add(values.map(|value| octets(&value)).collect::<Vec<_>>()),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        sqlx::query_with(AssertSqlSafe(sql.as_str()), arguments).execute(&mut *connection).await?;
    }
    Ok(())
}

fn integer(column: &Column, value: &Json) -> Option<i64> {
    // The one column that is not a field and may not be NULL.
    if column.name == "hash" { Some(0) } else { value.as_i64() }
}

fn text(value: Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

fn json(value: &Json) -> Option<String> {
    (!value.is_null()).then(|| value.to_string())
}

fn time(value: &Json) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(value.as_str()?).ok().map(DateTime::into)
}

fn octets(value: &Json) -> Option<Vec<u8>> {
    let text = value.as_str()?;
    let host = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse::<IpNet>().ok().or_else(host).map(address::encode)
}
