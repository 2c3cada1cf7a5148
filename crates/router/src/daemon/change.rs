//! Changing the configuration: load, commit with a timer, confirm, undo.
//!
//! `change.sh` is the part that runs on the router, with what differs between the daemons in a file for each. Every step is
//! one request, so that it runs to its end on the router even when the connection does not.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;

use super::poll::gobgp_error;
use super::shell::{self, Answer, quote};
use super::{Daemon, gobgp};
use crate::driver::{Candidate, ConfigText, How, Pending, Platform};
use crate::mask::excerpt;
use crate::{Diff, Error, Step};

const CHANGE: &str = include_str!("change.sh");

/// How long `GoBGP` may take to show the neighbours of a new configuration; it does not say when it has read it.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);

struct Loaded<'a> {
    daemon: &'a Daemon,
    how: How,
    id: String,
    diff: Diff,
    /// With `GoBGP`: the neighbours that must be there after the commit.
    expected: Vec<IpAddr>,
}

#[async_trait]
impl Candidate for Loaded<'_> {
    fn diff(&self) -> &Diff {
        &self.diff
    }

    async fn commit(self: Box<Self>, timer: Duration) -> Result<Pending, Error> {
        let seconds = timer.as_secs() + u64::from(timer.subsec_nanos() > 0);
        let pending = Pending { platform: self.daemon.platform, id: self.id.clone(), seconds };
        self.daemon.commit_change(&self, &pending).await?;
        Ok(pending)
    }

    async fn discard(self: Box<Self>) -> Result<(), Error> {
        let daemon = self.daemon;
        let script = daemon.script(self.how, &self.id, 0, "discard");
        shell::run(&daemon.ssh, daemon.changing(Step::Discard), &script, b"").await.map(drop)
    }
}

impl Daemon {
    /// The functions of this platform, and the call of one.
    fn script(&self, how: How, id: &str, seconds: u64, call: &str) -> String {
        let own = match self.platform {
            Platform::Frr => include_str!("frr.sh"),
            Platform::Bird => include_str!("bird.sh"),
            Platform::Openbgpd => include_str!("openbgpd.sh"),
            Platform::Gobgp => include_str!("gobgp.sh"),
        };
        let directory = match (&self.options.state_directory, self.platform) {
            (Some(directory), _) => quote(directory),
            (None, Platform::Bird) => "\"$(dirname \"$FILE\")/.peering-manager\"".to_owned(),
            (None, _) => "\"$HOME/.peering-manager\"".to_owned(),
        };
        let how = if how == How::Merge { "merge" } else { "replace" };
        let file = quote(self.config_file());
        let id = quote(id);
        format!("FILE={file} HOW={how} C={id} T={seconds}\nD={directory}\n{CHANGE}\n{own}\n{call}")
    }

    fn failed(&self, step: Step, message: impl Into<String>) -> Error {
        Error::Failed { host: self.host().to_owned(), step, message: message.into() }
    }

    fn rejected(&self, step: Step, said: &str) -> Error {
        let message = if self.platform == Platform::Frr { frr_complaints(said) } else { excerpt(said) };
        Error::Rejected { host: self.host().to_owned(), step, message }
    }

    /// That the daemon is there, and that no change of somebody else waits.
    fn check_alive(&self, step: Step, answer: &Answer) -> Result<(), Error> {
        match answer.get("alive") {
            Some(alive) if alive.status == 3 => Err(Error::Busy {
                host: self.host().to_owned(),
                holder: "made by other means than this program".to_owned(),
            }),
            _ => {
                let text = answer.good(self.host(), step, "alive")?;
                gobgp_error(text).map_or(Ok(()), |reason| Err(self.failed(step, reason)))
            }
        }
    }

