//! `irr`: prefix lists and AS lists, stored or asked for.

use std::fmt::Write as _;

use anyhow::anyhow;
use clap::Subcommand;
use pm_store::Store;
use pm_store::irr::{Kind, Stand, State};
use pm_tasks::irr::look::{self, Line, Overview};
use pm_tasks::{AnyTask, IrrAccept};
use serde_json::json;

use super::irr_query;
use super::peeringdb::parse_asn;
use crate::app::{self, EXIT_OK};
use crate::commands::Shared;
use crate::enqueue;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask an IRR server for a list and print it as bgpq4 -j prints it; takes bgpq4's arguments
    #[command(disable_help_flag = true)]
    Query(irr_query::QueryArguments),
    /// Say through which AS-SETs and route objects a route gets into the list of an autonomous system, as of now
    Explain(irr_query::ExplainArguments),
    /// Show where the lists of an autonomous system stand, or one generation of them
    Show {
        /// AS number
        #[arg(value_parser = parse_asn)]
        asn: i64,
        /// The lists of this generation; without a number the newest
        #[arg(long, value_name = "NUMBER", num_args = 0..=1, default_missing_value = "0")]
        generation: Option<i64>,
    },
    /// Compare two generations of the lists of an autonomous system
    Diff {
        /// AS number
        #[arg(value_parser = parse_asn)]
        asn: i64,
        /// The older one [default: the one before the newer]
        #[arg(long, value_name = "NUMBER")]
        from: Option<i64>,
        /// The newer one [default: the newest]
        #[arg(long, value_name = "NUMBER")]
        to: Option<i64>,
        /// Compare the current lists with those that are held back
        #[arg(long, conflicts_with_all = ["from", "to"])]
        held: bool,
    },
    /// Name the autonomous systems whose current lists permit a route
    Who {
        /// The route, such as 192.0.2.0/24
        prefix: String,
    },
    /// Show the lists that the guards hold back
    Review,
    /// Take the lists that are held back
    Accept {
        /// AS numbers
        #[arg(value_parser = parse_asn, required = true)]
        asns: Vec<i64>,
        /// Wait if a run is fetching IRR data, instead of ending with exit code 75
        #[arg(long)]
        wait: bool,
        /// Put it on the queue, for a worker, instead of running it here
        #[arg(short, long)]
        tasks: bool,
    },
}

pub(crate) async fn run(shared: &Shared, output: &Output, command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Query(arguments) => return irr_query::query(shared, output, arguments).await,
        Command::Explain(arguments) => return irr_query::explain(shared, output, &arguments).await,
        Command::Accept { asns, tasks: true, .. } => {
            return enqueue::enqueue(shared, output, &AnyTask::IrrAccept(IrrAccept { asns })).await;
        }
        Command::Accept { asns, wait, .. } => {
            return Ok(app::run_task(shared, output, &IrrAccept { asns }, wait).await?.exit);
        }
        _ => {}
    }
    let (_, store) = app::open(shared, output).await?;
    match command {
        Command::Show { asn, generation: None } => show(output, &look::overview(&store, asn).await?)?,
        Command::Show { asn, generation: Some(number) } => {
            let overview = look::overview(&store, asn).await?;
            show_generation(output, &store, &overview, Some(number).filter(|number| *number > 0)).await?;
        }
        Command::Diff { asn, from, to, held } => {
            let overview = look::overview(&store, asn).await?;
            let lines = if held {
                compare_held(&store, &overview).await?
            } else {
                compare(&store, &overview, from, to).await?
            };
            print_lines(output, asn, &lines)?;
        }
        Command::Who { prefix } => {
            let route = prefix.parse().map_err(|error| anyhow!(app::UsageError(format!("{error}"))))?;
            let found = look::who(&store, route).await?;
            if found.is_empty() && !output.json {
                output.remark(&format!("{route} is in no current list."));
                return Ok(EXIT_OK);
            }
            output.table("autonomous_systems", &found, &["ASN", "Name", "Entry"], |listing| {
                vec![listing.asn.to_string(), listing.name.clone(), listing.entry.clone()]
            })?;
        }
        Command::Review => review(output, &store).await?,
        Command::Query(_) | Command::Explain(_) | Command::Accept { .. } => {}
    }
    Ok(EXIT_OK)
}

