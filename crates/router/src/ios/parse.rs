//! IOS: `show bgp all summary` and the neighbour commands per family.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use arcstr::ArcStr;
use serde_json::{Map, Value, json};

use crate::neighbor::{Family, Neighbor, Neighbors, Prefixes, State, limited};
use crate::vendor::{address, as_number, canonical, leading_number, or_minus_one, seconds};

/// The families whose neighbours are asked for, as IOS calls them, and how.
pub(super) const COMMANDS: [(&str, &str); 7] = [
    ("ipv4 unicast", "show bgp ipv4 unicast neighbors"),
    ("ipv4 multicast", "show bgp ipv4 multicast neighbors"),
    ("ipv6 unicast", "show bgp ipv6 unicast neighbors"),
    ("ipv6 multicast", "show bgp ipv6 multicast neighbors"),
    ("vpnv4 unicast", "show bgp vpnv4 unicast all neighbors"),
    ("vpnv6 unicast", "show bgp vpnv6 unicast all neighbors"),
    ("ipv4 mdt", "show bgp ipv4 mdt all neighbors"),
];

/// A row of the summary.
#[derive(Clone, Default)]
struct Row<'a> {
    family: &'a str,
    router_id: &'a str,
    local_as: &'a str,
    address: &'a str,
    remote_as: &'a str,
    time: &'a str,
    /// The number of prefixes of an established session.
    prefixes: Option<u64>,
    /// The state of another one.
    state: &'a str,
}

/// Whether BGP runs at all, by the summary.
pub(super) fn runs(summary: &str) -> bool {
    !(summary.contains("Invalid input") || summary.contains("BGP not active"))
}

fn rows(summary: &str) -> Vec<Row<'_>> {
    let mut all = Vec::new();
    let mut row = Row::default();
    for line in summary.lines() {
        if let Some(family) = line.strip_prefix("For address family: ") {
            row.family = family.trim_end();
        } else if let Some((_, rest)) = line.split_once(" router identifier ")
            && let Some((id, local_as)) = rest.split_once(", local AS number ")
        {
            row.router_id = id;
            row.local_as = local_as.split_whitespace().next().unwrap_or("");
        } else {
            let mut rest = line;
            if !line.starts_with([' ', '\t']) {
                let (first, after) = line.split_once([' ', '\t']).unwrap_or((line, ""));
                let name = first.strip_prefix('*').unwrap_or(first);
                if address(name).is_none() {
                    continue;
                }
                row.address = name;
                rest = after;
            }
            if let Some((remote_as, time, value)) = columns(rest).filter(|_| !row.address.is_empty()) {
                let mut one = Row { remote_as, time, prefixes: leading_number(value), ..row.clone() };
                if one.prefixes.is_none() {
                    one.state = value;
                }
                all.push(one);
                row.address = "";
            }
        }
    }
    all
}

/// What follows the address: AS, age, and the state or the number of prefixes.
fn columns(text: &str) -> Option<(&str, &str, &str)> {
    let mut rest = text.trim();
    let mut words = [""; 8];
    for word in &mut words {
        let end = rest.find(char::is_whitespace)?;
        *word = &rest[..end];
        rest = rest[end..].trim_start();
    }
    let [version, remote_as, _, _, _, _, _, time] = words;
    let numbers = version.parse::<u8>().is_ok() && as_number(remote_as).is_some();
    let aged = time == "never" || time.starts_with(|c: char| c.is_ascii_digit());
    (numbers && aged && !rest.is_empty()).then_some((remote_as, time, rest))
}

/// What stands under `For address family:` of a neighbour.
#[derive(Clone, Default)]
struct Counts<'a> {
    family: &'a str,
    /// `Translates address family IPv4 Unicast for VRF …`
    translates: &'a str,
    sent: Option<u64>,
    accepted: Option<u64>,
    /// What is kept from before import policy; only with soft reconfiguration.
    saved: Option<u64>,
}

/// A `BGP neighbor is …`.
#[derive(Clone, Default)]
struct Detail<'a> {
    address: &'a str,
    vrf: &'a str,
    remote_as: &'a str,
    description: &'a str,
    remote_id: &'a str,
    state: &'a str,
    time: &'a str,
    shut: bool,
    over_limit: bool,
    local_address: &'a str,
    dropped: Option<u64>,
    reset: &'a str,
    families: Vec<Counts<'a>>,
}

