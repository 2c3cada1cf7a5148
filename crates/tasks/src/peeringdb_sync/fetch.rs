//! Getting records into the staging area: from the API, several namespaces at a time, or from saved files.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{FutureExt as _, StreamExt as _};
use pm_peeringdb::{Client, ClientOptions, Event, FetchError, Namespace, Record, SinkClosed, Unusable};
use pm_store::StoreError;
use pm_store::peeringdb::feed::Feed;
use pm_store::peeringdb::staging::Staging;
use tokio::sync::mpsc;

use super::convert::Mapping;
use super::plan::{Access, Questions, Seen, next_since};
use crate::{TaskContext, TaskError};

/// Namespaces that are fetched at the same time. PeeringDB asks for few large questions; more at once would only
/// share the same line.
const CONCURRENT: usize = 4;
/// Batches of records that may wait to be staged. Each has up to 500 records or about 1 MB.
const BATCHES: usize = 4;
/// Alterations of one namespace that are said one by one.
const ALTERATIONS_SAID: usize = 20;

/// What was staged of one namespace by one feed.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) namespace: Namespace,
    pub(crate) feed: Feed,
    /// The URL or the file.
    pub(crate) source: String,
    /// The answer's own time, as near as it can be known.
    pub(crate) generated: Option<DateTime<Utc>>,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// Records whose values were not all stored as sent.
    pub(crate) altered: u64,
    /// The newest change among the records.
    pub(crate) newest: Option<DateTime<Utc>>,
    pub(crate) unusable: Vec<Unusable>,
}

/// What goes to the one who stages.
enum Message {
    Restart(Namespace, Feed),
    Records(Namespace, Feed, Vec<Record>),
    Finished(Namespace, Feed),
}

/// The client after the settings.
pub(crate) fn client(context: &TaskContext) -> Result<Client, TaskError> {
    let config = &context.config;
    let http = crate::http_client(config).map_err(TaskError::Failed)?;
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let options = ClientOptions {
        base_url: config.peeringdb_api.as_str().to_owned(),
        cache_url: config.peeringdb_cache_url.as_ref().map(|url| url.as_str().to_owned()),
        api_key: config.peeringdb_api_key.clone(),
        basic: config.peeringdb_username.clone().zip(config.peeringdb_password.clone()),
        user_agent: config.requests_user_agent.clone(),
        total_timeout: seconds(config.peeringdb_timeout),
        max_body: u64::from(config.peeringdb_max_body_mb) << 20,
        retries: config.peeringdb_retries,
        max_retry_after: seconds(config.peeringdb_max_retry_after),
        requests_per_minute: config.peeringdb_requests_per_minute,
    };
    Client::new(http, options, context.seed).map_err(|error| TaskError::Failed(format!("settings: {error}")))
}

/// Asks all questions and stages all answers. Fails when one of them fails, and then names each that did.
pub(crate) async fn from_api(
    context: &TaskContext,
    staging: &mut Staging,
    questions: &[Questions],
) -> Result<Vec<Staged>, TaskError> {
    let client = client(context)?;
    say_wait(context, questions);
    let total = questions.len();
    let (sender, receiver) = mpsc::channel(BATCHES);
    let download = async {
        let asked: Vec<_> = questions
            .iter()
            .map(|question| ask(context, &client, question, sender.clone()).boxed())
            .collect();
        let mut answers = futures::stream::iter(asked).buffer_unordered(CONCURRENT);
        let (mut staged, mut failures, mut done) = (Vec::new(), Vec::new(), 0);
        while let Some(answer) = answers.next().await {
            done += 1;
            match answer {
                Ok(answer) => staged.extend(answer),
                Err((namespace, error)) => {
                    context.reporter.failure(format!("{namespace}: {error}"));
                    failures.push((namespace, error));
                }
            }
            context.reporter.progress(done, total, "fetching from PeeringDB");
        }
        drop(answers);
        drop(sender);
        (staged, failures)
    };
    let ((mut staged, failures), tally) = tokio::join!(download, stage(context, staging, receiver));
    // If the staging failed, every fetch was told that nobody listens; the reason is here.
    let tally = tally?;
    if !failures.is_empty() {
        return Err(failed(failures));
    }
    for one in &mut staged {
        one.take(&tally);
    }
    staged.sort_by_key(|one| one.namespace);
    Ok(staged)
}

/// A run that has to wait says so before it does.
fn say_wait(context: &TaskContext, questions: &[Questions]) {
    // A dump does not count, but the changes since then are asked for.
    let asks = |one: &Questions| {
        usize::from(one.snapshot && !one.dump) + usize::from(one.changes_since.is_some() || one.dump)
    };
    let requests: usize = questions.iter().map(asks).sum();
    let allowed = match (context.config.peeringdb_requests_per_minute, Access::of(&context.config)) {
        (0, Access::Anonymous) => 20,
        (0, Access::Keyed) => 40,
        (limit, _) => usize::try_from(limit).unwrap_or(usize::MAX),
    };
    if requests > allowed {
        context.reporter.info(format!(
            "{requests} requests are needed and {allowed} a minute allowed, so this takes at least {} min.",
            (requests - 1) / allowed
        ));
    }
}

