//! `doctor`: what is wrong with this installation, in sentences.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use pm_config::{Level, Loaded, Sources};
use pm_router::napalm_versions;
use pm_store::jobs::{self, Status};
use pm_store::objects::secrets::keys_in_use;
use pm_store::peeringdb::{lookup, runs};
use pm_store::{Store, StoreError, health, locks, migrations, queue, releases};
use pm_tasks::queue::workers_at_work;
use pm_tasks::routers::NoWay;
use pm_tasks::{Clock as _, SystemClock, secret_key};
use secrecy::ExposeSecret as _;
use serde::Serialize;

use crate::app::{EXIT_FAILED, EXIT_OK};
use crate::commands::Shared;
use crate::output::Output;

/// A cache older than this is called stale.
const STALE_AFTER: TimeDelta = TimeDelta::days(2);

/// How long Python may take to find NAPALM.
const PATIENCE: Duration = Duration::from_secs(20);

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

async fn database(findings: &mut Findings, loaded: &Loaded) {
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

/// Whether the SQLite file could be made.
fn has_directory(location: &str) -> bool {
    let path = location.trim_start_matches("sqlite:").trim_start_matches("//");
    // A bare name lies in the current directory, which has no name here.
    Path::new(path).parent().is_none_or(|parent| parent.as_os_str().is_empty() || parent.exists())
}

/// Whether the way to every router is known, and whether what it takes is there.
async fn routers(findings: &mut Findings, store: &Store, loaded: &Loaded) -> Result<(), StoreError> {
    let keyring = secret_key::keyring(&loaded.config, store).await;
    let mut transaction = store.begin_reading().await?;
    let routers = pm_tasks::routers::routers(&mut transaction.session(), &loaded.config, &keyring).await;
    transaction.rollback().await?;
    let routers = match routers {
        Ok(routers) => routers,
        Err(error) => {
            findings.add(Weight::Error, format!("The routers cannot be read: {error}."));
            return Ok(());
        }
    };
    let mut bridged = BTreeSet::new();
    for router in routers.into_iter().filter(|router| !router.disabled) {
        let broken = match (router.target, router.ways) {
            (Err(NoWay::Broken(why)), _) | (Ok(_), Err(why)) => why,
            (Ok(target), Ok(_)) if target.needs_napalm() => {
                bridged.insert(target.driver_name);
                continue;
            }
            _ => continue,
        };
        findings.add(Weight::Warning, format!("The router {} cannot be worked on: {broken}.", router.name));
    }
    napalm(findings, &loaded.config.napalm_python, &bridged).await;
    Ok(())
}

/// Whether there is a Python with NAPALM and these drivers.
async fn napalm(findings: &mut Findings, python: &Path, drivers: &BTreeSet<String>) {
    let found = match napalm_versions(python, drivers, PATIENCE).await {
        Ok(found) => found,
        Err(why) if drivers.is_empty() => {
            let text = format!("There is no NAPALM, and no router needs it ({why}).");
            return findings.add(Weight::Fine, text);
        }
        Err(why) => {
            let names: Vec<&str> = drivers.iter().map(String::as_str).collect();
            let text = format!("Routers need NAPALM, for {}, and it is not there: {why}.", names.join(", "));
            return findings.add(Weight::Warning, text);
        }
    };
    findings.add(Weight::Fine, format!("NAPALM is {}, on Python {}.", found.napalm, found.python));
    for (driver, why) in &found.missing {
        findings.add(Weight::Warning, format!("NAPALM has no driver {driver}, which a router needs: {why}."));
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
                "{count} stored passwords are encrypted under the key {key}, which is not there: put the key file back, or \
                 the earlier secret_key into secret_key_previous."
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
    secrets(findings, store, loaded).await?;
    routers(findings, store, loaded).await?;
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
    for (key, holder) in locks::held(store).await? {
        let who = pm_tasks::describe_owner(&holder.owner);
        if holder.expires < now || pm_tasks::is_dead(&holder.owner) {
            findings.add(
                Weight::Warning,
                format!("The lock {key} was left behind by {who}; the next run takes it over, or housekeeping frees it."),
            );
        } else {
            findings.add(Weight::Fine, format!("{key} is being run by {who}."));
        }
    }
    let lease = TimeDelta::seconds(loaded.config.lock_lease.into());
    for status in [Status::Pending, Status::Running] {
        for job in jobs::list(store, Some(status), None, 100).await? {
            let Some(owner) = &job.owner else { continue };
            if pm_tasks::is_dead(owner) || job.heartbeat.is_none_or(|heartbeat| now - heartbeat > lease) {
                findings.add(
                    Weight::Warning,
                    format!(
                        "Job {} ({}) says it is {status}, but its process ({}) gives no sign of life; housekeeping \
                         closes it.",
                        job.id,
                        job.task,
                        pm_tasks::describe_owner(owner)
                    ),
                );
            }
        }
    }
    let waiting = queue::due(store, &[], 0, now).await?.waiting;
    let workers = workers_at_work(store, lease, now).await?;
    if waiting > 0 && workers == 0 {
        findings.add(
            Weight::Warning,
            format!("{waiting} jobs wait for a worker, and none is at work; start `peering-manager worker`."),
        );
    } else if workers > 0 {
        findings.add(Weight::Fine, format!("{workers} workers are at work, {waiting} jobs wait."));
    }
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
