//! Cisco IOS-XR, over NETCONF; and what its XML agent says.
//!
//! The configuration goes in as text for people, through the model `Cisco-IOS-XR-cli-cfg`. Written after Cisco's models and
//! programmability guides; not yet seen with a real router.

mod change;
mod napalm;
mod oper;

use std::collections::BTreeMap;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::driver::{Candidate, ConfigText, How, Load, Loader, Pending, Platform, Router};
use crate::netconf::candidate::{Changes as _, Slot};
use crate::netconf::{Datastore, Session, xml};
use crate::{Diff, Error, Facts, NapalmDetail, NapalmNeighbors, Neighbors, Step, Target};

pub(crate) use napalm::{napalm_agent, napalm_netconf};

/// Neighbours out of what is answered to `get`.
pub(crate) fn neighbors(parts: &BTreeMap<String, String>) -> Result<Neighbors, String> {
    let document = parts.iter().find(|(name, _)| name.contains("bgp")).map(|(_, text)| text.as_str());
    oper::neighbors(&oper::YANG, &[document.ok_or("there is no part with the state of BGP")?])
}

/// Neighbours out of the XML agent's answers.
pub(crate) fn agent_neighbors(parts: &BTreeMap<String, String>) -> Result<Neighbors, String> {
    let documents: Vec<&str> = parts.values().map(String::as_str).collect();
    oper::neighbors(&oper::AGENT, &documents)
}

/// A difference as IOS-XR prints it.
pub(crate) fn difference(text: &str) -> Diff {
    change::read_diff(text)
}

/// The configuration as text.
const CLI: &str = "http://cisco.com/ns/yang/Cisco-IOS-XR-cli-cfg";

/// All of BGP's state that is wanted, of every instance.
const BGP: &str = "<bgp xmlns=\"http://cisco.com/ns/yang/Cisco-IOS-XR-ipv4-bgp-oper\"><instances><instance>\
    <instance-name/><instance-active><default-vrf><global-process-info/><neighbors/></default-vrf>\
    <vrfs><vrf><vrf-name/><global-process-info/><neighbors/></vrf></vrfs></instance-active></instance></instances></bgp>";

/// What the router is.
const SYSTEM: &str = "<system-time xmlns=\"http://cisco.com/ns/yang/Cisco-IOS-XR-shellutil-oper\"><uptime/></system-time>\
    <inventory xmlns=\"http://cisco.com/ns/yang/Cisco-IOS-XR-invmgr-oper\"><entities><entity><name>Rack 0</name><attributes>\
    <inv-basic-bag/></attributes></entity></entities></inventory>";

/// A router with IOS-XR.
pub(crate) struct IosXr {
    session: Session,
    /// The candidate is locked as long as the connection lasts.
    always_locked: bool,
    slot: Slot,
    /// The change that this connection made, and when its time is over. The router has no list of them.
    waiting: Mutex<Option<(Pending, Instant)>>,
}

/// Connects, with NAPALM's `config_lock` among the options.
pub(crate) async fn connect(target: &Target) -> Result<Box<dyn Router>, Error> {
    let ssh = target.ssh(830).await?;
    let session = Session::begin(ssh).await?;
    let always_locked =
        target.options.get("config_lock").and_then(serde_json::Value::as_bool).unwrap_or(false);
    if always_locked && let Err(error) = session.lock(Step::Login, Datastore::Candidate).await {
        session.close().await;
        return Err(error);
    }
    Ok(Box::new(IosXr { session, always_locked, slot: Slot::default(), waiting: Mutex::new(None) }))
}

impl IosXr {
    fn host(&self) -> &str {
        self.session.host()
    }

    async fn bgp(&self) -> Result<String, Error> {
        Ok(self.session.get(Step::Neighbors, BGP).await?.text)
    }

    fn unreadable(&self, why: String) -> Error {
        self.session.unreadable(Step::Neighbors, why)
    }

    async fn config(&self, step: Step, from: Datastore) -> Result<String, Error> {
        let reply = self.session.get_config(step, from, Some(&format!("<cli xmlns=\"{CLI}\"/>"))).await?;
        let text = xml::text_at(&reply.text, &["rpc-reply", "data", "cli"]);
        Ok(text.map_err(|why| self.session.unreadable(step, why))?.unwrap_or_default())
    }
}

#[async_trait]
impl Router for IosXr {
    fn platform(&self) -> Platform {
        Platform::IosxrNetconf
    }

    async fn facts(&self) -> Result<Facts, Error> {
        let reply = self.session.get(Step::Facts, SYSTEM).await?;
        let mut facts = Facts { vendor: "Cisco".to_owned(), ..Facts::default() };
        let names = ["host-name", "model-name", "software-revision", "uptime"];
        xml::walk(
            &reply.text,
            xml::Foreign::Shown,
            |path| path.len() > 3 && path.last().is_some_and(|name| names.contains(name)),
            |path, element| {
                match path.last().copied().unwrap_or_default() {
                    "host-name" => element.text().clone_into(&mut facts.hostname),
                    "model-name" => element.text().clone_into(&mut facts.model),
                    "software-revision" => element.text().clone_into(&mut facts.version),
                    // The element inside has the same name.
                    _ => {
                        if let Some(name) = element.text_of(&["host-name"]) {
                            name.clone_into(&mut facts.hostname);
                        }
                        let seconds = element.text_of(&["uptime"]).unwrap_or_else(|| element.text());
                        facts.uptime = seconds.parse().ok();
                    }
                }
                Ok(())
            },
        )
        .map_err(|why| self.session.unreadable(Step::Facts, why))?;
        Ok(facts)
    }

    async fn neighbors(&self) -> Result<Neighbors, Error> {
        let document = self.bgp().await?;
        oper::neighbors(&oper::YANG, &[&document]).map_err(|why| self.unreadable(why))
    }

    async fn napalm_neighbors(&self) -> Result<NapalmNeighbors, Error> {
        napalm::short(&self.bgp().await?).map_err(|why| self.unreadable(why))
    }

    async fn napalm_detail(&self) -> Result<NapalmDetail, Error> {
        napalm::long(&self.bgp().await?).map_err(|why| self.unreadable(why))
    }

    async fn running_config(&self) -> Result<ConfigText, Error> {
        Ok(ConfigText::new(self.config(Step::Config, Datastore::Running).await?))
    }

    fn loader(&self, how: How) -> Option<Loader<'_>> {
        Some(Loader { driver: self, how })
    }

    /// The router does not tell which change waits, so it is this connection's own, if it is one.
    async fn pending(&self) -> Result<Option<Pending>, Error> {
        match self.own().await {
            Some(change) => Ok(Some(change)),
            None => Err(Error::Untold { host: self.host().to_owned() }),
        }
    }

    /// Without a name of the router's the session is all that a change is known by (RFC 6241, section 8.4.1).
    fn holds(&self, change: &Pending) -> bool {
        change::Names::of(&change.id).persist.is_none()
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
impl Load for IosXr {
    async fn load(&self, how: How, text: &ConfigText) -> Result<Box<dyn Candidate + '_>, Error> {
        self.load_candidate(how, text).await
    }
}
