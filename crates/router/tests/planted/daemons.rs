//! FRR, BIRD, `OpenBGPD` and `GoBGP` on a machine with a shell.

use std::fmt::Write as _;
use std::sync::Arc;

use pm_router::{HostKeys, How, Pending, Platform, connect};
use serde_json::json;

use super::seen::Seen;
use super::{PASSWORD, change, read, target, wrong_password};

/// A server that gives the same to every command.
#[derive(Clone)]
struct Always(String);

impl russh::server::Handler for Always {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<russh::server::Auth, russh::Error> {
        let rejected = russh::server::Auth::Reject { proceed_with_methods: None, partial_success: false };
        Ok(if password == PASSWORD { russh::server::Auth::Accept } else { rejected })
    }

    async fn channel_open_session(
        &mut self,
        _: russh::Channel<russh::server::Msg>,
        reply: russh::server::ChannelOpenHandle,
        _: &mut russh::server::Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: russh::ChannelId,
        _: &[u8],
        session: &mut russh::server::Session,
    ) -> Result<(), russh::Error> {
        session.data(channel, self.0.clone().into_bytes())?;
        session.extended_data(channel, 1, b"sh: password Planted-said: not found\n".to_vec())?;
        session.exit_status_request(channel, 0)?;
        session.close(channel)
    }
}

/// A daemon, of which every script has this answer.
async fn daemon(platform: Platform, neighbors: &str) {
    let sections = [
        ("host", 0, "r1"),
        ("uptime", 0, "99.5"),
        ("version", 0, "FRRouting 10.0 password Planted-said"),
        ("id", 0, "password Planted-said"),
        ("clock", 0, "1795472060"),
        ("status", 0, "Current server time is 2026-11-23 22:12:09.933"),
        ("protocols", 0, neighbors),
        ("neighbors", 0, neighbors),
        ("config", 0, "frr version 10\nneighbor 192.0.2.1 password Planted-running"),
        ("busy", 0, "password Planted-said"),
        ("check", 1, "line 2: \"neighbor 192.0.2.1 pasword x key Planted-candidate\" is unknown"),
        ("end", 1, ""),
    ];
    let mut text = String::new();
    for (name, status, lines) in sections {
        let _ = writeln!(text, "@@ {name} {status}");
        for line in lines.lines() {
            let _ = writeln!(text, " {line}");
        }
    }
    let key =
        russh::keys::PrivateKey::from(russh::keys::ssh_key::private::Ed25519Keypair::from_seed(&[1; 32]));
    let host_key = key.public_key().fingerprint(russh::keys::HashAlg::Sha256).to_string();
    let config = Arc::new(russh::server::Config { keys: vec![key], ..Default::default() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut to = target(listener.local_addr().unwrap(), platform);
    to.host_keys = HostKeys::Fingerprint(host_key);
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let session = russh::server::run_stream(Arc::clone(&config), stream, Always(text.clone()));
            tokio::spawn(async move { session.await.unwrap().await });
        }
    });
    let mut seen = Seen::default();
    wrong_password(&mut seen, &to).await;
    let one = connect(&to).await.unwrap();
    read(&mut seen, &*one).await;
    seen.outcome("neighbours", &one.neighbors().await);
    let text = "neighbor 192.0.2.1 password Planted-candidate\n";
    change(&mut seen, &*one, How::Replace, text, true).await;
    change(&mut seen, &*one, How::Merge, text, false).await;
    let waiting = Pending { platform, id: "c1/20261128-120000-1".into(), seconds: 60 };
    seen.outcome("confirm", &one.confirm(&waiting).await);
    seen.outcome("undo", &one.roll_back(&waiting).await);
    seen.check(platform.name(), 1);
    server.abort();
}

pub async fn show_nothing() {
    let said = "password Planted-said";
    let neighbor = json!({ said: { "bgpState": "secret Planted-said" } });
    let frr = format!("{}\n{}", json!({}), json!({ "default": neighbor }));
    daemon(Platform::Frr, &frr).await;
    daemon(Platform::Bird, &format!("Name Proto\n{said} BGP --- start {said}\n")).await;
    let openbgpd = json!({ "neighbors": [{ "remote_addr": said, "state": said, "remote_as": "1",
        "last_updown_sec": 1, "config": {} }] });
    daemon(Platform::Openbgpd, &openbgpd.to_string()).await;
    let conf = |address: &str| {
        json!({ "conf": { "neighbor_address": address, "auth_password": "Planted-said", "peer_asn": 64501 },
            "state": { "session_state": 1, "auth_password": "Planted-said" } })
    };
    daemon(Platform::Gobgp, &json!([conf("192.0.2.1"), conf(said)]).to_string()).await;
}