fn show(output: &Output, overview: &Overview) -> anyhow::Result<()> {
    if output.json {
        return output.json(overview);
    }
    output.line(&overview.system.display());
    let names = overview.system.irr_as_set.as_deref().filter(|text| !text.trim().is_empty());
    output.line(&format!("  AS-SET field  {}", names.unwrap_or("(empty: the AS itself)")));
    if overview.states.is_empty() {
        output.line("  No list was looked for yet; `get_irr_data` does.");
        return Ok(());
    }
    for state in &overview.states {
        output.line(&format!("  {:<12}  {}", state.kind.as_str(), standing(state)));
    }
    if !overview.generations.is_empty() {
        output.line("");
    }
    let entries = |generation: &pm_store::irr::Generation, kind| {
        generation.list(kind).map_or_else(|| "-".to_owned(), |list| list.entries.to_string())
    };
    output.table(
        "generations",
        &overview.generations,
        &["Generation", "Time", "ipv6", "ipv4", "as_list", "Server", "Names"],
        |generation| {
            let text = |key: &str| generation.details[key].as_str().unwrap_or_default().to_owned();
            let objects = generation.details["objects"].as_array().cloned().unwrap_or_default();
            let objects: Vec<&str> = objects.iter().filter_map(|object| object.as_str()).collect();
            let mut cells =
                vec![generation.number.to_string(), generation.time.format("%Y-%m-%d %H:%M:%S").to_string()];
            cells.extend(Kind::ALL.map(|kind| entries(generation, kind)));
            cells.extend([text("server"), objects.join(" ")]);
            cells
        },
    )
}

/// One line about where a list stands.
fn standing(state: &State) -> String {
    let entries = state.list.as_ref().map_or(0, |list| list.entries);
    let age = state.taken.map(|time| format!(", unchanged since {}", time.format("%Y-%m-%d %H:%M")));
    let kept = if state.list.is_some() { format!("; {entries} entries are kept") } else { String::new() };
    let mut text = match state.state {
        Stand::Current => format!("{entries} entries{}", age.unwrap_or_default()),
        Stand::TooBig => {
            format!("hidden: {} entries are over the limit{kept}", state.too_long.unwrap_or_default())
        }
        Stand::Off => format!("off{kept}"),
        Stand::Missing => "no list yet".to_owned(),
    };
    if let Some(why) = &state.failure {
        let _ = write!(text, "; the last look brought nothing: {why}");
    }
    if let Some(held) = &state.held {
        let _ = write!(
            text,
            "; {} entries are held back since {} ({})",
            held.list.entries,
            held.since.format("%Y-%m-%d %H:%M"),
            held.reason
        );
    }
    text
}

async fn show_generation(
    output: &Output,
    store: &Store,
    overview: &Overview,
    number: Option<i64>,
) -> anyhow::Result<()> {
    let Some(generation) = overview.generation(number)? else {
        return Err(anyhow!("AS{} has no lists yet; `get_irr_data` fetches them", overview.asn));
    };
    let mut all = serde_json::Map::new();
    if !output.json {
        output.line(&origin(generation));
    }
    for kind in Kind::ALL {
        let Some(list) = generation.list(kind) else { continue };
        let data = look::data(store, kind, list).await?;
        if output.json {
            let mut entries = Vec::new();
            data.each(|entry| entries.push(entry.to_string()))?;
            all.insert(kind.as_str().to_owned(), entries.into());
        } else {
            output.line(&format!("{} ({} entries)", kind.as_str(), list.entries));
            data.each(|entry| output.line(&format!("  {entry}")))?;
        }
    }
    if output.json {
        output.json(&json!({ "asn": overview.asn, "generation": generation, "lists": all }))?;
    }
    Ok(())
}

