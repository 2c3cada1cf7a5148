//! The rounds: lists say what they lack, questions go out, lists are given out.

use std::collections::{HashMap, HashSet};

use tokio::sync::mpsc;

use super::answers::{Answers, Stop, View};
use super::lists::list;
use super::request::{Limits, Request, Resolved, What};
use crate::{Ask, Failure, Outcome, Query};

/// Looks up all lists of all requests, and gives each one out when it is ready, in any order. What several have in
/// common is asked once. Whoever drops the receiver ends the run.
///
/// Nobody waits to hear what the server is able to do: a server is taken for one that expands sets (`!a`) until it says
/// otherwise, or refuses. A list that was refused is expanded here.
pub async fn resolve(
    ask: &dyn Ask,
    requests: Vec<Request>,
    limits: &Limits,
    results: mpsc::Sender<Resolved>,
) {
    let mut run = Run::new(&requests, limits);
    let mut ready: Vec<usize> = (0..run.lists.len()).collect();
    loop {
        run.set_routes = ask.known().is_none_or(|features| features.set_routes);
        for place in ready.drain(..) {
            if let Some(resolved) = run.advance(place)
                && results.send(resolved).await.is_err()
            {
                return;
            }
        }
        let batch = run.next_round();
        if batch.is_empty() {
            return;
        }
        let mut answers = ask.ask(batch.clone());
        while let Some((place, outcome)) = answers.recv().await {
            let Some(query) = batch.get(place) else { continue };
            for place in run.answered(query, outcome) {
                if let Some(resolved) = run.advance(place)
                    && results.send(resolved).await.is_err()
                {
                    return;
                }
            }
        }
        for query in &batch {
            ready.extend(run.answered(query, Err(no_answer())));
        }
    }
}

/// Makes one thing of answers, asking for what it lacks until it lacks nothing.
pub(crate) async fn settle<T>(
    ask: &dyn Ask,
    limits: &Limits,
    set_routes: bool,
    list: impl Fn(&View<'_>) -> Result<T, Stop>,
) -> Result<T, Stop> {
    let mut answers = Answers::default();
    loop {
        let mut batch = {
            let view = View::new(&answers, limits, set_routes);
            match list(&view) {
                Err(Stop::Waiting) => view.lacking.into_inner(),
                made => return made,
            }
        };
        batch.sort_unstable();
        batch.retain(|query| answers.begin(query));
        if batch.is_empty() {
            return Err(Stop::Failed(no_answer().0));
        }
        let mut outcomes = ask.ask(batch.clone());
        while let Some((place, outcome)) = outcomes.recv().await {
            if let Some(query) = batch.get(place) {
                answers.put(query, outcome, limits);
            }
        }
        for query in &batch {
            answers.put(query, Err(no_answer()), limits);
        }
    }
}

fn no_answer() -> Failure {
    Failure("no answer came".to_owned())
}

/// One list on its way.
struct Pending {
    request: usize,
    what: What,
    /// Whether the server may be asked to expand sets for it.
    set_routes: bool,
    /// How many answers it waits for.
    lacking: usize,
    /// Big answers that it uses.
    used: HashSet<Query>,
}

struct Run<'a> {
    requests: &'a [Request],
    limits: &'a Limits,
    /// Whether the server expands sets, as far as is known.
    set_routes: bool,
    answers: Answers,
    lists: Vec<Pending>,
    /// Which lists wait for an answer.
    waiting: HashMap<Query, Vec<usize>>,
    /// How many lists use a big answer.
    users: HashMap<Query, usize>,
    /// Questions of the next round.
    next: Vec<Query>,
    rounds: usize,
    /// Whether some set is read in a source of its own.
    has_sources: bool,
}

impl<'a> Run<'a> {
    fn new(requests: &'a [Request], limits: &'a Limits) -> Self {
        let lists = requests.iter().enumerate().flat_map(|(request, asked)| {
            let pending =
                move |what| Pending { request, what, set_routes: true, lacking: 0, used: HashSet::new() };
            asked.wanted().map(pending)
        });
        Self {
            requests,
            limits,
            set_routes: true,
            answers: Answers::default(),
            lists: lists.collect(),
            waiting: HashMap::new(),
            users: HashMap::new(),
            next: Vec::new(),
            rounds: 0,
            has_sources: requests.iter().any(Request::is_expanded_by_client),
        }
    }

