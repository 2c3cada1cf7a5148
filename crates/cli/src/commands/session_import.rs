//! `sessions unknown`, `sessions import`: neighbours of routers for which there is no session.

use clap::Args;
use pm_store::Store;
use pm_tasks::sessions::{self, Freshness, Stranger};
use pm_tasks::{AnyTask, ImportSessions};

use crate::ages::{polled, since};
use crate::app::{self, EXIT_OK};
use crate::commands::Shared;
use crate::enqueue;
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct Unknown {
    /// Only on these routers, by name or hostname, comma separated
    #[arg(long, value_name = "ROUTER")]
    router: Option<String>,
    /// Only on the LAN of this exchange: slug, name or number
    #[arg(long, value_name = "IX")]
    ixp: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// A router (name or hostname) or an exchange (slug, name or number); router: or ix: before it says which
    #[arg(value_name = "ROUTER|IX")]
    of: String,
    #[command(flatten)]
    how: How,
}

/// How neighbours become sessions.
#[derive(Debug, Args)]
pub(crate) struct How {
    /// Status of the new sessions [default: provisioning]
    #[arg(long)]
    status: Option<String>,
    /// Show what would be made, and make nothing
    #[arg(long)]
    dry_run: bool,
    /// Put it on the queue, for a worker, instead of running it here
    #[arg(short, long)]
    tasks: bool,
}

pub(crate) async fn unknown(
    output: &Output,
    store: &Store,
    freshness: Freshness,
    arguments: &Unknown,
) -> anyhow::Result<u8> {
    let (router, exchange) = (arguments.router.as_deref(), arguments.ixp.as_deref());
    let found = sessions::unknown(store, freshness, router, exchange).await?;
    let header = [
        "Router",
        "VRF",
        "Address",
        "ASN",
        "Name",
        "State",
        "Description",
        "Known for",
        "Polled",
        "sessions import",
    ];
    output.table("neighbors", &found, &header, |one| cells(one, freshness))?;
    let ready = found.iter().filter(|one| one.skipped.is_none()).count();
    output.remark(&format!(
        "{} neighbours without a session; `sessions import` can make sessions of {ready}.",
        found.len()
    ));
    Ok(EXIT_OK)
}

fn cells(one: &Stranger, freshness: Freshness) -> Vec<String> {
    let neighbor = &one.kept.neighbor;
    let import = match (&one.skipped, &one.connection) {
        (Some(why), _) => format!("no: {why}"),
        (None, Some(connection)) => format!("at {connection}"),
        (None, None) => "direct session".to_owned(),
    };
    vec![
        one.kept.router.clone(),
        neighbor.vrf.clone(),
        neighbor.ip_address.to_string(),
        neighbor.asn.map_or_else(|| "-".to_owned(), |asn| asn.to_string()),
        one.name.clone().unwrap_or_default(),
        neighbor.state.clone(),
        neighbor.description.clone().unwrap_or_default(),
        since(one.kept.first_seen, freshness.now),
        polled(Some(one.age), one.stale),
        import,
    ]
}

pub(crate) async fn import(shared: &Shared, output: &Output, arguments: Import) -> anyhow::Result<u8> {
    run(shared, output, Some(arguments.of), arguments.how).await
}

/// All exchanges: the original's `import_all_ix_sessions`.
pub(crate) async fn import_all(shared: &Shared, output: &Output, how: How) -> anyhow::Result<u8> {
    run(shared, output, None, how).await
}

async fn run(shared: &Shared, output: &Output, of: Option<String>, how: How) -> anyhow::Result<u8> {
    let task = ImportSessions { of, status: how.status, dry_run: how.dry_run };
    if how.tasks {
        return enqueue::enqueue(shared, output, &AnyTask::ImportSessions(task)).await;
    }
    Ok(app::run_task(shared, output, &task, false).await?.exit)
}
