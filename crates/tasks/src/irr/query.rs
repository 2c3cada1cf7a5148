//! Questions to IRR servers that are not about what is stored.

use pm_config::Config;
use pm_irr::{
    Content, Entry, Family, Lookup, Object, Prefix, Request, Shape, Sources, Want, parse_arguments,
    prefix_list,
};
use pm_store::Store;
use pm_store::entities::autonomous_system;
use pm_store::irr::Kind;
use serde::Serialize;
use tokio::sync::mpsc;

use super::ask::{client, is_lacking, limits};
use super::look::LookError;
use super::plan::{self, Plan, sources};

/// What a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Prefixes of a family, in this shape.
    Prefixes(Family, Shape),
    /// AS numbers.
    Asns,
}

/// A list to be asked for, in the words of bgpq4.
#[derive(Clone, Debug)]
pub struct Question {
    /// `-h`: servers; `None` for those of the settings.
    pub host: Option<String>,
    /// `-S`: sources; `None` for those that the server takes by itself.
    pub sources: Option<String>,
    /// What is wanted.
    pub listed: Listed,
    /// `-L`: levels of sets that are entered.
    pub depth: Option<u32>,
    /// `-p`: take private and reserved AS numbers.
    pub private: bool,
    /// Sets, AS numbers, prefixes; after `EXCEPT` what is left out.
    pub objects: Vec<String>,
}

/// The list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Entries.
    Prefixes(Vec<Entry>),
    /// AS numbers, ascending.
    Asns(Vec<u32>),
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The question makes no sense.
    #[error("{0}")]
    Question(String),
    /// There is no list.
    #[error("{0}")]
    NoList(String),
}

/// Asks for one list. Gives it with what was noticed on the way.
pub async fn query(config: &Config, question: &Question) -> Result<(Answer, Vec<String>), QueryError> {
    let (objects, except) =
        parse_arguments(&question.objects).map_err(|error| QueryError::Question(error.to_string()))?;
    if let Listed::Prefixes(family, shape) = question.listed {
        objects.iter().try_for_each(|object| fits(object, family, shape)).map_err(QueryError::Question)?;
    }
    let named =
        question.sources.as_deref().map(|text| sources(text).join(",")).filter(|names| !names.is_empty());
    let family = match question.listed {
        Listed::Prefixes(family, _) => Some(family),
        Listed::Asns => None,
    };
    let request = Request {
        objects,
        except,
        sources: named.map_or(Sources::Default, |names| Sources::Only(names.into())),
        depth: question.depth,
        private: question.private,
        want: Want {
            ipv6: family == Some(Family::V6),
            ipv4: family == Some(Family::V4),
            as_list: family.is_none(),
        },
    };
    let host = question.host.as_deref().unwrap_or(&config.bgpq3_host);
    let client = client(config, host).map_err(QueryError::Question)?;
    let limits = limits(config);
    let (sender, mut answers) = mpsc::channel(1);
    let asking = pm_irr::resolve(&client, vec![request], &limits, sender);
    let ((), resolved) = tokio::join!(asking, answers.recv());
    client.close().await;
    let resolved = resolved.ok_or_else(|| QueryError::NoList("there was no answer".to_owned()))?;
    if let Some(note) = resolved.notes.iter().find(|note| is_lacking(note)) {
        return Err(QueryError::NoList(note.to_string()));
    }
    let notes = resolved.notes.iter().map(ToString::to_string).collect();
    let named = question.objects.join(" ");
    let answer = match (resolved.lookup, question.listed) {
        (Lookup::Found(Content::Prefixes { prefixes, ranges }), Listed::Prefixes(family, shape)) => {
            Answer::Prefixes(prefix_list(family, prefixes, &ranges, &shape))
        }
        (Lookup::Found(Content::Asns(asns)), _) => Answer::Asns(asns),
        (Lookup::Empty, Listed::Asns) => Answer::Asns(Vec::new()),
        (Lookup::Empty | Lookup::Found(_), _) => Answer::Prefixes(Vec::new()),
        (Lookup::Nothing, _) => {
            let why = format!("{named}: no data, and the server cannot say whether it exists");
            return Err(QueryError::NoList(why));
        }
        (Lookup::Unknown(lacking), _) => {
            let lacking = lacking.join(", ");
            return Err(QueryError::NoList(format!("unknown in the IRR sources asked: {lacking}")));
        }
        (Lookup::TooBig { what, count }, _) => {
            return Err(QueryError::NoList(format!("{what}: {count}, more than is taken")));
        }
        (Lookup::Failed(why), _) => return Err(QueryError::NoList(why)),
    };
    Ok((answer, notes))
}

