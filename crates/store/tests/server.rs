//! What a PostgreSQL server is told to do for our connections.

use std::time::{Duration, Instant};

use pm_store::testing::{TestDatabase, epoch};
use pm_store::{Session, Store, StoreError, locks};

async fn shown(session: &mut Session<'_>, setting: &str) -> String {
    session.row(&format!("SHOW {setting}"), vec![]).await.unwrap().unwrap().get(0).unwrap()
}

/// The database, with settings in its URL.
fn with(database: &TestDatabase, settings: &[(&str, &str)]) -> String {
    let set: Vec<String> = settings.iter().map(|(name, value)| format!("options[{name}]={value}")).collect();
    let sign = if database.url.contains('?') { '&' } else { '?' };
    format!("{}{sign}{}", database.url, set.join("&"))
}

#[tokio::test]
async fn a_connection_waits_for_nobody_without_end_unless_somebody_wants_it() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let store = database.open().await;
    let mut connection = store.connection().await.unwrap();
    let mut session = connection.session();
    for (setting, value) in [
        ("lock_timeout", "15s"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("tcp_keepalives_idle", "15"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_keepalives_count", "3"),
        ("client_connection_check_interval", "10s"),
    ] {
        assert_eq!(shown(&mut session, setting).await, value, "{setting}");
    }
    // What is only read may be worked on for as long as it takes.
    let mut reading = store.begin_reading().await.unwrap();
    assert_eq!(shown(&mut reading.session(), "idle_in_transaction_session_timeout").await, "0");
    reading.rollback().await.unwrap();
    // What the URL or an administrator says counts.
    let name = shown(&mut session, "search_path").await;
    assert_eq!(name, "\"$user\", public");
    let database_name: String =
        session.row("SELECT current_database()", vec![]).await.unwrap().unwrap().get(0).unwrap();
    let sql = format!("ALTER DATABASE {database_name} SET tcp_keepalives_idle = '40'");
    session.execute(&sql, vec![]).await.unwrap();
    let other = Store::open(&with(&database, &[("lock_timeout", "3s")])).await.unwrap();
    let mut second = other.connection().await.unwrap();
    assert_eq!(shown(&mut second.session(), "lock_timeout").await, "3s");
    assert_eq!(shown(&mut second.session(), "tcp_keepalives_idle").await, "40");
    assert_eq!(shown(&mut second.session(), "tcp_keepalives_count").await, "3");
    drop((connection, second));
    other.close().await;
    store.close().await;
    database.remove().await;
}

#[tokio::test]
async fn a_row_that_somebody_keeps_is_busy_after_a_while() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let store = database.open().await;
    let lease = chrono::TimeDelta::seconds(1);
    locks::claim(&store, "irr", "one", None, lease, epoch(), |_| false).await.unwrap();
    let mut write = store.begin().await.unwrap();
    write.session().execute("UPDATE core_lock SET expires = expires", vec![]).await.unwrap();
    let other = Store::open(&with(&database, &[("lock_timeout", "200")])).await.unwrap();
    let late = epoch() + chrono::TimeDelta::seconds(9);
    let claimed = locks::claim(&other, "irr", "two", None, lease, late, |_| false).await;
    assert!(matches!(claimed, Err(StoreError::Busy)), "{claimed:?}");
    write.rollback().await.unwrap();
    other.close().await;
    store.close().await;
    database.remove().await;
}

/// As of a process that was suspended in the middle of a write.
#[tokio::test]
async fn a_write_that_is_left_alone_is_ended_and_may_be_done_again() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let store = database.open().await;
    let short = [("idle_in_transaction_session_timeout", "200")];
    let suspended = Store::open(&with(&database, &short)).await.unwrap();
    let mut write = suspended.begin().await.unwrap();
    let sql = "INSERT INTO core_lock (key, fence, acquired, expires) VALUES ('irr', 0, ?, ?)";
    write.session().execute(sql, vec![epoch().into(), epoch().into()]).await.unwrap();
    let mut reading = suspended.begin_reading().await.unwrap();
    let began = Instant::now();
    let open = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction' \
                AND query LIKE 'INSERT%'";
    while store.row(open, vec![]).await.unwrap().is_some() {
        assert!(began.elapsed() < Duration::from_secs(30), "it is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let error = write.session().execute("SELECT 1", vec![]).await.unwrap_err();
    assert!(error.may_pass(), "{error}");
    assert!(reading.session().row("SELECT 1", vec![]).await.unwrap().is_some(), "one that reads stays");
    drop((write, reading));
    suspended.close().await;
    store.close().await;
    database.remove().await;
}
