//! NETCONF against a server that others wrote: Debian's `netconfd`, through the driver for IOS-XR, of which it knows two
//! models by name.

use crate::e2e::lab;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::e2e::lab::{HOST, Lab};
use pm_router::netconf::{Capability, Datastore, Session};
use pm_router::{
    ConfigText, DaemonKind, Endpoint, Error, How, Limits, Pending, Platform, Router, Target, Tls, Way,
};

fn target(lab: &Lab) -> Target {
    Target {
        endpoint: Endpoint { host: HOST.into(), port: 0 },
        platform: Platform::IosxrNetconf,
        driver_name: String::new(),
        use_napalm: false,
        python: "python3".into(),
        credentials: lab.key("client"),
        host_keys: lab.known_hosts(),
        way: Way::default(),
        tls: Tls::default(),
        options: serde_json::Map::new(),
        limits: Limits {
            read: Duration::from_secs(10),
            change: Duration::from_secs(10),
            ..Limits::default()
        },
    }
}

async fn driver(lab: &Lab) -> Box<dyn Router> {
    pm_router::connect(&target(lab)).await.unwrap()
}

async fn session(lab: &Lab) -> Session {
    Session::begin(lab.ssh(830, &lab.key("client"), &lab.known_hosts()).await.unwrap()).await.unwrap()
}

async fn commit(router: &dyn Router, how: How, text: &str, seconds: u64) -> Result<Pending, Error> {
    let candidate = router.loader(how).unwrap().load(&ConfigText::new(text)).await?;
    candidate.commit(Duration::from_secs(seconds)).await
}

