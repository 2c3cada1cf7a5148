//! One asking, from its queries to its last answer.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tokio::time::timeout_at;

use super::crew::{Crew, WORTH};
use super::outlet::{Gone, Outlet};
use super::queue::{Job, Queue};
use super::shared::Shared;
use super::wellformed::check;
use crate::{Answer, Failure, Features, Outcome, Query};

/// What the connections of one asking share.
#[derive(Debug)]
pub(crate) struct Run {
    queue: Mutex<Queue>,
    pub outlet: Outlet,
    /// Connections on which the server says something, or has said all that it was asked for.
    pub served: AtomicUsize,
    /// Most connections at a time.
    pub wanted: AtomicUsize,
}

impl Run {
    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a connection that is not served may be given up: the server serves others, and fewer will do.
    pub(crate) fn can_spare_one(&self) -> bool {
        self.served.load(Relaxed) > 0 && self.wanted.load(Relaxed) > 1
    }

    /// Answers the queries whose selection is refused.
    pub(crate) async fn answer_refused(&self) -> Result<(), Gone> {
        loop {
            let refused = self.queue().take_refused();
            let Some((job, why)) = refused else { return Ok(()) };
            self.outlet.deliver(job.index, Ok(Answer::Refused(why))).await?;
        }
    }
}

/// Asks all queries; ends when each is answered, or nobody listens any longer.
pub(super) async fn ask(shared: Arc<Shared>, queries: Vec<Query>, sender: mpsc::Sender<(usize, Outcome)>) {
    let outlet = Outlet::new(sender, queries.len());
    let mut unfit = Vec::new();
    let mut jobs = Vec::new();
    for (index, query) in queries.into_iter().enumerate() {
        match check(&query) {
            Ok(()) => jobs.push(Job { index, query, charges: Vec::new() }),
            Err(why) => unfit.push((index, why)),
        }
    }
    let wanted = (jobs.len() / WORTH).clamp(1, shared.options.connections);
    let run = Run::new(jobs, outlet, wanted);
    let mut crew = Crew::new(shared.clone(), run.clone());
    let work = async {
        for (index, why) in unfit {
            run.outlet.deliver(index, Err(why)).await?;
        }
        crew.work().await
    };
    let outcome = tokio::select! {
        () = run.outlet.gone() => return,
        outcome = timeout_at(shared.deadline(), work) => outcome,
    };
    crew.end().await;
    let why = match outcome {
        Ok(Err(Gone)) => return,
        Ok(Ok(())) => Failure("the question was lost; this is a mistake in the program".to_owned()),
        Err(_) => shared.too_late(),
    };
    // Whoever does not listen any longer needs no answer.
    let _ = run.outlet.fail_rest(&why).await;
}

/// What the first host that is not bad says about itself. The connection is kept for what follows.
pub(super) async fn features(shared: &Arc<Shared>) -> Result<Arc<Features>, Failure> {
    let (sender, _receiver) = mpsc::channel(1);
    let mut crew = Crew::new(shared.clone(), Run::new(Vec::new(), Outlet::new(sender, 0), 1));
    timeout_at(shared.deadline(), crew.features()).await.unwrap_or_else(|_| Err(shared.too_late()))
}

impl Run {
    fn new(jobs: Vec<Job>, outlet: Outlet, wanted: usize) -> Arc<Self> {
        let queue = Mutex::new(Queue::new(jobs.into_iter()));
        Arc::new(Self { queue, outlet, served: AtomicUsize::new(0), wanted: AtomicUsize::new(wanted) })
    }
}
