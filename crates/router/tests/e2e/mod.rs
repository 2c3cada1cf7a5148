//! The drivers against the daemons themselves: FRR, BIRD, `OpenBGPD` and `GoBGP` with real sessions, over real SSH.

mod broken_off;
mod far;
pub mod lab;
mod large;
mod napalm;
mod netns;
mod own;
mod ways;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use broken_off::*;
use lab::{HOST, Lab, PASSWORD};
use own::*;
use pm_router::{
    ConfigText, Credentials, Daemon, DaemonKind, Error, Family, HostKeys, How, Neighbors, Pending, Router,
    State, Step,
};

const GOOD4: &str = "192.0.2.2";
const GOOD6: &str = "2001:db8:1::2";
const NEW: &str = "192.0.2.4";
/// How long a question may take where it will get no answer.
const READ: Duration = Duration::from_secs(8);
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
    let timer = Duration::from_secs(seconds);
    let named = candidate.change(timer).unwrap();
    let change = candidate.commit(timer).await?;
    assert_eq!(named, change);
    Ok(change)
}

async fn what_is_read(router: &Daemon) {
    let facts = router.facts().await.unwrap();
    assert_eq!(facts.hostname, "router");
    assert!(facts.version.starts_with(|c: char| c.is_ascii_digit()), "{facts:?}");
    let neighbors =
        wait_until(router, "the sessions are up", 120, |all| is_up(all, GOOD4) && is_up(all, GOOD6)).await;
    assert_eq!(neighbors.left_out, Vec::<String>::new());
    assert_eq!(neighbors.neighbors.len(), 5);
    let neighbors = wait_until(router, "all prefixes are there", 60, |all| {
        let prefixes = all.get("default", address(GOOD4)).unwrap().prefixes.get(&Family::Ipv4).unwrap();
        prefixes.received == Some(20) && prefixes.accepted >= Some(18) && prefixes.advertised == Some(1)
    })
    .await;
    let good = neighbors.get("default", address(GOOD4)).unwrap();
    assert_eq!(good.remote_as, Some(64502));
    assert_eq!(good.description.as_deref(), Some("Good, IPv4"));
    assert_eq!(good.prefixes.get(&Family::Ipv4).unwrap().received, Some(20));
    // GoBGP does not count what its global policy refuses.
    let accepted = if router.kind() == DaemonKind::Gobgp { 20 } else { 18 };
    assert_eq!(good.prefixes.get(&Family::Ipv4).unwrap().accepted, Some(accepted));
    assert!(good.uptime().unwrap() < 600);
    let shut = neighbors.get("default", address("192.0.2.10")).unwrap();
    assert!(!shut.enabled && shut.state == State::Idle);
    // A wrong password, and nobody there.
    for down in ["192.0.2.3", "192.0.2.9"] {
        let down = neighbors.get("default", address(down)).unwrap();
        assert!(down.enabled && !down.is_up() && down.uptime().is_none(), "{down:?}");
    }
}

/// Who may read the daemon's configuration file.
fn place(lab: &Lab, platform: DaemonKind) -> String {
    let file = match platform {
        DaemonKind::Frr => "/etc/frr/frr.conf",
        DaemonKind::Bird => "/etc/bird/bird.conf",
        DaemonKind::Openbgpd => "/etc/bgpd.conf",
        DaemonKind::Gobgp => "/etc/gobgp/gobgpd.toml",
    };
    let said = lab.on("router", &format!("stat -c '%G %a' {file}"));
    assert!(!said.is_empty());
    said
}

