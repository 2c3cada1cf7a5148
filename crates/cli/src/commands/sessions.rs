//! `sessions`: whom to have sessions with at Internet exchanges, how sessions stand, and what deleted ones left on routers.

use std::collections::BTreeSet;

use clap::Subcommand;
use pm_tasks::peers::{self, Available};

use super::deleted_sessions;
use super::peeringdb::parse_asn;
use super::{session_import, session_states};
use crate::app::{self, EXIT_OK, EXIT_PARTLY};
use crate::commands::Shared;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List sessions with their state, and how old that is
    List(session_states::List),
    /// Show one session with its history
    Show {
        /// Kind and number, such as ixp:7 or direct:7, or the neighbour's address
        #[arg(value_name = "SESSION")]
        which: String,
        /// So many changes of the history at most
        #[arg(long, value_name = "N", default_value_t = 20)]
        history: u32,
    },
    /// List neighbours that routers have and for which there is no session
    Unknown(session_import::Unknown),
    /// Make sessions of neighbours that routers have and for which there is none
    Import(session_import::Import),
    /// List whom we could have more sessions with
    Available {
        /// An exchange (slug, name or number), or a network as AS and its number; everywhere and everybody, if left out
        #[arg(value_name = "IX|ASN")]
        which: Option<String>,
        /// Show hidden peers too
        #[arg(long)]
        hidden: bool,
    },
    /// Make the sessions with these networks that an exchange lacks
    Create {
        /// The exchange: slug, name or number
        ix: String,
        /// AS numbers, with or without AS in front
        #[arg(value_parser = parse_asn, required = true)]
        asns: Vec<i64>,
        /// Status of the new sessions [default: enabled]
        #[arg(long)]
        status: Option<String>,
        /// Show what would be made, and make nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List sessions that are deleted here and may still be on their router
    Deleted {
        /// Only on these routers, by name or hostname, separated by commas
        #[arg(short, long, value_name = "HOSTS")]
        limit: Option<String>,
    },
    /// Forget deleted sessions, so that no template removes them from their router
    Forget {
        /// Their numbers, as `sessions deleted` shows them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<i64>,
    },
}

pub(crate) async fn run(shared: &Shared, output: &Output, command: Command) -> anyhow::Result<u8> {
    match command {
        Command::List(arguments) => {
            let (store, freshness) = app::look(shared, output).await?;
            session_states::list(output, &store, freshness, arguments).await
        }
        Command::Show { which, history } => {
            let (store, freshness) = app::look(shared, output).await?;
            session_states::show(output, &store, freshness, &which, history).await
        }
        Command::Unknown(arguments) => {
            let (store, freshness) = app::look(shared, output).await?;
            session_import::unknown(output, &store, freshness, &arguments).await
        }
        Command::Import(arguments) => session_import::import(shared, output, arguments).await,
        Command::Available { which, hidden } => {
            let editor = app::editor(shared, output).await?;
            let asn = which.as_deref().and_then(asn_of);
            let exchange = which.as_deref().filter(|_| asn.is_none());
            let found = peers::available(&editor, exchange, asn, hidden).await?;
            let header = ["Exchange", "ASN", "Name", "IPv6", "IPv4", "Policy", "RS", "Mbit/s", "Missing"];
            output.table("available", &found, &header, cells)?;
            Ok(EXIT_OK)
        }
        Command::Create { ix, asns, status, dry_run } => {
            let editor = app::editor(shared, output).await?;
            let created = peers::create(&editor, &ix, &asns, status.as_deref(), dry_run).await?;
            for why in &created.skipped {
                output.warning(&format!("left out: {why}"));
            }
            let without: BTreeSet<&i64> =
                asns.iter().filter(|asn| created.sessions.iter().all(|one| one.asn != **asn)).collect();
            let code = if without.is_empty() { EXIT_OK } else { EXIT_PARTLY };
            if output.json {
                output.json(&created)?;
                return Ok(code);
            }
            output.table("sessions", &created.sessions, &["ASN", "Address", "Connection"], |one| {
                vec![one.asn.to_string(), one.ip_address.to_string(), one.connection.clone()]
            })?;
            let would = if dry_run { " would be" } else { "" };
            output.remark(&format!(
                "{} sessions and {} autonomous systems{would} made.",
                created.sessions.len(),
                created.autonomous_systems.len()
            ));
            Ok(code)
        }
        Command::Deleted { limit } => {
            let editor = app::editor(shared, output).await?;
            deleted_sessions::list(&editor, output, limit.as_deref()).await
        }
        Command::Forget { ids } => {
            let editor = app::editor(shared, output).await?;
            deleted_sessions::forget(&editor, output, &ids).await
        }
    }
}

/// A number may be that of an exchange, so that AS has to stand before it.
fn asn_of(text: &str) -> Option<i64> {
    text.get(..2).filter(|letters| letters.eq_ignore_ascii_case("as"))?;
    parse_asn(text).ok()
}

fn cells(one: &Available) -> Vec<String> {
    let address = |address: Option<std::net::IpAddr>| address.map(|one| one.to_string()).unwrap_or_default();
    vec![
        one.exchange.clone(),
        one.port.asn.to_string(),
        one.port.network.clone(),
        address(one.port.ipv6),
        address(one.port.ipv4),
        one.port.policy.clone().unwrap_or_default(),
        if one.port.is_rs_peer { "yes" } else { "no" }.to_owned(),
        one.port.speed.map(|speed| speed.to_string()).unwrap_or_default(),
        one.missing.len().to_string(),
    ]
}
