//! What a run says about itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use pm_store::entities::autonomous_system::AutonomousSystem;
use pm_store::irr::{Kind, Verdict};
use pm_store::jobs::{Level, Outcome};
use serde::{Deserialize, Serialize};

use crate::{Done, Reporter, TaskError};

/// Lists that one reason names in the summary, and reasons that it gives; all of them are in the log and in the data.
const NAMED: usize = 20;

/// What a run did, as it is kept in the job record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IrrReport {
    /// Autonomous systems looked at.
    pub autonomous_systems: usize,
    /// Lists that changed.
    pub changed: usize,
    /// Lists found as they were.
    pub same: usize,
    /// Lists that the operator does not want.
    pub off: usize,
    /// Lists longer than the operator wants.
    pub too_big: Vec<Told>,
    /// Lists held back for review.
    pub held: Vec<Told>,
    /// Lists for which there was no usable answer.
    pub failed: Vec<Told>,
    /// Lists that lack what is behind one of several names, because it does not exist.
    #[serde(default)]
    pub incomplete: Vec<Told>,
    /// AS numbers that somebody edited while the run was at work, left for the next run.
    pub edited: Vec<i64>,
    /// AS numbers that were asked for and are not in the database.
    pub missing: Vec<i64>,
    /// What was noticed, by AS number: parts of an AS-SET field that are no name, names in several sources, …
    pub notes: BTreeMap<i64, Vec<String>>,
    /// Questions sent to IRR servers.
    pub queries: u64,
}

/// One list, and what there is to say about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// AS number.
    pub asn: i64,
    /// `ipv6`, `ipv4` or `as_list`.
    pub list: String,
    /// What there is to say.
    pub reason: String,
}

/// The report while it grows.
pub(super) struct Report {
    kept: IrrReport,
    asked: usize,
    unreachable: usize,
}

impl Report {
    pub(super) fn new(autonomous_systems: usize) -> Self {
        let kept = IrrReport { autonomous_systems, ..IrrReport::default() };
        Self { kept, asked: 0, unreachable: 0 }
    }

    /// A list was asked for, and perhaps nobody answered.
    pub(super) fn asked(&mut self, unreachable: bool) {
        self.asked += 1;
        self.unreachable += usize::from(unreachable);
    }

    /// These were asked for and are not there.
    pub(super) fn missing(&mut self, asns: Vec<i64>) {
        self.kept.missing = asns;
    }

    /// Questions were sent.
    pub(super) fn queries(&mut self, sent: u64) {
        self.kept.queries += sent;
    }

    /// Something was noticed about an autonomous system; said once, and only to who looks closely: there is something
    /// to be noticed about many a field, every night.
    pub(super) fn note(&mut self, reporter: &Reporter, asn: i64, note: &str) {
        let notes = self.kept.notes.entry(asn).or_default();
        if !notes.iter().any(|known| known == note) {
            notes.push(note.to_owned());
            reporter.say(Level::Default, Some(format!("AS{asn}")), &format!("AS{asn}: {note}"));
        }
    }

    /// Somebody edited it in the meantime.
    pub(super) fn edited(&mut self, reporter: &Reporter, asn: i64) {
        reporter.warning(format!(
            "AS{asn}: edited while its lists were fetched; the next run fetches them again"
        ));
        self.kept.edited.push(asn);
    }

    /// What was decided about an autonomous system.
    pub(super) fn tell(
        &mut self,
        reporter: &Reporter,
        system: &AutonomousSystem,
        verdicts: &[(Kind, Verdict)],
        lacking: &[(Kind, String)],
    ) {
        self.lacks(reporter, system.asn, verdicts, lacking);
        let mut line = format!("AS{}:", system.asn);
        let mut parts = Vec::new();
        for (kind, verdict) in verdicts {
            let what = if *kind == Kind::AsList { "ASNs in list" } else { kind.as_str() };
            let told = |reason: String| Told { asn: system.asn, list: kind.as_str().to_owned(), reason };
            match verdict {
                Verdict::Same { .. } => {
                    self.kept.same += 1;
                    parts.push(format!("{what} unchanged"));
                }
                Verdict::Replaced { list, .. } => {
                    self.kept.changed += 1;
                    parts.push(format!("{} {what}", list.entries));
                }
                Verdict::TooBig { entries } => {
                    self.kept.too_big.push(told(format!("{entries} entries")));
                    parts.push(format!("{entries} {what} (ignored)"));
                }
                Verdict::Off => {
                    self.kept.off += 1;
                    parts.push(format!("{what} off"));
                }
                Verdict::Held { reason, .. } => self.kept.held.push(told(reason.clone())),
                Verdict::Failed { why } => self.kept.failed.push(told(why.clone())),
            }
        }
        if !parts.is_empty() {
            let _ = write!(line, " {}", parts.join(", "));
            reporter.detail(line);
        }
        let mut said: Vec<(Level, String, Vec<&str>)> = Vec::new();
        for (kind, verdict) in verdicts {
            let (level, what) = match verdict {
                Verdict::Held { reason, .. } => (Level::Warning, format!("held back, {reason}")),
                Verdict::Failed { why } => (Level::Failure, format!("kept as it was: {why}")),
                _ => continue,
            };
            match said.iter_mut().find(|(_, known, _)| *known == what) {
                Some((_, _, kinds)) => kinds.push(kind.as_str()),
                None => said.push((level, what, vec![kind.as_str()])),
            }
        }
        for (level, what, kinds) in said {
            let object = Some(format!("AS{}", system.asn));
            reporter.say(level, object, &format!("AS{} {}: {what}", system.asn, kinds.join(", ")));
        }
    }

