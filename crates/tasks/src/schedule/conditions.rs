//! What must be true when a slot comes, or it is skipped.

use chrono::{DateTime, TimeDelta, Utc};
use pm_store::jobs::{Outcome, Status};
use pm_store::schedules::facts::{self, Run};
use pm_store::{Session, StoreError};

/// What a slot depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The PeeringDB cache was synchronised no longer ago than this.
    PeeringdbFresh(Age),
    /// The prefix lists were looked for no longer ago than this.
    IrrFresh(Age),
    /// The last run of this task, or for the schedule of this name, is over and went well.
    After(String),
}

/// An age, as it was written and as it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Age {
    text: String,
    age: TimeDelta,
}

impl Condition {
    /// Reads `peeringdb fresh 26h`, `irr fresh 26h` or `after NAME ok`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["peeringdb", "fresh", age] => Ok(Self::PeeringdbFresh(Age::parse(age)?)),
            ["irr", "fresh", age] => Ok(Self::IrrFresh(Age::parse(age)?)),
            ["after", name, "ok"] => Ok(Self::After((*name).to_owned())),
            _ => Err(format!(
                "{text:?} is no condition; these are: `peeringdb fresh 26h`, `irr fresh 26h`, `after NAME ok` with the name \
                 of a task or of a schedule"
            )),
        }
    }

    /// Why it is not met; `None` if it is.
    pub(crate) async fn why_not(
        &self,
        session: &mut Session<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, StoreError> {
        Ok(match self {
            Self::PeeringdbFresh(age) => {
                let time = facts::peeringdb_synchronised(session).await?;
                age.why_stale("the PeeringDB cache was", "synchronised", time, now)
            }
            Self::IrrFresh(age) => {
                let time = facts::irr_answered(session).await?;
                age.why_stale("the prefix lists were", "fetched", time, now)
            }
            Self::After(name) => why_not_well(name, facts::last_run(session, name).await?.as_ref()),
        })
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PeeringdbFresh(age) => write!(f, "peeringdb fresh {}", age.text),
            Self::IrrFresh(age) => write!(f, "irr fresh {}", age.text),
            Self::After(name) => write!(f, "after {name} ok"),
        }
    }
}

impl Age {
    /// A number and one of `s`, `m`, `h`, `d` and `w`.
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no age such as 90m, 26h or 2d");
        let age = pm_render::age(text).ok_or_else(wrong)?;
        Ok(Self { text: text.to_owned(), age })
    }

    fn why_stale(
        &self,
        what: &str,
        done: &str,
        time: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Option<String> {
        match time {
            None => Some(format!("{what} never {done}")),
            Some(time) if now - time > self.age => {
                let time = time.format("%Y-%m-%d %H:%M UTC");
                Some(format!("{what} last {done} at {time}, longer ago than {}", self.text))
            }
            Some(_) => None,
        }
    }
}

fn why_not_well(name: &str, run: Option<&Run>) -> Option<String> {
    let Some(run) = run else { return Some(format!("{name} has never run")) };
    let how = match (run.status, run.outcome) {
        (Status::Completed, Some(Outcome::Ok | Outcome::NothingToDo)) => return None,
        (Status::Pending, _) => "still waits".to_owned(),
        (Status::Running, _) => "still runs".to_owned(),
        (Status::Completed, Some(outcome)) => format!("ended with the outcome {outcome}"),
        (status, _) => format!("is {status}"),
    };
    Some(format!("the last run of {name}, job {}, {how}", run.job))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_and_written() {
        for text in ["peeringdb fresh 26h", "irr fresh 90m", "after housekeeping ok"] {
            assert_eq!(Condition::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Condition::parse(" irr   fresh 2d ").unwrap().to_string(), "irr fresh 2d");
        for (text, why) in [
            ("peeringdb fresh", "no condition"),
            ("peeringdb fresh soon", "\"soon\" is no age"),
            ("irr fresh 26", "no age"),
            ("irr fresh ö", "no age"),
            ("after housekeeping", "no condition"),
            ("", "no condition"),
        ] {
            let error = Condition::parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn only_a_run_that_went_well_counts() {
        let run = |status, outcome| Run {
            job: 7,
            arguments: serde_json::Value::Null,
            status,
            outcome,
            owner: None,
            heartbeat: None,
        };
        assert_eq!(why_not_well("x", Some(&run(Status::Completed, Some(Outcome::Ok)))), None);
        assert_eq!(why_not_well("x", Some(&run(Status::Completed, Some(Outcome::NothingToDo)))), None);
        for (status, outcome, why) in [
            (
                Status::Completed,
                Some(Outcome::Partial),
                "the last run of x, job 7, ended with the outcome partial",
            ),
            (Status::Errored, Some(Outcome::Lost), "the last run of x, job 7, is errored"),
            (Status::Running, None, "the last run of x, job 7, still runs"),
            (Status::Pending, None, "the last run of x, job 7, still waits"),
        ] {
            assert_eq!(why_not_well("x", Some(&run(status, outcome))).as_deref(), Some(why));
        }
        assert_eq!(why_not_well("x", None).as_deref(), Some("x has never run"));
    }
}
