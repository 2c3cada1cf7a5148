//! A router with a daemon that others wrote, its peers and an SSH server, in network namespaces: `tests/lab/run`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use pm_router::{
    Credentials, Daemon, DaemonKind, DaemonOptions, Endpoint, Error, HostKeys, Key, Limits, Ssh,
};

pub const HOST: &str = "10.87.0.2";
pub const PASSWORD: &str = "lab-password";

/// What must be there for the daemon of a platform.
pub fn lacks(platform: DaemonKind) -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("it takes root to make network namespaces".into());
    }
    let own: &[&str] = match platform {
        DaemonKind::Frr => &["/usr/lib/frr/bgpd", "/usr/bin/vtysh", "/usr/lib/frr/frr-reload.py"],
        DaemonKind::Bird => &[],
        DaemonKind::Openbgpd => &["/usr/sbin/bgpd", "/usr/sbin/bgpctl"],
        DaemonKind::Gobgp => &["/usr/bin/gobgpd", "/usr/bin/gobgp"],
    };
    let all =
        ["/usr/sbin/bird", "/usr/sbin/sshd", "/usr/bin/sudo", "/usr/bin/nsenter", "/usr/bin/ssh-keygen"];
    let missing: Vec<&str> =
        all.iter().chain(own).copied().filter(|path| !Path::new(path).exists()).collect();
    (!missing.is_empty()).then(|| format!("missing: {}", missing.join(", ")))
}

/// The lab ends when this is dropped, and when the test's process ends.
pub struct Lab {
    directory: tempfile::TempDir,
    process: Child,
    platform: Option<DaemonKind>,
}

impl Lab {
    /// `None`, with the reason printed, where it cannot be made.
    pub fn start(platform: DaemonKind) -> Option<Self> {
        Self::start_named(platform.name(), lacks(platform), Some(platform))
    }

    /// Any other router of `tests/lab`, where nothing lacks.
    pub fn start_named(name: &str, lacks: Option<String>, platform: Option<DaemonKind>) -> Option<Self> {
        if let Some(reason) = lacks {
            println!("skipped: the real {name}: {reason}");
            return None;
        }
        let directory = tempfile::Builder::new().prefix("lab").tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../router/tests/lab/run");
        let mut process = Command::new("bash")
            .arg(script)
            .arg(name)
            .arg(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said.trim(), "ready", "the lab did not come up");
        let lab = Self { directory, process, platform };
        // This thread, and those that its runtime starts, are the operator's machine from here on.
        let namespace = std::fs::File::open(format!("/var/run/netns/{}-op", lab.name())).unwrap();
        setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
        Some(lab)
    }

    fn name(&self) -> String {
        format!("pmr-{}", self.directory.path().file_name().unwrap().to_str().unwrap())
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    /// Runs a command on a node as root.
    pub fn on(&self, node: &str, command: &str) -> String {
        let pid = self.read(&format!("{node}.pid"));
        let output = Command::new("nsenter")
            .args(["-t", pid.trim(), "-m", "-u", "-n", "-p", "sh", "-c", command])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Cuts or mends the way to the router.
    pub fn path(&self, state: &str) {
        let status = Command::new("ip")
            .args(["-n", &format!("{}-op", self.name()), "link", "set", "op0", state])
            .status();
        assert!(status.unwrap().success());
    }

    pub fn known_hosts(&self) -> HostKeys {
        let path = self.file("known_hosts");
        let host = self.read("host.pub");
        std::fs::write(&path, format!("{HOST} {host}[{HOST}]:2222 {host}[{HOST}]:830 {host}")).unwrap();
        HostKeys::KnownHosts(path)
    }

    pub fn known_hosts_at(&self, host: &str, port: u16) -> HostKeys {
        let path = self.file("known_hosts_there");
        std::fs::write(&path, format!("[{host}]:{port} {}", self.read("host.pub"))).unwrap();
        HostKeys::KnownHosts(path)
    }

    pub fn key(&self, name: &str) -> Credentials {
        let key = Key { text: self.read(name).into(), passphrase: None };
        Credentials { user: "netops".into(), keys: vec![key], ..Credentials::default() }
    }

    pub async fn ssh(&self, port: u16, credentials: &Credentials, keys: &HostKeys) -> Result<Ssh, Error> {
        self.ssh_at(HOST, port, credentials, keys).await
    }

    pub async fn ssh_at(
        &self,
        host: &str,
        port: u16,
        credentials: &Credentials,
        keys: &HostKeys,
    ) -> Result<Ssh, Error> {
        Ssh::connect(&Endpoint { host: host.into(), port }, credentials, keys, limits()).await
    }

    pub async fn connect(&self) -> Daemon {
        let ssh = self.ssh(22, &self.key("client"), &self.known_hosts()).await.unwrap();
        Daemon::new(ssh, self.platform.unwrap(), DaemonOptions::default())
    }

    /// With a limit for readings.
    pub async fn connect_reading(&self, read: Duration) -> Daemon {
        self.connect_with(Limits { read, ..limits() }).await
    }

    /// That notices soon when nobody is there any more, and by nothing else.
    pub async fn connect_watching(&self, keep_alive: Duration) -> Daemon {
        self.connect_with(Limits { read: Duration::from_mins(10), keep_alive, ..limits() }).await
    }

    /// With a limit for changes, and no other sign that the router is gone.
    pub async fn connect_within(&self, change: Duration) -> Daemon {
        self.connect_with(Limits { change, keep_alive: Duration::from_mins(5), ..limits() }).await
    }

    async fn connect_with(&self, limits: Limits) -> Daemon {
        let endpoint = Endpoint { host: HOST.into(), port: 22 };
        let ssh = Ssh::connect(&endpoint, &self.key("client"), &self.known_hosts(), limits).await.unwrap();
        Daemon::new(ssh, self.platform.unwrap(), DaemonOptions::default())
    }
}

fn limits() -> Limits {
    Limits {
        connect: Duration::from_mins(1),
        login: Duration::from_mins(1),
        read: Duration::from_mins(1),
        change: Duration::from_mins(5),
        keep_alive: Duration::from_secs(10),
        ..Limits::default()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
