//! The timer, when somebody else is at the change too.

use std::process::Stdio;

use super::*;

/// Somebody who begins a step and is killed in the midst of it, once it has left a mark.
fn dies(machine: &Machine, id: &str, call: &str, mark: &str) {
    let mut command = machine.shell(id, 0, call);
    let mut child = command.stdout(Stdio::null()).process_group(0).spawn().unwrap();
    let number = child.id().to_string();
    let taker = Path::new(id).join("taker");
    wait("it has begun", || {
        has(id, mark) && std::fs::read_to_string(&taker).is_ok_and(|taker| taker.trim() == number)
    });
    let killed = Command::new("sh").arg("-c").arg(format!("kill -s KILL -- -{number}")).status();
    assert!(killed.unwrap().success());
    child.wait().unwrap();
}

#[test]
fn a_confirmation_under_way_does_not_end_it() {
    let machine = Machine::new(0, 0);
    let one = machine.load("one\n");
    assert_eq!(machine.commit(&one, 3), "committed");
    // The daemon answers too late to be asked, and the time ends meanwhile.
    machine.set("keeping", 6);
    machine.set("keep", 2);
    assert_eq!(machine.says(&one, "confirm"), "unknown");
    wait("it is undone", || has(&one, "undone"));
    assert_eq!(machine.config(), "old\n");
    assert_eq!(machine.says(&one, "confirm"), "undone");
    wait("nothing waits", || !machine.waits());
}

/// What is confirmed late is confirmed all the same: the timer waits for who asked in time.
#[test]
fn a_confirmation_that_takes_long_is_waited_for() {
    let machine = Machine::new(0, 0);
    let one = machine.load("one\n");
    assert_eq!(machine.commit(&one, 2), "committed");
    machine.set("keeping", 5);
    assert_eq!(machine.says(&one, "confirm"), "confirmed");
    wait("nothing waits for the time", || timer(&one).is_empty());
    assert_eq!(machine.config(), "one\n");
    assert!(has(&one, "confirmed") && !machine.waits());
}

#[test]
fn who_dies_while_confirming_does_not_end_it() {
    let machine = Machine::new(0, 0);
    let one = machine.load("one\n");
    assert_eq!(machine.commit(&one, 2), "committed");
    machine.set("keeping", 600);
    dies(&machine, &one, "confirm", "confirming");
    wait("it is undone", || has(&one, "undone"));
    assert_eq!(machine.config(), "old\n");
    assert!(!has(&one, "confirming"));
}

/// Then whoever comes next is heard, whether or not the timer lives.
#[test]
fn after_who_died_while_confirming_comes_another() {
    for (call, said, left) in [("confirm", "confirmed", "one\n"), ("roll_back", "undone", "old\n")] {
        let machine = Machine::new(0, 0);
        let one = machine.load("one\n");
        assert_eq!(machine.commit(&one, 120), "committed");
        kill_timer(&one);
        machine.set("keeping", 600);
        dies(&machine, &one, "confirm", "confirming");
        machine.set("keeping", 0);
        assert_eq!(machine.says(&one, call), said);
        assert_eq!(machine.config(), left);
        assert!(!machine.waits());
    }
    // Another change settles it as well.
    let machine = Machine::new(0, 0);
    let one = machine.load("one\n");
    assert_eq!(machine.commit(&one, 10), "committed");
    kill_timer(&one);
    machine.set("keeping", 600);
    dies(&machine, &one, "confirm", "confirming");
    machine.set("keeping", 0);
    wait("its time is over", || !machine.waits());
    let two = machine.confirmed("two\n");
    assert_eq!(machine.says(&one, "confirm"), "failed");
    assert_eq!(machine.config(), "two\n");
    assert_eq!(machine.says(&two, "roll_back"), "undone");
}

/// Whoever asks for it tries a few times. What he leaves is tried as often as when the time is over.
#[test]
fn what_cannot_be_undone_at_once_is_undone_later() {
    for call in ["roll_back", "cancel", "confirm"] {
        let machine = Machine::new(0, 0);
        let one = machine.load("one\n");
        assert_eq!(machine.commit(&one, 600), "committed");
        machine.set("stuck", 1);
        machine.set("keep", 1);
        let said = machine.run(&one, 0, call, "");
        let undoing = said.iter().find(|(name, _)| name == "undoing").unwrap();
        assert!(undoing.1.text.contains("it is stuck"), "{call}");
        assert!(machine.waits());
        let two = machine.load("two\n");
        assert_eq!(machine.commit(&two, 60), "busy");
        wait("it is tried again", || machine.tries() > 5);
        machine.unset("stuck");
        wait("it is undone", || has(&one, "undone"));
        assert_eq!(machine.config(), "old\n");
        wait("nothing waits", || !machine.waits());
    }
}

/// So is a commit that was refused half way.
#[test]
fn what_was_refused_and_cannot_be_restored_is_restored_later() {
    let machine = Machine::new(0, 0);
    machine.set("refuse", 1);
    machine.set("stuck", 1);
    let one = machine.load("one\n");
    assert_eq!(machine.commit(&one, 600), "undoing");
    machine.unset("stuck");
    wait("it is undone", || has(&one, "undone"));
    assert_eq!(machine.config(), "old\n");
}

#[test]
fn who_dies_while_undoing_leaves_it_to_the_timer() {
    let machine = Machine::new(0, 600);
    let one = machine.load("one\n");
    assert_eq!(machine.commit(&one, 3), "committed");
    dies(&machine, &one, "roll_back", "undoing");
    machine.set("restoring", 0);
    wait("it is undone", || has(&one, "undone"));
    assert_eq!(machine.config(), "old\n");
    wait("nothing waits", || !machine.waits());
}
