//! A relay that makes a router look far away: the kernel's own means of delaying packets are not there everywhere.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// Listens on a port of 127.0.0.1 and carries everything to the address and back, so much later each way.
pub(crate) async fn relay(to: SocketAddr, delay: Duration) -> std::io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(async move {
                // A connection takes a round trip too.
                tokio::time::sleep(2 * delay).await;
                let Ok(far) = TcpStream::connect(to).await else { return };
                if near.set_nodelay(true).and_then(|()| far.set_nodelay(true)).is_err() {
                    return;
                }
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                tokio::join!(carry(near_in, far_out, delay), carry(far_in, near_out, delay));
            });
        }
    });
    Ok(port)
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (queue, mut waiting) = tokio::sync::mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async move {
        let mut octets = vec![0; 65_536];
        while let Ok(count @ 1..) = from.read(&mut octets).await {
            if queue.send((Instant::now() + delay, octets[..count].to_vec())).is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((when, octets)) = waiting.recv().await {
            tokio::time::sleep_until(when).await;
            if to.write_all(&octets).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}
