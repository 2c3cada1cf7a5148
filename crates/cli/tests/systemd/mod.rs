//! The way from nothing to nightly tasks that the README tells, line by line, on a machine with the real systemd.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything takes here, also on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);
const PROGRAM: &str = "sudo -u peering-manager peering-manager";

/// A machine with systemd as its first process; it ends when this is dropped.
struct Machine {
    directory: tempfile::TempDir,
    process: Child,
}

impl Machine {
    /// `None`, with the reason printed, where it cannot be made.
    fn start() -> Option<Self> {
        let needed = ["/lib/systemd/systemd", "/usr/sbin/adduser", "/usr/bin/sudo", "/usr/bin/nsenter"];
        let missing: Vec<&str> = needed.into_iter().filter(|path| !Path::new(path).exists()).collect();
        let lacks = if nix::unistd::geteuid().is_root() {
            (!missing.is_empty()).then(|| format!("missing: {}", missing.join(", ")))
        } else {
            Some("it takes root to start a machine with systemd".to_owned())
        };
        if let Some(reason) = lacks {
            eprintln!("skipped: {reason}");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let mut process = Command::new("bash")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/systemd/machine"))
            .arg(directory.path())
            .arg(env!("CARGO_BIN_EXE_peering-manager"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n");
        Some(Self { directory, process })
    }

    /// What a line of shell says there, on both outputs, and whether it was content. Root types it at home, where nobody else
    /// may enter.
    fn tries(&self, line: &str) -> (bool, String) {
        let first = std::fs::read_to_string(self.directory.path().join("pid")).unwrap();
        let output = Command::new("nsenter")
            .args(["-t", first.trim(), "-a", "env", "-i"])
            .args(["HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])
            .args(["bash", "-c", &format!("cd /root && {line} 2>&1")])
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The same, and it is content.
    fn runs(&self, line: &str) -> String {
        let (content, said) = self.tries(line);
        assert!(content, "{line}\n{said}\n{}", self.journal());
        said
    }

    /// Runs a line until what it says is as wished.
    fn comes_to_say(&self, line: &str, wished: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let (_, said) = self.tries(line);
            if wished(&said) {
                return said;
            }
            assert!(begun.elapsed() < PATIENCE, "{line}\n{said}\n{}", self.journal());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The newest lines of the units' journal.
    fn journal(&self) -> String {
        self.tries("journalctl --no-pager -o cat -n 30 -u 'peering-manager*'").1
    }

    fn property(&self, unit: &str, property: &str) -> String {
        self.runs(&format!("systemctl show -P {property} {unit}"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The commands of the README from a heading to the first line of prose after them.
fn told(heading: &str) -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let lines = readme.lines().skip_while(|line| *line != heading).skip(1).skip_while(|line| line.is_empty());
    let lines: Vec<String> = lines.map_while(|line| line.strip_prefix("    ")).map(str::to_owned).collect();
    assert!(!lines.is_empty(), "the README has no {heading}");
    lines
}

#[test]
fn from_nothing_to_nightly_tasks() {
    let Some(machine) = Machine::start() else { return };
    as_the_readme_says(&machine);
    it_stops_in_order(&machine);
    one_that_hangs_is_replaced(&machine);
    timers_run_the_tasks(&machine);
    credentials_arrive(&machine);
}

fn as_the_readme_says(machine: &Machine) {
    for line in told("## From nothing to nightly tasks") {
        if !line.starts_with("cargo build ") {
            machine.runs(&line.replace("target/release/", "/usr/src/"));
        }
    }
    assert_eq!(machine.property("peering-manager", "ActiveState"), "active");
    machine.comes_to_say("systemctl show -P StatusText peering-manager", |said| said.contains("at work"));
    let listed = machine.runs(&format!("{PROGRAM} schedule list"));
    for task in ["housekeeping", "peeringdb_sync", "grab_prefixes", "poll_bgp_sessions", "configure_routers"]
    {
        assert!(listed.contains(task), "{listed}");
    }
    machine.runs(&format!("{PROGRAM} schedule run housekeeping"));
    machine
        .comes_to_say(&format!("{PROGRAM} jobs list --task housekeeping"), |said| said.contains("completed"));
    assert_eq!(
        machine.runs("stat -c '%U %a' /var/lib/peering-manager/peering-manager.db"),
        "peering-manager 600"
    );
    machine.runs(&format!("{PROGRAM} doctor"));
}

fn it_stops_in_order(machine: &Machine) {
    machine.runs("systemctl disable --now peering-manager");
    assert_eq!(machine.property("peering-manager", "Result"), "success");
    assert!(machine.journal().contains("run: ended"), "{}", machine.journal());
}

fn one_that_hangs_is_replaced(machine: &Machine) {
    machine.runs(
        "mkdir -p /run/systemd/system/peering-manager-worker@.service.d && \
         printf '[Service]\\nWatchdogSec=20\\nRestartSec=1\\n' \
         > /run/systemd/system/peering-manager-worker@.service.d/soon.conf && systemctl daemon-reload",
    );
    machine.runs("systemctl enable --now peering-manager-worker@1");
    let unit = "peering-manager-worker@1";
    let first = machine.property(unit, "MainPID");
    machine.runs(&format!("kill -STOP {first}"));
    machine.comes_to_say(&format!("systemctl show -P NRestarts {unit}"), |said| said == "1");
    assert_ne!(machine.property(unit, "MainPID"), first);
    machine.runs(&format!("{PROGRAM} housekeeping --tasks"));
    let done = |said: &str| said.matches("completed").count() == 2;
    machine.comes_to_say(&format!("{PROGRAM} jobs list --task housekeeping"), done);
    machine.runs(&format!("systemctl disable --now {unit}"));
}

fn timers_run_the_tasks(machine: &Machine) {
    machine.runs("peering-manager install-units --timers && systemctl daemon-reload");
    machine.runs("systemctl enable peering-manager_peeringdb-sync.timer --now");
    assert_eq!(machine.property("peering-manager_peeringdb-sync.timer", "ActiveState"), "active");
    for (unit, task) in [
        ("housekeeping", "housekeeping"),
        ("prefix-fetch", "grab_prefixes"),
        ("session-poll", "poll_bgp_sessions"),
        ("configuration-deployment", "configure_routers"),
    ] {
        machine.runs(&format!("systemctl start peering-manager_{unit}.service"));
        let newest = machine.runs(&format!("{PROGRAM} jobs list | sed -n 2p"));
        assert!(newest.contains(task) && newest.contains("completed"), "{newest}");
    }
    // There is nobody to ask: systemd is told of it.
    machine.runs(
        "printf 'peeringdb_api = \"http://127.0.0.1:9/api\"\\npeeringdb_cache_url = \"\"\\npeeringdb_retries = 0\\n' \
         | install -D -m 640 -g peering-manager /dev/stdin /etc/peering-manager/config.toml",
    );
    assert!(!machine.tries("systemctl start peering-manager_peeringdb-sync.service").0);
    assert_eq!(machine.property("peering-manager_peeringdb-sync.service", "ExecMainStatus"), "1");
}

fn credentials_arrive(machine: &Machine) {
    let put = |name: &str, text: &str| {
        machine.runs(&format!(
            "install -d -m 700 /etc/peering-manager/credentials && printf '{text}' \
             | install -m 600 /dev/stdin /etc/peering-manager/credentials/{name}"
        ));
    };
    put("database_url", "oracle://nobody");
    assert!(!machine.tries("systemctl start peering-manager").0, "there is no such database");
    assert!(machine.journal().contains("database_url"), "{}", machine.journal());
    machine.runs("systemctl stop peering-manager");
    put("database_url", "sqlite:/var/lib/peering-manager/another.db");
    machine.runs("systemctl start peering-manager && test -s /var/lib/peering-manager/another.db");
    assert_eq!(machine.property("peering-manager", "ActiveState"), "active");
}
