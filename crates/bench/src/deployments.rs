//! `configure_routers` as a whole, on real routers with BIRD far away, from objects in a database.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use pm_router::{Neighbor, connect};
use pm_store::Store;
use pm_store::objects::models::{
    autonomous_system, configuration, direct_peering_session, platform, relationship, router,
};
use pm_store::objects::record::Draft;
use serde_json::json;
use tokio::process::Command;

use crate::daemons::Far;
use crate::database::Database;
use crate::objects::{Filler, named};
use crate::process::{command, measure_output};

/// Deploys a change to the first of the routers, and then one to all of them, each time with a process of its own, and
/// prints what that took. The directory is used for the database.
#[expect(clippy::print_stdout, reason = "the output is what the part is for")]
pub(crate) async fn measure(directory: &Path, routers: &[Far], rounds: u32) -> anyhow::Result<()> {
    let first = routers.first().context("there is no router")?;
    let connected = connect(&first.target).await?;
    let neighbors = connected.neighbors().await?.neighbors;
    // They are all configured alike.
    let base = connected.running_config().await?.expose().to_owned();
    connected.close().await;

    let database = Database::file(directory.join("deployments.db"));
    database.migrate().await?;
    let store = database.open().await?;
    fill(&store, routers, &neighbors).await?;
    let known_hosts = directory.join("known_hosts.far");
    std::fs::write(&known_hosts, routers.iter().map(|far| far.known.as_str()).collect::<String>())?;
    let settings = directory.join("settings.toml");
    std::fs::write(&settings, "# Those of the environment.\n")?;
    let program = std::env::current_exe()?.with_file_name("peering-manager");
    for round in 0..rounds {
        for (name, count) in [("one", 1), ("all", routers.len())] {
            let text = format!("{base}protocol static bench {{ description \"{round} {name}\"; ipv4; }}\n");
            store.execute("UPDATE devices_configuration SET template = ?", vec![text.into()]).await?;
            let mut command = configure_routers(&program, &settings, &database.url, &known_hosts);
            if count < routers.len() {
                command.args(["--limit", &first.name]);
            }
            let (spent, output) = measure_output(command, &[0]).await?;
            let said: serde_json::Value = serde_json::from_str(&output)?;
            let deployed = said["data"]["routers"].as_array().context("no routers in the report")?;
            let confirmed = deployed.iter().filter(|one| one["verdict"] == "confirmed").count();
            ensure!(confirmed == count, "{confirmed} of {count} routers were changed: {output}");
            println!("deploy-{name} {}", spent.wall.as_micros());
        }
    }
    store.close().await;
    Ok(())
}

fn configure_routers(program: &Path, settings: &Path, database: &str, known_hosts: &Path) -> Command {
    let mut command = command(program);
    command
        .arg("--config")
        .arg(settings)
        .env("PEERING_MANAGER_DATABASE_URL", database)
        .env("PEERING_MANAGER_SECRET_KEY", "k".repeat(50))
        .env("PEERING_MANAGER_SSH_KNOWN_HOSTS", known_hosts)
        .env("PEERING_MANAGER_POST_CHECK_MIN_SECONDS", "0")
        .args(["configure_routers", "--json"]);
    command
}

/// The routers, and the sessions that each of them has.
async fn fill(store: &Store, routers: &[Far], neighbors: &[Neighbor]) -> anyhow::Result<()> {
    let mut transaction = store.begin().await?;
    let mut filler = Filler::new(&mut transaction);
    let system = |asn: u32| {
        Draft::new(&autonomous_system::MODEL)
            .with("asn", i64::from(asn))
            .with("name", format!("AS{asn}").as_str())
    };
    let local = neighbors.iter().find_map(|neighbor| neighbor.local_as).context("no AS of its own")?;
    let own = filler.create(&[system(local).with("affiliated", true)]).await?[0];
    let mut asns: Vec<u32> = neighbors.iter().filter_map(|neighbor| neighbor.remote_as).collect();
    asns.sort_unstable();
    asns.dedup();
    let systems = filler.create(&asns.iter().copied().map(system).collect::<Vec<_>>()).await?;
    let relationship = filler.create(&[named(&relationship::MODEL, "peering")]).await?[0];
    let driver = named(&platform::MODEL, "bird").with("napalm_driver", "bird");
    let driver = filler.create(&[driver]).await?[0];
    let template = Draft::new(&configuration::MODEL).with("name", "edge").with("template", "-");
    let template = filler.create(&[template]).await?[0];
    let drafts = routers.iter().map(|far| {
        let key: &PathBuf = &far.key;
        Draft::new(&router::MODEL)
            .with("name", far.name.as_str())
            .with("hostname", far.target.endpoint.host.as_str())
            .with("local_autonomous_system", own)
            .with("platform", driver)
            .with("configuration_template", template)
            .with("napalm_username", far.target.credentials.user.as_str())
            .with("napalm_args", json!({ "port": far.target.endpoint.port, "key_file": key }))
    });
    let ids = filler.create(&drafts.collect::<Vec<_>>()).await?;
    let mut sessions = Vec::new();
    for id in ids {
        for neighbor in neighbors {
            let at = asns.iter().position(|asn| Some(*asn) == neighbor.remote_as).context("no AS")?;
            sessions.push(
                Draft::new(&direct_peering_session::MODEL)
                    .with("autonomous_system", systems[at])
                    .with("local_autonomous_system", own)
                    .with("relationship", relationship)
                    .with("router", id)
                    .with("ip_address", neighbor.address),
            );
        }
    }
    filler.create(&sessions).await?;
    transaction.commit().await?;
    Ok(())
}
