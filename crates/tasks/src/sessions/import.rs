//! `sessions import`: makes sessions of the neighbours that routers have and the database lacks.
//!
//! Reads: what the last polls kept of such neighbours, connections, exchanges, sessions, autonomous systems, the PeeringDB
//! cache, the setting `poll_stale_after`. Writes: sessions, and autonomous systems that are known to PeeringDB only, with
//! their change log, all in one transaction. No router is asked: a poll has done that.
//!
//! A new session gets the status `provisioning` unless another is asked for. Templates take such a session for one that is
//! not yet to be on the router, so that making it changes nothing about what is deployed: it is not configured anew, without
//! the password and the policies that the router knows and we do not, and not removed either by a template that removes
//! what is disabled.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use pm_store::Session;
use pm_store::entities::autonomous_system;
use pm_store::jobs::{Level, Outcome};
use pm_store::objects::models::{direct_peering_session, internet_exchange_peering_session};
use pm_store::objects::problems::{ObjectError, Rules};
use pm_store::objects::record::{Draft, Record};
use pm_store::objects::write;
use pm_store::routers::Listed as ListedRouter;
use pm_store::strangers::{self, Kept};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::decide::{Decision, Known, Reason, named};
use super::{Freshness, named as routers_named};
use crate::exchanges::find_exchange;
use crate::{Done, Task, TaskContext, TaskError, editor, systems};

/// What a session becomes if nothing else is asked for.
const STATUS: &str = "provisioning";
/// Letters of a session's description.
const DESCRIPTION: usize = 200;

/// The task's arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportSessions {
    /// A router (name or hostname) or an exchange (slug, name or number); `router:` or `ix:` before it says which. All
    /// exchanges, if there is none.
    #[serde(default)]
    pub of: Option<String>,
    /// Status of the new sessions.
    #[serde(default)]
    pub status: Option<String>,
    /// Only say what would be made.
    #[serde(default)]
    pub dry_run: bool,
}

/// What was done, or would be.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Imported {
    /// Whether nothing was made.
    pub dry_run: bool,
    /// AS numbers that were added.
    pub autonomous_systems: Vec<i64>,
    /// Sessions that were made.
    pub sessions: Vec<NewSession>,
    /// Neighbours that were passed over.
    pub skipped: Vec<Skipped>,
}

/// A session that was made.
#[derive(Clone, Debug, Serialize)]
pub struct NewSession {
    /// The router.
    pub router: String,
    /// The neighbour's AS.
    pub asn: i64,
    /// The neighbour's address.
    pub ip_address: IpAddr,
    /// What a person calls the connection to the exchange; `None` for a direct session.
    pub connection: Option<String>,
}

/// A neighbour that was passed over.
#[derive(Clone, Debug, Serialize)]
pub struct Skipped {
    /// The router.
    pub router: String,
    /// The VRF.
    pub vrf: String,
    /// The neighbour's address.
    pub ip_address: IpAddr,
    /// The neighbour's AS.
    pub asn: Option<i64>,
    /// Why.
    pub reason: String,
    /// Whether that is as it should be; otherwise somebody has to decide.
    pub is_fine: bool,
}

#[async_trait::async_trait]
impl Task for ImportSessions {
    fn name(&self) -> &'static str {
        "import_sessions"
    }

    fn label(&self) -> &'static str {
        "peering.internet_exchange.import_sessions"
    }

    fn arguments(&self) -> Json {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn lock_key(&self) -> Option<String> {
        Some("import_sessions".to_owned())
    }

    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        let mut transaction = context.store.begin().await?;
        let mut session = transaction.session();
        context.hold_lock(&mut session).await?;
        let imported = self.import(context, &mut session).await?;
        if self.dry_run {
            transaction.rollback().await?;
        } else {
            context.commit(transaction).await?;
        }
        for one in &imported.sessions {
            let place =
                one.connection.as_ref().map_or("direct session".to_owned(), |name| format!("at {name}"));
            let text = format!("{}: AS{} {}, {place}", one.router, one.asn, one.ip_address);
            context.reporter.say(Level::Info, Some(one.router.clone()), &text);
        }
        finish(&imported)
    }
}

