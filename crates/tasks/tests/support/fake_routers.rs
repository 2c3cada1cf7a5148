//! Routers that say what a test wants, and a database that has some.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use pm_config::Config;
use pm_router::{
    ConfigText, Error, Facts, Family, How, Loader, Neighbor, Neighbors, Pending, Platform, Prefixes, Router,
    State, Step, Target,
};
use pm_store::Store;
use pm_store::changes::Author;
use pm_store::objects::models::{
    autonomous_system, connection, direct_peering_session, internet_exchange,
    internet_exchange_peering_session, platform, relationship, router,
};
use pm_store::objects::problems::Rules;
use pm_store::objects::record::Draft;
use pm_store::objects::secrets::{Clear, Keyring};
use pm_store::objects::write::{self, Writing};
use pm_store::testing::epoch;
use pm_tasks::routers::Connector;
use pm_tasks::{Done, PollBgpSessions, Runner, Task, TaskContext, TaskError};
use serde_json::{Value as Json, json};
use tokio::sync::Semaphore;

use super::{HeldClock, Lines, configured};

/// The password of the routers.
pub const SECRET: &str = "Planted-router-password";

/// What runs tasks over them.
pub fn runner(store: &Store, clock: &Arc<HeldClock>, lines: &Arc<Lines>, wait: bool) -> Runner {
    Runner {
        store: store.clone(),
        config: Arc::new(router_settings()),
        clock: Arc::clone(clock) as _,
        sink: Arc::clone(lines) as _,
        seed: 1,
        wait,
    }
}

/// A poll of the routers with these names.
pub fn poll_of(limit: Option<&str>, fake: &Arc<Fake>) -> Over {
    Over(PollBgpSessions { limit: limit.map(str::to_owned) }, Arc::clone(fake))
}

/// Stores objects, each after the ones it refers to.
pub async fn create(store: &Store, drafts: &[Draft]) -> Vec<i64> {
    let author = Author { user_id: None, user_name: "test".into(), request_id: "r".into() };
    let keyring = Keyring::from_texts(["k".repeat(50).as_str()]);
    let rules = Rules { checked: false, community_values: false };
    let writing = Writing { author: &author, now: epoch(), keyring: &keyring, rules };
    let mut transaction = store.begin().await.unwrap();
    let made = write::create(&mut transaction.session(), writing, drafts).await.unwrap();
    transaction.commit().await.unwrap();
    made.iter().map(|record| record.id).collect()
}

/// Settings for them: two at a time.
pub fn router_settings() -> Config {
    let key = "k".repeat(50);
    configured(&[
        ("secret_key", key.as_str()),
        ("napalm_username", "everybody"),
        ("napalm_timeout", "11"),
        ("router_concurrency", "2"),
        ("napalm_args", "{ state_directory = \"/common\", port = 2222 }"),
    ])
}

/// Routers by hostname: what they answer, or why they do not.
#[derive(Default)]
pub struct Fake {
    pub answers: Mutex<BTreeMap<String, Result<Neighbors, String>>>,
    pub targets: Mutex<Vec<Target>>,
    open: AtomicUsize,
    pub most: AtomicUsize,
    /// Routers that answer only when the test lets them.
    gates: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

impl Fake {
    pub fn answers(&self, host: &str, neighbors: Vec<Neighbor>) {
        let all = Neighbors { neighbors, left_out: Vec::new() };
        self.answers.lock().unwrap().insert(host.to_owned(), Ok(all));
    }

    /// Lets a router answer only once somebody adds a permit.
    pub fn holds_back(&self, host: &str) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        self.gates.lock().unwrap().insert(host.to_owned(), Arc::clone(&gate));
        gate
    }

    /// Waits until so many connections have been asked for.
    pub async fn asked(&self, count: usize) {
        while self.targets.lock().unwrap().len() < count {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    pub fn fails(&self, host: &str, why: &str) {
        self.answers.lock().unwrap().insert(host.to_owned(), Err(why.to_owned()));
    }
}

struct FakeRouter {
    answer: Result<Neighbors, Error>,
}

#[async_trait]
impl Connector for Fake {
    async fn connect(&self, target: &Target) -> Result<Box<dyn Router>, Error> {
        self.targets.lock().unwrap().push(target.clone());
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(open, Ordering::SeqCst);
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        let gate = self.gates.lock().unwrap().get(&target.endpoint.host).cloned();
        if let Some(gate) = gate {
            gate.acquire().await.unwrap().forget();
        }
        self.open.fetch_sub(1, Ordering::SeqCst);
        let host = target.endpoint.host.clone();
        let answer = self.answers.lock().unwrap().get(&host).cloned();
        match answer.unwrap_or_else(|| Err("nobody there".to_owned())) {
            Ok(neighbors) => Ok(Box::new(FakeRouter { answer: Ok(neighbors) })),
            Err(why) if why == "unreadable" => {
                let answer = Err(Error::Unreadable { host, step: Step::Neighbors, message: why });
                Ok(Box::new(FakeRouter { answer }))
            }
            Err(message) => Err(Error::Connect { host, message }),
        }
    }
}

#[async_trait]
impl Router for FakeRouter {
    fn platform(&self) -> Platform {
        Platform::Bird
    }
    async fn facts(&self) -> Result<Facts, Error> {
        Ok(Facts::default())
    }
    async fn neighbors(&self) -> Result<Neighbors, Error> {
        match &self.answer {
            Ok(neighbors) => Ok(neighbors.clone()),
            Err(error) => {
                Err(Error::Unreadable { host: "x".into(), step: Step::Neighbors, message: error.to_string() })
            }
        }
    }
    async fn running_config(&self) -> Result<ConfigText, Error> {
        Ok(ConfigText::new(""))
    }
    fn loader(&self, _: How) -> Option<Loader<'_>> {
        None
    }
    async fn pending(&self) -> Result<Option<Pending>, Error> {
        Ok(None)
    }
    async fn confirm(&self, _: &Pending) -> Result<(), Error> {
        Ok(())
    }
    async fn roll_back(&self, _: &Pending) -> Result<(), Error> {
        Ok(())
    }
    async fn close(&self) {}
}

/// The task over the routers of a test.
pub struct Over(pub PollBgpSessions, pub Arc<Fake>);

#[async_trait]
impl Task for Over {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn label(&self) -> &'static str {
        self.0.label()
    }
    fn arguments(&self) -> Json {
        self.0.arguments()
    }
    fn lock_key(&self) -> Option<String> {
        self.0.lock_key()
    }
    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        self.0.run_over(context, &*self.1).await
    }
}

