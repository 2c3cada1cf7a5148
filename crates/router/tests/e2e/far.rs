//! A relay that makes a router look far away: the kernel's own means of delaying packets are not there everywhere.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// Listens on a port of 127.0.0.1 and carries everything to port 22 of the host and back, so much later each way.
pub async fn relay(host: &'static str, delay: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(async move {
                // A connection takes a round trip too.
                tokio::time::sleep(2 * delay).await;
                let Ok(far) = TcpStream::connect((host, 22)).await else { return };
                near.set_nodelay(true).unwrap();
                far.set_nodelay(true).unwrap();
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                tokio::join!(carry(near_in, far_out, delay), carry(far_in, near_out, delay));
            });
        }
    });
    port
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
