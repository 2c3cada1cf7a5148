//! What an IRR server of the tests holds.

use std::fmt::Write as _;
use std::sync::Arc;

use pm_lab::irrd::{Options, Server, World};

/// RPSL, built line by line.
#[derive(Clone, Default)]
pub struct Rpsl(String);

impl Rpsl {
    pub fn set(mut self, source: &str, name: &str, members: &str) -> Self {
        let class = if name.contains("RS-") { "route-set" } else { "as-set" };
        let members = if members.is_empty() { String::new() } else { format!("members: {members}\n") };
        write!(self.0, "{class}: {name}\n{members}mnt-by: M\nsource: {source}\n\n").unwrap();
        self
    }

    pub fn aut_num(mut self, source: &str, asn: u32) -> Self {
        write!(self.0, "aut-num: AS{asn}\nmnt-by: M\nsource: {source}\n\n").unwrap();
        self
    }

    pub fn route(mut self, source: &str, prefix: &str, asn: u32) -> Self {
        let class = if prefix.contains(':') { "route6" } else { "route" };
        write!(self.0, "{class}: {prefix}\norigin: AS{asn}\nmnt-by: M\nsource: {source}\n\n").unwrap();
        self
    }

    /// `count` neighbouring /24 that do not aggregate.
    pub fn routes(mut self, source: &str, count: u32, asn: u32) -> Self {
        for number in 0..count {
            let prefix = format!("10.{}.{}.0/24", number / 128, (number % 128) * 2);
            self = self.route(source, &prefix, asn);
        }
        self
    }

    pub async fn serve(&self) -> Server {
        self.serve_with(Options::default()).await
    }

    pub async fn serve_with(&self, options: Options) -> Server {
        let options = Options { sources: vec!["RIPE".to_owned(), "RADB".to_owned()], ..options };
        Server::start(Arc::new(World::from_rpsl(&self.0).unwrap()), options).await.unwrap()
    }
}

/// Two peers with a common member, and one of its own.
pub fn world() -> Rpsl {
    Rpsl::default()
        .set("RIPE", "AS-ONE", "AS3333, AS-COMMON")
        .set("RIPE", "AS-TWO", "AS4444, AS-COMMON")
        .set("RIPE", "AS-COMMON", "AS5555")
        .set("RIPE", "AS-EMPTY", "")
        .route("RIPE", "192.0.2.0/24", 3333)
        .route("RIPE", "2001:db8:3333::/48", 3333)
        .route("RIPE", "198.51.100.0/25", 4444)
        .route("RIPE", "198.51.100.128/25", 4444)
        .route("RADB", "203.0.113.0/24", 5555)
        .route("RIPE", "203.0.113.0/24", 5555)
}
