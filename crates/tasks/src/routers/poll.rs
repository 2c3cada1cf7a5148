//! `poll_bgp_sessions`: what routers say of our sessions.
//!
//! Reads: routers, platforms, sessions, the settings `napalm_*`, `ssh_known_hosts`, `router_concurrency`; the routers.
//! Writes: state and counters of sessions, how old and how sure they are, their history, and the neighbours for which there
//! is no session; forgets deleted sessions that their router does not have any more. What a router says is stored in one
//! transaction. A session that its router does not know becomes unknown; one of a router that could not be asked stays as it
//! is, and its age tells.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt as _;
use pm_router::{Neighbor, Neighbors, Target};
use pm_store::events;
use pm_store::jobs::{Level, Outcome};
use pm_store::polls::{self, Expected, Polled, SessionKind};
use pm_store::strangers::{self as kept, Stranger};
use pm_store::tombstones;
use pm_store::{Holder, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tokio::sync::Mutex;

use super::hosts::limited;
use super::locks::{RouterLocks, a_few};
use super::matching::{choose, not_understood, plain, state_name, strangers};
use super::{Connector, Network, NoWay, Reached, routers};
use crate::patience::patiently;
use crate::queue::Queue;
use crate::runner::{ASK_AGAIN, who};
use crate::{Done, Task, TaskContext, TaskError};

/// Share of its limit of prefixes from which a session is told of, in percent.
const NEAR: i64 = 90;

/// The task's arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::unsafe_derive_deserialize,
    reason = "what is unsafe is inside a macro of tokio's, not in this type"
)]
pub struct PollBgpSessions {
    /// Only these routers, by name or hostname, separated by commas.
    #[serde(default)]
    pub limit: Option<String>,
}

/// What came of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PollReport {
    /// Router by router.
    pub routers: Vec<Looked>,
}

/// What came of a router.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Looked {
    /// Its name.
    pub router: String,
    /// Why it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Whether it was not asked because another run was asking it.
    #[serde(skip)]
    pub busy: bool,
    /// Why it could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Sessions that it knows.
    pub updated: usize,
    /// How many of these are established.
    pub established: usize,
    /// Sessions of ours that it should know and does not.
    pub unknown: Vec<String>,
    /// Neighbours of its that we have no session for.
    pub strange: Vec<Strange>,
    /// Sessions that come near their limit of prefixes, or went past it.
    pub near_limit: Vec<String>,
    /// What it said and could not be understood.
    pub left_out: Vec<String>,
    /// Deleted sessions that it does not have any more, and that are forgotten now.
    pub deleted_gone: usize,
    /// Deleted sessions that it still has, or may have.
    pub deleted_standing: Vec<String>,
}

/// A neighbour that a router has and we do not.
#[derive(Clone, Debug, Serialize)]
pub struct Strange {
    /// The VRF.
    pub vrf: String,
    /// The neighbour's address.
    pub address: IpAddr,
    /// The neighbour's AS.
    pub asn: Option<u32>,
}

#[async_trait::async_trait]
impl Task for PollBgpSessions {
    fn name(&self) -> &'static str {
        "poll_bgp_sessions"
    }

    fn label(&self) -> &'static str {
        "devices.poll_bgp_sessions"
    }

    fn arguments(&self) -> Json {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Each router has a lock of its own, `poll:` and its number.
    fn lock_key(&self) -> Option<String> {
        None
    }

    fn queue(&self) -> Queue {
        Queue::Routers
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        self.run_over(context, &Network).await
    }
}

impl PollBgpSessions {
    /// As [`Task::run`], over another network.
    ///
    /// # Errors
    /// Those of the database, and a name in the limit that no router has. What happens on a router ends up in the report.
    pub async fn run_over(&self, context: &TaskContext, network: &dyn Connector) -> Result<Done, TaskError> {
        let all = read(context).await?;
        let named = limited(all, self.limit.as_deref()).map_err(TaskError::Failed)?;
        let named_ones = self.limit.is_some();
        let wanted: Vec<Reached> = named.into_iter().filter(|router| router.polled || named_ones).collect();
        let run =
            Run { context, network, locks: RouterLocks::new(context, "poll"), writing: Mutex::default() };
        let report = tokio::select! {
            report = run.over(wanted) => report?,
            never = run.locks.beat() => match never {},
        };
        finish(&report)
    }
}

