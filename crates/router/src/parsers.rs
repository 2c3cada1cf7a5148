//! Every parser of what routers send, by name: for the fuzzer, for tests that feed them anything, and for measuring.

use std::collections::BTreeMap;

use crate::netconf::xml;
use crate::{DaemonKind, Diff, Neighbors, Platform, napalm};

/// What a router answered, by the names of the questions.
pub type Parts = BTreeMap<String, String>;

/// A parser of what a router sends.
#[derive(Clone, Copy)]
pub struct Parser {
    /// Its name; that of the platform where it reads neighbours.
    pub name: &'static str,
    /// The questions whose answers it reads.
    pub parts: &'static [&'static str],
    /// Reads the answers. Parsers of something else than neighbours give none. The error says what is not understood.
    pub read: fn(&Parts) -> Result<Neighbors, String>,
}

impl Parser {
    /// The parser with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PARSERS.iter().find(|one| one.name == name)
    }

    /// The answers in one text: each after a line `=== NAME`; what stands before the first such line is the first part.
    pub fn parts_of(&self, text: &str) -> Parts {
        let mut parts: Parts = self.parts.iter().map(|name| ((*name).to_owned(), String::new())).collect();
        let mut name = self.parts.first().copied().unwrap_or_default();
        for line in text.split_inclusive('\n') {
            if let Some(other) = line.strip_prefix("=== ") {
                name = self.parts.iter().find(|name| **name == other.trim()).copied().unwrap_or(name);
            } else if let Some(part) = parts.get_mut(name) {
                part.push_str(line);
            }
        }
        parts
    }
}

const NX_OS: &[&str] = &["show_bgp_all_summary_vrf_all"];
const EOS: &[&str] = &[
    "show_ip_bgp_summary_vrf_all",
    "show_ipv6_bgp_summary_vrf_all",
    "show_ip_bgp_neighbors_vrf_all",
    "show_ipv6_bgp_peers_vrf_all",
];
const EOS_TEXT: &[&str] = &[
    "show_ip_bgp_neighbors_vrf_all",
    "show_ipv6_bgp_peers_vrf_all",
    "show_ip_bgp_summary_vrf_all",
    "show_ipv6_bgp_summary_vrf_all",
    "show_running_config___include_service_routing_protocols_model_multi_agent",
];
const IOS: &[&str] = &[
    "show_bgp_all_summary",
    "show_bgp_ipv4_unicast_neighbors",
    "show_bgp_ipv6_unicast_neighbors",
    "show_bgp_vpnv4_unicast_all_neighbors",
];
const IOS_DETAIL: &[&str] = &["show_ip_bgp_all_sum", "show_ip_bgp_ipv4_unicast_neigh_192_0_2_1"];

/// Every parser.
pub const PARSERS: &[Parser] = &[
    Parser { name: "frr", parts: &["neighbors", "received"], read: |parts| daemon(DaemonKind::Frr, parts) },
    Parser { name: "bird", parts: &["protocols", "status"], read: |parts| daemon(DaemonKind::Bird, parts) },
    Parser {
        name: "openbgpd",
        parts: &["neighbors", "accepted"],
        read: |parts| daemon(DaemonKind::Openbgpd, parts),
    },
    Parser {
        name: "gobgp",
        parts: &["neighbors", "clock", "advertised"],
        read: |parts| daemon(DaemonKind::Gobgp, parts),
    },
    Parser {
        name: "junos",
        parts: &["get-bgp-neighbor-information", "get-bgp-summary-information"],
        read: |parts| vendor(Platform::Junos, parts),
    },
    Parser { name: "iosxr_netconf", parts: &["bgp"], read: |parts| vendor(Platform::IosxrNetconf, parts) },
    Parser { name: "iosxr", parts: &["get"], read: |parts| vendor(Platform::Iosxr, parts) },
    Parser { name: "eos", parts: EOS, read: |parts| vendor(Platform::Eos, parts) },
    Parser {
        name: "eos_text",
        parts: EOS_TEXT,
        read: |parts| crate::eos::detail(parts).map(|_| Neighbors::default()),
    },
    Parser { name: "nxos", parts: NX_OS, read: |parts| vendor(Platform::Nxos, parts) },
    Parser { name: "nxos_ssh", parts: NX_OS, read: |parts| vendor(Platform::NxosSsh, parts) },
    Parser { name: "ios", parts: IOS, read: |parts| vendor(Platform::Ios, parts) },
    Parser {
        name: "ios_detail",
        parts: IOS_DETAIL,
        read: |parts| crate::ios::detail(parts).map(|_| Neighbors::default()),
    },
    Parser { name: "napalm", parts: &["neighbors", "detail"], read: crate::bridge::recorded },
    Parser { name: "netconf", parts: &["reply"], read: |parts| document(first(parts, "reply")) },
    Parser { name: "rpc_json", parts: &["reply"], read: |parts| rpc_json(first(parts, "reply")) },
    Parser { name: "shapes", parts: &["document"], read: |parts| Ok(shapes(first(parts, "document"))) },
    Parser {
        name: "terminal",
        parts: &["shown"],
        read: |parts| {
            crate::terminal::shown(first(parts, "shown"));
            Ok(Neighbors::default())
        },
    },
    Parser { name: "texts", parts: &["old", "new"], read: |parts| Ok(texts(parts)) },
];