    /// Lists that are in use although one of several names does not exist. Of the others their verdict says it.
    fn lacks(
        &mut self,
        reporter: &Reporter,
        asn: i64,
        verdicts: &[(Kind, Verdict)],
        lacking: &[(Kind, String)],
    ) {
        let mut said: Option<&str> = None;
        for (kind, reason) in lacking {
            let used = |verdict: &Verdict| !matches!(verdict, Verdict::Held { .. } | Verdict::Failed { .. });
            if !verdicts.iter().any(|(of, verdict)| of == kind && used(verdict)) {
                continue;
            }
            let (list, reason) = (kind.as_str().to_owned(), reason.clone());
            self.kept.incomplete.push(Told { asn, list, reason });
        }
        for told in self.kept.incomplete.iter().filter(|told| told.asn == asn) {
            if said != Some(&told.reason) {
                let text = format!("AS{asn}: taken without one of its names: {}", told.reason);
                reporter.say(Level::Warning, Some(format!("AS{asn}")), &text);
                said = Some(&told.reason);
            }
        }
    }

    /// The end of the run.
    pub(super) fn finish(self, reporter: &Reporter) -> Result<Done, TaskError> {
        let report = self.kept;
        let troubles = troubles(&report);
        if self.asked > 0 && self.asked == self.unreachable {
            let why = format!("No list could be fetched, and all were kept.{troubles}");
            return Err(TaskError::Unanswered { why, pause: Duration::ZERO });
        }
        let mut summary = format!(
            "Finished: {} autonomous systems, {} lists changed, {} unchanged",
            report.autonomous_systems, report.changed, report.same
        );
        for (count, what) in [(report.off, "off"), (report.too_big.len(), "over the limit and hidden")] {
            if count > 0 {
                let _ = write!(summary, ", {count} {what}");
            }
        }
        let _ = write!(summary, ".{troubles}");
        let partly = !report.held.is_empty()
            || !report.failed.is_empty()
            || !report.incomplete.is_empty()
            || !report.edited.is_empty()
            || !report.missing.is_empty();
        let outcome = match (partly, report.changed) {
            (true, _) => Outcome::Partial,
            (false, 0) => Outcome::NothingToDo,
            (false, _) => Outcome::Ok,
        };
        if !report.notes.is_empty() {
            reporter.warning(format!(
                "Something was noticed about the AS-SETs of {} autonomous systems; -v and `jobs show` say what.",
                report.notes.len()
            ));
        }
        if !report.held.is_empty() {
            reporter.info("`irr review` shows what is held back, `irr accept` takes it.");
        }
        Ok(Done { outcome, summary, data: serde_json::to_value(report).unwrap_or_default() })
    }
}

/// Each autonomous system that is left without what was asked for, and why.
fn troubles(report: &IrrReport) -> String {
    let mut text = String::new();
    let lists = [
        ("Held back", &report.held),
        ("Kept as they were", &report.failed),
        ("Without one of their names", &report.incomplete),
    ];
    for (what, told) in lists {
        let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for of_one in told.chunk_by(|one, next| one.asn == next.asn && one.reason == next.reason) {
            let kinds: Vec<&str> = of_one.iter().map(|told| told.list.as_str()).collect();
            let name = format!("AS{} {}", of_one[0].asn, kinds.join(" "));
            by_reason.entry(&of_one[0].reason).or_default().push(name);
        }
        let unsaid = by_reason.len().saturating_sub(NAMED);
        let mut reasons: Vec<String> = by_reason
            .iter()
            .take(NAMED)
            .map(|(reason, lists)| {
                let more = lists.len().saturating_sub(NAMED);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!("{}{more} ({reason})", lists[..lists.len().min(NAMED)].join(", "))
            })
            .collect();
        if unsaid > 0 {
            reasons.push(format!("and more for {unsaid} other reasons, see the log"));
        }
        if !reasons.is_empty() {
            let _ = write!(text, " {what}: {}.", reasons.join("; "));
        }
    }
    if !report.missing.is_empty() {
        let asns: Vec<String> = report.missing.iter().map(|asn| format!("AS{asn}")).collect();
        let _ = write!(text, " Not in the database: {}.", asns.join(", "));
    }
    if !report.edited.is_empty() {
        let asns: Vec<String> = report.edited.iter().map(|asn| format!("AS{asn}")).collect();
        let _ = write!(text, " Edited meanwhile: {}.", asns.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{NoSink, SystemClock};

    #[test]
    fn servers_that_do_not_answer_may_come_back() {
        let reporter = Reporter::new(Arc::new(SystemClock), Arc::new(NoSink));
        let ends = |unreachable: &[bool]| {
            let mut report = Report::new(1);
            for one in unreachable {
                report.asked(*one);
            }
            report.finish(&reporter)
        };
        let error = ends(&[true, true]).unwrap_err();
        assert!(matches!(error, TaskError::Unanswered { .. }) && error.may_pass(), "{error:?}");
        assert!(ends(&[true, false]).is_ok(), "one of them answered");
    }
}
