//! Junos's operations (Juniper, "Junos XML Management Protocol Developer Guide").

use std::fmt::Write as _;

use super::config::{Commit, Refusal, State, difference};
use super::junos_bgp;
use super::xml::{Node, escape};
use crate::routers::tree::{block, from_braces, merge_braces, merge_commands, value};

type Answer = Result<String, Refusal>;

pub(super) fn answer(state: &mut State, session: u64, user: &str, operation: &Node) -> Answer {
    match operation.name.as_str() {
        "lock-configuration" => lock(state, session, user),
        "unlock-configuration" => unlock(state, session),
        "open-configuration" => open(state, session, operation),
        "close-configuration" => match state.private.remove(&session) {
            Some(_) => Ok("<ok/>".into()),
            None => Err(Refusal::new("operation-failed", "no configuration is open")),
        },
        "load-configuration" => load(state, session, operation),
        "get-configuration" => get(state, session, operation),
        "commit-configuration" => commit(state, session, user, operation),
        "get-commit-information" => Ok(commits(state)),
        "get-commit-revision-information" => Ok(revision(state)),
        "get-system-uptime-information" => Ok(format!(
            "<system-uptime-information><current-time><date-time junos:seconds=\"{}\">now</date-time></current-time>\
             <system-booted-time><time-length junos:seconds=\"86400\">1 day</time-length></system-booted-time>\
             </system-uptime-information>",
            state.now()
        )),
        "get-system-information" => {
            let running = from_braces(state.running()).unwrap_or_default();
            let name = value(block(&running, "system"), "host-name").unwrap_or("edge1");
            Ok(format!(
                "<system-information><hardware-model>mx204</hardware-model><os-name>junos</os-name>\
                 <os-version>23.4R1.10</os-version><host-name>{}</host-name></system-information>",
                escape(name)
            ))
        }
        name => {
            let of = operation.text_of("instance");
            let instance = of.map(|instance| format!(" {instance}")).unwrap_or_default();
            let found = state.options.answers.get(&format!("{name}{instance}")).cloned();
            found.or_else(|| junos_bgp::answer(name, of, &state.bgp()?)).ok_or_else(|| Refusal::unknown(name))
        }
    }
}

fn locked_by(user: &str) -> Refusal {
    Refusal::new(
        "protocol-error",
        format!(
            "configuration database locked by:\n  {user} terminal p0 (pid 4242) on since 2026-11-01 08:00:00 UTC\n    exclusive [edit]"
        ),
    )
}

fn lock(state: &mut State, session: u64, user: &str) -> Answer {
    if state.lock.is_some() {
        return Err(locked_by(user));
    }
    if state.candidate != state.running() {
        return Err(Refusal::new("protocol-error", "configuration database modified"));
    }
    state.lock = Some(session);
    Ok("<ok/>".into())
}

fn unlock(state: &mut State, session: u64) -> Answer {
    if state.lock != Some(session) {
        return Err(Refusal::new("operation-failed", "configuration database is not locked"));
    }
    state.lock = None;
    Ok("<ok/>".into())
}

fn open(state: &mut State, session: u64, operation: &Node) -> Answer {
    if operation.child("private").is_none() {
        return Err(Refusal::unknown("open-configuration"));
    }
    if state.lock.is_some() {
        return Err(locked_by("someone"));
    }
    let running = state.running().to_owned();
    state.private.insert(session, running);
    Ok("<rpc-error><error-severity>warning</error-severity><error-message>uncommitted changes will be discarded on exit\
        </error-message></rpc-error><ok/>"
        .into())
}

/// What this session edits.
fn candidate(state: &State, session: u64) -> &str {
    state.private.get(&session).map_or(&state.candidate, |own| own)
}

fn set_candidate(state: &mut State, session: u64, text: String) -> Result<(), Refusal> {
    if let Some(own) = state.private.get_mut(&session) {
        *own = text;
        return Ok(());
    }
    if state.lock.is_some_and(|holder| holder != session) {
        return Err(locked_by("someone"));
    }
    state.candidate = text;
    Ok(())
}

fn load(state: &mut State, session: u64, operation: &Node) -> Answer {
    let results = |body: &str| format!("<load-configuration-results>{body}</load-configuration-results>");
    if let Some(number) = operation.attribute("rollback") {
        let commit = number.parse::<usize>().ok().and_then(|number| state.commits.get(number));
        let text = commit.ok_or_else(|| Refusal::new("operation-failed", "no such rollback"))?.config.clone();
        set_candidate(state, session, text)?;
        return Ok(results("<ok/>"));
    }
    let action = operation.attribute("action").unwrap_or("merge");
    let format = operation.attribute("format").unwrap_or("xml");
    let holder = match (action, format) {
        ("set", "text") => "configuration-set",
        (_, "text") => "configuration-text",
        (_, "json") => "configuration-json",
        (_, "xml") => "configuration",
        _ => return Err(Refusal::unknown("load-configuration")),
    };
    let [content] = operation.children.as_slice() else { return Err(Refusal::unknown("load-configuration")) };
    if content.name != holder {
        return Err(Refusal::unknown(&content.name));
    }
    let text = if format == "xml" { curly(&content.children, 0) } else { content.text.clone() };
    let opened = text.matches('{').count();
    if format == "text" && opened != text.matches('}').count() {
        return Ok(results(&Refusal::new("operation-failed", "syntax error: missing brace").xml()));
    }
    if let Some(line) = text.lines().find(|line| line.contains("bogus")) {
        let mut refusal = Refusal::new("operation-failed", format!("syntax error: {line}"));
        refusal.info = "<bad-element>bogus</bad-element>".into();
        return Ok(results(&refusal.xml()));
    }
    let old = candidate(state, session);
    let new = match (action, format) {
        ("override", _) => from_braces(&text).map(|_| (text, true)),
        ("set", _) => merge_commands(old, &text),
        ("merge" | "replace", _) => merge_braces(old, &text),
        _ => return Err(Refusal::unknown("load-configuration")),
    };
    let (new, found) = match new {
        Ok(new) => new,
        Err(why) => return Ok(results(&Refusal::new("operation-failed", why).xml())),
    };
    set_candidate(state, session, new)?;
    let warning = "<rpc-error><error-severity>warning</error-severity><error-message>\nstatement not found\n</error-message></rpc-error>";
    Ok(results(&format!("{}<ok/>", if found { "" } else { warning })))
}

