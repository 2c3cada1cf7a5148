//! The time, as a parameter.

use chrono::{DateTime, SubsecRound, Utc};

/// Tells the time. Tests bring one that stands still.
pub trait Clock: Send + Sync {
    /// Now, with microseconds: the precision that both engines keep.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}
