//! Options that say how a candidate is kept apart from those of others.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use pm_lab::routers::eapi::{self, Eapi};
use pm_lab::routers::netconf::{Kind, Options, Router as StandIn};
use pm_router::{
    ConfigText, Credentials, Endpoint, Error, HostKeys, How, Limits, Platform, Router, Target, Tls, Way,
    connect,
};
use serde_json::json;

fn target(address: SocketAddr, platform: Platform, option: Option<&str>) -> Target {
    Target {
        endpoint: Endpoint { host: address.ip().to_string(), port: address.port() },
        platform,
        driver_name: platform.name().into(),
        use_napalm: false,
        python: PathBuf::new(),
        credentials: Credentials {
            user: "netops".into(),
            password: Some("x".to_owned().into()),
            ..Credentials::default()
        },
        host_keys: HostKeys::Fingerprint(String::new()),
        way: Way::default(),
        tls: Tls::default(),
        options: option.map(|name| (name.to_owned(), json!(true))).into_iter().collect(),
        limits: Limits::default(),
    }
}

/// That a candidate can be loaded and thrown away.
async fn load(router: &dyn Router, text: &str) -> Result<(), Error> {
    router.loader(How::Merge).unwrap().load(&ConfigText::new(text)).await?.discard().await
}

async fn netconf(kind: Kind) -> StandIn {
    let options = Options {
        kind,
        config: String::new(),
        password: "x".into(),
        answers: BTreeMap::new(),
        minute: Duration::from_mins(1),
    };
    StandIn::start(options).await.unwrap()
}

/// With `config_lock`, who comes first has the router for himself, from the login to the end of the connection.
#[tokio::test]
async fn a_lock_for_as_long_as_the_connection_lasts() {
    for (kind, platform, text) in [
        (Kind::Junos, Platform::Junos, "host-name other;\n"),
        (Kind::IosXr, Platform::IosxrNetconf, "hostname other\n"),
    ] {
        let router = netconf(kind).await;
        let to = |option| {
            let mut to = target(router.address(), platform, option);
            to.host_keys = HostKeys::Fingerprint(router.fingerprint());
            to
        };
        let holder = connect(&to(Some("config_lock"))).await.unwrap();
        assert!(!router.is_clean(), "{}: it is locked", platform.name());
        let other = connect(&to(None)).await.unwrap();
        for _ in 0..2 {
            let busy = load(&*other, text).await.unwrap_err();
            assert!(matches!(busy, Error::Busy { .. }), "{}: {busy}", platform.name());
            load(&*holder, text).await.unwrap();
        }
        assert!(connect(&to(Some("config_lock"))).await.is_err());
        holder.close().await;
        load(&*other, text).await.unwrap();
        assert!(router.is_clean());
    }
}

#[tokio::test]
async fn junos_without_a_lock() {
    let router = netconf(Kind::Junos).await;
    let mut to = target(router.address(), Platform::Junos, Some("lock_disable"));
    to.host_keys = HostKeys::Fingerprint(router.fingerprint());
    let one = connect(&to).await.unwrap();
    load(&*one, "host-name other;\n").await.unwrap();
    let operations = router.operations();
    assert!(operations.iter().any(|name| name == "load-configuration"), "{operations:?}");
    assert!(!operations.iter().any(|name| name == "lock-configuration"), "{operations:?}");
    assert!(router.is_clean());
}

#[tokio::test]
async fn eos_beside_the_sessions_of_others() {
    let options = eapi::Options {
        user: "netops".into(),
        password: "x".into(),
        running: "hostname one\n".into(),
        ..eapi::Options::default()
    };
    let switch = Eapi::start(options).await.unwrap();
    let to = |option| {
        let mut to = target(switch.address, Platform::Eos, option);
        to.options.insert("transport".into(), json!("http"));
        to
    };
    let holder = connect(&to(None)).await.unwrap();
    let held = holder.loader(How::Merge).unwrap().load(&ConfigText::new("hostname two\n")).await.unwrap();
    let busy = load(&*connect(&to(None)).await.unwrap(), "hostname three\n").await.unwrap_err();
    assert!(matches!(busy, Error::Busy { .. }), "{busy}");
    load(&*connect(&to(Some("lock_disable"))).await.unwrap(), "hostname three\n").await.unwrap();
    held.discard().await.unwrap();
    load(&*connect(&to(None)).await.unwrap(), "hostname three\n").await.unwrap();
}
