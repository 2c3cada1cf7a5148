//! A PostgreSQL server of a test's own, which it may stop and start as it likes.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User};
use tempfile::TempDir;

/// A cluster in a temporary directory, on a port of 127.0.0.1.
pub(crate) struct Postgres {
    directory: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Postgres {
    /// Starts one; `None` and a word on stderr where PostgreSQL's programs are not installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            eprintln!(
                "skipped: PostgreSQL, because its programs (Debian package postgresql) are not installed"
            );
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        if let Some(user) = server_user() {
            chown(directory.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        let mut server = Self { directory, programs, port: 0 };
        server.run("initdb", &["-U", "pm", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        // Whoever listens there in between makes the start fail.
        let started = (0..5).any(|_| {
            server.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            server.starts()
        });
        assert!(started, "the server does not start on any of five ports");
        Some(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://pm@127.0.0.1:{}/postgres", self.port)
    }

    /// The same over its Unix socket, which reaches from one network namespace into another.
    pub(crate) fn socket_url(&self) -> String {
        let directory = self.directory.path().display();
        format!("postgres://pm@localhost:{}/postgres?host={directory}", self.port)
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Starts it, and says whether it did.
    fn starts(&self) -> bool {
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c max_connections=200 -c fsync=off",
            self.port,
            self.directory.path().display()
        );
        let log = self.directory.path().join("log");
        let arguments = ["-w", "-l", &log.display().to_string(), "-o", &options, "start"];
        self.command("pg_ctl").args(arguments).status().unwrap().success()
    }

    /// Ends it, cutting all connections, and starts it again.
    pub(crate) fn restart(&self) {
        self.run("pg_ctl", &["-w", "-m", "fast", "stop"]);
        assert!(self.starts(), "the server does not start again");
    }

    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str]) {
        let ran = self.command(program).args(arguments).status().unwrap();
        assert!(ran.success(), "{program} {arguments:?}");
    }

    /// The server refuses to run as root.
    fn command(&self, program: &str) -> Command {
        let path = self.programs.join(program);
        let mut command = if server_user().is_some() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir("/").arg("-D").arg(self.data()).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.command("pg_ctl").args(["-m", "immediate", "stop"]).status();
    }
}

/// Who runs the server when we are root.
fn server_user() -> Option<User> {
    Uid::effective().is_root().then(|| User::from_name("postgres").ok().flatten()).flatten()
}

/// The newest installed ones.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .filter(|bin| bin.join("initdb").is_file())
        .collect();
    let version = |bin: &Path| {
        let name = bin.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        name.and_then(|name| name.parse::<u32>().ok())
    };
    found.sort_by_key(|bin| version(bin));
    found.pop()
}
