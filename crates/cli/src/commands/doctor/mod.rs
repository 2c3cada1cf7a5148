//! `doctor`: what is wrong with this installation, in sentences.

mod background;
mod routers;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use pm_config::{Level, Loaded, Sources};
use pm_store::objects::secrets::{InClear, in_clear, keys_in_use};
use pm_store::peeringdb::{lookup, runs};
use pm_store::{Store, StoreError, health, migrations, releases};
use pm_tasks::{Clock as _, SystemClock, schedule, secret_key};
use secrecy::ExposeSecret as _;
use serde::Serialize;

use crate::app::{EXIT_FAILED, EXIT_OK};
use crate::clocks;
use crate::commands::Shared;
use crate::output::Output;
use crate::units::Way;
use crate::units::starters::{self, Starter};

/// A cache older than this is called stale.
const STALE_AFTER: TimeDelta = TimeDelta::days(2);

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Weight {
    /// Something does not work.
    Error,
    /// Something may not be as meant.
    Warning,
    /// Good to know.
    Fine,
}

#[derive(Debug, Serialize)]
struct Finding {
    weight: Weight,
    text: String,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, weight: Weight, text: impl Into<String>) {
        self.0.push(Finding { weight, text: text.into() });
    }
}

pub(crate) async fn run(shared: &Shared, output: &Output) -> anyhow::Result<u8> {
    let mut findings = Findings::default();
    // Settings that cannot be read are a finding, not a reason to stop silently.
    match pm_config::load(&Sources::from_process(shared.config.clone())) {
        Err(error) => findings.add(Weight::Error, error.to_string()),
        Ok(loaded) => {
            settings(&mut findings, &loaded);
            database(&mut findings, &loaded).await;
        }
    }
    let broken = findings.0.iter().any(|finding| finding.weight == Weight::Error);
    if output.json {
        output.json(&serde_json::json!({ "findings": findings.0 }))?;
    } else {
        for finding in &findings.0 {
            match finding.weight {
                Weight::Error => output.marked(&console::style("✗").red(), &finding.text),
                Weight::Warning => output.marked(&console::style("!").yellow(), &finding.text),
                Weight::Fine if output.quiet => {}
                Weight::Fine => output.marked(&console::style("✓").green(), &finding.text),
            }
        }
    }
    Ok(if broken { EXIT_FAILED } else { EXIT_OK })
}

fn settings(findings: &mut Findings, loaded: &Loaded) {
    match &loaded.file {
        Some(file) => findings.add(Weight::Fine, format!("The settings are in {}.", file.display())),
        None => findings.add(Weight::Fine, "There is no settings file; the defaults are in force."),
    }
    for warning in &loaded.warnings {
        findings.add(Weight::Warning, warning.clone());
    }
    for finding in pm_config::check(loaded) {
        let weight = if finding.level == Level::Error { Weight::Error } else { Weight::Warning };
        findings.add(weight, finding.text);
    }
    if loaded.config.peeringdb_api_key.is_none() && loaded.config.peeringdb_username.is_none() {
        findings.add(
            Weight::Warning,
            "There is no peeringdb_api_key: PeeringDB shows only public contacts and allows half the requests.",
        );
    }
}

/// Whether a task is started at its time in more than one way. Schedules count where a scheduler runs, or is meant to.
async fn automation(
    findings: &mut Findings,
    store: &Store,
    root: &Path,
    runs: bool,
) -> Result<(), StoreError> {
    let (units, mut others): (Vec<_>, Vec<_>) =
        starters::starters(root).into_iter().partition(|starter| starter.way == Way::Scheduler);
    if runs || !units.is_empty() {
        let all = pm_store::schedules::list(&mut store.connection().await?.session()).await?;
        let enabled = all.iter().map(|one| &one.definition).filter(|one| one.enabled);
        others.extend(enabled.map(|one| Starter::schedule(&one.name, &one.task, &one.arguments)));
    }
    for doubt in starters::doubts(&others) {
        findings.add(Weight::Warning, doubt);
    }
    Ok(())
}

