//! `ix`: Internet exchanges.

use clap::Subcommand;
use pm_tasks::exchanges;

use super::peeringdb::parse_asn;
use crate::app::{self, EXIT_OK, EXIT_PARTLY};
use crate::commands::Shared;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an exchange and a connection for each port that PeeringDB says we have
    ImportFromPeeringdb {
        /// Which of our own autonomous systems; needed if there are several
        #[arg(long = "as", value_name = "ASN", value_parser = parse_asn)]
        asn: Option<i64>,
        /// Show what would be made, and make nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List them
    List,
}

pub(crate) async fn run(shared: &Shared, output: &Output, command: Command) -> anyhow::Result<u8> {
    let editor = app::editor(shared, output).await?;
    let (asn, dry_run) = match command {
        Command::List => return super::objects::list(output, &editor, "internet_exchanges", &[], None).await,
        Command::ImportFromPeeringdb { asn, dry_run } => (asn, dry_run),
    };
    let imported = exchanges::import(&editor, asn, dry_run).await?;
    for why in &imported.skipped {
        output.warning(&format!("left out: {why}"));
    }
    let code = if imported.skipped.is_empty() { EXIT_OK } else { EXIT_PARTLY };
    if output.json {
        output.json(&imported)?;
        return Ok(code);
    }
    let address = |address: Option<_>| address.map(|net: ipnet::IpNet| net.to_string()).unwrap_or_default();
    output.table("connections", &imported.connections, &["Exchange", "IPv6", "IPv4", "Mbit/s"], |one| {
        vec![
            one.exchange.clone(),
            address(one.ipv6_address),
            address(one.ipv4_address),
            one.speed.map(|speed| speed.to_string()).unwrap_or_default(),
        ]
    })?;
    let would = if dry_run { " would be" } else { "" };
    output.remark(&format!(
        "AS{}: {} exchanges and {} connections{would} made, {} connections were there.",
        imported.asn,
        imported.exchanges.len(),
        imported.connections.len(),
        imported.present
    ));
    Ok(code)
}