fn first<'a>(parts: &'a Parts, name: &str) -> &'a str {
    parts.get(name).map_or("", String::as_str)
}

fn daemon(kind: DaemonKind, parts: &Parts) -> Result<Neighbors, String> {
    // A question that was not asked has no answer at all.
    let asked = parts.iter().filter(|(name, text)| {
        !text.is_empty() || !matches!(name.as_str(), "received" | "accepted" | "advertised")
    });
    crate::parse(kind, &asked.map(|(name, text)| (name.clone(), text.clone())).collect())
}

fn vendor(platform: Platform, parts: &Parts) -> Result<Neighbors, String> {
    napalm::parse_vendor(platform, parts)
}

/// All that is looked for in an answer over NETCONF besides neighbours.
fn document(text: &str) -> Result<Neighbors, String> {
    let _ = crate::netconf::hello(text);
    let head = xml::head(text)?;
    let _ = (head.attribute("message-id"), head.text());
    let errors = crate::netconf::errors(text)?;
    for error in &errors {
        let _ = (error.text(), error.holder(), error.is_lock());
    }
    xml::text_at(text, &["rpc-reply", "*", "configuration-output"])?;
    crate::junos::told(text)?;
    Ok(Neighbors::default())
}

/// Answers of eAPI and NX-API.
fn rpc_json(text: &str) -> Result<Neighbors, String> {
    let (one, other) = (crate::eos::reply(text), crate::nxapi::reply(text));
    one.and(other).map(|()| Neighbors::default())
}

/// The same document as if it came from each of those that NAPALM has a shape for.
fn shapes(text: &str) -> Neighbors {
    let platforms = [
        Platform::Eos,
        Platform::Nxos,
        Platform::NxosSsh,
        Platform::Ios,
        Platform::Junos,
        Platform::IosxrNetconf,
        Platform::Iosxr,
    ];
    let names = [
        "get-instance-information",
        "get-bgp-neighbor-informationmaster",
        "get-bgp-summary-informationmaster",
        "bgp",
    ];
    let names = names.iter().chain(EOS).chain(NX_OS).chain(IOS).chain(IOS_DETAIL);
    let parts: Parts = names.map(|name| ((*name).to_owned(), text.to_owned())).collect();
    for platform in platforms {
        for getter in ["get_bgp_neighbors", "get_bgp_neighbors_detail"] {
            let _ = napalm::parse_napalm(platform, getter, &parts);
        }
    }
    Neighbors::default()
}

/// What is made of configurations and of what is said of them, for people.
fn texts(parts: &Parts) -> Neighbors {
    let (old, new) = (first(parts, "old"), first(parts, "new"));
    let _ = Diff::between(old, new);
    let _ = crate::junos::difference(new);
    let _ = crate::iosxr::difference(new);
    let _ = crate::eos::difference(new);
    let _ = crate::bridge::difference(new);
    let _ = (crate::mask::excerpt(new), crate::mask_text(new));
    crate::daemon::texts(old, new);
    crate::junos::form(new);
    crate::eos::lines_of(new);
    Neighbors::default()
}
