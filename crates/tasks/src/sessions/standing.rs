//! What the last polls said, with its age. As many statements for many sessions as for few.

use std::net::IpAddr;

use pm_store::Store;
use pm_store::objects::problems::ObjectError;
use pm_store::polls::{self, Sample, SessionKind};
use pm_store::routers::Listed as ListedRouter;
use pm_store::sessions::{self, Listed, Which};
use serde::Serialize;

use super::{Freshness, named};
use crate::exchanges::exchange_named;

/// Which sessions somebody asks for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// On these routers, by name or hostname, separated by commas.
    pub router: Option<String>,
    /// At this exchange: slug, name or number.
    pub exchange: Option<String>,
    /// With this AS.
    pub asn: Option<i64>,
    /// Of this kind.
    pub kind: Option<SessionKind>,
    /// In this state: one of a session's, or `unknown`.
    pub state: Option<String>,
    /// Only those that should be up and are not, or not for certain.
    pub down: bool,
}

/// A session with the age of what is known of it.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// The session.
    #[serde(flatten)]
    pub session: Listed,
    /// The state, or `unknown`; `None` if nobody ever asked.
    pub state: Option<String>,
    /// Seconds since the router was asked; `None` if it never was.
    pub age: Option<i64>,
    /// Whether that is longer ago than it should be, or not known.
    pub stale: bool,
}

impl Seen {
    fn of(session: Listed, freshness: Freshness) -> Self {
        let polled = session.poll.as_ref().map(|poll| poll.polled);
        let state = session.state().map(str::to_owned);
        Self {
            age: polled.map(|time| freshness.age(time)),
            stale: polled.map_or(state.is_some(), |time| freshness.is_stale(time)),
            state,
            session,
        }
    }

    /// What names it among all sessions, such as `ixp:7`.
    pub fn id(&self) -> String {
        format!("{}:{}", self.session.kind.as_str(), self.session.id)
    }
}

/// A session and its history.
#[derive(Clone, Debug, Serialize)]
pub struct Details {
    /// The session.
    #[serde(flatten)]
    pub seen: Seen,
    /// What it was at which time, the newest first.
    pub history: Vec<Sample>,
}

/// The sessions that are asked for, by AS and address.
///
/// # Errors
/// [`ObjectError::Question`] for a router or an exchange that is not there, or a state that no session can have.
pub async fn list(store: &Store, freshness: Freshness, asked: &Asked) -> Result<Vec<Seen>, ObjectError> {
    let state = asked.state.as_deref().map(state).transpose()?;
    let mut transaction = store.begin_reading().await?;
    let mut session = transaction.session();
    let routers = match &asked.router {
        Some(names) => Some(named(&mut session, Some(names)).await?.iter().map(|one| one.id).collect()),
        None => None,
    };
    let exchange = match &asked.exchange {
        Some(name) => Some(exchange_named(&mut session, name).await?.id),
        None => None,
    };
    let which = Which { kind: asked.kind, routers, exchange, asn: asked.asn, ..Which::default() };
    let mut found = sessions::list(&mut session, &which).await?;
    found.retain(|one| {
        (!asked.down || one.is_down()) && state.as_deref().is_none_or(|wanted| one.state() == Some(wanted))
    });
    Ok(found.into_iter().map(|one| Seen::of(one, freshness)).collect())
}

/// The word for a state, whatever its case.
fn state(word: &str) -> Result<String, ObjectError> {
    let known = pm_store::objects::choices::BGP_STATE.iter().map(|(value, _)| *value).chain([polls::UNKNOWN]);
    let known: Vec<&str> = known.collect();
    let word = word.to_lowercase();
    if known.contains(&word.as_str()) {
        return Ok(word);
    }
    Err(ObjectError::Question(format!("no session can be {word}; the states are {}", known.join(", "))))
}

