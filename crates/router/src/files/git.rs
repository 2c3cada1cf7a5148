//! The `git` program.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use super::FileError;
use crate::mask::excerpt;

/// How commits are made, and where they are pushed.
#[derive(Clone, Debug)]
pub struct Git {
    /// The program.
    pub program: std::path::PathBuf,
    /// The author and committer: the name.
    pub name: String,
    /// The author and committer: the address.
    pub email: String,
    /// The remote, by name or URL; `None` pushes nothing.
    pub remote: Option<String>,
    /// The remote's branch; `None` is the one that is checked out here.
    pub branch: Option<String>,
    /// How long a step may take, a push among them.
    pub limit: Duration,
}

/// A child with all that it starts; git leaves its transports behind otherwise.
struct Group(Option<i32>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
    }
}

impl Git {
    /// Keeps others away from the index and the branch; they are free again when the file is closed.
    pub(super) async fn lock(&self, directory: &Path) -> Result<File, FileError> {
        let place = self.run(directory, "rev-parse", &["rev-parse", "--absolute-git-dir"]).await?;
        let path = Path::new(place.trim()).join("peering-manager.lock");
        let file = File::create(&path)
            .map_err(|error| FileError::File { path: path.clone(), message: error.to_string() })?;
        let begun = tokio::time::Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => {
                    return Err(FileError::File { path, message: error.to_string() });
                }
                Err(TryLockError::WouldBlock) if begun.elapsed() > self.limit => {
                    return Err(FileError::Busy { directory: directory.into(), limit: self.limit });
                }
                Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Commits one file if it is another one than in the last commit.
    pub(super) async fn commit(
        &self,
        directory: &Path,
        name: &str,
        message: &str,
    ) -> Result<Option<String>, FileError> {
        // The name may look like a pattern or a flag.
        let file = format!(":(literal){name}");
        let status = ["status", "--porcelain", "--untracked-files=all", "--ignored", "--", &file];
        let status = self.run(directory, "status", &status).await?;
        if status.trim().is_empty() {
            return Ok(None);
        }
        if status.starts_with("!!") {
            return Err(FileError::Git {
                directory: directory.into(),
                step: "add",
                message: format!("{name} is ignored (.gitignore)"),
            });
        }
        self.run(directory, "add", &["add", "--", &file]).await?;
        let message = format!("--message={message}");
        self.run(directory, "commit", &["commit", "--quiet", "--only", &message, "--", &file]).await?;
        let made = self.run(directory, "rev-parse", &["rev-parse", "HEAD"]).await?;
        Ok(Some(made.trim().to_owned()))
    }

    /// Pushes what the remote has not got, also what an earlier push left behind.
    pub(super) async fn push(&self, directory: &Path) -> Result<bool, FileError> {
        let Some(remote) = &self.remote else { return Ok(false) };
        let failed = |message: String| FileError::Push {
            directory: directory.into(),
            remote: without_credentials(remote),
            message,
        };
        let branch = if let Some(branch) = &self.branch {
            branch.clone()
        } else {
            let said = self.run(directory, "symbolic-ref", &["symbolic-ref", "--short", "HEAD"]).await;
            said.map_err(|_| failed("no branch is checked out, and none was named".to_owned()))?
        };
        let to = format!("HEAD:refs/heads/{}", branch.trim());
        let said = self.try_run(directory, &["push", "--porcelain", "--", remote, &to]).await;
        let said = said.map_err(failed)?;
        // Each ref has a line that begins with a sign, and with `=` nothing had to be done.
        Ok(!said.lines().any(|line| line.starts_with("=\t")))
    }

    async fn run(
        &self,
        directory: &Path,
        step: &'static str,
        arguments: &[&str],
    ) -> Result<String, FileError> {
        let failed = |message| FileError::Git { directory: directory.into(), step, message };
        self.try_run(directory, arguments).await.map_err(failed)
    }

    async fn try_run(&self, directory: &Path, arguments: &[&str]) -> Result<String, String> {
        let child = Command::new(&self.program)
            .arg("-C")
            .arg(directory)
            .args(["-c", "commit.gpgSign=false", "-c", "core.quotePath=false"])
            .args(arguments)
            // Messages are looked at.
            .env("LC_ALL", "C")
            .envs([("GIT_AUTHOR_NAME", &self.name), ("GIT_COMMITTER_NAME", &self.name)])
            .envs([("GIT_AUTHOR_EMAIL", &self.email), ("GIT_COMMITTER_EMAIL", &self.email)])
            // Nobody is there to be asked for a password.
            .env("GIT_TERMINAL_PROMPT", "0")
            .envs([("GIT_ASKPASS", "/bin/false"), ("SSH_ASKPASS", "/bin/false")])
            .env("SSH_ASKPASS_REQUIRE", "force")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                format!("{} cannot be started ({error}); install git", self.program.display())
            })?;
        let mut group = Group::of(&child);
        let output = tokio::time::timeout(self.limit, child.wait_with_output())
            .await
            .map_err(|_| format!("it took longer than {} s", self.limit.as_secs()))?
            .map_err(|error| error.to_string())?;
        // It was waited for: its number may be another one's from here on.
        group.0 = None;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let both = [output.stderr, output.stdout].concat();
        let said = String::from_utf8_lossy(&both);
        let said: Vec<&str> = said.lines().filter(|line| !line.starts_with("hint:")).collect();
        Err(excerpt(&without_credentials(&said.join("\n"))))
    }
}

/// The text with what stands between `://` and `@` in its URLs taken out.
pub(super) fn without_credentials(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(sign) => &after[sign + 1..],
            None => after,
        };
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::without_credentials;

    #[test]
    fn credentials_of_urls_are_taken_out() {
        for (text, plain) in [
            (
                "fatal: https://u:p@git.example/x.git/ and http://t@b",
                "fatal: https://git.example/x.git/ and http://b",
            ),
            ("https://u:p@ss@git.example", "https://git.example"),
            ("https://git.example/a@b", "https://git.example/a@b"),
            ("git@git.example:x", "git@git.example:x"),
        ] {
            assert_eq!(without_credentials(text), plain);
        }
    }
}
