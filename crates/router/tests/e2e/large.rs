//! Large configurations, and long ways.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use pm_router::{ConfigText, Daemon, DaemonKind, How, Router};

use crate::lab::{HOST, Lab};
use crate::{NEW, commit, far, has, wait_until, with_new};

/// Octets.
const LARGE: usize = 400_000;

/// With lists of autonomous systems as long as those of large networks, or with comments where a daemon reads no more.
fn large(kind: DaemonKind, text: &str) -> String {
    let mut text = with_new(kind, text);
    let mut more = String::new();
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
            _ => writeln!(more, "# {}", systems.join(" ")),
        };
    }
    let at = if kind == DaemonKind::Frr { text.find("router bgp").unwrap() } else { text.len() };
    text.insert_str(at, &more);
    text
}

/// It arrives whole, takes effect, and goes away.
pub async fn a_configuration(lab: &Lab) {
    let router = lab.connect().await;
    let text = router.running_config().await.unwrap().expose().to_owned();
    let large = large(router.kind(), &text);
    let begun = Instant::now();
    let change = commit(&router, &large, 300).await.unwrap();
    router.confirm(&change).await.unwrap();
    let running = router.running_config().await.unwrap();
    if router.kind() == DaemonKind::Frr {
        let lines = |text: &str| text.lines().filter(|line| line.contains("access-list large")).count();
        assert_eq!(lines(running.expose()), lines(&large));
    } else {
        assert_eq!(running.expose(), large);
    }
    wait_until(&router, "the new neighbour is there", 10, |all| has(all, NEW)).await;
    router.roll_back(&change).await.unwrap();
    assert_eq!(router.running_config().await.unwrap().expose(), text);
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
