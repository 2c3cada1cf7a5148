//! Backups, migrations, and what the doctor finds.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Program, asked, assert_same, count_asked, each_engine, files, lab};
use pm_lab::peeringdb::{Fault, FaultKind, Namespace};
use pm_store::testing::TestDatabase;

/// Runs the doctor and gives its findings of one weight.
async fn findings(program: &Program, weight: &str, exit: i32) -> Vec<String> {
    let told = program.run(["doctor", "--json"]).await.expect(exit).json();
    let found = told["findings"].as_array().unwrap();
    found
        .iter()
        .filter(|one| one["weight"] == weight)
        .map(|one| one["text"].as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn assert_told(findings: &[String], text: &str) {
    assert!(findings.iter().any(|finding| finding.contains(text)), "no {text:?} in {findings:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_during_a_run_is_whole() {
    let database = TestDatabase::sqlite();
    let server = lab(0.02, 2).await;
    let program = Program::on(&database).asking(&server);
    program.run(["peeringdb_sync"]).await.expect(0);
    program.run(["as", "add", "64500"]).await.expect(0);
    let held = program.cache().await;
    let before = count_asked(&server, Namespace::Poc);
    server.fault(Some(Namespace::Poc), Fault::once(FaultKind::Hang));
    let running = program.spawn(["peeringdb_sync"]);
    asked(&server, Namespace::Poc, before).await;
    let path = program.path("copy.db");
    let made = program.run(["backup", "copy.db", "--json"]).await.expect(0).json();
    running.signal("TERM").await;
    running.ended().await.expect(1);

    assert_eq!(made["bytes"], std::fs::metadata(&path).unwrap().len());
    assert_eq!(files(path.parent().unwrap()), ["cache", "copy.db", "home", "peering-manager.toml"]);
    let copy = Program::with_url(&format!("sqlite://{}", path.display()));
    assert_same(&copy.cache().await, &held, "in the copy");
    let systems = copy.run(["as", "list", "--json"]).await.expect(0).json();
    assert_eq!(systems, program.run(["as", "list", "--json"]).await.expect(0).json());
    let statuses: Vec<_> = copy.jobs().await.into_iter().map(|job| job["status"].clone()).collect();
    assert_eq!(statuses, ["running", "completed"], "the copy shows the moment at which it was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_overwrites_nothing() {
    let database = TestDatabase::sqlite();
    let program = Program::on(&database);
    std::fs::write(program.path("copy.db"), "precious").unwrap();
    program.run(["backup", "copy.db"]).await.expect(1).says("copy.db").says("exists already");
    assert_eq!(std::fs::read(program.path("copy.db")).unwrap(), b"precious");
    program.run(["backup", "no/such/directory/copy.db"]).await.expect(1).says("no/such/directory/copy.db");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_the_backup_names_its_tool() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let program = Program::on(&database);
    program.run(["backup", "copy.db"]).await.expect(1).says("pg_dump");
    assert!(!program.path("copy.db").exists());
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_says_what_it_would_do_and_does_it_once() {
    each_engine(async |database| {
        let program = Program::on(database);
        for _ in 0..2 {
            let plan = program.run(["migrate", "--check", "--json"]).await.expect(1).json();
            assert_eq!(plan["current"], 0, "a check must do nothing");
            assert_eq!(plan["pending"][0], "0001_initial");
        }
        let ran = program.run(["migrate", "--json"]).await.expect(0).json();
        assert_eq!(ran["ran"][0], "0001_initial");
        let plan = program.run(["migrate", "--check", "--json"]).await.expect(0).json();
        assert_eq!((&plan["current"], &plan["pending"]), (&ran["version"], &serde_json::json!([])));
        assert_eq!(program.run(["migrate", "--json"]).await.expect(0).json()["ran"], serde_json::json!([]));
    })
    .await;
}

/// Two that start at the same moment on an empty database: one sets it up, the other finds it done.
#[tokio::test(flavor = "multi_thread")]
async fn two_first_commands_do_not_get_in_each_others_way() {
    each_engine(async |database| {
        let program = Program::on(database);
        let started: Vec<_> = (0..4).map(|_| program.spawn(["as", "list"])).collect();
        for running in started {
            running.ended().await.expect(0);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_a_filled_database_again_changes_nothing() {
    each_engine(async |database| {
        let server = lab(0.01, 2).await;
        let program = Program::on(database).asking(&server);
        program.run(["peeringdb_sync"]).await.expect(0);
        program.run(["as", "add", "64500"]).await.expect(0);
        let all = async || {
            let systems = program.run(["as", "list", "--json"]).await.expect(0).json();
            (program.cache().await, program.jobs().await, systems)
        };
        let before = all().await;
        program.run(["migrate"]).await.expect(0);
        assert!(before == all().await, "migrate changed what is stored");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_release_is_left_alone() {
    each_engine(async |database| {
        let program = Program::on(database);
        let store = database.open().await;
        let sql = "INSERT INTO schema_migration (version, name, applied) VALUES (9999, 'future', ?)";
        store.execute(sql, vec![pm_store::testing::epoch().into()]).await.unwrap();
        store.close().await;
        let commands: [&[&str]; 6] = [
            &["migrate"],
            &["migrate", "--check"],
            &["peeringdb_sync"],
            &["peeringdb_sync", "--flush"],
            &["as", "add", "64500"],
            &["housekeeping"],
        ];
        for command in commands {
            program.run(command).await.expect(1).says("schema version 9999").says("newer release");
        }
        assert_told(&findings(&program, "error", 1).await, "newer release");
        let store = pm_store::Store::open(&database.url).await.unwrap();
        for table in ["core_job", "peering_autonomoussystem"] {
            let row =
                store.row(&format!("SELECT COUNT(*) AS rows FROM {table}"), vec![]).await.unwrap().unwrap();
            assert_eq!(row.get::<i64, _>("rows").unwrap(), 0, "{table}");
        }
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_sees_what_is_missing_and_what_is_well() {
    each_engine(async |database| {
        let server = lab(0.01, 2).await;
        let program = Program::on(database).asking(&server);
        let nothing = if program.on_sqlite() {
            "does not exist yet; the first command that needs it makes it"
        } else {
            "is empty; the first command that needs it sets it up"
        };
        assert_told(&findings(&program, "warning", 0).await, nothing);
        program.run(["migrate"]).await.expect(0);
        assert_told(&findings(&program, "warning", 0).await, "The PeeringDB cache is empty");
        program.run(["peeringdb_sync"]).await.expect(0);
        let warnings = findings(&program, "warning", 0).await;
        assert!(warnings.iter().all(|warning| warning.contains("peeringdb_api_key")), "{warnings:#?}");

        let store = database.open().await;
        let values = vec![chrono::DateTime::UNIX_EPOCH.into()];
        store.execute("UPDATE peeringdb_watermark SET synchronised = ?", values).await.unwrap();
        store.close().await;
        assert_told(&findings(&program, "warning", 0).await, "days ago");
    })
    .await;
}

/// NAPALM is missed only where it is used, and a router to which no way leads is named.
#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_looks_at_the_way_to_each_router() {
    each_engine(async |database| {
        let program = Program::on(database)
            .set("napalm_python", "/no/such/python")
            .set("napalm_username", "netops")
            .set("secret_key", "k".repeat(50));
        let routers = |arguments: &str| {
            let world = format!(
                "format: peering-manager objects\nversion: 1\n\
                 autonomous_systems:\n  - {{asn: 64500, name: Own, affiliated: true}}\n\
                 platforms:\n  - {{name: XR, slug: xr, napalm_driver: iosxr}}\n\
                 routers:\n  - {{name: edge1, hostname: edge1.example.net, local_autonomous_system: 64500, platform: xr, \
                 napalm_args: {{{arguments}}}}}\n"
            );
            std::fs::write(program.path("world.yaml"), world).unwrap();
        };
        routers("driver: native");
        program.run(["import", "world.yaml"]).await.expect(0);
        let fine = findings(&program, "fine", 0).await;
        assert!(fine.iter().any(|one| one.contains("no router needs it")), "{fine:#?}");
        routers("driver: napalm");
        program.run(["import", "world.yaml"]).await.expect(0);
        assert_told(&findings(&program, "warning", 0).await, "Routers need NAPALM, for iosxr, and it is not there");
        routers("key_file: /no/such/key");
        program.run(["import", "world.yaml"]).await.expect(0);
        let told = findings(&program, "warning", 0).await;
        assert_told(&told, "The router edge1 cannot be worked on: the key file /no/such/key cannot be read");
    })
    .await;
}

/// Whoever only looks makes nothing: a mistyped path would otherwise look like an empty installation from then on.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_makes_no_database() {
    let database = TestDatabase::sqlite();
    let program = Program::on(&database);
    let path = program.path("new.db");
    let program = program.set("database_url", format!("sqlite://{}", path.display()));
    assert_told(
        &findings(&program, "warning", 0).await,
        "new.db does not exist yet; the first command that needs it makes it",
    );
    let plan = program.run(["migrate", "--check", "--json"]).await.expect(1).json();
    assert_eq!((&plan["current"], &plan["pending"][0]), (&0.into(), &"0001_initial".into()));
    let ran = program.run(["migrate", "--check"]).await.expect(1);
    assert!(ran.stdout.contains("new.db: 0001_initial"), "{ran}");
    assert_eq!(files(path.parent().unwrap()), ["home", "peering-manager.toml"]);
    program.run(["migrate"]).await.expect(0);
    assert!(path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_sees_a_lock_that_was_left_behind() {
    each_engine(async |database| {
        let server = lab(0.01, 2).await;
        server.fault(Some(Namespace::Org), Fault::once(FaultKind::Hang));
        let program = Program::on(database).asking(&server);
        let running = program.spawn(["peeringdb_sync"]);
        let process = running.id();
        asked(&server, Namespace::Org, 0).await;
        assert_told(
            &findings(&program, "fine", 0).await,
            &format!("peeringdb_sync is being run by process {process}"),
        );
        running.kill().await;
        let expected = format!("The lock peeringdb_sync was left behind by process {process}");
        assert_told(&findings(&program, "warning", 0).await, &expected);
        program.run(["peeringdb_sync"]).await.expect(0);
        let warnings = findings(&program, "warning", 0).await;
        assert!(!warnings.iter().any(|warning| warning.contains("left behind")), "{warnings:#?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_sees_files_that_anybody_can_read() {
    let database = TestDatabase::sqlite();
    let program = Program::on(&database).set("secret_key", "k".repeat(50));
    let told = async |program: &Program| findings(program, "warning", 0).await;
    assert!(told(&program).await.iter().all(|warning| !warning.contains("can read it")));
    program.settings_mode(0o644);
    assert_told(&told(&program).await, "holds secret_key and every user of this host can read it");

    let path = program.path("secret");
    std::fs::write(&path, "k".repeat(50)).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let program = program.unset("secret_key").set("secret_key_file", "secret");
    assert_told(
        &told(&program).await,
        "secret (secret_key_file) holds a secret and every user of this host can read",
    );
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(told(&program).await.iter().all(|warning| !warning.contains("can read")));
}

/// Whoever runs a command as root in the service's directory makes files that the service cannot open.
#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_sees_a_database_of_another_user() {
    let database = TestDatabase::sqlite();
    let program = Program::on(&database);
    let directory = program.path("state");
    std::fs::create_dir(&directory).unwrap();
    let file = directory.join("pm.db");
    let program = program.set("database_url", format!("sqlite://{}?mode=rwc", file.display()));
    program.run(["migrate"]).await.expect(0);
    let foreign = "belongs to another user (number 0) than its directory (number 65534)";
    let told = findings(&program, "warning", 0).await;
    assert!(told.iter().all(|warning| !warning.contains("belongs to another user")), "{told:#?}");
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("skipped: not root, so no directory can be given to another user");
        return;
    }
    std::os::unix::fs::chown(&directory, Some(65_534), None).unwrap();
    let told = findings(&program, "warning", 0).await;
    assert_told(&told, &format!("{} {foreign}", file.display()));
    assert_told(&told, &format!("`chown --reference={} {}`", directory.display(), file.display()));
    std::os::unix::fs::chown(&file, Some(65_534), None).unwrap();
    let told = findings(&program, "warning", 0).await;
    assert!(
        told.iter().all(|warning| !warning.contains(&format!("{} belongs", file.display()))),
        "{told:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_what_cannot_be_opened() {
    // Nobody listens on this port.
    let program = Program::with_url("postgres://pm:hidden@127.0.0.1:9/pm");
    let errors = findings(&program, "error", 1).await;
    assert_told(&errors, "cannot open the database postgres://127.0.0.1:9/pm");
    assert_told(&errors, "refused");
    assert!(errors.iter().all(|error| !error.contains("hidden")), "{errors:?}");

    let program = Program::with_url("sqlite:///no/such/directory/pm.db");
    assert_told(&findings(&program, "error", 1).await, "/no/such/directory/pm.db");

    let database = TestDatabase::sqlite();
    let program = Program::on(&database);
    std::fs::write(program.path("pm.db"), "this is no database, and long enough to be looked at".repeat(100))
        .unwrap();
    let program = Program::with_url(&format!("sqlite://{}", program.path("pm.db").display()));
    assert_told(&findings(&program, "error", 1).await, "not a database");

    let missing = Program::on(&database).env("PEERING_MANAGER_CONFIG", "/no/such/file.toml");
    assert_told(&findings(&missing, "error", 1).await, "/no/such/file.toml");
}

/// The server's clock is one that a function of ours makes.
#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_are_apart_are_named() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let store = database.open().await;
    let name: String = store.row("SELECT current_database()", vec![]).await.unwrap().unwrap().get(0).unwrap();
    let program = Program::on(&database);
    assert!(findings(&program, "error", 0).await.is_empty());
    for sql in [
        "CREATE SCHEMA ahead",
        "CREATE FUNCTION ahead.clock_timestamp() RETURNS TIMESTAMPTZ LANGUAGE sql AS \
         $$SELECT pg_catalog.clock_timestamp() + INTERVAL '5 minutes'$$",
        &format!("ALTER DATABASE {name} SET search_path = ahead, public, pg_catalog"),
    ] {
        store.execute(sql, vec![]).await.unwrap();
    }
    assert_told(&findings(&program, "error", 1).await, "s behind the database server's");
    program.run(["worker", "--once"]).await.expect(0).says("s behind the database server's");
    store.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_sees_what_waits_although_somebody_is_at_work() {
    each_engine(async |database| {
        let (store, program) = (database.open().await, Program::on(database));
        let now = pm_tasks::Clock::now(&pm_tasks::SystemClock);
        for queue in ["routers", "data"] {
            let new = pm_store::jobs::NewJob {
                job_id: format!("00000000-0000-0000-0000-{queue:0>12.12}"),
                name: String::new(),
                task: queue.to_owned(),
                arguments: serde_json::json!({}),
                user_id: None,
            };
            pm_store::queue::add(&store, &pm_store::queue::Ask::new(new, queue), now).await.unwrap();
        }
        let serves = ["data".to_owned()];
        pm_store::queue::sign_on(&store, "far/boot/ns/1/1", 1, &serves, now).await.unwrap();
        let sql = "INSERT INTO extras_event (time, kind, subject, title, message, data) \
                   VALUES (?, 'session down', '', '', '', '{}')";
        store.execute(sql, vec![now.into()]).await.unwrap();
        let warnings = findings(&program, "warning", 0).await;
        assert_told(&warnings, "1 jobs of the queue routers wait, and no worker serves it");
        assert!(
            !warnings.iter().any(|one| one.contains("queue data") || one.contains("events")),
            "{warnings:?}"
        );
        let sql = "UPDATE extras_event SET time = ?";
        store.execute(sql, vec![(now - chrono::TimeDelta::minutes(20)).into()]).await.unwrap();
        let warnings = findings(&program, "warning", 0).await;
        assert_told(&warnings, "1 events that rules ask for wait since");
        assert_told(&warnings, "although workers are at work");
        store.close().await;
    })
    .await;
}
