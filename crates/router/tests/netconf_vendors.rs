//! The drivers for Junos and IOS-XR against strict stand-ins over SSH.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pm_lab::routers::netconf::{Fault, Kind, Options, Router as StandIn};
use pm_router::{
    ConfigText, Credentials, Endpoint, Error, Family, HostKeys, How, Limits, Pending, Platform, Router,
    State, Target, Tls, Way,
};

const FIRST: &str = "system {\n    host-name edge1;\n}\n";
const PEER: &str = "<bgp-peer><peer-address>192.0.2.1+179</peer-address><peer-as>64501</peer-as>\
    <local-address>192.0.2.9+40000</local-address><local-as>64500</local-as><description>One &amp; only</description>RTI\
    <peer-state>Established</peer-state><last-error>Cease</last-error><flap-count>2</flap-count><peer-id>192.0.2.1</peer-id>\
    <local-id>192.0.2.9</local-id><bgp-rib><name>inet.0</name><send-state>in sync</send-state>\
    <active-prefix-count>3</active-prefix-count><received-prefix-count>5</received-prefix-count>\
    <accepted-prefix-count>4</accepted-prefix-count><advertised-prefix-count>2</advertised-prefix-count></bgp-rib></bgp-peer>\
    <bgp-peer><peer-address>2001:DB8::2</peer-address><peer-as>1.10</peer-as><local-as>64500</local-as>RTI\
    <peer-state>Idle</peer-state><last-error>Maximum prefix-limit exceeded</last-error><bgp-option-information>\
    <bgp-options-extended>Shutdown</bgp-options-extended></bgp-option-information></bgp-peer>\
    <bgp-peer><peer-address>?</peer-address>RTI<peer-state>Odd</peer-state></bgp-peer>";
const SUMMARY: &str = "<bgp-information><bgp-peer><peer-address>192.0.2.1</peer-address><elapsed-time junos:seconds=\"60\">1:00\
    </elapsed-time></bgp-peer><bgp-peer><peer-address>2001:DB8::2</peer-address><elapsed-time junos:seconds=\"7\">7</elapsed-time>\
    </bgp-peer></bgp-information>";

async fn stand_in(kind: Kind, answers: &[(&str, String)]) -> StandIn {
    let answers: BTreeMap<String, String> =
        answers.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
    let options = Options {
        kind,
        config: FIRST.to_owned(),
        password: "Planted".to_owned(),
        answers,
        minute: Duration::from_secs(if kind == Kind::Junos { 12 } else { 60 }),
    };
    StandIn::start(options).await.unwrap()
}

fn target(to: &StandIn, platform: Platform, options: &[&str]) -> Target {
    Target {
        endpoint: Endpoint { host: to.address().ip().to_string(), port: to.address().port() },
        platform,
        driver_name: String::new(),
        use_napalm: false,
        python: "python3".into(),
        credentials: Credentials {
            user: "netops".into(),
            password: Some("Planted".to_owned().into()),
            ..Credentials::default()
        },
        host_keys: HostKeys::Fingerprint(to.fingerprint().clone()),
        way: Way::default(),
        tls: Tls::default(),
        options: options.iter().map(|name| ((*name).to_owned(), true.into())).collect(),
        limits: Limits {
            read: Duration::from_secs(30),
            change: Duration::from_secs(30),
            ..Limits::default()
        },
    }
}

async fn driver(to: &StandIn, platform: Platform) -> Box<dyn Router> {
    pm_router::connect(&target(to, platform, &[])).await.unwrap()
}

async fn commit(router: &dyn Router, how: How, text: &str, seconds: u64) -> Result<Pending, Error> {
    let candidate = router.loader(how).unwrap().load(&ConfigText::new(text)).await?;
    candidate.commit(Duration::from_secs(seconds)).await
}

