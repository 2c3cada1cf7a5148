//! After the commit: a new connection, a look at the sessions, and then it is confirmed or undone.
//!
//! A session looks up until its hold timer ends, so a look at once proves nothing; sessions are looked at from
//! `post_check_min_seconds` on, and those that went down may come back until `post_check_seconds`.

use std::collections::BTreeSet;
use std::time::Duration;

use pm_router::{Error, Neighbors, Pending, Router, Target};
use pm_store::StoreError;
use pm_store::deployments::{self, Status, Step};
use serde_json::Value as Json;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Run;
use super::lasting::lasting;
use super::lock::Held;
use super::report::{Deployed, Verdict};
use super::router::{Made, Place, Work};
use super::settle::{Found, undo};
use crate::TaskError;

/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// How long after its timer a router may take to go back and to answer.
pub(super) const GRACE: Duration = Duration::from_secs(30);
/// How long a router may take to go back when the connection is gone that held its change.
const FALLS_BACK: Duration = Duration::from_secs(10);

/// What the looks came to.
enum Seen {
    /// No more sessions are gone than may be, and these are; this is the connection that says so.
    Well(Box<dyn Router>, Vec<Place>),
    /// Sessions are gone.
    Lost(Box<dyn Router>, Vec<Place>),
    /// The router could not be reached.
    Away(Error),
    /// The run is to end.
    Cancelled,
}

/// What came of asking for the confirmation.
enum Answer {
    /// It is in force for good, but perhaps not saved; this is a connection to the router.
    Confirmed(Box<dyn Router>, Option<Error>),
    /// It is not, and will not be.
    Ended(Error),
    /// Nobody asks any more, and whether it is in force for good is to be found out.
    Gone(Error),
    /// The run was cancelled before the router said anything.
    Open(Error),
}

/// How the router was reached, and can be again.
struct Watched<'a> {
    target: &'a Target,
    /// When the commit was over.
    begun: Instant,
    /// The connection that made the change, where it is still needed.
    first: Option<&'a dyn Router>,
}

/// Sees a change to its end.
pub(super) async fn look_after(
    run: &Run<'_>,
    work: &Work,
    held: &Held,
    deployed: &mut Deployed,
    target: &Target,
    mut made: Made,
    first: Option<&dyn Router>,
) -> Result<(), TaskError> {
    let begun = Instant::now();
    if !made.answered {
        // It may be this change that cut the way.
        let said = deployed.message.take().unwrap_or_default();
        let back = go_back(run, held, deployed, target, &made, begun, &said);
        return tokio::join!(run.spoil(), back).1;
    }
    let watched = work.reached.ways.as_ref().is_ok_and(|ways| ways.watched);
    // A database that is away keeps nobody from looking: what is in force is confirmed or undone all the same.
    let looked = Notify::new();
    let looking = async {
        let seen = look(run, target, &made, begun, watched).await;
        looked.notify_one();
        seen
    };
    let (recorded, seen) = tokio::join!(run.waits(held, &made, &looked), looking);
    match recorded {
        // Somebody else is at work on the router.
        Err(error @ TaskError::Store(StoreError::LockLost { .. })) => return Err(error),
        Err(error) => {
            deployed
                .warnings
                .push(format!("its record could not say that it waits for its confirmation: {error}"));
        }
        Ok(()) => {}
    }
    match seen {
        Seen::Well(router, lost) => {
            if !lost.is_empty() {
                deployed.lost = lost.iter().map(|(vrf, address)| named(vrf, *address)).collect();
                let said =
                    format!("{} sessions that were up are gone ({})", lost.len(), short(&deployed.lost));
                deployed.warnings.push(format!("{said}; post_check_max_lost lets that pass"));
            }
            let is_held = first.zip(made.change.as_ref()).is_some_and(|(first, change)| first.holds(change));
            made.asked = Some(if is_held { FALLS_BACK } else { Duration::ZERO });
            let watched = Watched { target, begun, first };
            confirm(run, held, deployed, router, &made, &watched).await
        }
        Seen::Lost(router, lost) => {
            deployed.lost = lost.iter().map(|(vrf, address)| named(vrf, *address)).collect();
            let said = format!(
                "{} sessions that were up are gone ({}); post_check_max_lost is {}",
                lost.len(),
                short(&deployed.lost),
                run.context.config.post_check_max_lost
            );
            let undoing = async {
                match first {
                    Some(first) => undo_at_once(first, &*router, &made).await,
                    None => undo(&*router, made.change.as_ref(), made.before.expose()).await,
                }
            };
            let ((), undone) = tokio::join!(run.spoil(), undoing);
            router.close().await;
            match undone {
                Ok(found) => ended(run, held, deployed, &made, found, &said).await,
                Err(error) => {
                    let said = format!("{said}; undoing it failed: {error}");
                    go_back(run, held, deployed, target, &made, begun, &said).await
                }
            }
        }
        Seen::Away(error) => {
            let said = format!("after the commit the router could not be reached: {error}");
            let back = async {
                if let (Some(first), Some(change)) = (first, &made.change)
                    && let Err(error) = first.roll_back(change).await
                {
                    deployed
                        .warnings
                        .push(format!("it could not be undone over the first connection: {error}"));
                }
                go_back(run, held, deployed, target, &made, begun, &said).await
            };
            tokio::join!(run.spoil(), back).1
        }
        Seen::Cancelled => {
            // The record stays as it is: the next run finds out what became of it.
            let what = what_next(&made);
            let said = format!("the run was cancelled before it confirmed the change; {what}");
            deployed.ends(Verdict::Unconfirmed, said);
            Ok(())
        }
    }
}

