//! Files in a git repository.

use pm_router::{ConfigText, FileTarget, Git};

use super::LONG;
use super::seen::Seen;

/// A repository that is not there, behind a URL with a password.
pub async fn shows_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new("git");
    if !command.arg("init").arg("-q").arg(directory.path()).status().is_ok_and(|status| status.success()) {
        println!("skipped: no git");
        return;
    }
    let settings = Git {
        remote: Some("https://user:Planted-url@127.0.0.1:9/x.git".into()),
        branch: Some("main".into()),
        program: "git".into(),
        name: "x".into(),
        email: "x@example.net".into(),
        limit: LONG,
    };
    let files = FileTarget::git(directory.path(), settings);
    let mut seen = Seen::default();
    let candidate = files.load("r1.conf", &ConfigText::new("password Planted-file\n")).unwrap();
    seen.debug("difference", candidate.diff());
    let error = candidate.commit("Peers").await.unwrap_err();
    seen.debug("push", &error);
    seen.text("push", error.to_string());
    seen.check("git", 1);
}
