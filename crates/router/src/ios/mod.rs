//! Cisco IOS and IOS-XE.

mod detail;
mod parse;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{NapalmDetail, Neighbors};

/// All neighbours in short.
pub(crate) const SUMMARY: &str = "show bgp all summary";
/// The same for NAPALM's `get_bgp_neighbors_detail`, in its words.
pub(crate) const DETAIL_SUMMARY: &str = "show ip bgp all sum";

/// The commands for all neighbours.
pub(crate) fn commands() -> impl Iterator<Item = &'static str> {
    std::iter::once(SUMMARY).chain(parse::COMMANDS.iter().map(|(_, command)| *command))
}

/// The commands for NAPALM's `get_bgp_neighbors_detail`, one for each neighbour of the summary.
pub(crate) fn detail_commands(summary: &str) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    let all = detail::rows(summary).into_iter().filter_map(|row| row.command());
    all.filter(|command| seen.insert(command.clone())).collect()
}

/// The name under which a command's answer is kept: everything but letters and digits is an underscore.
pub(crate) fn file_name(command: &str) -> String {
    command.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// What NAPALM's getter gives for these answers.
pub(crate) fn napalm(getter: &str, parts: &BTreeMap<String, String>) -> Result<Value, String> {
    let part = |command: &str| parts.get(&file_name(command)).map(String::as_str);
    match getter {
        "get_bgp_neighbors" => {
            let texts = parse::COMMANDS.iter().map(|(_, command)| part(command).unwrap_or(""));
            Ok(parse::napalm(part(SUMMARY).unwrap_or("").trim(), texts))
        }
        "get_bgp_neighbors_detail" => {
            serde_json::to_value(self::detail(parts)?).map_err(|error| error.to_string())
        }
        _ => Err(format!("NAPALM has no {getter} here")),
    }
}

/// The shape of NAPALM's `get_bgp_neighbors_detail`.
pub(crate) fn detail(parts: &BTreeMap<String, String>) -> Result<NapalmDetail, String> {
    let part = |command: &str| parts.get(&file_name(command)).map(String::as_str);
    detail::napalm(part(DETAIL_SUMMARY).unwrap_or(""), part)
}

/// All neighbours.
pub(crate) fn neighbors(parts: &BTreeMap<String, String>) -> Result<Neighbors, String> {
    let part = |command: &str| parts.get(&file_name(command)).map_or("", String::as_str);
    parse::neighbors(part(SUMMARY), parse::COMMANDS.iter().map(|(_, command)| part(command)))
}