async fn a_change_is_made_and_confirmed(lab: &Lab, router: &Daemon, text: &str) {
    let changed = with_new(router.kind(), text);
    let loader = router.loader(How::Replace).unwrap();
    let candidate = loader.load(&ConfigText::new(&changed)).await.unwrap();
    assert!(candidate.diff().text().contains(NEW), "{}", candidate.diff().text());
    assert!(!candidate.diff().text().contains(PLANTED));
    let later = loader.load(&ConfigText::new(&changed)).await.unwrap();
    let change = candidate.commit(Duration::from_mins(1)).await.unwrap();
    wait_until(router, "the new session is up", 120, |all| is_up(all, NEW) && is_up(all, GOOD6)).await;

    // Somebody else, meanwhile.
    let other = lab.connect().await;
    assert_eq!(other.pending().await.unwrap().unwrap().id, change.id);
    let refused = later.commit(Duration::from_mins(1)).await.unwrap_err();
    assert!(matches!(refused, Error::Busy { .. } | Error::Changed { .. }), "{refused}");
    let file = place(lab, router.kind());
    other.confirm(&change).await.unwrap();
    other.confirm(&change).await.unwrap();
    assert_eq!(place(lab, router.kind()), file);
    assert_eq!(other.pending().await.unwrap(), None);
    let kept = router.running_config().await.unwrap();
    assert!(kept.expose().contains(NEW));

    // A candidate that was loaded before the change is out of date.
    let stale = loader.load(&ConfigText::new(text)).await.unwrap();
    router.roll_back(&change).await.unwrap();
    wait_until(router, "the confirmed change is undone", 60, |all| !has(all, NEW)).await;
    let refused = stale.commit(Duration::from_mins(1)).await.unwrap_err();
    assert!(matches!(refused, Error::Changed { .. }), "{refused}");
    assert_eq!(router.running_config().await.unwrap().expose(), text);
}

