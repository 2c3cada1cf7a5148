//! Routers that do what a router does: a line `neighbor ADDRESS AS` of their configuration is a session.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use pm_router::{
    Candidate, Capabilities, ConfigText, Diff, Error, Facts, How, Load, Loader, Neighbor, Neighbors, Pending,
    Platform, Router, State, Step, Target,
};
use pm_tasks::routers::Connector;
use tokio::time::Instant;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody is there.
    Dead,
    /// The credentials are refused.
    WrongPassword,
    /// It takes a connection and never answers.
    Hangs,
    /// It refuses every candidate.
    Rejects,
    /// A commit cuts the way to it, until it has undone the commit.
    CutByCommit,
    /// The connection is lost while the commit is made, and it is made.
    LostInCommit,
    /// The connection is lost before the commit is made.
    LostBeforeCommit,
    /// Every session goes down with a commit.
    SessionsDie,
    /// The connection is lost while the change is confirmed, and it is confirmed.
    LostInConfirm,
    /// The connection is lost before the change is confirmed.
    LostBeforeConfirm,
    /// It refuses to undo anything.
    KeepsAll,
    /// The connection is lost before the change is confirmed, and nobody is there until it is undone.
    CutByConfirm,
    /// It does not confirm a change this time, because something on it does not answer.
    ConfirmsLater,
    /// It never confirms a change.
    ConfirmsNothing,
    /// It confirms a change and says that it failed.
    DeniesConfirm,
    /// A commit is made, and not answered until it has no trouble any more.
    PausesCommit,
    /// It does not tell its neighbours until it has no trouble any more.
    Pauses,
    /// What runs is not told after a change was confirmed, until it has no trouble any more.
    PausesConfirmed,
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing of its own")]
pub struct Box_ {
    pub running: String,
    pub trouble: Option<Trouble>,
    pub commits: usize,
    pub confirms: usize,
    pub open_now: usize,
    /// Nothing undoes a commit by itself.
    pub timerless: bool,
    /// Somebody confirms a change as soon as it is committed.
    pub is_confirmed_by_hand: bool,
    /// It takes configurations to merge, too.
    pub merges: bool,
    /// A change goes with the connection that made it.
    pub holds: bool,
    pub rollbacks: usize,
    is_cut: bool,
    previous: Option<String>,
    pub down: BTreeSet<IpAddr>,
    pending: Option<(Pending, String, Instant)>,
    /// The change that was confirmed last.
    confirmed: Option<String>,
    next: usize,
}

impl Box_ {
    /// What the router does by itself as time goes by.
    fn wake(&mut self) {
        if let Some((_, before, deadline)) = &self.pending
            && Instant::now() >= *deadline
        {
            self.running.clone_from(before);
            self.pending = None;
            self.down.clear();
        }
    }

    /// As if the time of what waits had gone by.
    pub fn time_is_over(&mut self) {
        if let Some((_, _, deadline)) = &mut self.pending {
            *deadline = Instant::now();
        }
    }

    /// Somebody at the router confirms what waits.
    pub fn confirm_by_hand(&mut self) {
        let (change, before, _) = self.pending.take().unwrap();
        self.confirmed = Some(change.id);
        self.previous = Some(before);
    }

    fn neighbors(&self) -> Vec<Neighbor> {
        let lines = self.running.lines().filter_map(|line| line.trim().strip_prefix("neighbor "));
        lines
            .filter_map(|line| {
                let (address, asn) = line.split_once(' ')?;
                let address: IpAddr = address.parse().ok()?;
                let state = if self.down.contains(&address) { State::Active } else { State::Established };
                Some(Neighbor {
                    vrf: "default".into(),
                    address,
                    remote_as: asn.split_whitespace().next()?.parse().ok(),
                    local_as: None,
                    local_address: None,
                    remote_id: None,
                    description: None,
                    state,
                    enabled: true,
                    age: None,
                    prefixes: pm_router::PrefixCounts::default(),
                    over_limit: false,
                    last_error: None,
                    flaps: None,
                })
            })
            .collect()
    }
}

/// Routers by hostname.
#[derive(Default)]
pub struct Routers(Mutex<BTreeMap<String, Arc<Mutex<Box_>>>>);

impl Box_ {
    /// As if somebody else had made a change that waits for its confirmation.
    pub fn somebody_commits(&mut self, id: &str, text: &str) {
        let pending = Pending { platform: Platform::Bird, id: id.to_owned(), seconds: 600 };
        let before = std::mem::replace(&mut self.running, text.to_owned());
        self.pending = Some((pending, before, Instant::now() + Duration::from_mins(10)));
    }
}

impl Routers {
    pub fn of(&self, host: &str) -> Arc<Mutex<Box_>> {
        let host = if host.contains('.') { host.to_owned() } else { format!("{host}.example.net") };
        Arc::clone(self.0.lock().unwrap().entry(host).or_default())
    }

