//! Routers in a database, and runs over them.

use super::*;

pub const SECRET: &str = "Planted-session-password";
/// Somebody who wants to hear of what guards hold.
pub const RULE: &str = "INSERT INTO extras_notificationrule (created, updated, name, events, recipients) \
                    SELECT MIN(created), MIN(created), 'r', '[\"guard held\"]', '[\"noc@example.org\"]' FROM devices_router";
pub const EDGES: [&str; 3] = ["edge1", "edge2", "edge3"];

/// A task over the routers of a test.
pub struct Over<T>(pub T, pub Arc<dyn Connector>);

#[async_trait]
pub trait OverRouters: Task {
    async fn over(&self, context: &TaskContext, network: &dyn Connector) -> Result<Done, TaskError>;
}

#[async_trait]
impl OverRouters for ConfigureRouters {
    async fn over(&self, context: &TaskContext, network: &dyn Connector) -> Result<Done, TaskError> {
        self.run_over(context, network).await
    }
}

#[async_trait]
impl OverRouters for Drift {
    async fn over(&self, context: &TaskContext, network: &dyn Connector) -> Result<Done, TaskError> {
        self.run_over(context, network).await
    }
}

#[async_trait]
impl<T: OverRouters> Task for Over<T> {
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
    fn time_to_end(&self) -> Duration {
        self.0.time_to_end()
    }
    fn most_spoilt(&self, config: &Config) -> Option<u32> {
        self.0.most_spoilt(config)
    }
    fn is_spoilt(&self, data: &Json) -> bool {
        self.0.is_spoilt(data)
    }
    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        self.0.over(context, &*self.1).await
    }
}

/// Until it is so, which a busy machine may take its time for.
pub async fn soon(is_so: impl AsyncFn() -> bool, what: &str) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_mins(2), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub struct Scene {
    pub store: Store,
    pub clock: Arc<HeldClock>,
    pub config: Config,
    pub lines: Arc<Lines>,
    pub routers: Arc<Routers>,
}

