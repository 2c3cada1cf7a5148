//! `poll_bgp_sessions`: what routers say of our sessions.
//!
//! Reads: routers, platforms, sessions, the settings `napalm_*`, `ssh_known_hosts`, `router_concurrency`; the routers.
//! Writes: state and counters of sessions, how old and how sure they are, their history. A router's sessions are stored in
//! one transaction. A session that its router does not know becomes unknown; one of a router that could not be asked stays
//! as it is, and its age tells.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt as _;
use pm_router::{Neighbor, Neighbors, State, Target};
use pm_store::jobs::{Level, Outcome};
use pm_store::polls::{self, Expected, Polled, SessionKind};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Connector, Network, Reached, routers};
use crate::render::hosts::limited;
use crate::{Done, Task, TaskContext, TaskError};

/// Share of its limit of prefixes from which a session is told of, in percent.
const NEAR: i64 = 90;

/// The task's arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

    fn lock_key(&self) -> Option<String> {
        Some("poll_bgp_sessions".to_owned())
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
        let (all, expected) = read(context).await?;
        let named = limited(all, self.limit.as_deref()).map_err(TaskError::Failed)?;
        let named_ones = self.limit.is_some();
        let wanted: Vec<Reached> = named.into_iter().filter(|router| router.polled || named_ones).collect();
        let total = wanted.len();
        let done = AtomicUsize::new(0);
        let writing = tokio::sync::Mutex::new(());
        let polls = futures::stream::iter(wanted).map(|router| {
            let (expected, done, writing) = (&expected, &done, &writing);
            async move {
                let ours = expected.get(&router.id).map_or(&[][..], Vec::as_slice);
                let looked = poll(context, network, &router, ours, writing).await;
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                context.reporter.progress(done, total, "polling routers");
                looked
            }
        });
        let mut polls = polls.buffer_unordered(context.config.router_concurrency.max(1) as usize);
        let mut report = PollReport::default();
        while let Some(looked) = polls.next().await {
            report.routers.push(looked?);
        }
        report.routers.sort_by(|one, other| one.router.cmp(&other.router));
        finish(&report)
    }
}

async fn read(context: &TaskContext) -> Result<(Vec<Reached>, BTreeMap<i64, Vec<Expected>>), TaskError> {
    let mut transaction = context.store.begin_reading().await?;
    let mut session = transaction.session();
    let all = routers(&mut session, &context.config, &context.keyring).await?;
    let expected = polls::expected(&mut session).await?;
    transaction.rollback().await?;
    Ok((all, expected))
}

/// One router from the first octet to the last row. Only the database ends the run.
async fn poll(
    context: &TaskContext,
    network: &dyn Connector,
    router: &Reached,
    ours: &[Expected],
    writing: &tokio::sync::Mutex<()>,
) -> Result<Looked, TaskError> {
    let mut looked = Looked { router: router.name.clone(), ..Looked::default() };
    let say = |level, message: &str| context.reporter.say(level, Some(router.name.clone()), message);
    let target = match &router.target {
        _ if !router.polled => Err("polling its sessions is not enabled".to_owned()),
        Err(reason) => Err(reason.clone()),
        Ok(target) => Ok(target),
    };
    let target = match target {
        Ok(target) => target,
        Err(reason) => {
            say(Level::Warning, &format!("{}: skipped, {reason}", router.name));
            looked.skipped = Some(reason);
            return Ok(looked);
        }
    };
    let neighbors = match ask(network, target).await {
        Ok(neighbors) => neighbors,
        Err(error) => {
            let error = error.to_string();
            say(Level::Failure, &format!("{}: {error}", router.name));
            looked.error = Some(error);
            return Ok(looked);
        }
    };
    let rows = compare(ours, &neighbors, &mut looked);
    {
        let _one_at_a_time = writing.lock().await;
        store(context, router.id, &rows).await?;
    }
    say(Level::Info, &told(&looked));
    for one in looked.near_limit.iter().chain(&looked.left_out) {
        say(Level::Warning, &format!("{}: {one}", router.name));
    }
    Ok(looked)
}

