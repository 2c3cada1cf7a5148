//! The stand-in for PeeringDB, as a process of its own, so that its memory and time are not the program's.

use std::process::Stdio;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

use crate::session::{Session, start_time};

/// A running stand-in. It ends when this is dropped.
pub(crate) struct PeeringDb {
    /// Its API.
    pub(crate) api: String,
    _process: Child,
    http: reqwest::Client,
}

/// The client of the floor and of the stand-in's controls.
#[expect(clippy::disallowed_methods, reason = "the benchmarks have no settings")]
pub(crate) fn http_client() -> anyhow::Result<reqwest::Client> {
    // An error only means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().gzip(true).no_proxy().build().context("no HTTP client")
}

impl PeeringDb {
    /// Invents a world of the session's size and serves it.
    pub(crate) async fn start(session: &Session) -> anyhow::Result<Self> {
        let mut command = session.program(None, None);
        command.args(["lab", "peeringdb", "--port", "0", "--seed", "1"]);
        command.args(["--scale", &session.scale.to_string(), "--now", &start_time().to_rfc3339()]);
        command.stdout(Stdio::piped());
        let mut process = command.spawn().context("the stand-in for PeeringDB cannot be started")?;
        let mut lines = BufReader::new(process.stdout.take().context("no stdout")?).lines();
        let line = lines.next_line().await?.context("the stand-in for PeeringDB ended at once")?;
        let api = line
            .split_once("http")
            .and_then(|(_, rest)| rest.split_once(';'))
            .map(|(rest, _)| format!("http{rest}"));
        let api = api.with_context(|| format!("no address in {line:?}"))?;
        Ok(Self { api, _process: process, http: http_client()? })
    }

    /// Lets a day pass, with half a percent of the records changed and every awkward case.
    pub(crate) async fn advance(&self) -> anyhow::Result<()> {
        let root = self.api.trim_end_matches("/api");
        let url = format!("{root}/lab/advance?days=1&percent=0.5&awkward=1");
        self.http.post(&url).send().await?.error_for_status()?;
        Ok(())
    }
}
