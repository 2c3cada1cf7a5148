//! Neighbours that routers have and for which there is no session.

use pm_store::Store;
use pm_store::objects::problems::ObjectError;
use pm_store::strangers::{self, Kept};
use serde::Serialize;

use super::decide::{Decision, Known};
use super::{Freshness, named};
use crate::exchanges::exchange_named;

/// A neighbour without a session.
#[derive(Clone, Debug, Serialize)]
pub struct Stranger {
    /// The neighbour, as the last poll of its router saw it.
    #[serde(flatten)]
    pub kept: Kept,
    /// The name of its AS, if that is kept here or in the PeeringDB cache.
    pub name: Option<String>,
    /// The connection to an exchange that it would be a session of.
    pub connection: Option<String>,
    /// Why `sessions import` would make no session of it.
    pub skipped: Option<String>,
    /// Seconds since a poll saw it.
    pub age: i64,
    /// Whether that is longer ago than it should be.
    pub stale: bool,
}

/// Those on these routers (names or hostnames, separated by commas) and on the LAN of this exchange (slug, name or number),
/// by router, VRF and address. As many statements for many as for few.
///
/// # Errors
/// [`ObjectError::Question`] for a router or an exchange that is not there.
pub async fn unknown(
    store: &Store,
    freshness: Freshness,
    router: Option<&str>,
    exchange: Option<&str>,
) -> Result<Vec<Stranger>, ObjectError> {
    let mut transaction = store.begin_reading().await?;
    let mut session = transaction.session();
    let routers: Option<Vec<i64>> = match router {
        Some(names) => Some(named(&mut session, Some(names)).await?.iter().map(|one| one.id).collect()),
        None => None,
    };
    let exchange = match exchange {
        Some(name) => Some(exchange_named(&mut session, name).await?.id),
        None => None,
    };
    let mut found = strangers::list(&mut session, routers.as_deref()).await?;
    let known = Known::read(&mut session, &found, freshness).await?;
    found.retain(|one| !known.has_session(one) && exchange.is_none_or(|exchange| known.is_at(one, exchange)));
    let told = found.into_iter().map(|one| {
        let decision = known.decide(&one);
        Stranger {
            name: known.name(one.neighbor.asn).map(str::to_owned),
            connection: match &decision {
                Decision::AtExchange(place) => Some(place.name.clone()),
                _ => None,
            },
            skipped: match decision {
                Decision::No(reason) => Some(reason.text),
                _ => None,
            },
            age: freshness.age(one.last_seen),
            stale: freshness.is_stale(one.last_seen),
            kept: one,
        }
    });
    Ok(told.collect())
}
