//! The servers: which one is in use, what each said about itself, and which are left alone for a while.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

pub(crate) use super::options::Host;
use crate::{Failure, Features};

/// How much speaks against a host when a connection breaks. An answer to a query wipes it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// It had answered the greeting, and broke at once: the query may be the cause as well.
    Light,
    /// It could not be reached, did not answer the greeting, or fell silent: three times in a row make it bad.
    Heavy,
    /// It took the connection and never said a word: that costs too much time for a second attempt.
    Whole,
}

impl Blame {
    const fn weight(self) -> u32 {
        match self {
            Self::Light => 1,
            Self::Heavy => 4,
            Self::Whole => BAD,
        }
    }
}

/// The weight that makes a host bad.
const BAD: u32 = 12;

/// The servers, in the order in which they are tried.
#[derive(Debug)]
pub(crate) struct Hosts {
    states: Mutex<Vec<State>>,
    bad_pause: Duration,
    retry_pause: Duration,
}

#[derive(Debug)]
struct State {
    host: Host,
    /// What happened since the last answer, for each break that counts.
    reasons: Vec<String>,
    /// How much these weigh.
    weight: u32,
    /// Breaks that ever counted.
    breaks: u64,
    bad_until: Option<Instant>,
    features: Option<Arc<Features>>,
    /// Whether a connection is asking for the features.
    asking: bool,
}

impl State {
    fn acquit(&mut self) {
        self.reasons.clear();
        self.weight = 0;
        self.bad_until = None;
    }
}

/// A server to connect to.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub place: usize,
    pub host: Host,
    /// To wait for before.
    pub wait: Duration,
    /// Breaks that had counted by then: connections that break together are one break.
    breaks: u64,
}

impl Hosts {
    pub(super) fn new(hosts: Vec<Host>, bad_pause: Duration, retry_pause: Duration) -> Self {
        let state = |host| State {
            host,
            reasons: Vec::new(),
            weight: 0,
            breaks: 0,
            bad_until: None,
            features: None,
            asking: false,
        };
        Self { states: Mutex::new(hosts.into_iter().map(state).collect()), bad_pause, retry_pause }
    }

    /// The first host that is not bad, and not the one to be avoided if there is another; or, when all are bad, what
    /// became of each.
    pub(super) fn choose(&self, avoided: Option<usize>) -> Result<Choice, Failure> {
        let now = Instant::now();
        let mut states = self.lock();
        for state in states.iter_mut().filter(|state| state.bad_until.is_some_and(|until| until <= now)) {
            state.acquit();
        }
        let good = |place: &usize| states[*place].bad_until.is_none();
        let place = (0..states.len()).filter(good).min_by_key(|place| Some(*place) == avoided);
        if let Some(place) = place {
            let state = &states[place];
            let wait = if state.weight >= BAD / 2 { self.retry_pause } else { Duration::ZERO };
            return Ok(Choice { place, host: state.host.clone(), wait, breaks: state.breaks });
        }
        let reasons: Vec<String> =
            states.iter().map(|state| format!("{} {}", state.host, counted(&state.reasons))).collect();
        Err(Failure(format!("no IRR server answers: {}", reasons.join("; "))))
    }

    /// A host gave an answer: all is well again.
    pub(crate) fn answered(&self, place: usize) {
        if let Some(state) = self.lock().get_mut(place) {
            state.acquit();
        }
    }

    /// A connection broke.
    pub(super) fn broke(&self, choice: &Choice, reason: &str, blame: Blame) {
        let mut states = self.lock();
        let Some(state) = states.get_mut(choice.place).filter(|state| state.breaks == choice.breaks) else {
            return;
        };
        state.breaks += 1;
        state.reasons.push(reason.to_owned());
        state.weight += blame.weight();
        if state.weight >= BAD {
            state.bad_until = Some(Instant::now() + self.bad_pause);
            tracing::warn!(host = %state.host, reason, pause = ?self.bad_pause, "leaving an IRR server alone");
        }
    }

    /// What a host said about itself, if it did already.
    pub(crate) fn features(&self, place: usize) -> Option<Arc<Features>> {
        self.lock().get(place).and_then(|state| state.features.clone())
    }

