//! Keeps all requests of a client to the API within `PeeringDB`'s limit.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

const WINDOW: Duration = Duration::from_mins(1);

/// A sliding window: no 60 seconds see more than `limit` requests.
#[derive(Debug)]
pub(crate) struct Governor {
    limit: usize,
    /// Held by the request that is next in line, so that requests go out in the order in which they came.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the requests of the last minute went out, oldest first.
    sent: VecDeque<Instant>,
    /// No request before this time.
    closed_until: Option<Instant>,
}

impl Governor {
    pub(crate) fn new(limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).max(1);
        Self { limit, turn: tokio::sync::Mutex::new(()), state: Mutex::default() }
    }

    /// Waits until a request may go out, and counts it.
    pub(crate) async fn admit(&self) {
        let _turn = self.turn.lock().await;
        while let Some(later) = self.admit_now(Instant::now()) {
            sleep_until(later).await;
        }
    }

    /// Lets no request out for so long: the server said so.
    pub(crate) fn close_for(&self, pause: Duration) {
        let until = Instant::now() + pause;
        self.with_state(|state| state.closed_until = state.closed_until.max(Some(until)));
    }

    /// Counts a request if one may go out at `now`, and otherwise says when to ask again.
    fn admit_now(&self, now: Instant) -> Option<Instant> {
        self.with_state(|state| {
            while state.sent.front().is_some_and(|sent| *sent + WINDOW <= now) {
                state.sent.pop_front();
            }
            let closed = state.closed_until.filter(|until| *until > now);
            let full =
                (state.sent.len() >= self.limit).then(|| state.sent.front().map(|sent| *sent + WINDOW));
            let later = closed.max(full.flatten());
            if later.is_none() {
                state.sent.push_back(now);
            }
            later
        })
    }

    fn with_state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_minute_sees_more_than_the_limit() {
        let governor = Arc::new(Governor::new(20));
        let start = Instant::now();
        let requests: Vec<_> = (0..50)
            .map(|_| {
                let governor = Arc::clone(&governor);
                tokio::spawn(async move {
                    governor.admit().await;
                    start.elapsed()
                })
            })
            .collect();
        let mut times = Vec::new();
        for request in requests {
            times.push(request.await.unwrap());
        }
        times.sort();
        assert!(times[19] < Duration::from_secs(1), "{times:?}");
        assert!(times.windows(21).all(|minute| minute[20] >= minute[0] + WINDOW), "{times:?}");
        assert!(times[49] < Duration::from_secs(121), "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everyone() {
        let governor = Governor::new(20);
        let start = Instant::now();
        governor.close_for(Duration::from_secs(90));
        governor.close_for(Duration::from_secs(5));
        governor.admit().await;
        assert!(start.elapsed() >= Duration::from_secs(90));
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_of_nothing_is_one() {
        let governor = Governor::new(0);
        let start = Instant::now();
        governor.admit().await;
        governor.admit().await;
        assert!(start.elapsed() >= WINDOW);
    }
}