fn failed(mut failures: Vec<(Namespace, FetchError)>) -> TaskError {
    failures.sort_by_key(|(namespace, _)| *namespace);
    let throttled = |error: &FetchError| matches!(error, FetchError::Throttled { .. });
    let all = |is: fn(&FetchError) -> bool| failures.iter().all(|(_, error)| is(error));
    let (throttled, passing) = (all(throttled), all(may_pass));
    let pause = failures.iter().map(|(_, error)| pause(error)).max().unwrap_or_default();
    let names: Vec<String> = failures.iter().map(|(namespace, _)| namespace.to_string()).collect();
    // Each has a line of its own; mostly all say the same of another address.
    let first =
        failures.first().map(|(namespace, error)| format!(" {namespace}: {error}")).unwrap_or_default();
    let why = format!(
        "{} of {} namespaces could not be fetched ({}), so nothing was stored and the cache is as it was.{first}",
        names.len(),
        Namespace::ALL.len(),
        names.join(", "),
    );
    match (throttled, passing) {
        (true, _) => TaskError::TryAfter { why, pause },
        (false, true) => TaskError::Unanswered { why, pause },
        (false, false) => TaskError::Failed(why),
    }
}

/// Whether the same question may be answered in a while without anybody doing anything.
fn may_pass(error: &FetchError) -> bool {
    match error {
        FetchError::Status { status, .. } => *status >= 500,
        FetchError::Throttled { .. }
        | FetchError::Transport { .. }
        | FetchError::TimedOut { .. }
        | FetchError::NotJson { .. }
        | FetchError::Cut { .. } => true,
        FetchError::Unauthorized { .. }
        | FetchError::TooBig { .. }
        | FetchError::SinkClosed(_)
        | FetchError::NoCache => false,
    }
}

/// How long PeeringDB asks to stay away.
fn pause(error: &FetchError) -> Duration {
    match error {
        FetchError::Throttled { retry_after, .. } => *retry_after,
        _ => Duration::ZERO,
    }
}

async fn ask(
    context: &TaskContext,
    client: &Client,
    question: &Questions,
    out: mpsc::Sender<Message>,
) -> Result<Vec<Staged>, (Namespace, FetchError)> {
    let namespace = question.namespace;
    let mut staged = Vec::new();
    let mut since = question.changes_since;
    if question.snapshot {
        if question.dump {
            match answer(context, client, namespace, Feed::Snapshot, Request::Dump, &out).await {
                Ok(dump) => {
                    // A dump may be a day old; the changes since then follow.
                    since = dump.seen().and_then(|seen| next_since(&context.config, &seen, None));
                    if since.is_some() {
                        staged.push(dump);
                    }
                }
                Err(error @ FetchError::SinkClosed(_)) => return Err((namespace, error)),
                Err(error) => {
                    context
                        .reporter
                        .warning(format!("{namespace}: {error}; asking the API for everything instead"));
                }
            }
        }
        if staged.is_empty() {
            let request = Request::Api(None);
            let all = answer(context, client, namespace, Feed::Snapshot, request, &out).await;
            staged.push(all.map_err(|error| (namespace, error))?);
        }
    }
    if since.is_some() {
        let changes = answer(context, client, namespace, Feed::Changes, Request::Api(since), &out).await;
        staged.push(changes.map_err(|error| (namespace, error))?);
    }
    Ok(staged)
}

#[derive(Clone, Copy)]
enum Request {
    Api(Option<i64>),
    Dump,
}

