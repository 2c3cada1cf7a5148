//! The client, the way or the daemon goes away, at each step.

use super::*;

/// Whether the commit of a change has begun on the router.
pub fn began(lab: &Lab, change: &Pending) -> bool {
    let marks = lab.on("router", &format!("ls {}", change.id));
    ["armed", "undoing", "undone"].iter().any(|mark| marks.lines().any(|line| line == *mark))
}

pub async fn nothing_waits(router: &Daemon) {
    let begun = Instant::now();
    while router.pending().await.unwrap().is_some() {
        assert!(begun.elapsed().as_secs() < 120, "it still waits");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

pub async fn kill_daemon(lab: &Lab, platform: DaemonKind) {
    let name = process(platform);
    lab.on("router", &format!("pkill -KILL -x {name}"));
    poll_until("the daemon is gone", || lab.on("router", &format!("pgrep -x {name}")).is_empty()).await;
}

/// The process that holds the sessions.
pub fn process(platform: DaemonKind) -> &'static str {
    match platform {
        DaemonKind::Frr | DaemonKind::Openbgpd => "bgpd",
        DaemonKind::Bird => "bird",
        DaemonKind::Gobgp => "gobgpd",
    }
}

pub async fn poll_until(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed().as_secs() < 120, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The client dies while it commits: whatever took effect goes away.
pub async fn the_connection_is_killed(lab: &Lab, router: &Daemon, text: &str) {
    for delay in [Some(3), Some(10), Some(30), Some(100), None] {
        let victim = lab.connect().await;
        let loader = victim.loader(How::Replace).unwrap();
        let candidate = loader.load(&ConfigText::new(with_new(router.kind(), text))).await.unwrap();
        let timer = Duration::from_secs(4);
        let named = candidate.change(timer).unwrap();
        // Whatever has become of it by then, also if it was quick enough to end.
        tokio::select! {
            _ = candidate.commit(timer) => {}
            () = begins(lab, &named, delay) => {}
        }
        drop(victim);
        assert!(delay.is_some() || began(lab, &named));
        // Long enough for the slowest to apply, and for the timer.
        tokio::time::sleep(Duration::from_secs(6)).await;
        wait_until(router, "the change of the dead client is undone", 60, |all| !has(all, NEW)).await;
        nothing_waits(router).await;
        assert_eq!(router.running_config().await.unwrap().expose(), text);
    }
}

/// So many milliseconds, or until the commit has begun on the router.
pub async fn begins(lab: &Lab, change: &Pending, delay: Option<u64>) {
    match delay {
        Some(delay) => tokio::time::sleep(Duration::from_millis(delay)).await,
        None => poll_until("the commit begins", || began(lab, change)).await,
    }
}

pub async fn the_way_to_the_router_is_cut(lab: &Lab, text: &str) {
    let router = lab.connect_reading(READ).await;
    let change = commit(&router, &with_new(router.kind(), text), 20).await.unwrap();
    lab.path("down");
    let failed = router.neighbors().await.unwrap_err();
    assert!(matches!(failed, Error::Timeout { .. } | Error::Lost { .. }), "{failed}");
    lab.path("up");
    let router = lab.connect().await;
    wait_until(&router, "the change is undone", 60, |all| !has(all, NEW)).await;
    assert!(matches!(router.confirm(&change).await.unwrap_err(), Error::RolledBack { .. }));
    // Cut while it commits: whatever took effect goes away, and nothing waits.
    for delay in [Some(5), None] {
        let router = lab.connect().await;
        let loader = router.loader(How::Replace).unwrap();
        let candidate = loader.load(&ConfigText::new(with_new(router.kind(), text))).await.unwrap();
        let timer = Duration::from_secs(4);
        let named = candidate.change(timer).unwrap();
        let cut = async {
            begins(lab, &named, delay).await;
            lab.path("down");
            tokio::time::sleep(Duration::from_secs(8)).await;
            lab.path("up");
        };
        let (_, ()) = tokio::join!(candidate.commit(timer), cut);
        let router = lab.connect().await;
        wait_until(&router, "the change that was cut off is undone", 60, |all| !has(all, NEW)).await;
        nothing_waits(&router).await;
        assert_eq!(router.running_config().await.unwrap().expose(), text);
    }
}

/// Nothing but signs of life tells that the router is gone, long before a question's time is over.
pub async fn the_silence_is_noticed(lab: &Lab) {
    let router = lab.connect_watching(Duration::from_secs(1)).await;
    lab.path("down");
    let begun = Instant::now();
    let failed = router.neighbors().await.unwrap_err();
    lab.path("up");
    assert!(matches!(failed, Error::Lost { .. }), "{failed}");
    assert!(begun.elapsed() < Duration::from_mins(5));
}

/// What is not answered ends when its time is over, as at every other step (`tests/timeouts.rs`).
pub async fn a_candidate_is_not_answered(lab: &Lab, text: &str) {
    let limit = Duration::from_secs(10);
    let (one, other) = (lab.connect_within(limit).await, lab.connect_within(limit).await);
    let text = ConfigText::new(with_new(one.kind(), text));
    let to_commit = one.loader(How::Replace).unwrap().load(&text).await.unwrap();
    let named = to_commit.change(Duration::from_mins(1)).unwrap();
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
    assert!(took >= limit && took < limit + Duration::from_mins(1), "{took:?}");
    let router = lab.connect().await;
    // It is known by its name, and did not begin.
    assert!(!router.cancel(&named).await.unwrap());
    assert_eq!(router.pending().await.unwrap(), None);
    assert!(!has(&router.neighbors().await.unwrap(), NEW));
}

/// The answer to the commit is lost, and the change is undone by the name that it had before.
pub async fn it_is_undone_by_its_name(lab: &Lab, router: &Daemon, text: &str) {
    let other = lab.connect().await;
    let changed = ConfigText::new(with_new(router.kind(), text));
    let candidate = other.loader(How::Replace).unwrap().load(&changed).await.unwrap();
    let named = candidate.change(Duration::from_mins(5)).unwrap();
    candidate.commit(Duration::from_mins(5)).await.unwrap();
    let stranger = Pending { id: format!("{}x", named.id), ..named.clone() };
    assert!(!router.cancel(&stranger).await.unwrap());
    assert!(has(&router.neighbors().await.unwrap(), NEW));
    assert!(router.cancel(&named).await.unwrap());
    assert!(!router.cancel(&named).await.unwrap());
    wait_until(router, "the change is undone", 60, |all| !has(all, NEW)).await;
    assert_eq!(router.running_config().await.unwrap().expose(), text);
}

/// Between commit and confirmation: then the change is in force no more, and that is said.
pub async fn the_daemon_is_started_again(lab: &Lab, router: &Daemon, text: &str) {
    let kind = router.kind();
    let change = commit(router, &with_new(kind, text), 300).await.unwrap();
    kill_daemon(lab, kind).await;
    lab.on(
        "router",
        match kind {
            DaemonKind::Frr => {
                "/usr/lib/frr/bgpd -d -A 127.0.0.1; \
                 for i in $(seq 600); do vtysh -d bgpd -c 'show version' && break; sleep 0.1; done; vtysh -b"
            }
            DaemonKind::Bird => "/usr/sbin/bird -u bird -g bird",
            DaemonKind::Openbgpd => "/usr/sbin/bgpd",
            DaemonKind::Gobgp => {
                "setsid gobgpd -f /etc/gobgp/gobgpd.toml --pprof-disable --log-plain >/var/log/gobgpd2.log 2>&1 </dev/null & \
                 for i in $(seq 600); do gobgp global && break; sleep 0.1; done"
            }
        },
    );
    let begun = Instant::now();
    let confirmed = loop {
        match router.confirm(&change).await {
            Err(Error::Failed { .. }) if begun.elapsed().as_secs() < 60 => {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            confirmed => break confirmed,
        }
    };
    if kind == DaemonKind::Gobgp {
        // Its file is the new one from the beginning.
        confirmed.unwrap();
        router.roll_back(&change).await.unwrap();
    } else {
        let undone = confirmed.unwrap_err();
        assert!(matches!(undone, Error::RolledBack { .. }), "{undone}");
    }
    assert_eq!(router.pending().await.unwrap(), None);
    wait_until(router, "it is as before", 120, |all| !has(all, NEW) && is_up(all, GOOD6)).await;
    assert_eq!(router.running_config().await.unwrap().expose(), text);
}

pub async fn the_daemon_is_stopped(lab: &Lab, router: &Daemon, text: &str) {
    let signal = |signal: &str| lab.on("router", &format!("pkill -{signal} -x {}", process(router.kind())));
    let reading = lab.connect_reading(READ).await;
    signal("STOP");
    let begun = Instant::now();
    let failed = reading.neighbors().await.unwrap_err();
    signal("CONT");
    assert!(matches!(failed, Error::Failed { .. } | Error::Timeout { .. }), "{failed}");
    assert!(begun.elapsed().as_secs() < 60);
    wait_until(router, "it answers again", 60, |all| is_up(all, GOOD6)).await;
    assert_eq!(router.running_config().await.unwrap().expose(), text);

    // Before a commit.
    let changed = with_new(router.kind(), text);
    let candidate = router.loader(How::Replace).unwrap().load(&ConfigText::new(&changed)).await.unwrap();
    signal("STOP");
    let failed = candidate.commit(Duration::from_mins(1)).await.unwrap_err();
    signal("CONT");
    assert!(matches!(failed, Error::Failed { .. }), "{failed}");
    wait_until(router, "it answers again", 60, |all| is_up(all, GOOD6) && !has(all, NEW)).await;
    assert_eq!(router.pending().await.unwrap(), None);

    // Between commit and confirmation, which is asked for before the time ends and answered after it.
    let change = commit(router, &changed, 15).await.unwrap();
    signal("STOP");
    let failed = router.confirm(&change).await.unwrap_err();
    signal("CONT");
    assert!(matches!(failed, Error::Failed { .. }), "{failed}");
    wait_until(router, "it goes back", 120, |all| is_up(all, GOOD6) && !has(all, NEW)).await;
    nothing_waits(router).await;
    assert!(matches!(router.confirm(&change).await.unwrap_err(), Error::RolledBack { .. }));
    assert_eq!(router.running_config().await.unwrap().expose(), text);
}

/// A dead daemon is an error, not a router without neighbours; and no difference is made against nothing.
pub async fn the_daemon_is_dead(lab: &Lab) {
    let router = lab.connect().await;
    let text = router.running_config().await.unwrap();
    let candidate = router.loader(How::Replace).unwrap().load(&text).await.unwrap();
    kill_daemon(lab, router.kind()).await;
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
