//! The bridge to NAPALM, with a stand-in for NAPALM (`tests/bridge/napalm`) that is strict about how it is used.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pm_router::{
    ConfigText, Credentials, Endpoint, Error, Family, HostKeys, How, Key, Limits, Pending, Platform, Router,
    State, Target, Tls, Undo, Way, connect, napalm_versions,
};
use serde_json::{Value as Json, json};

const BEFORE: &str = "router bgp 64500\n";
const PASSWORD: &str = "Planted's-1\\";

fn python(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bridge").join(name)
}

struct Device {
    directory: tempfile::TempDir,
}

impl Device {
    fn new() -> Self {
        let device = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::write(device.file(), json!({ "config": BEFORE }).to_string()).unwrap();
        device
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("device")
    }

    fn state(&self) -> Json {
        serde_json::from_str(&std::fs::read_to_string(self.file()).unwrap()).unwrap()
    }

    fn target(&self, driver: &str) -> Target {
        let mut options = serde_json::Map::new();
        options.insert("device".into(), json!(self.file()));
        let limits = Limits { read: Duration::from_secs(20), ..Limits::default() };
        Target {
            endpoint: Endpoint { host: "router".into(), port: 0 },
            platform: Platform::Napalm,
            driver_name: driver.into(),
            use_napalm: false,
            python: python("python"),
            credentials: Credentials {
                user: "netops".into(),
                password: Some(PASSWORD.into()),
                ..Credentials::default()
            },
            host_keys: HostKeys::KnownHosts("/nonexistent".into()),
            way: Way::default(),
            tls: Tls::default(),
            options,
            limits,
        }
    }

    fn failing(&self, fault: &str) -> Target {
        let mut target = self.target("lab");
        target.options.insert("fault".into(), json!(fault));
        target.limits.read = Duration::from_secs(20);
        target
    }

    async fn connect(&self, driver: &str) -> Box<dyn Router> {
        connect(&self.target(driver)).await.unwrap()
    }

