//! The scripts on a machine of a directory, with a daemon that reads nothing.

use std::io::{Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::super::shell::{Section, sections};
use super::CHANGE;

/// A daemon that reads nothing, and takes its time to apply and to restore.
const OWN: &str = r#"
NAME=conf GRACE=0 ENDED=failed PAUSE=1 PATIENCE=$(cat "$D/patience")
alive() { :; }
current() { cat "$FILE" >"$1"; }
check() { :; }
arm() { start_timer; }
apply() { sleep "$(cat "$D/applying")"; cat "$C/new/conf" >"$FILE"; [ ! -e "$D/refuse" ]; }
keep() { sleep "$(cat "$D/keeping")"; return "$(cat "$D/keep")"; }
restore() { echo tried >>"$D/tries"; [ ! -e "$D/stuck" ] || { echo 'it is stuck'; return 1; }; sleep "$(cat "$D/restoring")"; cat "$C/old/conf" >"$FILE"; }
save() { [ ! -e "$D/full" ] && cat "$1" >"$FILE"; }
"#;

mod bird;
mod timer;

struct Machine(tempfile::TempDir);

impl Machine {
    /// With so many seconds that applying and restoring take.
    fn new(applying: u32, restoring: u32) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(machine.0.path().join("d")).unwrap();
        machine.set("applying", applying);
        machine.set("restoring", restoring);
        machine.set("patience", 900);
        machine.set("keep", 0);
        machine.set("keeping", 0);
        std::fs::write(machine.file(), "old\n").unwrap();
        machine
    }

    fn set(&self, name: &str, number: u32) {
        std::fs::write(self.0.path().join("d").join(name), number.to_string()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("conf")
    }

    fn config(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    fn script(&self, id: &str, seconds: u32, call: &str) -> String {
        format!(
            "{}\nFILE={} HOW=replace C={id} T={seconds} D={}\n{CHANGE}\n{OWN}\n{call}\n",
            include_str!("../prelude.sh"),
            self.file().display(),
            self.0.path().join("d").display(),
        )
    }

    fn unset(&self, name: &str) {
        std::fs::remove_file(self.0.path().join("d").join(name)).unwrap();
    }

    /// How often it was tried to restore something.
    fn tries(&self) -> usize {
        std::fs::read_to_string(self.0.path().join("d/tries")).unwrap_or_default().lines().count()
    }

    fn shell(&self, id: &str, seconds: u32, call: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(self.script(id, seconds, call));
        command.env("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22");
        command
    }

    fn run(&self, id: &str, seconds: u32, call: &str, input: &str) -> Vec<(String, Section)> {
        let mut given = tempfile::tempfile().unwrap();
        given.write_all(input.as_bytes()).unwrap();
        given.rewind().unwrap();
        let output = self.shell(id, seconds, call).stdin(given).output().unwrap();
        sections(&String::from_utf8(output.stdout).unwrap()).into_iter().collect()
    }

    fn load(&self, text: &str) -> String {
        let said = self.run("", 0, "load", text);
        said.iter().find(|(name, _)| name == "change").unwrap().1.text.trim().to_owned()
    }

    /// The last word of a step.
    fn says(&self, id: &str, call: &str) -> String {
        word(self.run(id, 0, call, ""))
    }

    fn commit(&self, id: &str, seconds: u32) -> String {
        let watch = self.script(id, seconds, "watch");
        word(self.run(id, seconds, "commit", &watch))
    }

    /// A change that was made and confirmed.
    fn confirmed(&self, text: &str) -> String {
        let change = self.load(text);
        assert_eq!(self.commit(&change, 120), "committed");
        assert_eq!(self.says(&change, "confirm"), "confirmed");
        change
    }

    fn waits(&self) -> bool {
        self.says("", "pending") == "pending"
    }
}

fn word(sections: Vec<(String, Section)>) -> String {
    let beside = ["alive", "end"];
    sections
        .into_iter()
        .find(|(name, _)| !beside.contains(&name.as_str()))
        .map_or_else(String::new, |one| one.0)
}

fn wait(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_mins(2), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn has(change: &str, mark: &str) -> bool {
    Path::new(change).join(mark).exists()
}

/// The words of the process that waits for the time.
fn timer(change: &str) -> Vec<u8> {
    let number = std::fs::read_to_string(Path::new(change).join("pid")).unwrap();
    std::fs::read(format!("/proc/{}/cmdline", number.trim())).unwrap_or_default()
}

/// As after a restart of the machine.
fn kill_timer(change: &str) {
    let number = std::fs::read_to_string(Path::new(change).join("pid")).unwrap();
    let killed = Command::new("sh").arg("-c").arg(format!("kill -s KILL -- -{}", number.trim())).status();
    assert!(killed.unwrap().success());
}

#[test]
fn a_change_waits_until_the_one_before_it_is_undone() {
    let machine = Machine::new(0, 30);
    let one = machine.load("one\n");
    assert_eq!(machine.commit(&one, 1), "committed");
    wait("it is being undone", || has(&one, "undoing"));
    // Its time is over by far, but whoever restores is still at it.
    std::thread::sleep(Duration::from_secs(2));
    let two = machine.load("two\n");
    assert_eq!(machine.commit(&two, 60), "busy");
    assert!(machine.waits());
    wait("it is undone", || has(&one, "undone") && !machine.waits());
    assert_eq!(machine.config(), "old\n");
    let two = machine.confirmed("two\n");
    assert_eq!(machine.config(), "two\n");
    wait("nothing waits for the time", || timer(&two).is_empty());
}

#[test]
fn what_was_taken_over_is_settled() {
    let machine = Machine::new(0, 0);
    let one = machine.load("one\n");
    assert_eq!(machine.commit(&one, 10), "committed");
    kill_timer(&one);
    wait("its time is over", || !machine.waits());
    let two = machine.load("two\n");
    assert_eq!(machine.commit(&two, 120), "committed");
    for call in ["confirm", "roll_back", "confirm"] {
        assert_eq!(machine.says(&one, call), "failed", "{call}");
        assert_eq!(machine.config(), "two\n", "{call}");
    }
    assert!(machine.run("", 0, "pending", "").iter().any(|(_, section)| section.text.contains(&two)));
    assert_eq!(machine.says(&two, "roll_back"), "undone");
    assert_eq!(machine.config(), "one\n");
}

/// Commits in a thread of its own, and does something as soon as the commit is at it.
fn while_it_commits(machine: &Machine, id: &str, seconds: u32, act: impl FnOnce()) -> String {
    std::thread::scope(|scope| {
        let commit = scope.spawn(|| machine.commit(id, seconds));
        wait("it is being committed", || has(id, "pid"));
        act();
        commit.join().unwrap()
    })
}

#[test]
fn an_undo_waits_for_the_commit() {
    for call in ["roll_back", "cancel"] {
        let machine = Machine::new(5, 0);
        let one = machine.load("one\n");
        let said = while_it_commits(&machine, &one, 120, || {
            assert_eq!(machine.says(&one, "confirm"), "applying");
            assert_eq!(machine.says(&one, call), "undone");
            assert_eq!(machine.config(), "old\n");
        });
        assert_eq!(said, "undone");
        assert_eq!(machine.config(), "old\n");
        assert!(!machine.waits());
    }
}

/// A timer that is shorter than the commit.
#[test]
fn the_timer_waits_for_the_commit() {
    let machine = Machine::new(5, 0);
    let one = machine.load("one\n");
    assert_eq!(machine.commit(&one, 1), "undone");
    assert_eq!(machine.config(), "old\n");
    assert!(!machine.waits());
    machine.set("applying", 0);
    machine.confirmed("two\n");
}

/// Then the commit itself restores what it has put away.
#[test]
fn an_undo_does_not_wait_for_ever() {
    let machine = Machine::new(15, 0);
    machine.set("patience", 1);
    let one = machine.load("one\n");
    let said = while_it_commits(&machine, &one, 120, || {
        assert_eq!(machine.says(&one, "roll_back"), "undone");
    });
    assert_eq!(said, "undone");
    assert!(!has(&one, "hasty"));
    assert_eq!(machine.config(), "old\n");
    assert!(!machine.waits());
}

#[test]
fn what_was_called_off_never_begins() {
    let machine = Machine::new(0, 0);
    let one = machine.load("one\n");
    assert_eq!(machine.says(&one, "cancel"), "settled");
    assert_eq!(machine.commit(&one, 120), "gone");
    assert_eq!(machine.config(), "old\n");
    assert!(!machine.waits());
    // What was confirmed is left alone.
    let two = machine.confirmed("two\n");
    assert_eq!(machine.says(&two, "cancel"), "settled");
    assert_eq!(machine.config(), "two\n");
    let three = machine.load("three\n");
    assert_eq!(machine.commit(&three, 120), "committed");
    assert_eq!(machine.says(&two, "cancel"), "settled");
    assert_eq!(machine.says(&three, "cancel"), "undone");
    assert_eq!(machine.config(), "two\n");
}

#[test]
fn what_is_in_force_no_more_is_undone() {
    let machine = Machine::new(0, 0);
    let one = machine.load("one\n");
    assert_eq!(machine.commit(&one, 120), "committed");
    machine.set("keep", 2);
    assert_eq!(machine.says(&one, "confirm"), "unknown");
    assert!(machine.waits());
    machine.set("keep", 1);
    assert_eq!(machine.says(&one, "confirm"), "undone");
    assert_eq!(machine.says(&one, "confirm"), "undone");
    assert_eq!(machine.config(), "old\n");
    assert!(!machine.waits());
    wait("nothing waits for the time", || timer(&one).is_empty());
}

#[test]
fn only_the_last_confirmed_change_is_undone() {
    let machine = Machine::new(0, 0);
    let one = machine.confirmed("one\n");
    let two = machine.load("two\n");
    assert_eq!(machine.commit(&two, 120), "committed");
    // The file of some daemons is the old one until the change is confirmed.
    std::fs::write(machine.file(), "one\n").unwrap();
    assert_eq!(machine.says(&one, "roll_back"), "followed");
    assert!(has(&two, "armed") && machine.waits());
    assert_eq!(machine.says(&two, "confirm"), "confirmed");
    assert_eq!(machine.says(&one, "roll_back"), "followed");
    assert_eq!(machine.config(), "two\n");
    assert!(!machine.waits());
    for (change, left) in [(&two, "one\n"), (&one, "old\n")] {
        assert_eq!(machine.says(change, "roll_back"), "undone");
        assert_eq!(machine.config(), left);
        assert!(!machine.waits());
    }
}

#[test]
fn what_could_not_be_saved_can_be_undone() {
    let machine = Machine::new(0, 0);
    let one = machine.load("one\n");
    assert_eq!(machine.commit(&one, 120), "committed");
    machine.set("full", 1);
    std::fs::write(machine.file(), "old\n").unwrap();
    for _ in 0..2 {
        assert_eq!(machine.says(&one, "confirm"), "unsaved");
    }
    machine.unset("full");
    assert_eq!(machine.says(&one, "roll_back"), "undone");
    assert_eq!(machine.config(), "old\n");
}

#[test]
fn what_is_refused_half_way_is_restored() {
    let machine = Machine::new(0, 0);
    machine.set("refuse", 1);
    let one = machine.load("one\n");
    assert_eq!(machine.commit(&one, 120), "refused");
    assert_eq!(machine.config(), "old\n");
    assert!(!machine.waits());
}

/// After a restart the number of the timer may be another process's.
#[test]
fn strangers_are_not_killed() {
    let machine = Machine::new(0, 0);
    let one = machine.load("one\n");
    assert_eq!(machine.commit(&one, 120), "committed");
    kill_timer(&one);
    let mut stranger = Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
    std::fs::write(Path::new(&one).join("pid"), format!("{}\n", stranger.id())).unwrap();
    assert_eq!(machine.says(&one, "confirm"), "confirmed");
    assert_eq!(machine.says(&one, "roll_back"), "undone");
    assert_eq!(stranger.try_wait().unwrap(), None);
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}