async fn answer(
    context: &TaskContext,
    client: &Client,
    namespace: Namespace,
    feed: Feed,
    request: Request,
    out: &mpsc::Sender<Message>,
) -> Result<Staged, FetchError> {
    let asked = context.clock.now();
    let (sender, mut receiver) = mpsc::channel(1);
    let closed = |_| FetchError::from(SinkClosed);
    out.send(Message::Restart(namespace, feed)).await.map_err(closed)?;
    let forward = async {
        let mut newest = None;
        while let Some(event) = receiver.recv().await {
            let message = match event {
                Event::Restart => {
                    newest = None;
                    Message::Restart(namespace, feed)
                }
                Event::Records(records) => {
                    newest = newest.max(newest_of(&records));
                    Message::Records(namespace, feed, records)
                }
            };
            if out.send(message).await.is_err() {
                return Err(FetchError::from(SinkClosed));
            }
        }
        Ok(newest)
    };
    let fetch = async {
        let answer = match request {
            Request::Api(since) => client.fetch(namespace, since, &sender).await,
            Request::Dump => client.fetch_dump(namespace, &sender).await,
        };
        drop(sender);
        answer
    };
    let (answer, forwarded) = tokio::join!(fetch, forward);
    let answer = answer?;
    let newest = forwarded?;
    if answer.attempts > 1 {
        context.reporter.warning(format!("{namespace}: answered only at attempt {}", answer.attempts));
    }
    out.send(Message::Finished(namespace, feed)).await.map_err(closed)?;
    context.reporter.detail(format!(
        "{namespace}: {} records, {} kB from {}",
        answer.records,
        answer.bytes / 1000,
        answer.url
    ));
    // The server's clock is what its times are in; ours stands in only when it tells none, and then the moment
    // before the question was asked.
    let generated = answer.generated.or(answer.date).or(match request {
        Request::Api(_) => Some(asked),
        Request::Dump => None,
    });
    Ok(Staged {
        namespace,
        feed,
        source: answer.url,
        generated,
        records: answer.records,
        bytes: answer.bytes,
        altered: 0,
        newest,
        unusable: answer.unusable,
    })
}

/// Altered records per feed.
type Tally = std::collections::HashMap<(Namespace, Feed), u64>;

impl Staged {
    /// What this answer allows to be skipped; `None` when its time is not known.
    pub(crate) fn seen(&self) -> Option<Seen> {
        Some(Seen {
            generated: self.generated?,
            newest: self.newest,
            unusable: self.unusable.iter().map(|unusable| unusable.updated).collect(),
        })
    }

    fn take(&mut self, tally: &Tally) {
        self.altered = tally.get(&(self.namespace, self.feed)).copied().unwrap_or(0);
    }
}

/// Stages what arrives, one batch after the other, until every sender is gone.
async fn stage(
    context: &TaskContext,
    staging: &mut Staging,
    mut receiver: mpsc::Receiver<Message>,
) -> Result<Tally, TaskError> {
    let mappings: Vec<Mapping> = Namespace::ALL.into_iter().map(Mapping::of).collect::<Result<_, _>>()?;
    let mapping = |namespace: Namespace| {
        mappings
            .iter()
            .find(|mapping| mapping.namespace == namespace)
            .ok_or_else(|| TaskError::Broken(format!("namespace {namespace} is not mapped")))
    };
    let mut tally = Tally::new();
    while let Some(message) = receiver.recv().await {
        match message {
            Message::Restart(namespace, feed) => {
                tally.remove(&(namespace, feed));
                staging.restart(feed, mapping(namespace)?.table).await?;
            }
            Message::Records(namespace, feed, records) => {
                let mapping = mapping(namespace)?;
                let altered = tally.entry((namespace, feed)).or_default();
                for record in &records {
                    say_alterations(context, namespace, record, altered);
                }
                let rows = records.into_iter().map(|record| mapping.row(record)).collect();
                staging.add(feed, mapping.table, rows).await?;
            }
            Message::Finished(namespace, feed) => staging.finish(feed, mapping(namespace)?.table).await?,
        }
    }
    Ok(tally)
}

fn newest_of(records: &[Record]) -> Option<DateTime<Utc>> {
    records.iter().map(|record| record.updated).max()
}

fn say_alterations(context: &TaskContext, namespace: Namespace, record: &Record, count: &mut u64) {
    if record.alterations.is_empty() {
        return;
    }
    *count += 1;
    let said = usize::try_from(*count).unwrap_or(usize::MAX);
    if said <= ALTERATIONS_SAID {
        let texts: Vec<String> = record.alterations.iter().map(ToString::to_string).collect();
        context.reporter.warning(format!("{namespace} {}: {}", record.id, texts.join("; ")));
    } else if said == ALTERATIONS_SAID + 1 {
        context.reporter.warning(format!("{namespace}: more records like these are only counted"));
    }
}

/// Stages saved dumps: `{namespace}.json` or `{namespace}-0.json` in a directory, or one such file. Namespaces that
/// have no file are named in a warning.
pub(crate) async fn from_files(
    context: &TaskContext,
    staging: &mut Staging,
    path: &Path,
    feed: Feed,
) -> Result<Vec<Staged>, TaskError> {
    let files = find_files(path)?;
    let missing: Vec<&str> = Namespace::ALL
        .iter()
        .filter(|namespace| files.iter().all(|(found, _)| found != *namespace))
        .map(|namespace| namespace.as_str())
        .collect();
    if path.is_dir() && !missing.is_empty() {
        context.reporter.warning(format!("{}: no file for {}", path.display(), missing.join(", ")));
    }
    let total = files.len();
    let mut staged = Vec::new();
    for (place, (namespace, file)) in files.into_iter().enumerate() {
        let (sender, receiver) = mpsc::channel(BATCHES);
        let reading = tokio::task::spawn_blocking(move || read_file(namespace, feed, &file, &sender));
        let (read, tally) = tokio::join!(reading, stage(context, staging, receiver));
        let tally = tally?;
        let mut one = read.map_err(|error| TaskError::Broken(error.to_string()))??;
        one.take(&tally);
        context.reporter.detail(format!("{namespace}: {} records from {}", one.records, one.source));
        context.reporter.progress(place + 1, total, "reading files");
        staged.push(one);
    }
    Ok(staged)
}