    /// The processes that hang.
    async fn processes(&self) -> Vec<String> {
        let path = self.file().with_extension("pids");
        for _ in 0..1200 {
            if let Ok(text) = std::fs::read_to_string(&path)
                && text.contains(' ')
            {
                return text.split(' ').map(str::to_owned).collect();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the process did not come as far as to hang");
    }
}

/// Waits until none of the processes is there any more; one that nobody has waited for has ended, too.
async fn gone(processes: &[String]) -> bool {
    let lives = |id: &String| {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
    };
    for _ in 0..600 {
        if !processes.iter().any(lives) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

fn without_secrets(error: &Error) -> String {
    let text = format!("{error} {error:?}");
    assert!(!text.contains("Planted"), "{text}");
    error.to_string()
}

/// It would be compared with nothing, and the password go to whoever answers.
#[tokio::test]
async fn a_fingerprint_is_not_left_aside() {
    let device = Device::new();
    let mut target = device.target("lab");
    target.host_keys = HostKeys::Fingerprint(format!("SHA256:{}", "A".repeat(43)));
    let said = without_secrets(&refused(&target).await);
    assert!(said.contains("compares no fingerprint"), "{said}");
    target.options.insert("ssh_strict".into(), json!(false));
    connect(&target).await.unwrap().close().await;
}

async fn refused(target: &Target) -> Error {
    connect(target).await.err().unwrap()
}

async fn commit(router: &dyn Router, text: &str, seconds: u64) -> Result<Pending, Error> {
    let candidate = router.loader(How::Merge).unwrap().load(&ConfigText::new(text)).await?;
    assert_eq!(candidate.diff().text(), "+neighbor 192.0.2.7 password ******\n");
    candidate.commit(Duration::from_secs(seconds)).await
}

const MORE: &str = "neighbor 192.0.2.7 password Planted-2\n";

#[tokio::test]
async fn what_is_read() {
    let device = Device::new();
    let router = device.connect("L-AB").await;
    assert_eq!(router.capabilities().undo, Some(Undo::Router));
    let facts = router.facts().await.unwrap();
    assert_eq!((facts.hostname.as_str(), facts.version.as_str(), facts.uptime), ("lab", "1.2", Some(42)));
    let neighbors = router.neighbors().await.unwrap();
    let up = neighbors.get("default", "192.0.2.1".parse().unwrap()).unwrap();
    assert_eq!((up.remote_as, up.uptime(), up.flaps), (Some(64_501), Some(99), Some(2)));
    assert_eq!(up.prefixes.get(&Family::Ipv4).unwrap().accepted, Some(18));
    let down = neighbors.get("default", "2001:db8::1".parse().unwrap()).unwrap();
    assert_eq!((down.state, down.remote_id), (State::OpenConfirm, None));
    let short = serde_json::to_value(router.napalm_neighbors().await.unwrap()).unwrap();
    assert_eq!(short["global"]["peers"]["192.0.2.1"]["address_family"]["ipv4"]["sent_prefixes"], 1);
    assert_eq!(short["red"]["peers"], json!({}));
    let long = router.napalm_detail().await.unwrap();
    assert_eq!(long["global"]["64501"][1].connection_state, "OpenConfirm");
    assert_eq!(router.running_config().await.unwrap().expose(), BEFORE);
    router.close().await;
    assert!(matches!(router.facts().await, Err(Error::Failed { .. } | Error::Lost { .. })));
}

#[tokio::test]
async fn a_change_is_confirmed_over_another_connection() {
    for driver in ["lab", "sessions"] {
        confirmed_over_another_connection(driver).await;
    }
}

async fn confirmed_over_another_connection(driver: &str) {
    let device = Device::new();
    let router = device.connect(driver).await;
    let change = commit(&*router, MORE, 3541).await.unwrap();
    assert_eq!(change.seconds, 3600);
    assert!(change.id.starts_with(&router.pending().await.unwrap().unwrap().id), "{}", change.id);
    let busy = router.loader(How::Merge).unwrap().load(&ConfigText::new(MORE)).await.err().unwrap();
    assert!(matches!(busy, Error::Busy { .. }), "{busy}");
    drop(router);
    let other = device.connect(driver).await;
    other.confirm(&change).await.unwrap();
    other.confirm(&change).await.unwrap();
    assert_eq!(other.pending().await.unwrap(), None);
    // Nor does it matter in which process.
    let other = device.connect(driver).await;
    other.confirm(&change).await.unwrap();
    assert!(!other.cancel(&change).await.unwrap(), "it waits no more");
    assert_eq!(device.state()["config"], format!("{BEFORE}{MORE}"));
    other.roll_back(&change).await.unwrap();
    assert_eq!(device.state()["config"], BEFORE);
}

#[tokio::test]
async fn nobody_confirms() {
    let device = Device::new();
    let router = device.connect("lab").await;
    let change = commit(&*router, MORE, 600).await.unwrap();
    tokio::time::sleep(Duration::from_millis(10_500)).await;
    let error = router.confirm(&change).await.unwrap_err();
    assert!(matches!(error, Error::RolledBack { .. }), "{error}");
    assert_eq!(device.state()["config"], BEFORE);
}

impl Device {
    /// Somebody else commits, with a timer if it is to wait.
    fn by_hand(&self, config: &str, waits: bool) {
        let mut state = self.state();
        let pending = json!({ "until": 1e12, "before": state["config"] });
        state["before"] = state["config"].clone();
        state["config"] = json!(config);
        state["pending"] = if waits { pending } else { Json::Null };
        state["session"] = json!("by-hand");
        std::fs::write(self.file(), state.to_string()).unwrap();
    }
}

/// What NAPALM undoes is the last change, whoever's that is.
#[tokio::test]
async fn only_the_change_itself_is_undone() {
    for driver in ["lab", "sessions"] {
        let device = Device::new();
        let router = device.connect(driver).await;
        // Undone by the device: there is nothing left to do.
        let change = commit(&*router, MORE, 600).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10_500)).await;
        assert!(!router.cancel(&change).await.unwrap());
        router.roll_back(&change).await.unwrap();
        assert_eq!(device.state()["config"], BEFORE);
        // Somebody else's change, be it one that waits, is neither undone nor confirmed.
        for waits in [false, true] {
            device.by_hand("by hand\n", waits);
            assert!(!router.cancel(&change).await.unwrap());
            assert!(matches!(router.roll_back(&change).await, Err(Error::Failed { .. })));
            assert!(matches!(router.confirm(&change).await, Err(Error::Failed { .. })));
            let state = device.state();
            assert_eq!((&state["config"], state["pending"].is_null()), (&json!("by hand\n"), !waits));
        }
        // What waits is undone from another process.
        let device = Device::new();
        let change = commit(&*device.connect(driver).await, MORE, 3600).await.unwrap();
        assert!(device.connect(driver).await.cancel(&change).await.unwrap());
        assert_eq!(device.state()["config"], BEFORE);
    }
}

#[tokio::test]
async fn another_candidate_is_not_committed_in_its_place() {
    let device = Device::new();
    let router = device.connect("lab").await;
    let load =
        async |text: &str| router.loader(How::Merge).unwrap().load(&ConfigText::new(text)).await.unwrap();
    let (first, second) = (load("first\n").await, load("second\n").await);
    assert!(matches!(first.commit(Duration::from_hours(1)).await, Err(Error::Changed { .. })));
    assert_eq!(device.state()["config"], BEFORE);
    let change = second.commit(Duration::from_hours(1)).await.unwrap();
    router.confirm(&change).await.unwrap();
    let third = load("third\n").await;
    router.confirm(&change).await.unwrap();
    assert!(matches!(third.commit(Duration::from_hours(1)).await, Err(Error::Changed { .. })));
    assert_eq!(device.state()["config"], format!("{BEFORE}second\n"));
}

#[tokio::test]
async fn nothing_is_committed_without_the_timer_that_was_asked_for() {
    for driver in ["plain", "threaded"] {
        let device = Device::new();
        let router = device.connect(driver).await;
        assert_eq!(router.capabilities().undo, None, "{driver}");
        let error = commit(&*router, MORE, 60).await.unwrap_err();
        assert!(without_secrets(&error).contains("no timer"), "{error}");
        assert_eq!(device.state()["config"], BEFORE);
        assert_eq!(device.state()["discards"], 1);
        let change = commit(&*router, MORE, 0).await.unwrap();
        assert_eq!(change.seconds, 0);
        assert_eq!(device.state()["config"], format!("{BEFORE}{MORE}"));
    }
    let device = Device::new();
    let error = commit(&*device.connect("careless").await, MORE, 60).await.unwrap_err();
    assert!(without_secrets(&error).contains("it was undone"), "{error}");
    assert_eq!(device.state()["config"], BEFORE);
}

#[tokio::test]
async fn what_the_device_refuses_is_discarded() {
    let device = Device::new();
    let router = device.connect("lab").await;
    let text = ConfigText::new("syntax error here, password Planted-3\n");
    for how in [How::Merge, How::Replace] {
        let error = router.loader(how).unwrap().load(&text).await.err().unwrap();
        assert!(matches!(error, Error::Rejected { .. }), "{error}");
        assert!(without_secrets(&error).contains("syntax error here"), "{error}");
    }
    assert_eq!(device.state()["discards"], 2);
    let candidate = router.loader(How::Replace).unwrap().load(&ConfigText::new("a\n")).await.unwrap();
    assert_eq!(candidate.diff().counts(), (1, 1));
    candidate.discard().await.unwrap();
    assert_eq!(device.state()["discards"], 3);
    let router = connect(&device.failing("load:locked")).await.unwrap();
    let error = router.loader(How::Merge).unwrap().load(&ConfigText::new("a\n")).await.err().unwrap();
    assert!(matches!(&error, Error::Busy { holder, .. } if holder.contains("pts/0")), "{error}");
    let router = connect(&device.failing("commit:odd")).await.unwrap();
    let error = commit(&*router, MORE, 60).await.unwrap_err();
    assert!(without_secrets(&error).contains("failed with KeyError"), "{error}");
}

#[tokio::test]
async fn what_a_driver_cannot_do_is_known_beforehand() {
    let device = Device::new();
    let cases: [(&str, &[How]); 3] =
        [("lab", &[How::Merge, How::Replace]), ("replacer", &[How::Replace]), ("reader", &[])];
    for (driver, loads) in cases {
        let router = device.connect(driver).await;
        assert_eq!(router.capabilities().loads, loads, "{driver}");
        let loaders = [How::Merge, How::Replace].into_iter().filter(|&how| router.loader(how).is_some());
        assert_eq!(loaders.collect::<Vec<_>>(), loads, "{driver}");
    }
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let device = Device::new();
    let mut target = device.target("lab");
    target.python = "/nonexistent/python".into();
    assert!(without_secrets(&refused(&target).await).contains("install Python 3"));
    target.python = python("python-alone");
    assert!(without_secrets(&refused(&target).await).contains("pip install napalm"));
    target.python = python("python-garbage");
    let error = refused(&target).await;
    assert!(matches!(error, Error::Unreadable { .. }), "{error}");
    without_secrets(&error);
    let error = refused(&device.target("nonesuch")).await;
    assert!(without_secrets(&error).contains("pip install napalm-nonesuch"), "{error}");

    let limit = Duration::from_secs(20);
    let drivers = ["lab", "nonesuch"].map(str::to_owned).into();
    let found = napalm_versions(&python("python"), &drivers, limit).await.unwrap();
    assert_eq!((found.napalm.as_str(), found.missing.len()), ("5.9.9", 1));
    assert!(found.missing["nonesuch"].contains("nonesuch"), "{:?}", found.missing);
    let none = napalm_versions(&python("python-alone"), &drivers, limit).await;
    assert!(none.unwrap_err().contains("no NAPALM"));
}

#[tokio::test]
async fn who_is_not_let_in() {
    let device = Device::new();
    let mut target = device.target("lab");
    target.credentials.password = Some("Planted-wrong".into());
    let error = refused(&target).await;
    assert!(matches!(&error, Error::Login { user, .. } if user == "netops"), "{error}");
    without_secrets(&error);
    let mut target = device.target("lab");
    target.endpoint.host = "nowhere".into();
    assert!(matches!(refused(&target).await, Error::Connect { .. }));
}

#[tokio::test]
async fn keys_come_as_files_that_are_on_no_disk() {
    let device = Device::new();
    let mut target = device.target("lab");
    target.credentials.keys.push(Key { text: "Planted-private-key\n".into(), passphrase: None });
    connect(&target).await.unwrap();
}

#[tokio::test]
async fn what_hangs_is_ended_with_all_that_it_started() {
    let device = Device::new();
    let router = connect(&device.failing("facts:hang")).await.unwrap();
    let error = router.facts().await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    let processes = device.processes().await;
    assert_eq!(processes.len(), 2);
    assert!(gone(&processes).await);
    let error = router.neighbors().await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error}");
}

#[tokio::test]
async fn what_is_given_up_is_ended() {
    let device = Device::new();
    let mut target = device.failing("facts:hang");
    target.limits.read = Duration::from_mins(5);
    let job = tokio::spawn(async move {
        let router = connect(&target).await.unwrap();
        router.facts().await.map(drop)
    });
    let processes = device.processes().await;
    job.abort();
    assert!(gone(&processes).await);
}

#[tokio::test]
async fn a_crash_is_told_without_secrets() {
    let device = Device::new();
    let router = connect(&device.failing("facts:crash")).await.unwrap();
    let error = router.facts().await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error}");
    let text = without_secrets(&error);
    assert!(text.contains("SIGSEGV") && text.contains("segmentation"), "{text}");
    let error = connect(&device.failing("open:crash")).await.err().unwrap();
    without_secrets(&error);
}