/// `10.0.0.2,  vrf X,  remote AS 65000, internal link`
fn heading(rest: &str) -> Option<(&str, &str, &str)> {
    let (address, rest) = rest.split_once(',')?;
    let mut rest = rest.trim_start();
    let mut vrf = "";
    if let Some(after) = rest.strip_prefix("vrf ") {
        let (name, after) = after.split_once(',')?;
        vrf = name;
        rest = after.trim_start();
    }
    let number = rest.strip_prefix("remote AS ")?;
    let end = number.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(number.len());
    Some((address, vrf, &number[..end]))
}

fn details<'a>(text: &'a str) -> Vec<Detail<'a>> {
    let mut all: Vec<Detail<'a>> = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("BGP neighbor is ") {
            if let Some((address, vrf, remote_as)) = heading(rest) {
                let address = address.trim_start_matches('*');
                all.push(Detail { address, vrf, remote_as, ..Detail::default() });
            }
            continue;
        }
        if let Some(one) = all.last_mut() {
            one.read(line);
        }
    }
    all
}

impl<'a> Detail<'a> {
    fn read(&mut self, line: &'a str) {
        let body = line.trim_start();
        if let Some(text) = body.strip_prefix("For address family: ") {
            self.families.push(Counts { family: text.trim_end(), ..Counts::default() });
        } else if let Some(text) = body.strip_prefix("Description: ") {
            self.description = text;
        } else if body.starts_with("Administratively shut") {
            self.shut = true;
        } else if let Some(text) = body.strip_prefix("BGP version ") {
            self.remote_id = text.split_once("remote router ID ").map_or("", |(_, id)| id.trim());
        } else if let Some(text) = body.strip_prefix("BGP state = ") {
            let (state, rest) = text.split_once(',').unwrap_or((text, ""));
            self.state = state.trim();
            // `, up for 8w0d`, `, down for 00:01:02`
            self.time = rest.split_once(" for ").map_or("", |(_, time)| time.trim());
        } else if let Some(text) = body.strip_prefix("Prefixes Current:") {
            if let Some(family) = self.families.last_mut() {
                (family.sent, family.accepted) = pair(text);
            }
        } else if let Some(text) = body.strip_prefix("Saved (soft-reconfig):") {
            if let Some(family) = self.families.last_mut() {
                family.saved = pair(text).1;
            }
        } else if let Some(text) = body.strip_prefix("Translates address family ") {
            if let Some(family) = self.families.last_mut() {
                family.translates = text;
            }
        } else if let Some(text) = body.strip_prefix("Connections established ") {
            self.dropped = text.split_once("dropped ").and_then(|(_, count)| leading_number(count));
        } else if let Some(text) = body.strip_prefix("Last reset ") {
            self.reset = text.trim_end();
        } else if let Some(text) = line.strip_prefix("Local host: ") {
            self.local_address = text.split(',').next().unwrap_or("");
        } else if body.contains("exceeded maximum") || body.starts_with("Peer had exceeded the max") {
            self.over_limit = true;
        }
    }
}

/// `637213   3142 (Consumes 377040 bytes)`, sent and received.
fn pair(text: &str) -> (Option<u64>, Option<u64>) {
    let mut words = text.split_whitespace().map(leading_number);
    (words.next().flatten(), words.next().flatten())
}

/// All neighbours. `details` are the answers to [`COMMANDS`].
pub(super) fn neighbors<'a>(
    summary: &str,
    texts: impl Iterator<Item = &'a str>,
) -> Result<Neighbors, String> {
    let mut all = Neighbors::default();
    if !runs(summary) {
        return Ok(all);
    }
    let rows = rows(summary);
    if rows.is_empty() && !summary.trim().is_empty() && !summary.contains("BGP") {
        return Err("the summary has no table".to_owned());
    }
    let mut by_name: HashMap<(IpAddr, String), &Row<'_>> = HashMap::new();
    let mut local_as = "";
    for row in &rows {
        local_as = row.local_as;
        if let Some(address) = address(row.address) {
            by_name.insert((address, row.family.to_lowercase()), row);
        }
    }
    // By VRF and address with its zone.
    let mut found: BTreeMap<(ArcStr, String), Neighbor> = BTreeMap::new();
    let mut named = std::collections::BTreeSet::new();
    for text in texts.filter(|text| !text.contains("Invalid input")) {
        for detail in details(text) {
            if let Some(address) = address(detail.address) {
                named.insert(address);
            }
            match neighbor(&detail, &by_name, local_as) {
                Ok(one) => match found.entry((one.vrf.clone(), canonical(detail.address))) {
                    std::collections::btree_map::Entry::Vacant(place) => {
                        place.insert(one);
                    }
                    std::collections::btree_map::Entry::Occupied(mut place) => {
                        place.get_mut().prefixes.extend(one.prefixes.iter());
                    }
                },
                Err(reason) => all.left_out.push(format!("{:.60}: {reason}", detail.address)),
            }
        }
    }
    // Who is only in the summary: the details were refused, or there are none for the family.
    for row in &rows {
        match from_row(row) {
            Ok(one) if !named.contains(&one.address) => {
                found.entry((one.vrf.clone(), canonical(row.address))).or_insert(one);
            }
            Ok(_) => {}
            Err(reason) => all.left_out.push(format!("{:.60}: {reason}", row.address)),
        }
    }
    all.neighbors = found.into_values().collect();
    Ok(all.sorted())
}

