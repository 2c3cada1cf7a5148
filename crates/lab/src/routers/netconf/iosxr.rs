//! NETCONF as IOS-XR has it, with the configuration as text (`Cisco-IOS-XR-cli-cfg`).

use super::config::{Refusal, State, difference};
use super::iosxr_bgp;
use super::xml::{BASE, Node, escape};
use crate::routers::tree::{from_indentation, merge_indentation, value};

/// Operations of the vendor's own.
const DIFF: &str = "http://cisco.com/ns/yang/Cisco-IOS-XR-cli-diff-act";
const ROLL_BACK: &str = "http://cisco.com/ns/yang/Cisco-IOS-XR-cfgmgr-rollback-act";
const CLI: &str = "http://cisco.com/ns/yang/Cisco-IOS-XR-cli-cfg";
const BASE_1_1: &str = "urn:ietf:params:xml:ns:netconf:base:1.1";
const HEADER: &str = "!! IOS XR Configuration 7.5.2\n";

type Answer = Result<String, Refusal>;

pub(super) fn answer(state: &mut State, session: u64, user: &str, operation: &Node) -> Answer {
    let ok = || Ok("<ok/>".to_owned());
    let namespace = match operation.name.as_str() {
        "get-cli-config-diff" => DIFF,
        "roll-back-configuration-last" => ROLL_BACK,
        _ => BASE,
    };
    // IOS-XR takes NETCONF's own elements in the namespace of either version.
    if operation.namespace != namespace && !(namespace == BASE && operation.namespace == BASE_1_1) {
        return Err(Refusal::unknown(&operation.name));
    }
    match operation.name.as_str() {
        "lock" => {
            is_candidate(operation)?;
            if let Some(holder) = state.lock {
                let mut refusal = Refusal::new("lock-denied", "Lock failed, lock is already held");
                refusal.info = format!("<session-id>{holder}</session-id>");
                return Err(refusal);
            }
            if state.candidate != state.running() {
                return Err(Refusal::new("resource-denied", "the candidate is modified"));
            }
            state.lock = Some(session);
            ok()
        }
        "unlock" => {
            is_candidate(operation)?;
            if state.lock != Some(session) {
                return Err(Refusal::new("operation-failed", "the lock is not yours"));
            }
            state.lock = None;
            state.candidate = state.running().to_owned();
            ok()
        }
        "edit-config" => {
            is_free(state, session)?;
            is_candidate(operation)?;
            if let Some(unknown) =
                operation.unknown(&["target", "error-option", "default-operation", "config"])
            {
                return Err(Refusal::unknown(&unknown.name));
            }
            state.candidate = merge_indentation(&state.candidate, &text(operation.child("config"))?);
            ok()
        }
        "copy-config" => {
            is_free(state, session)?;
            is_candidate(operation)?;
            state.candidate = text(operation.child("source").and_then(|source| source.child("config")))?;
            ok()
        }
        "discard-changes" => {
            is_free(state, session)?;
            state.candidate = state.running().to_owned();
            ok()
        }
        "get-config" => get_config(state, operation),
        "get-cli-config-diff" => {
            let text = difference(state.running(), &state.candidate);
            Ok(format!(
                "<cli-diff xmlns=\"{DIFF}\">Building configuration...\n{HEADER}{}end\n</cli-diff>",
                escape(&text)
            ))
        }
        "commit" => commit(state, session, user, operation),
        "cancel-commit" => {
            is_ours(state, session, operation)?;
            state.undo();
            ok()
        }
        "roll-back-configuration-last" => {
            is_free(state, session)?;
            let before = state.commits.get(1).map(|commit| commit.config.clone());
            let before = before.ok_or_else(|| Refusal::new("operation-failed", "no commit before this"))?;
            state.commit(before, user, "", "");
            state.candidate = state.running().to_owned();
            ok()
        }
        "kill-session" => {
            let id = operation.text_of("session-id").and_then(|id| id.parse().ok());
            let id: u64 =
                id.filter(|&id| id != session).ok_or_else(|| Refusal::new("invalid-value", "session-id"))?;
            state.killed.push(id);
            state.end(id);
            ok()
        }
        "get" => get(state, operation),
        name => Err(Refusal::unknown(name)),
    }
}

fn is_candidate(operation: &Node) -> Result<(), Refusal> {
    let target = operation.child("target").ok_or_else(|| Refusal::new("missing-element", "target"))?;
    target
        .child("candidate")
        .map(drop)
        .ok_or_else(|| Refusal::new("operation-not-supported", "running is read-only"))
}

