//! What every cron line and script relies on: exit codes, flags, streams and shapes of output.

use std::process::Stdio;

use crate::support::{Program, assert_same, each_engine, files, lab, oracle};
use pm_lab::peeringdb::{Advance, Caller, Fault, FaultKind, Namespace, Server};
use pm_store::testing::TestDatabase;

#[tokio::test(flavor = "multi_thread")]
async fn wrong_command_lines_end_with_2() {
    let database = TestDatabase::sqlite();
    let program = Program::on(&database);
    let wrong: [(&[&str], &str); 12] = [
        (&[], "Usage"),
        (&["no-such-command"], "no-such-command"),
        (&["peeringdb_sync", "--no-such-flag"], "--no-such-flag"),
        (&["peeringdb_sync", "--flush", "--full"], "cannot be used with"),
        (&["peeringdb_sync", "--flush", "--tasks"], "--flush"),
        (&["peeringdb_sync", "-q", "-v"], "cannot be used with"),
        (&["as", "add", "AS0"], "an AS number is between 1 and 4294967295"),
        (&["as", "add"], "required"),
        (&["jobs", "list", "--status", "sleeping"], "pending, running, completed"),
        (
            &["jobs", "list", "--task", "peeringdb_snyc"],
            "did you mean peeringdb_sync? there are housekeeping, ",
        ),
        (&["jobs", "list", "--task", "reboot"], "there is no task \"reboot\"; there are housekeeping, "),
        (&["run", "--listen", "127.0.0.1:0", "--no-listen"], "cannot be used with"),
    ];
    for (arguments, says) in wrong {
        let ran = program.run(arguments).await.expect(2).says(says);
        assert_eq!(ran.stdout, "", "{ran}");
    }
    assert!(program.run(["--help"]).await.expect(0).stdout.contains("75 try later"));
    assert!(program.run(["--version"]).await.expect(0).stdout.starts_with("peering-manager "));
}

/// A PeeringDB that says that nearly everything is gone.
#[tokio::test(flavor = "multi_thread")]
async fn mass_deletion_ends_with_3_unless_forced() {
    each_engine(async |database| {
        let server = lab(0.02, 4).await;
        let program = Program::on(database).asking(&server);
        program.run(["peeringdb_sync"]).await.expect(0);
        let own: Vec<(u64, u64)> = server.world().networks().into_iter().rev().take(2).collect();
        for (_, asn) in &own {
            program.run(["as", "add", &asn.to_string()]).await.expect(0);
        }
        let (old, status) = (program.cache().await, program.status().await);
        for arguments in [&["peeringdb_sync", "--json"][..], &["peeringdb_sync", "--full", "--json"]] {
            server.fault(Some(Namespace::Net), Fault { times: 0, ..Fault::once(FaultKind::MassDelete) });
            let mut ran = program.run(arguments).await.expect(3).says("net would lose").says("--force");
            server.clear_faults();
            for (id, asn) in &own {
                let name = old["net"][id]["name"].as_str().unwrap();
                ran = ran.says(&format!("AS{asn} {name}"));
            }
            assert_eq!((&ran.json()["status"], &ran.json()["exit"]), (&"failed".into(), &3.into()));
            assert_eq!(program.status().await, status);
        }
        assert_same(&program.cache().await, &old, "after the refusals");

        server.fault(Some(Namespace::Net), Fault { times: 0, ..Fault::once(FaultKind::MassDelete) });
        program.run(["peeringdb_sync", "--force"]).await.expect(0).says("overruled with --force");
        server.clear_faults();
        assert!(program.cache().await["net"].is_empty(), "PeeringDB said that all networks are gone");
        let kept = program.run(["as", "list", "--json"]).await.expect(0).json();
        assert_eq!(
            kept["autonomous_systems"].as_array().unwrap().len(),
            own.len(),
            "they are not PeeringDB's"
        );

        program.run(["peeringdb_sync", "--full"]).await.expect(0);
        assert_same(
            &program.cache().await,
            &oracle(&server, Caller::Anonymous),
            "when PeeringDB was itself again",
        );
    })
    .await;
}

