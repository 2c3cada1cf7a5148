//! The real program, and a server that tells it what it needs to hear.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

use pm_irr::Family;

type Sets = Arc<Mutex<HashMap<String, String>>>;

/// The installed program.
pub struct Bgpq4 {
    server: SocketAddr,
    sets: Sets,
}

impl Bgpq4 {
    /// `None`, and a line that says so, where it is not installed.
    pub fn find() -> Option<Self> {
        if Command::new("bgpq4").arg("-v").output().is_err() {
            println!("skipped: bgpq4 is not installed");
            return None;
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let sets = Sets::default();
        let known = Arc::clone(&sets);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let known = Arc::clone(&known);
                thread::spawn(move || serve(&stream?, &known));
            }
        });
        Some(Self { server, sets })
    }

    /// Runs it with `-j -l x`, with at most 150 MB of memory and 20 seconds.
    pub fn run(&self, arguments: &[String]) -> Output {
        Command::new("sh")
            .args(["-c", "ulimit -v 150000; exec timeout 20 bgpq4 \"$@\"", "sh", "-j", "-l", "x", "-h"])
            .arg(self.server.to_string())
            .args(arguments)
            .output()
            .unwrap()
    }

    /// What it prints for a route-set of these members.
    pub fn list(&self, family: Family, arguments: &[String], members: &[String]) -> String {
        let set = {
            let mut sets = self.sets.lock().unwrap();
            let name = format!("RS-{}", sets.len());
            sets.insert(name.clone(), members.join(" "));
            name
        };
        self.list_of(family, arguments, &[set])
    }

    /// What it prints for prefixes that are given as arguments.
    pub fn list_of(&self, family: Family, arguments: &[String], objects: &[String]) -> String {
        let family = if family == Family::V4 { "-4" } else { "-6" }.to_owned();
        let output = self.run(&[&[family], arguments, objects].concat());
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?} {objects:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Answers as IRRd does, as far as bgpq4 asks for route-sets; AS numbers have no routes.
fn serve(stream: &TcpStream, sets: &Sets) -> io::Result<()> {
    let data = |text: &str| format!("A{}\n{text}\nC\n", text.len() + 1);
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let set = line.strip_prefix("!i").map(|name| name.trim_end_matches(",1"));
        let answer = match (line.as_str(), set) {
            ("!!", _) => continue,
            ("!q", _) => break,
            ("!a", _) => "F Missing required set name for A query\n".to_owned(),
            ("!s-lc", _) => data("RADB"),
            (_, Some(name)) => match sets.lock().unwrap().get(name) {
                Some(members) if !members.is_empty() => data(members),
                _ => "D\n".to_owned(),
            },
            (other, None) if other.starts_with("!g") || other.starts_with("!6") => "D\n".to_owned(),
            _ => "C\n".to_owned(),
        };
        { stream }.write_all(answer.as_bytes())?;
    }
    Ok(())
}