/// What the polls of a run share.
struct Run<'a> {
    context: &'a TaskContext,
    network: &'a dyn Connector,
    locks: RouterLocks<'a>,
    /// One writes at a time: SQLite has one writer.
    writing: Mutex<()>,
}

impl Run<'_> {
    /// All of them: those that another run is polling are waited for, if that was asked for, and else left out.
    async fn over(&self, wanted: Vec<Reached>) -> Result<PollReport, TaskError> {
        let (total, done) = (wanted.len(), AtomicUsize::new(0));
        let mut report = PollReport::default();
        let mut left = wanted;
        let mut told = false;
        while !left.is_empty() {
            let asked = left.iter().filter(|router| router.target.is_ok() && router.polled);
            let busy = self.locks.take(&asked.map(|router| router.id).collect::<Vec<_>>()).await?;
            let (later, now): (Vec<Reached>, Vec<Reached>) =
                left.into_iter().partition(|router| busy.contains_key(&router.id));
            let expected = if now.is_empty() { BTreeMap::new() } else { self.expected(&now).await? };
            let polls = futures::stream::iter(now).map(|router| {
                let (done, expected) = (&done, &expected);
                async move {
                    let ours = expected.get(&router.id).map_or(&[][..], Vec::as_slice);
                    let looked = self.poll(&router, ours).await;
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    self.context.reporter.progress(done, total, "polling routers");
                    looked
                }
            });
            let mut polls = polls.buffer_unordered(self.context.config.router_concurrency.max(1) as usize);
            while let Some(looked) = polls.next().await {
                report.routers.push(looked?);
            }
            if !self.context.wait {
                report.routers.extend(
                    later.iter().filter_map(|router| {
                        Some(left_to_others(self.context, router, busy.get(&router.id)?))
                    }),
                );
                break;
            }
            if let Some(holder) = later.first().and_then(|router| busy.get(&router.id))
                && !std::mem::replace(&mut told, true)
            {
                let names = later.iter().map(|router| router.name.clone()).collect();
                let text = format!("waiting: {} being polled by {}", a_few(&names), who(holder));
                self.context.reporter.info(text);
            }
            left = later;
            if !left.is_empty() {
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
        report.routers.sort_by(|one, other| one.router.cmp(&other.router));
        Ok(report)
    }
}

/// A router that another run is polling.
fn left_to_others(context: &TaskContext, router: &Reached, holder: &Holder) -> Looked {
    let reason = format!("it is being polled by {}", who(holder));
    let text = format!("{}: skipped, {reason}", router.name);
    context.reporter.say(Level::Warning, Some(router.name.clone()), &text);
    Looked { router: router.name.clone(), skipped: Some(reason), busy: true, ..Looked::default() }
}

async fn read(context: &TaskContext) -> Result<Vec<Reached>, TaskError> {
    let mut transaction = context.store.begin_reading().await?;
    let all = routers(&mut transaction.session(), &context.config, &context.keyring).await?;
    transaction.rollback().await?;
    Ok(all)
}

impl Run<'_> {
    /// The sessions by router, as they are now: a run may have waited for long.
    async fn expected(&self, routers: &[Reached]) -> Result<BTreeMap<i64, Vec<Expected>>, TaskError> {
        let ids: Vec<i64> = routers.iter().map(|router| router.id).collect();
        let mut transaction = self.context.store.begin_reading().await?;
        let expected = polls::expected(&mut transaction.session(), &ids).await?;
        transaction.rollback().await?;
        Ok(expected)
    }

    /// One router from the first octet to the last row. Only the database ends the run.
    async fn poll(&self, router: &Reached, ours: &[Expected]) -> Result<Looked, TaskError> {
        let mut looked = Looked { router: router.name.clone(), ..Looked::default() };
        let say = |level, message: &str| self.context.reporter.say(level, Some(router.name.clone()), message);
        let target = match &router.target {
            _ if !router.polled => Err(NoWay::Unmeant("polling its sessions is not enabled".to_owned())),
            Err(no_way) => Err(no_way.clone()),
            Ok(target) => Ok(target),
        };
        let target = match target {
            Ok(target) => target,
            Err(NoWay::Unmeant(reason)) => {
                say(Level::Warning, &format!("{}: skipped, {reason}", router.name));
                looked.skipped = Some(reason);
                return Ok(looked);
            }
            Err(NoWay::Broken(reason)) => {
                say(Level::Failure, &format!("{}: {reason}", router.name));
                looked.error = Some(reason);
                return Ok(looked);
            }
        };
        let asked = self.context.clock.now();
        let neighbors = match ask(self.network, target).await {
            Ok(neighbors) => neighbors,
            Err(error) => {
                let error = error.to_string();
                say(Level::Failure, &format!("{}: {error}", router.name));
                looked.error = Some(error);
                self.locks.free(router.id).await;
                return Ok(looked);
            }
        };
        let rows = compare(ours, &neighbors, asked, &mut looked);
        let strangers = strangers(&neighbors, &looked.strange);
        let has = still_there(ours, &neighbors);
        let (deleted, changed) = match self.store(router.id, ours, &rows, &strangers, asked, has).await {
            Err(TaskError::Store(error @ StoreError::LockLost { .. })) => {
                say(Level::Failure, &format!("{}: {error}", router.name));
                let router = looked.router;
                return Ok(Looked { router, error: Some(error.to_string()), ..Looked::default() });
            }
            stored => stored?,
        };
        looked.deleted_gone = deleted.gone.len();
        looked.deleted_standing = deleted
            .standing
            .iter()
            .map(|one| format!("AS{} {} {}", one.remote_asn, one.remote_name, one.ip_address))
            .collect();
        say(Level::Info, &told(&looked));
        if changed > 0 {
            let text = format!(
                "{}: {changed} sessions were changed meanwhile; the next poll is the first of these",
                router.name
            );
            say(Level::Info, &text);
        }
        for one in looked.near_limit.iter().chain(&looked.left_out) {
            say(Level::Warning, &format!("{}: {one}", router.name));
        }
        Ok(looked)
    }

    /// Stores what a router said, but of sessions that have been changed since they were read, and says how many these were.
    async fn store(
        &self,
        router: i64,
        ours: &[Expected],
        rows: &BTreeMap<SessionKind, Vec<Polled>>,
        strangers: &[Stranger],
        asked: DateTime<Utc>,
        has: impl Fn(IpAddr, Option<&str>) -> bool,
    ) -> Result<(tombstones::Looked, usize), TaskError> {
        let _one_at_a_time = self.writing.lock().await;
        let now = self.context.clock.now();
        patiently(async || {
            let mut transaction = self.context.store.begin().await?;
            let mut session = transaction.session();
            self.locks.hold(&mut session, router).await?;
            let changed = polls::changed(&mut session, router, ours).await?;
            let rows = without(rows, &changed);
            events::sessions_polled(&mut session, &rows, now).await?;
            for (kind, rows) in &*rows {
                polls::store(&mut session, *kind, rows, now).await?;
            }
            kept::replace(&mut session, router, strangers, now).await?;
            polls::stamp(&mut session, router, now).await?;
            let deleted = tombstones::looked(&mut session, router, asked, &has).await?;
            self.locks.let_go(&mut session, router).await?;
            self.context.commit(transaction).await?;
            self.locks.is_gone(router);
            Ok((deleted, changed.len()))
        })
        .await
    }
}

