//! `lab routers`: what it prints leads to its routers.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_peering-manager");

/// Running stand-ins, and the commands that they printed.
struct Lab {
    process: Child,
    commands: Vec<String>,
}

impl Lab {
    fn start(directory: &Path, count: usize, more: &[&str]) -> Self {
        let mut process = Command::new(PROGRAM)
            .args(["lab", "routers", "--directory"])
            .arg(directory)
            .args(["--count", &count.to_string()])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        assert!(first.starts_with(&format!("Routers at 127.0.0.1; {count} of them")), "{first}");
        let commands =
            lines.take(count).map(|line| line.unwrap().split_once(": ").unwrap().1.to_owned()).collect();
        Self { process, commands }
    }

    fn ask(&self, number: usize) -> Output {
        let words = self.commands[number].split(' ').skip(1);
        Command::new(PROGRAM).args(words).arg("--json").output().unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn every_printed_command_works() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("routers");
    let lab = Lab::start(&directory, 3, &["--sessions", "12", "--delay", "3"]);
    for number in 0..3 {
        let output = lab.ask(number);
        assert!(
            output.status.success(),
            "{}: {}",
            lab.commands[number],
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.matches("\"state\"").count(), 12, "{text}");
        assert!(text.matches("\"established\"").count() > 9, "{text}");
    }
    for file in ["password", "known_hosts", "ca.pem", "routers.json"] {
        let mode = std::fs::metadata(directory.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let list: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(directory.join("routers.json")).unwrap()).unwrap();
    assert_eq!(list["routers"].as_array().unwrap().len(), 3);
    assert_eq!(list["neighbors"].as_array().unwrap().len(), 12);
}

#[test]
fn neighbours_and_configurations_are_given() {
    let place = tempfile::tempdir().unwrap();
    let (list, config) = (place.path().join("list"), place.path().join("config"));
    std::fs::write(&list, "# two\n192.0.2.1 64501 up One\n192.0.2.9 64509 down Two\n").unwrap();
    std::fs::write(&config, "hostname own\nrouter bgp 64500\n   neighbor 192.0.2.9 remote-as 64509\n")
        .unwrap();
    let own = format!("eos={}", config.display());
    let more = ["--neighbors", list.to_str().unwrap(), "--running", &own, "--kind", "junos", "--kind", "eos"];
    let lab = Lab::start(&place.path().join("routers"), 2, &more);
    let of = |number: usize| String::from_utf8(lab.ask(number).stdout).unwrap();
    let (junos, eos) = (of(0), of(1));
    assert!(junos.contains("192.0.2.1\"") && junos.contains("192.0.2.9\""), "{junos}");
    assert_eq!(junos.matches("\"established\"").count(), 1, "{junos}");
    assert!(!eos.contains("192.0.2.1\"") && eos.contains("192.0.2.9\""), "{eos}");
    assert_eq!(eos.matches("\"established\"").count(), 0, "{eos}");

    std::fs::write(&list, "192.0.2.1 64501\nnonsense 1\n").unwrap();
    let refused = Command::new(PROGRAM)
        .args(["lab", "routers", "--directory"])
        .arg(place.path().join("other"))
        .args(["--neighbors", list.to_str().unwrap()])
        .output()
        .unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("line 2: nonsense is no address"), "{said}");
}
