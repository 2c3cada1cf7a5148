//! Both engines keep and give back the same.

use chrono::{DateTime, TimeDelta, Utc};
use pm_store::backup::{self, Backup};
use pm_store::changes::{self, Action, Author, Change};
use pm_store::entities::autonomous_system::{self, AutonomousSystem};
use pm_store::peeringdb::feed::{CacheRow, Feed, Taking, null_of};
use pm_store::peeringdb::lookup;
use pm_store::peeringdb::runs;
use pm_store::peeringdb::staging::{self, Staging};
use pm_store::peeringdb::tables::{CacheTable, TABLES, table_of};
use pm_store::schema::ColumnKind;
use pm_store::testing::{TestDatabase, each_engine, epoch};
use pm_store::{Engine, Store, StoreError, Value, health, locks, migrations};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

fn author() -> Author {
    Author { user_id: None, user_name: "test".into(), request_id: "r".into() }
}

/// The columns of a table as the engine knows them: name to type, in the engine's words.
async fn columns_of(store: &Store, table: &str) -> Vec<(String, String)> {
    let sql = match store.engine() {
        Engine::Sqlite => format!("SELECT name, type FROM pragma_table_info('{table}') ORDER BY cid"),
        Engine::Postgres => format!(
            "SELECT column_name::TEXT AS name, UPPER(data_type)::TEXT AS type FROM information_schema.columns \
             WHERE table_name = '{table}' ORDER BY ordinal_position"
        ),
    };
    let rows = store.rows(&sql, vec![]).await.unwrap();
    rows.iter().map(|row| (row.get("name").unwrap(), row.get("type").unwrap())).collect()
}

#[tokio::test]
async fn the_migrated_schema_is_the_described_one() {
    each_engine(async |store| {
        for table in TABLES {
            let found = columns_of(&store, table.table).await;
            let mut expected: Vec<(String, String)> = table
                .all_columns()
                .map(|column| {
                    let sql =
                        column.kind.sql(store.engine()).replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE");
                    (column.name.to_owned(), sql)
                })
                .collect();
            expected.push(("dangling".into(), "BOOLEAN".into()));
            assert_eq!(found, expected, "{}", table.table);
        }
        let found: Vec<String> =
            columns_of(&store, AutonomousSystem::TABLE).await.into_iter().map(|(name, _)| name).collect();
        for column in AutonomousSystem::COLUMNS {
            assert!(found.iter().any(|name| name == column), "{column}");
        }
    })
    .await;
}

#[tokio::test]
async fn migrations_run_once_and_a_newer_schema_is_refused() {
    for database in TestDatabase::each().await {
        let store = Store::open(&database.url).await.unwrap();
        let plan = migrations::plan(&store).await.unwrap();
        let all = plan.pending.len();
        let last = plan.pending.last().unwrap();
        assert!(plan.current == 0 && last.starts_with(&format!("{:04}_", plan.needed)), "{plan:?}");
        assert!(matches!(migrations::verify(&store).await, Err(StoreError::SchemaTooOld { found: 0, .. })));
        // Two at the same moment: one runs them, the other finds nothing to do.
        let (one, two) = tokio::join!(migrations::run(&store, epoch()), migrations::run(&store, epoch()));
        assert_eq!(one.unwrap().len() + two.unwrap().len(), all);
        autonomous_system::create(&store, &author(), vec![AutonomousSystem::new(1, "a", epoch())], epoch())
            .await
            .unwrap();
        assert_eq!(migrations::run(&store, epoch()).await.unwrap(), Vec::<String>::new());
        let mut connection = store.connection().await.unwrap();
        assert_eq!(autonomous_system::all(&mut connection.session()).await.unwrap().len(), 1);
        drop(connection);
        let newer = "INSERT INTO schema_migration (version, name, applied) VALUES (9999, 'future', ?)";
        store.execute(newer, vec![epoch().into()]).await.unwrap();
        for result in [migrations::verify(&store).await, migrations::run(&store, epoch()).await.map(drop)] {
            assert!(matches!(result, Err(StoreError::SchemaTooNew { found: 9999, .. })), "{result:?}");
        }
        store.close().await;
        database.remove().await;
    }
}

