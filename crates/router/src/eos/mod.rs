//! Arista EOS over eAPI: `parse.rs` and `text.rs` read neighbours, `api.rs` asks, `session.rs` changes the configuration.

mod api;
mod lines;
mod parse;
mod session;
mod text;

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;

use crate::driver::{Candidate, ConfigText, How, Load, Loader, Pending, Platform, Router};
use crate::mask::json_error;
use crate::napalm::{NapalmDetail, NapalmNeighbors};
use crate::target::Target;
use crate::{Diff, Error, Facts, Limits, Neighbors, Step};
use api::{Api, Format};

const SUMMARIES: [&str; 2] = ["show ip bgp summary vrf all", "show ipv6 bgp summary vrf all"];
const DETAILS: [&str; 2] = ["show ip bgp neighbors vrf all", "show ipv6 bgp peers vrf all"];
const MODEL: &str = "show running-config | include service routing protocols model multi-agent";

/// A switch that is reached over eAPI.
struct Eos {
    api: Api,
    limits: Limits,
    /// Others' open sessions are no hindrance.
    without_lock: bool,
}

/// A switch; that it answers is seen at once.
pub(crate) async fn connect(target: &Target) -> Result<Box<dyn Router>, Error> {
    let eos = Eos {
        api: Api::new(target)?,
        limits: target.limits,
        without_lock: target.options.get("lock_disable").and_then(Value::as_bool).unwrap_or(false),
    };
    eos.api.ask(Step::Login, target.limits.login, &["show hostname"], Format::Json).await?;
    Ok(Box::new(eos))
}

impl Eos {
    fn host(&self) -> &str {
        self.api.http.host()
    }

    fn unreadable(&self, step: Step, message: String) -> Error {
        self.api.http.unreadable(step, message)
    }

    async fn config_text(&self, step: Step) -> Result<String, Error> {
        Ok(self.api.texts(step, self.limits.read, &["show running-config"]).await?.pop().unwrap_or_default())
    }

    /// The two summaries and the two lists of neighbours, in one request.
    async fn answers(&self) -> Result<Vec<Box<serde_json::value::RawValue>>, Error> {
        let commands = [SUMMARIES, DETAILS].concat();
        self.api.ask(Step::Neighbors, self.limits.read, &commands, Format::Json).await
    }
}

fn answers(all: &[Box<serde_json::value::RawValue>]) -> parse::Answers<'_> {
    let at = |at: usize| all.get(at).map_or("", |answer| answer.get());
    parse::Answers { summaries: [at(0), at(1)], details: [at(2), at(3)] }
}

#[async_trait]
impl Router for Eos {
    fn platform(&self) -> Platform {
        Platform::Eos
    }

    async fn facts(&self) -> Result<Facts, Error> {
        #[derive(Deserialize, Default)]
        #[serde(rename_all = "camelCase", default)]
        struct Version {
            model_name: String,
            #[serde(rename = "version")]
            release: String,
            uptime: Option<f64>,
            hostname: String,
            fqdn: String,
        }
        let answers = self
            .api
            .ask(Step::Facts, self.limits.read, &["show version", "show hostname"], Format::Json)
            .await?;
        let read = |at: usize| {
            serde_json::from_str::<Version>(answers[at].get())
                .map_err(|error| self.unreadable(Step::Facts, json_error(&error)))
        };
        let (version, name) = (read(0)?, read(1)?);
        // Where BGP is not configured, the question may be refused.
        let summary = self.api.ask(Step::Facts, self.limits.read, &SUMMARIES[..1], Format::Json).await;
        let summary = summary.ok().and_then(|all| serde_json::from_str::<Value>(all[0].get()).ok());
        let router_id = summary
            .and_then(|all| Some(all.get("vrfs")?.get("default")?.get("routerId")?.as_str()?.to_owned()));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "too much or too little saturates"
        )]
        let uptime = version.uptime.map(|seconds| seconds as u64);
        Ok(Facts {
            hostname: if name.fqdn.is_empty() { name.hostname } else { name.fqdn },
            vendor: "Arista".to_owned(),
            model: version.model_name,
            version: version.release,
            router_id,
            uptime,
        })
    }

    async fn neighbors(&self) -> Result<Neighbors, Error> {
        let all = self.answers().await?;
        parse::neighbors(answers(&all)).map_err(|message| self.unreadable(Step::Neighbors, message))
    }

    async fn napalm_neighbors(&self) -> Result<NapalmNeighbors, Error> {
        let all = self.answers().await?;
        let shape = parse::napalm(answers(&all));
        shape
            .and_then(|shape| serde_json::from_value(shape).map_err(|error| json_error(&error)))
            .map_err(|message| self.unreadable(Step::Neighbors, message))
    }

    async fn napalm_detail(&self) -> Result<NapalmDetail, Error> {
        let summaries = self.api.ask(Step::Neighbors, self.limits.read, &SUMMARIES, Format::Json).await?;
        let commands = [&DETAILS[..], &[MODEL]].concat();
        let texts = self.api.texts(Step::Neighbors, self.limits.read, &commands).await?;
        let shape = text::napalm(
            [&texts[0], &texts[1]],
            [summaries[0].get(), summaries[1].get()],
            !texts[2].is_empty(),
        );
        shape.map_err(|message| self.unreadable(Step::Neighbors, message))
    }

    async fn running_config(&self) -> Result<ConfigText, Error> {
        Ok(ConfigText::new(self.config_text(Step::Config).await?))
    }

    fn loader(&self, how: How) -> Option<Loader<'_>> {
        Some(Loader { driver: self, how })
    }

    async fn pending(&self) -> Result<Option<Pending>, Error> {
        self.find_pending().await
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

    async fn close(&self) {}
}

