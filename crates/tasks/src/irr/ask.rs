//! Asking: IRR servers by ourselves, or through a program.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use pm_config::{Config, IrrBackend};
use pm_irr::{Ask as _, Client, Limits, Lookup, Note, Object, Options, Program, Request, Resolved, Sources};
use pm_store::irr::Kind;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::judge::Answer;
use super::lists;
use super::plan::{Wanted, family_of};

/// What came back for one list.
pub(super) struct Answered {
    /// Which.
    pub(super) wanted: Arc<Wanted>,
    /// What.
    pub(super) answer: Answer,
    /// Whether it failed because no server answered, so that nothing is known about the names.
    pub(super) unreachable: bool,
    /// What was noticed on the way.
    pub(super) notes: Vec<String>,
}

/// Answers that wait for whoever takes them.
const WAITING: usize = 8;
/// Lists that are shaped at once.
const AT_ONCE: usize = 2;

/// One way to ask, for all lists that go to the same servers.
pub(super) enum Asker {
    /// By ourselves.
    Native(Client),
    /// Through a program.
    Program(Program),
}

impl Asker {
    /// Gets ready to ask `host`, which may be several separated by commas. The error says what is wrong with that.
    pub(super) fn new(config: &Config, host: &str) -> Result<Self, String> {
        if config.irr_backend != IrrBackend::Native {
            return Ok(Self::Program(program(config, hosts(host).swap_remove(0))));
        }
        client(config, host).map(Self::Native)
    }

    /// Names of AS-SETs that several of the sources asked hold, with the place of each autonomous system that names one
    /// and a sentence about it. Nothing when nobody can tell.
    pub(super) async fn collisions(&self, wanted: &[Arc<Wanted>]) -> Vec<(usize, String)> {
        let Self::Native(client) = self else { return Vec::new() };
        let mut named: BTreeMap<(Sources, String), BTreeSet<usize>> = BTreeMap::new();
        for wanted in wanted {
            for object in &wanted.request.objects {
                if let Object::AsSet(set) | Object::RouteSet(set) = object
                    && set.source.is_none()
                {
                    let root = (wanted.request.sources.clone(), set.name.clone());
                    named.entry(root).or_default().insert(wanted.system);
                }
            }
        }
        let roots: Vec<(Sources, String)> = named.keys().cloned().collect();
        let found = match pm_irr::collisions(client, &roots).await {
            Ok(found) => found,
            Err(failure) => {
                tracing::debug!(%failure, "names in several IRR sources could not be looked for");
                return Vec::new();
            }
        };
        let several = found.into_iter().filter(|(_, holders)| holders.sources.len() > 1);
        several
            .flat_map(|(root, holders)| {
                let note = Note::Collision { set: root.1.clone(), sources: holders.sources }.to_string();
                named
                    .get(&root)
                    .cloned()
                    .unwrap_or_default()
                    .into_iter()
                    .map(move |place| (place, note.clone()))
            })
            .collect()
    }

    /// Questions sent so far.
    pub(super) fn queries(&self) -> u64 {
        match self {
            Self::Native(client) => client.statistics().queries,
            Self::Program(_) => 0,
        }
    }

    /// Lets go of the servers.
    pub(super) async fn close(&self) {
        if let Self::Native(client) = self {
            client.close().await;
        }
    }

    /// Server, and how far its copies of the sources are. The error says why nobody answers.
    pub(super) async fn origin(&self) -> Result<Json, String> {
        let (server, serials) = match self {
            Self::Native(client) => {
                let features = client.features().await.map_err(|failure| failure.to_string())?;
                (features.server, features.serials)
            }
            Self::Program(program) => (program.host.clone(), BTreeMap::new()),
        };
        Ok(json!({ "server": server, "serials": serials }))
    }

    /// Asks for all of them and hands each answer over as soon as it is there.
    pub(super) async fn ask(
        &self,
        config: &Config,
        wanted: Vec<Arc<Wanted>>,
        answers: mpsc::Sender<Answered>,
    ) {
        match self {
            Self::Native(client) => ask_servers(client, config, wanted, &answers).await,
            Self::Program(program) => ask_program(program, config, wanted, &answers).await,
        }
    }
}

/// A client for `host`, which may be several separated by commas.
pub(super) fn client(config: &Config, host: &str) -> Result<Client, String> {
    Client::new(options(config, hosts(host))).map_err(|error| format!("bgpq3_host = {host:?}: {error}"))
}

/// At least one.
fn hosts(text: &str) -> Vec<String> {
    text.split(',').map(|host| host.trim().to_owned()).collect()
}

/// The limits on what a set may bring together.
pub(super) fn limits(config: &Config) -> Limits {
    Limits {
        depth: config.irr_max_depth,
        members: config.irr_max_members as usize,
        prefixes: config.irr_max_prefixes as usize,
    }
}

fn options(config: &Config, hosts: Vec<String>) -> Options {
    Options {
        connections: config.irr_connections as usize,
        connect_timeout: Duration::from_secs(config.irr_connect_timeout.into()),
        idle_timeout: Duration::from_secs(config.irr_idle_timeout.into()),
        total: Duration::from_secs(config.irr_timeout.into()),
        answer_limit: u64::from(config.irr_max_answer_mb) << 20,
        name: concat!("peering-manager ", env!("CARGO_PKG_VERSION")).to_owned(),
        ..Options::new(hosts)
    }
}

