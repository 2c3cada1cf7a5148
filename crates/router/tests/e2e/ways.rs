//! The ways to a router, over OpenSSH: through another host, from another address, with nothing but old algorithms.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pm_router::{
    Credentials, DaemonKind, Endpoint, Error, HostKeys, Jump, Key, Limits, Platform, Ssh, Target, Tls, Way,
    connect,
};

use super::lab::{HOST, Lab};

/// The router's address towards its peers, and a peer's. Neither can be reached from here.
const INNER: &str = "192.0.2.1";
const PEER: &str = "192.0.2.2";
const PEER_PASSWORD: &str = "Planted-far";
const LIMIT: Duration = Duration::from_secs(10);

fn limits() -> Limits {
    Limits { connect: LIMIT, login: LIMIT, read: LIMIT, ..Limits::default() }
}

fn at(host: &str, port: u16) -> Endpoint {
    Endpoint { host: host.into(), port }
}

fn with_password(user: &str, password: &str) -> Credentials {
    Credentials { user: user.into(), password: Some(password.to_owned().into()), ..Credentials::default() }
}

fn through(lab: &Lab, port: u16) -> Way {
    let jump = Jump { endpoint: at(HOST, port), credentials: lab.key("client"), host_keys: known(lab) };
    Way { jump: Some(jump), ..Way::default() }
}

/// The keys of all servers.
fn known(lab: &Lab) -> HostKeys {
    let path = lab.file("known_ways");
    let (host, peer) = (lab.read("host.pub"), lab.read("changed.pub"));
    let old = lab.on("router", "cat /etc/ssh/old_key.pub 2>/dev/null");
    let text = format!(
        "{HOST},[{HOST}]:2224,{INNER} {host}{PEER} {peer}{}",
        if old.is_empty() { String::new() } else { format!("[{HOST}]:2223 {old}") }
    );
    std::fs::write(&path, text).unwrap();
    HostKeys::KnownHosts(path)
}

fn told(error: &Error) -> String {
    let text = format!("{error} {error:?}");
    assert!(!text.contains("Planted"), "{text}");
    error.to_string()
}

fn bird(lab: &Lab, endpoint: Endpoint, way: Way) -> Target {
    Target {
        endpoint,
        platform: Platform::Bird,
        driver_name: "bird".into(),
        use_napalm: false,
        python: "python3".into(),
        credentials: lab.key("client"),
        host_keys: known(lab),
        way,
        tls: Tls::default(),
        options: serde_json::Map::new(),
        limits: limits(),
    }
}

#[test]
fn ways_to_a_router() {
    let Some(lab) = Lab::start(DaemonKind::Bird) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        through_another_host(&lab).await;
        from_an_address(&lab).await;
        with_old_algorithms(&lab).await;
    });
}

