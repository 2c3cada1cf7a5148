//! The real bgpq4 and bgpq3, unmodified, against recorded cases.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pm_lab::irrd::{Options, Server};
use serde_json::Value;

use super::client::serve;

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

/// What a program prints on standard output, and its exit code. There is a limit on its memory: an IPv6 `^+` makes
/// these programs take all there is.
async fn run(program: &str, flags: &[&str], server: &Server, case: &Value) -> (String, i64) {
    let mut command = tokio::process::Command::new("sh");
    command.args(["-c", "ulimit -v 2000000; exec \"$0\" \"$@\"", program]);
    command.args(["-h".to_owned(), server.address().to_string()]).args(flags);
    command.args(words(&case["argv"])).env_remove("IRRD_SOURCES");
    for (name, value) in case["env"].as_object().into_iter().flatten() {
        command.env(name, value.as_str().unwrap());
    }
    let output = command.output().await.unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().unwrap_or(-1).into())
}

/// Runs the cases that are meant, and fails if one prints or ends otherwise than recorded. What a program says on
/// standard error depends on how the answers were cut into packets, so it is not compared.
async fn check(program: &str, least: usize, is_meant: impl Fn(&str, &Value) -> bool, flags: &[&str]) {
    let Some(folder) = cases(program) else { return };
    let server = golden_server(&folder).await;
    let all = json(&folder.join("cases.json"));
    let (mut compared, mut differing) = (0, Vec::new());
    for case in all.as_array().unwrap() {
        let name = case["id"].as_str().unwrap();
        if !is_meant(name, case) {
            continue;
        }
        compared += 1;
        let expected = json(&folder.join(format!("expected/{name}.json")));
        let (stdout, code) = run(program, flags, &server, case).await;
        if stdout != expected["stdout"] || code != expected["rc"] {
            differing.push(name.to_owned());
        }
    }
    assert!(compared >= least, "only {compared} cases in {}", folder.display());
    assert!(differing.is_empty(), "{} of {compared} differ: {differing:?}", differing.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn bgpq4_prints_what_it_prints_with_the_real_server() {
    check("bgpq4", 150, |_, _| true, &[]).await;
}

/// The recorded lists are bgpq4's. bgpq3 prints the same ones where it has the same options and does not leave private
/// AS numbers out; it asks for each AS by itself.
#[tokio::test(flavor = "multi_thread")]
async fn bgpq3_prints_the_same() {
    let kinds = ["agg", "plain", "pm", "rand", "set", "two_sets", "S_", "depth_", "R"];
    let is_meant = |name: &str, case: &Value| {
        let plain = words(&case["argv"]).iter().all(|word| !word.contains("::") && !word.contains("PRIVATE"));
        plain && case["env"].is_null() && kinds.iter().any(|kind| name.starts_with(kind))
    };
    check("bgpq3", 80, is_meant, &["-3"]).await;
}
