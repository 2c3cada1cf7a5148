//! A small world of objects, and somebody who works on it.

use chrono::{DateTime, Utc};
use pm_store::changes::Author;
use pm_store::objects::model::{Kind, Model};
use pm_store::objects::models::{
    autonomous_system, bfd, community, config_context, config_context_assignment, connection, contact,
    contact_assignment, contact_role, direct_peering_session, internet_exchange,
    internet_exchange_peering_session, platform, relationship, router, routing_policy, tag,
};
use pm_store::objects::problems::{ObjectError, Rules};
use pm_store::objects::query::Query;
use pm_store::objects::read::displays;
use pm_store::objects::record::{Draft, Record};
use pm_store::objects::secrets::{Clear, Keyring};
use pm_store::objects::write::{self, Deletion, Updated, Writing};
use pm_store::testing::epoch;
use pm_store::{Engine, Store};
use serde_json::{Value as Json, json};

/// Somebody with a keyring, each of whose actions is one transaction.
pub struct Desk {
    pub store: Store,
    pub author: Author,
    pub keyring: Keyring,
    pub now: DateTime<Utc>,
}

type Logged = (String, String, String, Option<Json>, Option<Json>);

impl Desk {
    pub fn new(store: &Store) -> Self {
        let author = Author { user_id: None, user_name: "test".into(), request_id: "r".into() };
        Self { store: store.clone(), author, keyring: Keyring::new([7; 32], &[]), now: epoch() }
    }

    pub fn writing(&self) -> Writing<'_> {
        Writing { author: &self.author, now: self.now, keyring: &self.keyring, rules: Rules::ALL }
    }

    pub async fn create_all(&self, drafts: &[Draft]) -> Result<Vec<Record>, ObjectError> {
        let mut transaction = self.store.begin().await.unwrap();
        let records = write::create(&mut transaction.session(), self.writing(), drafts).await?;
        transaction.commit().await.unwrap();
        Ok(records)
    }

    pub async fn create(&self, draft: Draft) -> Result<Record, ObjectError> {
        Ok(self.create_all(&[draft]).await?.remove(0))
    }

    pub async fn update(&self, id: i64, draft: Draft) -> Result<Vec<Updated>, ObjectError> {
        let mut transaction = self.store.begin().await.unwrap();
        let updated = write::update(&mut transaction.session(), self.writing(), &[(id, draft)]).await?;
        transaction.commit().await.unwrap();
        Ok(updated)
    }

    pub async fn delete(&self, model: &'static Model, ids: &[i64]) -> Result<Deletion, ObjectError> {
        let mut transaction = self.store.begin().await.unwrap();
        let deletion = write::delete(&mut transaction.session(), self.writing(), model, ids).await?;
        transaction.commit().await.unwrap();
        Ok(deletion)
    }

    pub async fn list(&self, query: Query) -> Vec<Record> {
        let mut connection = self.store.connection().await.unwrap();
        query.list(&mut connection.session()).await.unwrap()
    }

    pub async fn get(&self, model: &'static Model, id: i64) -> Record {
        self.list(Query::of(model).ids(vec![id])).await.remove(0)
    }

    pub async fn display(&self, record: &Record) -> String {
        let mut connection = self.store.connection().await.unwrap();
        displays(&mut connection.session(), std::slice::from_ref(record)).await.unwrap().remove(0)
    }

    /// Action, type, name, before and after of every change, the oldest first.
    pub async fn log(&self) -> Vec<Logged> {
        let sql = "SELECT action, changed_object_type, object_repr, prechange_data, postchange_data \
                   FROM core_objectchange ORDER BY id";
        let rows = self.store.rows(sql, vec![]).await.unwrap();
        rows.iter()
            .map(|row| {
                (
                    row.get(0).unwrap(),
                    row.get(1).unwrap(),
                    row.get(2).unwrap(),
                    row.json("prechange_data").unwrap(),
                    row.json("postchange_data").unwrap(),
                )
            })
            .collect()
    }
}

/// One of many kinds of objects, and their numbers.
pub struct World {
    pub desk: Desk,
    pub own: i64,
    pub peer: i64,
    pub platform: i64,
    pub router: i64,
    pub exchange: i64,
    pub connection: i64,
    pub session: i64,
    pub direct: i64,
    pub relationship: i64,
    pub bfd: i64,
    pub contact: i64,
    pub role: i64,
    pub context: i64,
    pub policies: Vec<i64>,
    pub communities: Vec<i64>,
    pub tags: Vec<i64>,
}

