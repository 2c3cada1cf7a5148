use std::sync::atomic::{AtomicUsize, Ordering};

use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, Session};
use russh::{ChannelId, server};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;

#[tokio::test(start_paused = true)]
async fn an_address_that_says_nothing_holds_up_no_other() {
    let addresses = || (1..=4).map(|last| SocketAddr::from(([192, 0, 2, last], 22)));
    let begun = Instant::now();
    let found = first_of(addresses(), |address| async move {
        match address.port() {
            22 if address.ip() == IpAddr::from([192, 0, 2, 1]) => std::future::pending().await,
            _ if address.ip() == IpAddr::from([192, 0, 2, 2]) => Err("refused".to_owned()),
            _ => Ok(address),
        }
    });
    assert_eq!(found.await, Ok(([192, 0, 2, 3], 22).into()));
    assert_eq!(begun.elapsed(), HEAD_START);
    let none = first_of(addresses(), |address| async move { Err::<(), _>(address.to_string()) }).await;
    assert_eq!(none, Err(Some("192.0.2.4:22".to_owned())));
    assert_eq!(first_of(std::iter::empty(), |_| async { Ok(()) }).await, Err(None));
}

/// Runs any command, of which `hang` says nothing, and counts channels.
#[derive(Clone, Default)]
struct Counts {
    opened: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
}

impl Handler for Counts {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, _: &str) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _: russh::Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if command == b"hang" {
            return Ok(());
        }
        let handle = session.handle();
        let closed = Arc::clone(&self.closed);
        tokio::spawn(async move {
            // So that all of them are at work at the same time.
            sleep(Duration::from_millis(300)).await;
            let _ = handle.exit_status_request(channel, 0).await;
            let _ = handle.close(channel).await;
            // The answer to this is not told of.
            closed.fetch_add(1, Ordering::Relaxed);
        });
        Ok(())
    }

    async fn channel_close(&mut self, _: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.closed.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test]
async fn channels_that_nobody_needs_are_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&[1; 32]));
    let host_keys =
        HostKeys::Fingerprint(key.public_key().fingerprint(russh::keys::HashAlg::Sha256).to_string());
    let counts = Counts::default();
    let handler = counts.clone();
    let config = Arc::new(server::Config { keys: vec![key], ..server::Config::default() });
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        server::run_stream(config, stream, handler).await.unwrap().await
    });
    let credentials = Credentials {
        user: "netops".into(),
        password: Some("x".to_owned().into()),
        ..Credentials::default()
    };
    let ssh = Ssh::connect(&endpoint, &credentials, &host_keys, Limits::default()).await.unwrap();
    let bounds = Bounds { step: Step::Neighbors, time: Duration::from_secs(20), more: true };
    let run = || async { ssh.run(bounds, "show", b"", b"none").await.map(drop) };
    let all = tokio::join!(run(), run(), run(), run(), run());
    assert!(matches!(all, (Ok(()), Ok(()), Ok(()), Ok(()), Ok(()))));
    // Five that ran, and one that is kept.
    let open = || counts.opened.load(Ordering::Relaxed) - counts.closed.load(Ordering::Relaxed);
    let begun = std::time::Instant::now();
    while open() > 1 {
        assert!(begun.elapsed() < Duration::from_secs(10), "{} channels stay open", open());
        sleep(Duration::from_millis(20)).await;
    }
    assert!(counts.opened.load(Ordering::Relaxed) > 6, "some were superfluous");
    // Nor does one stay that says nothing, or whose answer nobody waits for.
    let short = Bounds { time: Duration::from_millis(200), more: false, ..bounds };
    assert!(matches!(ssh.run(short, "hang", b"", b"none").await, Err(Error::Timeout { .. })));
    assert!(timeout(short.time, ssh.run(bounds, "hang", b"", b"none")).await.is_err());
    let begun = std::time::Instant::now();
    // The second one has opened another that is kept.
    while open() > 1 {
        assert!(begun.elapsed() < Duration::from_secs(10), "{} channels stay open", open());
        sleep(Duration::from_millis(20)).await;
    }
    ssh.close().await;
}
