//! `irr query` and `irr explain`: questions that go to an IRR server.

use std::fmt::Write as _;

use anyhow::anyhow;
use clap::Args;
use pm_tasks::irr::query::{self, Answer, Listed, QueryError, Question};
use pm_tasks::irr::{AS_LIST_WIDTH, Family, ListArguments, as_list_json, prefix_list_json};

use super::peeringdb::parse_asn;
use crate::app::{self, EXIT_FAILED, EXIT_OK, UsageError};
use crate::commands::Shared;
use crate::output::Output;

// The letters are bgpq4's, so they cannot be ours.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "they are bgpq4's arguments")]
pub(crate) struct QueryArguments {
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    /// IPv4 prefixes (as without -4 and -6)
    #[arg(short = '4', conflicts_with = "six")]
    four: bool,
    /// IPv6 prefixes
    #[arg(short = '6', id = "six")]
    six: bool,
    /// Aggregate
    #[arg(short = 'A')]
    aggregate: bool,
    /// Permit more specifics up to this length
    #[arg(short = 'R', value_name = "LENGTH")]
    to: Option<String>,
    /// Permit more specifics from this length on
    #[arg(short = 'r', value_name = "LENGTH")]
    from: Option<String>,
    /// Leave out prefixes longer than this
    #[arg(short = 'm', value_name = "LENGTH")]
    longest: Option<String>,
    /// Sources, comma separated [default: those that the server takes by itself]
    #[arg(short = 'S', value_name = "SOURCES", env = "IRRD_SOURCES")]
    sources: Option<String>,
    /// Server, `host` or `host:port`; several, comma separated, are tried in this order [default: `bgpq3_host`]
    #[arg(short = 'h', value_name = "HOST")]
    host: Option<String>,
    /// Name of the list
    #[arg(short = 'l', value_name = "NAME", default_value = "NN")]
    name: String,
    /// JSON, which is what is printed in any case
    #[arg(short = 'j')]
    json: bool,
    /// Has no effect: AS numbers have 32 bits in any case
    #[arg(short = '3')]
    wide: bool,
    /// Has no effect: questions are always sent without waiting, and answered in order
    #[arg(short = 'T')]
    no_pipelining: bool,
    /// An AS list instead of a prefix list; the number is not used
    #[arg(short = 'f', value_name = "ASN")]
    as_path: Option<String>,
    /// An AS list instead of a prefix list
    #[arg(short = 't')]
    as_set: bool,
    /// AS numbers in a line; 0 puts all into one
    #[arg(short = 'W', value_name = "NUMBER")]
    width: Option<usize>,
    /// Levels of AS-SETs that are entered
    #[arg(short = 'L', value_name = "LEVELS")]
    depth: Option<u32>,
    /// Take private and reserved AS numbers
    #[arg(short = 'p')]
    private: bool,
    /// AS-SETs, route-sets, AS numbers, prefixes; after EXCEPT what is left out
    #[arg(required = true, value_name = "OBJECT")]
    objects: Vec<String>,
}

impl QueryArguments {
    fn question(self) -> Result<Question, String> {
        let family = if self.six { Family::V6 } else { Family::V4 };
        let as_list = self.as_set || self.as_path.is_some();
        if as_list && self.aggregate {
            return Err("-A makes no sense with -f and -t: an AS list is not aggregated".to_owned());
        }
        let mut shape = Vec::new();
        if self.aggregate {
            shape.push("-A".to_owned());
        }
        for (letter, value) in [("-R", self.to), ("-r", self.from), ("-m", self.longest)] {
            if let Some(value) = value {
                shape.extend([letter.to_owned(), value]);
            }
        }
        let read = ListArguments::parse(&shape, family).map_err(|error| error.to_string())?;
        let listed = if as_list { Listed::Asns } else { Listed::Prefixes(family, read.shape) };
        Ok(Question {
            host: self.host,
            sources: self.sources,
            listed,
            depth: self.depth,
            private: self.private,
            objects: self.objects,
        })
    }
}

pub(crate) async fn query(shared: &Shared, output: &Output, arguments: QueryArguments) -> anyhow::Result<u8> {
    let loaded = app::settings(shared, output)?;
    let (name, width) = (arguments.name.clone(), arguments.width.unwrap_or(AS_LIST_WIDTH));
    let question = arguments.question().map_err(|why| anyhow!(UsageError(why)))?;
    match query::query(&loaded.config, &question).await {
        Ok((answer, notes)) => {
            for note in &notes {
                output.warning(note);
            }
            let text = match answer {
                Answer::Prefixes(entries) => prefix_list_json(&name, &entries),
                Answer::Asns(asns) => as_list_json(&name, &asns, width),
            };
            output.verbatim(text.trim_end_matches('\n'));
            Ok(EXIT_OK)
        }
        Err(QueryError::Question(why)) => Err(anyhow!(UsageError(why))),
        Err(error) => {
            output.error(&error.to_string());
            Ok(EXIT_FAILED)
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// AS number of the peer
    #[arg(value_parser = parse_asn)]
    asn: i64,
    /// The route, such as 192.0.2.0/24
    prefix: String,
}

pub(crate) async fn explain(
    shared: &Shared,
    output: &Output,
    arguments: &ExplainArguments,
) -> anyhow::Result<u8> {
    let route = arguments.prefix.parse().map_err(|error| anyhow!(UsageError(format!("{error}"))))?;
    let (loaded, store) = app::open(shared, output).await?;
    let (reasons, notes) = query::explain(&loaded.config, &store, arguments.asn, route).await?;
    for note in &notes {
        output.warning(note);
    }
    if reasons.is_empty() && !output.json {
        output.remark(&format!("Nothing leads to {route}, nor to anything that covers it."));
        return Ok(EXIT_OK);
    }
    output.table("reasons", &reasons, &["Registered", "Origin", "Sources", "Path"], |reason| {
        let origin = reason.origin.map_or_else(|| "-".to_owned(), |asn| format!("AS{asn}"));
        let mut path = reason.path.join(" > ");
        if reason.others > 0 {
            let _ = write!(path, " (and {} other ways)", reason.others);
        }
        vec![reason.registered.clone(), origin, reason.sources.join(", "), path]
    })?;
    Ok(EXIT_OK)
}