fn is_free(state: &State, session: u64) -> Result<(), Refusal> {
    match state.lock {
        Some(holder) if holder != session => {
            Err(Refusal::new("in-use", format!("session {holder} has the lock")))
        }
        _ => Ok(()),
    }
}

/// That a commit waits and that it may be confirmed or undone by this.
fn is_ours(state: &State, session: u64, operation: &Node) -> Result<(), Refusal> {
    let unknown = || Refusal::new("invalid-value", "no such confirmed commit");
    let pending = state.pending.as_ref().ok_or_else(unknown)?;
    let named = operation.text_of("persist-id");
    let fits = match &pending.persist {
        Some(name) => named == Some(name),
        None => named.is_none() && pending.session == session,
    };
    if fits { Ok(()) } else { Err(unknown()) }
}

/// The text of a configuration.
fn text(config: Option<&Node>) -> Result<String, Refusal> {
    let config = config.ok_or_else(|| Refusal::new("missing-element", "config"))?;
    let [cli] = config.children.as_slice() else { return Err(Refusal::new("missing-element", "cli")) };
    if cli.name != "cli" || cli.namespace != CLI {
        return Err(Refusal::unknown(&cli.name));
    }
    if let Some(line) = cli.text.lines().find(|line| line.contains("bogus")) {
        return Err(Refusal::new(
            "operation-failed",
            format!("'CLI' detected the 'fatal' condition: {line}"),
        ));
    }
    Ok(cli.text.clone())
}

/// What a subtree filter asks for, as far as it is there.
fn get(state: &mut State, operation: &Node) -> Answer {
    let filter = operation.child("filter").ok_or_else(|| Refusal::new("missing-element", "filter"))?;
    if filter.attribute("type").is_some_and(|kind| kind != "subtree") {
        return Err(Refusal::new("bad-attribute", "type"));
    }
    let answers = &state.options.answers;
    let mut inner: String = match answers.get("get") {
        Some(all) => all.clone(),
        None => filter.children.iter().filter_map(|one| answers.get(&one.name)).cloned().collect(),
    };
    let instance = filter.child("bgp").and_then(|bgp| bgp.child("instances")?.child("instance"));
    let wanted = instance.and_then(|one| one.text_of("instance-name")).filter(|name| !name.is_empty());
    if wanted.is_some_and(|name| !inner.contains(&format!("<instance-name>{name}</instance-name>"))) {
        inner.clear();
    }
    if let Some(sessions) = state.bgp() {
        let running = from_indentation(state.running());
        let name = value(&running, "hostname").unwrap_or("ios");
        inner.push_str(&iosxr_bgp::answer(Some(filter), name, &sessions));
    }
    Ok(format!("<data>{inner}</data>"))
}

fn get_config(state: &State, operation: &Node) -> Answer {
    let source = operation.child("source").ok_or_else(|| Refusal::new("missing-element", "source"))?;
    let cli = operation.child("filter").and_then(|filter| filter.child("cli"));
    if cli.is_none_or(|cli| cli.namespace != CLI) {
        return Err(Refusal::new("operation-not-supported", "only the configuration as text is here"));
    }
    let text = if source.child("running").is_some() { state.running() } else { &state.candidate };
    Ok(format!(
        "<data><cli xmlns=\"{CLI}\">{HEADER}!! Last change at {}\n{}end\n</cli></data>",
        state.now(),
        escape(text)
    ))
}

fn commit(state: &mut State, session: u64, user: &str, operation: &Node) -> Answer {
    if let Some(unknown) = operation.unknown(&["confirmed", "confirm-timeout", "persist", "persist-id"]) {
        return Err(Refusal::unknown(&unknown.name));
    }
    is_free(state, session)?;
    if operation.child("persist-id").is_some() {
        is_ours(state, session, operation)?;
    } else if state.pending.as_ref().is_some_and(|one| one.persist.is_some() || one.session != session) {
        return Err(Refusal::new("in-use", "a confirmed commit waits"));
    }
    if state.candidate.contains("refused-later") {
        return Err(Refusal::new("operation-failed", "commit failed: no such route-policy"));
    }
    let new = state.candidate.clone();
    let before = state.running().to_owned();
    if operation.child("confirmed").is_some() {
        let seconds: u64 = match operation.text_of("confirm-timeout").unwrap_or("600").parse() {
            Ok(seconds @ 1..=65_535) => seconds,
            _ => return Err(Refusal::new("invalid-value", "confirm-timeout is 1 to 65535 seconds")),
        };
        state.commit(new, user, "", "");
        let persist = operation.text_of("persist").map(str::to_owned);
        state.wait(seconds, before, persist, session);
    } else {
        state.pending = None;
        if new != before {
            state.commit(new, user, "", "");
        }
    }
    Ok("<ok/>".into())
}
