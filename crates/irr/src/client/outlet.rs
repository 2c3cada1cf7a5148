//! Where answers leave: each exactly once, and never more of them waiting than memory allows.

use std::collections::VecDeque;

use tokio::sync::{Mutex, mpsc};

use crate::{Answer, Failure, Outcome};

/// Most answers that wait for the reader.
pub(super) const WAITING: usize = 512;
/// Most bytes that wait for the reader; a single answer may be bigger.
const WAITING_BYTES: usize = 16 << 20;

/// Whoever asked has stopped listening.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gone;

/// The way to whoever asked.
#[derive(Debug)]
pub(crate) struct Outlet {
    sender: mpsc::Sender<(usize, Outcome)>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// By place in the list of queries.
    answered: Vec<bool>,
    /// How many are not.
    left: usize,
    /// Bytes of the newest answers; those at the front may already have been read.
    sizes: VecDeque<usize>,
    /// Their sum.
    bytes: usize,
}

impl Outlet {
    pub(super) fn new(sender: mpsc::Sender<(usize, Outcome)>, queries: usize) -> Self {
        let state = State { answered: vec![false; queries], left: queries, sizes: VecDeque::new(), bytes: 0 };
        Self { sender, state: Mutex::new(state) }
    }

    /// Hands out an answer as soon as there is room for it. A second answer to the same query is dropped.
    pub(crate) async fn deliver(&self, index: usize, outcome: Outcome) -> Result<(), Gone> {
        let mut state = self.state.lock().await;
        if state.answered.get(index) != Some(&false) {
            debug_assert!(false, "query {index} is answered twice");
            return Ok(());
        }
        let size = size(&outcome);
        state.forget_read(self.sender.max_capacity() - self.sender.capacity());
        let stay = state.that_may_stay(size).min(self.sender.max_capacity() - 1);
        // The places that are not used are given back at once: having got them says that as many were read.
        let mut places =
            self.sender.reserve_many(self.sender.max_capacity() - stay).await.map_err(|_| Gone)?;
        let place = places.next().ok_or(Gone)?;
        place.send((index, outcome));
        state.answered[index] = true;
        state.left -= 1;
        state.sizes.push_back(size);
        state.bytes += size;
        Ok(())
    }

    /// Whether all is answered.
    pub(super) async fn is_complete(&self) -> bool {
        self.state.lock().await.left == 0
    }

    /// Ends when whoever asked stops listening.
    pub(super) async fn gone(&self) {
        self.sender.closed().await;
    }

    /// Answers all that is unanswered.
    pub(super) async fn fail_rest(&self, why: &Failure) -> Result<(), Gone> {
        let unanswered: Vec<usize> = {
            let state = self.state.lock().await;
            state
                .answered
                .iter()
                .enumerate()
                .filter_map(|(index, answered)| (!answered).then_some(index))
                .collect()
        };
        for index in unanswered {
            self.deliver(index, Err(why.clone())).await?;
        }
        Ok(())
    }
}

impl State {
    /// Keeps the sizes of the answers that wait, and no others.
    fn forget_read(&mut self, waiting: usize) {
        while self.sizes.len() > waiting {
            self.bytes -= self.sizes.pop_front().unwrap_or_default();
        }
    }

    /// How many of the answers that wait may go on waiting when another of this size joins them.
    fn that_may_stay(&self, size: usize) -> usize {
        let mut bytes = self.bytes;
        let too_many = self.sizes.iter().take_while(|waiting| {
            let leave = bytes + size > WAITING_BYTES;
            bytes -= **waiting;
            leave
        });
        self.sizes.len() - too_many.count()
    }
}

/// About as many bytes of memory as it takes.
fn size(outcome: &Outcome) -> usize {
    size_of::<(usize, Outcome)>()
        + match outcome {
            Ok(Answer::Data(text) | Answer::Refused(text)) | Err(Failure(text)) => text.capacity(),
            Ok(_) => 0,
        }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn big_answers_wait_for_the_reader() {
        let (sender, mut receiver) = mpsc::channel(WAITING);
        let outlet = Outlet::new(sender, 100);
        let mut waiting = 0;
        let big = || Ok(Answer::Data("x".repeat(5 << 20)));
        while timeout(Duration::from_secs(1), outlet.deliver(waiting, big())).await.is_ok() {
            waiting += 1;
        }
        assert_eq!(waiting, 3);
        for read in 0..2 {
            assert_eq!(receiver.recv().await.map(|(index, _)| index), Some(read));
        }
        // Two of those three are read, so two more have room.
        for index in 3..5 {
            assert!(timeout(Duration::from_secs(1), outlet.deliver(index, big())).await.is_ok());
        }
        assert!(timeout(Duration::from_secs(1), outlet.deliver(5, big())).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_may_be_bigger_than_what_may_wait() {
        let (sender, mut receiver) = mpsc::channel(WAITING);
        let outlet = Outlet::new(sender, 2);
        let huge = || Ok(Answer::Data("x".repeat(WAITING_BYTES + 1)));
        assert!(outlet.deliver(0, huge()).await.is_ok());
        assert!(timeout(Duration::from_secs(1), outlet.deliver(1, huge())).await.is_err());
        assert!(receiver.recv().await.is_some());
        assert!(outlet.deliver(1, huge()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn small_answers_wait_up_to_a_number() {
        let (sender, receiver) = mpsc::channel(WAITING);
        let outlet = Outlet::new(sender, WAITING + 1);
        for index in 0..WAITING {
            assert!(outlet.deliver(index, Ok(Answer::Done)).await.is_ok());
        }
        assert!(timeout(Duration::from_secs(1), outlet.deliver(WAITING, Ok(Answer::Done))).await.is_err());
        drop(receiver);
        assert!(outlet.deliver(WAITING, Ok(Answer::Done)).await.is_err());
    }

    #[tokio::test]
    async fn what_is_unanswered_fails() {
        let (sender, mut receiver) = mpsc::channel(WAITING);
        let outlet = Outlet::new(sender, 3);
        assert!(outlet.deliver(1, Ok(Answer::Done)).await.is_ok());
        assert!(outlet.fail_rest(&Failure("no".to_owned())).await.is_ok());
        drop(outlet);
        let mut answered = Vec::new();
        while let Some((index, outcome)) = receiver.recv().await {
            answered.push((index, outcome.is_ok()));
        }
        assert_eq!(answered, [(1, true), (0, false), (2, false)]);
    }
}
