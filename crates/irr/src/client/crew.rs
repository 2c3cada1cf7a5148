//! The connections of one asking: hires them, and decides what becomes of queries whose connection broke.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::hosts::{Blame, Choice, counted};
use super::outlet::Gone;
use super::queue::Job;
use super::run::Run;
use super::shared::Shared;
use crate::connection::{Break, Connection, End, Head};
use crate::{Failure, Features};

/// So many queries are worth a connection of their own.
pub(super) const WORTH: usize = 8;
/// A query is given up when so many connections broke while its answer was due.
const CHARGES: usize = 3;

/// How long to wait, when all is answered, for a connection that was still being opened.
const LATE: Duration = Duration::from_millis(100);

/// The connections of one asking.
pub(super) struct Crew {
    shared: Arc<Shared>,
    run: Arc<Run>,
    workers: JoinSet<Worked>,
    /// Connections that broke and were not yet replaced.
    broken: u64,
    /// What was waited for. It is kept until it is used: two askings that each let go of it in favour of the next
    /// attempt would hand it to each other for ever.
    spare: Option<OwnedSemaphorePermit>,
    /// Queries that a host, by its place, did not answer twice, while another is there to try. They come last.
    parked: Vec<(usize, Job)>,
    /// The host that did not answer them, once they are all that is left.
    avoided: Option<usize>,
}

/// What a connection did.
struct Worked {
    /// `None` if none could be opened.
    connection: Option<Connection>,
    choice: Choice,
    end: End,
    /// The right to hold a connection.
    permit: OwnedSemaphorePermit,
}

/// Whether all were hired for whom there is work.
enum Hired {
    All,
    /// Other askings hold all connections.
    NoPermit,
    /// All hosts are bad.
    NoHost(Failure),
}

impl Crew {
    pub fn new(shared: Arc<Shared>, run: Arc<Run>) -> Self {
        Self {
            shared,
            run,
            workers: JoinSet::new(),
            broken: 0,
            spare: None,
            parked: Vec::new(),
            avoided: None,
        }
    }

    /// Closes all connections that are in use.
    pub async fn end(mut self) {
        self.workers.shutdown().await;
    }

    /// Has all queries of the queue asked.
    pub async fn work(&mut self) -> Result<(), Gone> {
        loop {
            let hired = self.hire();
            if self.workers.is_empty() {
                match &hired {
                    Hired::All if !self.parked.is_empty() => {
                        self.turn_elsewhere();
                        continue;
                    }
                    Hired::All => return Ok(()),
                    Hired::NoHost(why) => return self.run.outlet.fail_rest(why).await,
                    Hired::NoPermit => {}
                }
            }
            if self.run.outlet.is_complete().await {
                // Those that came too late to be of use are not waited for any longer than a good one takes.
                while let Ok(Some(Ok(worked))) = timeout(LATE, self.workers.join_next()).await {
                    self.settle(worked).await?;
                }
                return Ok(());
            }
            tokio::select! {
                Some(worked) = self.workers.join_next() => match worked {
                    Ok(worked) => self.settle(worked).await?,
                    Err(error) => tracing::error!(%error, "a connection to an IRR server ended by mistake"),
                },
                permit = self.shared.permits.clone().acquire_owned(), if matches!(hired, Hired::NoPermit) => {
                    self.spare = permit.ok();
                }
            }
        }
    }

    /// Goes on with what was put aside, at another host.
    fn turn_elsewhere(&mut self) {
        let parked = mem::take(&mut self.parked);
        self.avoided = parked.first().map(|(place, _)| *place);
        self.run.queue().put_first(parked.into_iter().map(|(_, job)| job));
    }

    /// Hires as many connections as there is work for, all at once.
    fn hire(&mut self) -> Hired {
        let queued = self.run.queue().queued();
        let useful = if queued == 0 { 0 } else { (queued / WORTH).max(1) };
        let open = self.run.wanted.load(Relaxed).saturating_sub(self.workers.len()).min(useful);
        let mut hired = Hired::All;
        let mut hands = Vec::new();
        for _ in 0..open {
            let free = || self.shared.permits.clone().try_acquire_owned().ok();
            let Some(permit) = self.spare.take().or_else(free) else {
                hired = Hired::NoPermit;
                break;
            };
            match self.shared.hosts.choose(self.avoided) {
                Ok(choice) => hands.push((choice, permit)),
                Err(why) => {
                    hired = Hired::NoHost(why);
                    break;
                }
            }
        }
        self.spare = None;
        // Before the first begins, so that it leaves their share to the others.
        self.run.queue().connections += hands.len();
        for (choice, permit) in hands {
            let replaced = self.broken.min(1);
            self.broken -= replaced;
            self.shared.traffic.reconnects.fetch_add(replaced, Relaxed);
            let kept = self.shared.kept(choice.place);
            self.workers.spawn(hand(self.shared.clone(), self.run.clone(), choice, kept, permit));
        }
        hired
    }

    /// Asks the first host that is not bad for what it is.
    pub async fn features(&mut self) -> Result<Arc<Features>, Failure> {
        loop {
            let choice = self.shared.hosts.choose(None)?;
            if let Some(features) = self.shared.hosts.features(choice.place) {
                return Ok(features);
            }
            let permit = self.shared.permit().await?;
            // It was not the one to be told, and takes the place of one that is.
            drop(self.shared.kept(choice.place));
            self.run.queue().connections += 1;
            let worked = hand(self.shared.clone(), self.run.clone(), choice, None, permit).await;
            // Nobody listens, as nothing is asked.
            let _ = self.settle(worked).await;
        }
    }