async fn runs(router: &dyn Router) -> String {
    // The server takes white space off the ends.
    router.running_config().await.unwrap().expose().trim().to_owned()
}

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Waits until the router runs this text. The server undoes a change when it comes to it, on a busy machine late; and it looks at
/// its timers only when nobody has asked it anything for a second.
async fn comes_to_run(router: &dyn Router, text: &str) {
    let begun = Instant::now();
    loop {
        let running = runs(router).await;
        if running == text {
            return;
        }
        assert!(begun.elapsed().as_secs() < 60, "runs {running:?}, not {text:?}");
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
}

/// What is asked of NETCONF itself.
async fn sessions(lab: &Lab) {
    let one = session(lab).await;
    for capability in [Capability::Candidate, Capability::PersistentCommit, Capability::RollbackOnError] {
        assert!(one.can(capability), "{capability:?}");
    }
    let two = session(lab).await;
    one.lock(pm_router::Step::Load, Datastore::Candidate).await.unwrap();
    let busy = two.lock(pm_router::Step::Load, Datastore::Candidate).await.unwrap_err();
    let holder = format!("session {} holds the lock", one.id().unwrap());
    assert!(matches!(&busy, Error::Busy { holder: said, .. } if *said == holder), "{busy}");
    two.kill(one.id().unwrap()).await.unwrap();
    two.lock(pm_router::Step::Load, Datastore::Candidate).await.unwrap();
    assert!(matches!(one.discard_changes().await, Err(Error::Lost { .. })));

    // Without an id the change goes with its session.
    let cli =
        |text: &str| format!("<cli xmlns=\"http://cisco.com/ns/yang/Cisco-IOS-XR-cli-cfg\">{text}</cli>");
    two.edit_candidate(&cli("short")).await.unwrap();
    two.commit_for(600, None).await.unwrap();
    let other = session(lab).await;
    let running =
        async || other.get_config(pm_router::Step::Config, Datastore::Running, None).await.unwrap().text;
    assert!(running().await.contains("short"));
    two.close().await;
    let begun = Instant::now();
    while running().await.contains("short") {
        assert!(begun.elapsed().as_secs() < 60, "the change did not go with its session");
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    let wrong = other.edit_candidate("<nothing xmlns=\"urn:nothing\"/>").await.unwrap_err();
    assert!(matches!(wrong, Error::Rejected { .. }), "{wrong}");
    // Long ones go in several pieces in both directions.
    let long = "interface x &amp; y\n".repeat(30_000);
    other.edit_candidate(&cli(&long)).await.unwrap();
    let candidate = other.get_config(pm_router::Step::Config, Datastore::Candidate, None).await.unwrap().text;
    assert!(candidate.contains(long.trim_end()), "{} octets", candidate.len());
    other.discard_changes().await.unwrap();
    other.close().await;
}

/// What is asked of the driver.
async fn changes(lab: &Lab) {
    let router = driver(lab).await;
    assert_eq!(runs(&*router).await, "");
    // The connection ends, the change waits, and another connection confirms it.
    let change = commit(&*router, How::Merge, "hostname \"a\" <&>\n", 10).await.unwrap();
    router.close().await;
    let router = driver(lab).await;
    assert_eq!(runs(&*router).await, "hostname \"a\" <&>");
    router.confirm(&change).await.unwrap();
    sleep(11).await;
    assert_eq!(runs(&*router).await, "hostname \"a\" <&>");
    router.confirm(&change).await.unwrap();

    // Nobody confirms.
    let change = commit(&*router, How::Replace, "hostname b\n", 10).await.unwrap();
    assert_eq!(runs(&*router).await, "hostname b");
    assert!(matches!(commit(&*router, How::Merge, "hostname c\n", 2).await, Err(Error::Busy { .. })));
    let other = driver(lab).await;
    let busy = commit(&*other, How::Merge, "hostname c\n", 2).await.unwrap_err();
    assert!(matches!(busy, Error::Busy { .. } | Error::Rejected { .. }), "{busy}");
    assert_eq!(runs(&*router).await, "hostname b");
    comes_to_run(&*router, "hostname \"a\" <&>").await;
    assert!(matches!(router.confirm(&change).await, Err(Error::RolledBack { .. })));

    // Somebody undoes it, over another connection, and once more.
    let change = commit(&*router, How::Merge, "hostname d\n", 600).await.unwrap();
    other.roll_back(&change).await.unwrap();
    assert_eq!(runs(&*router).await, "hostname \"a\" <&>");
    other.roll_back(&change).await.unwrap();
    assert!(matches!(router.confirm(&change).await, Err(Error::RolledBack { .. })));

    // What is refused leaves no lock and no candidate.
    let refused = commit(&*router, How::Merge, "hostname %\npassword Planted\n", 600).await.unwrap_err();
    assert!(matches!(refused, Error::Rejected { .. }), "{refused}");
    assert!(!refused.to_string().contains("Planted"), "{refused}");
    let candidate = other.loader(How::Merge).unwrap().load(&ConfigText::new("hostname e\n")).await.unwrap();
    let busy = commit(&*router, How::Merge, "hostname f\n", 600).await.unwrap_err();
    assert!(matches!(&busy, Error::Busy { holder, .. } if holder.starts_with("session ")), "{busy}");
    candidate.discard().await.unwrap();
    // One that is dropped is taken away by the next.
    drop(router.loader(How::Merge).unwrap().load(&ConfigText::new("hostname g\n")).await.unwrap());
    drop(router.loader(How::Merge).unwrap().load(&ConfigText::new("hostname h\n")).await.unwrap());
    router.close().await;

    // The way to the router is cut between commit and confirmation.
    let change = commit(&*other, How::Merge, "hostname i\n", 4).await.unwrap();
    lab.path("down");
    drop(other);
    sleep(6).await;
    lab.path("up");
    let router = driver(lab).await;
    comes_to_run(&*router, "hostname \"a\" <&>").await;
    assert!(matches!(router.confirm(&change).await, Err(Error::RolledBack { .. })));
    router.close().await;
}

#[test]
fn netconfd() {
    let server = "/usr/sbin/netconfd";
    let lacks = lab::lacks(DaemonKind::Bird)
        .or_else(|| (!Path::new(server).exists()).then(|| format!("missing: {server}")));
    let Some(lab) = Lab::start_named("netconfd", lacks, None) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // On a busy machine the server takes a while until it answers.
        let begun = Instant::now();
        while let Err(error) = pm_router::connect(&target(&lab)).await {
            assert!(begun.elapsed().as_secs() < 60, "{error}");
        }
        sessions(&lab).await;
        changes(&lab).await;
    });
}
