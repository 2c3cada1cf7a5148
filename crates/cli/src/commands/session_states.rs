//! `sessions list`, `sessions show`: how sessions stand, and how old that is.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use pm_store::Store;
use pm_store::polls::{SessionKind, UNKNOWN};
use pm_tasks::sessions::{self, Asked, Details, Freshness, Seen};

use super::peeringdb::parse_asn;
use crate::ages::{moment, polled, since, span};
use crate::app::EXIT_OK;
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only on these routers, by name or hostname, comma separated
    #[arg(long, value_name = "ROUTER")]
    router: Option<String>,
    /// Only at this exchange: slug, name or number
    #[arg(long, value_name = "IX")]
    ixp: Option<String>,
    /// Only with this AS
    #[arg(long, value_name = "ASN", value_parser = parse_asn)]
    asn: Option<i64>,
    /// Only in this state: idle, connect, active, opensent, openconfirm, established or unknown
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Only those that should be up and are not, or not for certain
    #[arg(long)]
    down: bool,
    /// Only direct sessions, or only those at exchanges
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Option<Kind>,
}

/// A kind of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Over a link of their own.
    Direct,
    /// At exchanges.
    Ixp,
}

pub(crate) async fn list(
    output: &Output,
    store: &Store,
    freshness: Freshness,
    arguments: List,
) -> anyhow::Result<u8> {
    let List { router, ixp, asn, state, down, kind } = arguments;
    let kind = kind.map(|kind| match kind {
        Kind::Direct => SessionKind::Direct,
        Kind::Ixp => SessionKind::Ixp,
    });
    let asked = Asked { router, exchange: ixp, asn, kind, state, down };
    let found = sessions::list(store, freshness, &asked).await?;
    table(output, "sessions", &found, freshness.now)?;
    let count = |is: &dyn Fn(&Seen) -> bool| found.iter().filter(|one| is(one)).count();
    let up = count(&|one| one.state.as_deref() == Some("established"));
    let stale = count(&|one| one.stale);
    let mut text = format!("{} sessions, {up} established", found.len());
    if stale > 0 {
        let _ = write!(text, "; of {stale} nobody knows how they are now");
    }
    output.remark(&format!("{text}."));
    Ok(EXIT_OK)
}

/// Sessions as a table, or under `key` for programs.
pub(crate) fn table(output: &Output, key: &str, found: &[Seen], now: DateTime<Utc>) -> anyhow::Result<()> {
    let header = [
        "Session", "ASN", "Name", "Address", "Where", "Status", "State", "For", "Received", "Accepted",
        "Sent", "Polled", "Remarks",
    ];
    output.table(key, found, &header, |one| cells(one, now))
}

fn cells(one: &Seen, now: DateTime<Utc>) -> Vec<String> {
    let session = &one.session;
    let known = one.state.as_deref().is_some_and(|state| state != UNKNOWN);
    let count = |number: i64| if known { number.to_string() } else { "-".to_owned() };
    vec![
        one.id(),
        session.asn.to_string(),
        session.name.clone(),
        session.ip_address.to_string(),
        place(one),
        session.status.clone(),
        one.state.clone().unwrap_or_else(|| "-".to_owned()),
        session.poll.as_ref().map_or_else(|| "-".to_owned(), |poll| since(poll.since, now)),
        count(session.received),
        count(session.accepted),
        count(session.advertised),
        polled(one.age, one.stale),
        remarks(one, now),
    ]
}

fn place(one: &Seen) -> String {
    let session = &one.session;
    let parts = [&session.internet_exchange, &session.router, &session.interface];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    if parts.is_empty() { "no router".to_owned() } else { parts.join(" ") }
}