/// What is to be looked through.
enum Scope {
    Router(ListedRouter),
    Exchange(Record),
    Exchanges,
}

impl ImportSessions {
    async fn import(&self, context: &TaskContext, session: &mut Session<'_>) -> Result<Imported, TaskError> {
        let scope = self.scope(session).await?;
        let routers = match &scope {
            Scope::Router(router) => Some(vec![router.id]),
            _ => None,
        };
        let mut found = strangers::list(session, routers.as_deref()).await?;
        let known = Known::read(session, &found, Freshness::new(&context.config, &*context.clock)).await?;
        let never_polled = never_polled(session, &scope, &known).await?;
        found.retain(|one| match &scope {
            Scope::Router(_) => true,
            Scope::Exchange(exchange) => known.is_at(one, exchange.id),
            Scope::Exchanges => known.is_anywhere(one),
        });
        for router in never_polled {
            let text =
                format!("{router} was never polled, so its neighbours are not known: `poll_bgp_sessions`");
            context.reporter.say(Level::Warning, Some(router), &text);
        }
        let mut imported = Imported { dry_run: self.dry_run, ..Imported::default() };
        let (mut wanted, mut done) = (Vec::new(), Vec::new());
        for one in &found {
            match known.decide(one) {
                Decision::No(reason) => {
                    if known.has_session(one) {
                        done.push(one.id);
                    }
                    skip(context, one, &reason);
                    imported.skipped.push(skipped(one, reason));
                }
                decision => wanted.push((one, decision)),
            }
        }
        self.make(context, session, &known, &wanted, &mut imported).await?;
        done.extend(wanted.iter().map(|(one, _)| one.id));
        strangers::forget(session, &done).await?;
        Ok(imported)
    }

    /// What `of` means.
    async fn scope(&self, session: &mut Session<'_>) -> Result<Scope, TaskError> {
        let Some(of) = self.of.as_deref() else { return Ok(Scope::Exchanges) };
        let (kind, name) = match of.split_once(':') {
            Some((kind @ ("router" | "ix"), name)) => (Some(kind), name),
            _ => (None, of),
        };
        let is = |router: &ListedRouter| {
            router.name.eq_ignore_ascii_case(name) || router.hostname.eq_ignore_ascii_case(name)
        };
        let mut routers = routers_named(session, None).await?;
        routers.retain(|router| kind != Some("ix") && is(router));
        let exchange = match kind {
            Some("router") => None,
            _ => find_exchange(session, name).await?,
        };
        match (routers.len(), exchange) {
            (1, None) => routers.pop().map(Scope::Router).ok_or_else(|| TaskError::Broken(String::new())),
            (0, Some(exchange)) => Ok(Scope::Exchange(exchange)),
            (0, None) => {
                Err(TaskError::Failed(format!("there is no router and no Internet exchange {name}")))
            }
            (_, None) => Err(TaskError::Failed(format!("several routers are called {name}"))),
            (_, Some(_)) => Err(TaskError::Failed(format!(
                "{name} is a router and an Internet exchange: say router:{name} or ix:{name}"
            ))),
        }
    }

