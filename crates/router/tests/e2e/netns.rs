//! `lab/netns`, which people use: it comes up, does what it says, and leaves nothing behind.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pm_router::DaemonKind;

use super::lab::lacks;

/// Ends the lab, however the test ends.
struct Netns {
    /// It must not be there yet; its parent goes with the test.
    state: PathBuf,
    _parent: tempfile::TempDir,
}

impl Netns {
    fn new() -> Self {
        let parent = tempfile::Builder::new().prefix("n").tempdir().unwrap();
        let state = parent.path().join(parent.path().file_name().unwrap());
        Self { state, _parent: parent }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lab/netns");
        let mut command = Command::new(script);
        command.args(arguments).env("LAB_NETNS_DIRECTORY", &self.state).output().unwrap()
    }

    /// What it says, having done it.
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let [said, wrong] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        assert!(output.status.success(), "{arguments:?}: {said}{wrong}");
        said.into_owned()
    }

    /// The network namespaces of this lab.
    fn namespaces(&self) -> Vec<String> {
        let name = self.state.file_name().unwrap().to_str().unwrap();
        let Ok(all) = std::fs::read_dir("/run/netns") else { return Vec::new() };
        let all = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        all.filter(|one| one.contains(name)).collect()
    }

    /// The processes that were told of this lab's directory.
    fn processes(&self) -> Vec<String> {
        let state = self.state.to_str().unwrap();
        let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let said = std::fs::read(entry.ok()?.path().join("cmdline")).ok()?;
            Some(String::from_utf8_lossy(&said).replace('\0', " "))
        });
        all.filter(|line| line.contains(state)).collect()
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        self.run(&["down"]);
    }
}

#[test]
fn the_lab_of_the_command_line_comes_up_and_leaves_nothing() {
    let missing = lacks(DaemonKind::Bird);
    if let Some(reason) = missing {
        println!("skipped: lab/netns: {reason}");
        return;
    }
    let lab = Netns::new();
    assert_eq!(lab.says(&["status"]), "It is not up.\n");
    let up = lab.run(&["up", "bird"]);
    let wrong = String::from_utf8_lossy(&up.stderr);
    // It wants the daemons of all kinds, whichever are asked for.
    if wrong.contains("install these first") {
        println!("skipped: {}", wrong.trim());
        return;
    }
    assert!(up.status.success(), "{wrong}");
    assert!(!lab.namespaces().is_empty());
    assert_eq!(lab.says(&["wait", "120"]), "All sessions that can be up are up.\n");
    assert_eq!(lab.says(&["status"]), "bird (bird) at 10.87.0.11: 2 of 5 sessions are up; 2 can be\n");
    assert!(lab.says(&["exec", "bird", "birdc", "show", "protocols"]).contains("Established"));
    assert!(lab.says(&["exec", "op", "ip", "addr", "show", "mgmt"]).contains("10.87.0.1/24"));
    let nobody = lab.run(&["exec", "frr", "true"]);
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("there is no node frr; there are op and bird"));
    let again = lab.run(&["up", "bird"]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("it is up already"));
    assert_eq!(lab.says(&["down"]), "Down.\n");
    assert!(!lab.state.exists());
    assert_eq!((lab.namespaces(), lab.processes()), (vec![], vec![]));
}
