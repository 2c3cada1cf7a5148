//! Secrets are planted in every setting that holds one, and looked for in everything that the program writes.

use std::path::Path;

use crate::support::{Program, Ran, each_engine, lab_with};
use pm_lab::peeringdb::{Fault, FaultKind, Options};
use pm_store::testing::TestDatabase;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const KEY: &str = "canary-of-the-api-key-4f1c";
const PASSWORD: &str = "canary-of-the-password-8a02";
const DATABASE: &str = "canary-of-the-database-77be";
const PROXY: &str = "canary-of-the-proxy-d93a";
const SECRET_KEY: &str = "canary-of-the-secret-key-150c-with-fifty-characters-or-more";
const CANARIES: [&str; 5] = [KEY, PASSWORD, DATABASE, PROXY, SECRET_KEY];
const USER: &str = "planter";

/// The ways to synchronise that print the most.
const WAYS: [&[&str]; 3] = [&[], &["-vv"], &["-vv", "--log-format", "json"]];

/// The canaries in these bytes, also in the form in which basic authentication sends them.
fn found(bytes: &[u8]) -> Vec<String> {
    let basic = [(USER, PASSWORD), (USER, PROXY)].map(|(user, secret)| base64(&format!("{user}:{secret}")));
    let needles = CANARIES.into_iter().map(str::to_owned).chain(basic);
    needles.filter(|needle| bytes.windows(needle.len()).any(|window| window == needle.as_bytes())).collect()
}

/// RFC 4648, section 4.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encode = |chunk: &[u8]| {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digit = |place: usize| char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]);
        (0..4).map(move |place| if place <= chunk.len() { digit(place) } else { '=' }).collect::<String>()
    };
    text.as_bytes().chunks(3).map(encode).collect()
}

fn leaked(ran: &Ran) -> Vec<String> {
    [found(ran.stdout.as_bytes()), found(ran.stderr.as_bytes())].concat()
}

#[track_caller]
fn clean(ran: &Ran) {
    assert_eq!(leaked(ran), [""; 0], "in {ran}");
}

/// A program whose settings hold all canaries.
fn planted(database: &TestDatabase) -> Program {
    let proxies = toml::toml! { https = "http://planter:canary-of-the-proxy-d93a@127.0.0.1:9" };
    let url = database.url.replacen("//pm@", &format!("//pm:{DATABASE}@"), 1);
    Program::with_url(&url)
        .set("peeringdb_api_key", KEY)
        .set("peeringdb_username", USER)
        .set("peeringdb_password", PASSWORD)
        .set("secret_key", SECRET_KEY)
        .set("http_proxies", proxies)
}

/// Nothing in the job records nor anywhere else in the database.
async fn clean_database(program: &Program) {
    for job in program.jobs().await {
        let id = job["id"].to_string();
        for arguments in [vec!["jobs", "show", &id], vec!["jobs", "show", &id, "--json"]] {
            clean(&program.run(arguments).await.expect(0));
        }
    }
    let url = program.database_url();
    match url.strip_prefix("sqlite://") {
        Some(path) => {
            for suffix in ["", "-wal"] {
                let bytes = std::fs::read(Path::new(&format!("{path}{suffix}"))).unwrap_or_default();
                assert_eq!(found(&bytes), [""; 0], "in {path}{suffix}");
            }
            assert!(std::fs::metadata(path).unwrap().len() > 0);
        }
        None => clean_tables(url).await,
    }
}