    pub fn running(&self, host: &str) -> String {
        let one = self.of(host);
        let mut one = one.lock().unwrap();
        one.wake();
        one.running.clone()
    }

    pub fn trouble(&self, host: &str, trouble: Option<Trouble>) {
        self.of(host).lock().unwrap().trouble = trouble;
    }
}

pub struct Connection {
    host: String,
    one: Arc<Mutex<Box_>>,
    has_changed: AtomicBool,
}

impl Connection {
    /// Waits as long as the router has this trouble.
    async fn pause(&self, is_so: impl Fn(&Box_) -> bool) {
        while is_so(&self.one.lock().unwrap()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.one.lock().unwrap().open_now -= 1;
    }
}

#[async_trait]
impl Connector for Routers {
    async fn connect(&self, target: &Target) -> Result<Box<dyn Router>, Error> {
        let host = target.endpoint.host.clone();
        let one = self.of(&host);
        let trouble = {
            let mut one = one.lock().unwrap();
            one.wake();
            match one.trouble {
                Some(Trouble::CutByCommit) if one.pending.is_none() => None,
                // Until it is confirmed, the way is free.
                Some(Trouble::CutByConfirm) if one.pending.is_none() || !one.is_cut => None,
                other => other,
            }
        };
        let connect = |message: &str| Error::Connect { host: host.clone(), message: message.to_owned() };
        match trouble {
            Some(Trouble::Dead | Trouble::CutByCommit | Trouble::CutByConfirm) => {
                Err(connect("no route to host"))
            }
            Some(Trouble::WrongPassword) => {
                Err(Error::Login { host, user: "everybody".to_owned(), tried: "password".to_owned() })
            }
            _ => {
                one.lock().unwrap().open_now += 1;
                Ok(Box::new(Connection { host, one, has_changed: AtomicBool::new(false) }))
            }
        }
    }
}

#[async_trait]
impl Router for Connection {
    fn platform(&self) -> Platform {
        Platform::Bird
    }
    fn capabilities(&self) -> Capabilities {
        let all = Platform::Bird.capabilities();
        if self.one.lock().unwrap().timerless { Capabilities { undo: None, ..all } } else { all }
    }
    async fn facts(&self) -> Result<Facts, Error> {
        Ok(Facts::default())
    }
    async fn neighbors(&self) -> Result<Neighbors, Error> {
        self.pause(|one| one.trouble == Some(Trouble::Pauses)).await;
        if self.one.lock().unwrap().trouble == Some(Trouble::Hangs) {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let limit = Duration::from_secs(11);
            return Err(Error::Timeout { host: self.host.clone(), step: Step::Neighbors, limit });
        }
        let mut one = self.one.lock().unwrap();
        one.wake();
        Ok(Neighbors { neighbors: one.neighbors(), left_out: Vec::new() })
    }
    async fn running_config(&self) -> Result<ConfigText, Error> {
        let is_so = |one: &Box_| one.trouble == Some(Trouble::PausesConfirmed) && one.confirmed.is_some();
        self.pause(is_so).await;
        let mut one = self.one.lock().unwrap();
        one.wake();
        Ok(ConfigText::new(one.running.clone()))
    }
    fn loader(&self, how: How) -> Option<Loader<'_>> {
        let merges = self.one.lock().unwrap().merges;
        (how == How::Replace || merges).then(|| Loader::new(self, how))
    }
    fn holds(&self, _: &Pending) -> bool {
        self.one.lock().unwrap().holds
    }
    async fn pending(&self) -> Result<Option<Pending>, Error> {
        let mut one = self.one.lock().unwrap();
        one.wake();
        Ok(one.pending.as_ref().map(|(pending, ..)| pending.clone()))
    }
    async fn confirm(&self, change: &Pending) -> Result<(), Error> {
        let mut one = self.one.lock().unwrap();
        one.wake();
        let lost =
            || Error::Lost { host: self.host.clone(), step: Step::Confirm, message: "reset".to_owned() };
        let deaf = || {
            let message = "the daemon does not answer".to_owned();
            Err(Error::Failed { host: self.host.clone(), step: Step::Confirm, message })
        };
        match one.trouble {
            Some(Trouble::ConfirmsNothing) => return deaf(),
            Some(Trouble::ConfirmsLater) => {
                one.trouble = None;
                return deaf();
            }
            Some(Trouble::LostBeforeConfirm) => {
                one.trouble = None;
                return Err(lost());
            }
            Some(Trouble::CutByConfirm) if one.pending.is_some() => {
                one.is_cut = true;
                return Err(lost());
            }
            _ => {}
        }
        if one.confirmed.as_ref() == Some(&change.id) {
            return Ok(());
        }
        match one.pending.take() {
            Some((pending, ..)) if pending.id == change.id => {
                one.confirms += 1;
                one.confirmed = Some(pending.id);
                match one.trouble {
                    Some(Trouble::LostInConfirm) => {
                        one.trouble = None;
                        Err(lost())
                    }
                    Some(Trouble::DeniesConfirm) => deaf(),
                    _ => Ok(()),
                }
            }
            other => {
                one.pending = other;
                Err(Error::RolledBack { host: self.host.clone() })
            }
        }
    }
    async fn cancel(&self, change: &Pending) -> Result<bool, Error> {
        if self.one.lock().unwrap().trouble == Some(Trouble::KeepsAll) {
            let message = "operation failed".to_owned();
            return Err(Error::Failed { host: self.host.clone(), step: Step::RollBack, message });
        }
        if self.pending().await?.is_none_or(|waiting| waiting.id != change.id) {
            return Ok(false);
        }
        self.roll_back(change).await.map(|()| true)
    }
    async fn roll_back(&self, _: &Pending) -> Result<(), Error> {
        let mut one = self.one.lock().unwrap();
        one.rollbacks += 1;
        let before = one.pending.take().map(|(_, before, _)| before);
        if let Some(before) = before.or_else(|| one.previous.take()) {
            one.running = before;
            one.down.clear();
        }
        Ok(())
    }
    async fn close(&self) {
        let mut one = self.one.lock().unwrap();
        if one.holds
            && self.has_changed.load(Ordering::SeqCst)
            && let Some((_, before, _)) = one.pending.take()
        {
            one.running = before;
        }
    }
}

