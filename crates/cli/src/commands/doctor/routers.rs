//! The ways to routers, and what is left of deployments.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use pm_config::Loaded;
use pm_store::{Store, StoreError};
use pm_tasks::routers::NoWay;
use pm_tasks::{napalm_versions, secret_key};

use super::{Findings, Weight};

/// How long Python may take to find NAPALM.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether the way to every router is known, and whether what it takes is there.
pub(super) async fn routers(
    findings: &mut Findings,
    store: &Store,
    loaded: &Loaded,
) -> Result<(), StoreError> {
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

/// Deployments of which nobody knows how they ended.
pub(super) async fn deployments(
    findings: &mut Findings,
    store: &Store,
    loaded: &Loaded,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let timer = TimeDelta::seconds(loaded.config.commit_confirm_seconds.into());
    let unsettled = pm_store::deployments::unsettled(&mut store.connection().await?.session()).await?;
    for one in unsettled.iter().filter(|one| one.is_left(now, timer)) {
        let (id, router) = (one.id, &one.router_name);
        let begun = one.begun.format("%Y-%m-%d %H:%M UTC");
        let text = match (one.status, one.router) {
            (pm_store::deployments::Status::Unknown, _) => format!(
                "After deployment {id} of {begun} the router {router} ran something that nobody expected: look at it, and \
                 deploy anew or `peering-manager deployments close {id}`."
            ),
            (_, Some(_)) => format!(
                "Deployment {id} of {begun} to the router {router} was left half-way, and nobody has looked since: run \
                 `peering-manager configure_routers --limit {router}`, or look at the router and `peering-manager \
                 deployments close {id}`."
            ),
            (_, None) => format!(
                "Deployment {id} of {begun} was left half-way, and its router {router} has been deleted since: look at the \
                 router, and `peering-manager deployments close {id}`."
            ),
        };
        findings.add(Weight::Error, text);
    }
    Ok(())
}