/// Lets a future be woken so many times and drops it.
async fn give_up_after(patience: i64, work: impl Future) {
    let mut work = std::pin::pin!(work);
    for _ in 0..=patience {
        if futures::poll!(&mut work).is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_transaction_given_up_while_it_begins_holds_nobody_up() {
    for database in TestDatabase::each().await {
        let store = Store::open(&database.url).await.unwrap();
        migrations::run(&store, epoch()).await.unwrap();
        for patience in 0..60_i64 {
            give_up_after(patience / 3, store.begin()).await;
            let mut connection = store.connection().await.unwrap();
            give_up_after(patience / 3, connection.begin()).await;
            drop(connection);
            // On whichever connection this comes, it is for everybody.
            let sql =
                "INSERT INTO peering_autonomoussystem (created, updated, asn, name) VALUES (?, ?, ?, 'x')";
            store.execute(sql, vec![epoch().into(), epoch().into(), (patience + 1).into()]).await.unwrap();
        }
        store.close().await;
        let again = Store::open(&database.url).await.unwrap();
        let mut connection = again.connection().await.unwrap();
        assert_eq!(autonomous_system::all(&mut connection.session()).await.unwrap().len(), 60);
        drop(connection);
        again.close().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn each_older_schema_comes_up_with_its_data() {
    for older in 1..migrations::needed_version() {
        for database in TestDatabase::each().await {
            let store = Store::open(&database.url).await.unwrap();
            migrations::run_up_to(&store, older, epoch()).await.unwrap();
            assert!(matches!(migrations::verify(&store).await, Err(StoreError::SchemaTooOld { .. })));
            let sql = "INSERT INTO peering_autonomoussystem (created, updated, asn, name, irr_as_set) \
                       VALUES (?, ?, 64496, 'Example', 'AS-EXAMPLE')";
            store.execute(sql, vec![epoch().into(), epoch().into()]).await.unwrap();
            assert!(!migrations::run(&store, epoch()).await.unwrap().is_empty());
            migrations::verify(&store).await.unwrap();
            let mut connection = store.connection().await.unwrap();
            let all = autonomous_system::all(&mut connection.session()).await.unwrap();
            drop(connection);
            let kept: Vec<_> = all.iter().map(|system| (system.asn, system.irr_as_set.as_deref())).collect();
            assert_eq!(kept, [(64_496, Some("AS-EXAMPLE"))]);
            store.close().await;
            database.remove().await;
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    // Everything that a hand-written encoding would trip over, and no NUL, which is not text to a database.
    prop_oneof![
        "[a-z\\\\\t\n\r'\"?$,;{}]{0,20}",
        any::<String>().prop_map(|text| text.replace('\0', "")),
        Just("\\N".to_owned()),
        Just(String::new()),
    ]
}

fn time() -> impl Strategy<Value = DateTime<Utc>> {
    (0_i64..4_102_444_800, 0_u32..1_000_000)
        .prop_map(|(seconds, micros)| DateTime::from_timestamp(seconds, micros * 1000).unwrap())
}

fn value(kind: ColumnKind) -> BoxedStrategy<Value> {
    let some = match kind {
        ColumnKind::Integer => any::<i64>().prop_map(Value::from).boxed(),
        ColumnKind::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        ColumnKind::Float => (-180.0_f64..180.0).prop_map(Value::from).boxed(),
        ColumnKind::Text => text().prop_map(Value::from).boxed(),
        ColumnKind::Json => text().prop_map(|text| Value::json(&json!({ "a": text }))).boxed(),
        ColumnKind::Time => time().prop_map(Value::from).boxed(),
        ColumnKind::Address => proptest::collection::vec(any::<u8>(), 6..18).prop_map(Value::from).boxed(),
    };
    prop_oneof![1 => Just(null_of(kind)), 4 => some].boxed()
}

fn row(table: &'static CacheTable) -> impl Strategy<Value = CacheRow> {
    let values: Vec<_> = table.columns.iter().map(|column| value(column.kind)).collect();
    (any::<i32>(), time(), time(), proptest::option::of(text()), values).prop_map(
        |(id, created, updated, extra, values)| CacheRow {
            id: id.into(),
            status: "ok".into(),
            created,
            updated,
            extra,
            values,
        },
    )
}

async fn take_over(store: &Store, table: &'static CacheTable, rows: Vec<CacheRow>) {
    let mut staging = Staging::open(store).await.unwrap();
    staging.restart(Feed::Snapshot, table).await.unwrap();
    staging.add(Feed::Snapshot, table, rows).await.unwrap();
    staging.finish(Feed::Snapshot, table).await.unwrap();
    let mut transaction = staging.begin().await.unwrap();
    let mut session = transaction.session();
    let run = runs::open(&mut session, None, "full", epoch()).await.unwrap();
    let taking = Taking { feed: Feed::Snapshot, moment: None, now: epoch(), complete: true };
    staging::apply(&mut session, run, taking, table).await.unwrap();
    transaction.commit().await.unwrap();
    staging.close().await.unwrap();
}

#[test]
fn whatever_is_staged_comes_out_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(each_engine(async |store| {
        for table in TABLES {
            let table = table_of(table.namespace).unwrap();
            let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
            let rows: Vec<CacheRow> =
                (0..40).map(|_| row(table).new_tree(&mut runner).unwrap().current()).collect();
            let mut expected: Vec<CacheRow> = rows.clone();
            expected.sort_by_key(|row| (row.id, row.updated));
            expected.reverse();
            expected.dedup_by_key(|row| row.id);
            expected.reverse();
            take_over(&store, table, rows).await;
            let mut found = Vec::new();
            let mut connection = store.connection().await.unwrap();
            lookup::each_live(&mut connection.session(), table, |row| {
                found.push(row);
                Ok(())
            })
            .await
            .unwrap();
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{}", table.namespace);
            }
        }
    }));
}

#[tokio::test]
async fn one_id_twice_keeps_the_newest() {
    each_engine(async |store| {
        let table = table_of("ixpfx").unwrap();
        let row = |name: &str, seconds: i64| CacheRow {
            id: 1,
            status: "ok".into(),
            created: epoch(),
            updated: epoch() + TimeDelta::seconds(seconds),
            extra: None,
            values: vec![1_i64.into(), name.into(), Value::Bytes(None), true.into(), Value::Text(None)],
        };
        take_over(&store, table, vec![row("old", 1), row("new", 3), row("older", 2)]).await;
        let found = store.rows("SELECT protocol FROM peeringdb_ixlanprefix", vec![]).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].get::<String, _>("protocol").unwrap(), "new");
    })
    .await;
}

#[tokio::test]
async fn a_lock_has_one_holder_among_many_who_want_it() {
    each_engine(async |store| {
        let lease = TimeDelta::seconds(60);
        let claims = (0..8).map(|number| {
            let store = store.clone();
            async move {
                let owner = format!("owner {number}");
                locks::claim(&store, "irr", &owner, None, lease, epoch(), |_| false).await.unwrap()
            }
        });
        let claims = futures::future::join_all(claims).await;
        let taken = claims.iter().filter(|claim| matches!(claim, locks::Claim::Taken { .. })).count();
        assert_eq!(taken, 1, "{claims:?}");
    })
    .await;
}

#[tokio::test]
async fn an_unfinished_transaction_leaves_nothing() {
    each_engine(async |store| {
        let mut transaction = store.begin().await.unwrap();
        let mut session = transaction.session();
        let change = Change {
            action: Action::Create,
            model: "x.y",
            object_id: 1,
            object_repr: "x".repeat(500),
            before: None,
            after: Some(json!({})),
        };
        changes::record(&mut session, &author(), std::slice::from_ref(&change), epoch()).await.unwrap();
        drop(transaction);
        let count = async || -> i64 {
            let row = store.row("SELECT COUNT(*) AS count FROM core_objectchange", vec![]).await.unwrap();
            row.unwrap().get("count").unwrap()
        };
        assert_eq!(count().await, 0);
        let mut transaction = store.begin().await.unwrap();
        changes::record(&mut transaction.session(), &author(), &[change], epoch()).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(count().await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_as_number_exists_once() {
    each_engine(async |store| {
        let system = |asn| AutonomousSystem::new(asn, "x", epoch());
        autonomous_system::create(&store, &author(), vec![system(1), system(2)], epoch()).await.unwrap();
        let again = autonomous_system::create(&store, &author(), vec![system(3), system(2)], epoch()).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
        let mut connection = store.connection().await.unwrap();
        let all = autonomous_system::all(&mut connection.session()).await.unwrap();
        assert_eq!(all.iter().map(|system| system.asn).collect::<Vec<_>>(), [1, 2], "all or none");
    })
    .await;
}

#[tokio::test]
async fn a_backup_is_a_whole_database() {
    let directory = tempfile::tempdir().unwrap();
    each_engine(async |store| {
        let system = AutonomousSystem::new(65_000, "kept", epoch());
        autonomous_system::create(&store, &author(), vec![system], epoch()).await.unwrap();
        let file = directory.path().join("copy.db");
        let made = backup::copy_to(&store, &file).await.unwrap();
        if store.engine() == Engine::Postgres {
            assert!(matches!(made, Backup::UseTool(tool) if tool.starts_with("pg_dump")));
            return;
        }
        let again = backup::copy_to(&store, &file).await;
        assert!(matches!(again, Err(StoreError::File { .. })), "{again:?}");
        let copy = Store::open(&format!("sqlite://{}", file.display())).await.unwrap();
        migrations::verify(&copy).await.unwrap();
        assert_eq!(health::damage(&copy).await.unwrap(), Vec::<String>::new());
        let mut connection = copy.connection().await.unwrap();
        assert_eq!(autonomous_system::all(&mut connection.session()).await.unwrap()[0].name, "kept");
    })
    .await;
}

#[tokio::test]
async fn an_unreachable_database_is_named_without_its_password() {
    let url = "postgres://user:hunter2@127.0.0.1:1/nothing";
    let error = Store::open(url).await.err().unwrap().to_string();
    assert!(error.contains("postgres://127.0.0.1:1/nothing") && !error.contains("hunter2"), "{error}");
    let error = Store::open("mysql://user:hunter2@db/x").await.err().unwrap().to_string();
    assert!(error.contains("sqlite:, postgres:") && !error.contains("hunter2"), "{error}");
}

/// A service and a command that begin together on an empty machine.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_open_a_new_database_at_once() {
    for round in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("new.db").display());
        let openings: Vec<_> = (0..6)
            .map(|_| {
                let url = url.clone();
                tokio::spawn(async move { pm_store::Store::open(&url).await.map(drop) })
            })
            .collect();
        for opening in openings {
            opening.await.unwrap().unwrap_or_else(|error| panic!("round {round}: {error}"));
        }
    }
}