    /// Makes a list, or finds out what it lacks.
    fn advance(&mut self, place: usize) -> Option<Resolved> {
        let Pending { request, what, set_routes, .. } = self.lists[place];
        let mut view = View::new(&self.answers, self.limits, self.set_routes && set_routes);
        let mut made = list(&view, &self.requests[request], what);
        if view.refused.get() {
            self.lists[place].set_routes = false;
            view = View::new(&self.answers, self.limits, false);
            made = list(&view, &self.requests[request], what);
        }
        let Some((lookup, notes)) = made.map_or_else(|stop| Some((stop.lookup()?, Vec::new())), Some) else {
            let (lacking, used) = (view.lacking.into_inner(), view.used.into_inner());
            self.wait(place, lacking, used);
            return None;
        };
        self.release(place);
        Some(Resolved { request, what, lookup, notes })
    }

    fn wait(&mut self, place: usize, mut lacking: Vec<Query>, used: Vec<Query>) {
        lacking.sort_unstable();
        lacking.dedup();
        self.lists[place].lacking = lacking.len();
        for query in lacking {
            if self.answers.begin(&query) {
                self.next.push(query.clone());
            }
            self.waiting.entry(query).or_default().push(place);
        }
        for query in used {
            if self.lists[place].used.insert(query.clone()) {
                *self.users.entry(query).or_default() += 1;
            }
        }
    }

    /// Keeps an answer; says which lists lack nothing now.
    fn answered(&mut self, query: &Query, outcome: Outcome) -> Vec<usize> {
        if !self.answers.is_due(query) {
            return Vec::new();
        }
        self.answers.put(query, outcome, self.limits);
        let mut ready = self.waiting.remove(query).unwrap_or_default();
        ready.retain(|place| {
            let list = &mut self.lists[*place];
            list.lacking = list.lacking.saturating_sub(1);
            list.lacking == 0
        });
        ready
    }

    /// The questions of the next round, those of one selection of sources in a row.
    fn next_round(&mut self) -> Vec<Query> {
        self.rounds += 1;
        if self.rounds == 2 {
            let unused = self.users.iter().filter(|(_, users)| **users == 0);
            unused.for_each(|(query, _)| self.answers.forget(query));
        }
        let mut batch = std::mem::take(&mut self.next);
        batch.sort_by(|one, other| one.sources.cmp(&other.sources));
        batch
    }

    /// Lets answers go that no other list uses. In the first round nothing: the members of a set with a source of its
    /// own, known after that round, may need them.
    fn release(&mut self, place: usize) {
        let may_be_needed = self.rounds < 2 && self.has_sources;
        for query in std::mem::take(&mut self.lists[place].used) {
            if let Some(users) = self.users.get_mut(&query) {
                *users -= 1;
                if *users == 0 && !may_be_needed {
                    self.answers.forget(&query);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, Kind, Want};

    /// Answers all questions of a round; says how many lists are ready.
    fn round(run: &mut Run<'_>) -> usize {
        let mut ready = 0;
        for query in run.next_round() {
            let text = if query.kind == Kind::Members { "AS1 AS-BAR" } else { "192.0.2.0/24" };
            let text = if query.kind == Kind::AllMembers { "AS1" } else { text };
            for place in run.answered(&query, Ok(Answer::Data(text.to_owned()))) {
                ready += usize::from(run.advance(place).is_some());
            }
        }
        ready
    }

    fn requests(arguments: &[&str]) -> Vec<Request> {
        let want = Want { ipv4: true, ..Want::default() };
        let request = |words: &&str| {
            let objects = words.split(' ').filter_map(|word| word.parse().ok()).collect();
            Request { objects, want, ..Request::default() }
        };
        arguments.iter().map(request).collect()
    }

    #[test]
    fn big_answers_are_let_go_with_the_last_list_that_uses_them() {
        let (limits, requests) = (Limits::default(), requests(&["AS-FOO", "AS-FOO AS-BAR"]));
        let mut run = Run::new(&requests, &limits);
        assert!(run.advance(0).is_none() && run.advance(1).is_none());
        assert_eq!(round(&mut run), 2);
        assert!(!run.answers.holds_prefixes());
    }

    #[test]
    fn big_answers_are_kept_while_members_may_need_them() {
        let (limits, requests) = (Limits::default(), requests(&["AS-BAR", "AS-BAZ", "RIPE::AS-FOO"]));
        let mut run = Run::new(&requests, &limits);
        assert!((0..3).all(|place| run.advance(place).is_none()));
        assert_eq!(round(&mut run), 2);
        assert!(run.answers.holds_prefixes());
        assert_eq!(run.next.iter().filter(|query| query.to_string() == "!a4AS-BAR").count(), 0);
        assert_eq!(round(&mut run), 1);
        assert_eq!(run.users.values().sum::<usize>(), 0);
    }
}