    pub(super) async fn load_candidate<'a>(
        &'a self,
        how: How,
        text: &ConfigText,
    ) -> Result<Box<dyn Candidate + 'a>, Error> {
        let step = Step::Load;
        let script = self.script(how, "", 0, "load");
        let answer = shell::run(&self.ssh, self.changing(step), &script, text.expose().as_bytes()).await?;
        if !answer.has("change") {
            let said = excerpt(answer.stderr());
            return Err(self.failed(step, format!("there is no place for the candidate on the router: {said}")));
        }
        let id = answer.text("change").trim().to_owned();
        if answer.text("received").trim() != text.expose().len().to_string() {
            return Err(self.failed(step, "the candidate did not arrive whole; is the disk full?"));
        }
        self.check_alive(step, &answer)?;
        if !answer.has("current") {
            let said = excerpt(answer.stderr());
            return Err(self.failed(step, format!("the configuration there is cannot be read: {said}")));
        }
        if !answer.has("old") {
            let said = format!("{}\n{}", answer.text("check"), answer.text("difference"));
            let said = if answer.has("check") { said } else { answer.stderr().to_owned() };
            return Err(self.rejected(step, &said));
        }
        let diff = match (self.platform, how) {
            (Platform::Frr, How::Replace) => frr_difference(answer.text("difference")),
            (Platform::Frr, How::Merge) => frr_merge_difference(answer.text("old"), text.expose()),
            _ => Diff::between(answer.text("old"), text.expose()),
        };
        let expected = if self.platform == Platform::Gobgp { gobgp_addresses(text.expose()) } else { Vec::new() };
        Ok(Box::new(Loaded { daemon: self, how, id, diff, expected }))
    }

    async fn commit_change(&self, loaded: &Loaded<'_>, pending: &Pending) -> Result<(), Error> {
        let step = Step::Commit;
        let script = self.script(loaded.how, &loaded.id, pending.seconds, "commit");
        // What waits on the router is the same script, with another end.
        let watch = self.script(loaded.how, &loaded.id, pending.seconds, "watch");
        let watch = format!("{}\n{watch}\n", include_str!("prelude.sh"));
        let answer = shell::run(&self.ssh, self.changing(step), &script, watch.as_bytes()).await?;
        if answer.has("cut") {
            return Err(self.failed(step, "the script that undoes the change did not arrive whole; is the disk full?"));
        }
        if answer.has("gone") {
            return Err(self.failed(step, "the candidate is no longer on the router"));
        }
        self.check_alive(step, &answer)?;
        let host = self.host().to_owned();
        if answer.has("changed") {
            return Err(Error::Changed { host });
        }
        if answer.has("busy") {
            return Err(Error::Busy { host, holder: excerpt(answer.text("busy")) });
        }
        if answer.has("failed") {
            return Err(Error::NotRestored { host, message: self.complaints(answer.text("failed")), place: loaded.id.clone() });
        }
        if answer.has("refused") {
            return Err(self.rejected(step, &format!("{}\n{}", answer.text("apply"), answer.stderr())));
        }
        if !answer.has("committed") {
            return Err(self.failed(step, excerpt(answer.stderr())));
        }
        let ineffective = self.platform == Platform::Frr
            && loaded.how == How::Replace
            && !loaded.diff.is_empty()
            && frr_difference(answer.text("remaining")) == loaded.diff;
        if ineffective || !self.shows(&loaded.expected).await? {
            self.undo_change(pending).await?;
            return Err(self.rejected(step, "the daemon took the configuration and did not act on it"));
        }
        Ok(())
    }

    fn complaints(&self, said: &str) -> String {
        if self.platform == Platform::Frr { frr_complaints(said) } else { excerpt(said) }
    }

    /// Whether `GoBGP` has these neighbours, and no others, soon.
    async fn shows(&self, expected: &[IpAddr]) -> Result<bool, Error> {
        if self.platform != Platform::Gobgp {
            return Ok(true);
        }
        let begun = tokio::time::Instant::now();
        loop {
            let bounds = self.reading(Step::Commit);
            let answer = shell::run(&self.ssh, bounds, "ask now lim 10 gobgp -j neighbor", b"").await?;
            let found = gobgp::addresses(answer.text("now")).unwrap_or_default();
            let mut found: Vec<_> = found.into_iter().collect();
            found.sort_unstable();
            if found == expected {
                return Ok(true);
            }
            if begun.elapsed() > SHOWN_WITHIN {
                return Ok(false);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub(super) async fn confirm_change(&self, change: &Pending) -> Result<(), Error> {
        let step = Step::Confirm;
        let script = self.script(How::Replace, &change.id, change.seconds, "confirm");
        let answer = shell::run(&self.ssh, self.changing(step), &script, b"").await?;
        let host = self.host().to_owned();
        if answer.has("unsaved") {
            let said = format!("{}\n{}", answer.text("saving"), answer.stderr());
            return Err(Error::NotSaved { host, message: excerpt(&said) });
        }
        if answer.has("undone") {
            return Err(Error::RolledBack { host });
        }
        if answer.has("unknown") {
            return Err(self.failed(step, "the daemon does not answer; the change goes on waiting"));
        }
        answer.good(&host, step, "confirmed").map(drop)
    }

    pub(super) async fn undo_change(&self, change: &Pending) -> Result<(), Error> {
        let step = Step::RollBack;
        let script = self.script(How::Replace, &change.id, change.seconds, "roll_back");
        let answer = shell::run(&self.ssh, self.changing(step), &script, b"").await?;
        let host = self.host().to_owned();
        if answer.has("unsaved") {
            return Err(Error::NotSaved { host, message: excerpt(answer.stderr()) });
        }
        if answer.has("undone") {
            return Ok(());
        }
        let message = self.complaints(&format!("{}\n{}", answer.text("failed"), answer.stderr()));
        Err(Error::NotRestored { host, message, place: change.id.clone() })
    }

    pub(super) async fn find_pending(&self) -> Result<Option<Pending>, Error> {
        let step = Step::Pending;
        let script = self.script(How::Replace, "", 0, "pending");
        let answer = shell::run(&self.ssh, self.reading(step), &script, b"").await?;
        if answer.has("foreign") {
            let holder = "made by other means than this program".to_owned();
            return Err(Error::Busy { host: self.host().to_owned(), holder });
        }
        if !answer.has("pending") {
            return Ok(None);
        }
        let found = answer.text("pending").trim().rsplit_once(' ').and_then(|(id, seconds)| {
            Some(Pending { platform: self.platform, id: id.to_owned(), seconds: seconds.parse().ok()? })
        });
        found.map(Some).ok_or_else(|| self.unreadable(step, excerpt(answer.text("pending"))))
    }
}

/// What `frr-reload.py --test` prints: lines to delete, with `no` before them, then lines to add, each under the line that
/// opens its context.
fn frr_difference(text: &str) -> Diff {
    let mut sign = ' ';
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with("===")).collect();
    Diff::from_lines(lines.iter().enumerate().filter_map(|(at, line)| {
        match *line {
            "Lines To Delete" => sign = '-',
            "Lines To Add" => sign = '+',
            // A line with something indented below it is the context.
            line if !line.starts_with(' ') && lines.get(at + 1).is_some_and(|next| next.starts_with(' ')) => {
                return Some((' ', line));
            }
            line if sign == ' ' => return Some((' ', line)),
            line => return Some((sign, line)),
        }
        None
    }))
}

/// What a part of a configuration changes, read line by line under the line that opens its context. It is what is expected:
/// FRR has no way to tell.
fn frr_merge_difference(old: &str, part: &str) -> Diff {
    let present: std::collections::HashSet<(Vec<&str>, &str)> = in_context(old).into_iter().collect();
    let mut out: Vec<(char, &str)> = Vec::new();
    let mut shown: Vec<&str> = Vec::new();
    for (context, line) in in_context(part) {
        let opens = present.iter().any(|(contexts, _)| contexts.last() == Some(&line));
        let change = match line.strip_prefix("no ") {
            Some(rest) => {
                let rest = rest.trim_start();
                let there = |&(ref inside, found): &(Vec<&str>, &str)| {
                    *inside == context && (found == rest || found.starts_with(&format!("{rest} ")))
                };
                present.iter().any(there).then_some('-')
            }
            None if present.contains(&(context.clone(), line)) || opens => None,
            None => Some('+'),
        };
        if let Some(sign) = change {
            for (depth, outer) in context.iter().enumerate() {
                if shown.get(depth) != Some(outer) {
                    shown.truncate(depth);
                    shown.push(outer);
                    out.push((' ', outer));
                }
            }
            out.push((sign, line));
        }
    }
    Diff::from_lines(out.into_iter())
}

/// Lines with the lines that they stand under; by indentation, as FRR writes it.
fn in_context(text: &str) -> Vec<(Vec<&str>, &str)> {
    let mut outer: Vec<(usize, &str)> = Vec::new();
    let mut all = Vec::new();
    for line in text.lines() {
        let words = line.trim();
        if words.is_empty() || words.starts_with('!') || words.starts_with("exit") || words == "end" {
            continue;
        }
        let depth = line.len() - line.trim_start().len();
        while outer.last().is_some_and(|&(above, _)| above >= depth) {
            outer.pop();
        }
        all.push((outer.iter().map(|&(_, line)| line).collect(), words));
        outer.push((depth, words));
    }
    all
}

/// FRR repeats the lines it does not understand, passwords behind misspelt words included: of each only the beginning is
/// shown.
fn frr_complaints(said: &str) -> String {
    let mut out = Vec::new();
    for line in said.lines().map(str::trim) {
        let bad = ["% ", "Failure", "exited with", "ERROR", "is not running", "failed", "denied", "required"];
        if line.contains("vtysh.conf") || !bad.iter().any(|word| line.contains(word)) {
            continue;
        }
        let repeated = ["]: ", "line: "].iter().filter_map(|mark| line.find(mark).map(|at| at + mark.len())).min();
        let (said, repeated) = line.split_at(repeated.unwrap_or(line.len()));
        let mut words = repeated.split_whitespace();
        let first = words.next().unwrap_or_default();
        let second = words.next().filter(|_| first == "neighbor").map(|word| format!(" {word}"));
        let more = if repeated.is_empty() { "" } else { " …" };
        out.push(format!("{said}{first}{}{more}", second.unwrap_or_default()));
    }
    if out.is_empty() { "it does not say why".to_owned() } else { excerpt(&out.join("\n")) }
}

/// The addresses of neighbours in a `GoBGP` configuration, sorted.
fn gobgp_addresses(text: &str) -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> = text
        .lines()
        .filter_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == "neighbor-address").then_some(value)?.trim().trim_matches('"').parse().ok()
        })
        .collect();
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::{frr_complaints, frr_difference, frr_merge_difference};

    #[test]
    fn the_difference_of_frr_reload() {
        let text = "\nLines To Delete\n===============\nrouter bgp 64500\n no neighbor 192.0.2.2 password old\n\n\
                    Lines To Add\n============\nrouter bgp 64500\n neighbor 192.0.2.2 password new\nline alone\n";
        let diff = frr_difference(text);
        assert_eq!(
            diff.text(),
            " router bgp 64500\n- no neighbor 192.0.2.2 password ******\n router bgp 64500\n\
             + neighbor 192.0.2.2 password ******\n+line alone\n"
        );
        assert!(frr_difference("").is_empty());
    }

    #[test]
    fn the_difference_of_a_part() {
        let old = "router bgp 1\n neighbor 192.0.2.1 remote-as 2\n neighbor 192.0.2.1 description old\n !\n\
                   address-family ipv4 unicast\n  neighbor 192.0.2.1 activate\n exit-address-family\nexit\n";
        let part = "router bgp 1\n neighbor 192.0.2.1 remote-as 2\n no neighbor 192.0.2.1 description\n \
                    neighbor 192.0.2.9 remote-as 9\n";
        let diff = frr_merge_difference(old, part);
        assert_eq!(
            diff.text(),
            " router bgp 1\n-no neighbor 192.0.2.1 description\n+neighbor 192.0.2.9 remote-as 9\n"
        );
    }

    #[test]
    fn what_frr_repeats_is_cut() {
        let said = "line 9: % Unknown command[25]:  neighbor 192.0.2.1 passwrd hunter2\n\
                    Failure to communicate[13] to bgpd, line: passwrd hunter2\n\
                    INFO content ['neighbor 192.0.2.1 password hunter2']\n";
        assert_eq!(
            frr_complaints(said),
            "line 9: % Unknown command[25]: neighbor 192.0.2.1 …; Failure to communicate[13] to bgpd, line: passwrd …"
        );
    }
}