async fn ask(network: &dyn Connector, target: &Target) -> Result<Neighbors, pm_router::Error> {
    let router = network.connect(target).await?;
    let neighbors = router.neighbors().await;
    router.close().await;
    neighbors
}

async fn store(
    context: &TaskContext,
    router: i64,
    rows: &BTreeMap<SessionKind, Vec<Polled>>,
) -> Result<(), TaskError> {
    let now = context.clock.now();
    let mut transaction = context.store.begin().await?;
    let mut session = transaction.session();
    context.hold_lock(&mut session).await?;
    for (kind, rows) in rows {
        polls::store(&mut session, *kind, rows, now).await?;
    }
    polls::stamp(&mut session, router, now).await?;
    context.commit(transaction).await?;
    Ok(())
}

/// Finds each session of ours among a router's neighbours.
fn compare(
    ours: &[Expected],
    neighbors: &Neighbors,
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
                looked.near_limit.extend(near_limit(session, neighbor));
                polled(session.id, neighbor)
            }
            Err(reason) => {
                if session.wanted {
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
            vrf: neighbor.vrf.clone(),
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

/// The neighbour with the session's address and AS; the one outside every VRF if there are more.
fn choose<'a>(session: &Expected, there: &[&'a Neighbor]) -> Result<&'a Neighbor, String> {
    let is = |neighbor: &&&Neighbor| neighbor.remote_as.is_none_or(|asn| i64::from(asn) == session.asn);
    let same: Vec<&&Neighbor> = there.iter().filter(is).collect();
    match (same.as_slice(), there) {
        ([one], _) => Ok(one),
        ([], []) => Err("the router does not know this address".to_owned()),
        ([], [other, ..]) => Err(format!(
            "the router has AS{} at this address",
            other.remote_as.map(|asn| asn.to_string()).unwrap_or_default()
        )),
        (several, _) => several.iter().find(|one| one.vrf == "default").map(|one| **one).ok_or_else(|| {
            let vrfs: Vec<&str> = several.iter().map(|one| one.vrf.as_str()).collect();
            format!("the router has this address in several VRFs: {}", vrfs.join(", "))
        }),
    }
}

fn polled(id: i64, neighbor: &Neighbor) -> Polled {
    let sum = |count: fn(&pm_router::Prefixes) -> Option<u64>| {
        let sum = neighbor.prefixes.values().filter_map(count).fold(0, u64::saturating_add);
        i64::try_from(sum).unwrap_or(i64::MAX)
    };
    Polled {
        id,
        state: Some(state_name(neighbor.state)),
        received: sum(|counts| counts.received),
        accepted: sum(|counts| counts.accepted),
        advertised: sum(|counts| counts.advertised),
        last_error: neighbor.last_error.clone(),
    }
}

/// The words of a session's field `bgp_state`.
fn state_name(state: State) -> &'static str {
    match state {
        State::Idle => "idle",
        State::Connect => "connect",
        State::Active => "active",
        State::OpenSent => "opensent",
        State::OpenConfirm => "openconfirm",
        State::Established => "established",
    }
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
    text
}

fn finish(report: &PollReport) -> Result<Done, TaskError> {
    let count = |is: fn(&Looked) -> bool| report.routers.iter().filter(|one| is(one)).count();
    let (failed, skipped) = (count(|one| one.error.is_some()), count(|one| one.skipped.is_some()));
    let asked = report.routers.len() - failed - skipped;
    let sessions: usize = report.routers.iter().map(|one| one.updated).sum();
    let mut summary = format!("Polled {asked} routers: {sessions} sessions updated");
    if failed > 0 {
        let _ = write!(summary, "; {failed} routers failed");
    }
    if skipped > 0 {
        let _ = write!(summary, "; {skipped} skipped");
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
