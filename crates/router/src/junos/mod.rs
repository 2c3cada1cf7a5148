//! Juniper Junos, over NETCONF with Junos's own operations.
//!
//! * `peers.rs`: neighbours out of its answers; `napalm.rs`: the same in NAPALM's shapes;
//! * `change.rs`: candidates, and what becomes of them; `history.rs`: the router's list of commits.
//!
//! Written after Juniper's "Junos XML Management Protocol Developer Guide"; not yet seen with a real router.

mod change;
mod history;
mod napalm;
mod peers;

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value as Json;

use crate::driver::{Candidate, ConfigText, How, Load, Loader, Pending, Platform, Router};
use crate::mask::excerpt;
use crate::netconf::candidate::{Changes as _, Slot};
use crate::netconf::{Session, xml};
use crate::{Diff, Error, Facts, NapalmDetail, NapalmNeighbors, Neighbors, Step, Target};

pub(crate) use napalm::{napalm, recorded};

/// Neighbours out of answers: for all instances at once, or for one after another.
pub(crate) fn neighbors(parts: &BTreeMap<String, String>) -> Result<Neighbors, String> {
    const NONE: &str = "<bgp-information/>";
    let part = |name: &str| parts.get(name).map(String::as_str);
    if let Some(document) = part("get-bgp-neighbor-information") {
        let summary = part("get-bgp-summary-information").filter(|text| !text.is_empty());
        let summary = peers::Summary::read(summary.unwrap_or(NONE))?;
        return Ok(peers::read(document, &summary, None)?.neighbors.sorted());
    }
    let mut all = Neighbors::default();
    for name in
        napalm::instances(part("get-instance-information").ok_or("there is no part with neighbours")?)?
    {
        let Some(document) = part(&format!("get-bgp-neighbor-information{name}")) else { continue };
        let summary = part(&format!("get-bgp-summary-information{name}")).unwrap_or(NONE);
        let more = peers::read(document, &peers::Summary::read(summary)?, Some(&name))?.neighbors;
        all.neighbors.extend(more.neighbors);
        all.left_out.extend(more.left_out);
    }
    Ok(all.sorted())
}

/// Reads an answer as a list of commits and as a clock.
pub(crate) fn told(document: &str) -> Result<(), String> {
    let now = history::now(document)?;
    let _ = history::up_for(document)?;
    for entry in history::read(document)? {
        let _ = (entry.id(), entry.left(now));
    }
    Ok(())
}

/// A difference as Junos prints it.
pub(crate) fn difference(text: &str) -> Diff {
    change::read_diff(text)
}

/// Makes an operation of a configuration, in whatever form it is.
pub(crate) fn form(text: &str) {
    let _ = change::load_operation(How::Merge, text);
}

/// How the candidate is kept apart from those of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    /// The shared candidate, locked while one is loaded.
    Locked,
    /// The shared candidate, locked as long as the connection lasts.
    LockedAlways,
    /// The shared candidate, without a lock.
    Open,
    /// A candidate of our own.
    Private,
}

/// A router with Junos.
pub(crate) struct Junos {
    session: Session,
    sharing: Sharing,
    slot: Slot,
}

/// Connects, with NAPALM's `config_private`, `config_lock` and `lock_disable` among the options.
pub(crate) async fn connect(target: &Target) -> Result<Box<dyn Router>, Error> {
    let set = |name: &str| target.options.get(name).and_then(Json::as_bool).unwrap_or(false);
    let sharing = if set("config_private") {
        Sharing::Private
    } else if set("lock_disable") {
        Sharing::Open
    } else if set("config_lock") {
        Sharing::LockedAlways
    } else {
        Sharing::Locked
    };
    let ssh = target.ssh(22).await?;
    let session = Session::begin(ssh).await?;
    if sharing == Sharing::LockedAlways
        && let Err(error) = session.rpc(Step::Login, "<lock-configuration/>").await
    {
        session.close().await;
        return Err(error);
    }
    Ok(Box::new(Junos { session, sharing, slot: Slot::default() }))
}

impl Junos {
    fn host(&self) -> &str {
        self.session.host()
    }

    fn failed(&self, step: Step, message: impl Into<String>) -> Error {
        Error::Failed { host: self.host().to_owned(), step, message: message.into() }
    }

    /// An operation of which the answer is wanted, whether BGP runs or not.
    async fn ask_bgp(&self, operation: &str) -> Result<String, Error> {
        let step = Step::Neighbors;
        let (text, errors) = self.session.rpc_with_errors(step, operation).await?;
        let errors: Vec<_> = errors.into_iter().filter(|error| !error.is_warning).collect();
        if errors.is_empty() {
            return Ok(text);
        }
        if errors.iter().all(|error| error.message.to_ascii_lowercase().contains("not running")) {
            return Ok("<rpc-reply/>".to_owned());
        }
        let message = errors.iter().map(crate::netconf::RpcError::text).collect::<Vec<_>>().join("; ");
        Err(self.failed(step, message))
    }