/// A neighbour with these counts.
pub fn neighbor(vrf: &str, address: &str, asn: u32, state: State, received: u64) -> Neighbor {
    let address: std::net::IpAddr = address.parse().unwrap();
    let family = if address.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
    let counts = Prefixes { received: Some(received), accepted: Some(received / 2), advertised: Some(7) };
    Neighbor {
        vrf: vrf.into(),
        address,
        remote_as: Some(asn),
        local_as: Some(64_496),
        local_address: None,
        remote_id: None,
        description: None,
        state,
        enabled: true,
        age: None,
        prefixes: [(family, counts)].into(),
        over_limit: false,
        last_error: (state != State::Established).then(|| "Hold Timer Expired".into()),
        flaps: None,
    }
}

/// Routers edge1 to edge3; edge1 has a session over a link and two at an exchange.
pub async fn fill(store: &Store) -> (i64, [i64; 2]) {
    let author = Author { user_id: None, user_name: "test".into(), request_id: "r".into() };
    let keyring = Keyring::from_texts(["k".repeat(50).as_str()]);
    let mut transaction = store.begin().await.unwrap();
    let mut session = transaction.session();
    let mut create = async |draft: Draft| {
        let rules = Rules { checked: false, community_values: false };
        let writing = Writing { author: &author, now: epoch(), keyring: &keyring, rules };
        write::create(&mut session, writing, &[draft]).await.unwrap()[0].id
    };
    let system = |asn: i64| Draft::new(&autonomous_system::MODEL).with("asn", asn).with("name", "Peer");
    let own = create(system(64_496).with("affiliated", true)).await;
    let peer = create(system(64_501).with("ipv4_max_prefixes", 100).with("ipv6_max_prefixes", 100)).await;
    let bird = create(
        Draft::new(&platform::MODEL)
            .with("name", "BIRD")
            .with("slug", "bird")
            .with("napalm_driver", "bird")
            .with_json("napalm_args", json!({"config_file": "/etc/bird/peers.conf"})),
    )
    .await;
    let edge = |name: &str| {
        Draft::new(&router::MODEL)
            .with("name", name)
            .with("hostname", format!("{name}.example.net"))
            .with("local_autonomous_system", own)
            .with("platform", bird)
            .with("poll_bgp_sessions_state", true)
            .with("napalm_password", Clear::new(SECRET))
    };
    let one = create(edge("edge1").with_json("napalm_args", json!({"port": 22022}))).await;
    create(edge("edge2")).await;
    create(edge("edge3").with("status", "disabled")).await;
    create(edge("edge4").with("poll_bgp_sessions_state", false)).await;
    let relationship =
        create(Draft::new(&relationship::MODEL).with("name", "Peering").with("slug", "peering")).await;
    let exchange = create(
        Draft::new(&internet_exchange::MODEL)
            .with("name", "IX")
            .with("slug", "ix")
            .with("local_autonomous_system", own),
    )
    .await;
    let link =
        create(Draft::new(&connection::MODEL).with("internet_exchange_point", exchange).with("router", one))
            .await;
    let direct = create(
        Draft::new(&direct_peering_session::MODEL)
            .with("router", one)
            .with("autonomous_system", peer)
            .with("relationship", relationship)
            .with("local_autonomous_system", own)
            .with("ip_address", "192.0.2.1/30".parse::<ipnet::IpNet>().unwrap()),
    )
    .await;
    let mut ixp = async |address: &str| {
        let address: std::net::IpAddr = address.parse().unwrap();
        create(
            Draft::new(&internet_exchange_peering_session::MODEL)
                .with("ixp_connection", link)
                .with("autonomous_system", peer)
                .with("ip_address", address),
        )
        .await
    };
    let at_exchange = [ixp("198.51.100.1").await, ixp("2001:db8::1").await];
    transaction.commit().await.unwrap();
    (direct, at_exchange)
}