/// When and from where a generation came.
fn origin(generation: &pm_store::irr::Generation) -> String {
    let mut text =
        format!("generation {} of {}", generation.number, generation.time.format("%Y-%m-%d %H:%M:%S"));
    let details = &generation.details;
    if let Some(server) = details["server"].as_str() {
        let _ = write!(text, " from {server}");
    }
    let mut sources: Vec<&str> = Vec::new();
    let lists = details["lists"].as_object().into_iter().flat_map(|lists| lists.values());
    for list in lists.filter_map(|list| list["sources"].as_str()) {
        if !sources.contains(&list) {
            sources.push(list);
        }
    }
    if !sources.is_empty() {
        let _ = write!(text, ", sources {}", sources.join("; "));
    }
    text
}

async fn compare(
    store: &Store,
    overview: &Overview,
    from: Option<i64>,
    to: Option<i64>,
) -> anyhow::Result<Vec<Line>> {
    let newer = overview.generation(to)?;
    let before =
        newer.and_then(|newer| overview.generations.iter().find(|older| older.number < newer.number));
    let older = match from {
        Some(number) => overview.generation(Some(number))?,
        None => before,
    };
    let mut lines = Vec::new();
    for kind in Kind::ALL {
        let older = older.and_then(|generation| generation.list(kind));
        let newer = newer.and_then(|generation| generation.list(kind));
        if older.map(|list| list.id) == newer.map(|list| list.id) {
            continue;
        }
        lines.extend(compare_lists(store, kind, older, newer).await?);
    }
    Ok(lines)
}

async fn compare_held(store: &Store, overview: &Overview) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for state in &overview.states {
        if let Some(held) = &state.held {
            lines.extend(compare_lists(store, state.kind, state.list.as_ref(), Some(&held.list)).await?);
        }
    }
    Ok(lines)
}

async fn compare_lists(
    store: &Store,
    kind: Kind,
    older: Option<&pm_store::irr::List>,
    newer: Option<&pm_store::irr::List>,
) -> anyhow::Result<Vec<Line>> {
    let older = match older {
        Some(list) => Some(look::data(store, kind, list).await?),
        None => None,
    };
    let newer = match newer {
        Some(list) => Some(look::data(store, kind, list).await?),
        None => None,
    };
    Ok(look::compare(older.as_ref(), newer.as_ref())?)
}

fn print_lines(output: &Output, asn: i64, lines: &[Line]) -> anyhow::Result<()> {
    if output.json {
        return output.json(&json!({ "asn": asn, "changes": lines }));
    }
    if lines.is_empty() {
        output.remark("There is no difference.");
    }
    for line in lines {
        output.line(&format!("{} {:<7} {}", if line.added { '+' } else { '-' }, line.list, line.entry));
    }
    Ok(())
}

async fn review(output: &Output, store: &Store) -> anyhow::Result<()> {
    let waiting = look::review(store).await?;
    if waiting.is_empty() && !output.json {
        output.remark("Nothing is held back.");
        return Ok(());
    }
    output.table(
        "held_back",
        &waiting,
        &["ASN", "Name", "List", "Current", "Held back", "Since", "Why"],
        |waiting| {
            let entries = |list: Option<&pm_store::irr::List>| {
                list.map_or_else(|| "-".to_owned(), |list| list.entries.to_string())
            };
            let held = waiting.state.held.as_ref();
            vec![
                waiting.asn.to_string(),
                waiting.name.clone(),
                waiting.state.kind.as_str().to_owned(),
                entries(waiting.state.list.as_ref()),
                entries(held.map(|held| &held.list)),
                held.map(|held| held.since.format("%Y-%m-%d %H:%M").to_string()).unwrap_or_default(),
                held.map(|held| held.reason.clone()).unwrap_or_default(),
            ]
        },
    )?;
    output.remark("`irr diff ASN --held` shows the difference, `irr accept ASN` takes it.");
    Ok(())
}
