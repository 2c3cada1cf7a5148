//! A database of the original, as its REST API gives it out, with lists as they are kept here.

use std::path::Path;

use ipnet::IpNet;
use pm_irr::{Entry, Family, Prefix, pack};
use serde_json::Value as Json;

fn read(folder: &Path, name: &str) -> Json {
    serde_json::from_slice(&std::fs::read(folder.join(format!("{name}.json"))).unwrap()).unwrap()
}

fn packed(family: Family, entries: &Json) -> Vec<u8> {
    let entry = |entry: &Json| {
        let net: IpNet = entry["prefix"].as_str().unwrap().parse().unwrap();
        let high = match net.addr() {
            std::net::IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
            std::net::IpAddr::V6(address) => address.to_bits(),
        };
        let length = |key: &str| entry.get(key).and_then(Json::as_u64).map(|n| u8::try_from(n).unwrap());
        let exact = entry["exact"] == true;
        let most = length("less-equal").unwrap_or(family.bits());
        let lengths = (!exact).then(|| (length("greater-equal").unwrap_or(net.prefix_len()), most));
        Entry { prefix: Prefix::new(family, high, net.prefix_len()), lengths }
    };
    let entries: Vec<Entry> = entries.as_array().into_iter().flatten().map(entry).collect();
    pack(family, &entries)
}

/// The same objects without a store, with lists as they would come out of one.
pub fn tidied_world(folder: &Path) -> pm_render::World {
    let mut lists = std::collections::HashMap::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        if !name.starts_with('_') {
            lists.insert(name.clone(), read(folder, &name));
        }
    }
    for system in lists.get_mut("peering--autonomous-systems").unwrap().as_array_mut().unwrap() {
        let mut asns: Vec<u32> = serde_json::from_value(system["as_list"].clone()).unwrap_or_default();
        asns.sort_unstable();
        system["as_list"] = asns.into();
        for (kind, family) in [("ipv6", Family::V6), ("ipv4", Family::V4)] {
            if system["prefixes"].is_object() {
                let octets = packed(family, &system["prefixes"][kind]);
                let list = pm_irr::OwnedList::new(std::sync::Arc::new(octets)).unwrap();
                let entries = (0..list.len()).map(|at| list.get(at).unwrap());
                let json = format!("{}", pm_irr::PrefixListJson { name: "x", entries });
                let json: Json = serde_json::from_str(&json).unwrap();
                system["prefixes"][kind] = json["x"].clone();
            }
        }
    }
    pm_render::original::world(&lists, &read(folder, "_columns-not-in-rest"))
}