/// XML as it is shown to people.
fn curly(nodes: &[Node], depth: usize) -> String {
    let indent = "    ".repeat(depth);
    nodes.iter().fold(String::new(), |mut out, node| {
        let text = node.text.trim();
        let _ = match (node.children.as_slice(), text) {
            ([], "") => writeln!(out, "{indent}{};", node.name),
            ([], text) => writeln!(out, "{indent}{} {text};", node.name),
            (children, _) => {
                writeln!(out, "{indent}{} {{\n{}{indent}}}", node.name, curly(children, depth + 1))
            }
        };
        out
    })
}

fn get(state: &State, session: u64, operation: &Node) -> Answer {
    if operation.attribute("format") != Some("text") {
        return Err(Refusal::unknown("get-configuration"));
    }
    if operation.attribute("compare") == Some("rollback") {
        let number = operation.attribute("rollback").and_then(|number| number.parse::<usize>().ok());
        let commit = number.and_then(|number| state.commits.get(number));
        let old = &commit.ok_or_else(|| Refusal::new("operation-failed", "no such rollback"))?.config;
        let text = difference(old, candidate(state, session));
        let text = if text.is_empty() { text } else { format!("[edit]\n{text}") };
        return Ok(format!(
            "<configuration-information><configuration-output>\n{}</configuration-output></configuration-information>",
            escape(&text)
        ));
    }
    let text = match operation.attribute("database") {
        Some("committed") => state.running(),
        None | Some("candidate") => candidate(state, session),
        Some(_) => return Err(Refusal::unknown("get-configuration")),
    };
    Ok(format!("<configuration-text>\n{}</configuration-text>", escape(text)))
}

fn commit(state: &mut State, session: u64, user: &str, operation: &Node) -> Answer {
    if let Some(unknown) = operation.unknown(&["confirmed", "confirm-timeout", "log"]) {
        return Err(Refusal::unknown(&unknown.name));
    }
    if state.lock.is_some_and(|holder| holder != session) {
        return Err(locked_by("someone"));
    }
    let new = candidate(state, session).to_owned();
    if new.contains("refused-later") {
        return Ok(format!(
            "<commit-results>{}</commit-results>",
            Refusal::new("operation-failed", "commit failed: group not defined").xml()
        ));
    }
    let log = operation.text_of("log").unwrap_or_default().to_owned();
    if operation.child("confirmed").is_some() {
        let minutes: u64 = match operation.text_of("confirm-timeout").unwrap_or("10").parse() {
            Ok(minutes @ 1..=65_535) => minutes,
            _ => return Err(Refusal::new("invalid-value", "confirm-timeout is 1 to 65535 minutes")),
        };
        let before = state.running().to_owned();
        state.commit(new.clone(), user, &format!("commit confirmed, rollback in {minutes}mins"), &log);
        state.wait(minutes * 60, before, None, session);
    } else {
        // Whoever commits confirms what waits.
        state.pending = None;
        state.commit(new.clone(), user, "", &log);
    }
    // A candidate of its own came into force as a whole, and the shared one starts from there.
    state.candidate = new;
    Ok("<ok/>".into())
}

fn commits(state: &State) -> String {
    let mut out = String::from("<commit-information>");
    for (number, commit) in state.commits.iter().enumerate() {
        let _ = write!(out, "<commit-history><sequence-number>{number}</sequence-number>{}", told(commit));
        out.push_str("</commit-history>");
    }
    out + "</commit-information>"
}

/// The last commit alone (Junos 14.1 and later).
fn revision(state: &State) -> String {
    let number = state.commits.len();
    let last = state.commits.first().map(told).unwrap_or_default();
    format!(
        "<commit-revision-information><revision>re0-1750000000-{number}</revision>{last}</commit-revision-information>"
    )
}

fn told(commit: &Commit) -> String {
    let mut out = format!(
        "<user>{}</user><client>netconf</client><date-time junos:seconds=\"{}\">then</date-time>",
        escape(&commit.user),
        commit.at
    );
    for (name, text) in [("comment", &commit.comment), ("log", &commit.log)] {
        if !text.is_empty() {
            let _ = write!(out, "<{name}>{}</{name}>", escape(text));
        }
    }
    out
}