#[async_trait]
impl Load for Eos {
    async fn load(&self, how: How, text: &ConfigText) -> Result<Box<dyn Candidate + '_>, Error> {
        self.load_candidate(how, text).await
    }
}

/// What NAPALM's getter gives for these answers.
pub(crate) fn napalm(getter: &str, parts: &BTreeMap<String, String>) -> Result<Value, String> {
    let part = |name: &str| parts.get(name).map_or("", String::as_str);
    let summaries = [part("show_ip_bgp_summary_vrf_all"), part("show_ipv6_bgp_summary_vrf_all")];
    let details = [part("show_ip_bgp_neighbors_vrf_all"), part("show_ipv6_bgp_peers_vrf_all")];
    match getter {
        "get_bgp_neighbors" => parse::napalm(parse::Answers { summaries, details }),
        "get_bgp_neighbors_detail" => serde_json::to_value(detail(parts)?).map_err(|error| error.to_string()),
        _ => Err(format!("NAPALM has no {getter} here")),
    }
}

/// NAPALM's long shape of what is printed.
pub(crate) fn detail(parts: &BTreeMap<String, String>) -> Result<NapalmDetail, String> {
    let part = |name: &str| parts.get(name).map_or("", String::as_str);
    let model = part("show_running_config___include_service_routing_protocols_model_multi_agent");
    text::napalm(
        [part("show_ip_bgp_neighbors_vrf_all"), part("show_ipv6_bgp_peers_vrf_all")],
        [part("show_ip_bgp_summary_vrf_all"), part("show_ipv6_bgp_summary_vrf_all")],
        !model.is_empty(),
    )
}

/// Reads an answer of eAPI, and what is in it as a list of sessions.
pub(crate) fn reply(text: &str) -> Result<(), String> {
    let answers = api::read(text).map_err(|error| json_error(&error))?;
    for answer in &answers {
        session::look(answer.get());
    }
    Ok(())
}

/// A difference as EOS prints it.
pub(crate) fn difference(text: &str) -> Diff {
    Diff::from_lines(session::signs(text))
}

/// The commands of a configuration.
pub(crate) fn lines_of(text: &str) {
    let _ = lines::commands(text);
}

/// All neighbours.
pub(crate) fn neighbors(parts: &BTreeMap<String, String>) -> Result<Neighbors, String> {
    let part = |name: &str| parts.get(name).map_or("", String::as_str);
    parse::neighbors(parse::Answers {
        summaries: [part("show_ip_bgp_summary_vrf_all"), part("show_ipv6_bgp_summary_vrf_all")],
        details: [part("show_ip_bgp_neighbors_vrf_all"), part("show_ipv6_bgp_peers_vrf_all")],
    })
}