/// Every command that has output, with what it needs to have some.
fn commands(server: &Server, sqlite: bool) -> Vec<Vec<String>> {
    let (asn, ix) = {
        let world = server.world();
        (world.networks()[0].1.to_string(), world.live(Namespace::Ix, Caller::Anonymous)[0]["id"].to_string())
    };
    let mut commands = vec![
        "migrate --check",
        "migrate",
        "peeringdb_sync",
        "peeringdb_sync --full",
        "peeringdb-sync",
        "peeringdb_sync --report",
        "peeringdb status",
        "peeringdb export exported",
        "as add 64500",
        "as list",
        "jobs list",
        "jobs show 1",
        "housekeeping --tasks",
        "jobs cancel 4",
        "worker --once",
        "housekeeping --dry-run",
        "housekeeping",
        "config show",
        "config check",
        "config init",
        "config import configuration.py",
        "doctor",
        "manual pages",
        "peeringdb_sync --from exported",
    ];
    if sqlite {
        commands.push("backup copy.db");
    }
    let mut commands: Vec<String> = commands.into_iter().map(str::to_owned).collect();
    commands.extend([
        format!("peeringdb net {asn}"),
        format!("peeringdb ix {ix}"),
        "peeringdb_sync --flush".to_owned(),
    ]);
    commands.iter().map(|command| command.split(' ').map(str::to_owned).collect()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn json_gives_one_object_for_every_command() {
    each_engine(async |database| {
        let server = lab(0.01, 4).await;
        let program = Program::on(database).asking(&server);
        std::fs::write(program.path("configuration.py"), "ALLOWED_HOSTS = ['*']\n").unwrap();
        for command in commands(&server, program.on_sqlite()) {
            let ran = program.run(command.iter().map(String::as_str).chain(["--json"])).await;
            // On an empty database a check says that something would run.
            let ran = if command == ["migrate", "--check"] { ran.expect(1) } else { ran.expect(0) };
            assert!(!ran.json().as_object().unwrap().is_empty(), "{ran}");
        }
        let failed =
            program.set("peeringdb_api", "http://127.0.0.1:9/api").run(["peeringdb_sync", "--json"]).await;
        assert_eq!(failed.expect(1).json()["status"], "failed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_is_silent_when_all_is_well() {
    each_engine(async |database| {
        let server = lab(0.01, 4).await;
        let program = Program::on(database).asking(&server);
        let mut silent: Vec<&[&str]> = vec![
            &["migrate"],
            &["migrate", "--check"],
            &["peeringdb_sync"],
            &["peeringdb_sync", "--full"],
            &["peeringdb", "export", "exported"],
            &["peeringdb_sync", "--from", "exported"],
            &["housekeeping"],
            &["config", "check"],
            &["manual", "pages"],
            &["peeringdb_sync", "--flush"],
        ];
        if program.on_sqlite() {
            silent.push(&["backup", "copy.db"]);
        }
        for command in silent {
            let ran = program.run([command, &["-q"]].concat()).await.expect(0);
            assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""), "{ran}");
        }
        // Not so when something is wrong.
        let failing = program.set("peeringdb_api", "http://127.0.0.1:9/api");
        failing.run(["peeringdb_sync", "-q"]).await.expect(1).says("cannot be reached");
    })
    .await;
}

/// What was partly done is only a warning among the lines of a run, and still no reason for cron to send no mail.
#[tokio::test(flavor = "multi_thread")]
async fn quiet_tells_what_was_partly_done() {
    let database = TestDatabase::sqlite();
    let server = lab(0.01, 4).await;
    server.fault(Some(Namespace::Fac), Fault { times: 0, ..Fault::once(FaultKind::NoId) });
    let program = Program::on(&database).asking(&server);
    for format in ["text", "json"] {
        let ran = program.run(["peeringdb_sync", "--full", "-q", "--log-format", format]).await.expect(4);
        let ran = ran.says("error: ").says("could not be stored");
        assert_eq!((ran.stdout.as_str(), ran.stderr.lines().count()), ("", 1), "{ran}");
    }
    // What failed is said once, not twice.
    server.fault(None, Fault { times: 0, ..Fault::once(FaultKind::Internal) });
    let ran = program.run(["peeringdb_sync", "-q"]).await.expect(1).says("nothing was stored");
    assert_eq!(ran.stderr.matches("nothing was stored").count(), 1, "{ran}");
}

/// Everybody can write anything into a record of PeeringDB, and a terminal obeys what it is shown.
#[tokio::test(flavor = "multi_thread")]
async fn text_from_outside_does_not_steer_the_terminal() {
    const NAME: &str = "Evil\u{1b}[2J\u{7}Net\u{9b}31m\rworks\nError: none";
    let database = TestDatabase::sqlite();
    let server = lab(0.01, 4).await;
    let program = Program::on(&database).asking(&server);
    program.run(["peeringdb_sync"]).await.expect(0);
    let (ix, net, asn) = {
        let world = server.world();
        let live = |namespace| world.live(namespace, Caller::Anonymous);
        let lan = live(Namespace::Netixlan).swap_remove(0);
        (lan["ix_id"].as_u64().unwrap(), lan["net_id"].as_u64().unwrap(), lan["asn"].to_string())
    };
    program.run(["as", "add", &asn]).await.expect(0);
    let patch = serde_json::json!({ "name": NAME, "notes": format!("two\r\nlines {NAME}") });
    for (namespace, id) in [(Namespace::Net, net), (Namespace::Ix, ix)] {
        server.world().edit(namespace, id, &patch).unwrap();
    }
    let ix = ix.to_string();
    let commands: [&[&str]; 8] = [
        &["peeringdb_sync", "-vv"],
        &["peeringdb_sync", "--report"],
        &["peeringdb", "net", &asn],
        &["peeringdb", "ix", &ix],
        &["as", "list"],
        &["jobs", "list"],
        &["jobs", "show", "2"],
        &["doctor"],
    ];
    for command in commands {
        let ran = program.run(command).await.expect(0);
        let steers = |letter: char| letter.is_control() && letter != '\n';
        assert!(!ran.stdout.contains(steers) && !ran.stderr.contains(steers), "{ran:?}");
    }
    let shown = program.run(["peeringdb", "net", &asn]).await.expect(0).never_says("_absent");
    assert!(
        shown.stdout.contains("two\n    lines Evil\u{fffd}[2J\u{fffd}Net\u{fffd}31m\u{fffd}works"),
        "{shown}"
    );
    // A program gets what PeeringDB holds.
    let record =
        program.run(["peeringdb", "net", &asn, "--json"]).await.expect(0).never_says("_absent").json();
    assert_eq!(record["net"]["name"], NAME);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_spellings_of_the_command_are_the_same() {
    let database = TestDatabase::sqlite();
    let server = lab(0.01, 4).await;
    let program = Program::on(&database).asking(&server);
    program.run(["peeringdb-sync"]).await.expect(0).says("Synchronisation finished");
    program.run(["peeringdb_sync"]).await.expect(0).says("Nothing to synchronise");
    let tasks: Vec<_> = program.jobs().await.into_iter().map(|job| job["task"].clone()).collect();
    assert_eq!(tasks, ["peeringdb_sync", "peeringdb_sync"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_gets_plain_lines() {
    let database = TestDatabase::sqlite();
    let server = lab(0.01, 4).await;
    let program = Program::on(&database).asking(&server);
    let commands: [&[&str]; 7] = [
        &["peeringdb_sync", "-vv"],
        &["doctor"],
        &["peeringdb", "status"],
        &["config", "check"],
        &["--help"],
        &["no-such-command"],
        &["peeringdb_sync", "--report", "77"],
    ];
    for command in commands {
        program.run(command).await.never_says("\u{1b}").never_says("\r");
    }
    let coloured = program.run(["doctor", "--color", "always"]).await.expect(0);
    assert!(coloured.stdout.contains('\u{1b}'), "{coloured}");

    server.world().advance(&Advance { percent: 5.0, ..Advance::day() });
    let ran = program.run(["peeringdb_sync", "-vv", "--log-format", "json"]).await.expect(0);
    for line in ran.stderr.lines() {
        let line: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line.is_object());
    }
    assert!(ran.stderr.lines().count() > 13, "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_setting_is_refused_with_a_suggestion() {
    let database = TestDatabase::sqlite();
    let program = Program::on(&database);
    program.settings_text("log_level = \"info\"\npeeringdb_apikey = \"x\"\nsync_max_delete_percent = 120\n");
    for command in [&["peeringdb_sync"][..], &["config", "check"], &["as", "list"]] {
        let ran = program.run(command).await.expect(1);
        let ran = ran.says("peering-manager.toml line 2").says("did you mean peeringdb_api_key?");
        ran.says("line 3: sync_max_delete_percent = 120");
    }
    program.run(["as", "list", "--config", "elsewhere.toml"]).await.expect(1).says("elsewhere.toml");
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_and_manual_pages_are_made() {
    let database = TestDatabase::sqlite();
    let program = Program::on(&database);
    for shell in ["bash", "zsh", "fish"] {
        let script = program.run(["completions", shell]).await.expect(0).stdout;
        // Fish writes options without their hyphens.
        for word in ["peeringdb_sync", "housekeeping", "flush", "dry-run"] {
            assert!(script.contains(word), "{word} in the completions for {shell}");
        }
    }
    program.run(["manual", "pages"]).await.expect(0);
    let pages = files(&program.path("pages"));
    for page in ["peering-manager.1", "peering-manager-peeringdb_sync.1", "peering-manager-jobs-show.1"] {
        assert!(pages.iter().any(|one| one == page), "{page} in {pages:?}");
    }
    for page in pages {
        let text = std::fs::read_to_string(program.path("pages").join(&page)).unwrap();
        assert!(text.contains(".TH peering-manager"), "{page}: {text}");
    }
    let sync = std::fs::read_to_string(program.path("pages/peering-manager-peeringdb_sync.1")).unwrap();
    assert!(sync.contains("mass deletion"), "{sync}");
}

/// `peering-manager … | head`: whoever went away has read enough.
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_pipe_is_no_reason_to_panic() {
    let database = TestDatabase::sqlite();
    let server = lab(0.01, 4).await;
    let program = Program::on(&database).asking(&server);
    program.run(["peeringdb_sync"]).await.expect(0);
    let commands: [&[&str]; 8] = [
        &["--help"],
        &["completions", "bash"],
        &["config", "init"],
        &["peeringdb", "status"],
        &["jobs", "list", "--json"],
        &["doctor"],
        &["peeringdb_sync"],
        &["no-such-command"],
    ];
    for command in commands {
        // The reading end is closed before the program starts, so that it cannot win the race.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let errors = writer.try_clone().unwrap();
        let mut closed = program.command(command);
        let ran = closed.stdout(Stdio::from(writer)).spawn().unwrap().wait_with_output().await.unwrap();
        let said = String::from_utf8(ran.stderr).unwrap();
        assert!(!said.contains("panicked"), "{command:?}: {said}");
        let expected = if command == ["no-such-command"] { 2 } else { 0 };
        assert_eq!(ran.status.code(), Some(expected), "{command:?}: {said}");
        let status = program
            .command(command)
            .stdout(Stdio::null())
            .stderr(Stdio::from(errors))
            .status()
            .await
            .unwrap();
        assert_eq!(status.code(), Some(expected), "{command:?} with stderr closed");
    }
}