/// A prefix that is asked for and cannot be in the list: whoever wrote it down would get a list without it.
fn fits(object: &Object, family: Family, shape: Shape) -> Result<(), String> {
    let Object::Prefix(range) = object else { return Ok(()) };
    if range.prefix.family() != family {
        let (own, asked) = match family {
            Family::V4 => ("IPv6", "IPv4"),
            Family::V6 => ("IPv4", "IPv6"),
        };
        return Err(format!("{object} is {own}, and the list is {asked}; -4 and -6 choose"));
    }
    match shape.longest {
        Some(longest) if range.prefix.length() > longest => {
            Err(format!("{object} is longer than -m {longest} permits"))
        }
        _ => Ok(()),
    }
}

/// Why a question about a route has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// About the autonomous system.
    #[error(transparent)]
    Look(#[from] LookError),
    /// Nobody can be asked.
    #[error("{0}")]
    Ask(String),
}

/// Something registered that lets a route into a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// What is registered, such as `192.0.2.0/24`.
    pub registered: String,
    /// AS number that originates it, when it is a route object.
    pub origin: Option<u32>,
    /// The sources that hold the route object, the one read first in front.
    pub sources: Vec<String>,
    /// The sets that lead there, from the autonomous system's own to the one that names the origin.
    pub path: Vec<String>,
    /// How many other sets name it too.
    pub others: usize,
}

/// Which route objects, and which path of sets, lead to `route` or to something that covers it, as of now; with what was
/// noticed on the way. Empty when nothing does.
pub async fn explain(
    config: &Config,
    store: &Store,
    asn: i64,
    route: Prefix,
) -> Result<(Vec<Reason>, Vec<String>), ExplainError> {
    let mut connection = store.connection().await.map_err(LookError::from)?;
    let systems =
        autonomous_system::by_asns(&mut connection.session(), &[asn]).await.map_err(LookError::from)?;
    drop(connection);
    let system = systems.first().ok_or(LookError::NoSystem(asn))?;
    let kind = if route.family() == Family::V4 { Kind::Ipv4 } else { Kind::Ipv6 };
    let planned = plan::plan(config, 0, system, false);
    let wanted = match planned.lists.into_iter().find(|(of, _)| *of == kind) {
        Some((_, Plan::Ask(wanted))) => wanted,
        Some((_, Plan::Failed(why))) => return Err(ExplainError::Ask(format!("AS{asn}: {why}"))),
        _ => {
            return Err(ExplainError::Ask(format!(
                "AS{asn}: retrieve_prefixes is off, so it has no prefix list"
            )));
        }
    };
    let client = client(config, &wanted.host).map_err(ExplainError::Ask)?;
    let explained = pm_irr::explain(&client, &wanted.request, route, &limits(config)).await;
    client.close().await;
    let notes = explained.notes.iter().map(ToString::to_string).collect();
    let reasons = match explained.lookup {
        Lookup::Found(reasons) => reasons,
        Lookup::Empty | Lookup::Nothing => Vec::new(),
        Lookup::Unknown(names) => {
            let names = names.join(", ");
            return Err(ExplainError::Ask(format!("AS{asn}: unknown in the IRR sources asked: {names}")));
        }
        Lookup::TooBig { what, count } => {
            return Err(ExplainError::Ask(format!("AS{asn}: {what}: {count}, more than is taken")));
        }
        Lookup::Failed(why) => return Err(ExplainError::Ask(format!("AS{asn}: {why}"))),
    };
    Ok((reasons.into_iter().map(Reason::from).collect(), notes))
}

impl From<pm_irr::Reason> for Reason {
    fn from(reason: pm_irr::Reason) -> Self {
        Self {
            registered: reason.registered.to_string(),
            origin: reason.origin,
            sources: reason.sources,
            path: reason.path,
            others: reason.others,
        }
    }
}
