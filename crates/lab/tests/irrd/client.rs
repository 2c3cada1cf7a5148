//! A client that is as simple as can be, and the registries that most tests ask.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use pm_lab::irrd::{Options, Server, World};

/// Asks on one connection, blocking, and waits no longer than five seconds.
pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) fn new(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Self(stream)
    }

    pub(crate) fn send(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).unwrap();
    }

    /// Everything until the server closes; with what came before an error, if one ends it.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, Option<std::io::ErrorKind>) {
        let mut bytes = Vec::new();
        let error = self.0.read_to_end(&mut bytes).err().map(|error| error.kind());
        (bytes, error)
    }
}

/// All answers to these lines on one connection, `!!` before and `!q` behind them.
pub(crate) fn ask(server: &Server, lines: &str) -> String {
    let mut client = Client::new(server);
    client.send(format!("!!\n{lines}\n!q\n"));
    let (answer, error) = client.rest();
    assert_eq!(error, None);
    String::from_utf8(answer).unwrap()
}

pub(crate) async fn serve(rpsl: &str, options: Options) -> Server {
    Server::start(Arc::new(World::from_rpsl(rpsl).unwrap()), options).await.unwrap()
}
