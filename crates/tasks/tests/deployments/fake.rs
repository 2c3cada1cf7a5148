//! Routers that do what a router does: a line `neighbor ADDRESS AS` of their configuration is a session.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
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
}

#[derive(Default)]
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
    pub rollbacks: usize,
    is_cut: bool,
    previous: Option<String>,
    down: BTreeSet<IpAddr>,
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
                    vrf: "default".to_owned(),
                    address,
                    remote_as: asn.split_whitespace().next()?.parse().ok(),
                    local_as: None,
                    local_address: None,
                    remote_id: None,
                    description: None,
                    state,
                    enabled: true,
                    uptime: None,
                    downtime: None,
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
                Ok(Box::new(Connection { host, one }))
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
        if self.one.lock().unwrap().trouble == Some(Trouble::Hangs) {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let limit = Duration::from_secs(11);
            return Err(Error::Timeout { host: self.host.clone(), step: Step::Neighbors, limit });
        }
        let mut one = self.one.lock().unwrap();
        one.wake();
        Ok(Neighbors { neighbors: one.neighbors(), left_out: Vec::new() })
    }
    async fn running_config(&self) -> Result<ConfigText, Error> {
        let mut one = self.one.lock().unwrap();
        one.wake();
        Ok(ConfigText::new(one.running.clone()))
    }
    fn loader(&self, how: How) -> Option<Loader<'_>> {
        (how == How::Replace).then(|| Loader::new(self, how))
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
        match one.trouble {
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
                if one.trouble == Some(Trouble::LostInConfirm) {
                    one.trouble = None;
                    return Err(lost());
                }
                Ok(())
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
    async fn close(&self) {}
}

#[async_trait]
impl Load for Connection {
    async fn load(&self, _: How, text: &ConfigText) -> Result<Box<dyn Candidate + '_>, Error> {
        let one = self.one.lock().unwrap();
        if one.trouble == Some(Trouble::Rejects) {
            let message = "line 1: syntax error".to_owned();
            return Err(Error::Rejected { host: self.host.clone(), step: Step::Load, message });
        }
        let diff = Diff::between(&one.running, text.expose());
        Ok(Box::new(Loaded { at: self, text: text.expose().to_owned(), base: one.running.clone(), diff }))
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
    async fn discard(self: Box<Self>) -> Result<(), Error> {
        Ok(())
    }
}
