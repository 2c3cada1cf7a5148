//! Where BIRD's candidate is put.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Output};

/// As on systems that are not GNU: neither `chmod` nor `stat` has long options.
const BSD: &str = r#"
chmod() { case $1 in -*) return 64 ;; esac; command chmod "$@"; }
stat() { [ "$1 $2" = '-f %u %g %Lp' ] && command stat -c '%u %g %a' "$3"; }
"#;

/// Saves a text as BIRD's configuration.
fn save(file: &Path, system: &str) -> Output {
    let text = file.with_file_name("new");
    std::fs::write(&text, "new\n").unwrap();
    let script = format!(
        "{}\nFILE={} C=/c.x\n{}\n{}\n{system}\nsave {}",
        include_str!("../../prelude.sh"),
        file.display(),
        super::CHANGE,
        include_str!("../../bird.sh"),
        text.display()
    );
    Command::new("sh").arg("-c").arg(script).output().unwrap()
}

#[test]
fn it_is_for_those_to_read_who_may_read_the_configuration() {
    for system in ["", BSD] {
        for mode in [0o640, 0o644, 0o660] {
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("bird.conf");
            std::fs::write(&file, "old\n").unwrap();
            std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            // Only root may give it to somebody else.
            let _ = std::os::unix::fs::chown(&file, Some(1), Some(1));
            let before = file.metadata().unwrap();
            let saved = save(&file, system);
            assert!(saved.status.success(), "{saved:?}");
            let after = file.metadata().unwrap();
            let of = |found: &std::fs::Metadata| (found.uid(), found.gid(), found.mode());
            assert_eq!((of(&after), after.ino() == before.ino()), (of(&before), false), "{mode:o}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), "new\n");
        }
    }
}

/// Then BIRD could not read it, and the passwords in it might be read by others.
#[test]
fn what_bird_could_not_read_is_not_put_there() {
    let foreign = "chown() { return 1; }\nchgrp() { return 1; }\n";
    for (mode, why) in [(0o640, "is not in it"), (0o600, "is for its owner alone")] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("bird.conf");
        std::fs::write(&file, "old\n").unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let saved = save(&file, foreign);
        assert!(!saved.status.success());
        let said = String::from_utf8(saved.stderr).unwrap();
        assert!(said.contains("BIRD could not read") && said.contains(why), "{said}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "old\n");
        assert!(!directory.path().join(".candidate.c.x").exists());
    }
}
