//! Prefix lists of a network's peers, both address families: the whole command beside bgpq4, once per list as Peering
//! Manager has always run it.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use serde_json::Value as Json;

use super::sync::{memory, wall};
use super::{irr_lists, irr_memory, say};
use crate::database::{Database, Kind};
use crate::irrd::{self, Irrd, Peer, SOURCES};
use crate::process::{Spent, measure_output};
use crate::report::{Report, time};
use crate::session::{NO_SERVER, Session, start_time};

/// Milliseconds in each direction: half of what a ping to a server of another continent's coast shows.
pub(super) const DELAY: u32 = 15;
/// How many times as long bgpq4 should take, far away and near.
const FASTER: [f64; 2] = [150.0, 3.0];
/// The same, for AS-SETs with a source, far away.
const FASTER_WITH_SOURCE: f64 = 20.0;
/// Of five peers one is asked for with its source: bgpq4 needs minutes for all of them.
const WITH_SOURCE: usize = 5;
/// Octets that the command may have in memory.
const MEMORY: u64 = 300_000_000;
/// Why rows are missing.
const NO_BGPQ4: &str = "bgpq4 is not installed";

/// The same objects, served from near and from afar.
pub(super) struct Servers {
    pub(super) near: Irrd,
    pub(super) far: Irrd,
}

/// Entries by family and name.
pub(super) type Lengths = BTreeMap<(String, String), u64>;

pub(super) async fn run(session: &Session, report: &mut Report) -> anyhow::Result<()> {
    say(&format!("inventing IRR databases of scale {}", session.scale));
    let dump = session.file("invented.rpsl");
    let near = Irrd::invented(session, 0, Some(&dump)).await?;
    let servers = Servers { near, far: Irrd::invented(session, DELAY, None).await? };
    let mut peers = irrd::peers(&std::fs::read_to_string(&dump).context("the dump cannot be read")?)?;
    ensure!(peers.len() == 200, "the invented IRR databases have {} peers, not 200", peers.len());
    if session.scale < 1.0 {
        // As many as bgpq4 does in ten seconds.
        peers.truncate(20);
    }
    let names: Vec<String> = peers.iter().map(|peer| peer.name.clone()).collect();
    whole(session, &servers, &names, report).await?;
    irr_lists::run(session, &servers, &names, report).await?;
    with_source(session, &servers, &peers, report).await?;
    irr_memory::run(session, report).await
}

/// A description of the way to a server.
pub(super) fn way(delay: u32) -> String {
    format!("{} ms", 2 * delay)
}

/// The command into an empty database, and bgpq4 once for the whole comparison: far away it takes minutes.
async fn whole(
    session: &Session,
    servers: &Servers,
    names: &[String],
    report: &mut Report,
) -> anyhow::Result<()> {
    let lists = names.len() * 2;
    let mut peak = 0;
    for (server, delay, target) in [(&servers.far, DELAY, FASTER[0]), (&servers.near, 0, FASTER[1])] {
        let way = way(delay);
        warm(session, server, names).await?;
        let theirs = bgpq4(session, server, names).await?;
        for kind in session.kinds() {
            let mut ours = Vec::new();
            for round in 1..=session.rounds {
                let run = grab(session, server, kind, names, false).await?;
                if let Some(theirs) = &theirs {
                    same(&run.lengths, &theirs.lengths)?;
                }
                say(&format!("grab_prefixes, {kind}, {way}, {round}: {}", time(run.spent.wall)));
                if round == 1 && kind == Kind::Sqlite {
                    note(report, &format!("{lists} lists, {way}"), &run, theirs.as_ref());
                }
                ours.push(run.spent);
            }
            peak = peak.max(memory(&ours));
            let name = format!("grab_prefixes, {lists} lists, {way}, {kind}, beside bgpq4");
            match &theirs {
                Some(theirs) => report.faster(name, wall(&ours), theirs.spent.wall, target),
                None => report.skipped(name, NO_BGPQ4),
            }
        }
        if session.server.is_none() {
            report.skipped(format!("grab_prefixes, {lists} lists, {way}, {}", Kind::Postgres), NO_SERVER);
        }
    }
    report.memory_within("– peak memory, highest of all", peak, MEMORY);
    Ok(())
}

