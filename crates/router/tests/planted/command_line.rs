//! IOS and NX-OS at a command line.

use pm_lab::routers::cli::{self, Cli};
use pm_router::{Credentials, HostKeys, How, Jump, Platform, connect};
use serde_json::json;

use super::seen::Seen;
use super::{PASSWORD, change, read, target, wrong_password};

/// Directly and through a jump host.
pub async fn shows_nothing(kind: cli::Kind, platform: Platform) {
    let said =
        "BGP neighbor is 192.0.2.1,  remote AS 64501, external link\n  BGP state = password Planted-said\n";
    let table = "BGP summary information for VRF default, address family IPv4 Unicast\nNeighbor V AS PfxRcd\n\
        192.0.2.1 4 64501 1 1 1 0 0 1d password Planted-said\n";
    let answers = [
        ("show bgp all summary", "BGP router identifier 192.0.2.254, local AS number 64500\n"),
        ("show bgp ipv4 unicast neighbors", said),
        ("show bgp ipv6 unicast neighbors", "% Permission denied for password Planted-said\n"),
        ("show bgp all summary vrf all", table),
        ("show version", "Cisco IOS Software, Version 15.2\n"),
        ("show running-config", "enable secret 5 Planted-running\nend\n"),
    ];
    let options = cli::Options {
        kind,
        hostname: "r1".into(),
        user: "netops".into(),
        password: PASSWORD.into(),
        secret: Some("Planted-enable".into()),
        answers: answers.map(|(command, text)| (command.to_owned(), text.to_owned())).into(),
        ..cli::Options::default()
    };
    let router = Cli::start(options).await.unwrap();
    let mut to = target(router.address(), platform);
    to.host_keys = HostKeys::Fingerprint(router.fingerprint().to_owned());
    to.python = "/nonexistent/python3".into();
    to.options.insert("secret".into(), json!("Planted-enable"));
    let mut seen = Seen::default();
    wrong_password(&mut seen, &to).await;
    if kind == cli::Kind::Ios {
        let mut wrong = to.clone();
        wrong.options.insert("secret".into(), json!("Planted-wrong"));
        seen.error("enable", &connect(&wrong).await.err().unwrap());
    }
    let one = connect(&to).await.unwrap();
    read(&mut seen, &*one).await;
    change(&mut seen, &*one, How::Merge, "enable secret 5 Planted-candidate\n", true).await;
    one.close().await;
    let mut through = to.clone();
    let credentials =
        Credentials { password: Some("Planted-jump".to_owned().into()), ..to.credentials.clone() };
    let endpoint = to.endpoint.clone();
    through.way.jump = Some(Jump { endpoint, credentials, host_keys: to.host_keys.clone() });
    seen.error("jump host", &connect(&through).await.err().unwrap());
    // It lets us in, and carries nothing on.
    if let Some(jump) = &mut through.way.jump {
        jump.credentials.password = Some(PASSWORD.to_owned().into());
    }
    seen.error("jump host", &connect(&through).await.err().unwrap());
    seen.check(platform.name(), 1);
}
