//! The units for systemd, the file for cron and the stand-ins for manage.py, as they come onto a host.

use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::{Program, Ran, lab, until};
use pm_store::testing::TestDatabase;
use tokio::process::Command;

/// The five lines of the original's manual.
const LINES: [&str; 5] = [
    "30 1 * * * user /opt/peering-manager/venv/bin/python3 /opt/peering-manager/manage.py housekeeping",
    "30 2 * * * user /opt/peering-manager/venv/bin/python3 /opt/peering-manager/manage.py peeringdb_sync",
    "55 * * * * user /opt/peering-manager/venv/bin/python3 /opt/peering-manager/manage.py configure_routers",
    "0  * * * * user /opt/peering-manager/venv/bin/python3 /opt/peering-manager/manage.py poll_bgp_sessions",
    "30 4 * * * user /opt/peering-manager/venv/bin/python3 /opt/peering-manager/manage.py grab_prefixes",
];

/// How exposed a service may be at most, in systemd's words; `systemd-analyze security` takes ten times that.
const EXPOSURE: f64 = 2.0;

fn contrib() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn units(root: &Path) -> PathBuf {
    root.join("etc/systemd/system")
}

/// The units of a directory with this ending.
fn ending(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.to_str().unwrap().ends_with(ending)).collect();
    files.sort();
    assert!(!files.is_empty(), "no {ending} in {}", directory.display());
    files
}

async fn install(program: &Program, root: &Path, more: &[&str]) -> Ran {
    program.run([&["install-units", "--root", root.to_str().unwrap()], more].concat()).await
}

/// Whether there is such a program here; CI installs it.
fn has(name: &str) -> bool {
    let there = ["/usr/bin", "/bin"].iter().any(|directory| Path::new(directory).join(name).exists());
    if !there {
        eprintln!("skipped: {name} is not installed");
    }
    there
}

