//! What the tests of the command line share: the program in a place of its own, and a PeeringDB for it to ask.

mod records;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use pm_lab::peeringdb::{Namespace, Options, Server, World};
use pm_store::testing::TestDatabase;
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

pub(crate) use records::{Records, assert_same, exported, oracle};

/// Longer than any command takes, also on a machine whose disk is busy; a test that waits for ever says nothing.
const PATIENCE: Duration = Duration::from_mins(4);

/// When the invented worlds begin. Far enough back that a world may live through many days before today.
pub(crate) fn beginning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_760_000_000, 0).unwrap()
}

/// A PeeringDB with a small world.
pub(crate) async fn lab(scale: f64, seed: u64) -> Server {
    lab_with(scale, seed, Options::default()).await
}

/// The same with options of one's own.
pub(crate) async fn lab_with(scale: f64, seed: u64, options: Options) -> Server {
    Server::start(World::generate(scale, seed, beginning()), options).await.unwrap()
}

/// Waits until something is so.
pub(crate) async fn until(mut is_so: impl AsyncFnMut() -> bool, what: &str) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "not within {PATIENCE:?}: {what}");
}

/// Waits until the lab has been asked for this namespace more often than `before`.
pub(crate) async fn asked(server: &Server, namespace: Namespace, before: usize) {
    until(async || count_asked(server, namespace) > before, "the program asks PeeringDB").await;
}

/// How often the lab has been asked for this namespace.
pub(crate) fn count_asked(server: &Server, namespace: Namespace) -> usize {
    let path = format!("/api/{namespace}");
    server.requests().iter().filter(|request| request.path == path).count()
}

/// The program with a directory, a home and a settings file of its own, and an environment with nothing in it.
pub(crate) struct Program {
    directory: TempDir,
    database_url: String,
    settings: toml::Table,
    environment: Vec<(String, String)>,
}

impl Program {
    /// One that uses this database and asks nobody.
    pub(crate) fn on(database: &TestDatabase) -> Self {
        Self::with_url(&database.url)
    }

    /// The same with any URL.
    pub(crate) fn with_url(database_url: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("home")).unwrap();
        let program = Self {
            directory,
            database_url: database_url.to_owned(),
            settings: toml::Table::new(),
            environment: Vec::new(),
        };
        program
            .set("database_url", database_url)
            // Nobody listens there.
            .set("peeringdb_api", "http://127.0.0.1:9/api")
            .set("peeringdb_cache_url", "")
            .set("peeringdb_requests_per_minute", 100_000)
            .set("peeringdb_retries", 0)
    }

    /// Asks this PeeringDB.
    pub(crate) fn asking(self, server: &Server) -> Self {
        self.set("peeringdb_api", server.url())
    }

    /// Writes a setting into the settings file.
    pub(crate) fn set(mut self, key: &str, value: impl Into<toml::Value>) -> Self {
        self.settings.insert(key.to_owned(), value.into());
        self.settings_text(&self.settings.to_string());
        self
    }

    /// Takes a setting out of the settings file.
    pub(crate) fn unset(mut self, key: &str) -> Self {
        self.settings.remove(key);
        self.settings_text(&self.settings.to_string());
        self
    }

    /// Replaces the settings file until the next [`Program::set`].
    pub(crate) fn settings_text(&self, text: &str) {
        std::fs::write(self.settings_file(), text).unwrap();
        self.settings_mode(0o600);
    }

    /// Who may read the settings file.
    pub(crate) fn settings_mode(&self, mode: u32) {
        std::fs::set_permissions(self.settings_file(), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn settings_file(&self) -> PathBuf {
        self.directory.path().join("peering-manager.toml")
    }

    /// An environment variable that every run gets.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A path below the directory in which the program runs.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Whether its database is a file.
    pub(crate) fn on_sqlite(&self) -> bool {
        self.database_url.starts_with("sqlite:")
    }

    /// The program with these arguments, not yet started.
    pub(crate) fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peering-manager"));
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.path("home"))
            // A file in /etc, if this host has one, must not come before ours.
            .env("PEERING_MANAGER_CONFIG", self.settings_file())
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Starts it.
    pub(crate) fn spawn(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Running {
        let mut command = self.command(arguments);
        let what = format!("{:?}", command.as_std().get_args().collect::<Vec<_>>());
        Running { child: command.spawn().unwrap(), what }
    }

    /// Runs it to its end.
    pub(crate) async fn run(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ran {
        self.spawn(arguments).ended().await
    }

    /// What the cache holds, by way of `peeringdb export`.
    pub(crate) async fn cache(&self) -> Records {
        let directory = self.path("cache");
        self.run([OsStr::new("peeringdb"), OsStr::new("export"), directory.as_os_str()]).await.expect(0);
        exported(&directory)
    }

    /// What the cache holds, in numbers.
    pub(crate) async fn status(&self) -> Json {
        self.run(["peeringdb", "status", "--json"]).await.expect(0).json()
    }

    /// The job record with this number.
    pub(crate) async fn job(&self, id: i64) -> Json {
        self.run(["jobs", "show", &id.to_string(), "--json"]).await.expect(0).json()["job"].take()
    }

    /// All job records, the newest first.
    pub(crate) async fn jobs(&self) -> Vec<Json> {
        let mut listed = self.run(["jobs", "list", "--limit", "10000", "--json"]).await.expect(0).json();
        let Json::Array(jobs) = listed["jobs"].take() else { panic!("no list of jobs in {listed}") };
        jobs
    }
}

/// The program at work.
pub(crate) struct Running {
    child: Child,
    what: String,
}

impl Running {
    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("a process that was not waited for")
    }

    /// Sends `INT`, `TERM` or another signal.
    pub(crate) async fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status().await.unwrap();
        assert!(sent.success(), "kill -{name} {}", self.id());
    }

    /// `kill -9`, and waits for the end.
    pub(crate) async fn kill(mut self) -> Ran {
        self.child.start_kill().unwrap();
        self.ended().await
    }

    /// Waits for the end. A process that does not come to one is described by what it has said and what it waits for.
    pub(crate) async fn ended(self) -> Ran {
        let Self { mut child, what } = self;
        let stdout = Heard::from(child.stdout.take().expect("a pipe"));
        let stderr = Heard::from(child.stderr.take().expect("a pipe"));
        let status = match tokio::time::timeout(PATIENCE, child.wait()).await {
            Ok(status) => status.unwrap(),
            Err(tokio::time::error::Elapsed { .. }) => panic!(
                "{what} did not end within {PATIENCE:?}; its threads:\n{}--- stdout\n{}\n--- stderr\n{}",
                threads(child.id()),
                stdout.so_far(),
                stderr.so_far()
            ),
        };
        Ran {
            // Like a shell: a signal counts as 128 and its number.
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap()),
            stdout: stdout.all().await,
            stderr: stderr.all().await,
            what,
        }
    }
}