async fn database(findings: &mut Findings, loaded: &Loaded) {
    owners(findings, loaded.config.database_url.expose_secret());
    // A doctor that makes what it was asked to look at would say that all is well.
    let store = match Store::open_existing(loaded.config.database_url.expose_secret()).await {
        Ok(store) => store,
        Err(StoreError::Missing { location }) if !has_directory(&location) => {
            let text = format!(
                "The database {location} is in a directory that does not exist: make it, or correct database_url."
            );
            return findings.add(Weight::Error, text);
        }
        Err(StoreError::Missing { location }) => {
            let text = format!(
                "The database {location} does not exist yet; the first command that needs it makes it."
            );
            return findings.add(Weight::Warning, text);
        }
        Err(error) => return findings.add(Weight::Error, format!("{error}.")),
    };
    match migrations::plan(&store).await {
        Err(error) => return findings.add(Weight::Error, format!("{error}.")),
        Ok(plan) if plan.current == 0 => {
            return findings.add(
                Weight::Warning,
                format!(
                    "The database {} is empty; the first command that needs it sets it up.",
                    store.location()
                ),
            );
        }
        Ok(plan) if !plan.pending.is_empty() => {
            return findings.add(
                Weight::Error,
                format!(
                    "The database needs migrations ({}); make a backup and run `peering-manager migrate`.",
                    plan.pending.join(", ")
                ),
            );
        }
        Ok(_) => {}
    }
    if let Err(error) = contents(findings, &store, loaded, SystemClock.now()).await {
        findings.add(Weight::Error, format!("The database cannot be read: {error}."));
    }
}

/// The SQLite file of a database's URL.
fn file_of(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?.trim_start_matches("//");
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    (!path.is_empty() && path != ":memory:").then(|| path.into())
}

