//! Large configurations, and long ways.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use pm_router::{ConfigText, Daemon, DaemonKind, How, Router};

use super::lab::{HOST, Lab};
use super::{NEW, commit, far, has, wait_until, with_new};

/// Octets.
const LARGE: usize = 400_000;

/// With a list as long as those of large networks, which the daemon uses or keeps, and something of its end.
fn large(kind: DaemonKind, text: &str) -> (String, String) {
    let mut text = with_new(kind, text);
    let mut more = String::new();
    let mut last = String::new();
    for line in 0_u32.. {
        if text.len() + more.len() > LARGE {
            break;
        }
        let systems: Vec<String> = (0..250).map(|at| (4_200_000_000 + 250 * line + at).to_string()).collect();
        let _ = match kind {
            DaemonKind::Frr => {
                let seq = 5 * (line + 1);
                writeln!(more, "bgp as-path access-list large seq {seq} permit ^({})$", systems.join("|"))
            }
            DaemonKind::Bird => writeln!(more, "{}{}", if line == 0 { "" } else { ", " }, systems.join(", ")),
            DaemonKind::Openbgpd => writeln!(more, "\t{}", systems.join(" ")),
            DaemonKind::Gobgp => {
                last = format!("10.{}.{}.0/24", line >> 8, line & 255);
                writeln!(more, "  [[defined-sets.prefix-sets.prefix-list]]\n    ip-prefix = \"{last}\"")
            }
        };
        if kind != DaemonKind::Gobgp {
            last.clone_from(systems.last().unwrap());
        }
    }
    match kind {
        DaemonKind::Frr => text.insert_str(text.find("router bgp").unwrap(), &more),
        DaemonKind::Bird => {
            text = text.replacen("filter in4 { ", "filter in4 { if bgp_path ~ LARGE then reject; ", 1);
            text.insert_str(0, &format!("define LARGE = [\n{more}];\n"));
        }
        DaemonKind::Openbgpd => {
            let rule = "deny from any source-as as-set large\n";
            let _ = write!(text, "as-set large {{\n{more}}}\n{rule}");
        }
        DaemonKind::Gobgp => {
            let _ = write!(text, "\n[[defined-sets.prefix-sets]]\n  prefix-set-name = \"large\"\n{more}");
        }
    }
    (text, last)
}

/// Whether the daemon itself has the end of the list.
fn knows(lab: &Lab, kind: DaemonKind, last: &str) -> bool {
    let said = match kind {
        DaemonKind::Frr => lab.on("router", "vtysh -c 'show bgp as-path-access-list large'"),
        DaemonKind::Bird => {
            return lab.on("router", &format!("birdc eval '{last} ~ LARGE'")).contains("TRUE");
        }
        // It names its lists, and does not list them.
        DaemonKind::Openbgpd => return lab.on("router", "bgpctl show sets").contains(" large "),
        DaemonKind::Gobgp => lab.on("router", "gobgp policy prefix large"),
    };
    said.contains(last)
}

/// It arrives whole, takes effect, and goes away.
pub async fn a_configuration(lab: &Lab) {
    let router = lab.connect().await;
    let text = router.running_config().await.unwrap().expose().to_owned();
    let (large, last) = large(router.kind(), &text);
    assert!(!knows(lab, router.kind(), &last));
    let begun = Instant::now();
    let change = commit(&router, &large, 300).await.unwrap();
    println!("large: committed after {:.1} s", begun.elapsed().as_secs_f64());
    assert!(knows(lab, router.kind(), &last));
    router.confirm(&change).await.unwrap();
    let running = router.running_config().await.unwrap();
    if router.kind() == DaemonKind::Frr {
        let lines = |text: &str| text.lines().filter(|line| line.contains("access-list large")).count();
        assert_eq!(lines(running.expose()), lines(&large));
    } else {
        assert_eq!(running.expose(), large);
    }
    wait_until(&router, "the new neighbour is there", 60, |all| has(all, NEW)).await;
    router.roll_back(&change).await.unwrap();
    assert_eq!(router.running_config().await.unwrap().expose(), text);
    assert!(!knows(lab, router.kind(), &last));
    println!("large: {:.1} s", begun.elapsed().as_secs_f64());
}

/// What polling and changing take over a way of 40 ms there and back, for people; ten at once are hardly slower than one.
pub async fn far_away(lab: &Lab) {
    let port = far::relay(HOST, Duration::from_millis(20)).await;
    let known = lab.known_hosts_at("127.0.0.1", port);
    let credentials = lab.key("client");
    let poll = async || {
        let begun = Instant::now();
        let ssh = lab.ssh_at("127.0.0.1", port, &credentials, &known).await.unwrap();
        let login = begun.elapsed();
        let router = Daemon::new(ssh, DaemonKind::Bird, pm_router::DaemonOptions::default());
        router.neighbors().await.unwrap();
        (login, begun.elapsed(), router)
    };
    let (login, one, router) = poll().await;
    let begun = Instant::now();
    let all = futures::future::join_all((0..10).map(|_| poll())).await;
    println!("far: login {login:?}, with poll {one:?}, ten at once {:?}", begun.elapsed());
    assert_eq!(all.len(), 10);
    let text = router.running_config().await.unwrap().expose().to_owned();
    let begun = Instant::now();
    let loader = router.loader(How::Replace).unwrap();
    let candidate = loader.load(&ConfigText::new(with_new(DaemonKind::Bird, &text))).await.unwrap();
    println!("far: loaded after {:?}", begun.elapsed());
    let change = candidate.commit(Duration::from_mins(1)).await.unwrap();
    println!("far: committed after {:?}", begun.elapsed());
    router.confirm(&change).await.unwrap();
    println!("far: change without login {:?}", begun.elapsed());
    router.roll_back(&change).await.unwrap();
}