fn remarks(one: &Seen, now: DateTime<Utc>) -> String {
    let Some(poll) = &one.session.poll else { return String::new() };
    let mut remarks = Vec::new();
    if poll.near_limit {
        remarks.push(match one.session.max_prefixes {
            Some(limit) => format!("near its limit of {limit} prefixes, or past it"),
            None => "past its limit of prefixes".to_owned(),
        });
    }
    if poll.state == UNKNOWN {
        remarks.push(match poll.seen {
            Some(seen) => format!("the router knew it {} ago", since(seen, now)),
            None => "the router never knew it".to_owned(),
        });
    } else if poll.state != "established" {
        remarks.extend(poll.last_error.clone());
    }
    if poll.flaps > 0 {
        remarks.push(format!("went down {}", times(poll.flaps)));
    }
    remarks.join("; ")
}

fn times(count: i64) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        _ => format!("{count} times"),
    }
}

pub(crate) async fn show(
    output: &Output,
    store: &Store,
    freshness: Freshness,
    which: &str,
    samples: u32,
) -> anyhow::Result<u8> {
    let found = sessions::show(store, freshness, which, samples).await?;
    if output.json {
        output.json(&found)?;
        return Ok(EXIT_OK);
    }
    let session = &found.seen.session;
    output.line(&format!("Session {} with AS{} {}", found.seen.id(), session.asn, session.name));
    for (name, value) in fields(&found, freshness.now) {
        output.line(&format!("  {name:<13} {value}"));
    }
    if found.history.is_empty() {
        return Ok(EXIT_OK);
    }
    output.line("");
    let header = ["Since", "State", "Received", "Accepted", "Sent"];
    output.table("history", &found.history, &header, |sample| {
        let mut cells = vec![moment(sample.time), sample.state.clone()];
        cells.extend([sample.received, sample.accepted, sample.advertised].map(|count| count.to_string()));
        cells
    })?;
    Ok(EXIT_OK)
}

fn fields(found: &Details, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let session = &found.seen.session;
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let ago = |time: DateTime<Utc>| format!("{} ({} ago)", moment(time), since(time, now));
    let mut fields = vec![
        ("address", session.ip_address.to_string()),
        ("router", or_none(&session.router)),
        ("exchange", or_none(&session.internet_exchange)),
        ("interface", or_none(&session.interface)),
        ("group", or_none(&session.bgp_group)),
        ("relationship", or_none(&session.relationship)),
        ("route server", if session.is_route_server { "yes" } else { "no" }.to_owned()),
        ("status", session.status.clone()),
        ("state", or_none(&found.seen.state)),
        ("polled", polled(found.seen.age, found.seen.stale)),
    ];
    let told = ["exchange", "interface", "group", "relationship"];
    fields.retain(|(name, value)| value != "-" || !told.contains(name));
    let Some(poll) = &session.poll else {
        let why = match (&session.router, session.router_is_polled) {
            (None, _) => "it has no router",
            (Some(_), false) => "polling is not enabled on its router",
            (Some(_), true) => "`poll_bgp_sessions` has not reached its router yet",
        };
        fields.push(("never polled", why.to_owned()));
        return fields;
    };
    fields.push(("in this state", format!("for {}, since {}", since(poll.since, now), moment(poll.since))));
    fields.push(("last seen", poll.seen.map_or_else(|| "never".to_owned(), ago)));
    fields.push(("last up", session.last_established.map_or_else(|| "never".to_owned(), ago)));
    fields.push(("went down", times(poll.flaps)));
    fields.push(("last error", or_none(&poll.last_error)));
    let limit = session.max_prefixes.map(|limit| format!(", the limit is {limit}")).unwrap_or_default();
    let near = if poll.near_limit { " (near it, or past it)" } else { "" };
    let counts =
        format!("{} received, {} accepted, {} sent", session.received, session.accepted, session.advertised);
    fields.push(("prefixes", format!("{counts}{limit}{near}")));
    if found.seen.stale {
        let age = found.seen.age.unwrap_or_default();
        fields.push(("stale", format!("nobody has asked the router for {}", span(age))));
    }
    fields
}