impl Scene {
    pub fn new(store: &Store) -> Self {
        let key = "k".repeat(50);
        let config = configured(&[
            ("secret_key", key.as_str()),
            ("napalm_username", "everybody"),
            ("post_check_min_seconds", "0"),
            ("post_check_seconds", "1"),
            ("commit_confirm_seconds", "30"),
        ]);
        Self {
            store: store.clone(),
            clock: HeldClock::at(epoch()),
            config,
            lines: Arc::default(),
            routers: Arc::default(),
        }
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

    pub async fn run(&self, task: ConfigureRouters) -> Finished {
        let task = Over(task, Arc::clone(&self.routers) as _);
        self.runner().run(&task, CancellationToken::new()).await.unwrap()
    }

    /// What every operator types.
    pub async fn deploy(&self) -> Finished {
        self.run(task()).await
    }

    pub async fn drift(&self, task: Drift) -> Finished {
        let task = Over(task, Arc::clone(&self.routers) as _);
        self.runner().run(&task, CancellationToken::new()).await.unwrap()
    }

    pub async fn deployments(&self) -> Vec<Deployment> {
        let mut connection = self.store.connection().await.unwrap();
        deployments::list(&mut connection.session(), None, 100).await.unwrap()
    }

    /// The routers that people are told of because a guard refused their configuration.
    pub async fn held(&self) -> Vec<String> {
        let sql = "SELECT router, subject FROM extras_event WHERE kind = 'guard held' AND router IS NOT NULL \
                   AND task = 'configure_routers' AND job_id IS NOT NULL ORDER BY router";
        let rows = self.store.rows(sql, vec![]).await.unwrap();
        let routers: Vec<String> = rows.iter().map(|row| row.get("router").unwrap()).collect();
        let subjects = rows.iter().map(|row| row.get::<String, _>("subject").unwrap());
        assert!(subjects.zip(&routers).all(|(subject, router)| subject == format!("deployment {router}")));
        routers
    }

    /// The routers of which guards refuse nothing any more.
    pub async fn let_through(&self) -> Vec<String> {
        let sql = "SELECT router, subject FROM extras_event WHERE kind = 'guard passed' ORDER BY id";
        let rows = self.store.rows(sql, vec![]).await.unwrap();
        let routers: Vec<String> = rows.iter().map(|row| row.get("router").unwrap()).collect();
        let subjects = rows.iter().map(|row| row.get::<String, _>("subject").unwrap());
        assert!(subjects.zip(&routers).all(|(subject, router)| subject == format!("deployment {router}")));
        routers
    }

    pub async fn sql(&self, sql: &str) {
        self.store.execute(sql, vec![]).await.unwrap();
    }
}

pub fn task() -> ConfigureRouters {
    ConfigureRouters { user: "olga".to_owned(), ..ConfigureRouters::default() }
}

pub fn only(limit: &str) -> ConfigureRouters {
    ConfigureRouters { limit: Some(limit.to_owned()), ..task() }
}

/// Router by router, how it ended.
pub fn verdicts(finished: &Finished) -> BTreeMap<String, String> {
    let routers = finished.data["routers"].as_array().cloned().unwrap_or_default();
    let text = |one: &Json, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    routers.iter().map(|one| (text(one, "router"), text(one, "verdict"))).collect()
}

pub fn message(finished: &Finished, router: &str) -> String {
    let routers = finished.data["routers"].as_array().cloned().unwrap_or_default();
    let one = routers.iter().find(|one| one["router"] == router).cloned().unwrap_or_default();
    one["message"].as_str().unwrap_or_default().to_owned()
}

/// Three routers with four sessions each, a template, and a router that has none.
pub async fn fill(store: &Store) {
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
    let peer = create(system(64_501)).await;
    let template = "hostname {{ router.hostname }}\n{% for s in router | direct_sessions %}{% if s.enabled %}\
                    neighbor {{ s | ip }} {{ s.autonomous_system.asn }} password {{ s.password }}\n{% endif %}{% endfor %}";
    let template =
        create(Draft::new(&configuration::MODEL).with("name", "edge").with("template", template)).await;
    let bird = create(
        Draft::new(&platform::MODEL).with("name", "BIRD").with("slug", "bird").with("napalm_driver", "bird"),
    )
    .await;
    let relationship =
        create(Draft::new(&relationship::MODEL).with("name", "Peering").with("slug", "peering")).await;
    for (place, name) in ["edge1", "edge2", "edge3", "bare"].into_iter().enumerate() {
        let mut draft = Draft::new(&router::MODEL)
            .with("name", name)
            .with("hostname", format!("{name}.example.net"))
            .with("local_autonomous_system", own)
            .with("platform", bird);
        if name != "bare" {
            draft = draft.with("configuration_template", template);
        }
        let edge = create(draft).await;
        for last in 1..=4 {
            let address = format!("192.0.2.{}/24", place * 10 + last);
            create(
                Draft::new(&direct_peering_session::MODEL)
                    .with("router", edge)
                    .with("autonomous_system", peer)
                    .with("relationship", relationship)
                    .with("local_autonomous_system", own)
                    .with("password", Clear::new(SECRET))
                    .with("ip_address", address.parse::<ipnet::IpNet>().unwrap()),
            )
            .await;
        }
    }
    transaction.commit().await.unwrap();
}

/// Four sessions at an exchange, over a connection of edge1, and one over a connection that hangs on no router.
pub async fn fill_exchange(store: &Store) {
    let author = Author { user_id: None, user_name: "test".into(), request_id: "r".into() };
    let keyring = Keyring::from_texts(["k".repeat(50).as_str()]);
    let row = store.row("SELECT id FROM devices_router WHERE name = 'edge1'", vec![]).await.unwrap();
    let edge: i64 = row.unwrap().get(0).unwrap();
    let row = store.row("SELECT id FROM peering_autonomoussystem WHERE asn = 64501", vec![]).await.unwrap();
    let peer: i64 = row.unwrap().get(0).unwrap();
    let mut transaction = store.begin().await.unwrap();
    let mut session = transaction.session();
    let mut create = async |draft: Draft| {
        let rules = Rules { checked: false, community_values: false };
        let writing = Writing { author: &author, now: epoch(), keyring: &keyring, rules };
        write::create(&mut session, writing, &[draft]).await.unwrap()[0].id
    };
    let exchange = Draft::new(&internet_exchange::MODEL).with("name", "EX").with("slug", "ex");
    let exchange = create(exchange).await;
    let link = |router: Option<i64>| {
        let draft = Draft::new(&connection::MODEL).with("internet_exchange_point", exchange);
        router.map_or(draft.clone(), |router| draft.with("router", router))
    };
    let (here, nowhere) = (create(link(Some(edge))).await, create(link(None)).await);
    for (connection, last) in [(here, 1), (here, 2), (here, 3), (here, 4), (nowhere, 5)] {
        create(
            Draft::new(&internet_exchange_peering_session::MODEL)
                .with("autonomous_system", peer)
                .with("ixp_connection", connection)
                .with("ip_address", format!("198.51.100.{last}").as_str()),
        )
        .await;
    }
    transaction.commit().await.unwrap();
}
