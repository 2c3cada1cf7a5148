//! SSH.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{HashAlg, PrivateKey, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, Disconnect, Pty};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::shell::{Shell, Then};
use super::{Options, Seen, locked};

type Listening = (SocketAddr, String, JoinHandle<()>);

pub(super) async fn listen(options: Arc<Options>, seen: Arc<Mutex<Seen>>) -> std::io::Result<Listening> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&[8; 32]));
    let fingerprint = key.public_key().fingerprint(HashAlg::Sha256).to_string();
    let config = Arc::new(russh::server::Config {
        keys: vec![key],
        auth_rejection_time: Duration::from_millis(10),
        nodelay: true,
        ..Default::default()
    });
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = Connection {
                options: options.clone(),
                seen: seen.clone(),
                width: 80,
                shell: None,
                silent: false,
            };
            let config = config.clone();
            tokio::spawn(async move {
                if let Ok(session) = russh::server::run_stream(config, stream, connection).await {
                    let _ = session.await;
                }
            });
        }
    });
    Ok((address, fingerprint, task))
}

struct Connection {
    options: Arc<Options>,
    seen: Arc<Mutex<Seen>>,
    width: u32,
    shell: Option<Shell>,
    silent: bool,
}

impl Connection {
    /// Sends what is shown, in pieces that end where a client could take what it sees for a prompt.
    fn show(session: &mut Session, channel: ChannelId, shown: &[u8]) -> Result<(), russh::Error> {
        let mut rest = shown;
        while !rest.is_empty() {
            let most = rest.len().min(16_000);
            let end =
                rest[..most].iter().position(|octet| matches!(octet, b'#' | b'>')).map_or(most, |at| at + 1);
            session.data(channel, rest[..end].to_vec())?;
            rest = &rest[end..];
        }
        Ok(())
    }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        let is_right = self.options.user == user && self.options.password == password;
        Ok(if is_right { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        let known = self.options.key.as_deref().and_then(|text| PublicKey::from_openssh(text).ok());
        let is_known = known.is_some_and(|known| known.key_data() == key.public_key.key_data());
        Ok(if is_known && self.options.user == user { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        columns: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        // Real ones have been seen to think otherwise of the width that a client wishes.
        self.width = columns.min(80);
        session.channel_success(channel)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        // One session per connection, as with the real thing.
        if self.shell.is_some() {
            return session.channel_failure(channel);
        }
        session.channel_success(channel)?;
        let width = usize::try_from(self.width).unwrap_or(80);
        let mut shell = Shell::new(self.options.clone(), self.seen.clone(), width);
        let shown = shell.begin();
        self.shell = Some(shell);
        Self::show(session, channel, &shown)
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let Some(shell) = self.shell.as_mut().filter(|_| !self.silent) else { return Ok(()) };
        locked(&self.seen).packets += 1;
        let (shown, then) = shell.input(data);
        Self::show(session, channel, &shown)?;
        if then == Then::Continue {
            return Ok(());
        }
        self.silent = true;
        let handle = session.handle();
        tokio::spawn(async move {
            match then {
                Then::End => {
                    let _ = handle.disconnect(Disconnect::ByApplication, String::new(), String::new()).await;
                }
                Then::Endless => {
                    let line = "and so on\r\n".repeat(2000);
                    while handle.data(channel, line.clone()).await.is_ok() {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
                Then::Silence | Then::Continue => {}
            }
        });
        Ok(())
    }
}