#[async_trait]
impl Load for Connection {
    async fn load(&self, how: How, text: &ConfigText) -> Result<Box<dyn Candidate + '_>, Error> {
        let one = self.one.lock().unwrap();
        if one.trouble == Some(Trouble::Rejects) {
            let message = "line 1: syntax error".to_owned();
            return Err(Error::Rejected { host: self.host.clone(), step: Step::Load, message });
        }
        let text = match how {
            How::Replace => text.expose().to_owned(),
            How::Merge => {
                let is_new = |line: &&str| !one.running.lines().any(|there| there == *line);
                let more = text.expose().lines().filter(is_new).map(|line| format!("{line}\n"));
                one.running.clone() + &more.collect::<String>()
            }
        };
        let diff = Diff::between(&one.running, &text);
        Ok(Box::new(Loaded { at: self, text, base: one.running.clone(), diff }))
    }
}

struct Loaded<'a> {
    at: &'a Connection,
    text: String,
    base: String,
    diff: Diff,
}

#[async_trait]
impl Candidate for Loaded<'_> {
    fn diff(&self) -> &Diff {
        &self.diff
    }
    async fn commit(self: Box<Self>, timer: Duration) -> Result<Pending, Error> {
        let made = self.put_into_force(timer);
        self.at.pause(|one| one.trouble == Some(Trouble::PausesCommit)).await;
        made
    }
    async fn discard(self: Box<Self>) -> Result<(), Error> {
        Ok(())
    }
}

impl Loaded<'_> {
    fn put_into_force(&self, timer: Duration) -> Result<Pending, Error> {
        let host = self.at.host.clone();
        let lost = || Error::Lost { host: host.clone(), step: Step::Commit, message: "reset".to_owned() };
        let mut one = self.at.one.lock().unwrap();
        one.wake();
        if one.pending.is_some() {
            return Err(Error::Busy { host, holder: "somebody".to_owned() });
        }
        if one.running != self.base {
            return Err(Error::Changed { host });
        }
        if one.trouble == Some(Trouble::LostBeforeCommit) {
            one.trouble = None;
            return Err(lost());
        }
        if one.timerless && !timer.is_zero() {
            let message = "there is no timer".to_owned();
            return Err(Error::Failed { host, step: Step::Commit, message });
        }
        self.at.has_changed.store(true, Ordering::SeqCst);
        one.commits += 1;
        one.next += 1;
        let id = format!("change-{}", one.next);
        let pending = Pending { platform: Platform::Bird, id, seconds: timer.as_secs() };
        let before = std::mem::replace(&mut one.running, self.text.clone());
        if timer.is_zero() {
            one.previous = Some(before);
        } else {
            one.pending = Some((pending.clone(), before, Instant::now() + timer));
        }
        if one.is_confirmed_by_hand {
            one.confirm_by_hand();
        }
        match one.trouble {
            Some(Trouble::LostInCommit) => {
                one.trouble = None;
                Err(lost())
            }
            Some(Trouble::SessionsDie) => {
                one.down = one.neighbors().iter().map(|neighbor| neighbor.address).collect();
                Ok(pending)
            }
            _ => Ok(pending),
        }
    }
}