#[tokio::test]
async fn exceptions_are_told_without_secrets() {
    let device = Device::new();
    let mut target = device.failing("facts:secret");
    target.options.insert("enable_password".into(), json!("Planted-4"));
    let router = connect(&target).await.unwrap();
    let error = router.facts().await.unwrap_err();
    assert!(without_secrets(&error).contains("cannot log in with ******"), "{error}");
    let router = connect(&device.failing("facts:closed")).await.unwrap();
    assert!(matches!(router.facts().await.unwrap_err(), Error::Lost { .. }));
}

#[tokio::test]
async fn what_drivers_print_is_no_answer() {
    let device = Device::new();
    let router = connect(&device.failing("facts:noise")).await.unwrap();
    assert_eq!(router.facts().await.unwrap().hostname, "lab");
    assert_eq!(router.neighbors().await.unwrap().neighbors.len(), 2);
}

#[tokio::test]
async fn a_long_configuration_comes_through() {
    let device = Device::new();
    let router = device.connect("lab").await;
    let lines: Vec<String> = (0..20_000).map(|at| format!("neighbor line {at}\n")).collect();
    let text = lines.concat();
    let candidate = router.loader(How::Replace).unwrap().load(&ConfigText::new(&text)).await.unwrap();
    assert_eq!(candidate.diff().counts(), (20_000, 1));
    let mut target = device.target("lab");
    std::fs::write(device.file(), json!({ "config": text }).to_string()).unwrap();
    target.limits.answer = 100_000;
    let error = connect(&target).await.unwrap().running_config().await.err().unwrap();
    assert!(matches!(error, Error::Unreadable { .. }), "{error}");
}

/// As when this program is killed: the pipe is closed, and a request is under way.
#[tokio::test]
async fn the_helper_ends_when_nobody_is_there() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let device = Device::new();
    let helper = include_str!("../src/bridge/helper.py");
    let mut child = Command::new(python("python"))
        .args(["-c", helper])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let open = json!({"id": 1, "do": "open", "driver": "lab", "hostname": "router", "username": "netops",
        "password": PASSWORD, "timeout": 5, "optional_args": {"device": device.file()}});
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{open}\n{}", json!({"id": 2, "do": "facts"})).unwrap();
    drop(input);
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
    assert!(output.status.success());
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Json> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 2);
    assert_eq!((&answers[0]["ok"]["timer"], &answers[1]["ok"]["hostname"]), (&json!(true), &json!("lab")));
}
