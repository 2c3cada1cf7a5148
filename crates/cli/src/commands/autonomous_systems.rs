//! `as`: the networks to peer with.

use chrono::{DateTime, Utc};
use clap::Subcommand;
use pm_store::Store;
use pm_store::changes::Author;
use pm_store::entities::autonomous_system::{self, AutonomousSystem};
use pm_store::peeringdb::lookup::networks_of;
use pm_tasks::{Clock as _, SystemClock};

use super::peeringdb::parse_asn;
use crate::app::{self, EXIT_OK};
use crate::commands::Shared;
use crate::output::Output;

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
}

pub(crate) async fn run(shared: &Shared, output: &Output, command: Command) -> anyhow::Result<u8> {
    let (_, store) = app::open(shared, output).await?;
    let systems = match command {
        Command::Add { asns } => add(&store, &asns, SystemClock.now()).await?,
        Command::List => autonomous_system::all(&mut store.connection().await?.session()).await?,
    };
    let limit = |limit: Option<i64>| limit.map(|limit| limit.to_string()).unwrap_or_default();
    output.table("autonomous_systems", &systems, &["ASN", "Name", "AS-SET", "IPv4", "IPv6"], |system| {
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

/// Adds those that are not there yet; gives back all that were asked for.
async fn add(store: &Store, asns: &[i64], now: DateTime<Utc>) -> anyhow::Result<Vec<AutonomousSystem>> {
    let author = Author {
        user_id: None,
        user_name: "command line".to_owned(),
        request_id: uuid::Uuid::new_v4().to_string(),
    };
    let mut connection = store.connection().await?;
    let mut session = connection.session();
    let present = autonomous_system::by_asns(&mut session, asns).await?;
    let networks = networks_of(&mut session, asns).await?;
    let mut wanted = Vec::new();
    for asn in asns {
        if present.iter().any(|system| system.asn == *asn)
            || wanted.iter().any(|system: &AutonomousSystem| system.asn == *asn)
        {
            continue;
        }
        let bare = AutonomousSystem::new(*asn, &format!("AS{asn}"), now);
        let network = networks.iter().rfind(|network| network.asn == *asn);
        wanted
            .push(network.map_or_else(|| bare.clone(), |network| pm_tasks::merge_network(&bare, network).0));
    }
    autonomous_system::create(store, &author, wanted, now).await?;
    Ok(autonomous_system::by_asns(&mut session, asns).await?)
}
