//! Cisco IOS and IOS-XE.

mod detail;
mod parse;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Neighbors;

/// The name under which a command's answer is kept: everything but letters and digits is an underscore.
fn file_name(command: &str) -> String {
    command.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// What NAPALM's getter gives for these answers.
pub(crate) fn napalm(getter: &str, parts: &BTreeMap<String, String>) -> Result<Value, String> {
    let part = |command: &str| parts.get(&file_name(command)).map(String::as_str);
    match getter {
        "get_bgp_neighbors" => {
            let texts = parse::COMMANDS.iter().map(|(_, command)| part(command).unwrap_or(""));
            Ok(parse::napalm(part("show bgp all summary").unwrap_or("").trim(), texts))
        }
        "get_bgp_neighbors_detail" => detail::napalm(part("show ip bgp all sum").unwrap_or(""), part),
        _ => Err(format!("NAPALM has no {getter} here")),
    }
}

/// All neighbours.
pub(crate) fn neighbors(parts: &BTreeMap<String, String>) -> Result<Neighbors, String> {
    let part = |command: &str| parts.get(&file_name(command)).map_or("", String::as_str);
    parse::neighbors(part("show bgp all summary"), parse::COMMANDS.iter().map(|(_, command)| part(command)))
}