fn find_files(path: &Path) -> Result<Vec<(Namespace, PathBuf)>, TaskError> {
    let unreadable = |error: std::io::Error| TaskError::Failed(format!("{}: {error}", path.display()));
    let named = |namespace: Namespace| [format!("{namespace}.json"), format!("{namespace}-0.json")];
    if std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        let files: Vec<(Namespace, PathBuf)> = Namespace::ALL
            .into_iter()
            .filter_map(|namespace| {
                let file =
                    named(namespace).map(|name| path.join(name)).into_iter().find(|file| file.is_file())?;
                Some((namespace, file))
            })
            .collect();
        if files.is_empty() {
            return Err(TaskError::Failed(format!(
                "{}: there is no {{namespace}}.json in it (org.json, net.json, …)",
                path.display()
            )));
        }
        return Ok(files);
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Namespace::ALL
        .into_iter()
        .find(|namespace| named(*namespace).contains(&name))
        .map(|namespace| vec![(namespace, path.to_path_buf())])
        .ok_or_else(|| {
            TaskError::Failed(format!(
                "{}: a file must be named after its namespace, such as net.json or poc.json",
                path.display()
            ))
        })
}

fn read_file(
    namespace: Namespace,
    feed: Feed,
    path: &Path,
    sender: &mpsc::Sender<Message>,
) -> Result<Staged, TaskError> {
    let told = |error: &dyn std::fmt::Display| {
        TaskError::Failed(format!("{}: {error}; nothing was stored", path.display()))
    };
    let file = File::open(path).map_err(|error| told(&error))?;
    let gone = |_| TaskError::Store(StoreError::Data("staging ended early".into()));
    sender.blocking_send(Message::Restart(namespace, feed)).map_err(gone)?;
    let mut newest = None;
    let mut sink = |records: Vec<Record>| {
        newest = newest.max(newest_of(&records));
        sender.blocking_send(Message::Records(namespace, feed, records)).map_err(|_| SinkClosed)
    };
    let contents = pm_peeringdb::read(namespace, file, &mut sink).map_err(|error| told(&error))?;
    sender.blocking_send(Message::Finished(namespace, feed)).map_err(gone)?;
    Ok(Staged {
        namespace,
        feed,
        source: path.display().to_string(),
        generated: contents.generated,
        records: contents.records,
        bytes: contents.bytes,
        altered: 0,
        newest,
        unusable: contents.unusable,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled(seconds: u64) -> FetchError {
        let retry_after = Duration::from_secs(seconds);
        FetchError::Throttled {
            url: "u".into(),
            retry_after,
            available: None,
            attempts: 1,
            excerpt: "e".into(),
        }
    }

    fn status(status: u16) -> FetchError {
        FetchError::Status { url: "u".into(), status, excerpt: "e".into(), attempts: 1 }
    }

    fn away() -> FetchError {
        FetchError::Transport { url: "u".into(), why: "no such name".into(), attempts: 1 }
    }

    #[test]
    fn what_may_pass_is_tried_again_when_peeringdb_has_said() {
        let of = |errors: Vec<FetchError>| {
            failed(errors.into_iter().map(|error| (Namespace::Net, error)).collect())
        };
        let error = of(vec![throttled(60), throttled(3_600)]);
        assert!(matches!(error, TaskError::TryAfter { .. }), "{error:?}");
        assert_eq!(error.pause(), Duration::from_hours(1));
        for errors in [vec![away()], vec![status(503)], vec![away(), throttled(60)]] {
            let error = of(errors);
            assert!(matches!(error, TaskError::Unanswered { .. }) && error.may_pass(), "{error:?}");
        }
        assert_eq!(of(vec![away(), throttled(60)]).pause(), Duration::from_mins(1));
        let said = of(vec![away(), away()]).to_string();
        assert!(said.starts_with("2 of 13 namespaces could not be fetched (net, net), "), "{said}");
        assert_eq!(said.matches("no such name").count(), 1, "{said}");
        for errors in [vec![status(404)], vec![away(), FetchError::NoCache]] {
            let error = of(errors);
            assert!(matches!(error, TaskError::Failed(_)) && !error.may_pass(), "{error:?}");
        }
    }
}
