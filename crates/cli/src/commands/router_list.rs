//! `router list`, `router show`: routers of the database, with how their sessions stand.

use pm_store::Store;
use pm_tasks::sessions::{self, Freshness, RouterDetails, SeenRouter};

use super::session_states;
use crate::ages::{moment, polled};
use crate::app::EXIT_OK;
use crate::output::Output;

pub(crate) async fn list(output: &Output, store: &Store, freshness: Freshness) -> anyhow::Result<u8> {
    let found = sessions::routers(store, freshness).await?;
    let header = [
        "Router",
        "Hostname",
        "Platform",
        "Driver",
        "Status",
        "Template",
        "Polled",
        "Established",
        "Unknown",
        "Near limit",
        "Without session",
    ];
    output.table("routers", &found, &header, cells)?;
    Ok(EXIT_OK)
}

fn cells(one: &SeenRouter) -> Vec<String> {
    let router = &one.router;
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    vec![
        router.name.clone(),
        router.hostname.clone(),
        or_none(&router.platform),
        or_none(&router.driver),
        router.status.clone(),
        or_none(&router.template),
        last_poll(one),
        format!("{}/{}", router.sessions.established, router.sessions.total),
        router.sessions.unknown.to_string(),
        router.sessions.near_limit.to_string(),
        router.strangers.to_string(),
    ]
}

fn last_poll(one: &SeenRouter) -> String {
    if one.router.is_polled { polled(one.age, one.stale) } else { "not enabled".to_owned() }
}

pub(crate) async fn show(
    output: &Output,
    store: &Store,
    freshness: Freshness,
    name: &str,
) -> anyhow::Result<u8> {
    let found = sessions::router(store, freshness, name).await?;
    if output.json {
        output.json(&found)?;
        return Ok(EXIT_OK);
    }
    output.line(&format!("Router {}", found.seen.router.name));
    for (name, value) in fields(&found) {
        output.line(&format!("  {name:<12} {value}"));
    }
    for (title, key, sessions) in
        [("Down:", "down", &found.down), ("Near their limit of prefixes:", "near_limit", &found.near_limit)]
    {
        if !sessions.is_empty() {
            output.line(&format!("\n{title}"));
            session_states::table(output, key, sessions, freshness.now)?;
        }
    }
    Ok(EXIT_OK)
}

fn fields(found: &RouterDetails) -> Vec<(&'static str, String)> {
    let router = &found.seen.router;
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let counts = router.sessions;
    let at = router.polled.map(|time| format!(" ({})", moment(time))).unwrap_or_default();
    vec![
        ("hostname", router.hostname.clone()),
        ("local AS", router.local_asn.map_or_else(|| "-".to_owned(), |asn| asn.to_string())),
        ("platform", or_none(&router.platform)),
        ("driver", or_none(&router.driver)),
        ("status", router.status.clone()),
        ("template", or_none(&router.template)),
        ("polled", format!("{}{at}", last_poll(&found.seen))),
        (
            "sessions",
            format!(
                "{}, of which {} should be up; {} established, {} not known to the router, {} near their limit",
                counts.total, counts.wanted, counts.established, counts.unknown, counts.near_limit
            ),
        ),
        ("neighbours", format!("{} without a session here", router.strangers)),
    ]
}
