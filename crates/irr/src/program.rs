//! bgpq4 or bgpq3 in place of our own client, for people who want the program.
//!
//! Both end with status 0 and an empty list when a name is unknown, a server answers with an error, or there is nothing
//! behind a name, so an empty list proves nothing here. Anything on stderr counts as a failure.

use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::time::Instant;

use crate::{Entry, Failure, Family, Prefix};

/// Name of the list in the program's output.
const LIST: &str = "irr";
/// Most of what is kept of stderr, in octets.
const ERROR_OCTETS: usize = 4096;

/// A program and how it is run.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its path, or its name to be looked up in `PATH`.
    pub path: String,
    /// Servers (`-h`); the first is given to the program, which knows no other.
    pub host: String,
    /// Whether it is bgpq3, which writes 32-bit AS numbers only when told to.
    pub is_bgpq3: bool,
    /// When the last run must have ended.
    pub deadline: Instant,
    /// Most octets taken from its stdout.
    pub output_limit: usize,
}

impl Program {
    /// The prefix list of these objects. `arguments` are the program's own, such as `-A -R 24`.
    pub async fn prefix_list(
        &self,
        family: Family,
        sources: Option<&str>,
        arguments: &[String],
        objects: &[String],
    ) -> Result<Vec<Entry>, Failure> {
        let mut all = self.common(sources);
        all.push(if family == Family::V4 { "-4" } else { "-6" }.to_owned());
        all.extend(arguments.iter().cloned());
        let output = self.run(all, objects).await?;
        let listed: Listed<Item> = self.parse(&output)?;
        listed.irr.into_iter().map(|item| item.entry(family).map_err(|what| self.failure(&what))).collect()
    }

    /// The AS numbers behind these objects, ascending.
    pub async fn as_list(&self, sources: Option<&str>, objects: &[String]) -> Result<Vec<u32>, Failure> {
        let mut all = self.common(sources);
        // The number matters to other output formats only.
        all.extend(["-f", "1"].map(str::to_owned));
        if self.is_bgpq3 {
            all.push("-3".to_owned());
        }
        let output = self.run(all, objects).await?;
        let mut listed: Listed<u32> = self.parse(&output)?;
        listed.irr.sort_unstable();
        listed.irr.dedup();
        Ok(listed.irr)
    }

    fn common(&self, sources: Option<&str>) -> Vec<String> {
        let mut all = vec!["-h".to_owned(), self.host.clone()];
        if let Some(sources) = sources {
            all.extend(["-S".to_owned(), sources.to_owned()]);
        }
        all.extend(["-j", "-l", LIST].map(str::to_owned));
        all
    }

    fn failure(&self, what: &str) -> Failure {
        Failure(format!("{}: {what}", self.path))
    }

    fn parse<'a, T: Deserialize<'a>>(&self, output: &'a [u8]) -> Result<T, Failure> {
        serde_json::from_slice(output)
            .map_err(|error| self.failure(&format!("its output is not understood: {error}")))
    }

    async fn run(&self, arguments: Vec<String>, objects: &[String]) -> Result<Vec<u8>, Failure> {
        if let Some(object) = objects.iter().find(|object| object.starts_with('-') || object.is_empty()) {
            return Err(self.failure(&format!("{object:?} is no name of an object")));
        }
        let too_late = || self.failure("no result in time; it was ended, see irr_timeout");
        if Instant::now() >= self.deadline {
            return Err(too_late());
        }
        let mut child = Command::new(&self.path)
            .args(arguments)
            .args(objects)
            .env_remove("IRRD_SOURCES")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                self.failure(&format!("cannot be started: {error}; install it or set bgpq3_path"))
            })?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let work = async {
            let (output, error) = tokio::join!(read(stdout, self.output_limit), read(stderr, ERROR_OCTETS));
            (output, error, child.wait().await)
        };
        let (output, error, status) =
            tokio::time::timeout_at(self.deadline, work).await.map_err(|_| too_late())?;
        let said = String::from_utf8_lossy(&error.unwrap_or_default()).trim().replace(char::is_control, " ");
        match status {
            Ok(status) if !status.success() => Err(self.failure(&format!("{status}: {said}"))),
            Err(error) => Err(self.failure(&error.to_string())),
            Ok(_) if !said.is_empty() => Err(self.failure(&said)),
            Ok(_) => output.ok_or_else(|| {
                self.failure(&format!("printed more than {} octets, or could not be read", self.output_limit))
            }),
        }
    }
}

/// All of it, or `None` when it is longer than `limit`. Reads to the end in any case, so that the program can end.
async fn read(from: Option<impl AsyncRead + Unpin>, limit: usize) -> Option<Vec<u8>> {
    let mut from = from?;
    let (mut kept, mut chunk, mut whole) = (Vec::new(), vec![0; 1 << 16], true);
    loop {
        let count = from.read(&mut chunk).await.ok()?;
        if count == 0 {
            return whole.then_some(kept);
        }
        if kept.len() + count > limit {
            whole = false;
        } else if whole {
            kept.extend_from_slice(&chunk[..count]);
        }
    }
}

