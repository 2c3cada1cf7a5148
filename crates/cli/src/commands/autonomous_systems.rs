//! `as`: the networks to peer with.

use clap::Subcommand;
use pm_store::entities::autonomous_system;
use pm_tasks::{objects, systems};

use super::peeringdb::parse_asn;
use crate::app::{self, EXIT_OK};
use crate::commands::Shared;
use crate::output::Output;

const KIND: &str = "autonomous_systems";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add autonomous systems, with name, AS-SET and prefix limits from the PeeringDB cache
    Add {
        /// AS numbers, with or without AS in front
        #[arg(value_parser = parse_asn, required = true)]
        asns: Vec<i64>,
    },
    /// List them
    List,
    /// Show one
    Show {
        /// AS number, with or without AS in front
        #[arg(value_parser = parse_asn)]
        asn: i64,
    },
    /// Change fields of one
    Set {
        /// AS number, with or without AS in front
        #[arg(value_parser = parse_asn)]
        asn: i64,
        /// Values, such as affiliated=true
        #[arg(required = true, value_name = "FIELD=VALUE")]
        values: Vec<String>,
        /// Show what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

pub(crate) async fn run(shared: &Shared, output: &Output, command: Command) -> anyhow::Result<u8> {
    let editor = app::editor(shared, output).await?;
    let systems = match command {
        Command::Add { asns } => systems::add(&editor, &asns).await?,
        Command::List => autonomous_system::all(&mut editor.store.connection().await?.session()).await?,
        Command::Show { asn } => {
            let shown = objects::show(&editor, objects::kind(KIND)?, &[asn.to_string()]).await?;
            return super::objects::show(output, &shown);
        }
        Command::Set { asn, values, dry_run } => {
            return super::objects::set(output, &editor, KIND, &asn.to_string(), &values, dry_run).await;
        }
    };
    let limit = |limit: Option<i64>| limit.map(|limit| limit.to_string()).unwrap_or_default();
    output.table(KIND, &systems, &["ASN", "Name", "AS-SET", "IPv4", "IPv6"], |system| {
        vec![
            system.asn.to_string(),
            system.name.clone(),
            system.irr_as_set.clone().unwrap_or_default(),
            limit(system.ipv4_max_prefixes),
            limit(system.ipv6_max_prefixes),
        ]
    })?;
    Ok(EXIT_OK)
}
