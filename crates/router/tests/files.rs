//! Configurations as files, in directories and in git repositories.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pm_router::{ConfigText, FileError, FileTarget, Git, Written};

const MINE: &str = "neighbor 192.0.2.1 password Planted-1\n";

fn text(of: &str) -> ConfigText {
    ConfigText::new(of)
}

async fn put(target: &FileTarget, name: &str, of: &str) -> Result<Written, FileError> {
    let candidate = target.load(name, &text(of))?;
    assert!(!candidate.diff().text().contains("Planted"));
    candidate.commit("Peers of router one").await
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let target = FileTarget::directory(directory.path());
    assert_eq!(target.read("r1.conf").unwrap(), None);
    assert!(put(&target, "site/r1.conf", MINE).await.unwrap().changed);
    assert!(!put(&target, "site/r1.conf", MINE).await.unwrap().changed);
    let file = directory.path().join("site/r1.conf");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), MINE);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let candidate = target.load("site/r1.conf", &text("other\n")).unwrap();
    assert_eq!(candidate.diff().counts(), (1, 1));
    std::fs::write(&file, "somebody else\n").unwrap();
    assert!(matches!(candidate.commit("").await, Err(FileError::Changed { .. })));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "somebody else\n");
    assert_eq!(names(&directory.path().join("site")), ["r1.conf"]);
    assert_eq!(FileTarget::capabilities().undo, None);
}

#[tokio::test]
async fn names_stay_inside() {
    let directory = tempfile::tempdir().unwrap();
    let target = FileTarget::directory(directory.path().join("inner"));
    std::fs::create_dir(directory.path().join("inner")).unwrap();
    for name in ["", ".", "/etc/x", "../x", "a/../../x", ".git/config", "sub/.GIT/hooks/x", "x/"] {
        assert!(matches!(put(&target, name, MINE).await, Err(FileError::Name { .. })), "{name}");
    }
    let missing = FileTarget::directory(directory.path().join("none"));
    let error = put(&missing, "r1.conf", MINE).await.unwrap_err();
    assert!(error.to_string().contains("none/r1.conf"), "{error}");
    std::fs::create_dir(directory.path().join("inner/taken")).unwrap();
    assert!(matches!(put(&target, "taken", MINE).await, Err(FileError::File { .. })));
}