/// The one session that `which` means, with so many samples of its history: `ixp:7`, `direct:7`, a number that only one
/// session has, or an address that only one has.
///
/// # Errors
/// [`ObjectError::Question`] when it is not exactly one.
pub async fn show(
    store: &Store,
    freshness: Freshness,
    which: &str,
    samples: u32,
) -> Result<Details, ObjectError> {
    let mut transaction = store.begin_reading().await?;
    let mut session = transaction.session();
    let question = |text: String| Err(ObjectError::Question(text));
    let Some(meant) = meant(which) else {
        return question(format!(
            "{which} is no session: name one as `sessions list` does, such as ixp:7, or by the neighbour's address"
        ));
    };
    let mut found = sessions::list(&mut session, &meant).await?;
    if found.len() > 1 {
        let each = found.iter().map(|one| {
            let place = one.router.as_ref().or(one.internet_exchange.as_ref());
            let place = place.map(|place| format!(" on {place}")).unwrap_or_default();
            format!("{}:{} (AS{} {}{place})", one.kind.as_str(), one.id, one.asn, one.ip_address)
        });
        let each: Vec<String> = each.take(10).collect();
        return question(format!("{} sessions are {which}: name one of {}", found.len(), each.join(", ")));
    }
    let Some(one) = found.pop() else { return question(format!("there is no session {which}")) };
    let history = polls::history(&mut session, one.kind, one.id, samples.into()).await?;
    Ok(Details { seen: Seen::of(one, freshness), history })
}

fn meant(which: &str) -> Option<Which> {
    let which = which.trim();
    if let Ok(address) = which.parse::<IpAddr>() {
        return Some(Which { address: Some(address), ..Which::default() });
    }
    let (kind, number) = match which.split_once(':') {
        Some((kind, number)) => {
            let known = SessionKind::ALL.into_iter().find(|known| known.as_str() == kind.to_lowercase());
            (Some(known?), number)
        }
        None => (None, which),
    };
    Some(Which { kind, ids: Some(vec![number.parse().ok()?]), ..Which::default() })
}

/// A router with the age of what is known of its sessions.
#[derive(Clone, Debug, Serialize)]
pub struct SeenRouter {
    /// The router.
    #[serde(flatten)]
    pub router: ListedRouter,
    /// Seconds since it was polled with success; `None` if it never was.
    pub age: Option<i64>,
    /// Whether it is polled and that is longer ago than it should be.
    pub stale: bool,
}

impl SeenRouter {
    fn of(router: ListedRouter, freshness: Freshness) -> Self {
        let stale = router.polled.map_or(router.is_polled, |time| freshness.is_stale(time));
        Self { age: router.polled.map(|time| freshness.age(time)), stale, router }
    }
}

/// A router and what should be looked at there.
#[derive(Clone, Debug, Serialize)]
pub struct RouterDetails {
    /// The router.
    #[serde(flatten)]
    pub seen: SeenRouter,
    /// Its sessions that should be up and are not, or not for certain.
    pub down: Vec<Seen>,
    /// Its sessions near their limit of prefixes, or past it.
    pub near_limit: Vec<Seen>,
}

/// All routers, by name.
///
/// # Errors
/// Those of the database.
pub async fn routers(store: &Store, freshness: Freshness) -> Result<Vec<SeenRouter>, ObjectError> {
    let mut transaction = store.begin_reading().await?;
    let all = pm_store::routers::list(&mut transaction.session()).await?;
    Ok(all.into_iter().map(|one| SeenRouter::of(one, freshness)).collect())
}

/// The router of this name or hostname.
///
/// # Errors
/// [`ObjectError::Question`] when there is not exactly one.
pub async fn router(store: &Store, freshness: Freshness, name: &str) -> Result<RouterDetails, ObjectError> {
    let mut transaction = store.begin_reading().await?;
    let mut session = transaction.session();
    let mut found = named(&mut session, Some(name)).await?;
    let names: Vec<String> = found.iter().map(|one| one.name.clone()).collect();
    let (Some(one), true) = (found.pop(), found.is_empty()) else {
        let text = format!("{} routers are called {name}: {}", names.len(), names.join(", "));
        return Err(ObjectError::Question(text));
    };
    let which = Which { routers: Some(vec![one.id]), ..Which::default() };
    let sessions = sessions::list(&mut session, &which).await?;
    let those = |is: &dyn Fn(&Listed) -> bool| {
        sessions.iter().filter(|one| is(one)).cloned().map(|one| Seen::of(one, freshness)).collect()
    };
    Ok(RouterDetails {
        down: those(&Listed::is_down),
        near_limit: those(&|one| one.poll.as_ref().is_some_and(|poll| poll.near_limit)),
        seen: SeenRouter::of(one, freshness),
    })
}
