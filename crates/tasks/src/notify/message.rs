//! What e-mails say: short, in plain text, with the object's name and what to do.

use pm_store::events::{Event, EventKind};
use pm_store::jobs::Job;
use pm_store::notifications::Delivery;

/// Subject and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) subject: String,
    pub(super) body: String,
}

/// What an e-mail says of an event. `prefix` begins every subject, and `rule` has asked for the message.
pub(super) fn of_event(
    event: &Event,
    job: Option<&Job>,
    delivery: &Delivery,
    prefix: Option<&str>,
    rule: Option<&str>,
) -> Text {
    let mut lines =
        vec![format!("{}, at {}.", sentence(&event.title), event.time.format("%Y-%m-%d %H:%M:%S UTC"))];
    if !event.message.is_empty() {
        lines.extend([String::new(), event.message.clone()]);
    }
    if let Some(job) = job {
        lines.extend([String::new(), format!("The job was: {} {}", job.task, job.arguments)]);
    }
    if let (folded @ 1.., Some(since)) = (delivery.folded, delivery.folded_since) {
        let times = if folded == 1 { "once".to_owned() } else { format!("{folded} times") };
        let since = since.format("%Y-%m-%d %H:%M:%S UTC");
        lines.extend([String::new(), format!("The same happened {times} since {since} without a message.")]);
    }
    lines.extend([String::new(), what_to_do(event)]);
    lines.extend([String::new(), "-- ".to_owned(), why_you(rule)]);
    Text { subject: subject(prefix, &event.title), body: lines.join("\n") + "\n" }
}

/// A message that only shows that messages arrive.
pub(super) fn trial(prefix: Option<&str>, rule: &str) -> Text {
    Text {
        subject: subject(prefix, "test message"),
        body: format!(
            "This message was sent by hand, to see whether messages arrive. Nothing has happened.\n\n-- \n{}\n",
            why_you(Some(rule))
        ),
    }
}

fn subject(prefix: Option<&str>, text: &str) -> String {
    match prefix.map(str::trim).filter(|prefix| !prefix.is_empty()) {
        Some(prefix) => format!("{prefix} {text}"),
        None => text.to_owned(),
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn what_to_do(event: &Event) -> String {
    let log = event
        .job
        .map(|job| format!("`peering-manager jobs show {job}` has the log of the job."))
        .unwrap_or_default();
    match event.kind {
        EventKind::JobCompleted | EventKind::SessionUp | EventKind::GuardPassed | EventKind::ScheduleRun => {
            format!("There is nothing to do. {log}").trim_end().to_owned()
        }
        EventKind::JobFailed | EventKind::JobPartial => log,
        EventKind::JobLost => format!("See whether its host is well, and whether a worker is at work. {log}"),
        EventKind::JobCancelled => format!("Start it again if it was not ended on purpose. {log}"),
        EventKind::SessionDown => {
            "`peering-manager sessions list` shows the sessions of the router, `sessions show` the history of one.".to_owned()
        }
        EventKind::GuardHeld => format!(
            "Nothing was changed. Look whether what the guard saw is right before you overrule it. {log}"
        ),
        EventKind::ScheduleMissed => {
            "See whether the scheduler and a worker are at work: `peering-manager doctor` says.".to_owned()
        }
    }
}

fn why_you(rule: Option<&str>) -> String {
    match rule {
        Some(rule) => format!("You get this because of the notification rule {rule} of Peering Manager."),
        None => {
            "You get this because of a notification rule of Peering Manager that is gone by now.".to_owned()
        }
    }
}
