//! A file or a repository in place of a router: nothing is confirmed, nobody is asked about sessions.

use pm_router::{ConfigText, FileCandidate, FileError, How, Written};
use pm_store::deployments::{self, Status, Step};

use super::Run;
use super::guard::{Known, addresses};
use super::lasting::lasting;
use super::lock::Held;
use super::report::{Deployed, Verdict};
use super::router::{FORGOTTEN, Work};
use crate::TaskError;

/// Compares with the file, judges, and writes it.
pub(super) async fn write(
    run: &Run<'_>,
    work: &Work,
    held: &Held,
    deployed: &mut Deployed,
) -> Result<(), TaskError> {
    let Some((target, name)) = work.reached.ways.as_ref().ok().and_then(|ways| ways.file.as_ref()) else {
        return Ok(());
    };
    let text = ConfigText::new(work.rendering.text.as_str());
    let loaded = target.read(name).and_then(|before| Ok((before, target.load(name, &text)?)));
    let (before, candidate) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            deployed.ends(Verdict::Failed, error.to_string());
            return Ok(());
        }
    };
    let before = before.as_ref().map_or("", ConfigText::expose);
    if !run.task.dry_run {
        settle(run, work, held, deployed, before).await?;
    }
    work.shown(candidate.diff()).text().clone_into(&mut deployed.diff);
    (deployed.added, deployed.removed) = candidate.diff().counts();
    if before == work.rendering.text {
        deployed.verdict = Verdict::Unchanged;
        if run.task.dry_run {
            return Ok(());
        }
        run.has_been_met(work, held).await?;
        return carry_on(run, work, held, deployed, candidate, before).await;
    }
    let found = addresses(&work.rendering.text);
    let known = Known { running: addresses(before), ..work.known.clone() };
    let mut new = run.record(work, deployed, How::Replace, known.sessions(&found), before)?;
    let percent = run.context.config.config_max_removed_percent;
    if let Err(reason) = known.judge(&found, How::Replace, percent) {
        run.refuse(deployed, &mut new, reason);
    }
    if new.status == Status::Committing {
        run.takes_away(deployed, &mut new, &known.taken(&found, How::Replace), None);
    }
    if new.status == Status::Committing
        && let Some(planned) = &work.planned
    {
        let is = |fingerprint: &str, text: &str| run.context.keyring.is_fingerprint(fingerprint, text);
        if run.is_forgotten(&planned.candidate) {
            deployed.ends(Verdict::Refused, FORGOTTEN);
            return Ok(());
        }
        if !is(&planned.candidate, &work.rendering.text) || !is(&planned.running, &lasting(before)) {
            let said = "the configuration or the file is another one than when it was planned; plan again";
            deployed.ends(Verdict::Refused, said);
            return Ok(());
        }
    }
    if new.status == Status::Committing && run.task.dry_run {
        new.status = Status::Planned;
        deployed.verdict = Verdict::Planned;
    }
    new.warnings.clone_from(&deployed.warnings);
    if new.status != Status::Committing {
        deployed.deployment = Some(run.insert(held, &new).await?);
        return Ok(());
    }
    let id = match run.begin(work, held, &new).await? {
        Ok(id) => id,
        Err(reason) => {
            deployed.ends(Verdict::NotBegun, reason);
            return Ok(());
        }
    };
    deployed.deployment = Some(id);
    let message = run.context.config.git_commit_message.clone();
    match candidate.commit(&message).await {
        Ok(written) => {
            deployed.verdict = Verdict::Written;
            deployed.message = said(&written);
            let step = Step {
                status: Some(Status::Written),
                ended: true,
                message: deployed.message.clone(),
                in_force: Some(new.configuration),
                ..Step::default()
            };
            run.step(held, id, &step).await
        }
        Err(error) => {
            // What is committed here is there, even if nobody else has it yet.
            let is_there = matches!(error, FileError::Push { .. });
            deployed.ends(Verdict::Failed, error.to_string());
            let step = Step {
                status: Some(if is_there { Status::Written } else { Status::Failed }),
                ended: true,
                message: deployed.message.clone(),
                in_force: is_there.then_some(new.configuration),
                ..Step::default()
            };
            run.step(held, id, &step).await
        }
    }
}

/// The commit that was made or pushed, for people.
fn said(written: &Written) -> Option<String> {
    let commit =
        written.commit.as_ref().map(|commit| format!("commit {}", commit.get(..12).unwrap_or(commit)));
    match (commit, written.pushed) {
        (Some(commit), true) => Some(format!("{commit}, pushed")),
        (None, true) => Some("pushed what was left from before".to_owned()),
        (commit, false) => commit,
    }
}

/// The file holds what it should. What an earlier run could not commit or push is brought on its way, under the same conditions
/// as a deployment, and recorded as one.
async fn carry_on(
    run: &Run<'_>,
    work: &Work,
    held: &Held,
    deployed: &mut Deployed,
    candidate: FileCandidate<'_>,
    before: &str,
) -> Result<(), TaskError> {
    if let Some(reason) = run.may_not_go_on(work, held).await? {
        deployed.ends(Verdict::NotBegun, reason);
        return Ok(());
    }
    let written = match candidate.commit(&run.context.config.git_commit_message).await {
        Ok(written) => written,
        Err(error) => {
            deployed.ends(Verdict::Failed, error.to_string());
            return Ok(());
        }
    };
    let Some(message) = said(&written) else { return Ok(()) };
    deployed.ends(Verdict::Written, message);
    let found = addresses(&work.rendering.text);
    let new = run.record(work, deployed, How::Replace, work.known.sessions(&found), before)?;
    let step = Step {
        status: Some(Status::Written),
        ended: true,
        message: deployed.message.clone(),
        in_force: Some(new.configuration.clone()),
        ..Step::default()
    };
    deployed.deployment = Some(run.note(held, &new, &step).await?);
    Ok(())
}

/// What a process left half way: the file tells whether it had been written.
async fn settle(
    run: &Run<'_>,
    work: &Work,
    held: &Held,
    deployed: &mut Deployed,
    now: &str,
) -> Result<(), TaskError> {
    let keyring = &run.context.keyring;
    for one in &work.unfinished {
        let (status, what) = if keyring.is_fingerprint(&one.candidate, now) {
            (Status::Written, "the file had been written")
        } else if keyring.is_fingerprint(&one.running, &lasting(now)) {
            (Status::Failed, "nothing of it was written")
        } else {
            (Status::Unknown, "the file holds something else than before, look at it")
        };
        let message = format!("the run that made it ended before it was done; {what}");
        deployed.warnings.push(format!("deployment {}: {message}", one.id));
        let in_force = match status {
            Status::Written => {
                Some(deployments::seal(keyring, now).map_err(|error| TaskError::Failed(error.to_string()))?)
            }
            _ => None,
        };
        let step =
            Step { status: Some(status), ended: true, message: Some(message), in_force, ..Step::default() };
        run.step(held, one.id, &step).await?;
    }
    Ok(())
}
