//! Arista EOS over eAPI.

mod parse;
mod text;

use std::collections::BTreeMap;

use serde_json::Value;

/// What NAPALM's getter gives for these answers.
pub(crate) fn napalm(getter: &str, parts: &BTreeMap<String, String>) -> Result<Value, String> {
    let part = |name: &str| parts.get(name).map_or("", String::as_str);
    let summaries = [part("show_ip_bgp_summary_vrf_all"), part("show_ipv6_bgp_summary_vrf_all")];
    let details = [part("show_ip_bgp_neighbors_vrf_all"), part("show_ipv6_bgp_peers_vrf_all")];
    match getter {
        "get_bgp_neighbors" => parse::napalm(parse::Answers { summaries, details }),
        "get_bgp_neighbors_detail" => {
            let model = part("show_running_config___include_service_routing_protocols_model_multi_agent");
            text::napalm(details, summaries, !model.is_empty())
        }
        _ => Err(format!("NAPALM has no {getter} here")),
    }
}
