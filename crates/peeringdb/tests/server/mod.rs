//! A server that plays back prepared answers, one per connection, down to the single byte.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What happens on one connection after the request is read.
#[derive(Clone)]
pub(crate) enum Play {
    /// Send these bytes and close.
    Send(Vec<u8>),
    /// Send these bytes and keep the connection open without a word.
    Hang(Vec<u8>),
    /// Send these bytes in pieces of this size, with this pause between them.
    Slowly(Vec<u8>, usize, Duration),
}

/// A running server; it ends with the test.
pub(crate) struct Server {
    /// `http://127.0.0.1:<port>`.
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Plays one item per connection and repeats the last one.
    pub(crate) async fn playing(plays: Vec<Play>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            let mut number = 0;
            loop {
                let (mut connection, _) = listener.accept().await.unwrap();
                let play = plays[number.min(plays.len() - 1)].clone();
                number += 1;
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        request.push(connection.read_u8().await.unwrap());
                    }
                    seen.lock().unwrap().push(String::from_utf8(request).unwrap());
                    // The client may hang up at any time.
                    match play {
                        Play::Send(bytes) => {
                            let _ = connection.write_all(&bytes).await;
                        }
                        Play::Hang(bytes) => {
                            let _ = connection.write_all(&bytes).await;
                            std::future::pending::<()>().await;
                        }
                        Play::Slowly(bytes, size, pause) => {
                            for piece in bytes.chunks(size) {
                                let _ = connection.write_all(piece).await;
                                tokio::time::sleep(pause).await;
                            }
                        }
                    }
                });
            }
        });
        Self { url, requests }
    }

    /// The requests so far, each with its headers.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// An HTTP answer with a `Content-Length`.
pub(crate) fn answer(status: &str, headers: &[&str], body: &[u8]) -> Play {
    Play::Send(bytes(status, headers, body, body.len()))
}

/// 200 with JSON.
pub(crate) fn json(body: &str) -> Play {
    answer(
        "200 OK",
        &["Content-Type: application/json", "Date: Tue, 06 Oct 2026 12:00:00 GMT"],
        body.as_bytes(),
    )
}

/// The bytes of an answer which says that its body has `length` bytes.
pub(crate) fn bytes(status: &str, headers: &[&str], body: &[u8], length: usize) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}

/// The bytes of an answer in chunks, without the last, empty one unless `ended`.
pub(crate) fn chunked(body: &[u8], ended: bool) -> Vec<u8> {
    let mut bytes = b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(1000) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    if ended {
        bytes.extend_from_slice(b"0\r\n\r\n");
    }
    bytes
}
