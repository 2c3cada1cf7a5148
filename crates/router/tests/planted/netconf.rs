//! Junos and IOS-XR over NETCONF.

use std::collections::BTreeMap;

use pm_lab::routers::netconf::{Kind, Options, Router as StandIn};
use pm_router::{ConfigText, HostKeys, How, Platform, connect};

use super::seen::Seen;
use super::{LONG, PASSWORD, change, read, target, wrong_password};

pub async fn shows_nothing(kind: Kind, platform: Platform) {
    let junos = kind == Kind::Junos;
    let broken = if junos {
        "<bgp-information><bgp-peer><peer-address>password Planted-said</peer-address></bgp-peer><bgp-peer>\
         <peer-address>192.0.2.1</peer-address><peer-cfg-rti>master</peer-cfg-rti><peer-state>secret Planted-said</peer-state>\
         </bgp-peer></bgp-information>"
    } else {
        "<bgp><default-vrf><neighbors><neighbor><neighbor-address>password Planted-said</neighbor-address></neighbor><neighbor>\
         <neighbor-address>192.0.2.1</neighbor-address><connection-state>secret Planted-said</connection-state></neighbor>\
         </neighbors></default-vrf></bgp>"
    };
    let refused = "<rpc-error><error-severity>error</error-severity><error-path>/key Planted-said</error-path>\
        <error-message>\nsyntax error: \"  password Planted-said\"\n</error-message><error-info>\
        <bad-element>password Planted-said</bad-element></error-info></rpc-error>";
    let answers = BTreeMap::from([
        ("get".to_owned(), broken.to_owned()),
        ("get-bgp-neighbor-information".to_owned(), broken.to_owned()),
        ("get-bgp-summary-information".to_owned(), "<bgp-information/>".to_owned()),
        ("get-instance-information".to_owned(), refused.to_owned()),
    ]);
    let options = Options {
        kind,
        config: "x {\n    password Planted-running;\n}\n".into(),
        password: PASSWORD.into(),
        answers,
        minute: LONG,
    };
    let router = StandIn::start(options).await.unwrap();
    let mut to = target(router.address(), platform);
    to.host_keys = HostKeys::Fingerprint(router.fingerprint().clone());
    let mut seen = Seen::default();
    wrong_password(&mut seen, &to).await;
    let one = connect(&to).await.unwrap();
    read(&mut seen, &*one).await;
    change(&mut seen, &*one, How::Merge, "key Planted-candidate;\npassword Planted-candidate;\n", false)
        .await;
    change(&mut seen, &*one, How::Replace, "secret Planted-candidate;\n", true).await;
    change(&mut seen, &*one, How::Merge, "password Planted-candidate bogus;\n", false).await;
    change(&mut seen, &*one, How::Merge, "password Planted-candidate refused-later;\n", true).await;
    // Somebody else has the lock.
    let other = connect(&to).await.unwrap();
    let candidate =
        other.loader(How::Merge).unwrap().load(&ConfigText::new("password Planted-2;\n")).await.unwrap();
    change(&mut seen, &*one, How::Merge, "password Planted-candidate;\n", false).await;
    drop(candidate);
    // Answers that are none.
    router.fall_silent("commit-configuration", 9);
    one.close().await;
    seen.outcome("after the end", &one.running_config().await);
    seen.check(platform.name(), if junos { 9 } else { 8 });
}
