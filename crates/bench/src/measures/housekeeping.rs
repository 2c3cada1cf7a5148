//! Clearing away a change log that has grown old.

use super::sync::{both, memory, wall};
use super::{say, skip_postgres};
use crate::database::{Database, Kind};
use crate::process::measure;
use crate::report::Report;
use crate::session::Session;

/// Times the floor that it may take.
const TARGET: f64 = 2.0;
/// The default of `housekeeping_batch`.
const BATCH: &str = "10000";

/// The log is written once per engine; every run gets a copy.
pub(super) async fn run(session: &Session, report: &mut Report) -> anyhow::Result<()> {
    #[expect(clippy::cast_possible_truncation, reason = "a million at most")]
    let rows = (1_000_000.0 * session.scale).round() as i64;
    for kind in session.kinds() {
        say(&format!("housekeeping, {kind}: writing {rows} rows of change log"));
        let full = session.database(kind, &format!("changes_{kind}").to_lowercase()).await?;
        fill(&full, rows).await?;
        let (mut ours, mut floor) = (Vec::new(), Vec::new());
        for round in 1..=session.rounds {
            let database =
                session.copy(&full, &format!("housekeeping_{kind}_{round}").to_lowercase()).await?;
            let mut command = session.program(Some(&database), None);
            command.args(["housekeeping", "-q"]);
            ours.push(measure(command, &[0]).await?);
            emptied(session, &database).await?;
            let database = session.copy(&full, &format!("deletion_{kind}_{round}").to_lowercase()).await?;
            let mut command = session.part("floor-delete");
            command.args([kind.word(), &database.url, BATCH]);
            floor.push(measure(command, &[0]).await?);
            emptied(session, &database).await?;
            say(&format!("housekeeping, {kind}, {round}: {}", both(&ours, &floor)));
        }
        session.remove(&full).await?;
        report.ratio(format!("housekeeping of {rows} rows, {kind}"), wall(&ours), wall(&floor), TARGET);
        report.memory(format!("– peak memory, {kind}"), memory(&ours), memory(&floor), None);
    }
    skip_postgres(session, report, "housekeeping");
    report.note("The original's housekeeping of 1,000,000 change records and 100,000 jobs: 4.7 s, 145 MB (PostgreSQL).");
    Ok(())
}

/// Rows of about 800 octets, 600 of them JSON, a quarter of a second apart, all in the year 2020.
async fn fill(database: &Database, rows: i64) -> anyhow::Result<()> {
    let store = database.open().await?;
    let prechange = document("100G");
    let postchange = document("400G");
    let (numbers, time) = match database.kind {
        Kind::Sqlite => (
            format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"),
            "strftime('%Y-%m-%dT%H:%M:%S', 1577836800 + i / 4, 'unixepoch') || '.' || printf('%06d', i % 4 * 250000) || '+00:00'",
        ),
        Kind::Postgres => (
            format!("WITH n (i) AS (SELECT generate_series(1, {rows}))"),
            "TIMESTAMPTZ '2020-01-01 00:00:00Z' + i * INTERVAL '250 milliseconds'",
        ),
    };
    let sql = format!(
        "INSERT INTO core_objectchange (time, user_name, request_id, action, changed_object_type, changed_object_id, \
         object_repr, prechange_data, postchange_data) {numbers} SELECT {time}, 'operator', \
         '6f1c2a0e-93d4-4b8a-8a51-' || (100000000000 + i / 20), 'update', 'peering.internetexchangepeeringsession', \
         i % 5000, 'AS' || (64512 + i % 1000) || ' at Example IX', {prechange}, {postchange} FROM n"
    );
    store.execute(&sql, vec![]).await?;
    if database.kind == Kind::Postgres {
        // What the server would have done by itself in the years since.
        store.execute("VACUUM (ANALYZE) core_objectchange", vec![]).await?;
        store.execute("CHECKPOINT", vec![]).await?;
    }
    store.close().await;
    Ok(())
}

/// SQL for 300 octets of JSON that differ from row to row.
fn document(speed: &str) -> String {
    format!(
        "'{{\"status\": \"enabled\", \"autonomous_system\": ' || (i % 1000) || ', \"ixp_connection\": ' || (i % 7) || ', \
         \"ip_address\": \"2001:db8:' || (i % 5000) || '::1\", \"multihop_ttl\": 1, \"passive\": false, \
         \"is_route_server\": false, \"import_routing_policies\": [1, 4], \"export_routing_policies\": [2], \
         \"received_prefix_count\": ' || i || ', \"bgp_state\": \"established\", \"comments\": \"moved to {speed}\", \
         \"tags\": [\"core\"]}}'"
    )
}

/// Both must have deleted everything.
async fn emptied(session: &Session, database: &Database) -> anyhow::Result<()> {
    let store = database.open().await?;
    let left = store.row("SELECT id FROM core_objectchange LIMIT 1", vec![]).await?;
    store.close().await;
    anyhow::ensure!(left.is_none(), "the change log was not emptied");
    session.remove(database).await
}
