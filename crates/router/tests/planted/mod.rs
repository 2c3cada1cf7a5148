//! Passwords in credentials, in candidates, in what runs and in what routers say, with every driver: they show in no error, no
//! difference, no entry that is left out, nothing that is printed for debugging, and no log, however much is logged.

mod bridge;
mod command_line;
mod daemons;
mod eapi;
mod netconf;
mod nxapi;
mod parsers;
mod repository;
mod seen;

use std::io::Write as Output;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pm_lab::routers::cli;
use pm_lab::routers::netconf::Kind;
use pm_router::{
    ConfigText, Credentials, Endpoint, HostKeys, How, Limits, Platform, Router, Target, Tls, Way, connect,
};
use seen::Seen;
use serde_json::Map;

const PASSWORD: &str = "Planted-credential";
const LONG: Duration = Duration::from_mins(1);

fn target(address: SocketAddr, platform: Platform) -> Target {
    Target {
        endpoint: Endpoint { host: address.ip().to_string(), port: address.port() },
        platform,
        driver_name: platform.name().into(),
        use_napalm: false,
        python: PathBuf::new(),
        credentials: Credentials {
            user: "netops".into(),
            password: Some(PASSWORD.to_owned().into()),
            ..Credentials::default()
        },
        host_keys: HostKeys::Fingerprint(String::new()),
        tls: Tls::default(),
        options: Map::new(),
        limits: Limits { connect: LONG, login: LONG, read: LONG, change: LONG, ..Limits::default() },
        way: Way::default(),
    }
}

/// All that is read.
async fn read(seen: &mut Seen, router: &dyn Router) {
    seen.outcome("facts", &router.facts().await);
    match router.neighbors().await {
        Ok(all) => seen.debug("left out", &all.left_out),
        Err(error) => seen.error("neighbours", &error),
    }
    seen.outcome("short", &router.napalm_neighbors().await.map(drop));
    seen.outcome("long", &router.napalm_detail().await.map(drop));
    seen.outcome("configuration", &router.running_config().await);
    seen.outcome("pending", &router.pending().await);
}

/// A candidate is loaded, looked at, and thrown away or committed and undone.
async fn change(seen: &mut Seen, router: &dyn Router, how: How, text: &str, keep: bool) {
    let Some(loader) = router.loader(how) else { return };
    let text = ConfigText::new(text);
    seen.debug("candidate", &text);
    let candidate = match loader.load(&text).await {
        Ok(candidate) => candidate,
        Err(error) => return seen.error("load", &error),
    };
    seen.text("difference", candidate.diff().text());
    seen.debug("difference", candidate.diff());
    if !keep {
        return seen.outcome("discard", &candidate.discard().await);
    }
    let committed = candidate.commit(Duration::from_mins(10)).await;
    seen.outcome("commit", &committed);
    if let Ok(change) = committed {
        seen.outcome("confirm", &router.confirm(&change).await);
        seen.outcome("undo", &router.roll_back(&change).await);
    }
}

async fn wrong_password(seen: &mut Seen, right: &Target) {
    let mut wrong = right.clone();
    wrong.credentials.password = Some("Planted-wrong".to_owned().into());
    seen.error("login", &connect(&wrong).await.err().unwrap());
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Output for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_shows() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .try_init()
        .unwrap();
    parsers::show_nothing();
    Box::pin(netconf::shows_nothing(Kind::Junos, Platform::Junos)).await;
    Box::pin(netconf::shows_nothing(Kind::IosXr, Platform::IosxrNetconf)).await;
    Box::pin(eapi::shows_nothing()).await;
    Box::pin(nxapi::shows_nothing()).await;
    Box::pin(bridge::shows_nothing()).await;
    Box::pin(command_line::shows_nothing(cli::Kind::Ios, Platform::Ios)).await;
    Box::pin(command_line::shows_nothing(cli::Kind::Nxos, Platform::NxosSsh)).await;
    Box::pin(daemons::show_nothing()).await;
    Box::pin(repository::shows_nothing()).await;
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(log.contains("russh") && log.contains("hyper"), "the libraries log, too: {} octets", log.len());
    for secret in ["Planted", "bmV0b3BzOlBsYW50ZWQ"] {
        if let Some(at) = log.find(secret) {
            let from = (0..=at.saturating_sub(300)).rev().find(|&at| log.is_char_boundary(at)).unwrap_or(0);
            panic!("{secret} in the log: …{}", &log[from..at]);
        }
    }
}