#[derive(Deserialize)]
struct Listed<T> {
    irr: Vec<T>,
}

#[derive(Deserialize)]
struct Item {
    prefix: String,
    exact: bool,
    #[serde(rename = "greater-equal")]
    greater_equal: Option<u8>,
    #[serde(rename = "less-equal")]
    less_equal: Option<u8>,
}

impl Item {
    fn entry(&self, family: Family) -> Result<Entry, String> {
        let prefix: Prefix = self.prefix.parse().map_err(|error| format!("{error}"))?;
        let lengths = match (self.exact, self.less_equal) {
            (true, _) => None,
            (false, Some(high)) => Some((self.greater_equal.unwrap_or(prefix.length()), high)),
            (false, None) => return Err(format!("{prefix} is neither exact nor has it a length")),
        };
        let sound =
            lengths.is_none_or(|(low, high)| low <= high && high <= family.bits() && low >= prefix.length());
        if prefix.family() == family && sound {
            Ok(Entry { prefix, lengths })
        } else {
            Err(format!("{prefix} with lengths {lengths:?} is no entry of this family"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A program made of a shell script.
    fn script(text: &str) -> (tempfile::TempDir, Program) {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bgpq");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = path.display().to_string();
        let deadline = Instant::now() + Duration::from_mins(1);
        let host = "irr.example".into();
        (directory, Program { path, host, is_bgpq3: false, deadline, output_limit: 1000 })
    }

    async fn list(text: &str) -> Result<Vec<Entry>, String> {
        let (_directory, program) = script(text);
        let arguments = ["-A".to_owned()];
        program
            .prefix_list(Family::V4, Some("RIPE"), &arguments, &["AS-X".to_owned()])
            .await
            .map_err(|failure| failure.0.replace(&program.path, "bgpq"))
    }

    #[tokio::test]
    async fn its_list_is_read() {
        let printed = r#"[ "$*" = "-h irr.example -S RIPE -j -l irr -4 -A AS-X" ] && echo '{ "irr": [
            { "prefix": "192.0.2.0\/24", "exact": true },
            { "prefix": "198.51.100.0\/22", "exact": false, "less-equal": 24 },
            { "prefix": "203.0.112.0\/22", "exact": false, "greater-equal": 23, "less-equal": 24 } ] }'"#;
        let entries = list(printed).await.unwrap();
        let lengths: Vec<_> = entries.iter().map(|entry| (entry.prefix.to_string(), entry.lengths)).collect();
        assert_eq!(
            lengths,
            [
                ("192.0.2.0/24".to_owned(), None),
                ("198.51.100.0/22".to_owned(), Some((22, 24))),
                ("203.0.112.0/22".to_owned(), Some((23, 24))),
            ]
        );
    }

    #[tokio::test]
    async fn whatever_is_odd_is_a_failure() {
        for (text, expected) in [
            ("echo '{\"irr\":[]}'; echo ERROR:No >&2", "bgpq: ERROR:No"),
            ("echo no >&2; exit 3", "bgpq: exit status: 3: no"),
            ("echo Checking; echo '{\"irr\":[]}'", "bgpq: its output is not understood: "),
            ("echo '{\"irr\":[{\"prefix\":\"2001:db8::/32\",\"exact\":true}]}'", "bgpq: 2001:db8::/32 with"),
            (
                "echo '{\"irr\":[{\"prefix\":\"10.0.0.0/8\",\"exact\":false,\"less-equal\":4}]}'",
                "bgpq: 10.0.0.0/8 with",
            ),
            ("head -c 2000 /dev/zero", "bgpq: printed more than 1000 octets"),
        ] {
            let failure = list(text).await.unwrap_err();
            assert!(failure.starts_with(expected), "{failure}");
        }
    }

    #[tokio::test]
    async fn one_that_hangs_is_ended() {
        let (_directory, mut program) = script("exec sleep 60");
        program.deadline = Instant::now() + Duration::from_millis(200);
        let failure = program.as_list(None, &["AS-X".to_owned()]).await.unwrap_err();
        assert!(failure.0.contains("no result in time"), "{failure}");
        // And none is started any more.
        assert!(program.as_list(None, &["AS-X".to_owned()]).await.is_err());
    }

    #[tokio::test]
    async fn a_name_cannot_be_an_option() {
        let (_directory, program) = script("exit 0");
        assert!(program.as_list(None, &["-h".to_owned()]).await.is_err());
        let missing = Program { path: "/nowhere/bgpq4".into(), ..program };
        let failure = missing.as_list(None, &["AS-X".to_owned()]).await.unwrap_err();
        assert!(failure.0.contains("/nowhere/bgpq4: cannot be started"), "{failure}");
    }
}