/// What was pushed is taken away by another push.
async fn a_peer_comes_and_goes(router: &Daemon, text: &str) {
    let first = commit(router, &with_new(router.kind(), text), 60).await.unwrap();
    router.confirm(&first).await.unwrap();
    wait_until(router, "the new session is up", 120, |all| is_up(all, NEW)).await;
    let change = commit(router, text, 60).await.unwrap();
    wait_until(router, "the session is gone", 60, |all| !has(all, NEW)).await;
    // Not while another waits, and not when it was followed.
    let refused = router.roll_back(&first).await.unwrap_err();
    assert!(matches!(refused, Error::Failed { .. }), "{refused}");
    router.confirm(&change).await.unwrap();
    let refused = router.roll_back(&first).await.unwrap_err();
    assert!(matches!(refused, Error::Failed { .. }), "{refused}");
    assert!(!has(&router.neighbors().await.unwrap(), NEW));
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
    let change = commit(&victim, &changed, 20).await.unwrap();
    assert!(has(&victim.neighbors().await.unwrap(), NEW));
    drop(victim);
    let router = &lab.connect().await;
    wait_until(router, "the timer undoes the change", 60, |all| !has(all, NEW)).await;
    assert_eq!(router.running_config().await.unwrap().expose(), text);

    let begun = Instant::now();
    let other = loop {
        match commit(router, &changed, 60).await {
            Ok(other) => break other,
            // A daemon that keeps the time itself does not say when it is over: a little later it is for sure.
            Err(Error::Busy { .. }) if begun.elapsed().as_secs() < 60 => {}
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
    wait_until(router, "the other change is undone", 60, |all| !has(all, NEW)).await;
    assert_eq!(router.pending().await.unwrap(), None);
    assert_eq!(router.running_config().await.unwrap().expose(), text);
    assert!(is_up(&router.neighbors().await.unwrap(), GOOD6));
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

/// Says how long each part took.
fn stopwatch() -> impl FnMut(&str) {
    let mut begun = Instant::now();
    move |what| {
        println!("{what}: {:.1} s", begun.elapsed().as_secs_f64());
        begun = Instant::now();
    }
}

/// A connection to a router whose sessions are up, and its configuration.
async fn settled(lab: &Lab) -> (Daemon, String) {
    let router = lab.connect().await;
    what_is_read(&router).await;
    let text = router.running_config().await.unwrap().expose().to_owned();
    assert!(text.contains(PLANTED));
    (router, text)
}

/// What is made, confirmed, refused and undone.
async fn changes(lab: &Lab) {
    strangers_stay_out(lab).await;
    let (router, text) = settled(lab).await;
    let mut took = stopwatch();
    a_change_is_made_and_confirmed(lab, &router, &text).await;
    took("made and confirmed");
    a_peer_comes_and_goes(&router, &text).await;
    took("pushed and taken away");
    a_broken_candidate_is_refused(&router, &text).await;
    took("refused");
    nobody_confirms(lab, &text).await;
    took("not confirmed");
    two_at_once(lab, &router, &text).await;
    took("two at once");
    figures(&router, &text).await;
}

/// What is broken off: by the client, on the way, by the daemon.
async fn breaks(lab: &Lab) {
    let (router, text) = settled(lab).await;
    let mut took = stopwatch();
    the_connection_is_killed(lab, &router, &text).await;
    took("killed");
    the_way_to_the_router_is_cut(lab, &text).await;
    took("cut");
    the_silence_is_noticed(lab).await;
    took("silent");
    a_candidate_is_not_answered(lab, &text).await;
    took("not answered");
    let router = lab.connect().await;
    it_is_undone_by_its_name(lab, &router, &text).await;
    took("undone by its name");
    the_daemon_is_started_again(lab, &router, &text).await;
    took("started again");
    the_daemon_is_stopped(lab, &router, &text).await;
    took("stopped");
    the_daemon_is_dead(lab).await;
    took("dead");
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
        wait_until(router, "the change is undone", 60, |all| !has(all, NEW)).await;
    }
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

fn run(platform: DaemonKind, scenario: impl AsyncFnOnce(&Lab)) {
    let Some(lab) = Lab::start(platform) else { return };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(scenario(&lab));
}

/// What every daemon must do, in labs of their own, since most of it is waiting.
macro_rules! each_daemon {
    ($($module:ident: $kind:ident),*) => {
        $(mod $module {
            use super::*;

            #[test]
            fn changes() {
                run(DaemonKind::$kind, super::changes);
            }

            #[test]
            fn breaks() {
                run(DaemonKind::$kind, super::breaks);
            }

            #[test]
            fn large() {
                run(DaemonKind::$kind, large::a_configuration);
            }
        })*
    };
}

each_daemon!(frr: Frr, bird: Bird, openbgpd: Openbgpd, gobgp: Gobgp);

#[test]
fn frr_alone() {
    run(DaemonKind::Frr, async |lab| {
        sudo_allows_no_more(
            lab,
            &[
                "/usr/lib/frr/frr-reload.py --bindir /home/netops --test --stdout /etc/frr/frr.conf",
                "/usr/lib/frr/frr-reload.py --test --stdout --confdir /home/netops/.peering-manager/c.a/new \
                 /home/netops/.peering-manager/c.a/new/frr.conf --bindir /home/netops",
                "/usr/lib/frr/frr-reload.py --test --stdout --confdir /etc /etc/shadow",
            ],
        );
        frr_takes_a_part(lab).await;
    });
}

#[test]
fn bird_alone() {
    run(DaemonKind::Bird, async |lab| {
        settled(lab).await;
        logins(lab).await;
        bird_undoes_nothing_else(lab).await;
        large::far_away(lab).await;
    });
}

#[test]
fn openbgpd_alone() {
    run(DaemonKind::Openbgpd, async |lab| {
        settled(lab).await;
        sudo_allows_no_more(
            lab,
            &[
                "install -m 600 /home/netops/x -t /etc /etc/bgpd.conf.new",
                "bgpd -n -f /etc/shadow",
                "bgpctl -j show rib neighbor 192.0.2.2 out",
                "bgpctl neighbor 192.0.2.2 down",
            ],
        );
        openbgpd_does_not_show_its_routes(lab).await;
        openbgpd_cannot_replace_its_file(lab).await;
    });
}

#[test]
fn gobgp_alone() {
    run(DaemonKind::Gobgp, async |lab| {
        settled(lab).await;
        gobgp_says_nothing(lab).await;
    });
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

    // Many channels at once, with as many as the server allows unless told otherwise.
    let router = lab.connect().await;
    let polls = (0..30).map(|_| router.neighbors());
    for poll in futures::future::join_all(polls).await {
        poll.unwrap();
    }

    lab.path("down");
    let begun = Instant::now();
    let failed = lab.ssh(22, &lab.key("client"), &known).await.err().unwrap();
    assert!(matches!(failed, Error::Timeout { .. } | Error::Connect { .. }), "{failed}");
    assert!(begun.elapsed().as_secs() < 120);
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
        // Its socket is there a little before it listens.
        poll_until("the agent takes a key", || {
            let mut command = std::process::Command::new("ssh-add");
            command.env("SSH_AUTH_SOCK", &socket).arg(lab.file(key)).output().unwrap().status.success()
        })
        .await;
    }
    let credentials = Credentials { user: "netops".into(), agent: Some(socket), ..Credentials::default() };
    let result = lab.ssh(22, &credentials, known).await;
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(result.is_ok());
}