/// The directory in which a file lies; a bare name lies in the current one.
fn directory_of(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether the SQLite file could be made.
fn has_directory(location: &str) -> bool {
    file_of(location).is_none_or(|file| directory_of(&file).exists())
}

/// Whether what was made beside the database belongs to whom the directory belongs to. A command that root ran makes files
/// that the service cannot open.
fn owners(findings: &mut Findings, url: &str) {
    let Some(file) = file_of(url) else { return };
    let directory = directory_of(&file);
    let Ok(place) = std::fs::metadata(directory) else { return };
    for ending in ["", "-wal", "-shm", secret_key::SUFFIX] {
        let mut beside = file.clone().into_os_string();
        beside.push(ending);
        let beside = PathBuf::from(beside);
        let Ok(found) = std::fs::metadata(&beside) else { continue };
        if found.uid() != place.uid() {
            let (file, directory) = (beside.display(), directory.display());
            findings.add(
                Weight::Warning,
                format!(
                    "{file} belongs to another user (number {}) than its directory (number {}), who may not be able to open \
                     it: `chown --reference={directory} {file}`, and run commands as that user.",
                    found.uid(),
                    place.uid()
                ),
            );
        }
    }
}

/// Whether every stored password can be read.
async fn secrets(findings: &mut Findings, store: &Store, loaded: &Loaded) -> Result<(), StoreError> {
    let in_use = keys_in_use(&mut store.connection().await?.session()).await?;
    let keyring = secret_key::keyring(&loaded.config, store).await;
    for (key, count) in in_use.iter().filter(|(key, _)| !keyring.knows(key)) {
        findings.add(
            Weight::Error,
            format!(
                "{count} stored secrets are encrypted under the key {key}, which is not there: put the key file back, or \
                 the earlier secret_key into secret_key_previous."
            ),
        );
    }
    if let Some(key) = secret_key::place(&loaded.config, store).await?
        && in_use.keys().all(|key| keyring.knows(key))
    {
        let count: i64 = in_use.values().sum();
        findings.add(
            Weight::Fine,
            format!("{count} secrets are encrypted under {key}; a backup is useless for them without it: keep a copy."),
        );
    }
    for found in in_clear(&mut store.connection().await?.session()).await? {
        let InClear { objects, field, count } = found;
        findings.add(
            Weight::Warning,
            format!(
                "{field} of {count} {objects} is in the clear in the database, from an earlier release; `peering-manager \
                 secrets rotate` encrypts it."
            ),
        );
    }
    if let Some(file) = secret_key::file_of(store)
        && let Ok(metadata) = std::fs::metadata(&file)
        && metadata.permissions().mode() & 0o077 != 0
    {
        findings.add(
            Weight::Warning,
            format!("{} can be read by others: chmod 600 it, or run `secrets rotate`.", file.display()),
        );
    }
    Ok(())
}

async fn contents(
    findings: &mut Findings,
    store: &Store,
    loaded: &Loaded,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (version, size) = (health::version(store).await?, health::size(store).await?);
    findings.add(
        Weight::Fine,
        format!("The database is {} {version} at {}, {} kB.", store.engine(), store.location(), size / 1000),
    );
    for damage in health::damage(store).await? {
        findings.add(
            Weight::Error,
            format!("The database file is damaged ({damage}); restore a backup, and look at the disk."),
        );
    }
    if let Some(apart) = clocks::apart(store).await? {
        findings.add(Weight::Error, format!("{apart}."));
    }
    secrets(findings, store, loaded).await?;
    routers::routers(findings, store, loaded).await?;
    cache(findings, store, now).await?;
    background::left_behind(findings, store, now).await?;
    routers::deployments(findings, store, loaded, now).await?;
    let lease = TimeDelta::seconds(loaded.config.lock_lease.into());
    background::silent(findings, store, lease, now).await?;
    let workers = background::waiting(findings, store, lease, now).await?;
    let health = schedule::health(store, &loaded.config, now).await?;
    background::schedules(findings, &health, workers);
    automation(findings, store, Path::new("/"), health.schedulers > 0).await?;
    background::notifications(findings, store, loaded, workers, now).await?;
    release(findings, store).await
}

/// How old the PeeringDB cache is.
async fn cache(findings: &mut Findings, store: &Store, now: DateTime<Utc>) -> Result<(), StoreError> {
    let held = lookup::held(store).await?;
    let records: i64 = held.iter().map(|one| one.records).sum();
    let dangling: i64 = held.iter().map(|one| one.dangling).sum();
    match runs::watermarks(store).await?.values().map(|mark| mark.synchronised).min() {
        None if records == 0 => {
            findings.add(Weight::Warning, "The PeeringDB cache is empty; run `peering-manager peeringdb_sync`.");
        }
        None => findings.add(
            Weight::Warning,
            format!("The PeeringDB cache holds {records} records from files and was never synchronised."),
        ),
        Some(synchronised) if now - synchronised > STALE_AFTER => findings.add(
            Weight::Warning,
            format!(
                "The PeeringDB cache ({records} records) was last synchronised {} days ago; \
                 run `peering-manager peeringdb_sync` once a day.",
                (now - synchronised).num_days()
            ),
        ),
        Some(synchronised) => findings.add(
            Weight::Fine,
            format!(
                "The PeeringDB cache holds {records} records as of {}, {dangling} of them without their parent.",
                synchronised.format("%Y-%m-%d %H:%M UTC")
            ),
        ),
    }
    Ok(())
}

/// Whether there is a newer release.
async fn release(findings: &mut Findings, store: &Store) -> Result<(), StoreError> {
    if let Some(release) = releases::latest(store).await? {
        let running = env!("CARGO_PKG_VERSION");
        if pm_tasks::is_newer(&release.version, running) {
            findings.add(
                Weight::Warning,
                format!("Release {} is out, this is {running}; see {}", release.version, release.url),
            );
        } else {
            findings.add(
                Weight::Fine,
                format!("This is {running}, the latest known release is {}.", release.version),
            );
        }
    }
    Ok(())
}
