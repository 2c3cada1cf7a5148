//! EOS over eAPI.

use std::collections::BTreeMap;

use pm_lab::routers::eapi::{self, Eapi, Fault};
use pm_router::{How, Platform, connect};
use serde_json::json;

use super::seen::Seen;
use super::{PASSWORD, change, read, target, wrong_password};

pub async fn shows_nothing() {
    let summary = json!({ "vrfs": { "default": { "routerId": "192.0.2.254", "peers": {} } } });
    let peers = json!([
        { "peerAddress": "password Planted-said", "state": "Idle" },
        { "peerAddress": "192.0.2.1", "state": "secret Planted-said" },
        { "peerAddress": "192.0.2.2", "state": "Idle", "establishedTime": "password Planted-said" },
    ]);
    let answers = BTreeMap::from([
        ("show ip bgp summary vrf all".to_owned(), summary.clone()),
        ("show ipv6 bgp summary vrf all".to_owned(), summary),
        ("show ip bgp neighbors vrf all".to_owned(), json!({ "vrfs": { "default": { "peerList": peers } } })),
        ("show ipv6 bgp peers vrf all".to_owned(), json!({ "vrfs": {} })),
        ("show version".to_owned(), json!({ "uptime": "password Planted-said" })),
    ]);
    let options = eapi::Options {
        user: "netops".into(),
        password: PASSWORD.into(),
        enable: Some("Planted-enable".into()),
        running: "hostname one\nrouter bgp 64500\n   neighbor 192.0.2.1 password 7 Planted-running\n".into(),
        answers,
        ..eapi::Options::default()
    };
    let switch = Eapi::start(options).await.unwrap();
    let mut to = target(switch.address, Platform::Eos);
    to.options.insert("transport".into(), json!("http"));
    to.options.insert("enable_password".into(), json!("Planted-enable"));
    let mut seen = Seen::default();
    wrong_password(&mut seen, &to).await;
    let mut wrong = to.clone();
    wrong.options.insert("enable_password".into(), json!("Planted-wrong"));
    seen.error("enable", &connect(&wrong).await.err().unwrap());
    let one = connect(&to).await.unwrap();
    read(&mut seen, &*one).await;
    let text = "router bgp 64500\n   neighbor 192.0.2.2 password 7 Planted-candidate\n";
    change(&mut seen, &*one, How::Merge, text, false).await;
    change(&mut seen, &*one, How::Replace, text, true).await;
    let wrong = "router bgp 64500\n   nieghbor 192.0.2.2 password 7 Planted-candidate\n";
    change(&mut seen, &*one, How::Merge, wrong, true).await;
    for (fault, name) in [(Fault::CutAfter, "cut"), (Fault::Html, "html")] {
        switch.fault("configure session", fault);
        seen.text("what fails", name);
        change(&mut seen, &*one, How::Merge, text, true).await;
    }
    seen.check("eos", 6);
}