/// What comes out of a pipe, while it comes.
struct Heard {
    bytes: Arc<Mutex<Vec<u8>>>,
    reading: tokio::task::JoinHandle<()>,
}

impl Heard {
    fn from(mut pipe: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&bytes);
        let reading = tokio::spawn(async move {
            let mut piece = vec![0; 1 << 16];
            while let Ok(length @ 1..) = pipe.read(&mut piece).await {
                into.lock().unwrap().extend_from_slice(&piece[..length]);
            }
        });
        Self { bytes, reading }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    async fn all(self) -> String {
        self.reading.await.unwrap();
        String::from_utf8(std::mem::take(&mut *self.bytes.lock().unwrap())).expect("output in UTF-8")
    }
}

/// What each thread of a process waits for in the kernel.
fn threads(process: Option<u32>) -> String {
    let Some(process) = process else { return "none, it has ended\n".into() };
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { return "unknown\n".into() };
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let mut text = String::new();
    for thread in threads.flatten() {
        let [name, place, call] = ["comm", "wchan", "syscall"].map(|file| read(thread.path().join(file)));
        writeln!(text, "{name}: {place}, system call {call}").unwrap();
    }
    text
}

/// What a run came to.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    what: String,
}

impl Ran {
    /// Panics with all that was said unless the exit code is this one.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code of {self}");
        self
    }

    /// Panics unless stderr holds the text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no {text:?} on the stderr of {self}");
        self
    }

    /// Panics if stdout or stderr holds the text.
    #[track_caller]
    pub(crate) fn never_says(self, text: &str) -> Self {
        assert!(
            !self.stderr.contains(text) && !self.stdout.contains(text),
            "{text:?} in what was said by {self}"
        );
        self
    }

    /// stdout, which must be exactly one JSON object.
    #[track_caller]
    pub(crate) fn json(&self) -> Json {
        match serde_json::from_str(&self.stdout) {
            Ok(Json::Object(object)) => Json::Object(object),
            Ok(_) => panic!("stdout is no JSON object: {self}"),
            Err(error) => panic!("stdout is not one JSON value ({error}): {self}"),
        }
    }

    /// The number of the job that ran, from what was printed with `--json`.
    #[track_caller]
    pub(crate) fn job(&self) -> i64 {
        self.json()["job"].as_i64().unwrap_or_else(|| panic!("no job in {self}"))
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, code, stdout, stderr } = self;
        write!(f, "{what}, exit code {code}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

/// Runs a test on every engine that can be had, one after the other.
pub(crate) async fn each_engine(test: impl AsyncFn(&TestDatabase)) {
    for database in TestDatabase::each().await {
        eprintln!("on {}", database.url);
        test(&database).await;
        database.remove().await;
    }
}

/// The files in a directory, by name.
pub(crate) fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