    /// Makes the sessions, and the autonomous systems that are not there: a few statements for all.
    async fn make(
        &self,
        context: &TaskContext,
        session: &mut Session<'_>,
        known: &Known,
        wanted: &[(&Kept, Decision<'_>)],
        imported: &mut Imported,
    ) -> Result<(), ObjectError> {
        let asns: BTreeSet<i64> = wanted.iter().filter_map(|(one, _)| one.neighbor.asn).collect();
        let asns: Vec<i64> = asns.into_iter().collect();
        let rules = editor::rules(&context.config);
        let made = systems::create_missing(context.writing(rules), session, &asns).await?;
        imported.autonomous_systems = made.iter().filter_map(|system| system.integer("asn")).collect();
        let systems = autonomous_system::by_asns(session, &asns).await?;
        let (mut at_exchange, mut direct) = (Vec::new(), Vec::new());
        for (one, decision) in wanted {
            let (neighbor, Some(asn)) = (&one.neighbor, one.neighbor.asn) else { continue };
            let system = systems.iter().find(|system| system.asn == asn).map(|system| system.id);
            let status = self.status.as_deref().unwrap_or(STATUS);
            let description: String =
                neighbor.description.iter().flat_map(|text| text.chars()).take(DESCRIPTION).collect();
            let common = |draft: Draft| {
                let draft = draft.with("autonomous_system", system).with("status", status);
                draft.with("description", description.as_str())
            };
            let connection = match decision {
                Decision::AtExchange(place) => {
                    let draft = Draft::new(&internet_exchange_peering_session::MODEL)
                        .with("ixp_connection", place.connection)
                        .with("ip_address", neighbor.ip_address)
                        .with("is_route_server", known.is_route_server(asn));
                    at_exchange.push(common(draft));
                    Some(place.name.clone())
                }
                Decision::Direct(like) => {
                    let draft = Draft::new(&direct_peering_session::MODEL)
                        .with("router", one.router_id)
                        .with("relationship", like.relationship)
                        .with("local_autonomous_system", like.local_autonomous_system)
                        .with("bgp_group", like.bgp_group)
                        .with("ip_address", IpNet::from(neighbor.ip_address));
                    direct.push(common(draft));
                    None
                }
                Decision::No(_) => continue,
            };
            let (router, ip_address) = (one.router.clone(), neighbor.ip_address);
            imported.sessions.push(NewSession { router, asn, ip_address, connection });
        }
        let rules = Rules { checked: true, ..rules };
        for drafts in [at_exchange, direct] {
            write::create(session, context.writing(rules), &drafts).await?;
        }
        Ok(())
    }
}

/// The routers of the scope of which nothing is known because no poll has reached them.
async fn never_polled(
    session: &mut Session<'_>,
    scope: &Scope,
    known: &Known,
) -> Result<Vec<String>, TaskError> {
    if let Scope::Exchange(exchange) = scope {
        let name = exchange.text("name");
        if known.routers_at(exchange.id).is_empty() {
            return Err(TaskError::Failed(format!("no connection to {name} has a router")));
        }
        if !known.knows_lan(exchange.id) {
            return Err(TaskError::Failed(format!(
                "nobody knows which addresses are on the LAN of {name}: it is not linked with PeeringDB, and its connections \
                 have no addresses with a length"
            )));
        }
    }
    let routers = routers_named(session, None).await?;
    let is_meant = |router: &&ListedRouter| match scope {
        Scope::Router(wanted) => wanted.id == router.id,
        Scope::Exchange(exchange) => known.routers_at(exchange.id).contains(&router.id),
        Scope::Exchanges => known.has_connections(router.id),
    };
    let never = routers.iter().filter(is_meant).filter(|router| router.polled.is_none());
    Ok(never.map(|router| router.name.clone()).collect())
}

fn skip(context: &TaskContext, one: &Kept, reason: &Reason) {
    let level = if reason.is_fine { Level::Default } else { Level::Warning };
    let text = format!("{}: left out, {}", named(&one.router, &one.neighbor), reason.text);
    context.reporter.say(level, Some(one.router.clone()), &text);
}

fn skipped(one: &Kept, reason: Reason) -> Skipped {
    Skipped {
        router: one.router.clone(),
        vrf: one.neighbor.vrf.clone(),
        ip_address: one.neighbor.ip_address,
        asn: one.neighbor.asn,
        reason: reason.text,
        is_fine: reason.is_fine,
    }
}

fn finish(imported: &Imported) -> Result<Done, TaskError> {
    let open = imported.skipped.iter().filter(|one| !one.is_fine).count();
    let would = if imported.dry_run { " would be" } else { "" };
    let mut summary = format!(
        "{} sessions and {} autonomous systems{would} made",
        imported.sessions.len(),
        imported.autonomous_systems.len()
    );
    if !imported.skipped.is_empty() {
        summary = format!("{summary}; {} neighbours left out", imported.skipped.len());
    }
    summary.push('.');
    let outcome = match (open, imported.sessions.len()) {
        (0, 0) => Outcome::NothingToDo,
        (0, _) => Outcome::Ok,
        _ => Outcome::Partial,
    };
    let data = serde_json::to_value(imported).map_err(|error| TaskError::Broken(error.to_string()))?;
    Ok(Done { outcome, summary, data })
}