/// What is said of the other sessions.
fn without<'a>(
    rows: &'a BTreeMap<SessionKind, Vec<Polled>>,
    changed: &BTreeSet<(SessionKind, i64)>,
) -> Cow<'a, BTreeMap<SessionKind, Vec<Polled>>> {
    if changed.is_empty() {
        return Cow::Borrowed(rows);
    }
    let rest = rows.iter().map(|(kind, rows)| {
        (*kind, rows.iter().filter(|row| !changed.contains(&(*kind, row.id))).cloned().collect())
    });
    Cow::Owned(rest.collect())
}

async fn ask(network: &dyn Connector, target: &Target) -> Result<Neighbors, pm_router::Error> {
    let router = network.connect(target).await?;
    let neighbors = router.neighbors().await;
    router.close().await;
    neighbors
}

/// Whether a router still has a neighbour at an address, in a VRF if that is known. Where it said something that could not be
/// understood, or nothing at all though it should have neighbours, it may have any.
fn still_there<'a>(
    ours: &[Expected],
    neighbors: &'a Neighbors,
) -> impl Fn(IpAddr, Option<&str>) -> bool + use<'a> {
    let silent = neighbors.neighbors.is_empty() && ours.iter().any(|session| session.wanted);
    let unsure = silent || !neighbors.left_out.is_empty();
    let there: BTreeSet<(IpAddr, &str)> =
        neighbors.neighbors.iter().map(|neighbor| (neighbor.address, neighbor.vrf.as_str())).collect();
    let addresses: BTreeSet<IpAddr> = there.iter().map(|(address, _)| *address).collect();
    move |address, vrf| {
        let listed = match vrf {
            Some(vrf) => there.contains(&(address, vrf)),
            None => addresses.contains(&address),
        };
        unsure || listed
    }
}

