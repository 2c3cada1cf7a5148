//! A Python process that makes calls, `client.py`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command as Start, Stdio};

use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::PASSWORD;

/// What a call raised.
#[derive(Debug)]
pub struct Raised {
    /// The classes of the exception, its own first.
    pub kinds: Vec<String>,
    pub says: String,
    /// Of an `rpc-error`.
    pub tag: Option<String>,
    pub info: Option<String>,
}

impl Raised {
    pub fn is(&self, kind: &str) -> bool {
        self.kinds.iter().any(|one| one == kind)
    }
}

/// The Python that has NAPALM. `None` where there is none; that is said.
pub fn python() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/napalm/bin/python");
    let there = Start::new(&python).args(["-c", "import napalm, ncclient"]).stderr(Stdio::null()).status();
    if there.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    println!("skipped: there is no NAPALM in target/napalm; scripts/test installs it");
    None
}

/// The process. It ends with this.
pub struct Client {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Client {
    /// `None` without NAPALM; that is said.
    pub fn start() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = python()?;
        let mut child = Command::new(python)
            .arg(root.join("tests/vendors/client.py"))
            // Neither keys nor settings of whoever runs the tests.
            .env("HOME", "/nonexistent")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Some(Self { _child: child, input, output: BufReader::new(output).lines() })
    }

    async fn ask(&mut self, request: &Json) -> Result<Json, Raised> {
        self.input.write_all(format!("{request}\n").as_bytes()).await.unwrap();
        let line = self.output.next_line().await.unwrap();
        let mut answer: Json =
            serde_json::from_str(&line.unwrap_or_else(|| panic!("ended at {request}"))).unwrap();
        if let Some(kinds) = answer["error"].as_array() {
            let text = |name: &str| answer[name].as_str().map(str::to_owned);
            return Err(Raised {
                kinds: kinds.iter().map(|kind| kind.as_str().unwrap().to_owned()).collect(),
                says: text("says").unwrap(),
                tag: text("tag"),
                info: text("info"),
            });
        }
        Ok(answer["ok"].take())
    }

    /// A driver of NAPALM's, which is opened.
    pub async fn napalm(
        &mut self,
        name: &str,
        driver: &str,
        to: SocketAddr,
        options: Json,
    ) -> Result<(), Raised> {
        let made = json!({ "name": name, "napalm": driver, "host": to.ip(), "port": to.port(), "user": "netops",
            "password": PASSWORD, "options": options });
        self.ask(&made).await?;
        self.call(name, "open", json!({})).await.map(drop)
    }

    /// A session of ncclient's, and its number.
    pub async fn ncclient(&mut self, name: &str, device: &str, to: SocketAddr) -> Result<String, Raised> {
        let made = json!({ "name": name, "ncclient": device, "host": to.ip(), "port": to.port(), "user": "netops",
            "password": PASSWORD });
        Ok(self.ask(&made).await?["session"].as_str().unwrap().to_owned())
    }

    pub async fn call(&mut self, name: &str, method: &str, with: Json) -> Result<Json, Raised> {
        self.ask(&json!({ "name": name, "call": method, "with": with })).await
    }

    /// A call that must work.
    pub async fn good(&mut self, name: &str, method: &str, with: Json) -> Json {
        match self.call(name, method, with).await {
            Ok(said) => said,
            Err(raised) => panic!("{method}: {raised:?}"),
        }
    }

    /// A call that must not.
    pub async fn bad(&mut self, name: &str, method: &str, with: Json) -> Raised {
        match self.call(name, method, with).await {
            Ok(said) => panic!("{method} gave {said}"),
            Err(raised) => raised,
        }
    }
}