async fn through_another_host(lab: &Lab) {
    lab.on(
        "peer",
        &format!(
            "useradd -m -s /bin/bash far && echo 'far:{PEER_PASSWORD}' | chpasswd; install -m 600 /mnt/dir/changed /etc/ssh/peer_key; \
             printf 'HostKey /etc/ssh/peer_key\\nPasswordAuthentication yes\\nUsePAM no\\n' >/etc/ssh/sshd_config; \
             /usr/sbin/sshd -E /var/log/sshd.log; for i in $(seq 600); do [ -s /run/sshd.pid ] && break; sleep 0.1; done"
        ),
    );
    lab.on(
        "router",
        "sed -e '1iPort 2224' -e '1iAllowTcpForwarding no' -e 's/^PidFile.*/PidFile \\/run\\/sshd4.pid/' /etc/ssh/sshd_config \
         >/etc/ssh/sshd_config4; /usr/sbin/sshd -f /etc/ssh/sshd_config4 -E /var/log/sshd4.log; \
         for i in $(seq 600); do [ -s /run/sshd4.pid ] && break; sleep 0.1; done",
    );
    let (far, known) = (with_password("far", PEER_PASSWORD), known(lab));
    let direct = Ssh::connect(&at(PEER, 22), &far, &known, limits()).await.err().unwrap();
    assert!(matches!(direct, Error::Connect { .. } | Error::Timeout { .. }), "{direct}");

    // Another machine, with another key and another user.
    let ssh = Ssh::connect_by(&through(lab, 22), &at(PEER, 22), &far, &known, limits()).await.unwrap();
    assert_eq!(ssh.host(), PEER);
    let log = lab.on("peer", "cat /var/log/sshd.log");
    assert!(log.contains("Accepted password for far from 192.0.2.1"), "{log}");
    ssh.close().await;

    // A driver goes the same way.
    let router = connect(&bird(lab, at(INNER, 0), through(lab, 22))).await.unwrap();
    assert_eq!(router.neighbors().await.unwrap().neighbors.len(), 5);
    router.close().await;

    // What is wrong with the jump host is said of the jump host.
    let mut wrong = through(lab, 22);
    wrong.jump.as_mut().unwrap().credentials = with_password("netops", "Planted-wrong");
    let error = Ssh::connect_by(&wrong, &at(PEER, 22), &far, &known, limits()).await.err().unwrap();
    assert!(matches!(error, Error::Login { .. }), "{error}");
    assert!(told(&error).starts_with(&format!("{HOST} (the jump host of {PEER}): user netops")), "{error}");
    let mut wrong = through(lab, 22);
    wrong.jump.as_mut().unwrap().host_keys = HostKeys::Fingerprint(format!("SHA256:{}", "A".repeat(43)));
    let error = Ssh::connect_by(&wrong, &at(PEER, 22), &far, &known, limits()).await.err().unwrap();
    assert!(matches!(error, Error::HostKey { .. }), "{error}");
    assert!(told(&error).contains("the jump host of"), "{error}");
    // And what is wrong with the router of the router.
    let pinned = HostKeys::Fingerprint(format!("SHA256:{}", "A".repeat(43)));
    let error =
        Ssh::connect_by(&through(lab, 22), &at(PEER, 22), &far, &pinned, limits()).await.err().unwrap();
    assert!(matches!(error, Error::HostKey { .. }) && told(&error).starts_with(PEER), "{error}");
    // Nobody listens there; and a host that does not carry on.
    for (port, to) in [(22, at(PEER, 9)), (2224, at(PEER, 22))] {
        let error = Ssh::connect_by(&through(lab, port), &to, &far, &known, limits()).await.err().unwrap();
        assert!(matches!(error, Error::Connect { .. }), "{error}");
        assert!(told(&error).contains("the jump host"), "{error}");
    }
}

async fn from_an_address(lab: &Lab) {
    let added = std::process::Command::new("ip").args(["addr", "add", "10.87.0.9/24", "dev", "op0"]).status();
    assert!(added.unwrap().success());
    let from = |address: &str| Way { source: Some(address.parse().unwrap()), ..Way::default() };
    for (way, host) in
        [(from("10.87.0.9"), HOST), (Way { jump: through(lab, 22).jump, ..from("10.87.0.9") }, INNER)]
    {
        let before = lab.on("router", "cat /var/log/sshd.log").matches("netops from 10.87.0.9").count();
        let router = connect(&bird(lab, at(host, 0), way)).await.unwrap();
        assert_eq!(router.neighbors().await.unwrap().neighbors.len(), 5);
        router.close().await;
        let log = lab.on("router", "cat /var/log/sshd.log");
        assert_eq!(log.matches("netops from 10.87.0.9").count(), before + 1, "{log}");
    }
    for (address, word) in
        [("10.87.0.77", "not an address of this machine"), ("2001:db8::1", "no address that")]
    {
        let error = connect(&bird(lab, at(HOST, 0), from(address))).await.err().unwrap();
        assert!(matches!(error, Error::Connect { .. }) && told(&error).contains(word), "{error}");
    }
}

