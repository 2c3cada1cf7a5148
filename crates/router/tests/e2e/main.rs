//! The drivers against the daemons themselves: FRR, BIRD, `OpenBGPD` and `GoBGP` with real sessions, over real SSH.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "for tests")]

mod far;
mod lab;
mod large;
mod napalm;
mod ways;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use lab::{HOST, Lab, PASSWORD};
use pm_router::{
    ConfigText, Credentials, Daemon, DaemonKind, Error, Family, HostKeys, How, Neighbors, Pending, Router,
    State, Step,
};

const GOOD4: &str = "192.0.2.2";
const GOOD6: &str = "2001:db8:1::2";
const NEW: &str = "192.0.2.4";
/// In the configurations of the lab, and in what is made of them here.
const PLANTED: &str = "Planted";

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn is_up(neighbors: &Neighbors, of: &str) -> bool {
    neighbors.get("default", address(of)).is_some_and(pm_router::Neighbor::is_up)
}

fn has(neighbors: &Neighbors, of: &str) -> bool {
    neighbors.get("default", address(of)).is_some()
}

/// Polls until it is so.
async fn wait_until(router: &Daemon, what: &str, seconds: u64, is: impl Fn(&Neighbors) -> bool) -> Neighbors {
    let begun = Instant::now();
    loop {
        let neighbors = router.neighbors().await.unwrap();
        if is(&neighbors) {
            return neighbors;
        }
        assert!(begun.elapsed().as_secs() < seconds, "not within {seconds} s: {what}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// The configuration with one more neighbour.
fn with_new(platform: DaemonKind, text: &str) -> String {
    let more = match platform {
        DaemonKind::Frr => {
            let text = text.replacen(
                " neighbor 192.0.2.10 remote-as",
                " neighbor 192.0.2.4 remote-as 4200000004\n neighbor 192.0.2.4 description New\n neighbor 192.0.2.10 remote-as",
                1,
            );
            return text.replacen(
                "  neighbor 192.0.2.10 activate",
                "  neighbor 192.0.2.4 activate\n  neighbor 192.0.2.4 prefix-list in4 in\n  \
                 neighbor 192.0.2.4 prefix-list own4 out\n  neighbor 192.0.2.10 activate",
                1,
            );
        }
        DaemonKind::Bird => {
            "protocol bgp new4 from peers4 { description \"New\"; neighbor 192.0.2.4 as 4200000004; }\n"
        }
        DaemonKind::Openbgpd => "neighbor 192.0.2.4 {\n\tremote-as 4200000004\n\tdescr \"New\"\n}\n",
        DaemonKind::Gobgp => {
            "\n[[neighbors]]\n  [neighbors.config]\n    neighbor-address = \"192.0.2.4\"\n    peer-as = 4200000004\n    \
             description = \"New\"\n  [neighbors.timers.config]\n    connect-retry = 2\n"
        }
    };
    format!("{text}{more}")
}

/// The configuration with a word that no daemon knows, and a secret behind it.
fn broken(platform: DaemonKind, text: &str) -> String {
    let more = match platform {
        DaemonKind::Frr => {
            "router bgp 64500\n neighbor 192.0.2.4 passwrd Planted-typo\npasswrd Planted-typo\n"
        }
        DaemonKind::Bird => "protocol bgp x { passwrd \"Planted-typo\"; }\n",
        DaemonKind::Openbgpd => "neighbor 192.0.2.4 {\n\tpasswrd \"Planted-typo\"\n}\n",
        DaemonKind::Gobgp => "\n[[neighbors]]\n  [neighbors.config]\n    passwrd = \"Planted-typo\"\n",
    };
    format!("{text}{more}")
}

async fn commit(router: &Daemon, text: &str, seconds: u64) -> Result<Pending, Error> {
    let candidate = router.loader(How::Replace).unwrap().load(&ConfigText::new(text)).await?;
    assert!(!candidate.diff().text().contains(PLANTED), "{}", candidate.diff().text());
    candidate.commit(Duration::from_secs(seconds)).await
}

async fn what_is_read(router: &Daemon) {
    let facts = router.facts().await.unwrap();
    assert_eq!(facts.hostname, "router");
    assert!(facts.version.starts_with(|c: char| c.is_ascii_digit()), "{facts:?}");
    let neighbors =
        wait_until(router, "the sessions are up", 40, |all| is_up(all, GOOD4) && is_up(all, GOOD6)).await;
    assert_eq!(neighbors.left_out, Vec::<String>::new());
    assert_eq!(neighbors.neighbors.len(), 5);
    let neighbors = wait_until(router, "all prefixes are there", 10, |all| {
        let prefixes = all.get("default", address(GOOD4)).unwrap().prefixes[&Family::Ipv4];
        prefixes.received == Some(20) && prefixes.accepted >= Some(18) && prefixes.advertised == Some(1)
    })
    .await;
    let good = neighbors.get("default", address(GOOD4)).unwrap();
    assert_eq!(good.remote_as, Some(64502));
    assert_eq!(good.description.as_deref(), Some("Good, IPv4"));
    assert_eq!(good.prefixes[&Family::Ipv4].received, Some(20));
    // GoBGP does not count what its global policy refuses.
    let accepted = if router.kind() == DaemonKind::Gobgp { 20 } else { 18 };
    assert_eq!(good.prefixes[&Family::Ipv4].accepted, Some(accepted));
    assert!(good.uptime.unwrap() < 600);
    let shut = neighbors.get("default", address("192.0.2.10")).unwrap();
    assert!(!shut.enabled && shut.state == State::Idle);
    // A wrong password, and nobody there.
    for down in ["192.0.2.3", "192.0.2.9"] {
        let down = neighbors.get("default", address(down)).unwrap();
        assert!(down.enabled && !down.is_up() && down.uptime.is_none(), "{down:?}");
    }
}

async fn a_change_is_made_and_confirmed(lab: &Lab, router: &Daemon, text: &str) {
    let changed = with_new(router.kind(), text);
    let loader = router.loader(How::Replace).unwrap();
    let candidate = loader.load(&ConfigText::new(&changed)).await.unwrap();
    assert!(candidate.diff().text().contains(NEW), "{}", candidate.diff().text());
    assert!(!candidate.diff().text().contains(PLANTED));
    let later = loader.load(&ConfigText::new(&changed)).await.unwrap();
    let change = candidate.commit(Duration::from_mins(1)).await.unwrap();
    wait_until(router, "the new session is up", 40, |all| is_up(all, NEW) && is_up(all, GOOD6)).await;

    // Somebody else, meanwhile.
    let other = lab.connect().await;
    assert_eq!(other.pending().await.unwrap().unwrap().id, change.id);
    let refused = later.commit(Duration::from_mins(1)).await.unwrap_err();
    assert!(matches!(refused, Error::Busy { .. } | Error::Changed { .. }), "{refused}");
    other.confirm(&change).await.unwrap();
    other.confirm(&change).await.unwrap();
    assert_eq!(other.pending().await.unwrap(), None);
    let kept = router.running_config().await.unwrap();
    assert!(kept.expose().contains(NEW));

    // A candidate that was loaded before the change is out of date.
    let stale = loader.load(&ConfigText::new(text)).await.unwrap();
    router.roll_back(&change).await.unwrap();
    wait_until(router, "the confirmed change is undone", 20, |all| !has(all, NEW)).await;
    let refused = stale.commit(Duration::from_mins(1)).await.unwrap_err();
    assert!(matches!(refused, Error::Changed { .. }), "{refused}");
    assert_eq!(router.running_config().await.unwrap().expose(), text);
}

/// What was pushed is taken away by another push.
async fn a_peer_comes_and_goes(router: &Daemon, text: &str) {
    let change = commit(router, &with_new(router.kind(), text), 60).await.unwrap();
    router.confirm(&change).await.unwrap();
    wait_until(router, "the new session is up", 40, |all| is_up(all, NEW)).await;
    let change = commit(router, text, 60).await.unwrap();
    wait_until(router, "the session is gone", 20, |all| !has(all, NEW)).await;
    router.confirm(&change).await.unwrap();
    assert_eq!(router.running_config().await.unwrap().expose(), text);
    assert_eq!(router.pending().await.unwrap(), None);
}

async fn a_broken_candidate_is_refused(router: &Daemon, text: &str) {
    let refused = commit(router, &broken(router.kind(), text), 60).await.unwrap_err();
    assert!(matches!(refused, Error::Rejected { .. }), "{refused}");
    for shown in [refused.to_string(), format!("{refused:?}")] {
        assert!(!shown.contains(PLANTED) && shown.len() < 1500, "{shown}");
    }
    assert_eq!(router.running_config().await.unwrap().expose(), text);
    assert_eq!(router.pending().await.unwrap(), None);
}

/// The client dies after its commit. What it would say later is not taken for the change that waits by then.
async fn nobody_confirms(lab: &Lab, text: &str) {
    let victim = lab.connect().await;
    let changed = with_new(victim.kind(), text);
    let change = commit(&victim, &changed, 4).await.unwrap();
    assert!(has(&victim.neighbors().await.unwrap(), NEW));
    drop(victim);
    let router = &lab.connect().await;
    wait_until(router, "the timer undoes the change", 20, |all| !has(all, NEW)).await;
    assert_eq!(router.running_config().await.unwrap().expose(), text);

    let begun = Instant::now();
    let other = loop {
        match commit(router, &changed, 60).await {
            Ok(other) => break other,
            // A daemon that keeps the time itself does not say when it is over: a little later it is for sure.
            Err(Error::Busy { .. }) if begun.elapsed().as_secs() < 10 => {}
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    let late = router.confirm(&change).await.unwrap_err();
    assert!(matches!(late, Error::RolledBack { .. }), "{late}");
    router.roll_back(&change).await.unwrap();
    assert_eq!(router.pending().await.unwrap().map(|waits| waits.id), Some(other.id.clone()));
    assert!(has(&router.neighbors().await.unwrap(), NEW));
    router.roll_back(&other).await.unwrap();
    wait_until(router, "the other change is undone", 20, |all| !has(all, NEW)).await;
    assert_eq!(router.pending().await.unwrap(), None);
    assert_eq!(router.running_config().await.unwrap().expose(), text);
    assert!(is_up(&router.neighbors().await.unwrap(), GOOD6));
}

/// The client dies while it commits: whatever took effect goes away.
async fn the_connection_is_killed(lab: &Lab, router: &Daemon, text: &str) {
    for delay in [3, 10, 30, 100] {
        let victim = lab.connect().await;
        let loader = victim.loader(How::Replace).unwrap();
        let candidate = loader.load(&ConfigText::new(with_new(router.kind(), text))).await.unwrap();
        let commit = candidate.commit(Duration::from_secs(4));
        // Whatever has become of it by then, also if it was quick enough to end.
        let _ = tokio::time::timeout(Duration::from_millis(delay), commit).await;
        drop(victim);
        // Long enough for the slowest to apply, and for the timer.
        tokio::time::sleep(Duration::from_secs(6)).await;
        wait_until(router, "the change of the dead client is undone", 20, |all| !has(all, NEW)).await;
        let begun = Instant::now();
        while router.pending().await.unwrap().is_some() {
            assert!(begun.elapsed().as_secs() < 60, "it still waits");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        assert_eq!(router.running_config().await.unwrap().expose(), text);
    }
}

async fn the_way_to_the_router_is_cut(lab: &Lab, text: &str) {
    let router = lab.connect().await;
    let change = commit(&router, &with_new(router.kind(), text), 5).await.unwrap();
    lab.path("down");
    let failed = router.neighbors().await.unwrap_err();
    assert!(matches!(failed, Error::Timeout { .. } | Error::Lost { .. }), "{failed}");
    lab.path("up");
    let router = lab.connect().await;
    wait_until(&router, "the change is undone", 20, |all| !has(all, NEW)).await;
    assert!(matches!(router.confirm(&change).await.unwrap_err(), Error::RolledBack { .. }));
    // Cut while it commits: whatever took effect goes away, and nothing waits.
    for delay in [5, 40] {
        let router = lab.connect().await;
        let loader = router.loader(How::Replace).unwrap();
        let candidate = loader.load(&ConfigText::new(with_new(router.kind(), text))).await.unwrap();
        let cut = async {
            tokio::time::sleep(Duration::from_millis(delay)).await;
            lab.path("down");
            tokio::time::sleep(Duration::from_secs(8)).await;
            lab.path("up");
        };
        let (_, ()) = tokio::join!(candidate.commit(Duration::from_secs(4)), cut);
        let router = lab.connect().await;
        wait_until(&router, "the change that was cut off is undone", 20, |all| !has(all, NEW)).await;
        let begun = Instant::now();
        while router.pending().await.unwrap().is_some() {
            assert!(begun.elapsed().as_secs() < 60, "it still waits");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        assert_eq!(router.running_config().await.unwrap().expose(), text);
    }
}

/// What is not answered ends when its time is over, as at every other step (`tests/timeouts.rs`).
async fn a_candidate_is_not_answered(lab: &Lab, text: &str) {
    let limit = Duration::from_secs(10);
    let (one, other) = (lab.connect_within(limit).await, lab.connect_within(limit).await);
    let text = ConfigText::new(with_new(one.kind(), text));
    let to_commit = one.loader(How::Replace).unwrap().load(&text).await.unwrap();
    let to_discard = other.loader(How::Replace).unwrap().load(&text).await.unwrap();
    lab.on("router", "pkill -STOP -u netops -f sshd");
    let begun = Instant::now();
    let (commit, discard) = tokio::join!(to_commit.commit(Duration::from_mins(1)), to_discard.discard());
    let took = begun.elapsed();
    // Before they would answer after all.
    lab.on("router", "pkill -KILL -u netops -f sshd");
    for (step, error) in [(Step::Commit, commit.unwrap_err()), (Step::Discard, discard.unwrap_err())] {
        let Error::Timeout { step: found, limit: said, .. } = &error else { panic!("{step}: {error}") };
        assert_eq!((*found, *said), (step, limit), "{error}");
    }
    assert!(took >= limit && took < 2 * limit, "{took:?}");
    let router = lab.connect().await;
    assert_eq!(router.pending().await.unwrap(), None);
    assert!(!has(&router.neighbors().await.unwrap(), NEW));
}

async fn the_daemon_is_stopped(lab: &Lab, router: &Daemon, text: &str) {
    let name = match router.kind() {
        DaemonKind::Frr | DaemonKind::Openbgpd => "bgpd",
        DaemonKind::Bird => "bird",
        DaemonKind::Gobgp => "gobgpd",
    };
    lab.on("router", &format!("pkill -STOP -x {name}"));
    let begun = Instant::now();
    let failed = router.neighbors().await.unwrap_err();
    lab.on("router", &format!("pkill -CONT -x {name}"));
    assert!(matches!(failed, Error::Failed { .. } | Error::Timeout { .. }), "{failed}");
    assert!(begun.elapsed().as_secs() < 10);
    wait_until(router, "it answers again", 20, |all| is_up(all, GOOD6)).await;
    assert_eq!(router.running_config().await.unwrap().expose(), text);
}

/// Neither a wrong password nor another machine gets a word out of the driver.
async fn strangers_stay_out(lab: &Lab) {
    let wrong = Credentials {
        user: "netops".into(),
        password: Some("Planted-wrong".to_owned().into()),
        ..Credentials::default()
    };
    let refused = lab.ssh(22, &wrong, &lab.known_hosts()).await.err().unwrap();
    assert!(matches!(refused, Error::Login { .. }), "{refused}");
    assert!(!format!("{refused} {refused:?}").contains(PLANTED));
    let pinned = HostKeys::Fingerprint(format!("SHA256:{}", "A".repeat(43)));
    let path = lab.file("other_hosts");
    std::fs::write(&path, format!("{HOST} {}", lab.read("changed.pub"))).unwrap();
    for keys in [pinned, HostKeys::KnownHosts(path)] {
        let refused = lab.ssh(22, &lab.key("client"), &keys).await.err().unwrap();
        assert!(matches!(refused, Error::HostKey { .. }), "{refused}");
    }
    let log = lab.on("router", "cat /var/log/sshd.log");
    assert!(log.contains("Failed password for netops"), "{log}");
}

async fn scenario(lab: &Lab) {
    strangers_stay_out(lab).await;
    let router = lab.connect().await;
    what_is_read(&router).await;
    let text = router.running_config().await.unwrap().expose().to_owned();
    assert!(text.contains(PLANTED));
    let mut begun = Instant::now();
    let mut took = |what: &str| {
        println!("{what}: {:.1} s", begun.elapsed().as_secs_f64());
        begun = Instant::now();
    };
    a_change_is_made_and_confirmed(lab, &router, &text).await;
    took("made and confirmed");
    a_peer_comes_and_goes(&router, &text).await;
    took("pushed and taken away");
    a_broken_candidate_is_refused(&router, &text).await;
    took("refused");
    nobody_confirms(lab, &text).await;
    took("not confirmed");
    the_connection_is_killed(lab, &router, &text).await;
    took("killed");
    the_way_to_the_router_is_cut(lab, &text).await;
    took("cut");
    a_candidate_is_not_answered(lab, &text).await;
    took("not answered");
    let router = lab.connect().await;
    the_daemon_is_stopped(lab, &router, &text).await;
    took("stopped");
    two_at_once(lab, &router, &text).await;
    took("two at once");
    figures(&router, &text).await;
}

/// Of two that commit in the same moment one wins, and its change is whole.
async fn two_at_once(lab: &Lab, router: &Daemon, text: &str) {
    let other = lab.connect().await;
    let changed = with_new(router.kind(), text);
    let renamed = changed.replace("\"New\"", "\"Newer\"").replace("description New", "description Newer");
    for _ in 0..3 {
        let one = router.loader(How::Replace).unwrap().load(&ConfigText::new(&changed)).await.unwrap();
        let two = other.loader(How::Replace).unwrap().load(&ConfigText::new(&renamed)).await.unwrap();
        let minute = Duration::from_mins(1);
        let (one, two) = tokio::join!(one.commit(minute), two.commit(minute));
        let (won, lost, name) = match (one, two) {
            (Ok(won), Err(lost)) => (won, lost, "New"),
            (Err(lost), Ok(won)) => (won, lost, "Newer"),
            (Ok(_), Ok(_)) => panic!("both committed"),
            (Err(one), Err(two)) => panic!("neither committed: {one}; {two}"),
        };
        assert!(matches!(lost, Error::Busy { .. } | Error::Changed { .. }), "{lost}");
        let neighbors = router.neighbors().await.unwrap();
        assert_eq!(neighbors.get("default", address(NEW)).unwrap().description.as_deref(), Some(name));
        router.roll_back(&won).await.unwrap();
        assert_eq!(router.pending().await.unwrap(), None);
        wait_until(router, "the change is undone", 20, |all| !has(all, NEW)).await;
    }
}

/// A dead daemon is an error, not a router without neighbours; and no difference is made against nothing.
async fn the_daemon_is_dead(lab: &Lab) {
    let router = lab.connect().await;
    let text = router.running_config().await.unwrap();
    let candidate = router.loader(How::Replace).unwrap().load(&text).await.unwrap();
    let name = match router.kind() {
        DaemonKind::Frr | DaemonKind::Openbgpd => "bgpd",
        DaemonKind::Bird => "bird",
        DaemonKind::Gobgp => "gobgpd",
    };
    lab.on("router", &format!("pkill -KILL -x {name}"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let failed = router.neighbors().await.unwrap_err();
    assert!(matches!(failed, Error::Failed { .. }), "{failed}");
    println!("dead: {failed}");
    let failed = router.loader(How::Replace).unwrap().load(&text).await.err().unwrap();
    assert!(matches!(failed, Error::Failed { .. }), "{failed}");
    let failed = candidate.commit(Duration::from_mins(1)).await.unwrap_err();
    assert!(matches!(failed, Error::Failed { .. }), "{failed}");
    assert_eq!(
        lab.on("router", "ls -d /home/netops/.peering-manager/pending /etc/bird/.peering-manager/pending"),
        ""
    );
}

/// What calls take, for people.
async fn figures(router: &Daemon, text: &str) {
    let begun = Instant::now();
    for _ in 0..10 {
        router.neighbors().await.unwrap();
    }
    println!("poll: {:.1} ms", begun.elapsed().as_secs_f64() * 100.0);
    let begun = Instant::now();
    let change = commit(router, &with_new(router.kind(), text), 60).await.unwrap();
    router.confirm(&change).await.unwrap();
    println!("change: {:.0} ms", begun.elapsed().as_secs_f64() * 1000.0);
    router.roll_back(&change).await.unwrap();
}

fn run(platform: DaemonKind, more: impl AsyncFnOnce(&Lab)) {
    let Some(lab) = Lab::start(platform) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        scenario(&lab).await;
        more(&lab).await;
        the_daemon_is_dead(&lab).await;
    });
}

#[test]
fn frr() {
    run(DaemonKind::Frr, async |lab| {
        frr_takes_a_part(lab).await;
        large::a_configuration(lab).await;
    });
}

#[test]
fn bird() {
    run(DaemonKind::Bird, async |lab| {
        logins(lab).await;
        large::far_away(lab).await;
        large::a_configuration(lab).await;
    });
}

#[test]
fn openbgpd() {
    run(DaemonKind::Openbgpd, async |lab| {
        openbgpd_does_not_show_its_routes(lab).await;
        openbgpd_cannot_replace_its_file(lab).await;
        large::a_configuration(lab).await;
    });
}

#[test]
fn gobgp() {
    run(DaemonKind::Gobgp, async |lab| {
        large::a_configuration(lab).await;
        gobgp_says_nothing(lab).await;
    });
}

/// Routes that cannot be counted, or not in time, are not no routes, and the neighbours are known all the same.
async fn openbgpd_does_not_show_its_routes(lab: &Lab) {
    let router = lab.connect().await;
    lab.on("router", "cp /usr/sbin/bgpctl /mnt/bgpctl && install -m 755 /dev/null /mnt/instead && mount --bind /mnt/instead /usr/sbin/bgpctl");
    for (instead, said) in [("exit 1", "could not be counted"), ("exec sleep 20", "longer than 8 s")] {
        let program =
            format!("#!/bin/sh\ncase \"$*\" in *rib*) {instead} ;; esac\nexec /mnt/bgpctl \"$@\"\n");
        lab.on("router", &format!("cat >/mnt/instead <<'X'\n{program}X"));
        let neighbors = router.neighbors().await.unwrap();
        assert_eq!(neighbors.neighbors.len(), 5);
        let good = neighbors.get("default", address(GOOD4)).unwrap().prefixes[&Family::Ipv4];
        assert_eq!((good.received, good.accepted), (Some(20), None), "{instead}");
        assert!(neighbors.left_out.iter().any(|one| one.contains(said)), "{:?}", neighbors.left_out);
    }
    lab.on("router", "umount /usr/sbin/bgpctl");
    assert_eq!(router.neighbors().await.unwrap().left_out, Vec::<String>::new());
}

/// What fails once is tried again until what was there is there.
async fn openbgpd_cannot_replace_its_file(lab: &Lab) {
    let router = lab.connect().await;
    let text = router.running_config().await.unwrap().expose().to_owned();
    let change = commit(&router, &with_new(router.kind(), &text), 3).await.unwrap();
    // A directory where the new file would be written.
    lab.on("router", "mkdir /etc/bgpd.conf.new");
    let log = format!("{}/restore.log", change.id);
    let begun = Instant::now();
    while !lab.on("router", &format!("cat {log}")).contains("bgpd.conf") {
        assert!(begun.elapsed().as_secs() < 20, "the timer does nothing");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(has(&router.neighbors().await.unwrap(), NEW));
    lab.on("router", "rm -r /etc/bgpd.conf.new");
    wait_until(&router, "the timer undoes the change", 20, |all| !has(all, NEW)).await;
    assert_eq!(router.running_config().await.unwrap().expose(), text);
    let begun = Instant::now();
    while router.pending().await.unwrap().is_some() {
        assert!(begun.elapsed().as_secs() < 20, "it still waits");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    // Nor when it commits: then nothing is committed, or what was is undone.
    let loader = router.loader(How::Replace).unwrap();
    let candidate = loader.load(&ConfigText::new(with_new(router.kind(), &text))).await.unwrap();
    lab.on("router", "mkdir /etc/bgpd.conf.new");
    let refused = candidate.commit(Duration::from_mins(1)).await.unwrap_err();
    lab.on("router", "rm -r /etc/bgpd.conf.new");
    assert!(matches!(refused, Error::Rejected { .. } | Error::NotRestored { .. }), "{refused}");
    assert!(!has(&router.neighbors().await.unwrap(), NEW));
    assert_eq!(router.running_config().await.unwrap().expose(), text);
}

/// `GoBGP` takes over what it can and says nothing of the rest: it is asked for what it has.
async fn gobgp_says_nothing(lab: &Lab) {
    let router = lab.connect().await;
    let text = router.running_config().await.unwrap().expose().to_owned();

    // One neighbour is changed, and one is written in another way.
    let one = text.replace("64509", "64599").replace("\"192.0.2.10\"", "'192.0.2.10' # shut");
    let change = commit(&router, &one, 60).await.unwrap();
    router.confirm(&change).await.unwrap();
    let neighbors = router.neighbors().await.unwrap();
    assert_eq!(neighbors.get("default", address("192.0.2.9")).unwrap().remote_as, Some(64599));
    router.roll_back(&change).await.unwrap();

    // Of several that are changed at once, it changes the first.
    let several =
        text.replace("Nobody there", "Nobody").replace("description = \"Shut\"", "description = \"Down\"");
    let refused = commit(&router, &several, 60).await.unwrap_err();
    assert!(matches!(refused, Error::Rejected { .. }), "{refused}");
    assert!(refused.to_string().contains("the description of neighbour 192.0.2."), "{refused}");
    assert_eq!(router.running_config().await.unwrap().expose(), text);
    assert_eq!(router.pending().await.unwrap(), None);
    let neighbors = router.neighbors().await.unwrap();
    let nobody = neighbors.get("default", address("192.0.2.9")).unwrap();
    assert_eq!(nobody.description.as_deref(), Some("Nobody there"));
    // Nor does it take over another AS of its own.
    let refused = commit(&router, &text.replacen("64500", "64501", 1), 60).await.unwrap_err();
    assert!(refused.to_string().contains("its own AS"), "{refused}");

    // Who comes by himself, from a range, is not in the configuration.
    let range = "\n[[peer-groups]]\n  [peer-groups.config]\n    peer-group-name = \"range\"\n    peer-as = 4200000004\n\
                 [[dynamic-neighbors]]\n  [dynamic-neighbors.config]\n    prefix = \"192.0.2.4/32\"\n    peer-group = \"range\"\n";
    let with_range = format!("{text}{range}");
    let change = commit(&router, &with_range, 60).await.unwrap();
    router.confirm(&change).await.unwrap();
    let neighbors = wait_until(&router, "one came by himself", 40, |all| is_up(all, NEW)).await;
    assert_eq!(neighbors.left_out, Vec::<String>::new());
    let change = commit(&router, &with_range.replace("Nobody there", "Nobody"), 60).await.unwrap();
    router.roll_back(&change).await.unwrap();
}

/// A part with a line that the daemon refuses leaves nothing behind, although FRR takes line by line.
async fn frr_takes_a_part(lab: &Lab) {
    let router = lab.connect().await;
    let loader = router.loader(How::Merge).unwrap();
    let before = router.running_config().await.unwrap();
    let good =
        "router bgp 64500\n neighbor 192.0.2.4 remote-as 4200000004\n neighbor 192.0.2.4 description New\n";
    // A peer group that does not exist is found by the daemon alone.
    let bad = format!("{good} neighbor 192.0.2.5 peer-group nowhere\n");
    let candidate = loader.load(&ConfigText::new(bad)).await.unwrap();
    let refused = candidate.commit(Duration::from_mins(1)).await.unwrap_err();
    assert!(matches!(refused, Error::Rejected { .. }), "{refused}");
    assert_eq!(router.running_config().await.unwrap(), before);

    let candidate = loader.load(&ConfigText::new(good)).await.unwrap();
    assert_eq!(
        candidate.diff().text(),
        " router bgp 64500\n+neighbor 192.0.2.4 remote-as 4200000004\n+neighbor 192.0.2.4 description New\n"
    );
    let change = candidate.commit(Duration::from_mins(1)).await.unwrap();
    assert!(has(&router.neighbors().await.unwrap(), NEW));
    // Not on the disk before it is confirmed.
    assert!(!lab.on("router", "cat /etc/frr/frr.conf").contains(NEW));
    router.confirm(&change).await.unwrap();
    assert!(lab.on("router", "cat /etc/frr/frr.conf").contains(NEW));
    router.roll_back(&change).await.unwrap();
    assert_eq!(router.running_config().await.unwrap(), before);
}

async fn logins(lab: &Lab) {
    let known = lab.known_hosts();
    let with = |password: &str| Credentials {
        user: "netops".into(),
        password: Some(password.to_owned().into()),
        ..Credentials::default()
    };
    lab.ssh(22, &with(PASSWORD), &known).await.unwrap();
    lab.ssh(2222, &with(PASSWORD), &known).await.unwrap();
    let refused = lab.ssh(22, &with("Planted-wrong"), &known).await.err().unwrap();
    assert!(matches!(refused, Error::Login { .. }), "{refused}");
    assert!(!format!("{refused} {refused:?}").contains(PLANTED));
    let refused = lab.ssh(22, &lab.key("other"), &known).await.err().unwrap();
    assert!(matches!(refused, Error::Login { .. }), "{refused}");

    // The key of the host: pinned, another one, unknown.
    let public = lab.read("host.pub");
    let shown = |file: &str| {
        let path = lab.file(file);
        let output = std::process::Command::new("ssh-keygen").arg("-lf").arg(path).output().unwrap();
        String::from_utf8(output.stdout).unwrap().split(' ').nth(1).unwrap().to_owned()
    };
    lab.ssh(22, &lab.key("client"), &HostKeys::Fingerprint(shown("host.pub"))).await.unwrap();
    let refused = lab.ssh(22, &lab.key("client"), &HostKeys::Fingerprint(shown("changed.pub"))).await;
    assert!(matches!(refused.err().unwrap(), Error::HostKey { .. }));
    let path = lab.file("other_hosts");
    std::fs::write(&path, format!("{HOST} {}", lab.read("changed.pub"))).unwrap();
    let refused = lab.ssh(22, &lab.key("client"), &HostKeys::KnownHosts(path.clone())).await.err().unwrap();
    assert!(refused.to_string().contains("another one"), "{refused}");
    std::fs::write(&path, format!("r9 {public}")).unwrap();
    let refused = lab.ssh(22, &lab.key("client"), &HostKeys::KnownHosts(path)).await.err().unwrap();
    assert!(refused.to_string().contains("unknown"), "{refused}");

    agent(lab, &known).await;

    // Many channels at once.
    let router = lab.connect().await;
    let polls = (0..30).map(|_| router.neighbors());
    let polls: Vec<_> = futures::future::join_all(polls).await;
    assert!(polls.into_iter().all(|poll| poll.is_ok()));

    lab.path("down");
    let begun = Instant::now();
    let failed = lab.ssh(22, &lab.key("client"), &known).await.err().unwrap();
    assert!(matches!(failed, Error::Timeout { .. } | Error::Connect { .. }), "{failed}");
    assert!(begun.elapsed().as_secs() < 12);
    lab.path("up");
}

async fn agent(lab: &Lab, known: &HostKeys) {
    let socket = lab.file("agent");
    let mut process = std::process::Command::new("ssh-agent")
        .args(["-D", "-a"])
        .arg(&socket)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !socket.exists() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for key in ["other", "client"] {
        let added =
            std::process::Command::new("ssh-add").env("SSH_AUTH_SOCK", &socket).arg(lab.file(key)).output();
        assert!(added.unwrap().status.success());
    }
    let credentials = Credentials { user: "netops".into(), agent: Some(socket), ..Credentials::default() };
    let result = lab.ssh(22, &credentials, known).await;
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(result.is_ok());
}