    /// Whether a new connection should ask for the features: nobody has, and nobody does.
    pub(super) fn begin_asking(self: &Arc<Self>, place: usize) -> Option<Asking> {
        let mut states = self.lock();
        let state = states.get_mut(place).filter(|state| state.features.is_none() && !state.asking)?;
        state.asking = true;
        Some(Asking { hosts: self.clone(), place })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The duty to ask a host for its features; with the connection that has it, the duty goes.
#[derive(Debug)]
pub(crate) struct Asking {
    hosts: Arc<Hosts>,
    place: usize,
}

impl Asking {
    /// The host said it all.
    pub(crate) fn learned(self, features: Features) {
        if let Some(state) = self.hosts.lock().get_mut(self.place) {
            state.features = Some(Arc::new(features));
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(state) = self.hosts.lock().get_mut(self.place) {
            state.asking = false;
        }
    }
}

/// Reasons one after another; those that came several times in a row once, with their number.
pub(super) fn counted(reasons: &[String]) -> String {
    let runs: Vec<String> = reasons
        .chunk_by(|one, next| one == next)
        .map(|run| match run {
            [one] => one.clone(),
            [one, ..] => format!("{one} ({} times)", run.len()),
            [] => String::new(),
        })
        .collect();
    runs.join(", then ")
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn two() -> Arc<Hosts> {
        let host = |name: &str| Host { name: name.to_owned(), port: 43 };
        let (bad, retry) = (Duration::from_mins(1), Duration::from_secs(1));
        Arc::new(Hosts::new(vec![host("a"), host("b")], bad, retry))
    }

    #[tokio::test(start_paused = true)]
    async fn three_breaks_in_a_row_make_a_host_bad_for_a_while() {
        let hosts = two();
        let place = || hosts.choose(None).map(|choice| choice.place);
        for wait in [0, 0, 1] {
            let choice = hosts.choose(None).unwrap();
            assert_eq!((choice.place, choice.wait.as_secs()), (0, wait));
            hosts.broke(&choice, "hung up", Blame::Heavy);
        }
        assert_eq!(place(), Ok(1));
        hosts.broke(&hosts.choose(None).unwrap(), "said nothing", Blame::Whole);
        let text = "no IRR server answers: a:43 hung up (3 times); b:43 said nothing";
        assert_eq!(place(), Err(Failure(text.to_owned())));
        advance(Duration::from_secs(59)).await;
        assert!(place().is_err());
        advance(Duration::from_secs(1)).await;
        assert_eq!(place(), Ok(0));
    }

    #[test]
    fn an_answer_between_makes_it_well() {
        let hosts = two();
        for _ in 0..10 {
            hosts.broke(&hosts.choose(None).unwrap(), "hung up", Blame::Heavy);
            hosts.broke(&hosts.choose(None).unwrap(), "hung up", Blame::Heavy);
            hosts.answered(0);
        }
        assert_eq!(hosts.choose(None).map(|choice| choice.place), Ok(0));
    }

    #[test]
    fn what_may_be_the_fault_of_a_query_weighs_less() {
        let hosts = two();
        for _ in 0..11 {
            hosts.broke(&hosts.choose(None).unwrap(), "hung up", Blame::Light);
        }
        assert_eq!(hosts.choose(None).map(|choice| choice.place), Ok(0));
        hosts.broke(&hosts.choose(None).unwrap(), "hung up", Blame::Light);
        assert_eq!(hosts.choose(None).map(|choice| choice.place), Ok(1));
    }

    #[test]
    fn another_host_is_chosen_if_there_is_one() {
        let hosts = two();
        let place = |avoided| hosts.choose(Some(avoided)).map(|choice| choice.place);
        assert_eq!((place(0), place(1)), (Ok(1), Ok(0)));
        hosts.broke(&hosts.choose(Some(0)).unwrap(), "hung up", Blame::Whole);
        assert_eq!((place(0), place(1)), (Ok(0), Ok(0)));
    }

    #[test]
    fn connections_that_break_together_are_one_break() {
        let hosts = two();
        let together: Vec<Choice> = (0..4).map(|_| hosts.choose(None).unwrap()).collect();
        for choice in &together {
            hosts.broke(choice, "reset", Blame::Heavy);
        }
        assert_eq!(hosts.choose(None).map(|choice| choice.place), Ok(0));
    }

    #[test]
    fn one_connection_at_a_time_asks_for_the_features() {
        let hosts = two();
        let asking = hosts.begin_asking(0);
        assert!(asking.is_some() && hosts.begin_asking(0).is_none() && hosts.begin_asking(1).is_some());
        drop(asking);
        hosts.begin_asking(0).unwrap().learned(Features::default());
        assert!(hosts.begin_asking(0).is_none() && hosts.features(0).is_some());
    }

    #[test]
    fn reasons_are_counted() {
        let reasons = ["a", "a", "b", "a"].map(str::to_owned);
        assert_eq!(counted(&reasons), "a (2 times), then b, then a");
    }
}
