//! `peeringdb_sync`

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use pm_store::jobs::Outcome;
use pm_store::peeringdb::runs;
use pm_tasks::{AnyTask, PeeringdbFlush, PeeringdbSync};
use serde_json::{Value as Json, json};

use crate::app::{self, EXIT_OK, UsageError};
use crate::commands::Shared;
use crate::enqueue;
use crate::output::{Output, one_line, table};

/// Records of other networks that a report lists.
const OTHERS_LISTED: i64 = 50;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// Remove the cached data; the next synchronisation fetches everything
    #[arg(short, long, conflicts_with_all = ["full", "from", "report", "force"])]
    flush: bool,
    /// Put it on the queue, for a worker, instead of running it here
    #[arg(short, long)]
    tasks: bool,
    /// Fetch everything and compare, instead of only what changed since the last run
    #[arg(long)]
    full: bool,
    /// Overrule the guard against mass deletion
    #[arg(long)]
    force: bool,
    /// Read saved dumps instead of asking PeeringDB: a directory of {namespace}.json, or one such file
    #[arg(long, value_name = "FILE|DIR")]
    from: Option<PathBuf>,
    /// List what a run did (the newest, if no number is given) and do nothing else
    #[arg(long, value_name = "RUN", num_args = 0..=1, conflicts_with_all = ["full", "from", "force", "tasks"])]
    #[expect(clippy::option_option, reason = "not given, given without a number, given with one")]
    report: Option<Option<i64>>,
    /// Wait if another synchronisation runs, instead of ending with exit code 75
    #[arg(long)]
    wait: bool,
}

pub(crate) async fn run(shared: &Shared, output: &Output, arguments: Arguments) -> anyhow::Result<u8> {
    if arguments.flush && arguments.tasks {
        return Err(anyhow!(UsageError(
            "--flush cannot be run as a background task; leave --tasks out".into()
        )));
    }
    if let Some(run) = arguments.report {
        return report(shared, output, run).await;
    }
    if arguments.flush {
        return Ok(app::run_task(shared, output, &PeeringdbFlush {}, arguments.wait).await?.exit);
    }
    let task = PeeringdbSync { full: arguments.full, force: arguments.force, from: arguments.from };
    if arguments.tasks {
        return enqueue::enqueue(shared, output, &AnyTask::PeeringdbSync(task)).await;
    }
    let finished = app::run_task(shared, output, &task, arguments.wait).await?;
    let changed = finished.outcome != Some(Outcome::NothingToDo);
    if let Some(run) = finished.data.get("run").and_then(Json::as_i64).filter(|_| changed) {
        output.remark(&format!("What changed: peering-manager peeringdb_sync --report {run}"));
    }
    Ok(finished.exit)
}

async fn report(shared: &Shared, output: &Output, run: Option<i64>) -> anyhow::Result<u8> {
    let (_, store) = app::open(shared, output).await?;
    let Some(found) = runs::find(&store, run).await? else {
        return Err(match run {
            Some(run) => {
                anyhow!("there is no synchronisation {run}; it may have been cleared away by housekeeping")
            }
            None => anyhow!("nothing has been synchronised yet; run `peering-manager peeringdb_sync`"),
        });
    };
    if output.json {
        let records = runs::touched(&store, found.id, false, None).await?;
        output.json(&json!({ "run": found, "records": records }))?;
        return Ok(EXIT_OK);
    }
    output.line(&format!(
        "Synchronisation {} ({}) at {}: {} created, {} updated, {} deleted, {} found only by comparing",
        found.id,
        found.kind,
        found.time.format("%Y-%m-%d %H:%M:%S UTC"),
        found.created,
        found.updated,
        found.deleted,
        found.drift
    ));
    if let Some(namespaces) = found.details.get("namespaces").and_then(Json::as_object) {
        let number =
            |one: &Json, key: &str| one.get(key).and_then(Json::as_i64).unwrap_or_default().to_string();
        let rows = namespaces.iter().map(|(namespace, one)| {
            let mut row = vec![namespace.clone()];
            row.extend(["records", "created", "updated", "deleted", "dangling"].map(|key| number(one, key)));
            row
        });
        output.line(&table(&["Namespace", "Sent", "Created", "Updated", "Deleted", "Dangling"], rows));
        for (namespace, one) in namespaces {
            for text in one.get("unusable").and_then(Json::as_array).into_iter().flatten() {
                let text = one_line(text.as_str().unwrap_or_default());
                output.line(&format!("not stored: {namespace}: {text}"));
            }
        }
    }
    let own = runs::touched(&store, found.id, true, None).await?;
    if !own.is_empty() {
        output.line("\nOur own peers:");
        for record in &own {
            let asn = record.asn.map(|asn| format!("AS{asn} ")).unwrap_or_default();
            output.line(&format!(
                "  {asn}{} {} {:?} {}",
                record.namespace, record.id, record.label, record.action
            ));
            for (field, sides) in record.changes.as_ref().and_then(Json::as_object).into_iter().flatten() {
                let side = |place: usize| sides.get(place).map(Json::to_string).unwrap_or_default();
                output.line(&format!("      {field}: {} → {}", side(0), side(1)));
            }
        }
    }
    let all = runs::touched(&store, found.id, false, Some(OTHERS_LISTED + i64::try_from(own.len())?)).await?;
    let others: Vec<_> = all.iter().filter(|record| record.asn.is_none()).collect();
    if !others.is_empty() {
        output.line("\nOthers (all of them with --json):");
        for record in others {
            output
                .line(&format!("  {} {} {:?} {}", record.namespace, record.id, record.label, record.action));
        }
    }
    Ok(EXIT_OK)
}
