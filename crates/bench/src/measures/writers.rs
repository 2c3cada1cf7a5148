//! How long somebody else who wants to write must wait while a full synchronisation runs.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;

use super::{say, skip_postgres, synchronise};
use crate::database::Kind;
use crate::peeringdb::PeeringDb;
use crate::report::{Report, time};
use crate::session::Session;
use crate::writer::Waits;

/// Patience of a person at a web page.
const TARGET: Duration = Duration::from_secs(5);

pub(super) async fn run(session: &Session, peeringdb: &PeeringDb, report: &mut Report) -> anyhow::Result<()> {
    for kind in session.kinds() {
        let database = session.database(kind, &format!("writers_{kind}").to_lowercase()).await?;
        let mut command = session.part("write");
        command.args([kind.word(), &database.url]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut writer = command.spawn().context("the writer cannot be started")?;
        let synchronised = synchronise(session, peeringdb, &database).await?;
        drop(writer.stdin.take());
        let output = writer.wait_with_output().await?;
        anyhow::ensure!(output.status.success(), "the writer ended with {}", output.status);
        let waits = Waits::parse(&String::from_utf8(output.stdout)?)?;
        say(&format!(
            "writers, {kind}: {} rows in {}, median {}, longest {}",
            waits.rows,
            time(synchronised.wall),
            time(waits.median),
            time(waits.longest)
        ));
        let name = format!("longest wait of another writer meanwhile, {kind}");
        match kind {
            Kind::Sqlite => report.within(name, waits.longest, TARGET),
            Kind::Postgres => report.told(name, waits.longest, None),
        }
        session.remove(&database).await?;
    }
    skip_postgres(session, report, "longest wait of another writer meanwhile");
    Ok(())
}
