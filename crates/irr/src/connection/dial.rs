//! Opens a connection: looks the name up, and tries its addresses.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Most addresses of a name that are tried.
const ADDRESSES: usize = 8;
/// How long one address may take before the next is tried beside it (RFC 8305, section 5): a host whose IPv6 is broken
/// should not cost the whole time.
const STAGGER: Duration = Duration::from_millis(250);

/// A connection to the first address that takes one, within `limit`; or the reason why there is none.
pub(crate) async fn dial(name: &str, port: u16, limit: Duration) -> Result<TcpStream, String> {
    match timeout(limit, connect(name, port)).await {
        Ok(Ok(stream)) => {
            // Queries are written many at a time; none should wait for the answer to another.
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            Ok(stream)
        }
        Ok(Err(reason)) => Err(reason),
        Err(_) => Err(format!("could not be reached within {limit:?}")),
    }
}

async fn connect(name: &str, port: u16) -> Result<TcpStream, String> {
    let found = lookup_host((name, port)).await.map_err(|error| format!("cannot be looked up: {error}"))?;
    let mut waiting = found.take(ADDRESSES);
    let mut tries: JoinSet<io::Result<TcpStream>> = JoinSet::new();
    let mut last = None;
    loop {
        let next: Option<SocketAddr> = waiting.next();
        match next {
            Some(address) => drop(tries.spawn(TcpStream::connect(address))),
            None if tries.is_empty() => break,
            None => {}
        }
        tokio::select! {
            Some(outcome) = tries.join_next() => match outcome {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = Some(error.to_string()),
                Err(error) => last = Some(error.to_string()),
            },
            () = sleep(STAGGER), if next.is_some() => {}
        }
    }
    Err(format!("cannot be connected to: {}", last.unwrap_or_else(|| "the name has no address".to_owned())))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_listener_is_reached_and_a_closed_port_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // The name may have an IPv6 address too, where nobody listens.
        assert!(dial("localhost", port, LIMIT).await.unwrap().nodelay().unwrap());
        drop(listener);
        let reason = dial("127.0.0.1", port, LIMIT).await.unwrap_err();
        assert!(reason.starts_with("cannot be connected to: "), "{reason}");
    }

    #[tokio::test]
    async fn a_name_that_is_none_is_told_from_a_refusal() {
        let reason = dial("not a name", 43, LIMIT).await.unwrap_err();
        assert!(reason.starts_with("cannot be looked up: "), "{reason}");
    }
}