async fn with_old_algorithms(lab: &Lab) {
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"])
        .arg(lab.file("old_client"))
        .status();
    assert!(made.unwrap().success());
    lab.on("router", "ssh-keygen -q -t rsa -b 2048 -N '' -f /etc/ssh/old_key; cat /mnt/dir/old_client.pub >>/home/netops/.ssh/authorized_keys");
    let key = Key { text: lab.read("old_client").into(), passphrase: None };
    let own = Credentials { user: "netops".into(), keys: vec![key], ..Credentials::default() };
    let usual = ("curve25519-sha256", "ssh-rsa,rsa-sha2-512", "aes128-ctr", "hmac-sha2-256");
    let kinds = [
        ("diffie-hellman-group1-sha1", usual.1, usual.2, usual.3),
        ("diffie-hellman-group14-sha1", usual.1, usual.2, usual.3),
        ("diffie-hellman-group-exchange-sha1", usual.1, usual.2, usual.3),
        (usual.0, "ssh-rsa", usual.2, usual.3),
        (usual.0, usual.1, "3des-cbc", usual.3),
        (usual.0, usual.1, "aes128-cbc", usual.3),
        (usual.0, usual.1, "aes256-cbc", "hmac-sha1-etm@openssh.com"),
        (usual.0, usual.1, usual.2, "hmac-sha1"),
        ("diffie-hellman-group1-sha1", "ssh-rsa", "3des-cbc", "hmac-sha1"),
    ];
    for (kex, host_key, cipher, mac) in kinds {
        lab.on(
            "router",
            &format!(
                "[ -f /run/sshd3.pid ] && kill $(cat /run/sshd3.pid); \
                 for i in $(seq 600); do [ -f /run/sshd3.pid ] || break; sleep 0.1; done; printf 'Port 2223\\nHostKey /etc/ssh/old_key\\nKexAlgorithms {kex}\\n\
                 HostKeyAlgorithms {host_key}\\nCiphers {cipher}\\nMACs {mac}\\nUsePAM no\\n\
                 PidFile /run/sshd3.pid\\n' >/etc/ssh/sshd_config3; /usr/sbin/sshd -f /etc/ssh/sshd_config3 -E /var/log/sshd3.log; \
                 for i in $(seq 600); do [ -f /run/sshd3.pid ] && break; sleep 0.1; done"
            ),
        );
        let target = |way| Target { credentials: own.clone(), ..bird(lab, at(HOST, 2223), way) };
        let error = connect(&target(Way::default())).await.err().unwrap();
        let text = told(&error);
        assert!(matches!(error, Error::Connect { .. }), "{kex} {host_key} {cipher} {mac}: {text}");
        assert!(text.contains("the router offers") && text.contains("legacy_algorithms"), "{text}");
        let offered = [kex, host_key, cipher, mac].into_iter().find(|name| text.contains(name));
        assert!(offered.is_some(), "{text}");

        let warnings = Warnings::default();
        let listening = tracing::subscriber::set_default(warnings.clone());
        let router = connect(&target(Way { legacy_algorithms: true, ..Way::default() })).await.unwrap();
        drop(listening);
        assert_eq!(router.neighbors().await.unwrap().neighbors.len(), 5);
        router.close().await;
        let said = warnings.0.lock().unwrap().join("\n");
        assert!(said.contains(HOST) && said.contains("not safe"), "{said}");
        for old in
            [kex, host_key, cipher, mac].into_iter().filter(|one| one.contains("sha1") || one.contains("cbc"))
        {
            assert!(said.contains(old), "{said}");
        }
    }
    // Nothing is told of a router that has better ones.
    let warnings = Warnings::default();
    let listening = tracing::subscriber::set_default(warnings.clone());
    let way = Way { legacy_algorithms: true, ..Way::default() };
    connect(&bird(lab, at(HOST, 22), way)).await.unwrap().close().await;
    drop(listening);
    assert_eq!(*warnings.0.lock().unwrap(), Vec::<String>::new());
}

/// What is logged as a warning.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl tracing::field::Visit for Text {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN && metadata.target().starts_with("pm_router")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
