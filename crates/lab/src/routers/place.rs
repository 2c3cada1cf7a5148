//! Where a stand-in is: its port, and how far away.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::delay::{Entrance, Exit, stretch};

/// Octets that are on their way at most, in each direction.
const WAY: usize = 4 << 20;
/// Octets between the server and its end of the way.
const END: usize = 64 << 10;

/// Where a stand-in is. The default is near by, on any free port.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// How long everything takes on its way, in each direction.
    pub delay: Duration,
    /// Which of several it is: each has a host key of its own.
    pub number: u32,
}

/// What a server reads from and writes to.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Wire for T {}

/// The server's end of a connection that has such a way to go.
pub(super) fn reached(client: TcpStream, delay: Duration) -> Box<dyn Wire> {
    // What fails here shows with the first octet.
    let _ = client.set_nodelay(true);
    if delay.is_zero() {
        return Box::new(client);
    }
    let (server, end) = tokio::io::duplex(END);
    tokio::spawn(async move {
        // To connect takes a round trip too.
        tokio::time::sleep(2 * delay).await;
        let (client_in, client_out) = client.into_split();
        let (server_in, server_out) = tokio::io::split(end);
        tokio::join!(carry(client_in, server_out, delay), carry(server_in, client_out, delay));
    });
    Box::new(server)
}

async fn carry(from: impl AsyncRead + Unpin, to: impl AsyncWrite + Unpin, delay: Duration) {
    let (entrance, exit) = stretch(WAY);
    tokio::join!(send(from, entrance, delay), receive(exit, to));
}

async fn send(mut from: impl AsyncRead + Unpin, entrance: Entrance, delay: Duration) {
    let mut octets = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut octets).await {
        let piece = Bytes::copy_from_slice(&octets[..count]);
        if entrance.send(piece, Instant::now() + delay).await.is_err() {
            return;
        }
    }
    // The other side may be gone already.
    let _ = entrance.end(Instant::now() + delay).await;
}

async fn receive(mut exit: Exit, mut to: impl AsyncWrite + Unpin) {
    while let Some(piece) = exit.next().await {
        if to.write_all(&piece.bytes).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