/// What becomes of a change that is left alone.
fn what_next(made: &Made) -> String {
    if made.timer.is_zero() {
        return "it has no timer, so nothing undoes it; look at the router".to_owned();
    }
    let seconds = made.change.as_ref().map_or(made.timer.as_secs(), |change| change.seconds);
    format!("the router undoes it within {seconds} s")
}

/// What has no timer, or hangs on the connection that made it, is undone over that one.
async fn undo_at_once(first: &dyn Router, router: &dyn Router, made: &Made) -> Result<Found, Error> {
    if let Some(change) = &made.change {
        first.roll_back(change).await?;
    }
    let running = router.running_config().await?;
    Ok(if lasting(running.expose()) == lasting(made.before.expose()) { Found::Undone } else { Found::Other })
}

fn named(vrf: &str, address: std::net::IpAddr) -> String {
    if vrf == "default" { address.to_string() } else { format!("{address} in {vrf}") }
}

fn short(names: &[String]) -> String {
    let more = if names.len() > 5 { ", …" } else { "" };
    format!("{}{more}", names.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", "))
}

async fn look(run: &Run<'_>, target: &Target, made: &Made, begun: Instant, watched: bool) -> Seen {
    let config = &run.context.config;
    let least = Duration::from_secs(if watched { config.post_check_min_seconds.into() } else { 0 });
    let most = Duration::from_secs(config.post_check_seconds.into()).max(least);
    let allowed = usize::try_from(config.post_check_max_lost).unwrap_or(usize::MAX);
    let mut router: Option<Box<dyn Router>> = None;
    let mut wait = least;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = run.context.cancel.cancelled() => return Seen::Cancelled,
        }
        wait = LOOK_AGAIN;
        let is_last = begun.elapsed() >= most;
        let connection = match router.take() {
            Some(router) => Ok(router),
            None => match unless_cancelled(run, run.network.connect(target)).await {
                Some(connection) => connection,
                None => return Seen::Cancelled,
            },
        };
        let connection = match connection {
            Ok(connection) => connection,
            Err(error) if is_last => return Seen::Away(error),
            Err(_) => continue,
        };
        if !watched {
            return Seen::Well(connection, Vec::new());
        }
        let Some(neighbors) = unless_cancelled(run, connection.neighbors()).await else {
            return Seen::Cancelled;
        };
        match neighbors {
            Ok(now) => {
                let lost = lost(made, &now);
                // Those that may be gone for good may come back as well.
                if lost.is_empty() || (lost.len() <= allowed && is_last) {
                    return Seen::Well(connection, lost);
                }
                if is_last {
                    return Seen::Lost(connection, lost);
                }
                router = Some(connection);
            }
            Err(error) => {
                connection.close().await;
                if is_last {
                    return Seen::Away(error);
                }
            }
        }
    }
}

/// What a router says, unless the run is to end: nobody who ends it waits for a router that does not answer.
async fn unless_cancelled<T>(run: &Run<'_>, answer: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        answer = answer => Some(answer),
        () = run.context.cancel.cancelled() => None,
    }
}