fn neighbor(
    detail: &Detail<'_>,
    rows: &HashMap<(IpAddr, String), &Row<'_>>,
    local_as: &str,
) -> Result<Neighbor, String> {
    let address = address(detail.address).ok_or("its address is none")?;
    let state = State::from_name(detail.state)
        .ok_or_else(|| format!("its state is unknown: {:.40}", detail.state))?;
    let vrf = if detail.vrf.is_empty() { "default" } else { detail.vrf };
    let mut one = Neighbor::new(vrf, address, state);
    one.remote_as = as_number(detail.remote_as);
    one.local_as = as_number(local_as);
    one.description = Some(detail.description.trim()).filter(|text| !text.is_empty()).map(ArcStr::from);
    one.enabled = !detail.shut && !detail.state.contains("(Admin)");
    one.over_limit = detail.over_limit && !one.is_up();
    one.flaps = detail.dropped.map(limited);
    one.last_error = Some(detail.reset)
        .filter(|text| !text.is_empty() && *text != "never")
        .map(|text| text.split_once("due to ").map_or(text, |(_, reason)| reason).trim().into());
    if one.is_up() {
        one.remote_id = detail.remote_id.parse().ok();
        one.local_address = crate::vendor::address(detail.local_address);
    }
    let mut age = detail.time;
    for counts in &detail.families {
        if let Some(row) = rows.get(&(address, counts.family.to_lowercase())) {
            one.local_as = as_number(row.local_as).or(one.local_as);
            one.enabled &= !row.state.contains("(Admin)");
            one.over_limit |= row.state.contains("PfxCt");
            if age.is_empty() {
                age = row.time;
            }
        }
        let Some(family) = family_of(counts) else { continue };
        let counts = if one.is_up() {
            Prefixes { received: counts.saved, accepted: counts.accepted, advertised: counts.sent }
        } else {
            Prefixes::default()
        };
        one.prefixes.insert(family, counts);
    }
    one.age = seconds(age).map(limited);
    Ok(one)
}

/// A VRF's session is counted under the VPN family that its routes are turned into.
fn family_of(counts: &Counts<'_>) -> Option<Family> {
    let name = counts.translates.split_once(" for VRF").map_or(counts.family, |(name, _)| name);
    match name {
        "IPv4 Unicast" => Some(Family::Ipv4),
        "IPv6 Unicast" => Some(Family::Ipv6),
        _ => None,
    }
}

fn from_row(row: &Row<'_>) -> Result<Neighbor, String> {
    let address = address(row.address).ok_or("its address is none")?;
    let state = match row.prefixes {
        Some(_) => State::Established,
        None => {
            State::from_name(row.state).ok_or_else(|| format!("its state is unknown: {:.40}", row.state))?
        }
    };
    let mut one = Neighbor::new("default", address, state);
    one.remote_as = as_number(row.remote_as);
    one.local_as = as_number(row.local_as);
    one.enabled = !row.state.contains("(Admin)");
    one.over_limit = row.state.contains("PfxCt");
    one.age = seconds(row.time).map(limited);
    let counts = Prefixes { accepted: row.prefixes, ..Prefixes::default() };
    let family = Counts { family: row.family, ..Counts::default() };
    one.prefixes.extend(family_of(&family).map(|family| (family, counts)));
    Ok(one)
}

