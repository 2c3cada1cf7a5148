//! The real bgpq4 and bgpq3, unmodified, against recorded cases.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pm_lab::irrd::{Options, Server};
use serde_json::Value;

use crate::client::serve;

/// Where the cases are, and the program; if there are both.
fn cases(program: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "the one setting of the tests: where optional cases are")]
    let Ok(folder) = std::env::var("EXTRA_CASES") else {
        println!("skipped: EXTRA_CASES not set");
        return None;
    };
    if Command::new(program).arg("-v").output().is_err() {
        println!("skipped: {program} is not installed");
        return None;
    }
    Some(Path::new(&folder).join("irr"))
}

async fn golden_server(folder: &Path) -> Server {
    let rpsl = fs::read_to_string(folder.join("golden.rpsl")).unwrap();
    let sources = ["NTTCOM", "RADB", "RIPE", "ARIN", "APNIC", "ALTDB"].map(str::to_owned).to_vec();
    serve(&rpsl, Options { sources, ..Options::default() }).await
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// What a run printed on standard output and on standard error, and its exit code.
type Ran = (String, String, i64);

/// Runs a program with a limit on its memory: an IPv6 `^+` makes these take all there is.
async fn run(program: &str, server: &Server, case: &Value) -> Ran {
    let mut command = tokio::process::Command::new("sh");
    command.args(["-c", "ulimit -v 2000000; exec \"$0\" \"$@\"", program]);
    command.args(["-h".to_owned(), server.address().to_string()]);
    command.args(words(&case["argv"])).env_remove("IRRD_SOURCES");
    for (name, value) in case["env"].as_object().into_iter().flatten() {
        command.env(name, value.as_str().unwrap());
    }
    let output = command.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap_or(-1).into())
}

#[tokio::test(flavor = "multi_thread")]
async fn bgpq4_prints_what_it_prints_with_the_real_server() {
    let Some(folder) = cases("bgpq4") else { return };
    let server = golden_server(&folder).await;
    let all = json(&folder.join("cases.json"));
    let mut differing = Vec::new();
    for case in all.as_array().unwrap() {
        let name = case["id"].as_str().unwrap();
        let expected = json(&folder.join(format!("expected/{name}.json")));
        let (stdout, stderr, code) = run("bgpq4", &server, case).await;
        let same = stdout == expected["stdout"] && stderr == expected["stderr"] && code == expected["rc"];
        if !same {
            differing.push(name.to_owned());
        }
    }
    assert!(all.as_array().unwrap().len() > 100);
    assert!(differing.is_empty(), "{} of these differ: {differing:?}", differing.len());
}
