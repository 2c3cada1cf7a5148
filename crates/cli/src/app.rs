//! What commands share: settings, the database, running a task, and exit codes.

use std::sync::Arc;

use anyhow::Context as _;
use pm_config::{Config, Loaded, LogFormat, Sources};
use pm_store::jobs::Status;
use pm_store::objects::problems::ObjectError;
use pm_store::{Store, StoreError, migrations};
use pm_tasks::documents::DocumentError;
use pm_tasks::sessions::Freshness;
use pm_tasks::{Clock as _, Editor, Finished, Runner, SystemClock, Task};
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use crate::commands::Shared;
use crate::output::Output;
use crate::terminal::Terminal;

/// Everything was done.
pub(crate) const EXIT_OK: u8 = 0;
/// It failed.
pub(crate) const EXIT_FAILED: u8 = 1;
/// The command line is wrong.
pub(crate) const EXIT_USAGE: u8 = 2;
/// A guard said no.
pub(crate) const EXIT_REFUSED: u8 = 3;
/// Some of it was done.
pub(crate) const EXIT_PARTLY: u8 = 4;
/// There is a difference, and that was the question.
pub(crate) const EXIT_DIFFERENT: u8 = 5;
/// It may work later.
pub(crate) const EXIT_TRY_LATER: u8 = 75;

/// An error of the one who typed the command.
#[derive(Debug)]
pub(crate) struct UsageError(pub(crate) String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// The exit code of an error that ended a command.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<UsageError>().is_some() {
        EXIT_USAGE
    } else if matches!(error.downcast_ref(), Some(StoreError::Busy)) {
        EXIT_TRY_LATER
    } else if let Some(error) = error.downcast_ref::<ObjectError>() {
        of_objects(error)
    } else if let Some(DocumentError::Objects(error)) = error.downcast_ref() {
        of_objects(error)
    } else {
        EXIT_FAILED
    }
}

fn of_objects(error: &ObjectError) -> u8 {
    match error {
        ObjectError::Store(StoreError::Busy) => EXIT_TRY_LATER,
        ObjectError::Protected { .. } => EXIT_REFUSED,
        ObjectError::Question(_) => EXIT_USAGE,
        _ => EXIT_FAILED,
    }
}

/// The settings, with their warnings said.
pub(crate) fn settings(shared: &Shared, output: &Output) -> anyhow::Result<Loaded> {
    let loaded = pm_config::load(&Sources::from_process(shared.config.clone()))?;
    for warning in &loaded.warnings {
        output.warning(warning);
    }
    start_log(shared, &loaded.config);
    Ok(loaded)
}

/// The database of the settings, migrated if it is empty.
pub(crate) async fn open(shared: &Shared, output: &Output) -> anyhow::Result<(Loaded, Store)> {
    let loaded = settings(shared, output)?;
    let store = open_for(&loaded, 1).await?;
    Ok((loaded, store))
}

/// The same for a process that runs so many tasks at the same time.
pub(crate) async fn open_for(loaded: &Loaded, tasks: u32) -> anyhow::Result<Store> {
    let store = Store::open_for(loaded.config.database_url.expose_secret(), tasks).await?;
    let plan = migrations::plan(&store).await?;
    if plan.current == 0 {
        // Nothing is there that could be harmed.
        migrations::run(&store, SystemClock.now()).await?;
    } else {
        migrations::verify(&store).await?;
    }
    Ok(store)
}

/// The database, to look at what polls have brought, and how old that may be.
pub(crate) async fn look(shared: &Shared, output: &Output) -> anyhow::Result<(Store, Freshness)> {
    let (loaded, store) = open(shared, output).await?;
    Ok((store, Freshness::new(&loaded.config, &SystemClock)))
}

/// Who changes objects from here.
pub(crate) async fn editor(shared: &Shared, output: &Output) -> anyhow::Result<Editor> {
    let (loaded, store) = open(shared, output).await?;
    Ok(Editor::new(&store, &loaded.config, &SystemClock, "command line").await)
}

/// Runs a task here and now and prints what came of it.
pub(crate) async fn run_task(
    shared: &Shared,
    output: &Output,
    task: &dyn Task,
    wait: bool,
) -> anyhow::Result<Finished> {
    run_task_and(shared, output, task, wait, |_| {}).await
}

/// As [`run_task`]; `more` adds to what is printed as JSON what the job's record does not keep.
pub(crate) async fn run_task_and(
    shared: &Shared,
    output: &Output,
    task: &dyn Task,
    wait: bool,
    more: impl FnOnce(&mut Finished),
) -> anyhow::Result<Finished> {
    let (loaded, store) = open(shared, output).await?;
    let terminal = Arc::new(Terminal::new(shared.verbosity(), log_format(shared, &loaded.config)));
    let runner = Runner {
        store: store.clone(),
        config: Arc::new(loaded.config),
        clock: Arc::new(SystemClock),
        sink: Arc::clone(&terminal) as _,
        seed: seed(),
        wait,
    };
    let cancel = CancellationToken::new();
    let watcher = tokio::spawn(cancel_on_signal(cancel.clone()));
    let finished = runner.run(task, cancel).await;
    watcher.abort();
    terminal.finish();
    let mut finished = finished.context("the job record could not be written")?;
    store.close().await;
    more(&mut finished);
    // The terminal shows a failure whatever was asked for, but what was partly done is only a warning there; without a
    // word cron would send no mail.
    if output.quiet && finished.exit != EXIT_OK && finished.status == Status::Completed {
        output.error(&finished.message);
    }
    if output.json {
        output.json(&finished)?;
    }
    Ok(finished)
}

/// The first Ctrl-C or SIGTERM asks the run to end, the second ends the process.
pub(crate) async fn cancel_on_signal(cancel: CancellationToken) {
    cancel_on_signals([cancel]).await;
}

/// Each Ctrl-C or SIGTERM cancels the next of these; one more ends the process.
pub(crate) async fn cancel_on_signals(cancel: impl IntoIterator<Item = CancellationToken>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    for next in cancel.into_iter().map(Some).chain([None]) {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        match next {
            Some(cancel) => cancel.cancel(),
            None => std::process::exit(130),
        }
    }
}

pub(crate) fn log_format(shared: &Shared, config: &Config) -> LogFormat {
    shared.log_format.map_or(config.log_format, Into::into)
}

/// The log of a command that reads no settings.
pub(crate) fn log_without_settings(shared: &Shared) {
    start_log(shared, &Config::default());
}

/// Log lines of the program itself; what a task says is shown by [`Terminal`].
fn start_log(shared: &Shared, config: &Config) {
    use tracing_subscriber::EnvFilter;
    let level = match shared.verbosity() {
        ..0 => "error".to_owned(),
        0 => config.log_level.to_string(),
        1 => "info".to_owned(),
        2.. => "debug".to_owned(),
    };
    let filter = EnvFilter::new(format!("{level},hyper=warn,reqwest=warn,sqlx=warn,rustls=warn"));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let builder = builder.with_ansi(console::colors_enabled_stderr());
    // An error means that the log runs already.
    let _ = match log_format(shared, config) {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder.try_init(),
    };
}

/// Different for every process, so that two that wait do not come back together.
pub(crate) fn seed() -> u64 {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    high ^ low
}