fn program(config: &Config, host: String) -> Program {
    let name = config.irr_backend.as_str();
    let left_as_it_is = config.bgpq3_path == Config::default().bgpq3_path;
    Program {
        path: if left_as_it_is { name.to_owned() } else { config.bgpq3_path.clone() },
        host,
        is_bgpq3: config.irr_backend == IrrBackend::Bgpq3,
        deadline: Instant::now() + Duration::from_secs(config.irr_timeout.into()),
        output_limit: (config.irr_max_answer_mb as usize) << 20,
    }
}

async fn ask_servers(
    client: &Client,
    config: &Config,
    wanted: Vec<Arc<Wanted>>,
    answers: &mpsc::Sender<Answered>,
) {
    let requests: Vec<Request> = wanted.iter().map(|wanted| wanted.request.clone()).collect();
    let limits = limits(config);
    let (sender, resolved) = mpsc::channel(WAITING);
    let resolving = pm_irr::resolve(client, requests, &limits, sender);
    let shaping = async {
        // It goes when this ends, so that nobody waits for an answer to be taken that nobody takes any more.
        let mut resolved = resolved;
        let stream = futures::stream::poll_fn(|context| resolved.poll_recv(context));
        // A million prefixes take a second, in which nobody else should have to wait. Those that came together go
        // together, as most lists take less time than it takes to hand them over.
        let shaped = stream.ready_chunks(WAITING).map(|some| {
            let alone = client.statistics().answers == 0;
            let wanted: Vec<_> = some.iter().map(|one| wanted.get(one.request).cloned()).collect();
            async move {
                let asked = wanted.clone();
                let work = move || {
                    let some = asked.into_iter().zip(some);
                    some.filter_map(|(wanted, one)| Some(shape(wanted?, one, alone))).collect()
                };
                tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| broken(wanted, &error))
            }
        });
        let mut shaped = std::pin::pin!(shaped.buffer_unordered(AT_ONCE));
        while let Some(some) = shaped.next().await {
            for answered in some {
                if answers.send(answered).await.is_err() {
                    return;
                }
            }
        }
    };
    tokio::join!(resolving, shaping);
}

/// Makes a list of what was found. `unanswered`: no server has said a word.
fn shape(wanted: Arc<Wanted>, resolved: Resolved, unanswered: bool) -> Answered {
    let unreachable = matches!(resolved.lookup, Lookup::Failed(_)) && unanswered;
    let lacking = resolved.notes.iter().find(|note| is_lacking(note)).map(ToString::to_string);
    let notes = resolved.notes.iter().map(ToString::to_string).collect();
    let answer = match (lists::answer(wanted.kind, wanted.asn, wanted.shape, resolved.lookup), lacking) {
        (Answer::List { list, found }, Some(why)) => Answer::Partly { list, found, why },
        (answer, _) => answer,
    };
    Answered { wanted, answer, unreachable, notes }
}

/// What is said of lists whose making ended in a panic.
fn broken(wanted: Vec<Option<Arc<Wanted>>>, error: &tokio::task::JoinError) -> Vec<Answered> {
    let failed = |wanted| {
        let answer = Answer::Failed(format!("the list could not be made: {error}"));
        Answered { wanted, answer, unreachable: false, notes: Vec::new() }
    };
    wanted.into_iter().flatten().map(failed).collect()
}

/// Whether a name is missing from what was found.
pub(super) fn is_lacking(note: &Note) -> bool {
    matches!(note, Note::Unknown(_) | Note::Undecided(_))
}

async fn ask_program(
    program: &Program,
    config: &Config,
    wanted: Vec<Arc<Wanted>>,
    answers: &mpsc::Sender<Answered>,
) {
    let with_sources_in_names = config.irr_backend == IrrBackend::Bgpq4;
    let runs = futures::stream::iter(wanted).map(|wanted| async move {
        let result = run_program(program, &wanted, with_sources_in_names).await;
        let unreachable = result.is_err();
        let answer = result.unwrap_or_else(Answer::Failed);
        Answered { wanted, answer, unreachable, notes: Vec::new() }
    });
    let mut runs = std::pin::pin!(runs.buffer_unordered(config.irr_connections as usize));
    while let Some(answered) = runs.next().await {
        if answers.send(answered).await.is_err() {
            return;
        }
    }
}

async fn run_program(
    program: &Program,
    wanted: &Wanted,
    with_sources_in_names: bool,
) -> Result<Answer, String> {
    let sources = match &wanted.request.sources {
        Sources::Default => None,
        Sources::Only(sources) => Some(sources.as_ref()),
    };
    let objects: Vec<String> = wanted.request.objects.iter().map(ToString::to_string).collect();
    if let Some(object) = objects.iter().find(|object| object.contains("::") && !with_sources_in_names) {
        return Err(format!("{object}: bgpq3 cannot read a set in one source; use irr_backend = \"bgpq4\""));
    }
    let answer = match family_of(wanted.kind) {
        None => {
            let asns = program.as_list(sources, &objects).await.map_err(|failure| failure.0)?;
            let nothing = asns.is_empty();
            if nothing { lists::empty_list(Kind::AsList) } else { lists::of_members(wanted.asn, asns) }
        }
        Some(family) => {
            let entries = program.prefix_list(family, sources, &wanted.arguments, &objects).await;
            let entries = entries.map_err(|failure| failure.0)?;
            let found = i64::try_from(entries.len()).unwrap_or(i64::MAX);
            Answer::List { list: lists::of_entries(family, &entries), found }
        }
    };
    Ok(match answer {
        // The program cannot tell a name that does not exist from one with nothing behind it.
        Answer::List { list, .. } if list.entries == 0 => Answer::Nothing { list },
        other => other,
    })
}