/// Waits until what runs is this.
async fn wait_for(router: &StandIn, text: &str) {
    let begun = Instant::now();
    while router.running() != text {
        assert!(begun.elapsed().as_secs() < 60, "it does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What both drivers must do.
async fn changes(router: &StandIn, platform: Platform, wait: u64) {
    let driver_of = async || driver(router, platform).await;
    let one = driver_of().await;
    let running = one.running_config().await.unwrap();
    assert!(running.expose().contains(FIRST.trim_end()), "{}", running.expose().len());

    // The difference, without secrets, and nothing in force yet.
    let candidate = one
        .loader(How::Merge)
        .unwrap()
        .load(&ConfigText::new("password Planted;\ndescription \"a <b> & c\";\n"))
        .await
        .unwrap();
    assert_eq!(candidate.diff().counts(), (2, 0), "{}", candidate.diff().text());
    assert!(!candidate.diff().text().contains("Planted") && candidate.diff().text().contains("a <b> & c"));
    assert_eq!(router.running(), FIRST);
    // Somebody else waits meanwhile, and learns who is there.
    let two = driver_of().await;
    let busy = commit(&*two, How::Merge, "x;\n", wait).await.unwrap_err();
    assert!(
        matches!(&busy, Error::Busy { holder, .. } if holder.contains("session") || holder.contains("netops")),
        "{busy}"
    );
    candidate.discard().await.unwrap();
    assert!(router.is_clean());

    // Committed, confirmed over another connection, and confirmed once more.
    let change = commit(&*one, How::Replace, "new;\n", wait).await.unwrap();
    assert_eq!(router.running(), "new;\n");
    assert!(router.is_clean());
    assert_eq!(change.seconds % platform.capabilities().timer_step, 0);
    one.close().await;
    let one = driver_of().await;
    let busy = commit(&*two, How::Merge, "y;\n", wait).await.unwrap_err();
    assert!(matches!(busy, Error::Busy { .. } | Error::Rejected { .. }), "{busy}");
    assert_eq!(router.running(), "new;\n");
    assert!(router.is_clean());
    one.confirm(&change).await.unwrap();
    match platform {
        Platform::Junos => assert_eq!(one.pending().await.unwrap(), None),
        // Only who made a change, or knows its name, learns of it.
        _ => assert!(matches!(one.pending().await, Err(Error::Untold { .. }))),
    }
    one.confirm(&change).await.unwrap();
    tokio::time::sleep(Duration::from_millis(12_300)).await;
    assert_eq!(router.running(), "new;\n");

    // A confirmed change can be undone too, once.
    one.roll_back(&change).await.unwrap();
    assert_eq!(router.running(), FIRST);
    one.roll_back(&change).await.unwrap();
    assert_eq!(router.running(), FIRST);

    // Nobody confirms.
    let change = commit(&*one, How::Replace, "gone;\n", wait).await.unwrap();
    assert_eq!(one.pending().await.unwrap(), Some(change.clone()));
    wait_for(router, FIRST).await;
    assert!(matches!(one.confirm(&change).await, Err(Error::RolledBack { .. })));
    one.roll_back(&change).await.unwrap();
    assert_eq!(router.running(), FIRST);

    // Undone at once, by somebody else.
    let change = commit(&*one, How::Merge, "undone;\n", 600).await.unwrap();
    two.roll_back(&change).await.unwrap();
    assert_eq!(router.running(), FIRST);

    // Refused when it is loaded, and when it is committed: neither lock nor candidate stays.
    for text in ["password Planted bogus;\n", "refused-later;\n"] {
        let refused = commit(&*two, How::Merge, text, wait).await.unwrap_err();
        assert!(matches!(refused, Error::Rejected { .. }), "{refused}");
        assert!(!refused.to_string().contains("Planted"), "{refused}");
        assert!(router.is_clean(), "{text}");
    }
    // A connection that goes away in between leaves nothing either.
    let candidate = two.loader(How::Merge).unwrap().load(&ConfigText::new("z;\n")).await.unwrap();
    drop(candidate);
    drop(two);
    let begun = Instant::now();
    while !router.is_clean() {
        assert!(begun.elapsed().as_secs() < 60, "the lock stays");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(router.running(), FIRST);
}

#[tokio::test]
async fn junos_is_changed() {
    let router = stand_in(Kind::Junos, &[]).await;
    changes(&router, Platform::Junos, 30).await;
    // Six characters of a set command, and XML, load too.
    let one = driver(&router, Platform::Junos).await;
    let set = commit(&*one, How::Merge, "set system host-name edge2\n", 60).await.unwrap();
    one.roll_back(&set).await.unwrap();
    assert!(matches!(commit(&*one, How::Replace, "set a\n", 60).await, Err(Error::Rejected { .. })));
    // A commit by hand that waits is nobody's to confirm.
    let theirs = Pending { id: "other".into(), ..set };
    assert!(matches!(one.confirm(&theirs).await, Err(Error::RolledBack { .. })));
    assert!(router.is_clean());
}

#[tokio::test]
async fn junos_with_a_candidate_of_its_own() {
    let router = stand_in(Kind::Junos, &[]).await;
    let target = target(&router, Platform::Junos, &["config_private"]);
    let one = pm_router::connect(&target).await.unwrap();
    let two = pm_router::connect(&target).await.unwrap();
    let first = one.loader(How::Merge).unwrap().load(&ConfigText::new("a;\n")).await.unwrap();
    let second = two.loader(How::Merge).unwrap().load(&ConfigText::new("b;\n")).await.unwrap();
    let change = first.commit(Duration::from_mins(1)).await.unwrap();
    assert!(matches!(second.commit(Duration::from_mins(1)).await, Err(Error::Busy { .. })));
    one.confirm(&change).await.unwrap();
    assert_eq!(router.running(), format!("{FIRST}a;\n"));
    assert!(router.is_clean());
}

/// A connection that is new, once nothing of the last one is left.
async fn anew(router: &StandIn, platform: Platform) -> Box<dyn Router> {
    let begun = Instant::now();
    while !router.is_clean() {
        assert!(begun.elapsed().as_secs() < 60, "the lock or the candidate stays");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    driver(router, platform).await
}

/// What both must do when the connection ends during a commit or a confirmation.
async fn cut(router: &StandIn, platform: Platform, commit_is: &str) {
    for fault in [Fault::CutBefore, Fault::CutAfter] {
        // The commit's answer is lost. By its name the change is found, and undone if it was made.
        let one = anew(router, platform).await;
        let candidate = one.loader(How::Merge).unwrap().load(&ConfigText::new("a;\n")).await.unwrap();
        let named = candidate.change(Duration::from_mins(10)).unwrap();
        router.fail(commit_is, 0, fault);
        let error = candidate.commit(Duration::from_mins(10)).await.unwrap_err();
        assert!(matches!(error, Error::Lost { .. }) && error.leaves_open(), "{error}");
        let made = fault == Fault::CutAfter;
        assert_eq!(router.running() != FIRST, made);
        let two = anew(router, platform).await;
        assert_eq!(two.cancel(&named).await.unwrap(), made, "{fault:?}");
        assert_eq!(router.running(), FIRST);
        assert!(!two.cancel(&named).await.unwrap());

        // The confirmation's answer is lost. Asked again, the router says whether it came.
        let change = commit(&*two, How::Merge, "b;\n", 600).await.unwrap();
        router.fail(commit_is, 0, fault);
        let error = two.confirm(&change).await.unwrap_err();
        assert!(error.leaves_open(), "{error}");
        let three = anew(router, platform).await;
        three.confirm(&change).await.unwrap();
        assert!(!three.cancel(&change).await.unwrap(), "it is confirmed");
        assert_eq!(router.running(), format!("{FIRST}b;\n"));
        three.roll_back(&change).await.unwrap();
        assert_eq!(router.running(), FIRST);

        // It did not come, and the time is over before somebody asks again.
        let change = commit(&*three, How::Merge, "c;\n", 12).await.unwrap();
        router.fail(commit_is, 0, Fault::CutBefore);
        assert!(three.confirm(&change).await.unwrap_err().leaves_open());
        wait_for(router, FIRST).await;
        let four = anew(router, platform).await;
        assert!(matches!(four.confirm(&change).await, Err(Error::RolledBack { .. })));
        assert!(!four.cancel(&change).await.unwrap());
    }
}

#[tokio::test]
async fn the_connection_to_junos_ends() {
    let router = stand_in(Kind::Junos, &[]).await;
    cut(&router, Platform::Junos, "commit-configuration").await;
}

#[tokio::test]
async fn the_connection_to_iosxr_ends() {
    let router = stand_in(Kind::IosXr, &[]).await;
    cut(&router, Platform::IosxrNetconf, "commit").await;
}

/// Without a lock, what somebody else has typed and not committed is neither committed nor forgotten.
#[tokio::test]
async fn junos_without_a_lock_leaves_others_edits_alone() {
    let router = stand_in(Kind::Junos, &[]).await;
    let target = target(&router, Platform::Junos, &["lock_disable"]);
    let one = pm_router::connect(&target).await.unwrap();
    let two = pm_router::connect(&target).await.unwrap();
    let change = commit(&*one, How::Merge, "a;\n", 600).await.unwrap();
    router.type_in("half;\n");
    for busy in
        [one.confirm(&change).await, one.roll_back(&change).await, two.cancel(&change).await.map(drop)]
    {
        let Err(Error::Busy { holder, .. }) = busy else { panic!("{busy:?}") };
        assert!(holder.contains("shared candidate"), "{holder}");
    }
    assert_eq!(router.running(), format!("{FIRST}a;\n"));
    assert!(!router.is_clean(), "the edit is there still");
    router.forget_edits();
    two.confirm(&change).await.unwrap();
    assert_eq!(router.running(), format!("{FIRST}a;\n"));
}

/// A confirmation is a commit, and would put into force what somebody else has typed and not committed. A lock keeps that out, unless
/// it was there before.
#[tokio::test]
async fn iosxr_confirms_nobody_elses_edits() {
    let router = stand_in(Kind::IosXr, &[]).await;
    for options in [&[][..], &["config_lock"]] {
        let one = pm_router::connect(&target(&router, Platform::IosxrNetconf, options)).await.unwrap();
        let change = commit(&*one, How::Merge, "a;\n", 600).await.unwrap();
        router.type_in("half;\n");
        let busy = one.confirm(&change).await.unwrap_err();
        assert!(matches!(&busy, Error::Busy { .. }), "{busy}");
        assert_eq!(router.running(), format!("{FIRST}a;\n"));
        assert!(!router.is_clean(), "the edit is there still");
        router.forget_edits();
        one.confirm(&change).await.unwrap();
        assert_eq!(router.running(), format!("{FIRST}a;\n"));
        one.roll_back(&change).await.unwrap();
        assert_eq!(router.running(), FIRST);
        one.close().await;
        assert!(router.is_clean());
    }
}

/// An `ok` of IOS-XR's is not believed.
#[tokio::test]
async fn iosxr_only_says_that_it_undid_it() {
    let router = stand_in(Kind::IosXr, &[]).await;
    let one = driver(&router, Platform::IosxrNetconf).await;
    let change = commit(&*one, How::Merge, "a;\n", 600).await.unwrap();
    router.fail("cancel-commit", 0, Fault::Ignored);
    assert!(matches!(one.cancel(&change).await, Err(Error::NotRestored { .. })));
    one.confirm(&change).await.unwrap();
    router.fail("roll-back-configuration-last", 0, Fault::Ignored);
    assert!(matches!(one.roll_back(&change).await, Err(Error::NotRestored { .. })));
    one.roll_back(&change).await.unwrap();
    assert_eq!(router.running(), FIRST);
}

/// What both must do when something else is loaded, or committed, after a candidate was.
async fn overtaken(router: &StandIn, platform: Platform) {
    let one = driver(router, platform).await;
    let load = async |text: &str| one.loader(How::Merge).unwrap().load(&ConfigText::new(text)).await.unwrap();
    let long = Duration::from_mins(10);
    // A second candidate takes the first one's place, and is not what is committed in its name.
    let (first, second) = (load("first;\n").await, load("second;\n").await);
    assert!(matches!(first.commit(long).await, Err(Error::Changed { .. })));
    assert_eq!(router.running(), FIRST);
    let (third, fourth) = (load("third;\n").await, load("fourth;\n").await);
    drop(second);
    third.discard().await.unwrap();
    let change = fourth.commit(long).await.unwrap();
    assert_eq!(router.running(), format!("{FIRST}fourth;\n"));
    one.confirm(&change).await.unwrap();
    // What takes it away keeps it from being committed as nothing.
    let fifth = load("fifth;\n").await;
    one.confirm(&change).await.unwrap();
    assert!(matches!(fifth.commit(long).await, Err(Error::Changed { .. })));
    assert!(router.is_clean());

    // Another commit came after one that was confirmed: it is neither undone nor kept with it.
    router.commit_by_hand("by hand;\n");
    let error = one.confirm(&change).await.unwrap_err();
    assert!(matches!(error, Error::Failed { .. }) && error.to_string().contains("neither"), "{error}");
    assert!(!one.cancel(&change).await.unwrap());
    let error = one.roll_back(&change).await.unwrap_err();
    assert!(matches!(error, Error::Failed { .. }) && error.to_string().contains("neither"), "{error}");
    assert_eq!(router.running(), "by hand;\n");
    assert!(router.is_clean());
}

#[tokio::test]
async fn what_came_after_on_junos() {
    let router = stand_in(Kind::Junos, &[]).await;
    overtaken(&router, Platform::Junos).await;
    // While it waits, a commit by hand confirms it: with more, or as it is.
    let one = driver(&router, Platform::Junos).await;
    let change = commit(&*one, How::Replace, "ours;\n", 600).await.unwrap();
    router.commit_by_hand("ours;\ntheirs;\n");
    let error = one.confirm(&change).await.unwrap_err();
    assert!(matches!(error, Error::Failed { .. }) && error.to_string().contains("of ina"), "{error}");
    assert!(!one.cancel(&change).await.unwrap());
    assert!(matches!(one.roll_back(&change).await, Err(Error::Failed { .. })));
    assert_eq!(router.running(), "ours;\ntheirs;\n");
    let change = commit(&*one, How::Replace, "again;\n", 600).await.unwrap();
    router.commit_by_hand("again;\n");
    assert!(!one.cancel(&change).await.unwrap());
    one.confirm(&change).await.unwrap();
    assert_eq!(router.running(), "again;\n");
    // It timed out, and something else was committed since.
    let change = commit(&*one, How::Replace, "late;\n", 30).await.unwrap();
    wait_for(&router, "again;\n").await;
    router.commit_by_hand("later;\n");
    assert!(matches!(one.roll_back(&change).await, Err(Error::Failed { .. })));
    assert_eq!(router.running(), "later;\n");
    // A candidate that others may edit or that has no lock is not committed onto something else.
    for options in [["config_private"], ["lock_disable"]] {
        let one = pm_router::connect(&target(&router, Platform::Junos, &options)).await.unwrap();
        let candidate = one.loader(How::Merge).unwrap().load(&ConfigText::new("x;\n")).await.unwrap();
        router.commit_by_hand(&format!("{}y;\n", router.running()));
        let error = candidate.commit(Duration::from_mins(10)).await.unwrap_err();
        assert!(matches!(error, Error::Changed { .. }), "{options:?} {error}");
        assert!(router.is_clean() && !router.running().contains('x'));
    }
    let open = target(&router, Platform::Junos, &["lock_disable"]);
    let (one, two) = (pm_router::connect(&open).await.unwrap(), pm_router::connect(&open).await.unwrap());
    let candidate = one.loader(How::Merge).unwrap().load(&ConfigText::new("a;\n")).await.unwrap();
    let other = two.loader(How::Merge).unwrap().load(&ConfigText::new("b;\n")).await.unwrap();
    assert!(matches!(candidate.commit(Duration::from_mins(10)).await, Err(Error::Changed { .. })));
    other.discard().await.unwrap();
    assert!(router.is_clean());
}

#[tokio::test]
async fn what_came_after_on_iosxr() {
    let router = stand_in(Kind::IosXr, &[]).await;
    overtaken(&router, Platform::IosxrNetconf).await;
    let one = driver(&router, Platform::IosxrNetconf).await;
    let candidate = one.loader(How::Merge).unwrap().load(&ConfigText::new("x;\n")).await.unwrap();
    router.commit_by_hand("typed in;\n");
    assert!(matches!(candidate.commit(Duration::from_mins(10)).await, Err(Error::Changed { .. })));
    // Whoever has let a change time out is not kept from the next one.
    let change = commit(&*one, How::Replace, "short;\n", 12).await.unwrap();
    assert!(matches!(commit(&*one, How::Replace, "x;\n", 1).await, Err(Error::Busy { .. })));
    wait_for(&router, "typed in;\n").await;
    assert!(matches!(one.pending().await, Err(Error::Untold { .. })));
    assert!(!one.cancel(&change).await.unwrap());
    let change = commit(&*one, How::Replace, "next;\n", 600).await.unwrap();
    assert_eq!(one.pending().await.unwrap(), Some(change.clone()));
    // Another process has the name from its record.
    let other = driver(&router, Platform::IosxrNetconf).await;
    assert!(other.cancel(&change).await.unwrap());
    assert_eq!(router.running(), "typed in;\n");
}

/// The router takes a commit and does not show it: whether it is in force is not known, and it is not called a failure.
#[tokio::test]
async fn a_commit_that_does_not_show() {
    for (kind, platform, at, before) in [
        (Kind::Junos, Platform::Junos, "get-commit-information", 1),
        (Kind::IosXr, Platform::IosxrNetconf, "get-cli-config-diff", 0),
    ] {
        let router = stand_in(kind, &[]).await;
        let one = driver(&router, platform).await;
        let candidate = one.loader(How::Merge).unwrap().load(&ConfigText::new("a;\n")).await.unwrap();
        let named = candidate.change(Duration::from_mins(10)).unwrap();
        router.fail(at, before, Fault::Refused);
        let error = candidate.commit(Duration::from_mins(10)).await.unwrap_err();
        assert!(matches!(error, Error::Unclear { .. }) && error.leaves_open(), "{error}");
        assert_ne!(router.running(), FIRST);
        assert!(driver(&router, platform).await.cancel(&named).await.unwrap());
        assert_eq!(router.running(), FIRST);
    }
}

#[tokio::test]
async fn junos_tells_its_neighbours() {
    let all = |rti: &str| format!("<bgp-information>{}</bgp-information>", PEER.replace("RTI", rti));
    let router = stand_in(
        Kind::Junos,
        &[
            ("get-bgp-neighbor-information", all("<peer-cfg-rti>master</peer-cfg-rti>")),
            ("get-bgp-summary-information", SUMMARY.to_owned()),
            ("get-bgp-neighbor-information master", all("")),
            ("get-bgp-summary-information master", SUMMARY.to_owned()),
            (
                "get-instance-information",
                "<instance-information><instance-core><instance-name>master</instance-name></instance-core>\
                 <instance-core><instance-name>__internal</instance-name></instance-core></instance-information>"
                    .to_owned(),
            ),
        ],
    )
    .await;
    let one = driver(&router, Platform::Junos).await;
    assert_eq!(one.facts().await.unwrap().version, "23.4R1.10");
    let neighbors = one.neighbors().await.unwrap();
    assert_eq!(router.operations().iter().filter(|name| name.starts_with("get-bgp")).count(), 2);
    assert_eq!((neighbors.neighbors.len(), neighbors.left_out.len()), (2, 1));
    let up = neighbors.get("default", "192.0.2.1".parse().unwrap()).unwrap();
    assert_eq!((up.uptime(), up.flaps, up.description.as_deref()), (Some(60), Some(2), Some("One & only")));
    let counts = up.prefixes.get(&Family::Ipv4).unwrap();
    assert_eq!((counts.received, counts.accepted, counts.advertised), (Some(5), Some(4), Some(2)));
    let down = neighbors.get("default", "2001:db8::2".parse().unwrap()).unwrap();
    assert_eq!((down.state, down.enabled, down.over_limit), (State::Idle, false, true));
    assert_eq!((down.remote_as, down.downtime()), (Some(65546), Some(7)));
    let napalm = one.napalm_neighbors().await.unwrap();
    assert_eq!(napalm["global"].peers["192.0.2.1"].address_family["ipv4"].sent_prefixes, 2);
    assert_eq!(one.napalm_detail().await.unwrap()["global"]["64501"][0].active_prefix_count, 3);
    // No BGP is no neighbours.
    let nothing = "<rpc-error><error-severity>error</error-severity><error-message>bgp subsystem not running</error-message></rpc-error>";
    let router = stand_in(
        Kind::Junos,
        &[
            ("get-bgp-neighbor-information", nothing.to_owned()),
            ("get-bgp-summary-information", nothing.to_owned()),
        ],
    )
    .await;
    assert_eq!(driver(&router, Platform::Junos).await.neighbors().await.unwrap().neighbors, Vec::new());
}

#[tokio::test]
async fn iosxr_is_changed() {
    let router = stand_in(Kind::IosXr, &[]).await;
    changes(&router, Platform::IosxrNetconf, 12).await;
}

#[tokio::test]
async fn iosxr_tells_its_neighbours() {
    let neighbor = |address: &str, state: &str, more: &str| {
        format!(
            "<neighbor><neighbor-address>{address}</neighbor-address><local-as>64500</local-as><remote-as>64501</remote-as>\
             <connection-state>{state}</connection-state><connection-established-time>9</connection-established-time>{more}\
             <connection-remote-address><afi>ipv4</afi><ipv4-address>{address}</ipv4-address></connection-remote-address>\
             <af-data><af-name>ipv4</af-name><prefixes-accepted>4</prefixes-accepted><prefixes-denied>1</prefixes-denied>\
             <prefixes-advertised>2</prefixes-advertised></af-data><af-data><af-name>ipv6</af-name>\
             <prefixes-accepted>6</prefixes-accepted></af-data></neighbor>"
        )
    };
    let shut = "<is-administratively-shut-down>true</is-administratively-shut-down><reset-reason>admin-shut</reset-reason>";
    let answer = format!(
        "<bgp xmlns=\"x\"><instances><instance><instance-name>peering</instance-name><instance-active><default-vrf><global-process-info><vrf><router-id>192.0.2.9\
         </router-id></vrf></global-process-info><neighbors>{}{}</neighbors></default-vrf><vrfs><vrf><vrf-name>blue</vrf-name>\
         <neighbors>{}{}</neighbors></vrf></vrfs></instance-active></instance></instances></bgp>",
        neighbor("192.0.2.1", "bgp-st-estab", ""),
        neighbor("192.0.2.2", "bgp-st-open-sent", shut),
        neighbor("192.0.2.1", "bgp-st-estab", ""),
        neighbor("192.0.2.300", "bgp-st-estab", ""),
    );
    let router = stand_in(Kind::IosXr, &[("get", answer)]).await;
    let one = driver(&router, Platform::IosxrNetconf).await;
    let neighbors = one.neighbors().await.unwrap();
    assert_eq!((neighbors.neighbors.len(), neighbors.left_out.len()), (3, 1));
    let up = neighbors.get("blue", "192.0.2.1".parse().unwrap()).unwrap();
    assert_eq!(up.uptime(), Some(9));
    assert_eq!(
        (up.prefixes.get(&Family::Ipv4).unwrap().received, up.prefixes.get(&Family::Ipv6).unwrap().accepted),
        (Some(5), Some(6))
    );
    let down = neighbors.get("default", "192.0.2.2".parse().unwrap()).unwrap();
    assert_eq!(
        (down.state, down.enabled, down.last_error.as_deref()),
        (State::OpenSent, false, Some("admin-shut"))
    );
    let napalm = one.napalm_neighbors().await.unwrap();
    assert_eq!((napalm["global"].router_id.as_str(), napalm["blue"].peers.len()), ("192.0.2.9", 1));
    // Nothing at all is no neighbours.
    let router = stand_in(Kind::IosXr, &[]).await;
    assert_eq!(
        driver(&router, Platform::IosxrNetconf).await.neighbors().await.unwrap().neighbors,
        Vec::new()
    );
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_key() {
    let router = stand_in(Kind::Junos, &[]).await;
    let mut wrong = target(&router, Platform::Junos, &[]);
    wrong.credentials.password = Some("Other".to_owned().into());
    let error = pm_router::connect(&wrong).await.err().unwrap();
    assert!(matches!(error, Error::Login { .. }) && !error.to_string().contains("Other"), "{error}");
    let mut wrong = target(&router, Platform::Junos, &[]);
    wrong.host_keys = HostKeys::Fingerprint(format!("SHA256:{}", "A".repeat(43)));
    assert!(matches!(pm_router::connect(&wrong).await, Err(Error::HostKey { .. })));
}

#[tokio::test]
async fn iosxr_is_asked_over_netconf_when_its_native_driver_is_wanted() {
    let router = stand_in(Kind::IosXr, &[]).await;
    assert!(!Platform::Iosxr.has_native_driver());
    let native = Platform::Iosxr.native().unwrap();
    let one = driver(&router, native).await;
    assert_eq!(one.platform(), Platform::IosxrNetconf);
    let change = commit(&*one, How::Merge, "new;\n", 60).await.unwrap();
    one.confirm(&change).await.unwrap();
    assert_eq!(router.running(), format!("{FIRST}new;\n"));
    // Without that it is NAPALM's, which is not here.
    let bridged = Target { python: "/nonexistent/python3".into(), ..target(&router, Platform::Iosxr, &[]) };
    let error = pm_router::connect(&bridged).await.err().unwrap();
    assert!(error.to_string().contains("/nonexistent/python3"), "{error}");
    assert_eq!((Platform::Napalm.native(), Platform::Ios.native()), (None, Some(Platform::Ios)));
}