/// Sessions that were up, were meant to stay, and are not up any more.
fn lost(made: &Made, now: &Neighbors) -> Vec<Place> {
    let up: BTreeSet<Place> = now
        .neighbors
        .iter()
        .filter(|neighbor| neighbor.is_up())
        .map(|neighbor| (neighbor.vrf.to_string(), neighbor.address))
        .collect();
    made.up.difference(&up).cloned().collect()
}

/// When the router has certainly undone what was not confirmed.
fn end_of(made: &Made, begun: Instant) -> Instant {
    let seconds = made.change.as_ref().map_or(0, |change| change.seconds);
    begun + Duration::from_secs(seconds.max(made.timer.as_secs())) + GRACE
}

/// Confirms, and again as long as that is not certain and the change may still wait: only the router knows whether it did. A
/// router that says no, such as while a daemon on it does not answer, may say yes a moment later.
async fn confirm_surely(
    run: &Run<'_>,
    target: &Target,
    first: Box<dyn Router>,
    change: &Pending,
    end: Instant,
) -> Answer {
    let mut connection = Ok(first);
    loop {
        let error = match connection {
            Ok(router) => match once(router, change).await {
                Answer::Open(error) => error,
                answer => return answer,
            },
            Err(error) => error,
        };
        if run.context.cancel.is_cancelled() {
            return Answer::Open(error);
        }
        if Instant::now() >= end {
            return Answer::Gone(error);
        }
        tracing::debug!(%error, "confirming once more");
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = run.context.cancel.cancelled() => return Answer::Open(error),
        }
        connection = match unless_cancelled(run, run.network.connect(target)).await {
            Some(connection) => connection,
            None => return Answer::Open(error),
        };
    }
}

/// Asks once for the confirmation; [`Answer::Open`] where it may be asked for again.
async fn once(router: Box<dyn Router>, change: &Pending) -> Answer {
    let error = match router.confirm(change).await {
        Ok(()) => return Answer::Confirmed(router, None),
        Err(error @ Error::NotSaved { .. }) => return Answer::Confirmed(router, Some(error)),
        Err(error) => error,
    };
    let answer = if is_last_word(&error) {
        Answer::Ended(error)
    } else if error.leaves_open() || error.may_be_retried() || may_wait(&*router, change).await {
        Answer::Open(error)
    } else {
        Answer::Gone(error)
    };
    router.close().await;
    answer
}

/// Whether an error of a confirmation says what became of the change.
fn is_last_word(error: &Error) -> bool {
    matches!(error, Error::RolledBack { .. } | Error::NotRestored { .. })
}

/// Whether the change still waits for its confirmation, or may.
async fn may_wait(router: &dyn Router, change: &Pending) -> bool {
    match router.pending().await {
        Ok(waiting) => waiting.is_some_and(|waiting| waiting.id.is_empty() || waiting.id == change.id),
        Err(_) => true,
    }
}

/// Confirms over the connection that holds the change. Where that fails the connection is ended, and the change with it, unless
/// its confirmation had got through.
async fn confirm_over(first: &dyn Router, router: Box<dyn Router>, change: &Pending) -> Answer {
    let error = match first.confirm(change).await {
        Ok(()) => return Answer::Confirmed(router, None),
        Err(error @ Error::NotSaved { .. }) => return Answer::Confirmed(router, Some(error)),
        Err(error) => error,
    };
    router.close().await;
    if is_last_word(&error) {
        return Answer::Ended(error);
    }
    first.close().await;
    Answer::Gone(error)
}

async fn confirm(
    run: &Run<'_>,
    held: &Held,
    deployed: &mut Deployed,
    router: Box<dyn Router>,
    made: &Made,
    watched: &Watched<'_>,
) -> Result<(), TaskError> {
    let Some(change) = &made.change else { return Ok(()) };
    let answer = match watched.first {
        _ if made.timer.is_zero() => Answer::Confirmed(router, None),
        Some(first) if first.holds(change) => confirm_over(first, router, change).await,
        _ => confirm_surely(run, watched.target, router, change, end_of(made, watched.begun)).await,
    };
    match answer {
        Answer::Confirmed(router, unsaved) => {
            deployed.warnings.extend(unsaved.map(|error| error.to_string()));
            confirmed(run, held, deployed, router, made).await
        }
        Answer::Ended(error) => {
            let (verdict, status) = match &error {
                Error::RolledBack { .. } => (Verdict::RolledBack, Status::RolledBack),
                _ => (Verdict::Unknown, Status::Unknown),
            };
            deployed.ends(verdict, error.to_string());
            run.spoil().await;
            run.end(held, (made.id, made.planned), status, error.to_string()).await
        }
        Answer::Gone(error) => {
            let said = format!("it could not be confirmed: {error}");
            let back = go_back(run, held, deployed, watched.target, made, watched.begun, &said);
            tokio::join!(run.spoil(), back).1
        }
        Answer::Open(error) => {
            deployed.ends(Verdict::Unconfirmed, format!("{error}; {UNTOLD}"));
            run.spoil().await;
            Ok(())
        }
    }
}

