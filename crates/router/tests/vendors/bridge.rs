//! The bridge with NAPALM's own drivers, one process after the other, as after a restart of this program.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use pm_router::{
    ConfigText, Credentials, Endpoint, Error, HostKeys, How, Limits, Pending, Platform, Router, Target, Tls,
    Undo, Way, connect,
};
use serde_json::{Value as Json, json};

use super::client::python;
use super::{PASSWORD, eos, junos};

fn target(platform: Platform, to: SocketAddr, options: Json) -> Option<Target> {
    let Json::Object(options) = options else { return None };
    Some(Target {
        endpoint: Endpoint { host: to.ip().to_string(), port: to.port() },
        platform,
        driver_name: platform.name().into(),
        use_napalm: true,
        python: python()?,
        credentials: Credentials {
            user: "netops".into(),
            password: Some(PASSWORD.to_owned().into()),
            ..Credentials::default()
        },
        host_keys: HostKeys::KnownHosts("/nonexistent".into()),
        way: Way::default(),
        tls: Tls::default(),
        options,
        limits: Limits { connect: Duration::from_mins(1), ..Limits::default() },
    })
}

async fn commit(router: &dyn Router, text: &str, seconds: u64) -> Pending {
    let candidate = router.loader(How::Merge).unwrap().load(&ConfigText::new(text)).await.unwrap();
    assert!(candidate.diff().counts().0 > 0, "{}", candidate.diff().text());
    candidate.commit(Duration::from_secs(seconds)).await.unwrap()
}

async fn until(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed().as_secs() < 60, "it does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn eos_through_the_bridge() {
    for newer in [false, true] {
        let switch = eos::switch(newer).await;
        let options = json!({ "transport": "http", "enable_password": "Planted-2" });
        let Some(target) = target(Platform::Eos, switch.address, options) else { return };
        let one = connect(&target).await.unwrap();
        assert_eq!((one.capabilities().undo, one.capabilities().timer_step), (Some(Undo::Router), 1));
        assert_eq!(one.facts().await.unwrap().hostname, "sw1");
        let neighbors = one.neighbors().await.unwrap();
        assert!(neighbors.get("default", "192.0.2.1".parse().unwrap()).unwrap().is_up());
        assert!(one.running_config().await.unwrap().expose().contains("192.0.2.1"));

        // Confirmed by another process, and once more by a third.
        let candidate = one.loader(How::Merge).unwrap().load(&ConfigText::new(eos::CANDIDATE)).await.unwrap();
        assert!(candidate.diff().text().contains("+   neighbor 192.0.2.2 remote-as 64502"));
        let named = candidate.change(Duration::from_mins(10)).unwrap();
        let change = candidate.commit(Duration::from_mins(10)).await.unwrap();
        assert!(change.id.starts_with(named.id.trim_end_matches('/')), "{} {}", change.id, named.id);
        assert!(switch.running().contains("192.0.2.2") && !switch.startup().contains("192.0.2.2"));
        drop(one);
        let two = connect(&target).await.unwrap();
        assert!(two.pending().await.unwrap().is_some());
        two.confirm(&change).await.unwrap();
        assert!(switch.startup().contains("192.0.2.2"));
        assert_eq!(two.pending().await.unwrap(), None);
        let three = connect(&target).await.unwrap();
        three.confirm(&change).await.unwrap();
        assert!(!three.cancel(&change).await.unwrap());
        assert!(switch.running().contains("192.0.2.2"));

        // Taken back by another process, of which nobody but the record told the name.
        let change = commit(&*two, "hostname sw2\n", 600).await;
        let named = Pending { id: format!("{}//", change.id.split('/').next().unwrap()), ..change };
        assert!(three.cancel(&named).await.unwrap());
        assert!(switch.running().contains("hostname sw1"));

        // Undone by the timer; then there is nothing to undo, and what was done since is left alone.
        let change = commit(&*two, "hostname sw3\n", 15).await;
        until(|| switch.running().contains("hostname sw1")).await;
        assert!(matches!(three.confirm(&change).await, Err(Error::RolledBack { .. })));
        three.roll_back(&change).await.unwrap();
        switch.type_in("hostname by-hand");
        assert!(matches!(three.roll_back(&change).await, Err(Error::Failed { .. })));
        assert!(!three.cancel(&change).await.unwrap());
        assert!(switch.running().contains("hostname by-hand"));
        assert!(!switch.seen().iter().any(|command| command.starts_with("configure replace")));
    }
}

#[tokio::test]
async fn junos_through_the_bridge() {
    let router = junos::router(Duration::from_mins(1)).await;
    let Some(target) = target(Platform::Junos, router.address(), json!({})) else { return };
    let one = connect(&target).await.unwrap();
    assert_eq!((one.capabilities().undo, one.capabilities().timer_step), (Some(Undo::Router), 60));
    assert_eq!(one.facts().await.unwrap().hostname, "edge1");
    let neighbors = one.neighbors().await.unwrap();
    assert!(neighbors.get("default", "192.0.2.1".parse().unwrap()).unwrap().is_up());

    // Confirmed by another process, and once more by a third.
    let change = commit(&*one, "one;\n", 240).await;
    assert_eq!(change.seconds, 240);
    let committed = router.running();
    drop(one);
    let two = connect(&target).await.unwrap();
    assert!(two.pending().await.unwrap().is_some());
    two.confirm(&change).await.unwrap();
    assert_eq!(two.pending().await.unwrap(), None);
    let three = connect(&target).await.unwrap();
    three.confirm(&change).await.unwrap();
    assert!(!three.cancel(&change).await.unwrap());
    // NAPALM goes back by one commit, and the confirmation was one.
    assert!(matches!(three.roll_back(&change).await, Err(Error::Failed { .. })));
    assert_eq!(router.running(), committed);

    // Taken back by another process.
    let change = commit(&*two, "two;\n", 240).await;
    assert!(three.cancel(&change).await.unwrap());
    assert_eq!(router.running(), committed);
    assert!(router.is_clean());

    // Somebody else's commit that waits is not confirmed, and not undone.
    let change = commit(&*two, "three;\n", 240).await;
    router.commit_by_hand("by hand;\n");
    assert!(!three.cancel(&change).await.unwrap());
    assert!(matches!(three.confirm(&change).await, Err(Error::Failed { .. })));
    assert!(matches!(three.roll_back(&change).await, Err(Error::Failed { .. })));
    let theirs = commit(&*two, "four;\n", 240).await;
    assert!(!three.cancel(&change).await.unwrap());
    assert!(matches!(three.confirm(&change).await, Err(Error::Failed { .. })));
    assert_eq!(router.running(), "by hand;\nfour;\n");
    three.confirm(&theirs).await.unwrap();

    // Undone by the timer: once more would be the change again.
    let quick = junos::router(Duration::from_secs(15)).await;
    let target = Target { endpoint: Endpoint { port: quick.address().port(), ..target.endpoint }, ..target };
    let one = connect(&target).await.unwrap();
    let first = quick.running();
    let change = commit(&*one, "late;\n", 60).await;
    until(|| quick.running() == first).await;
    assert!(matches!(one.confirm(&change).await, Err(Error::RolledBack { .. })));
    one.roll_back(&change).await.unwrap();
    assert_eq!(quick.running(), first);
}
