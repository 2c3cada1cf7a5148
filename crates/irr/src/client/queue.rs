//! What is still to be asked, and which connection asks what.

use std::collections::{HashMap, VecDeque};

use crate::{Query, Sources};

/// A query on its way to an answer.
#[derive(Debug)]
pub(crate) struct Job {
    /// Place in the list of queries.
    pub index: usize,
    pub query: Query,
    /// What happened to the connections that broke when this answer was due.
    pub charges: Vec<String>,
}

/// Queries that are not yet sent, by selection of sources: a connection stays with one selection as long as it can.
#[derive(Debug)]
pub(crate) struct Queue {
    groups: Vec<Group>,
    places: HashMap<Sources, usize>,
    queued: usize,
    /// Sent and unanswered.
    in_flight: usize,
    /// Connections that share the work, those that are being opened included.
    pub connections: usize,
}

#[derive(Debug)]
struct Group {
    sources: Sources,
    jobs: VecDeque<Job>,
    /// Connections that took their last query from here.
    seats: usize,
    /// Why the server does not select these sources.
    refused: Option<String>,
}

/// A connection's place at the queue.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    /// Queries that it took and that are unanswered.
    pub in_flight: usize,
    group: Option<usize>,
}

/// What a connection is able to select next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection<'a> {
    /// What is selected when all is sent that is to be sent.
    pub current: &'a Sources,
    /// Whether the server's own selection can be made again once it is given up.
    pub can_return: bool,
}

impl Queue {
    pub(super) fn new(jobs: impl Iterator<Item = Job>) -> Self {
        let mut queue =
            Self { groups: Vec::new(), places: HashMap::new(), queued: 0, in_flight: 0, connections: 0 };
        for job in jobs {
            queue.group(&job.query.sources).jobs.push_back(job);
            queue.queued += 1;
        }
        queue
    }

    /// Queries that nobody has taken.
    pub(super) const fn queued(&self) -> usize {
        self.queued
    }

    /// The next query for a connection. None is left, or as many of its queries are unanswered as `window`, or as its
    /// fair share: a connection that came first must leave something to those that are being opened.
    pub(crate) fn take(&mut self, seat: &mut Seat, window: usize, selection: Selection<'_>) -> Option<Job> {
        let share = (self.queued + self.in_flight).div_ceil(self.connections.max(1));
        if seat.in_flight >= window.min(share) {
            return None;
        }
        let place = self.choose(selection)?;
        if seat.group != Some(place) {
            self.leave_group(seat);
            self.groups[place].seats += 1;
            seat.group = Some(place);
        }
        let job = self.groups[place].jobs.pop_front()?;
        self.queued -= 1;
        self.in_flight += 1;
        seat.in_flight += 1;
        Some(job)
    }

    /// A query of the connection has its answer.
    pub(crate) const fn answered(&mut self, seat: &mut Seat) {
        self.in_flight -= 1;
        seat.in_flight -= 1;
    }

    /// The connection takes no further query, and of those that it took the rest is not in flight any longer.
    pub(crate) fn leave(&mut self, seat: &mut Seat) {
        self.in_flight -= seat.in_flight;
        seat.in_flight = 0;
        self.leave_group(seat);
    }

    /// These are to be asked next, in their order.
    pub(super) fn put_first(&mut self, jobs: impl DoubleEndedIterator<Item = Job>) {
        for job in jobs.rev() {
            self.queued += 1;
            self.group(&job.query.sources).jobs.push_front(job);
        }
    }

    /// This is to be asked when all others of its selection are asked.
    pub(super) fn put_last(&mut self, job: Job) {
        self.queued += 1;
        self.group(&job.query.sources).jobs.push_back(job);
    }

    /// Notes that a selection is refused.
    pub(crate) fn refuse(&mut self, sources: &Sources, why: &str) {
        self.group(sources).refused = Some(why.to_owned());
    }

    /// Removes a query whose selection is refused, with the reason.
    pub(crate) fn take_refused(&mut self) -> Option<(Job, String)> {
        for group in &mut self.groups {
            if let Some(why) = &group.refused
                && let Some(job) = group.jobs.pop_front()
            {
                self.queued -= 1;
                return Some((job, why.clone()));
            }
        }
        None
    }

    /// The group of the current selection while it lasts; then the one that the fewest connections work on, and of these
    /// the largest.
    fn choose(&self, selection: Selection<'_>) -> Option<usize> {
        let has_work = |place: &usize| !self.groups[*place].jobs.is_empty();
        if let Some(place) = self.places.get(selection.current).copied().filter(has_work) {
            return Some(place);
        }
        let possible =
            |place: &usize| selection.can_return || self.groups[*place].sources != Sources::Default;
        (0..self.groups.len())
            .filter(has_work)
            .filter(possible)
            .min_by_key(|place| (self.groups[*place].seats, usize::MAX - self.groups[*place].jobs.len()))
    }

