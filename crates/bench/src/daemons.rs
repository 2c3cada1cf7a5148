//! Routers with a real BIRD in network namespaces, from `lab/netns`, and the part that asks and changes them from there.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use pm_router::{
    ConfigText, Credentials, Endpoint, HostKeys, How, Key, Limits, Platform, Router, Target, Tls, connect,
};
use tokio::process::Command;

use crate::deployments;
use crate::distance::relay;
use crate::process::command;
use crate::session::Session;

/// Half of the round trip.
const DELAY: Duration = Duration::from_millis(20);
/// Until a change goes away that nobody confirms, which is never waited for.
const TIMER: Duration = Duration::from_mins(1);

/// Routers that run. They end when this is dropped.
pub(crate) struct Lab {
    script: PathBuf,
    directory: PathBuf,
}

impl Lab {
    /// So many routers with BIRD whose sessions are up, or why there are none.
    pub(crate) async fn start(session: &Session, routers: u32) -> anyhow::Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lab/netns");
        let lab = Self { script, directory: session.file("netns") };
        // Whatever is up already is somebody else's.
        let up = lab.run(&["up", &format!("bird:{routers}")]).await;
        if let Err(error) = up {
            std::mem::forget(lab);
            return Err(error);
        }
        lab.run(&["wait", "60"]).await?;
        Ok(lab)
    }

    fn command(&self) -> Command {
        let mut command = command(Path::new("bash"));
        command.arg(&self.script).env("LAB_NETNS_DIRECTORY", &self.directory);
        command
    }

    async fn run(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let output = self.command().args(arguments).output().await.context("bash cannot be started")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}", said.trim().lines().next_back().unwrap_or("lab/netns failed"));
        Ok(())
    }

    /// This program's part [`measure`], where the routers can be reached.
    pub(crate) fn part(&self, session: &Session, rounds: u32) -> Command {
        let part = session.part("daemons");
        let mut command = self.command();
        command.args(["exec", "op"]).arg(part.as_std().get_program()).args(part.as_std().get_args());
        command.arg(self.directory.join("inventory")).arg(rounds.to_string());
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Nothing is left to be told of a failure.
        let _ = self.command().as_std_mut().arg("down").stdout(std::process::Stdio::null()).status();
    }
}

/// A router of the lab, far away.
pub(crate) struct Far {
    pub(crate) name: String,
    /// The file of its user's key.
    pub(crate) key: PathBuf,
    /// The line of `known_hosts` for it.
    pub(crate) known: String,
    pub(crate) target: Target,
}

/// Polls and changes the routers of a list over a long way, one alone and all at once, with the drivers and then with the
/// program, and prints what each took.
pub(crate) async fn measure(inventory: &Path, rounds: u32) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(inventory)?;
    let mut routers = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        routers.push(far(line, inventory).await?);
    }
    ensure!(!routers.is_empty(), "there is no router in {}", inventory.display());
    with_drivers(&routers, rounds).await?;
    deployments::measure(inventory.parent().unwrap_or(Path::new(".")), &routers, rounds).await
}

#[expect(clippy::print_stdout, reason = "the output is what the part is for")]
async fn with_drivers(routers: &[Far], rounds: u32) -> anyhow::Result<()> {
    let targets: Vec<&Target> = routers.iter().map(|far| &far.target).collect();
    let (one, targets) = (&targets[..1], targets.as_slice());
    for _ in 0..rounds {
        for (name, targets) in [("one", one), ("all", targets)] {
            let begun = Instant::now();
            try_join_all(targets.iter().copied().map(poll)).await?;
            println!("poll-{name} {}", begun.elapsed().as_micros());
        }
        for (name, targets) in [("one", one), ("all", targets)] {
            let texts = try_join_all(targets.iter().copied().map(changed)).await?;
            let begun = Instant::now();
            let changes = targets.iter().zip(&texts).map(|(target, text)| change(target, text));
            let changes = try_join_all(changes).await?;
            println!("change-{name} {}", begun.elapsed().as_micros());
            try_join_all(changes.iter().map(async |(router, change)| router.roll_back(change).await)).await?;
        }
    }
    Ok(())
}

/// `NAME PLATFORM ADDRESS USER KEY KNOWN_HOSTS`, through a relay of its own.
async fn far(line: &str, inventory: &Path) -> anyhow::Result<Far> {
    let words: Vec<&str> = line.split(' ').collect();
    let [name, "bird", address, user, key, known_hosts] = words.as_slice() else {
        anyhow::bail!("{line:?} in {} is no BIRD", inventory.display())
    };
    let to = SocketAddr::new(address.parse()?, 22);
    let port = relay(to, DELAY).await?;
    // The host is the relay now, and the key is still the router's.
    let known = std::fs::read_to_string(known_hosts)?;
    let known = known.lines().find_map(|line| line.strip_prefix(&format!("{address} ")));
    let known = format!("[127.0.0.1]:{port} {}\n", known.with_context(|| format!("{name} has no host key"))?);
    let file = inventory.with_file_name(name).join("known_hosts");
    std::fs::write(&file, &known)?;
    let credentials = Credentials {
        user: (*user).to_owned(),
        keys: vec![Key { text: std::fs::read_to_string(key)?.into(), passphrase: None }],
        ..Credentials::default()
    };
    let target = Target {
        endpoint: Endpoint { host: "127.0.0.1".into(), port },
        platform: Platform::Bird,
        driver_name: "bird".into(),
        use_napalm: false,
        python: PathBuf::new(),
        credentials,
        host_keys: HostKeys::KnownHosts(file),
        tls: Tls::default(),
        options: serde_json::Map::new(),
        limits: Limits::default(),
        way: pm_router::Way::default(),
    };
    Ok(Far { name: (*name).to_owned(), key: key.into(), known, target })
}

async fn poll(target: &Target) -> anyhow::Result<()> {
    let router = connect(target).await?;
    let found = router.neighbors().await?;
    let up = found.neighbors.iter().filter(|neighbor| neighbor.is_up()).count();
    ensure!((found.neighbors.len(), up) == (5, 2), "{} neighbours, {up} up", found.neighbors.len());
    router.close().await;
    Ok(())
}

/// The configuration with one neighbour more.
async fn changed(target: &Target) -> anyhow::Result<ConfigText> {
    let router = connect(target).await?;
    let text = router.running_config().await?;
    router.close().await;
    let more = "protocol bgp new4 from peers4 { description \"New\"; neighbor 192.0.2.4 as 4200000004; }\n";
    Ok(ConfigText::new(format!("{}{more}", text.expose())))
}

async fn change(target: &Target, text: &ConfigText) -> anyhow::Result<(Box<dyn Router>, pm_router::Pending)> {
    let router = connect(target).await?;
    let loader = router.loader(How::Replace).context("it takes no whole configuration")?;
    let candidate = loader.load(text).await?;
    ensure!(candidate.diff().text().contains("192.0.2.4"), "the difference is {}", candidate.diff().text());
    let change = candidate.commit(TIMER).await?;
    router.confirm(&change).await?;
    Ok((router, change))
}