impl World {
    #[expect(clippy::too_many_lines, reason = "a list")]
    pub async fn new(store: &Store) -> Self {
        let desk = Desk::new(store);
        let create = async |draft: Draft| desk.create(draft).await.unwrap().id;
        let named =
            |model: &'static Model, name: &str| Draft::new(model).with("name", name).with("slug", name);
        let mut tags = Vec::new();
        for name in ["edge", "core"] {
            tags.push(create(named(&tag::MODEL, name)).await);
        }
        let mut communities = Vec::new();
        for (name, value) in [("blackhole", "65535:666"), ("peers", "64496:1:2")] {
            communities.push(create(named(&community::MODEL, name).with("value", value)).await);
        }
        let mut policies = Vec::new();
        for (name, weight, family) in [("heavy", 10_i64, 6_i64), ("b-light", 0, 0), ("a-light", 0, 0)] {
            let draft =
                named(&routing_policy::MODEL, name).with("weight", weight).with("address_family", family);
            policies.push(create(draft).await);
        }
        let system =
            |asn: i64, name: &str| Draft::new(&autonomous_system::MODEL).with("asn", asn).with("name", name);
        let own = create(system(64_496, "Own").with("affiliated", true)).await;
        let peer = create(system(64_500, "Peer").with_json("local_context_data", json!({"a": 1}))).await;
        let junos = Query::of(&platform::MODEL).filter("slug", "juniper-junos");
        let platform = desk.list(junos).await[0].id;
        let router = Draft::new(&router::MODEL)
            .with("name", "edge1")
            .with("hostname", "edge1.example.net")
            .with("local_autonomous_system", own)
            .with("platform", platform)
            .with("communities", communities.clone())
            .with("tags", vec![tags[1]])
            .with("napalm_password", Clear::new("s3cret"));
        let router = create(router).await;
        let exchange =
            create(named(&internet_exchange::MODEL, "LON-IX").with("local_autonomous_system", own)).await;
        let connection = Draft::new(&connection::MODEL)
            .with("internet_exchange_point", exchange)
            .with("router", router)
            .with("interface", "et-0/0/0")
            .with("mac_address", "0000.5E00.5301")
            .with("ipv4_address", "198.51.100.1/24");
        let connection = create(connection).await;
        let bfd = create(named(&bfd::MODEL, "fast")).await;
        let session = Draft::new(&internet_exchange_peering_session::MODEL)
            .with("autonomous_system", peer)
            .with("ixp_connection", connection)
            .with("ip_address", "198.51.100.7")
            .with("password", "hunter2")
            .with("import_routing_policies", policies.clone())
            .with("tags", tags.clone())
            .with("bfd", bfd);
        let session = create(session).await;
        let relationship = create(named(&relationship::MODEL, "private")).await;
        let direct = Draft::new(&direct_peering_session::MODEL)
            .with("local_autonomous_system", own)
            .with("autonomous_system", peer)
            .with("relationship", relationship)
            .with("router", router)
            .with("connection", connection)
            .with("local_ip_address", "192.0.2.1/30")
            .with("ip_address", "192.0.2.2/30")
            .with("password", "hunter2")
            .with("communities", vec![communities[0]])
            .with("tags", vec![tags[1]]);
        let direct = create(direct).await;
        let role = create(named(&contact_role::MODEL, "noc")).await;
        let contact =
            create(Draft::new(&contact::MODEL).with("name", "Jo").with("email", "jo@example.net")).await;
        let assignment = Draft::new(&contact_assignment::MODEL)
            .with("content_type", "peering.autonomoussystem")
            .with("object_id", peer)
            .with("contact", contact)
            .with("role", role);
        create(assignment).await;
        let context = create(
            Draft::new(&config_context::MODEL).with("name", "base").with_json("data", json!({"ntp": []})),
        )
        .await;
        let assignment = Draft::new(&config_context_assignment::MODEL)
            .with("content_type", "devices.router")
            .with("object_id", router)
            .with("config_context", context);
        create(assignment).await;
        Self {
            desk,
            own,
            peer,
            platform,
            router,
            exchange,
            connection,
            session,
            direct,
            relationship,
            bfd,
            contact,
            role,
            context,
            policies,
            communities,
            tags,
        }
    }
}

/// Name, type, whether NULL is allowed, and the table that is referred to with what its deletion does.
pub type Column = (String, String, bool, Option<(String, String)>);

