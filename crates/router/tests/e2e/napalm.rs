//! The real NAPALM, with a driver of its community, against the real BIRD. `scripts/test` installs it into `target/napalm`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pm_router::{
    ConfigText, Credentials, DaemonKind, Endpoint, Error, HostKeys, How, Limits, Neighbors, Platform, Router,
    Target, Tls, Undo, Way, connect, napalm_versions,
};
use serde_json::json;

use super::lab::{HOST, Lab, PASSWORD};
use super::{NEW, PLANTED, has, with_new};

const LIMIT: Duration = Duration::from_secs(30);

fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/napalm/bin/python")
}

fn target(credentials: Credentials) -> Target {
    let options = json!({
        "bird_config_path": "/etc/bird/bird.conf",
        "birdc_path": "/usr/sbin/birdc",
        "allow_agent": false,
        "look_for_keys": false,
    });
    Target {
        endpoint: Endpoint { host: HOST.into(), port: 0 },
        platform: Platform::Napalm,
        driver_name: "BIRD-2".into(),
        use_napalm: true,
        python: python(),
        credentials,
        host_keys: HostKeys::KnownHosts("/nonexistent".into()),
        way: Way::default(),
        tls: Tls::default(),
        options: options.as_object().unwrap().clone(),
        limits: Limits { connect: LIMIT, login: LIMIT, read: LIMIT, change: LIMIT, ..Limits::default() },
    }
}

fn with_password(password: &str) -> Credentials {
    Credentials { user: "netops".into(), password: Some(password.into()), ..Credentials::default() }
}

/// What both can tell of the neighbours.
fn in_short(all: &Neighbors) -> Vec<(String, Option<u32>, bool)> {
    all.neighbors.iter().map(|one| (one.address.to_string(), one.remote_as, one.is_up())).collect()
}

#[test]
fn bird_by_way_of_napalm() {
    let Some(lab) = Lab::start(DaemonKind::Bird) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(scenario(&lab));
}

async fn scenario(lab: &Lab) {
    match napalm_versions(&python(), &["bird2".to_owned()].into(), LIMIT).await {
        Ok(found) if found.missing.is_empty() => {}
        lacking => {
            println!("skipped: the real NAPALM: {lacking:?}");
            return;
        }
    }
    let native = lab.connect().await;
    super::wait_until(&native, "the sessions are up", 40, |all| {
        super::is_up(all, super::GOOD4) && super::is_up(all, super::GOOD6)
    })
    .await;

    let wrong = connect(&target(with_password("Planted-wrong"))).await.err().unwrap();
    assert!(matches!(wrong, Error::Login { .. }), "{wrong}");
    assert!(!wrong.to_string().contains(PLANTED), "{wrong}");

    let router = connect(&target(with_password(PASSWORD))).await.unwrap();
    assert_eq!(router.facts().await.unwrap().vendor, "BIRD");
    let found = router.neighbors().await.unwrap();
    assert_eq!(found.left_out, Vec::<String>::new());
    assert_eq!(in_short(&found), in_short(&native.neighbors().await.unwrap()));
    assert!(!router.napalm_neighbors().await.unwrap()["global"].peers.is_empty());
    assert!(!router.napalm_detail().await.unwrap()["global"]["64502"].is_empty());
    router.close().await;

    // The driver writes into the file itself.
    lab.on("router", "chmod g+w /etc/bird/bird.conf");
    // The key goes through a pipe. The driver's timer counts in its own process, which is none.
    let router = connect(&target(lab.key("client"))).await.unwrap();
    assert_eq!(router.capabilities().undo, None::<Undo>);
    let before = native.running_config().await.unwrap();
    let text = ConfigText::new(with_new(DaemonKind::Bird, before.expose()));
    let loader = router.loader(How::Replace).unwrap();
    let candidate = loader.load(&text).await.unwrap();
    assert!(!candidate.diff().is_empty() && !candidate.diff().text().contains(PLANTED));
    let refused = candidate.commit(Duration::from_mins(1)).await.unwrap_err();
    assert!(refused.to_string().contains("nothing was committed"), "{refused}");
    assert!(!has(&native.neighbors().await.unwrap(), NEW));
    let candidate = loader.load(&text).await.unwrap();
    let change = candidate.commit(Duration::ZERO).await.unwrap();
    super::wait_until(&native, "the new neighbour is there", 20, |all| has(all, NEW)).await;
    router.roll_back(&change).await.unwrap();
    super::wait_until(&native, "the new neighbour is gone", 20, |all| !has(all, NEW)).await;
    router.close().await;
}