    async fn instances(&self) -> Result<Vec<String>, Error> {
        let reply = self.session.rpc(Step::Neighbors, "<get-instance-information/>").await?;
        napalm::instances(&reply.text).map_err(|why| self.session.unreadable(Step::Neighbors, why))
    }

    /// Neighbours and summary of one instance.
    async fn instance(&self, name: &str) -> Result<(String, String), Error> {
        let name = xml::escape(name);
        let of = |operation: &str| format!("<{operation}><instance>{name}</instance></{operation}>");
        let neighbors = self.ask_bgp(&of("get-bgp-neighbor-information")).await?;
        let summary = self.ask_bgp(&of("get-bgp-summary-information")).await?;
        Ok((neighbors, summary))
    }

    async fn all_instances(&self) -> Result<Vec<(String, String, String)>, Error> {
        let mut all = Vec::new();
        for name in self.instances().await? {
            let (neighbors, summary) = self.instance(&name).await?;
            all.push((name, neighbors, summary));
        }
        Ok(all)
    }
}

fn borrowed(all: &[(String, String, String)]) -> Vec<napalm::Instance<'_>> {
    all.iter().map(|(name, neighbors, summary)| napalm::Instance { name, neighbors, summary }).collect()
}

#[async_trait]
impl Router for Junos {
    fn platform(&self) -> Platform {
        Platform::Junos
    }

    async fn facts(&self) -> Result<Facts, Error> {
        let step = Step::Facts;
        let unreadable = |why: String| self.session.unreadable(step, why);
        let system = self.session.rpc(step, "<get-system-information/>").await?;
        let clock = self.session.rpc(step, "<get-system-uptime-information/>").await?;
        let text = |name: &str| {
            let path = ["rpc-reply", "system-information", name];
            Ok::<_, Error>(
                xml::text_at(&system.text, &path).map_err(unreadable)?.unwrap_or_default().trim().to_owned(),
            )
        };
        Ok(Facts {
            hostname: text("host-name")?,
            vendor: "Juniper".to_owned(),
            model: text("hardware-model")?,
            version: text("os-version")?,
            router_id: None,
            uptime: history::up_for(&clock.text).map_err(unreadable)?,
        })
    }

    async fn neighbors(&self) -> Result<Neighbors, Error> {
        let unreadable = |why: String| self.session.unreadable(Step::Neighbors, why);
        let document = self.ask_bgp("<get-bgp-neighbor-information/>").await?;
        let summary = self.ask_bgp("<get-bgp-summary-information/>").await?;
        let summary = peers::Summary::read(&summary).map_err(unreadable)?;
        let answer = peers::read(&document, &summary, None).map_err(unreadable)?;
        if !answer.without_instance {
            return Ok(answer.neighbors.sorted());
        }
        // An older release: the neighbours do not say where they are.
        let mut all = Neighbors::default();
        for (name, document, summary) in self.all_instances().await? {
            let summary = peers::Summary::read(&summary).map_err(unreadable)?;
            let more = peers::read(&document, &summary, Some(&name)).map_err(unreadable)?.neighbors;
            all.neighbors.extend(more.neighbors);
            all.left_out.extend(more.left_out);
        }
        Ok(all.sorted())
    }

    async fn napalm_neighbors(&self) -> Result<NapalmNeighbors, Error> {
        let all = self.all_instances().await?;
        let (neighbors, _) = napalm::short(&borrowed(&all), xml::Foreign::Shown)
            .map_err(|why| self.session.unreadable(Step::Neighbors, why))?;
        Ok(neighbors)
    }

    async fn napalm_detail(&self) -> Result<NapalmDetail, Error> {
        let all = self.all_instances().await?;
        napalm::long(&borrowed(&all), xml::Foreign::Shown)
            .map_err(|why| self.session.unreadable(Step::Neighbors, why))
    }

    async fn running_config(&self) -> Result<ConfigText, Error> {
        let reply = self
            .session
            .rpc(Step::Config, "<get-configuration database=\"committed\" format=\"text\"/>")
            .await?;
        let text = xml::text_at(&reply.text, &["rpc-reply", "configuration-text"])
            .map_err(|why| self.session.unreadable(Step::Config, why))?;
        let text = text.ok_or_else(|| self.session.unreadable(Step::Config, excerpt(&reply.text)))?;
        Ok(ConfigText::new(text.trim_start_matches('\n')))
    }

    fn loader(&self, how: How) -> Option<Loader<'_>> {
        Some(Loader { driver: self, how })
    }

    async fn pending(&self) -> Result<Option<Pending>, Error> {
        self.find_pending(Step::Pending).await
    }

    async fn confirm(&self, change: &Pending) -> Result<(), Error> {
        self.confirm_change(change).await
    }

    async fn cancel(&self, change: &Pending) -> Result<bool, Error> {
        self.cancel_change(change).await
    }

    async fn roll_back(&self, change: &Pending) -> Result<(), Error> {
        self.undo_change(change).await
    }

    async fn close(&self) {
        self.part().await;
    }
}

#[async_trait]
impl Load for Junos {
    async fn load(&self, how: How, text: &ConfigText) -> Result<Box<dyn Candidate + '_>, Error> {
        self.load_candidate(how, text).await
    }
}