    /// Takes a connection back, and what it leaves unanswered.
    async fn settle(&mut self, worked: Worked) -> Result<(), Gone> {
        let Worked { connection, choice, end, permit } = worked;
        self.run.queue().connections -= 1;
        match (end, connection) {
            (End::Idle, Some(connection)) => self.shared.keep(connection),
            (End::Gone, _) => return Err(Gone),
            (End::Broken(broken), connection) => self.judge(&choice, connection, &broken).await?,
            (end, Some(mut connection)) => {
                if matches!(end, End::Mute) {
                    tracing::debug!(host = %choice.host, "giving up a connection that is not served");
                    self.spare_one();
                }
                self.run.queue().put_first(connection.unanswered().1.into_iter());
            }
            (_, None) => {}
        }
        // Not before the connection is kept or closed.
        drop(permit);
        self.run.answer_refused().await
    }

    /// Finds out who is at fault when a connection broke: the host, the query whose answer was due, or nobody.
    async fn judge(
        &mut self,
        choice: &Choice,
        connection: Option<Connection>,
        broken: &Break,
    ) -> Result<(), Gone> {
        tracing::debug!(host = %choice.host, reason = broken.reason, "an IRR server failed");
        self.broken += 1;
        let Some(mut connection) = connection else {
            if !self.spare_one() {
                self.shared.hosts.broke(choice, &broken.reason, Blame::Heavy);
            }
            return Ok(());
        };
        let (head, jobs) = connection.unanswered();
        // The server closed it while nobody used it.
        let stale = connection.used && connection.answers == 0 && !broken.silent;
        // It has its fill, as some have after a number of queries. The next connection begins with the same query: if
        // it ends there as well, that is another matter. Or it serves so many connections and no more.
        let full = broken.between && connection.answers > 0;
        if stale || full || (!connection.is_ready() && self.spare_one()) {
            self.run.queue().put_first(jobs.into_iter());
            return Ok(());
        }
        let reason = format!("{} {}", choice.host, broken.reason);
        let (charged, rest) = charge(&head, jobs, &reason);
        // What broke on the same query again says nothing new about the host.
        if charged.iter().all(|job| job.charges.len() == 1) {
            let blame = match (broken.silent, connection.greeted, connection.is_ready()) {
                (true, false, _) => Blame::Whole,
                (false, _, true) => Blame::Light,
                _ => Blame::Heavy,
            };
            self.shared.hosts.broke(choice, &broken.reason, blame);
        }
        drop(connection);
        self.run.queue().put_first(riffled(rest).into_iter());
        for job in charged {
            self.ask_again(job, choice.place).await?;
        }
        Ok(())
    }

    /// Asks a query again that a host did not answer: there, then elsewhere, then no more.
    async fn ask_again(&mut self, job: Job, place: usize) -> Result<(), Gone> {
        let elsewhere = || self.shared.hosts.choose(Some(place)).is_ok_and(|choice| choice.place != place);
        if job.charges.len() >= CHARGES {
            let why = format!("no answer to {}: {}", job.query, counted(&job.charges));
            return self.run.outlet.deliver(job.index, Err(Failure(why))).await;
        }
        if job.charges.len() == CHARGES - 1 && self.avoided.is_none() && elsewhere() {
            self.parked.push((place, job));
        } else {
            self.run.queue().put_last(job);
        }
        Ok(())
    }

    /// Does with one connection less, if that is possible.
    fn spare_one(&self) -> bool {
        let can = self.run.can_spare_one();
        if can {
            self.run.wanted.fetch_sub(1, Relaxed);
        }
        can
    }
}

/// Opens a connection if none is kept, and lets it ask.
async fn hand(
    shared: Arc<Shared>,
    run: Arc<Run>,
    choice: Choice,
    kept: Option<Connection>,
    permit: OwnedSemaphorePermit,
) -> Worked {
    let opened = if let Some(mut connection) = kept {
        connection.choice = choice.clone();
        Ok(connection)
    } else {
        sleep(choice.wait).await;
        shared.open(&choice).await
    };
    match opened {
        Ok(mut connection) => {
            let end = connection.work(&run).await;
            Worked { connection: Some(connection), choice, end, permit }
        }
        Err(reason) => Worked { connection: None, choice, end: End::broken(&reason), permit },
    }
}

/// Parts the queries of a broken connection in those that are charged, and the rest: the one whose answer was due, or all
/// that wait for a selection of sources whose answer was due.
fn charge(head: &Head, mut jobs: VecDeque<Job>, reason: &str) -> (Vec<Job>, Vec<Job>) {
    let (mut charged, rest): (Vec<Job>, Vec<Job>) = match head {
        Head::Greeting => (Vec::new(), jobs.into()),
        Head::Query => (jobs.pop_front().into_iter().collect(), jobs.into()),
        Head::Select(sources) => jobs.into_iter().partition(|job| job.query.sources == *sources),
    };
    for job in &mut charged {
        job.charges.push(reason.to_owned());
    }
    (charged, rest)
}

/// The last, the first, the last but one, the second, and so on: lest several bad queries in a row look like a bad host.
fn riffled(jobs: Vec<Job>) -> Vec<Job> {
    let mut jobs = VecDeque::from(jobs);
    let mut riffled = Vec::with_capacity(jobs.len());
    while let Some(last) = jobs.pop_back() {
        riffled.push(last);
        riffled.extend(jobs.pop_front());
    }
    riffled
}