/// `SOURCE::AS-SET`, which bgpq4 takes apart itself, AS by AS.
async fn with_source(
    session: &Session,
    servers: &Servers,
    peers: &[Peer],
    report: &mut Report,
) -> anyhow::Result<()> {
    let chosen = peers.get(..peers.len() / WITH_SOURCE).unwrap_or_default();
    let names: Vec<String> = chosen.iter().map(|peer| format!("{}::{}", peer.source, peer.name)).collect();
    let way = way(DELAY);
    let name = format!(
        "grab_prefixes, SOURCE::AS-SET, {} of {} peers, {way}, beside bgpq4",
        names.len(),
        peers.len()
    );
    grab(session, &servers.far, Kind::Sqlite, &names, true).await?;
    let Some(theirs) = bgpq4(session, &servers.far, &names).await? else {
        report.skipped(name, NO_BGPQ4);
        return Ok(());
    };
    let mut ours = Vec::new();
    for round in 1..=session.rounds {
        let run = grab(session, &servers.far, Kind::Sqlite, &names, true).await?;
        same(&run.lengths, &theirs.lengths)?;
        say(&format!("SOURCE::AS-SET, {round}: {}", time(run.spent.wall)));
        if round == 1 {
            note(report, &format!("{} lists of SOURCE::AS-SET", names.len() * 2), &run, Some(&theirs));
        }
        ours.push(run.spent);
    }
    report.faster(name, wall(&ours), theirs.spent.wall, FASTER_WITH_SOURCE);
    Ok(())
}

/// One way to all lists.
struct Run {
    spent: Spent,
    lengths: Lengths,
    /// Queries that the server counted.
    queries: u64,
}

fn note(report: &mut Report, what: &str, ours: &Run, theirs: Option<&Run>) {
    let Some(theirs) = theirs else { return };
    let (sent, by_bgpq4) = (ours.queries, theirs.queries);
    let fewer = by_bgpq4.saturating_sub(sent);
    report.note(format!("{what}: {sent} queries sent, {by_bgpq4} by bgpq4, {fewer} saved."));
}

/// The stand-in keeps the answers that it has worked out once, so whoever comes first would pay for all.
async fn warm(session: &Session, server: &Irrd, names: &[String]) -> anyhow::Result<()> {
    grab(session, server, Kind::Sqlite, names, false).await.map(drop)
}

/// `None` when it is not installed.
async fn bgpq4(session: &Session, server: &Irrd, names: &[String]) -> anyhow::Result<Option<Run>> {
    if std::process::Command::new("bgpq4").arg("-v").output().is_err() {
        return Ok(None);
    }
    say(&format!("bgpq4, {} lists", names.len() * 2));
    server.queries().await?;
    let mut command = session.part("bgpq4");
    command.args([&server.address, SOURCES]).args(names);
    let (spent, output) = measure_output(command, &[0]).await?;
    say(&format!("bgpq4: {}", time(spent.wall)));
    Ok(Some(Run { spent, lengths: lengths(&output)?, queries: server.queries().await? }))
}

