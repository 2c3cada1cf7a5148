//! The sign that a loop turns, for whoever tells a service manager of it or answers over HTTP.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// What a loop has told of itself.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    turned: Option<Instant>,
    works: bool,
    busy: usize,
    ended: bool,
}

/// The sign of one loop. Cheap to clone; every clone is the same sign.
#[derive(Clone, Debug)]
pub struct Pulse {
    name: &'static str,
    told: Arc<watch::Sender<Told>>,
}

impl Pulse {
    /// The sign of a loop that has not begun; `name` is what people call it, such as `worker`.
    pub fn new(name: &'static str) -> Self {
        Self { name, told: Arc::new(watch::Sender::new(Told::default())) }
    }

    /// What people call the loop.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// To be called by the loop each time round. `busy` is how many jobs it has in hand if the round did what it should, and
    /// nothing if that failed: a loop that tries again turns, too.
    pub fn turn(&self, busy: Option<usize>) {
        self.told.send_modify(|told| {
            told.turned = Some(Instant::now());
            told.works |= busy.is_some();
            told.busy = busy.unwrap_or(told.busy);
        });
    }

    /// To be called when the loop is left, from then on nobody waits for another turn.
    pub fn end(&self) {
        self.told.send_modify(|told| told.ended = true);
    }

    /// Waits for the first round that did what it should.
    pub async fn works(&self) {
        // The sender lives as long as this.
        let _ = self.told.subscribe().wait_for(|told| told.works).await;
    }

    /// Jobs in hand, as last told.
    pub fn busy(&self) -> usize {
        self.told.borrow().busy
    }

    /// How long ago the loop turned last; nothing before it has begun and after its end.
    pub fn age(&self) -> Option<Duration> {
        let told = *self.told.borrow();
        told.turned.filter(|_| !told.ended).map(|turned| turned.elapsed())
    }

    /// Whether the loop has begun and not turned for so long.
    pub fn hangs(&self, limit: Duration) -> bool {
        self.age().is_some_and(|age| age > limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn a_loop_hangs_that_has_begun_and_does_not_turn() {
        let pulse = Pulse::new("worker");
        tokio::time::advance(LIMIT * 2).await;
        assert!(!pulse.hangs(LIMIT), "it has not begun");
        pulse.turn(None);
        tokio::time::advance(LIMIT / 2).await;
        assert_eq!((pulse.age(), pulse.hangs(LIMIT)), (Some(LIMIT / 2), false));
        tokio::time::advance(LIMIT).await;
        assert!(pulse.clone().hangs(LIMIT));
        pulse.end();
        assert!(!pulse.hangs(LIMIT), "it is over");
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_works_after_its_first_good_round() {
        let pulse = Pulse::new("worker");
        pulse.turn(None);
        assert!(tokio::time::timeout(LIMIT, pulse.works()).await.is_err());
        pulse.turn(Some(2));
        pulse.turn(None);
        assert!(tokio::time::timeout(LIMIT, pulse.works()).await.is_ok());
        assert_eq!(pulse.busy(), 2);
    }
}