    fn leave_group(&mut self, seat: &mut Seat) {
        if let Some(place) = seat.group.take() {
            self.groups[place].seats -= 1;
        }
    }

    fn group(&mut self, sources: &Sources) -> &mut Group {
        let new = self.groups.len();
        let place = *self.places.entry(sources.clone()).or_insert(new);
        if place == new {
            let (sources, jobs) = (sources.clone(), VecDeque::new());
            self.groups.push(Group { sources, jobs, seats: 0, refused: None });
        }
        &mut self.groups[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn jobs(sources: &Sources, indices: std::ops::Range<usize>) -> impl Iterator<Item = Job> {
        indices.map(move |index| {
            let query = Query { sources: sources.clone(), kind: Kind::Members, name: format!("AS-{index}") };
            Job { index, query, charges: Vec::new() }
        })
    }

    fn only(sources: &str) -> Sources {
        Sources::Only(sources.into())
    }

    fn free(current: &Sources) -> Selection<'_> {
        Selection { current, can_return: true }
    }

    #[test]
    fn a_connection_leaves_a_fair_share_to_the_others() {
        let default = Sources::Default;
        let mut queue = Queue::new(jobs(&default, 0..400));
        queue.connections = 4;
        let mut first = Seat::default();
        while queue.take(&mut first, 1000, free(&default)).is_some() {}
        assert_eq!((first.in_flight, queue.queued()), (100, 300));
        queue.answered(&mut first);
        assert!(queue.take(&mut first, 1000, free(&default)).is_some());
        // Nobody else came: what is left is its own.
        queue.connections = 1;
        while queue.take(&mut first, 250, free(&default)).is_some() {}
        assert_eq!(first.in_flight, 250);
    }

    #[test]
    fn connections_keep_their_selection_and_spread_over_the_others() {
        let (ripe, radb, arin) = (only("RIPE"), only("RADB"), only("ARIN"));
        let mut queue = Queue::new(jobs(&ripe, 0..2).chain(jobs(&radb, 2..7)).chain(jobs(&arin, 7..10)));
        queue.connections = 2;
        let (mut first, mut second) = (Seat::default(), Seat::default());
        let mut take = |seat: &mut Seat, current: &Sources| {
            queue.take(seat, 9, free(current)).map(|job| job.query.sources).unwrap_or_default()
        };
        assert_eq!(take(&mut first, &ripe), ripe);
        assert_eq!(take(&mut second, &Sources::Default), radb);
        assert_eq!(take(&mut first, &ripe), ripe);
        assert_eq!(take(&mut first, &ripe), arin);
        assert_eq!(take(&mut first, &arin), arin);
        assert_eq!(take(&mut first, &arin), arin);
        // The last group has a connection already, but none should be idle.
        queue.answered(&mut first);
        let taken = queue.take(&mut first, 9, free(&arin));
        assert_eq!(taken.map(|job| job.query.sources), Some(radb));
    }

    #[test]
    fn a_selection_that_cannot_be_left_for_the_default_is_not() {
        let mut queue = Queue::new(jobs(&Sources::Default, 0..1).chain(jobs(&only("RIPE"), 1..2)));
        queue.connections = 1;
        let mut seat = Seat::default();
        let bound = |current| Selection { current, can_return: false };
        let ripe = only("RIPE");
        assert_eq!(queue.take(&mut seat, 9, bound(&ripe)).map(|job| job.index), Some(1));
        assert!(queue.take(&mut seat, 9, bound(&ripe)).is_none());
        queue.leave(&mut seat);
        let mut other = Seat::default();
        assert_eq!(queue.take(&mut other, 9, bound(&Sources::Default)).map(|job| job.index), Some(0));
    }

    #[test]
    fn what_comes_back_is_asked_again() {
        let default = Sources::Default;
        let mut queue = Queue::new(jobs(&default, 0..5));
        queue.connections = 1;
        let mut seat = Seat::default();
        let mut taken: VecDeque<Job> =
            (0..3).filter_map(|_| queue.take(&mut seat, 9, free(&default))).collect();
        queue.leave(&mut seat);
        let bad = taken.pop_front();
        queue.put_first(taken.into_iter());
        queue.put_last(bad.unwrap());
        let order: Vec<usize> =
            std::iter::from_fn(|| queue.take(&mut seat, 9, free(&default))).map(|job| job.index).collect();
        assert_eq!(order, [1, 2, 3, 4, 0]);
    }

    #[test]
    fn a_refused_selection_is_taken_out() {
        let (ripe, wrong) = (only("RIPE"), only("RIPF"));
        let mut queue = Queue::new(jobs(&wrong, 0..2).chain(jobs(&ripe, 2..3)));
        assert!(queue.take_refused().is_none());
        queue.refuse(&wrong, "no RIPF");
        assert_eq!(queue.take_refused().map(|(job, why)| (job.index, why)), Some((0, "no RIPF".to_owned())));
        assert!(queue.take_refused().is_some() && queue.take_refused().is_none());
        assert_eq!(queue.queued(), 1);
    }
}
