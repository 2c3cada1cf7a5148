//! Schedules: what is run by itself, and when.
//!
//! A schedule is a row that names its next slot ([`pm_store::schedules`]). [`timing`] says which slots there are, [`cron`] what
//! summer time makes of them, [`slot`] what becomes of one: claimed, recorded and queued in one transaction. [`Scheduler`]
//! does that for whatever is due; any number of them may be at work. It runs no task itself: that is for workers.
//! [`change`] is how people change schedules, [`check`] what they may ask for.

mod change;
mod check;
mod conditions;
mod cron;
mod going_on;
mod lapse;
mod look;
mod scheduler;
mod slot;
mod timing;

pub use change::{Patch, ScheduleError, When, delete, run_now, set};
pub use conditions::Condition;
pub use cron::Expression;
pub use lapse::ScheduleTime;
pub use look::{Coming, Health, Late, coming, health};
pub use pm_render::age;
pub(crate) use scheduler::is_at_work;
pub use scheduler::{Memory, Scheduler};
pub use slot::GRACE;
pub use timing::Timing;