/// What NAPALM remembers of a neighbour and a family: what is not said again stays from the neighbour before.
#[derive(Clone, Default)]
struct Record<'a> {
    address: &'a str,
    vrf: &'a str,
    description: &'a str,
    remote_id: &'a str,
    state: &'a str,
    family: &'a str,
    sent: Option<u64>,
    accepted: Option<u64>,
}

fn records<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<Record<'a>> {
    let mut all = Vec::new();
    let mut one = Record::default();
    for line in texts.flat_map(|text| text.trim().lines()) {
        let body = line.trim_start();
        if let Some(rest) = line.strip_prefix("BGP neighbor is ") {
            if let Some((name, vrf, _)) = heading(rest)
                && address(name).is_some()
            {
                (one.address, one.vrf) = (name, vrf);
            }
        } else if body.len() == line.len() {
        } else if let Some(text) = body.strip_prefix("Description: ") {
            one.description = text;
        } else if let Some(text) = body.strip_prefix("BGP version ") {
            one.remote_id = text.split_once("remote router ID ").map_or(one.remote_id, |(_, id)| id.trim());
        } else if let Some(text) = body.strip_prefix("BGP state = ") {
            let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
            one.state = &text[..end];
        } else if let Some(text) = body.strip_prefix("For address family: ") {
            one.family = text;
        } else if let Some(text) = body.strip_prefix("Prefixes Current:") {
            (one.sent, one.accepted) = pair(text);
        } else if body.starts_with("Local Policy Denied Prefixes:") {
            all.push(one.clone());
            (one.sent, one.accepted) = (None, None);
        }
    }
    all
}

/// The shape of NAPALM's `get_bgp_neighbors`.
pub(super) fn napalm<'a>(summary: &str, texts: impl Iterator<Item = &'a str>) -> Value {
    if !runs(summary) {
        return json!({});
    }
    let rows = rows(summary);
    let router_id = rows.first().map_or("", |row| row.router_id);
    let records = records(texts);
    let mut by_name: HashMap<(String, String), Vec<&Record<'_>>> = HashMap::new();
    let mut vrfs: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for record in &records {
        by_name.entry((canonical(record.address), record.family.to_lowercase())).or_default().push(record);
        vrfs.entry(global(record.vrf)).or_default();
    }
    for row in &rows {
        let family = row.family.to_lowercase();
        let name = canonical(row.address);
        if !COMMANDS.iter().any(|(one, _)| *one == family) {
            continue;
        }
        // The same address may be a neighbour in several VRFs; the summary does not say of which a row is.
        let Some(record) = by_name
            .get(&(name.clone(), family.clone()))
            .and_then(|all| all.iter().find(|one| one.vrf.is_empty() || !vrfs[one.vrf].contains_key(&name)))
        else {
            continue;
        };
        let Some(peers) = vrfs.get_mut(global(record.vrf)) else { continue };
        add_peer(peers, name, &family, row, record);
    }
    let vrfs = vrfs
        .into_iter()
        .map(|(vrf, peers)| (vrf.to_owned(), json!({"router_id": router_id, "peers": peers})));
    Value::Object(vrfs.collect())
}

fn global(vrf: &str) -> &str {
    if vrf.is_empty() { "global" } else { vrf }
}

fn add_peer(peers: &mut Map<String, Value>, name: String, family: &str, row: &Row<'_>, record: &Record<'_>) {
    let up = record.state.contains("Established");
    let (accepted, sent, uptime) = if up {
        (record.accepted.or(row.prefixes), record.sent, or_minus_one(seconds(row.time)))
    } else {
        (row.prefixes, None, -1)
    };
    let counts = json!({
        "received_prefixes": if up { or_minus_one(accepted) } else { -1 },
        "accepted_prefixes": or_minus_one(accepted),
        "sent_prefixes": or_minus_one(sent),
    });
    if let Some(peer) = peers.get_mut(&name) {
        if up {
            peer["is_up"] = json!(true);
        }
        if peer["uptime"].as_i64() < Some(uptime) {
            peer["uptime"] = json!(uptime);
        }
        peer["address_family"][family] = counts;
        return;
    }
    let peer = json!({
        "local_as": as_number(row.local_as).unwrap_or(0),
        "remote_as": as_number(row.remote_as).unwrap_or(0),
        "remote_id": canonical(record.remote_id),
        "is_up": up,
        "is_enabled": !row.state.contains("(Admin)"),
        "description": record.description,
        "uptime": uptime,
        "address_family": { family: counts },
    });
    peers.insert(name, peer);
}