/// Finds each session of ours among a router's neighbours.
fn compare(
    ours: &[Expected],
    neighbors: &Neighbors,
    asked: DateTime<Utc>,
    looked: &mut Looked,
) -> BTreeMap<SessionKind, Vec<Polled>> {
    let mut by_address: BTreeMap<IpAddr, Vec<&Neighbor>> = BTreeMap::new();
    for neighbor in &neighbors.neighbors {
        by_address.entry(neighbor.address).or_default().push(neighbor);
    }
    let mut matched = BTreeSet::new();
    let mut rows: BTreeMap<SessionKind, Vec<Polled>> = BTreeMap::new();
    for session in ours {
        let there = by_address.get(&session.address).map_or(&[][..], Vec::as_slice);
        let row = match choose(session, there) {
            Ok(neighbor) => {
                matched.insert((neighbor.vrf.as_str(), neighbor.address));
                looked.updated += 1;
                looked.established += usize::from(neighbor.is_up());
                let near_limit = near_limit(session, neighbor);
                let row = Polled { near_limit: near_limit.is_some(), ..polled(session.id, neighbor, asked) };
                looked.near_limit.extend(near_limit);
                row
            }
            Err(reason) => {
                if session.wanted {
                    let reason = not_understood(session.address, neighbors).unwrap_or(reason);
                    looked.unknown.push(format!("{}: {reason}", named(session)));
                }
                Polled { id: session.id, ..Polled::default() }
            }
        };
        rows.entry(session.kind).or_default().push(row);
    }
    let strange = neighbors
        .neighbors
        .iter()
        .filter(|neighbor| !matched.contains(&(neighbor.vrf.as_str(), neighbor.address)))
        .map(|neighbor| Strange {
            vrf: neighbor.vrf.to_string(),
            address: neighbor.address,
            asn: neighbor.remote_as,
        });
    looked.strange = strange.collect();
    looked.left_out.clone_from(&neighbors.left_out);
    rows
}

fn named(session: &Expected) -> String {
    format!("AS{} {} {}", session.asn, session.name, session.address)
}

fn polled(id: i64, neighbor: &Neighbor, asked: DateTime<Utc>) -> Polled {
    let sum = |count: fn(&pm_router::Prefixes) -> Option<u64>| {
        let sum = neighbor.prefixes.values().filter_map(|one| count(&one)).fold(0, u64::saturating_add);
        i64::try_from(sum).unwrap_or(i64::MAX)
    };
    Polled {
        id,
        state: Some(state_name(neighbor.state)),
        received: sum(|counts| counts.received),
        accepted: sum(|counts| counts.accepted),
        advertised: sum(|counts| counts.advertised),
        last_error: neighbor.last_error.as_deref().map(plain),
        near_limit: false,
        vrf: Some(plain(&neighbor.vrf)),
        up_since: neighbor.uptime().and_then(|uptime| came_up(asked, uptime)),
    }
}

