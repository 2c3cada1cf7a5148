//! A database, a PeeringDB and a clock for one test.

pub mod fake_routers;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use pm_config::{Config, Sources};
use pm_lab::peeringdb::{Caller, Namespace, Options, Server, World};
use pm_store::Store;
use pm_store::changes::Author;
use pm_store::entities::autonomous_system::{self, AutonomousSystem};
use pm_store::jobs::LogLine;
use pm_store::testing::epoch;
use pm_tasks::{Clock, Finished, PeeringdbSync, Runner, Sink, Task};
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

/// A clock that stands still until it is told to move.
pub struct HeldClock(Mutex<DateTime<Utc>>);

impl HeldClock {
    pub fn at(time: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(time)))
    }

    pub fn pass(&self, time: TimeDelta) {
        *self.0.lock().unwrap() += time;
    }

    pub fn set(&self, time: DateTime<Utc>) {
        *self.0.lock().unwrap() = time;
    }
}

impl Clock for HeldClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// Remembers every line.
#[derive(Default)]
pub struct Lines(pub Mutex<Vec<String>>);

impl Sink for Lines {
    fn line(&self, line: &LogLine) {
        self.0.lock().unwrap().push(line.message.clone());
    }
    fn progress(&self, _: &pm_store::jobs::Progress) {}
}

/// Everything one test needs.
pub struct Scene {
    pub store: Store,
    pub server: Server,
    pub clock: Arc<HeldClock>,
    pub config: Config,
    pub lines: Arc<Lines>,
}

impl Scene {
    pub async fn new(store: &Store, scale: f64, seed: u64, options: Options) -> Self {
        let server = Server::start(World::generate(scale, seed, epoch()), options).await.unwrap();
        let config = config(&server, &[]);
        Self { store: store.clone(), server, clock: HeldClock::at(epoch()), config, lines: Arc::default() }
    }

    /// Sets settings as a file would.
    pub fn set(&mut self, settings: &[(&str, &str)]) {
        self.config = config(&self.server, settings);
    }

    pub fn runner(&self) -> Runner {
        Runner {
            store: self.store.clone(),
            config: Arc::new(self.config.clone()),
            clock: Arc::clone(&self.clock) as _,
            sink: Arc::clone(&self.lines) as _,
            seed: 1,
            wait: false,
        }
    }

    pub async fn run(&self, task: &dyn Task) -> Finished {
        self.runner().run(task, CancellationToken::new()).await.unwrap()
    }

    /// A synchronisation that must end well; our clock follows PeeringDB's.
    pub async fn sync(&self) -> Finished {
        self.sync_with(PeeringdbSync::default()).await
    }

    pub async fn sync_with(&self, task: PeeringdbSync) -> Finished {
        let now = self.server.world().now();
        self.clock.set(now);
        let finished = self.run(&task).await;
        assert_eq!(finished.exit, 0, "{}", finished.message);
        finished
    }

    /// The cache as the API would show it, by namespace.
    pub async fn cached(&self) -> BTreeMap<String, Vec<Json>> {
        cached(&self.store).await
    }

    /// What PeeringDB holds and shows, by namespace, as far as text can be stored.
    pub fn live(&self, caller: Caller) -> BTreeMap<String, Vec<Json>> {
        let world = self.server.world();
        Namespace::ALL
            .iter()
            .map(|namespace| {
                let mut records = world.live(*namespace, caller);
                records.iter_mut().for_each(remove_nul);
                (namespace.as_str().to_owned(), records)
            })
            .collect()
    }

    /// The cache must be exactly what PeeringDB shows.
    pub async fn assert_mirror(&self, caller: Caller, told: &str) {
        assert_same(&self.cached().await, &self.live(caller), told);
    }

    /// Keeps an autonomous system for each of these numbers.
    pub async fn keep(&self, asns: &[i64]) {
        let systems =
            asns.iter().map(|asn| AutonomousSystem::new(*asn, &format!("AS{asn}"), epoch())).collect();
        autonomous_system::create(&self.store, &author(), systems, epoch()).await.unwrap();
    }

    pub async fn system(&self, asn: i64) -> AutonomousSystem {
        let mut connection = self.store.connection().await.unwrap();
        autonomous_system::by_asns(&mut connection.session(), &[asn]).await.unwrap().remove(0)
    }
}

pub fn author() -> Author {
    Author {
        user_id: None,
        user_name: "test".into(),
        request_id: "00000000-0000-0000-0000-000000000000".into(),
    }
}

pub async fn cached(store: &Store) -> BTreeMap<String, Vec<Json>> {
    let directory = tempfile::tempdir().unwrap();
    pm_tasks::export_peeringdb(store, directory.path()).await.unwrap();
    Namespace::ALL
        .iter()
        .map(|namespace| {
            let text = std::fs::read_to_string(directory.path().join(format!("{namespace}.json"))).unwrap();
            let mut body: Json = serde_json::from_str(&text).unwrap();
            (namespace.as_str().to_owned(), serde_json::from_value(body["data"].take()).unwrap())
        })
        .collect()
}

pub fn assert_same(found: &BTreeMap<String, Vec<Json>>, expected: &BTreeMap<String, Vec<Json>>, told: &str) {
    for (namespace, expected) in expected {
        let by_id = |records: &[Json]| -> BTreeMap<i64, Json> {
            records.iter().map(|record| (record["id"].as_i64().unwrap(), record.clone())).collect()
        };
        let (found, expected) = (by_id(&found[namespace]), by_id(expected));
        let missing: Vec<&Json> =
            expected.iter().filter(|(id, _)| !found.contains_key(id)).map(|(_, one)| one).collect();
        let extra: Vec<&Json> =
            found.iter().filter(|(id, _)| !expected.contains_key(id)).map(|(_, one)| one).collect();
        assert!(missing.is_empty(), "{told}: {namespace} lacks {}, such as {}", missing.len(), missing[0]);
        assert!(extra.is_empty(), "{told}: {namespace} has {} too many, such as {}", extra.len(), extra[0]);
        for (id, expected) in &expected {
            assert_eq!(&found[id], expected, "{told}: {namespace} {id}");
        }
    }
}

fn remove_nul(value: &mut Json) {
    match value {
        Json::String(text) => text.retain(|character| character != '\0'),
        Json::Array(list) => list.iter_mut().for_each(remove_nul),
        Json::Object(map) => map.values_mut().for_each(remove_nul),
        _ => {}
    }
}

fn config(server: &Server, settings: &[(&str, &str)]) -> Config {
    let url = server.url();
    let mut all = vec![
        ("peeringdb_api", url.as_str()),
        ("peeringdb_requests_per_minute", "100000"),
        ("peeringdb_retries", "0"),
    ];
    all.extend(settings);
    configured(&all)
}

/// Settings, each given as an environment variable would; the last of a name counts.
pub fn configured(settings: &[(&str, &str)]) -> Config {
    let environment: BTreeMap<String, String> = settings
        .iter()
        .map(|(key, value)| (format!("PEERING_MANAGER_{}", key.to_uppercase()), (*value).to_owned()))
        .collect();
    let nowhere = std::path::PathBuf::from("/nonexistent");
    let sources = Sources {
        file: None,
        environment,
        directory: nowhere.clone(),
        system_file: nowhere.join("config.toml"),
        state_directory: nowhere,
    };
    pm_config::load(&sources).unwrap().config
}
