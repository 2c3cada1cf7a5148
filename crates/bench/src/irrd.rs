//! The stand-in for an IRR server, as a process of its own, near or far away.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use anyhow::Context as _;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

use crate::peeringdb::http_client;
use crate::session::Session;

/// The sources of the stand-in, in its order.
pub(crate) const SOURCES: &str = "NTTCOM,RADB,RIPE,ARIN,APNIC,ALTDB";

/// A running stand-in. It ends when this is dropped.
pub(crate) struct Irrd {
    /// `host:port`.
    pub(crate) address: String,
    control: String,
    http: reqwest::Client,
    _process: Child,
}

/// What it counted.
#[derive(Deserialize)]
struct Counters {
    queries: BTreeMap<String, u64>,
}

/// An AS-SET that stands for one of the network's peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) name: String,
    /// The source that has it.
    pub(crate) source: String,
}

impl Irrd {
    /// Serves an invented world, of which the objects are written to `dump` if that is given. Everything takes `delay`
    /// milliseconds in each direction.
    pub(crate) async fn invented(session: &Session, delay: u32, dump: Option<&Path>) -> anyhow::Result<Self> {
        let scale = session.scale.to_string();
        let mut arguments = vec!["--scale", &scale, "--seed", "1"];
        if let Some(path) = dump {
            arguments.extend(["--dump", path.to_str().context("the path is no text")?]);
        }
        Self::start(session, delay, &arguments).await
    }

    /// Serves the objects of a file.
    pub(crate) async fn of_file(session: &Session, rpsl: &Path) -> anyhow::Result<Self> {
        Self::start(session, 0, &["--rpsl", rpsl.to_str().context("the path is no text")?]).await
    }

    async fn start(session: &Session, delay: u32, arguments: &[&str]) -> anyhow::Result<Self> {
        let mut command = session.program(None, None);
        command.args(["lab", "irrd", "--port", "0", "--control", "0", "--delay", &delay.to_string()]);
        command.args(arguments).stdout(Stdio::piped());
        let mut process = command.spawn().context("the stand-in for IRRd cannot be started")?;
        let mut lines = BufReader::new(process.stdout.take().context("no stdout")?).lines();
        let mut said = async |before: &str, after: &str| {
            let line = lines.next_line().await?.context("the stand-in for IRRd ended at once")?;
            let found = line.split_once(before).and_then(|(_, rest)| rest.split_once(after));
            found.map(|(found, _)| found.to_owned()).with_context(|| format!("no address in {line:?}"))
        };
        let address = said("IRRd at ", ";").await?;
        let control = said("controls are at ", "/lab").await?;
        Ok(Self { address, control, http: http_client()?, _process: process })
    }

    /// Queries of all kinds since the last time this was asked.
    pub(crate) async fn queries(&self) -> anyhow::Result<u64> {
        let (counters, reset) =
            (format!("{}/lab/counters", self.control), format!("{}/lab/reset", self.control));
        let answer = self.http.get(counters).send().await?.error_for_status()?.bytes().await?;
        let counters: Counters = serde_json::from_slice(&answer)?;
        self.http.post(reset).send().await?.error_for_status()?;
        Ok(counters.queries.values().sum())
    }
}

/// The peers in a dump, in the order of their numbers: `AS-PEER0000`, `AS64500:AS-PEER0003`, …
pub(crate) fn peers(rpsl: &str) -> anyhow::Result<Vec<Peer>> {
    let mut peers = BTreeMap::new();
    for object in rpsl.split("\n\n") {
        let value = |name: &str| {
            object.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        let Some(name) = value("as-set") else { continue };
        let Some((_, number)) = name.rsplit_once("AS-PEER") else { continue };
        let Ok(number) = number.parse::<u32>() else { continue };
        let source = value("source").with_context(|| format!("{name} has no source"))?;
        peers.insert(number, Peer { name: name.to_owned(), source: source.to_owned() });
    }
    Ok(peers.into_values().collect())
}
