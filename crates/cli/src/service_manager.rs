//! Tells the service manager how this process fares (`sd_notify(3)`, `Type=notify`, `WatchdogSec=`): ready after the first good
//! round of each loop, what it is at, and a sign of life only while the loops turn. Without one, all of it does nothing.

use std::time::Duration;

use pm_tasks::Pulse;
use sd_notify::NotifyState;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The longest time between two looks at the loops.
const LOOK: Duration = Duration::from_secs(5);
/// How often a loop looks around when there is nothing to do, at the longest; it may take as long again on a busy database.
const PATIENCE: Duration = Duration::from_secs(15);

/// What tells; see [`tell`].
#[must_use = "it is ended before the process is"]
pub(crate) struct Telling(JoinHandle<()>);

/// Begins to tell, also that the process is about to stop once `stopping` is cancelled.
pub(crate) fn tell(pulses: Vec<Pulse>, stopping: CancellationToken) -> Telling {
    Telling(tokio::spawn(async move {
        tell_to(send, sd_notify::watchdog_enabled(), &pulses, stopping).await;
    }))
}

impl Telling {
    /// Ends it. One that stopped faster than it could be told of says so here; a second time does no harm.
    pub(crate) fn end(self) {
        self.0.abort();
        send(&[NotifyState::Stopping]);
    }
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}

async fn tell_to(
    send: impl Fn(&[NotifyState<'_>]),
    watchdog: Option<Duration>,
    pulses: &[Pulse],
    stopping: CancellationToken,
) {
    let works = async {
        for pulse in pulses {
            pulse.works().await;
        }
    };
    if stopping.run_until_cancelled(works).await.is_some() {
        send(&[NotifyState::Ready]);
    }
    let step = watchdog.map_or(LOOK, |limit| (limit / 3).min(LOOK));
    let hangs = watchdog.map(|limit| (limit / 2).max(PATIENCE.min(limit)));
    let (mut said, mut announced) = (String::new(), false);
    loop {
        if stopping.is_cancelled() && !announced {
            announced = true;
            send(&[NotifyState::Stopping]);
        }
        let status = status(pulses, announced);
        if status != said {
            send(&[NotifyState::Status(&status)]);
            said = status;
        }
        let hung = pulses.iter().find(|pulse| hangs.is_some_and(|limit| !announced && pulse.hangs(limit)));
        match (hung, watchdog) {
            (Some(pulse), _) => tracing::error!("the loop of the {} does not turn any more", pulse.name()),
            (None, Some(_)) => send(&[NotifyState::Watchdog]),
            (None, None) => {}
        }
        tokio::select! {
            () = tokio::time::sleep(step) => {}
            () = stopping.cancelled(), if !announced => {}
        }
    }
}

/// A line for `systemctl status`.
fn status(pulses: &[Pulse], stopping: bool) -> String {
    let busy: usize = pulses.iter().map(Pulse::busy).sum();
    let jobs = match busy {
        0 => "no job runs".to_owned(),
        1 => "1 job runs".to_owned(),
        many => format!("{many} jobs run"),
    };
    match (stopping, pulses.is_empty()) {
        (true, _) if busy > 0 => format!("stopping; {jobs}"),
        (true, _) => "stopping".to_owned(),
        (false, true) => "at work".to_owned(),
        (false, false) => format!("at work; {jobs}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    const LIMIT: Duration = Duration::from_mins(3);

    /// What was told since the last look.
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<String>>>);

    impl Heard {
        fn take(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().unwrap())
        }

        fn begin(&self, pulse: &Pulse, stopping: &CancellationToken) {
            let (heard, pulses, stopping) = (self.clone(), [pulse.clone()], stopping.clone());
            tokio::spawn(async move {
                let send = |states: &[NotifyState<'_>]| {
                    heard.0.lock().unwrap().extend(states.iter().map(ToString::to_string));
                };
                tell_to(send, Some(LIMIT), &pulses, stopping).await;
            });
        }
    }

    async fn pass(time: Duration) {
        tokio::time::sleep(time).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_hangs_gives_no_sign_of_life() {
        let (heard, pulse, stopping) = (Heard::default(), Pulse::new("worker"), CancellationToken::new());
        heard.begin(&pulse, &stopping);
        pulse.turn(None);
        pass(LOOK * 2).await;
        assert_eq!(heard.take(), Vec::<String>::new(), "it is not ready before the first good round");
        pulse.turn(Some(1));
        pass(LOOK / 2).await;
        assert_eq!(heard.take(), ["READY=1", "STATUS=at work; 1 job runs", "WATCHDOG=1"]);
        pass(LIMIT / 3).await;
        assert!(heard.take().contains(&"WATCHDOG=1".to_owned()), "it may rest for a while");
        pass(LIMIT / 2).await;
        heard.take();
        pass(LIMIT * 2).await;
        assert_eq!(heard.take(), Vec::<String>::new(), "it hangs");
        pulse.turn(Some(0));
        pass(LOOK * 2).await;
        assert!(heard.take().contains(&"WATCHDOG=1".to_owned()), "it turns again");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_stops_is_given_its_time() {
        let (heard, pulse, stopping) = (Heard::default(), Pulse::new("worker"), CancellationToken::new());
        heard.begin(&pulse, &stopping);
        pulse.turn(Some(2));
        pass(LOOK / 2).await;
        heard.take();
        stopping.cancel();
        pass(LOOK / 10).await;
        assert_eq!(heard.take()[..2], ["STOPPING=1", "STATUS=stopping; 2 jobs run"]);
        // The loop has been left, and running jobs are waited for.
        pass(LIMIT).await;
        heard.take();
        pass(LIMIT).await;
        assert!(heard.take().contains(&"WATCHDOG=1".to_owned()));
    }

    #[test]
    fn the_line_says_what_it_is_at() {
        assert_eq!(status(&[], false), "at work");
        assert_eq!(status(&[Pulse::new("worker")], false), "at work; no job runs");
        assert_eq!(status(&[], true), "stopping");
    }
}
