//! Reading: facts, neighbours, the configuration.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::Instant;

use super::shell::{self, Answer, quote};
use super::{Daemon, DaemonKind, bird, frr, gobgp, openbgpd};
use crate::driver::ConfigText;
use crate::mask::excerpt;
use crate::ssh::Bounds;
use crate::{Error, Facts, Neighbors, Step};

/// The control program of `OpenBGPD`: over the restricted socket if there is one, else as root.
const BGPCTL: &str = r#"as_root
R=/run/openbgpd/bgpd.rsock
bgpctl_() { if [ -S $R ]; then lim "$1" bgpctl -s $R $2; else lim "$1" $S bgpctl $2; fi; }
"#;

/// How many prefixes of a neighbour are in the RIB; `-` where the answer is not whole.
const COUNT: &str = r#"rib() {
    { bgpctl_ $L "-j show rib neighbor $1" && echo whole; } | awk '/"prefix":/ { n++ } /^whole$/ { w = 1 } END { print w ? n + 0 : "-" }'
}
"#;

/// More routes than this are not counted one by one.
const COUNTED: u64 = 200_000;

impl Daemon {
    pub(super) async fn read_neighbors(&self) -> Result<Neighbors, Error> {
        match self.kind {
            DaemonKind::Frr => self.frr_neighbors().await,
            DaemonKind::Bird => self.bird_neighbors().await,
            DaemonKind::Openbgpd => self.openbgpd_neighbors().await,
            DaemonKind::Gobgp => self.gobgp_neighbors().await,
        }
    }

    /// Runs commands within the time for reading; a little less on the router, so that it says what hangs.
    async fn poll(&self, script: &str) -> Result<Answer, Error> {
        self.poll_before(false, script).await
    }

    /// What several scripts say one after the other in the section of this name, within the time for one reading.
    async fn all_of(&self, scripts: &[String], name: &str) -> Result<Answer, Error> {
        let limit = self.reading(Step::Neighbors).time;
        let begun = Instant::now();
        let mut all = Answer::default();
        for script in scripts {
            let time = limit.saturating_sub(begun.elapsed());
            let answer = self.poll_within(time, false, script).await.map_err(|error| match error {
                Error::Timeout { host, step, .. } => Error::Timeout { host, step, limit },
                error => error,
            })?;
            all.join(answer, name);
        }
        Ok(all)
    }

    /// The same as [`Self::poll`], before another question if there is `more`.
    async fn poll_before(&self, more: bool, script: &str) -> Result<Answer, Error> {
        self.poll_within(self.reading(Step::Neighbors).time, more, script).await
    }

    async fn poll_within(&self, time: Duration, more: bool, script: &str) -> Result<Answer, Error> {
        let bounds = Bounds { step: Step::Neighbors, time, more };
        let seconds = bounds.time.as_secs().saturating_sub(2).max(1);
        shell::run(&self.ssh, bounds, &format!("L={seconds}\n{script}"), b"").await
    }