fn has_git() -> bool {
    let found = Command::new("git").arg("--version").output().is_ok();
    if !found {
        println!("skipped: git is not installed");
    }
    found
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(directory).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

struct Repository {
    directory: tempfile::TempDir,
}

impl Repository {
    /// A working tree and a remote.
    fn new() -> Self {
        let repository = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir(repository.remote()).unwrap();
        git(&repository.remote(), &["init", "--quiet", "--bare", "--initial-branch=main"]);
        std::fs::create_dir(repository.tree()).unwrap();
        git(&repository.tree(), &["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    fn tree(&self) -> PathBuf {
        self.directory.path().join("tree")
    }

    fn remote(&self) -> PathBuf {
        self.directory.path().join("remote")
    }

    fn settings(&self) -> Git {
        Git {
            program: "git".into(),
            name: "Peering".into(),
            email: "peering@example.net".into(),
            remote: Some(self.remote().to_str().unwrap().to_owned()),
            branch: None,
            limit: Duration::from_secs(20),
        }
    }
}

#[tokio::test]
async fn a_repository() {
    if !has_git() {
        return;
    }
    let repository = Repository::new();
    let target = FileTarget::git(repository.tree(), repository.settings());
    std::fs::write(repository.tree().join("unrelated"), "of somebody else").unwrap();
    git(&repository.tree(), &["add", "unrelated"]);
    let first = put(&target, "sites/r[1].conf", MINE).await.unwrap();
    assert!(first.changed && first.pushed);
    assert_eq!(first.commit.unwrap(), git(&repository.remote(), &["rev-parse", "main"]));
    let shown = git(&repository.remote(), &["log", "--format=%an <%ae> %cn %s", "--name-only"]);
    assert_eq!(shown, "Peering <peering@example.net> Peering Peers of router one\n\nsites/r[1].conf");
    let again = put(&target, "sites/r[1].conf", MINE).await.unwrap();
    assert_eq!(again, Written::default());
    assert_eq!(git(&repository.remote(), &["rev-list", "--count", "main"]), "1");
    assert_eq!(git(&repository.tree(), &["status", "--porcelain"]), "A  unrelated");
}

#[tokio::test]
async fn many_at_once() {
    if !has_git() {
        return;
    }
    let repository = Repository::new();
    let target = FileTarget::git(repository.tree(), repository.settings());
    let jobs = (0..8).map(|at| {
        let target = target.clone();
        tokio::spawn(async move { put(&target, &format!("r{at}.conf"), MINE).await })
    });
    for done in futures::future::join_all(jobs).await {
        assert!(done.unwrap().unwrap().commit.is_some());
    }
    assert_eq!(git(&repository.remote(), &["rev-list", "--count", "main"]), "8");
}

#[tokio::test]
async fn what_was_not_pushed_is_pushed_later() {
    if !has_git() {
        return;
    }
    let repository = Repository::new();
    let mut settings = repository.settings();
    settings.remote = Some("https://user:Planted-2@127.0.0.1:9/x.git".into());
    let target = FileTarget::git(repository.tree(), settings);
    let error = put(&target, "r1.conf", MINE).await.unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(said.contains("committed, but not pushed to https://127.0.0.1:9/x.git"), "{said}");
    assert!(!said.contains("Planted"), "{said}");
    let target = FileTarget::git(repository.tree(), repository.settings());
    let later = put(&target, "r1.conf", MINE).await.unwrap();
    assert_eq!((later.changed, later.commit, later.pushed), (false, None, true));
}

#[tokio::test]
async fn a_remote_that_hangs() {
    if !has_git() {
        return;
    }
    let repository = Repository::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = repository.settings();
    settings.remote = Some(format!("http://{}/x.git", listener.local_addr().unwrap()));
    settings.limit = Duration::from_secs(2);
    let target = FileTarget::git(repository.tree(), settings);
    let begun = Instant::now();
    let error = put(&target, "r1.conf", MINE).await.unwrap_err();
    assert!(error.to_string().contains("longer than 2 s"), "{error}");
    assert!(begun.elapsed() < Duration::from_mins(1));
}

#[tokio::test]
async fn what_git_refuses() {
    if !has_git() {
        return;
    }
    let repository = Repository::new();
    std::fs::write(repository.tree().join(".gitignore"), "*.conf\n").unwrap();
    let target = FileTarget::git(repository.tree(), repository.settings());
    let error = put(&target, "r1.conf", MINE).await.unwrap_err();
    assert!(error.to_string().contains("is ignored"), "{error}");
    let none = tempfile::tempdir().unwrap();
    let target = FileTarget::git(none.path(), repository.settings());
    let error = put(&target, "r1.conf", MINE).await.unwrap_err();
    assert!(matches!(error, FileError::Git { .. }), "{error}");
    assert_eq!(names(none.path()), Vec::<String>::new());
    let mut settings = repository.settings();
    settings.program = "/nonexistent/git".into();
    let error = put(&FileTarget::git(repository.tree(), settings), "r2.txt", MINE).await.unwrap_err();
    assert!(error.to_string().contains("install git"), "{error}");

    // Somebody else pushed.
    let elsewhere = repository.directory.path().join("elsewhere");
    git(repository.directory.path(), &["clone", "--quiet", "remote", "elsewhere"]);
    let theirs = FileTarget::git(&elsewhere, repository.settings());
    put(&theirs, "r9.txt", MINE).await.unwrap();
    let target = FileTarget::git(repository.tree(), repository.settings());
    let error = put(&target, "r1.txt", MINE).await.unwrap_err();
    assert!(error.to_string().contains("rejected"), "{error}");
}