/// The earliest moment at which a session can have come up that has been up for so many whole seconds.
fn came_up(asked: DateTime<Utc>, uptime: u64) -> Option<DateTime<Utc>> {
    let seconds = i64::try_from(uptime).ok()?.checked_add(1)?;
    asked.checked_sub_signed(TimeDelta::try_seconds(seconds)?)
}

fn near_limit(session: &Expected, neighbor: &Neighbor) -> Option<String> {
    if neighbor.over_limit {
        return Some(format!("{}: down because it went past its limit of prefixes", named(session)));
    }
    let limit = session.max_prefixes?;
    let family = if session.address.is_ipv4() { pm_router::Family::Ipv4 } else { pm_router::Family::Ipv6 };
    let received = i64::try_from(neighbor.prefixes.get(&family)?.received?).ok()?;
    (received.saturating_mul(100) >= limit.saturating_mul(NEAR))
        .then(|| format!("{}: {received} prefixes received, the limit is {limit}", named(session)))
}

fn told(looked: &Looked) -> String {
    let mut text =
        format!("{}: {} sessions updated, {} established", looked.router, looked.updated, looked.established);
    if !looked.unknown.is_empty() {
        let _ = write!(text, ", {} not known to the router", looked.unknown.len());
    }
    if !looked.strange.is_empty() {
        let _ = write!(text, ", {} neighbours without a session here", looked.strange.len());
    }
    if looked.deleted_gone > 0 {
        let _ = write!(text, ", {} deleted sessions gone", looked.deleted_gone);
    }
    if !looked.deleted_standing.is_empty() {
        let _ = write!(text, ", {} deleted sessions still there", looked.deleted_standing.len());
    }
    text
}

fn finish(report: &PollReport) -> Result<Done, TaskError> {
    let count = |is: fn(&Looked) -> bool| report.routers.iter().filter(|one| is(one)).count();
    let busy: BTreeSet<String> =
        report.routers.iter().filter(|one| one.busy).map(|one| one.router.clone()).collect();
    let (failed, skipped) = (count(|one| one.error.is_some()), count(|one| one.skipped.is_some()));
    let asked = report.routers.len() - failed - skipped;
    if failed + asked == 0 && !busy.is_empty() {
        let text =
            format!("another run is polling {}; try again later, or wait for it with --wait", a_few(&busy));
        return Err(TaskError::Held(text));
    }
    let sessions: usize = report.routers.iter().map(|one| one.updated).sum();
    let mut summary = format!("Polled {asked} routers: {sessions} sessions updated");
    if failed > 0 {
        let _ = write!(summary, "; {failed} routers failed");
    }
    if skipped > 0 {
        let _ = write!(summary, "; {skipped} skipped");
    }
    let gone: usize = report.routers.iter().map(|one| one.deleted_gone).sum();
    if gone > 0 {
        let _ = write!(summary, "; {gone} deleted sessions gone");
    }
    let standing: usize = report.routers.iter().map(|one| one.deleted_standing.len()).sum();
    if standing > 0 {
        let _ = write!(summary, "; {standing} deleted sessions still on their router");
    }
    summary.push('.');
    let outcome = match (failed, asked) {
        (0, 0) => Outcome::NothingToDo,
        (0, _) => Outcome::Ok,
        _ => Outcome::Partial,
    };
    if outcome == Outcome::NothingToDo {
        summary =
            format!("No router was polled: {skipped} skipped; polling is enabled on each router by itself.");
    }
    let data = serde_json::to_value(report).map_err(|error| TaskError::Broken(error.to_string()))?;
    Ok(Done { outcome, summary, data })
}