    fn good<'a>(&self, answer: &'a Answer, name: &str) -> Result<&'a str, Error> {
        answer.good(self.host(), Step::Neighbors, name)
    }

    fn misread(&self, message: String) -> Error {
        self.unreadable(Step::Neighbors, message)
    }

    async fn frr_neighbors(&self) -> Result<Neighbors, Error> {
        let script = "ask neighbors lim $L vtysh -c 'show bgp vrf all summary json' -c 'show bgp vrf all neighbors json'";
        let answer = self.poll_before(!self.options.without_counting, script).await?;
        let text = self.good(&answer, "neighbors")?;
        if !text.trim_start().starts_with('{') {
            return Err(answer.failed(self.host(), Step::Neighbors, "neighbors"));
        }
        let questions = frr::questions(text).map_err(|reason| self.misread(reason))?;
        if questions.is_empty() || self.options.without_counting {
            return frr::neighbors(text, None).map_err(|reason| self.misread(reason));
        }
        let counts = self.all_of(&frr::counting(&questions), "received").await;
        // A session that went down in between has no counts; what was read of it still holds.
        self.with_counts(counts, "received", |counts| frr::neighbors(text, counts))
    }

    async fn bird_neighbors(&self) -> Result<Neighbors, Error> {
        let script =
            "ask status lim $L birdc -r show status && ask protocols lim $L birdc -r show protocols all";
        let answer = self.poll(script).await?;
        let status = self.good(&answer, "status")?;
        let protocols = self.good(&answer, "protocols")?;
        bird::neighbors(status, protocols).map_err(|reason| self.misread(reason))
    }

    async fn openbgpd_neighbors(&self) -> Result<Neighbors, Error> {
        let script = format!("{BGPCTL}ask neighbors bgpctl_ $L '-j show neighbor'");
        let answer = self.poll_before(!self.options.without_counting, &script).await?;
        let text = self.good(&answer, "neighbors")?;
        let up = openbgpd::established(text).map_err(|reason| self.misread(reason))?;
        let few = up.iter().fold(0_u64, |sum, (_, received)| sum.saturating_add(*received)) <= COUNTED;
        if up.is_empty() || !few || self.options.without_counting {
            return openbgpd::neighbors(text, None).map_err(|reason| self.misread(reason));
        }
        let mut script = format!("{BGPCTL}{COUNT}count() {{ for a in");
        for (address, _) in up {
            let _ = write!(script, " {address}");
        }
        script.push_str(
            r#"; do echo "$a $(rib $a)"; done; }
ask accepted count"#,
        );
        let counts = self.poll(&script).await;
        self.with_counts(counts, "accepted", |counts| openbgpd::neighbors(text, counts))
    }

    async fn gobgp_neighbors(&self) -> Result<Neighbors, Error> {
        let answer =
            self.poll_before(true, "ask clock date +%s; ask neighbors lim $L gobgp -j neighbor").await?;
        let text = self.good(&answer, "neighbors")?;
        if let Some(reason) = gobgp_error(text) {
            return Err(Error::Failed {
                host: self.host().to_owned(),
                step: Step::Neighbors,
                message: reason,
            });
        }
        let clock = self.good(&answer, "clock")?;
        let up = gobgp::established(text).map_err(|reason| self.misread(reason))?;
        if up.is_empty() {
            return gobgp::neighbors(text, clock, None).map_err(|reason| self.misread(reason));
        }
        let mut script = "each() { for a in".to_owned();
        for address in up {
            let _ = write!(script, " {address}");
        }
        script.push_str("; do lim $L gobgp -j neighbor $a; done; }\nask advertised each");
        let counts = self.poll(&script).await;
        self.with_counts(counts, "advertised", |counts| gobgp::neighbors(text, clock, counts))
    }

    /// Neighbours with what was counted for them; without it, and with a word about that, where it could not be had.
    fn with_counts(
        &self,
        counts: Result<Answer, Error>,
        name: &str,
        read: impl Fn(Option<&str>) -> Result<Neighbors, String>,
    ) -> Result<Neighbors, Error> {
        let reason = match counts {
            Ok(answer) => match read(Some(answer.text(name))) {
                Ok(mut all) => {
                    if answer.get(name).is_some_and(|section| section.status == 124) {
                        all.left_out
                            .push(format!("the numbers of {name} prefixes: counting them took too long"));
                    }
                    return Ok(all);
                }
                Err(reason) => reason,
            },
            Err(Error::Timeout { limit, .. }) => format!("it took longer than {} s", limit.as_secs()),
            Err(error) => error.to_string(),
        };
        let mut all = read(None).map_err(|reason| self.misread(reason))?;
        all.left_out.push(excerpt(&format!("the numbers of {name} prefixes: {reason}")));
        Ok(all)
    }

    pub(super) async fn read_config(&self) -> Result<ConfigText, Error> {
        let file = quote(self.config_file());
        let command = match self.kind {
            DaemonKind::Frr => "both alive lim 20 vtysh -c 'show bgp router-id' >/dev/null; \
                              ask config lim 60 vtysh -c 'show running-config'"
                .to_owned(),
            DaemonKind::Bird | DaemonKind::Gobgp => format!("ask config cat {file}"),
            DaemonKind::Openbgpd => format!("as_root; ask config $S cat {file}"),
        };
        let answer = shell::run(&self.ssh, self.reading(Step::Config), &command, b"").await?;
        let text = answer.good(self.host(), Step::Config, "config")?;
        if self.kind != DaemonKind::Frr {
            return Ok(ConfigText::new(text));
        }
        match text.find("frr version").filter(|&at| at == 0 || text[..at].ends_with('\n')) {
            Some(at) => Ok(ConfigText::new(&text[at..])),
            None => Err(self.unreadable(Step::Config, "there is no line `frr version`")),
        }
    }

    pub(super) async fn read_facts(&self) -> Result<Facts, Error> {
        let version = match self.kind {
            DaemonKind::Frr => {
                "ask version lim 20 vtysh -c 'show version'; ask id lim 20 vtysh -c 'show bgp summary json'"
            }
            DaemonKind::Bird => "ask version lim 20 birdc -r show status",
            DaemonKind::Openbgpd => {
                "both version bgpd -V; [ \"$r\" = 0 ] || both version $S bgpd -V; ask id bgpctl_ 20 '-j show'"
            }
            DaemonKind::Gobgp => "ask version lim 20 gobgp --version; ask id lim 20 gobgp global -j",
        };
        let script = format!("{BGPCTL}ask host hostname\nask uptime cat /proc/uptime\n{version}");
        let answer = shell::run(&self.ssh, self.reading(Step::Facts), &script, b"").await?;
        let mut facts = Facts {
            hostname: answer.text("host").trim().to_owned(),
            uptime: answer.text("uptime").split('.').next().and_then(|text| text.parse().ok()),
            ..Facts::default()
        };
        let text = answer.text("version");
        let found = match self.kind {
            DaemonKind::Frr => {
                facts.vendor = "FRRouting".into();
                facts.router_id = word_after(answer.text("id"), "\"routerId\":\"", '"');
                word_after(text, "FRRouting ", ' ')
            }
            DaemonKind::Bird => {
                facts.vendor = "CZ.NIC".into();
                facts.router_id = word_after(text, "Router ID is ", '\n');
                word_after(text, "\nBIRD ", '\n').or_else(|| word_after(text, "BIRD ", ' '))
            }
            DaemonKind::Openbgpd => {
                facts.vendor = "OpenBSD".into();
                word_after(text, "OpenBGPD ", '\n')
            }
            DaemonKind::Gobgp => {
                facts.vendor = "OSRG".into();
                facts.router_id = word_after(answer.text("id"), "\"router_id\":\"", '"');
                word_after(text, "version ", '\n')
            }
        };
        facts.model.push_str(match self.kind {
            DaemonKind::Frr => "FRR",
            DaemonKind::Bird => "BIRD",
            DaemonKind::Openbgpd => "OpenBGPD",
            DaemonKind::Gobgp => "GoBGP",
        });
        facts.version = found.ok_or_else(|| {
            let said = format!("{text}\n{}", answer.stderr());
            Error::Failed { host: self.host().to_owned(), step: Step::Facts, message: excerpt(&said) }
        })?;
        Ok(facts)
    }
}

fn word_after(text: &str, before: &str, end: char) -> Option<String> {
    let (_, after) = text.split_once(before)?;
    let word = after.split(end).next()?.trim();
    (!word.is_empty()).then(|| word.to_owned())
}

/// `{"error":"context deadline exceeded"}`, said of a dead daemon as of a stopped one.
pub(super) fn gobgp_error(text: &str) -> Option<String> {
    let text = text.trim_start();
    text.starts_with("{\"error\"").then(|| format!("the daemon does not answer: {}", excerpt(text)))
}