/// What is said of a change that may be confirmed or not.
const UNTOLD: &str = "whether the change is confirmed is not known, the next run will tell";

/// Records that a change is in force for good, and what runs with it.
async fn confirmed(
    run: &Run<'_>,
    held: &Held,
    deployed: &mut Deployed,
    router: Box<dyn Router>,
    made: &Made,
) -> Result<(), TaskError> {
    deployed.verdict = Verdict::Confirmed;
    let in_force = match router.running_config().await {
        Ok(text) => deployments::seal(&run.context.keyring, text.expose()).ok(),
        Err(error) => {
            deployed.warnings.push(format!("what runs now could not be read: {error}"));
            None
        }
    };
    router.close().await;
    let step = Step {
        status: Some(Status::Confirmed),
        ended: true,
        pending: Some(Json::Null),
        message: None,
        in_force,
    };
    run.step(held, made.id, &step).await
}

/// Waits until the router can be reached again, and finds out what it runs; undoes what it still waits to be told.
async fn go_back(
    run: &Run<'_>,
    held: &Held,
    deployed: &mut Deployed,
    target: &Target,
    made: &Made,
    begun: Instant,
    why: &str,
) -> Result<(), TaskError> {
    let end = end_of(made, begun);
    let settled = Instant::now() + made.asked.unwrap_or_default();
    loop {
        let cancelled = || format!("{why}; {}", what_next(made));
        let Some(connection) = unless_cancelled(run, run.network.connect(target)).await else {
            deployed.ends(Verdict::Unconfirmed, cancelled());
            return Ok(());
        };
        let found = match connection {
            Ok(router) => {
                let found = undo(&*router, made.change.as_ref(), made.before.expose()).await;
                router.close().await;
                found
            }
            Err(error) => Err(error),
        };
        match found {
            Ok(Found::Other) if Instant::now() < settled => {}
            Ok(found) => return ended(run, held, deployed, made, found, why).await,
            Err(error) if Instant::now() >= end => {
                let what = if made.timer.is_zero() {
                    what_next(made)
                } else {
                    "it should have undone the change by itself, the next run will tell".to_owned()
                };
                let said = format!("{why}; the router does not answer ({error}); {what}");
                deployed.ends(Verdict::Unconfirmed, said);
                return Ok(());
            }
            Err(_) => {}
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = run.context.cancel.cancelled() => {
                deployed.ends(Verdict::Unconfirmed, cancelled());
                return Ok(());
            }
        }
    }
}

async fn ended(
    run: &Run<'_>,
    held: &Held,
    deployed: &mut Deployed,
    made: &Made,
    found: Found,
    why: &str,
) -> Result<(), TaskError> {
    let (verdict, status, what) = match found {
        Found::Undone => (Verdict::RolledBack, Status::RolledBack, "the change was undone"),
        Found::Back if made.timer.is_zero() => {
            (Verdict::RolledBack, Status::RolledBack, "the change was undone")
        }
        Found::Back if made.answered => {
            (Verdict::RolledBack, Status::RolledBack, "the router rolled back by itself")
        }
        Found::Back => (Verdict::Failed, Status::Failed, "nothing of the change is in force"),
        Found::Other if made.asked.is_some() => {
            // The record stays as it is: the next run compares what runs with what was to run.
            deployed.ends(Verdict::Unconfirmed, format!("{why}; {UNTOLD}"));
            return Ok(());
        }
        Found::Other => {
            (Verdict::Unknown, Status::Unknown, "the router runs something else than before; look at it")
        }
    };
    let said = format!("{why}; {what}");
    deployed.ends(verdict, said.clone());
    run.end(held, (made.id, made.planned), status, said).await
}
