//! Sessions and routers as the last polls saw them, with the age of what is shown (`standing.rs`); the neighbours for which
//! there is no session (`unknown.rs`), and sessions made of them (`import.rs`).

mod decide;
mod import;
mod standing;
mod unknown;

use chrono::{DateTime, TimeDelta, Utc};
use pm_config::Config;
use pm_store::Session;
use pm_store::objects::problems::ObjectError;

use crate::Clock;
use crate::routers::{Host, limited};

pub use import::{ImportSessions, Imported, NewSession, Skipped};
pub use standing::{Asked, Details, RouterDetails, Seen, SeenRouter, list, router, routers, show};
pub use unknown::{Stranger, unknown};

/// How old a value may be.
#[derive(Clone, Copy, Debug)]
pub struct Freshness {
    /// The time.
    pub now: DateTime<Utc>,
    /// From this age on a value is stale.
    pub limit: TimeDelta,
}

impl Freshness {
    /// That of the setting `poll_stale_after`, now.
    pub fn new(config: &Config, clock: &dyn Clock) -> Self {
        Self { now: clock.now(), limit: TimeDelta::seconds(config.poll_stale_after.into()) }
    }

    /// Seconds since then; 0 for a time to come.
    pub fn age(&self, time: DateTime<Utc>) -> i64 {
        (self.now - time).num_seconds().max(0)
    }

    /// Whether what was seen then is older than it should be.
    pub fn is_stale(&self, time: DateTime<Utc>) -> bool {
        self.now - time > self.limit
    }
}

impl Host for pm_store::routers::Listed {
    fn number(&self) -> i64 {
        self.id
    }
    fn name(&self) -> &str {
        &self.name
    }
    fn hostname(&self) -> &str {
        &self.hostname
    }
}

/// The routers that somebody names, by name or hostname and separated by commas; all of them without names.
async fn named(
    session: &mut Session<'_>,
    names: Option<&str>,
) -> Result<Vec<pm_store::routers::Listed>, ObjectError> {
    let all = pm_store::routers::list(session).await?;
    limited(all, names).map_err(|why| ObjectError::Question(why.replace("--limit", "--router")))
}