async fn clean_tables(url: &str) {
    let store = pm_store::Store::open(url).await.unwrap();
    let tables =
        store.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", vec![]).await.unwrap();
    let mut seen = 0;
    for table in &tables {
        let table: String = table.get("tablename").unwrap();
        for row in store.rows(&format!("SELECT t::text AS line FROM {table} t"), vec![]).await.unwrap() {
            let line: String = row.get("line").unwrap();
            assert_eq!(found(line.as_bytes()), [""; 0], "in {table}: {line}");
            seen += 1;
        }
    }
    store.close().await;
    assert!(seen > 0, "no rows were looked at");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_canaries_are_there_to_be_found() {
    each_engine(async |database| {
        let program = planted(database);
        let mut expected: Vec<&str> = CANARIES.to_vec();
        expected.retain(|canary| !program.on_sqlite() || *canary != DATABASE);
        assert_eq!(found(&std::fs::read(program.settings_file()).unwrap()), expected);
    })
    .await;
    assert_eq!(base64("planter:x"), "cGxhbnRlcjp4");
    assert_eq!(found(format!("Basic {}", base64(&format!("{USER}:{PASSWORD}"))).as_bytes()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_show_no_secret() {
    each_engine(async |database| {
        let server =
            lab_with(0.01, 1, Options { api_keys: vec![KEY.to_owned()], ..Options::default() }).await;
        let program = planted(database).asking(&server);
        program.run(["peeringdb_sync"]).await.expect(0);
        let shown = program.run(["config", "show"]).await.expect(0);
        // The settings are shown, only their values are not.
        assert!(shown.stdout.contains("peeringdb_api_key") && shown.stdout.contains("secret_key"), "{shown}");
        let commands: [&[&str]; 11] = [
            &["config", "show"],
            &["config", "check"],
            &["doctor"],
            &["migrate"],
            &["migrate", "--check"],
            &["housekeeping"],
            &["backup", "copy.db"],
            &["jobs", "list"],
            &["peeringdb", "status"],
            &["peeringdb_sync", "--report"],
            &["as", "list"],
        ];
        for command in commands {
            for more in [&["-vv"][..], &["-vv", "--json"], &["-vv", "--log-format", "json"]] {
                clean(&program.run([command, more].concat()).await);
            }
        }
        clean_database(&program).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn synchronisations_leak_no_secret_however_they_end() {
    each_engine(async |database| {
        let knows = Options { api_keys: vec![KEY.to_owned()], ..Options::default() };
        let (server, stranger) =
            (lab_with(0.01, 1, knows).await, lab_with(0.01, 1, Options::default()).await);
        for way in WAYS {
            let arguments = || [&["peeringdb_sync", "--full"], way].concat();
            let program = planted(database).asking(&server);
            clean(&program.run(arguments()).await.expect(0));
            for (kind, says) in [(FaultKind::Internal, "HTTP 500"), (FaultKind::Html, "HTTP 200")] {
                server.fault(None, Fault { times: 0, ..Fault::once(kind) });
                clean(&program.run(arguments()).await.expect(1).says(says));
                server.clear_faults();
            }
            // A key that is not known, a user that is not known, and nobody there.
            let program = planted(database).asking(&stranger);
            clean(&program.run(arguments()).await.expect(1).says("HTTP 401").says("API key"));
            let program = program.unset("peeringdb_api_key");
            clean(&program.run(arguments()).await.expect(1).says("HTTP 401").says("password"));
            let unreachable = planted(database);
            clean(&unreachable.run(arguments()).await.expect(1).says("cannot be reached"));
            clean_database(&unreachable).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_cannot_be_used_is_named_without_its_password() {
    let database = TestDatabase::sqlite();
    let proxy = |scheme: &str, url: &str| {
        let proxies: toml::Table = [(scheme.to_owned(), url.into())].into_iter().collect();
        planted(&database).set("http_proxies", proxies)
    };
    for (scheme, url) in [
        ("http", format!("http://{USER}:{PROXY}@127.0.0.1:9")),
        ("http", format!("http://{USER}:{PROXY}@")),
        ("http", format!("{USER}:{PROXY}")),
        ("gopher", format!("http://{USER}:{PROXY}@127.0.0.1:9")),
    ] {
        let program = proxy(scheme, &url);
        for way in WAYS {
            clean(&program.run([&["peeringdb_sync"], way].concat()).await.expect(1));
        }
        for command in [&["config", "check"][..], &["config", "show"], &["doctor"]] {
            clean(&program.run(command).await);
        }
        clean_database(&program).await;
    }
}

/// Some servers and proxies print what they were sent into their error pages.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_sends_credentials_back_is_not_repeated() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    let echo = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { break };
                head.push(byte);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let line = |line: &&str| line.to_lowercase().starts_with("authorization:");
            let body = head.lines().find(line).unwrap_or("no credentials").to_owned();
            let status = "HTTP/1.1 500 Internal Server Error\r\nConnection: close";
            let answer = format!("{status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            // A client that went away has read enough.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let database = TestDatabase::sqlite();
    let with_key = planted(&database).set("peeringdb_api", url.as_str());
    clean(&with_key.run(["peeringdb_sync", "-vv"]).await.expect(1).says("HTTP 500").says("Api-Key"));
    let with_password = with_key.unset("peeringdb_api_key");
    clean(&with_password.run(["peeringdb_sync", "-vv"]).await.expect(1).says("HTTP 500").says("Basic"));
    clean_database(&with_password).await;
    echo.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn complaints_about_settings_show_no_secret() {
    let database = TestDatabase::sqlite();
    // All are tried, so that one leak does not hide the next.
    let mut leaks = Vec::new();
    let texts = [
        format!("secret_key = \"{SECRET_KEY}\"\npeeringdb_retries = \"many\"\nno_such_key = 1\n"),
        format!("secret_key = \"{SECRET_KEY}\n"),
        format!("secret_key = {SECRET_KEY}\n"),
        format!("secret_key = \"{SECRET_KEY}\"\nsecret_key = \"{SECRET_KEY}\"\n"),
        format!("secret_kee = \"{SECRET_KEY}\"\n"),
        format!("secret_key = [\"{SECRET_KEY}\"]\n"),
        format!("secret_key = {{ value = \"{SECRET_KEY}\" }}\n"),
        format!("peeringdb_api_key = \"{KEY}\" trailing\n"),
        format!("peeringdb_api = \"https://{USER}:{PASSWORD}@peeringdb.example/api\"\n"),
        format!("database_url = \"mysql://pm:{DATABASE}@127.0.0.1/pm\"\n"),
        format!("database_url = \"postgres://pm:{DATABASE}@127.0.0.1:no-port/pm\"\n"),
        format!("database_url = \"postgres://pm:1/{DATABASE}@127.0.0.1:9/pm\"\n"),
        format!("database_url = \"postgres://pm:Sup3r/{DATABASE}@127.0.0.1:9/pm\"\n"),
        format!("database_url = \"postgres://pm:1?{DATABASE}@127.0.0.1:9/pm\"\n"),
        format!("database_url = \"postgres://pm:1?x={DATABASE}@127.0.0.1:9/pm\"\n"),
        format!("database_url = \"postgres://pm:1#{DATABASE}@127.0.0.1:9/pm\"\n"),
        format!("database_url = \"postgres://pm:Sup3r#{DATABASE}@127.0.0.1:9/pm\"\n"),
        format!("database_url = \"postgres://pm:{DATABASE}\"\n"),
        format!("database_url = \"postgres:pm:{DATABASE}@127.0.0.1:9/pm\"\n"),
        format!("database_url = [\"postgres://pm:{DATABASE}@127.0.0.1/pm\"]\n"),
        format!("http_proxies = \"http://{USER}:{PROXY}@127.0.0.1:9\"\n"),
        format!("http_proxies = {{ https = [\"http://{USER}:{PROXY}@127.0.0.1:9\"] }}\n"),
    ];
    for text in texts {
        let program = Program::on(&database);
        program.settings_text(&text);
        let commands: [&[&str]; 5] = [
            &["config", "show"],
            &["config", "check"],
            &["config", "check", "--json"],
            &["doctor"],
            &["as", "list"],
        ];
        for command in commands {
            let ran = program.run([command, &["-vv"]].concat()).await;
            leaks.extend((!leaked(&ran).is_empty()).then(|| ran.to_string()));
        }
        // At least one of them must have complained, or this text proves nothing.
        assert_ne!(program.run(["config", "check"]).await.code, 0, "{text}");
    }
    for (variable, value) in [
        ("PEERING_MANAGER_DATABASE_URL", format!("mysql://pm:{DATABASE}@127.0.0.1/pm")),
        ("PEERING_MANAGER_SECRET_KEE", SECRET_KEY.to_owned()),
        ("PEERING_MANAGER_HTTP_PROXIES", format!("http://{USER}:{PROXY}@127.0.0.1:9")),
        ("PEERING_MANAGER_EMAIL", format!("password={PASSWORD}")),
    ] {
        let program = Program::on(&database).env(variable, &value);
        let ran = program.run(["config", "check", "-vv"]).await.expect(1);
        let doctor = program.run(["doctor", "-vv"]).await;
        leaks.extend([ran, doctor].iter().filter(|ran| !leaked(ran).is_empty()).map(Ran::to_string));
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}
