//! A client that is as simple as can be, and the registries that most tests ask.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use pm_lab::irrd::{Options, Server, World};

/// A handful of objects in three sources.
pub(crate) const RPSL: &str = "\
as-set: AS-TOP
members: AS64501, AS-MID
members: AS64502
mnt-by: MNT-A
source: RIPE

as-set: AS-MID
members: AS64503, AS-TOP, AS-MISSING
mnt-by: MNT-A
source: RADB

as-set: AS-BOTH
members: AS64501
mnt-by: MNT-A
source: RIPE

as-set: AS-BOTH
members: AS64502
mnt-by: MNT-A
source: RADB

as-set: AS-EMPTY
mnt-by: MNT-A
source: RIPE

as-set: AS-SELF
members: AS64501, AS-SELF
mnt-by: MNT-A
source: RIPE

as-set: AS-TAKES
mbrs-by-ref: MNT-A
mnt-by: MNT-A
source: RIPE

aut-num: AS64501
member-of: AS-TAKES
mnt-by: MNT-A
source: RIPE

aut-num: AS64502
member-of: AS-TAKES
mnt-by: MNT-B
source: RIPE

aut-num: AS64503
member-of: AS-TAKES
mnt-by: MNT-A
source: RADB

route-set: RS-TOP
members: 198.51.100.0/24^+, AS64501, RS-SUB, AS-BOTH^24
mp-members: 2001:DB8:ffff::/48
mnt-by: MNT-A
source: RIPE

route-set: RS-SUB
members: 203.0.113.0/25^25-28, AS-BOTH
mnt-by: MNT-A
source: RADB

route: 192.0.2.0/24
origin: AS64501
mnt-by: MNT-A
source: RIPE

route: 192.0.2.0/24
origin: AS64501
mnt-by: MNT-A
source: RADB

route: 192.0.2.0/25
origin: AS64502
mnt-by: MNT-A
source: RADB

route6: 2001:db8:1::/48
origin: AS64501
mnt-by: MNT-A
source: RIPE

route: 203.0.113.0/24
origin: AS64503
mnt-by: MNT-A
source: ARIN
";

/// Asks on one connection, blocking, and waits no longer than five seconds.
pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) fn new(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        Self(stream)
    }

    pub(crate) fn send(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).unwrap();
    }

    /// So many bytes of what comes.
    pub(crate) fn read(&mut self, count: usize) -> String {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// Whether nothing comes for a little while.
    pub(crate) fn is_silent(&mut self) -> bool {
        self.0.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
        let silent = self.0.read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        self.0.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        silent
    }

    /// Everything until the server closes, and the error, if one ends it.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, Option<std::io::ErrorKind>) {
        let mut bytes = Vec::new();
        let error = self.0.read_to_end(&mut bytes).err().map(|error| error.kind());
        (bytes, error)
    }
}

/// All answers to these lines on one connection, with `!!` before and `!q` behind them.
pub(crate) fn ask(server: &Server, lines: &str) -> String {
    let mut client = Client::new(server);
    client.send(format!("!!\n{lines}\n!q\n"));
    let (answer, error) = client.rest();
    assert_eq!(error, None);
    String::from_utf8(answer).unwrap()
}

/// An answer with data, as it is framed.
pub(crate) fn data(text: &str) -> String {
    format!("A{}\n{text}\nC\n", text.len() + 1)
}

pub(crate) async fn serve(rpsl: &str, options: Options) -> Server {
    Server::start(Arc::new(World::from_rpsl(rpsl).unwrap()), options).await.unwrap()
}

/// The handful of objects, with this in the options.
pub(crate) async fn small(options: Options) -> Server {
    serve(RPSL, options).await
}
