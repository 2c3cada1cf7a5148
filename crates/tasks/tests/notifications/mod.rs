//! People and programs are told of what happened, once, also after a crash, and of nothing secret.

mod courier;
mod rules;
mod webhooks;

use std::sync::Arc;

use crate::support::{HeldClock, author, configured};
use chrono::{DateTime, Utc};
use pm_config::Config;
use pm_lab::receiver::{Received, Receiver};
use pm_store::Store;
use pm_store::notifications::{self, Delivery, Which};
use pm_store::objects::model::Model;
use pm_store::objects::models::{notification_rule, webhook};
use pm_store::objects::problems::Rules;
use pm_store::objects::record::{Draft, Record};
use pm_store::objects::secrets::{Clear, Keyring};
use pm_store::objects::write::{self, Writing};
use pm_store::testing::epoch;
use pm_tasks::notify::{Courier, Sent};
use pm_tasks::{Clock as _, SystemClock};
use serde_json::{Value as Json, json};

/// Signs what webhooks send.
const SECRET: &str = "planted-webhook-secret";

/// A database, a receiver, and somebody who changes objects.
struct World {
    store: Store,
    clock: Arc<HeldClock>,
    config: Arc<Config>,
    receiver: Receiver,
    keyring: Keyring,
}

impl World {
    async fn new(store: &Store) -> Self {
        Self::with(store, &[]).await
    }

    async fn with(store: &Store, settings: &[(&str, &str)]) -> Self {
        let key = "k".repeat(50);
        let mut all = vec![("secret_key", key.as_str()), ("webhook_allowed_targets", "127.0.0.0/8")];
        all.extend(settings);
        Self {
            store: store.clone(),
            clock: HeldClock::at(epoch()),
            config: Arc::new(configured(&all)),
            receiver: Receiver::start().await.unwrap(),
            keyring: Keyring::from_texts([key.as_str()]),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.receiver.port())
    }

    fn courier(&self) -> Courier {
        Courier::new(self.store.clone(), Arc::clone(&self.config), Arc::clone(&self.clock) as _)
    }

    async fn deliver(&self) -> Sent {
        self.courier().deliver_due().await.unwrap()
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    async fn create(&self, draft: Draft) -> Record {
        let author = author();
        let writing = Writing { author: &author, now: self.now(), keyring: &self.keyring, rules: Rules::ALL };
        let mut transaction = self.store.begin().await.unwrap();
        let made = write::create(&mut transaction.session(), writing, &[draft]).await;
        transaction.commit().await.unwrap();
        made.unwrap_or_else(|error| panic!("{error}")).remove(0)
    }

    async fn update(&self, id: i64, draft: Draft) {
        let author = author();
        let writing = Writing { author: &author, now: self.now(), keyring: &self.keyring, rules: Rules::ALL };
        let mut transaction = self.store.begin().await.unwrap();
        write::update(&mut transaction.session(), writing, &[(id, draft)]).await.unwrap();
        transaction.commit().await.unwrap();
    }

    async fn delete(&self, model: &'static Model, id: i64) {
        let author = author();
        let writing = Writing { author: &author, now: self.now(), keyring: &self.keyring, rules: Rules::ALL };
        let mut transaction = self.store.begin().await.unwrap();
        write::delete(&mut transaction.session(), writing, model, &[id]).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// A webhook for every change of objects of a type.
    fn hook(&self, name: &str, model: &str) -> Draft {
        Draft::new(&webhook::MODEL)
            .with("name", name)
            .with_json("content_types", json!([model]))
            .with("type_create", true)
            .with("type_update", true)
            .with("type_delete", true)
            .with("payload_url", self.url(&format!("/{name}")))
            .with("secret", Clear::new(SECRET))
    }

    /// A rule that tells one address.
    fn rule(name: &str, events: &[&str]) -> Draft {
        Draft::new(&notification_rule::MODEL)
            .with("name", name)
            .with_json("events", json!(events))
            .with_json("recipients", json!(["noc@example.org"]))
    }

    fn received(&self) -> Vec<(Received, Json)> {
        let all = self.receiver.received().into_iter();
        all.map(|one| (one.clone(), serde_json::from_slice(&one.body).unwrap_or_default())).collect()
    }

    /// All deliveries, the oldest first.
    async fn deliveries(&self) -> Vec<Delivery> {
        let which = Which { limit: 1000, ..Which::default() };
        let mut all = notifications::list_deliveries(&self.store, &which).await.unwrap();
        all.reverse();
        all
    }

    async fn count(&self, table: &str) -> i64 {
        let row = self.store.row(&format!("SELECT COUNT(*) AS count FROM {table}"), vec![]).await.unwrap();
        row.unwrap().get("count").unwrap()
    }

    /// Every text in these tables.
    async fn texts(&self, tables: &[(&str, &[&str])]) -> String {
        let mut all = String::new();
        for (table, columns) in tables {
            let columns: Vec<String> =
                columns.iter().map(|column| format!("COALESCE(CAST({column} AS TEXT), '')")).collect();
            let sql = format!("SELECT {} AS text FROM {table}", columns.join(" || ' ' || "));
            for row in self.store.rows(&sql, vec![]).await.unwrap() {
                all += &row.get::<String, _>("text").unwrap();
                all.push('\n');
            }
        }
        all
    }
}

/// Real time, for what really takes some.
fn real() -> Arc<SystemClock> {
    Arc::new(SystemClock)
}
