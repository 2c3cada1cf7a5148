//! What reads the answers of routers.

use std::collections::BTreeMap;

use pm_router::{DaemonKind, Diff, Pending, Platform, parse, parse_vendor};
use serde_json::json;

use super::seen::Seen;

/// Where a router's words come to be a reason why something is left out, or cannot be read.
pub fn show_nothing() {
    let part = |name: &str, text: &str| BTreeMap::from([(name.to_owned(), text.to_owned())]);
    let said = "password Planted-said";
    let mut seen = Seen::default();
    let daemons: [(DaemonKind, BTreeMap<String, String>); 7] = [
        (DaemonKind::Frr, part("neighbors", &json!({ "default": {} }).to_string())),
        (
            DaemonKind::Frr,
            part(
                "neighbors",
                &format!("{}\n{}", json!({}), json!({ "default": { said: { "bgpState": said } } })),
            ),
        ),
        (DaemonKind::Frr, part("neighbors", &json!(said).to_string())),
        (DaemonKind::Openbgpd, part("neighbors", &json!({ "neighbors": said }).to_string())),
        (
            DaemonKind::Openbgpd,
            part("neighbors", &json!({ "neighbors": [{ "remote_addr": said, "state": said }] }).to_string()),
        ),
        (
            DaemonKind::Gobgp,
            [
                part("neighbors", &json!([{ "conf": { "neighbor_address": said } }]).to_string()),
                part("clock", "1"),
            ]
            .into_iter()
            .flatten()
            .collect(),
        ),
        (
            DaemonKind::Bird,
            [part("status", "Current server time is 2026-11-23 22:12:09.933\n"), part("protocols", said)]
                .into_iter()
                .flatten()
                .collect(),
        ),
    ];
    for (kind, parts) in daemons {
        match parse(kind, &parts) {
            Ok(all) => seen.debug(kind.name(), &all.left_out),
            Err(why) => seen.text(kind.name(), why),
        }
    }
    let summary = "BGP summary information for VRF default, address family IPv4 Unicast\nNeighbor V AS PfxRcd\n\
        192.0.2.1 4 64501 1 1 1 0 0 1d password Planted-said\n";
    let detail = "BGP neighbor is password Planted-said,  remote AS 64501, external link\n  BGP state = Idle\n\
        BGP neighbor is 192.0.2.1,  remote AS 64501, external link\n  BGP state = password Planted-said\n";
    let vendors = [
        (Platform::NxosSsh, part("show_bgp_all_summary_vrf_all", summary)),
        (Platform::Ios, part("show_bgp_ipv4_unicast_neighbors", detail)),
        (Platform::Nxos, part("show_bgp_all_summary_vrf_all", &json!({ "TABLE_vrf": said }).to_string())),
        (Platform::Eos, part("show_ip_bgp_summary_vrf_all", &json!({ "vrfs": said }).to_string())),
        (Platform::Junos, part("get-bgp-neighbor-information", "<a><password Planted-said></b>")),
    ];
    for (platform, parts) in vendors {
        match parse_vendor(platform, &parts) {
            Ok(all) => seen.debug(platform.name(), &all.left_out),
            Err(why) => seen.text(platform.name(), pm_router::mask_text(&why)),
        }
    }
    // One keyword after another.
    for text in [
        "key-string password 7 Planted-1",
        "authentication md5 1 key \"Planted-2\"; ## SECRET-DATA",
        " ip ospf message-digest-key 1 md5 7 Planted-3",
        "ntp authentication-key 1 md5 Planted-4 7",
        "snmp {\n    community Planted-5;\n    community Planted-6 {\n        authorization read-only;\n    }\n}",
        "<authentication-key>Planted-7</authentication-key>",
    ] {
        seen.text("masked", pm_router::mask_text(text));
        seen.debug("difference", &Diff::between("", text));
    }
    seen.debug("pending", &Pending { platform: Platform::Junos, id: "x".into(), seconds: 1 });
    seen.check("parsers", 15);
}