/// The columns of a table as the engine knows them.
pub async fn columns_of(store: &Store, table: &str) -> Vec<Column> {
    let sql = match store.engine() {
        Engine::Sqlite => format!(
            "SELECT c.name, c.type, c.\"notnull\" = 0 AND c.pk = 0 AS nullable, f.\"table\" AS other, f.on_delete AS action \
             FROM pragma_table_info('{table}') c LEFT JOIN pragma_foreign_key_list('{table}') f ON f.\"from\" = c.name"
        ),
        Engine::Postgres => format!(
            "SELECT a.attname::TEXT AS name, UPPER(format_type(a.atttypid, a.atttypmod)) AS type, \
             CASE WHEN a.attnotnull THEN 0 ELSE 1 END::BIGINT AS nullable, f.confrelid::REGCLASS::TEXT AS other, \
             CASE f.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'NO ACTION' END AS action \
             FROM pg_attribute a LEFT JOIN pg_constraint f ON f.conrelid = a.attrelid AND f.contype = 'f' AND a.attnum = ANY (f.conkey) \
             WHERE a.attrelid = '{table}'::REGCLASS AND a.attnum > 0 AND NOT a.attisdropped"
        ),
    };
    let rows = store.rows(&sql, vec![]).await.unwrap();
    rows.iter()
        .map(|row| {
            let other: Option<String> = row.get("other").unwrap();
            let action: Option<String> = row.get("action").unwrap();
            (
                row.get("name").unwrap(),
                row.get("type").unwrap(),
                row.get::<i64, _>("nullable").unwrap() == 1,
                other.map(|other| (other, action.unwrap_or_default())),
            )
        })
        .collect()
}

/// The columns of a model's table as they are described.
pub fn described_columns(model: &Model, engine: Engine) -> Vec<Column> {
    use pm_store::objects::model::OnDelete;
    use pm_store::schema::ColumnKind;
    let kind = |kind: ColumnKind| kind.sql(engine).replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE");
    let mut columns = vec![
        ("id".to_owned(), kind(ColumnKind::Integer), false, None),
        ("created".to_owned(), kind(ColumnKind::Time), false, None),
        ("updated".to_owned(), kind(ColumnKind::Time), false, None),
    ];
    for field in &model.fields {
        let Some(name) = field.column() else { continue };
        let refers = match field.kind {
            Kind::ForeignKey(target, on_delete) => {
                let action = match on_delete {
                    OnDelete::Cascade => "CASCADE",
                    OnDelete::SetNull => "SET NULL",
                    OnDelete::Protect => "NO ACTION",
                };
                Some((target.model().table.to_owned(), action.to_owned()))
            }
            Kind::User => Some(("auth_user".to_owned(), "SET NULL".to_owned())),
            _ => None,
        };
        columns.push((name, kind(field.kind.column().unwrap()), field.nullable, refers));
    }
    columns
}

/// The columns of every unique index of a table.
pub async fn unique_indexes(store: &Store, table: &str) -> Vec<Vec<String>> {
    let sql = match store.engine() {
        Engine::Sqlite => format!(
            "SELECT l.name AS name, i.name AS part FROM pragma_index_list('{table}') l, pragma_index_info(l.name) i \
             WHERE l.\"unique\" = 1 ORDER BY l.name, i.seqno"
        ),
        Engine::Postgres => format!(
            "SELECT i.indexrelid::REGCLASS::TEXT AS name, a.attname::TEXT AS part FROM pg_index i \
             JOIN pg_attribute a ON a.attrelid = i.indexrelid \
             WHERE i.indrelid = '{table}'::REGCLASS AND i.indisunique ORDER BY 1, a.attnum"
        ),
    };
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for row in store.rows(&sql, vec![]).await.unwrap() {
        let (name, part): (String, String) = (row.get("name").unwrap(), row.get("part").unwrap());
        match found.last_mut() {
            Some((last, parts)) if *last == name => parts.push(part),
            _ => found.push((name, vec![part])),
        }
    }
    found.into_iter().map(|(_, parts)| parts).collect()
}

/// All text in these columns.
pub async fn everything(store: &Store, table: &str, columns: &[&str]) -> String {
    let sql = format!("SELECT {} FROM {table}", columns.join(", "));
    let mut text = String::new();
    for row in store.rows(&sql, vec![]).await.unwrap() {
        for place in 0..columns.len() {
            text.push_str(&row.get::<Option<String>, _>(place).unwrap().unwrap_or_default());
            text.push('\n');
        }
    }
    text
}
