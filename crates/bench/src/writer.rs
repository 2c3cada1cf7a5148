//! Somebody else who writes: one small row, again and again, and how long each had to wait.

use std::io::Read as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::TimeDelta;
use sqlx::Connection as _;

use crate::database::Kind;
use crate::floor;
use crate::process::median;
use crate::session::start_time;

/// Between two rows.
const PAUSE: Duration = Duration::from_millis(20);

/// What the writer saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    pub(crate) rows: usize,
    pub(crate) median: Duration,
    pub(crate) longest: Duration,
}

impl Waits {
    /// The inverse of what [`run`] prints.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let numbers: Vec<u64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        match numbers[..] {
            [rows, median, longest] => Ok(Self {
                rows: usize::try_from(rows)?,
                median: Duration::from_micros(median),
                longest: Duration::from_micros(longest),
            }),
            _ => anyhow::bail!("the writer said {text:?}"),
        }
    }
}

/// Writes until stdin ends, then prints the number of rows, the median and the longest wait in microseconds.
#[expect(clippy::print_stdout, reason = "read by the parent process")]
pub(crate) async fn run(kind: Kind, url: &str) -> anyhow::Result<()> {
    let mut waits = Vec::new();
    let stopped = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let write = async {
        match kind {
            Kind::Sqlite => {
                let mut connection = floor::sqlite(url).await?;
                loop {
                    let (id, begun) = (waits.len(), Instant::now());
                    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
                    let insert =
                        sqlx::query("INSERT INTO users_session (id, data, expires) VALUES (?, '{}', ?)");
                    insert.bind(id.to_string()).bind(expiry()).execute(&mut *transaction).await?;
                    transaction.commit().await?;
                    waits.push(begun.elapsed());
                    tokio::time::sleep(PAUSE).await;
                }
            }
            Kind::Postgres => {
                let mut connection = floor::postgres(url).await?;
                loop {
                    let (id, begun) = (waits.len(), Instant::now());
                    let mut transaction = connection.begin().await?;
                    let insert =
                        sqlx::query("INSERT INTO users_session (id, data, expires) VALUES ($1, '{}', $2)");
                    insert.bind(id.to_string()).bind(expiry()).execute(&mut *transaction).await?;
                    transaction.commit().await?;
                    waits.push(begun.elapsed());
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    let ended: anyhow::Result<()> = tokio::select! {
        ended = write => ended,
        read = stopped => read?.map(drop).context("stdin cannot be read"),
    };
    ended?;
    let longest = waits.iter().max().copied().unwrap_or_default();
    println!("{} {} {}", waits.len(), median(&waits).as_micros(), longest.as_micros());
    Ok(())
}

fn expiry() -> chrono::DateTime<chrono::Utc> {
    start_time() + TimeDelta::days(36_500)
}
