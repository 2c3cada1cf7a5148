//! Stand-ins for vendors' routers, many of them in a process of their own; the part that polls them with the drivers alone;
//! and a database that has them and their sessions.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::StreamExt as _;
use pm_router::{Credentials, Endpoint, HostKeys, Limits, Platform, Target, Tls, connect};
use pm_store::Store;
use pm_store::objects::models::{autonomous_system, direct_peering_session, platform, relationship, router};
use pm_store::objects::record::Draft;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

use crate::objects::{Filler, named};
use crate::session::Session;

/// Running stand-ins. They end when this is dropped.
pub(crate) struct Fleet {
    /// Where the list of them is.
    pub(crate) directory: PathBuf,
    _process: Child,
}

/// `routers.json`.
#[derive(Deserialize)]
pub(crate) struct List {
    pub(crate) username: String,
    password_file: PathBuf,
    ca_file: PathBuf,
    local_as: u32,
    pub(crate) routers: Vec<Member>,
    pub(crate) neighbors: Vec<Peer>,
}

#[derive(Deserialize)]
pub(crate) struct Member {
    name: String,
    pub(crate) platform: String,
    host: IpAddr,
    port: u16,
    host_key: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Peer {
    address: IpAddr,
    asn: u32,
}

impl Fleet {
    /// So many routers with so many sessions, everything taking so many milliseconds in each direction.
    pub(crate) async fn start(
        session: &Session,
        name: &str,
        routers: u32,
        sessions: u32,
        delay: u32,
    ) -> anyhow::Result<Self> {
        let directory = session.file(name);
        let mut command = session.program(None, None);
        command.args(["lab", "routers", "--directory"]).arg(&directory);
        for (flag, value) in [("--count", routers), ("--sessions", sessions), ("--delay", delay)] {
            command.arg(flag).arg(value.to_string());
        }
        command.stdout(Stdio::piped());
        let mut process = command.spawn().context("the stand-ins for routers cannot be started")?;
        let mut lines = BufReader::new(process.stdout.take().context("no stdout")?).lines();
        let line = lines.next_line().await?.context("the stand-ins for routers ended at once")?;
        ensure!(line.starts_with("Routers at "), "the stand-ins for routers said {line:?}");
        // What they say further is read, so that they are not held up.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { directory, _process: process })
    }
}

impl List {
    pub(crate) fn read(directory: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(directory.join("routers.json"))?;
        Ok(serde_json::from_str(&text)?)
    }

    pub(crate) fn password(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(&self.password_file)?.trim_end().to_owned())
    }

    fn target(&self, member: &Member) -> anyhow::Result<Target> {
        let fingerprint = member.host_key.clone().unwrap_or_default();
        let time = Duration::from_secs(30);
        Ok(Target {
            endpoint: Endpoint { host: member.host.to_string(), port: member.port },
            platform: Platform::from_name(&member.platform).context("the platform is unknown")?,
            driver_name: member.platform.clone(),
            use_napalm: false,
            python: PathBuf::new(),
            credentials: Credentials {
                user: self.username.clone(),
                password: Some(self.password()?.into()),
                ..Credentials::default()
            },
            host_keys: HostKeys::Fingerprint(fingerprint),
            tls: Tls { verify: true, authorities: Some(self.ca_file.clone()) },
            options: serde_json::Map::new(),
            limits: Limits { connect: time, login: time, read: time, ..Limits::default() },
            way: pm_router::Way::default(),
        })
    }
}

/// Polls the first routers of a list, so many at a time, and prints the microseconds that each took and that all took.
#[expect(clippy::print_stdout, reason = "the output is what the part is for")]
pub(crate) async fn poll(directory: &Path, count: usize, concurrency: usize) -> anyhow::Result<()> {
    let list = List::read(directory)?;
    let expected = list.neighbors.len();
    let targets: Vec<Target> =
        list.routers.iter().take(count).map(|member| list.target(member)).collect::<anyhow::Result<_>>()?;
    ensure!(targets.len() == count, "there are only {} routers", targets.len());
    let begun = Instant::now();
    let polls = futures::stream::iter(&targets).map(|target| async move {
        let begun = Instant::now();
        let router = connect(target).await?;
        let found = router.neighbors().await?;
        router.close().await;
        let up = found.neighbors.iter().filter(|neighbor| neighbor.is_up()).count();
        ensure!(
            found.neighbors.len() == expected && found.left_out.is_empty() && up * 10 > expected * 8,
            "{}: {} neighbours, {up} up",
            target.driver_name,
            found.neighbors.len()
        );
        Ok((target.driver_name.as_str(), begun.elapsed()))
    });
    let mut polls = polls.buffer_unordered(concurrency);
    while let Some(poll) = polls.next().await {
        let (platform, took) = poll?;
        println!("{platform} {}", took.as_micros());
    }
    println!("all {}", begun.elapsed().as_micros());
    Ok(())
}

/// Objects for all routers of a list and their sessions. Gives the routers' numbers.
pub(crate) async fn fill(store: &Store, list: &List) -> anyhow::Result<Vec<i64>> {
    let mut transaction = store.begin().await?;
    let mut filler = Filler::new(&mut transaction);
    let system = |asn: u32| {
        Draft::new(&autonomous_system::MODEL)
            .with("asn", i64::from(asn))
            .with("name", format!("Peer {asn}").as_str())
            .with("affiliated", asn == list.local_as)
    };
    let mut numbers: Vec<u32> = list.neighbors.iter().map(|peer| peer.asn).chain([list.local_as]).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let systems = filler.create(&numbers.iter().copied().map(system).collect::<Vec<_>>()).await?;
    let system_of = |asn: u32| numbers.binary_search(&asn).ok().and_then(|at| systems.get(at)).copied();
    let own = system_of(list.local_as).context("there is no AS of ours")?;
    let relationship = filler.create(&[named(&relationship::MODEL, "peering")]).await?[0];
    let mut platforms = Vec::new();
    for name in ["junos", "iosxr_netconf", "eos"] {
        let draft =
            Draft::new(&platform::MODEL).with("name", name).with("slug", name).with("napalm_driver", name);
        platforms.push((name, filler.create(&[draft]).await?[0]));
    }
    let mut drafts = Vec::new();
    for member in &list.routers {
        let platform =
            platforms.iter().find(|(name, _)| *name == member.platform).context("an unknown platform")?.1;
        let arguments = match &member.host_key {
            Some(fingerprint) => json!({ "port": member.port, "host_key": fingerprint }),
            None => json!({ "port": member.port, "ca_file": list.ca_file }),
        };
        drafts.push(
            Draft::new(&router::MODEL)
                .with("name", member.name.as_str())
                .with("hostname", member.host.to_string().as_str())
                .with("local_autonomous_system", own)
                .with("platform", platform)
                .with("poll_bgp_sessions_state", true)
                .with("napalm_args", arguments),
        );
    }
    let routers = filler.create(&drafts).await?;
    for router in &routers {
        let sessions: Vec<Draft> = list
            .neighbors
            .iter()
            .filter_map(|peer| {
                Some(
                    Draft::new(&direct_peering_session::MODEL)
                        .with("autonomous_system", system_of(peer.asn)?)
                        .with("local_autonomous_system", own)
                        .with("relationship", relationship)
                        .with("router", *router)
                        .with("ip_address", peer.address),
                )
            })
            .collect();
        filler.create(&sessions).await?;
    }
    transaction.commit().await?;
    Ok(routers)
}