/// Runs a program of the host to its end: whether it was content, and all that it said.
async fn tool(name: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(name).args(arguments).output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn units_are_understood_and_hardened() {
    let database = TestDatabase::sqlite();
    let program = Program::on(&database);
    for way in ["--timers", "--scheduler"] {
        let root = program.path(way);
        install(&program, &root, &[way]).await.expect(0);
        if !has("systemd-analyze") {
            return;
        }
        let directory = units(&root);
        for unit in ending(&directory, "") {
            // A template is looked at as one of its instances.
            let unit = unit.to_str().unwrap().replace("@.", "@1.");
            let (content, said) = tool("systemd-analyze", &["verify", "--man=no", &unit]).await;
            assert!(content && said.is_empty(), "{unit}: {said}");
        }
        for unit in ending(&directory, ".service") {
            let (_, said) =
                tool("systemd-analyze", &["security", "--offline=true", unit.to_str().unwrap()]).await;
            let level = said
                .rsplit_once("exposure level for ")
                .and_then(|(_, rest)| rest.split_once(": ")?.1.split(' ').next()?.parse::<f64>().ok());
            let level = level.unwrap_or_else(|| panic!("no level in {said}"));
            assert!(level < EXPOSURE, "{}: {said}", unit.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_is_enabled_as_the_original_says_and_then_keeps_the_scheduler_out() {
    let database = TestDatabase::sqlite();
    let program = Program::on(&database);
    let root = program.path("root");
    let said = install(&program, &root, &["--timers"]).await.expect(0);
    let command = "systemctl enable --now peering-manager_peeringdb-sync.timer";
    assert!(said.stdout.contains(command), "{said}");
    let enabled = units(&root).join("timers.target.wants/peering-manager_peeringdb-sync.timer");
    if has("systemctl") {
        let at = format!("--root={}", root.display());
        let (content, said) =
            tool("systemctl", &[&at, "enable", "peering-manager_peeringdb-sync.timer"]).await;
        assert!(content && enabled.is_symlink(), "{said}");
        let (content, said) = tool("systemctl", &[&at, "enable", "peering-manager-worker@1"]).await;
        assert!(content, "{said}");
        let (content, said) = tool("systemctl", &[&at, "is-enabled", "peering-manager-rqworker@1"]).await;
        assert!(content, "the name that the original has: {said}");
    } else {
        std::fs::create_dir_all(enabled.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(units(&root).join("peering-manager_peeringdb-sync.timer"), &enabled)
            .unwrap();
    }
    for other in ["--scheduler", "--cron"] {
        install(&program, &root, &[other])
            .await
            .expect(3)
            .says("the timer peering-manager_peeringdb-sync.timer starts peeringdb_sync already")
            .says("nothing was written");
    }
    assert!(!units(&root).join("peering-manager.service").exists());
    std::fs::remove_file(enabled).unwrap();
    install(&program, &root, &["--cron"]).await.expect(0);
    install(&program, &root, &["--scheduler"]).await.expect(3).says("/etc/cron.d/peering-manager starts");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_wrote_stays() {
    let database = TestDatabase::sqlite();
    let program = Program::on(&database);
    let root = program.path("root");
    let unit = units(&root).join("peering-manager.service");
    let dry = install(&program, &root, &["--dry-run"]).await.expect(0);
    assert!(
        dry.stdout.contains("peering-manager.service: would be written")
            && dry.stdout.contains("\nWatchdogSec=")
    );
    assert!(!root.exists(), "a dry run writes nothing");

    install(&program, &root, &["--user", "noc", "--binary", "/opt/pm"]).await.expect(0);
    let text = read(&unit);
    assert!(text.contains("\nExecStart=/opt/pm run\n") && text.contains("\nUser=noc\nGroup=noc\n"), "{text}");
    assert!(text.contains(&format!("PEERING_MANAGER_CONFIG={}\n", program.settings_file().display())));
    // What nobody touched is replaced, and what is as it should be is left.
    install(&program, &root, &[]).await.expect(0);
    let again = install(&program, &root, &["--json"]).await.expect(0).json();
    assert_eq!(again["files"][0]["found"], "same", "{again}");

    let changed = read(&unit).replace("RestartSec=30", "RestartSec=5");
    std::fs::write(&unit, &changed).unwrap();
    let worker = units(&root).join("peering-manager-worker@.service");
    std::fs::remove_file(&worker).unwrap();
    install(&program, &root, &[])
        .await
        .expect(3)
        .says("peering-manager.service was written or changed by a person");
    assert_eq!(read(&unit), changed);
    assert!(!worker.exists(), "it is all or nothing");
    install(&program, &root, &["--force"]).await.expect(0);
    assert!(worker.exists() && !read(&unit).contains("RestartSec=5"));
    assert_eq!(read(units(&root).join("peering-manager.service.old")), changed);

    for wrong in [&["--user", "a b"][..], &["--binary", "relative/pm"], &["--timers", "--cron"]] {
        install(&program, &root, wrong).await.expect(2);
    }
}

/// Each task at the same times, whoever starts it.
#[test]
fn the_times_are_those_of_the_original() {
    let units = contrib().join("systemd");
    for (timer, when) in [
        ("housekeeping", "daily"),
        ("peeringdb-sync", "02:30:00"),
        ("prefix-fetch", "04:30:00"),
        ("session-poll", "*:00:00"),
        ("configuration-deployment", "*:55:00"),
    ] {
        let text = read(units.join(format!("peering-manager_{timer}.timer")));
        for line in [&format!("OnCalendar={when}"), "Persistent=true", "WantedBy=timers.target"] {
            assert!(text.lines().any(|one| one == line), "{timer}: no {line}");
        }
    }
    let of_the_file = read(contrib().join("cron/peering-manager"));
    let at = |line: &str| line.split_whitespace().take(5).collect::<Vec<_>>().join(" ");
    let task = |line: &str| line.split_whitespace().last().unwrap().to_owned();
    let lines = of_the_file.lines().filter(|line| line.contains("/usr/local/bin/peering-manager -q"));
    let lines: BTreeSet<_> = lines.map(|line| (task(line), at(line.trim_start_matches('#')))).collect();
    assert_eq!(lines, LINES.iter().map(|line| (task(line), at(line))).collect());
}

/// What units and crontabs start is there, with these flags.
#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_started_is_a_command() {
    let mut commands = BTreeSet::new();
    for unit in ending(&contrib().join("systemd"), ".service") {
        let command = read(&unit).lines().find_map(|line| line.strip_prefix("ExecStart=").map(str::to_owned));
        commands.insert(command.unwrap().replace("/usr/local/bin/peering-manager ", ""));
    }
    assert_eq!(commands.len(), 7, "{commands:?}");
    let database = TestDatabase::sqlite();
    let program = Program::on(&database);
    for command in commands {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = program.run(&words).await.expect(0);
        assert!(help.stdout.contains(&format!("Usage: peering-manager {command} ")), "{command}: {help}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_lines_keep_working() {
    let server = lab(0.01, 4).await;
    let database = TestDatabase::sqlite();
    let program = Program::on(&database).asking(&server);
    let home = program.path("opt");
    let home = home.to_str().unwrap();
    let run = async |line: &str| {
        let command = line.splitn(7, char::is_whitespace).last().unwrap();
        let command = command.trim_start().trim_start_matches("user ").replace("/opt/peering-manager", home);
        // Cron's own environment: the settings have to be in the stand-ins.
        let output = Command::new("/bin/sh")
            .args(["-c", &command])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .output()
            .await
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // Without a Python of its own, with one that the distribution has replaced since, and with one.
    for python in [None, Some("/usr/bin/python3.0"), Some("/usr/bin/python3")] {
        let works = python == Some("/usr/bin/python3");
        if let Some(python) = python {
            if works && !has("python3") {
                return;
            }
            std::fs::remove_dir_all(home).unwrap();
            std::fs::create_dir_all(format!("{home}/venv/bin")).unwrap();
            std::os::unix::fs::symlink(python, format!("{home}/venv/bin/python3")).unwrap();
            std::os::unix::fs::symlink("python3", format!("{home}/venv/bin/python")).unwrap();
        }
        let installed = program.run(["install-units", "--manage-py", home]).await.expect(0);
        assert_eq!(installed.stdout.contains("python3"), !works, "{installed}");
        let before = program.jobs().await.len();
        for line in LINES {
            let (code, said) = run(line).await;
            assert_eq!(code, Some(0), "{line}: {said}");
        }
        let jobs = program.jobs().await;
        let tasks: BTreeSet<&str> =
            jobs[..jobs.len() - before].iter().map(|job| job["task"].as_str().unwrap()).collect();
        let expected =
            ["configure_routers", "grab_prefixes", "housekeeping", "peeringdb_sync", "poll_bgp_sessions"];
        assert_eq!(tasks, BTreeSet::from(expected));
        // Flags that every command of Django has.
        for (flags, count) in
            [("-v 0 --traceback", 0), ("--verbosity 1 --no-color", 1), ("--verbosity=2 -v 3", 1)]
        {
            let (code, said) = run(&format!("{} {flags}", LINES[0])).await;
            assert_eq!((code, said.contains("Finished")), (Some(0), count > 0), "{flags}: {said}");
        }
        let (code, said) = run(&format!("{} --limit", LINES[4])).await;
        assert_eq!(code, Some(0), "{said}");
        let (code, _) = run(&LINES[0].replace("housekeeping", "collectstatic")).await;
        assert_eq!(code, Some(2), "a command that there is not");
    }
    let foreign = format!("{home}/manage.py");
    std::fs::write(&foreign, "import django\n").unwrap();
    program
        .run(["install-units", "--manage-py", home])
        .await
        .expect(3)
        .says("manage.py was written or changed by");
    assert_eq!(read(&foreign), "import django\n");
}

/// What a service manager would hear, while it comes.
fn heard(socket: &UnixDatagram, so_far: &mut String) -> String {
    let mut message = [0; 4096];
    while let Ok(length) = socket.recv(&mut message) {
        so_far.push_str(&String::from_utf8_lossy(&message[..length]));
    }
    so_far.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_tells_the_service_manager_how_it_fares() {
    let database = TestDatabase::sqlite();
    let socket = tempfile::tempdir().unwrap();
    let path = socket.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_nonblocking(true).unwrap();
    let program = Program::on(&database)
        .env("NOTIFY_SOCKET", path.to_str().unwrap())
        .env("WATCHDOG_USEC", &Duration::from_secs(30).as_micros().to_string());
    for command in [
        &["worker"][..],
        &["scheduler"],
        &["run", "--listen", "127.0.0.1:0"],
        &["server", "--listen", "127.0.0.1:0"],
    ] {
        let mut said = String::new();
        let running = program.spawn(command);
        until(async || heard(&manager, &mut said).contains("WATCHDOG=1"), "it gives a sign of life").await;
        let first: Vec<&str> = said.lines().take(2).collect();
        assert!(first[0] == "READY=1" && first[1].starts_with("STATUS=at work"), "{said}");
        assert!(!said.contains("STOPPING"), "{said}");
        running.signal("TERM").await;
        running.ended().await.expect(0);
        assert!(heard(&manager, &mut said).contains("STOPPING=1"), "{command:?}: {said}");
    }
}