/// `grab_prefixes` into a database with one autonomous system per name.
async fn grab(
    session: &Session,
    server: &Irrd,
    kind: Kind,
    names: &[String],
    keep_source: bool,
) -> anyhow::Result<Run> {
    let database = session.database(kind, &format!("irr_{kind}").to_lowercase()).await?;
    fill(&database, names).await?;
    server.queries().await?;
    let mut command = session.program(Some(&database), None);
    settings(&mut command, server).env("PEERING_MANAGER_BGPQ4_KEEP_SOURCE_IN_SET", keep_source.to_string());
    let (spent, output) = measure_output(with(command, &["--json", "grab_prefixes"]), &[0]).await?;
    let queries = server.queries().await?;
    let said: Json = serde_json::from_str(&output).context("grab_prefixes printed no JSON")?;
    let counted = said["data"]["queries"].as_u64().context("grab_prefixes told no queries")?;
    // It does not count those that are not answered: `!!` and `!q`.
    ensure!(counted <= queries, "the program counted {counted} queries and the server {queries}");
    let lengths = stored(&database).await?;
    session.remove(&database).await?;
    Ok(Run { spent, lengths, queries })
}

pub(super) fn settings<'c>(
    command: &'c mut tokio::process::Command,
    server: &Irrd,
) -> &'c mut tokio::process::Command {
    command
        .env("PEERING_MANAGER_BGPQ3_HOST", &server.address)
        .env("PEERING_MANAGER_BGPQ3_SOURCES", SOURCES)
        .env("PEERING_MANAGER_BGPQ3_ARGS", r#"{"ipv6":["-A"],"ipv4":["-A"]}"#)
}

pub(super) fn with(mut command: tokio::process::Command, arguments: &[&str]) -> tokio::process::Command {
    command.args(arguments);
    command
}

/// One autonomous system per name, from AS1001 on.
pub(super) async fn fill(database: &Database, names: &[String]) -> anyhow::Result<()> {
    let store = database.open().await?;
    for (asn, name) in (1001_i64..).zip(names) {
        store
            .execute(
                "INSERT INTO peering_autonomoussystem (created, updated, asn, name, irr_as_set) VALUES (?, ?, ?, ?, ?)",
                vec![
                    start_time().into(),
                    start_time().into(),
                    asn.into(),
                    format!("Peer {asn}").into(),
                    name.clone().into(),
                ],
            )
            .await?;
    }
    store.close().await;
    Ok(())
}

/// How long the lists are that were stored.
pub(super) async fn stored(database: &Database) -> anyhow::Result<Lengths> {
    let store = database.open().await?;
    let sql = "SELECT state.kind, system.irr_as_set AS name, list.entries FROM peering_irrstate state \
               JOIN peering_autonomoussystem system ON system.id = state.autonomous_system_id \
               JOIN peering_irrlist list ON list.id = state.list_id WHERE state.kind IN ('ipv4', 'ipv6')";
    let rows = store.rows(sql, vec![]).await?;
    store.close().await;
    rows.iter()
        .map(|row| {
            let entries = u64::try_from(row.get::<i64, _>("entries")?)?;
            Ok(((row.get("kind")?, row.get("name")?), entries))
        })
        .collect()
}

/// What a part printed: family, name, entries.
pub(super) fn lengths(output: &str) -> anyhow::Result<Lengths> {
    output
        .lines()
        .map(|line| {
            let mut words = line.split_whitespace().map(str::to_owned);
            let (family, name, entries) = (words.next(), words.next(), words.next());
            let entries = entries.with_context(|| format!("no length in {line:?}"))?.parse()?;
            Ok(((family.unwrap_or_default(), name.unwrap_or_default()), entries))
        })
        .collect()
}

/// A fast wrong answer is none.
pub(super) fn same(ours: &Lengths, theirs: &Lengths) -> anyhow::Result<()> {
    ensure!(ours.len() == theirs.len(), "{} lists, and bgpq4 has {}", ours.len(), theirs.len());
    let entries: u64 = theirs.values().sum();
    ensure!(entries > 0, "bgpq4 found nothing");
    let other = theirs.iter().find(|(list, entries)| ours.get(*list) != Some(entries));
    if let Some(((family, name), entries)) = other {
        let here = ours.get(&(family.clone(), name.clone()));
        anyhow::bail!("{family} list of {name}: {here:?} entries, and bgpq4 has {entries}");
    }
    Ok(())
}
