//! `peeringdb`: questions to the cache.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Subcommand;
use pm_store::peeringdb::lookup::{self, Presence};
use serde_json::{Map, Value as Json, json};

use crate::app::{self, EXIT_OK};
use crate::commands::Shared;
use crate::enqueue;
use crate::output::{Output, one_line, table};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A network, its presences and its contacts
    Net {
        /// AS number, with or without AS in front
        #[arg(value_parser = parse_asn)]
        asn: i64,
    },
    /// An Internet exchange, its LANs and its members
    Ix {
        /// PeeringDB's id of the exchange
        id: i64,
    },
    /// How many records the cache holds
    Status,
    /// Find our own connections and exchanges in the cache, as every synchronisation does
    Link {
        /// Put it on the queue, for a worker, instead of running it here
        #[arg(short, long)]
        tasks: bool,
    },
    /// Write the cache as {namespace}.json in the API's own shape
    Export {
        /// Directory; made if it does not exist
        directory: PathBuf,
    },
}

/// An AS number as people type it.
pub(crate) fn parse_asn(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix("AS").or_else(|| text.strip_prefix("as")).unwrap_or(text);
    match digits.parse::<u32>() {
        Ok(asn) if asn > 0 => Ok(asn.into()),
        _ => Err("an AS number is between 1 and 4294967295".into()),
    }
}

pub(crate) async fn run(shared: &Shared, output: &Output, command: Command) -> anyhow::Result<u8> {
    if let Command::Link { tasks } = command {
        let task = pm_tasks::PeeringdbLink::default();
        if tasks {
            return enqueue::enqueue(shared, output, &pm_tasks::AnyTask::PeeringdbLink(task)).await;
        }
        return Ok(app::run_task(shared, output, &task, false).await?.exit);
    }
    let (_, store) = app::open(shared, output).await?;
    match command {
        Command::Link { .. } => {}
        Command::Net { asn } => {
            let network = lookup::network(&store, asn).await?.map(shown).ok_or_else(|| {
                anyhow!("AS{asn} is not in the PeeringDB cache; `peering-manager peeringdb_sync` brings it up to date")
            })?;
            let id = network.get("id").and_then(Json::as_i64).unwrap_or_default();
            let presences = lookup::presences_of(&store, id).await?;
            let contacts: Vec<_> = lookup::contacts(&store, id).await?.into_iter().map(shown).collect();
            if output.json {
                output.json(&json!({ "net": network, "netixlan": presences, "poc": contacts }))?;
                return Ok(EXIT_OK);
            }
            output.line(&fields(&network));
            output.line(&format!("\nPresent at {} ports:", presences.len()));
            output.line(&table(
                &["IX", "Name", "Mbit/s", "IPv4", "IPv6", "RS", "Up"],
                presences.iter().map(|one| presence(one, one.ix_id, &one.ix)),
            ));
            let text = |contact: &Map<String, Json>, key: &str| {
                contact.get(key).and_then(Json::as_str).unwrap_or_default().to_owned()
            };
            if !contacts.is_empty() {
                output.line("\nContacts:");
                output.line(&table(
                    &["Role", "Name", "E-mail", "Phone"],
                    contacts.iter().map(|contact| {
                        ["role", "name", "email", "phone"].map(|key| text(contact, key)).to_vec()
                    }),
                ));
            }
        }
        Command::Ix { id } => {
            let exchange = lookup::exchange(&store, id).await?.map(shown).ok_or_else(|| {
                anyhow!("exchange {id} is not in the PeeringDB cache; `peering-manager peeringdb_sync` brings it up to date")
            })?;
            let lans = lookup::lans_of(&store, id).await?;
            let members = lookup::members_of(&store, id).await?;
            if output.json {
                output.json(&json!({ "ix": exchange, "ixlan": lans, "netixlan": members }))?;
                return Ok(EXIT_OK);
            }
            output.line(&fields(&exchange));
            for lan in lans {
                output.line(&format!(
                    "\nLAN {} {}: {}",
                    lan.id,
                    one_line(&lan.name),
                    lan.prefixes.join(", ")
                ));
            }
            output.line(&format!("\n{} ports of members:", members.len()));
            output.line(&table(
                &["ASN", "Name", "Mbit/s", "IPv4", "IPv6", "RS", "Up"],
                members.iter().map(|one| presence(one, one.asn.unwrap_or_default(), &one.network)),
            ));
        }
        Command::Status => {
            let held = lookup::held(&store).await?;
            let cells = |one: &lookup::Held| {
                vec![one.namespace.to_owned(), one.records.to_string(), one.dangling.to_string()]
            };
            output.table("namespaces", &held, &["Namespace", "Records", "Dangling"], cells)?;
        }
        Command::Export { directory } => {
            let written = pm_tasks::export_peeringdb(&store, &directory).await?;
            let total: u64 = written.iter().map(|(_, count)| count).sum();
            if output.json {
                let counts: Map<String, Json> = written
                    .iter()
                    .map(|(namespace, count)| (namespace.to_string(), (*count).into()))
                    .collect();
                output.json(&json!({ "directory": directory, "records": counts }))?;
            } else {
                output.remark(&format!("{total} records in {}", directory.display()));
            }
        }
    }
    Ok(EXIT_OK)
}

/// The record without what only its way back out needs: the names of the fields that it came without.
fn shown(mut record: Map<String, Json>) -> Map<String, Json> {
    record.retain(|name, _| name != "_absent");
    record
}

/// Every field that is not empty, one per line.
fn fields(record: &Map<String, Json>) -> String {
    let text = |value: &Json| match value {
        Json::Null => None,
        Json::String(text) if text.is_empty() => None,
        Json::String(text) => Some(text.clone()),
        Json::Array(list) if list.is_empty() => None,
        other => Some(other.to_string()),
    };
    let fields: Vec<(String, String)> = record
        .iter()
        .filter_map(|(name, value)| Some((one_line(name), text(value)?.replace('\n', "\n    "))))
        .collect();
    let width = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let lines: Vec<String> =
        fields.into_iter().map(|(name, value)| format!("{name:width$}  {value}")).collect();
    lines.join("\n")
}

fn presence(one: &Presence, id: i64, name: &str) -> Vec<String> {
    let yes = |value: Option<bool>| if value == Some(true) { "yes" } else { "no" }.to_owned();
    vec![
        id.to_string(),
        name.to_owned(),
        one.speed.map(|speed| speed.to_string()).unwrap_or_default(),
        one.ipaddr4.clone().unwrap_or_default(),
        one.ipaddr6.clone().unwrap_or_default(),
        yes(one.is_rs_peer),
        yes(one.operational),
    ]
}
