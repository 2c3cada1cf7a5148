//! A database with autonomous systems, and settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use pm_config::Config;
use pm_lab::irrd::Server;
use pm_store::entities::autonomous_system::{self, AutonomousSystem};
use pm_store::irr::{Kind, State};
use pm_store::testing::epoch;
use pm_store::{Store, Value};
use pm_tasks::irr::look;
use pm_tasks::{Finished, GetIrrData, Runner, Task};
use tokio_util::sync::CancellationToken;

use crate::support::{HeldClock, Lines, author, configured};

pub struct Scene {
    store: Store,
    clock: Arc<HeldClock>,
    config: Config,
    lines: Arc<Lines>,
}

impl Scene {
    /// Autonomous systems with their AS-SET field.
    pub async fn new(store: &Store, systems: &[(i64, &str)]) -> Self {
        let systems = systems.iter().map(|(asn, field)| AutonomousSystem {
            irr_as_set: Some((*field).to_owned()).filter(|field| !field.is_empty()),
            ..AutonomousSystem::new(*asn, &format!("Network {asn}"), epoch())
        });
        autonomous_system::create(store, &author(), systems.collect(), epoch()).await.unwrap();
        let config = configured(&[]);
        Self { store: store.clone(), clock: HeldClock::at(epoch()), config, lines: Arc::default() }
    }

    /// Asks this server from now on, for everything it has.
    pub fn ask(&mut self, server: &Server, settings: &[(&str, &str)]) {
        self.ask_hosts(&server.address().to_string(), settings);
    }

    pub fn ask_hosts(&mut self, hosts: &str, settings: &[(&str, &str)]) {
        let mut all = BTreeMap::from([
            ("bgpq3_host", hosts),
            ("bgpq3_sources", "RIPE,RADB"),
            ("irr_idle_timeout", "20"),
            ("irr_connect_timeout", "20"),
            ("bgpq3_args", r#"{"ipv6": ["-A"], "ipv4": ["-A"]}"#),
        ]);
        all.extend(settings.iter().copied());
        let all: Vec<_> = all.into_iter().collect();
        self.config = configured(&all);
    }

    pub async fn run(&self, task: &dyn Task) -> Finished {
        self.clock.pass(TimeDelta::days(1));
        let runner = Runner {
            store: self.store.clone(),
            config: Arc::new(self.config.clone()),
            clock: Arc::clone(&self.clock) as _,
            sink: Arc::clone(&self.lines) as _,
            seed: 1,
            wait: false,
        };
        runner.run(task, CancellationToken::new()).await.unwrap()
    }

    pub async fn fetch(&self) -> Finished {
        self.run(&GetIrrData::default()).await
    }

    pub async fn state(&self, asn: i64, kind: Kind) -> State {
        let overview = look::overview(&self.store, asn).await.unwrap();
        overview.states.into_iter().find(|state| state.kind == kind).unwrap()
    }

    /// The entries that are shown.
    pub async fn shown(&self, asn: i64, kind: Kind) -> Option<Vec<String>> {
        let overview = look::overview(&self.store, asn).await.unwrap();
        let state = overview.states.iter().find(|state| state.kind == kind)?;
        let data = look::data(&self.store, kind, state.shown()?).await.unwrap();
        let mut entries = Vec::new();
        data.each(|entry| entries.push(entry.to_string())).unwrap();
        Some(entries)
    }

    /// All lists that are shown, to be compared before and after.
    pub async fn all_shown(&self, asns: &[i64]) -> BTreeMap<(i64, Kind), Option<Vec<String>>> {
        let mut all = BTreeMap::new();
        for asn in asns {
            for kind in Kind::ALL {
                all.insert((*asn, kind), self.shown(*asn, kind).await);
            }
        }
        all
    }

    pub async fn edit(&self, asn: i64, assignment: &str) {
        let sql = format!("UPDATE peering_autonomoussystem SET {assignment} WHERE asn = ?");
        assert_eq!(self.store.execute(&sql, vec![Value::from(asn)]).await.unwrap(), 1);
    }

    pub async fn changes(&self) -> Vec<serde_json::Value> {
        let sql = "SELECT postchange_data FROM core_objectchange WHERE action = 'update' ORDER BY id";
        let rows = self.store.rows(sql, vec![]).await.unwrap();
        rows.iter().map(|row| row.json("postchange_data").unwrap().unwrap()).collect()
    }

    pub async fn generations(&self, asn: i64) -> usize {
        look::overview(&self.store, asn).await.unwrap().generations.len()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "to be compared with what may not be there")]
pub fn texts(entries: &[&str]) -> Option<Vec<String>> {
    Some(entries.iter().map(|entry| (*entry).to_owned()).collect())
}
