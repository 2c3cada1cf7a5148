//! IOS: what NAPALM's `get_bgp_neighbors_detail` says, from `show ip bgp all sum` and a command per neighbour.

use crate::napalm::{NapalmDetail, NapalmDetailPeer};
use crate::vendor::{as_number, canonical, leading_number};

/// A row of `show ip bgp all sum`.
pub(super) struct Row<'a> {
    family: &'a str,
    local_as: &'a str,
    /// As printed: the command is made of it.
    address: &'a str,
    remote_as: &'a str,
    queued: &'a str,
    time: &'a str,
}

impl Row<'_> {
    /// The command for this neighbour; `None` for a family of which nothing is known.
    pub(super) fn command(&self) -> Option<String> {
        let family = match self.family {
            "IPv4 Unicast" => "ipv4 unicast",
            "IPv6 Unicast" => "ipv6 unicast",
            "VPNv4 Unicast" => "vpnv4 all",
            "VPNv6 Unicast" => "vpnv6 unicast all",
            "IPv4 Multicast" => "ipv4 multicast",
            "IPv6 Multicast" => "ipv6 multicast",
            "L2VPN E-VPN" => "l2vpn evpn",
            "MVPNv4 Unicast" => "ipv4 mvpn all",
            "MVPNv6 Unicast" => "ipv6 mvpn all",
            "VPNv4 Flowspec" => "ipv4 flowspec",
            "VPNv6 Flowspec" => "ipv6 flowspec",
            _ => return None,
        };
        Some(format!("show ip bgp {family} neigh {}", self.address))
    }
}

/// The rows of the summary.
pub(super) fn rows(summary: &str) -> Vec<Row<'_>> {
    let mut all = Vec::new();
    let (mut family, mut local_as, mut address) = ("", "", "");
    let mut in_table = false;
    for line in summary.trim().lines() {
        if !in_table {
            if let Some(text) = line.strip_prefix("For address family: ") {
                family = text.trim_end();
            } else if let Some(text) = line.strip_prefix("BGP router identifier ") {
                local_as =
                    text.split_once(", local AS number ").map_or(local_as, |(_, number)| number.trim());
            } else if line.starts_with("Neighbor ") {
                in_table = true;
            }
            continue;
        }
        if line.is_empty() {
            in_table = false;
            (family, local_as) = ("", "");
            continue;
        }
        let mut rest = line;
        if !line.starts_with(char::is_whitespace) {
            (address, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        }
        let words: Vec<&str> = rest.split_whitespace().collect();
        if let [version, remote_as, _, _, _, _, queued, time, _, ..] = words.as_slice()
            && version.parse::<u8>().is_ok()
        {
            all.push(Row { family, local_as, address, remote_as, queued, time });
        }
    }
    all
}

/// The general part of a neighbour's answer.
#[derive(Default)]
struct General<'a> {
    address: &'a str,
    vrf: &'a str,
    router_id: &'a str,
    state: &'a str,
    hold_time: Option<u64>,
    keepalive: Option<u64>,
    four_octets: &'a str,
    updates: [Option<u64>; 2],
    total: [Option<u64>; 2],
    local: (&'a str, Option<u64>),
    remote_port: Option<u64>,
}

/// What follows the first `For address family:`, up to the next one or to the connection.
#[derive(Default)]
struct OfFamily<'a> {
    import: &'a str,
    export: &'a str,
    prefixes: [Option<u64>; 2],
    best: Option<u64>,
    multipaths: &'a str,
    denied_in: Option<u64>,
    flaps: Option<u64>,
    reset: &'a str,
    same_link: bool,
}

/// The shape of `get_bgp_neighbors_detail`; `answer` finds what a command gave.
pub(super) fn napalm<'a>(
    summary: &str,
    answer: impl Fn(&str) -> Option<&'a str>,
) -> Result<NapalmDetail, String> {
    if summary.contains("Invalid input detected") {
        return Err("BGP does not run".to_owned());
    }
    let mut vrfs = NapalmDetail::new();
    for row in rows(summary) {
        let Some(text) = row.command().and_then(|command| answer(&command)) else { continue };
        let general = general(text);
        if general.address.is_empty() {
            continue;
        }
        let vrf = if general.vrf.is_empty() { "global" } else { general.vrf };
        let peer = shape(&row, &general, text, vrf);
        let remote_as = as_number(row.remote_as).unwrap_or(0).to_string();
        vrfs.entry(vrf.to_owned()).or_default().entry(remote_as).or_default().push(peer);
    }
    Ok(vrfs)
}

fn shape(row: &Row<'_>, general: &General<'_>, text: &str, vrf: &str) -> NapalmDetailPeer {
    let (family, complete) = first_family(text);
    let known = |number: Option<u64>| i64::try_from(number.unwrap_or(0)).unwrap_or(i64::MAX);
    // Without any message, NAPALM takes nothing but the names of the policies from the family's part.
    let count = |number: Option<u64>| if complete { known(number) } else { 0 };
    let asn = |text: &str| as_number(text).map_or(0, i64::from);
    let address = |text: &str| if text.is_empty() { String::new() } else { canonical(text) };
    NapalmDetailPeer {
        up: row.time != "never",
        local_as: asn(row.local_as),
        remote_as: asn(row.remote_as),
        router_id: address(general.router_id),
        local_address: address(general.local.0),
        local_address_configured: complete && family.same_link,
        local_port: known(general.local.1),
        routing_table: vrf.to_owned(),
        remote_address: canonical(general.address),
        remote_port: known(general.remote_port),
        multipath: complete && family.multipaths != "0",
        import_policy: family.import.to_owned(),
        export_policy: family.export.to_owned(),
        input_messages: known(general.total[1]),
        output_messages: known(general.total[0]),
        input_updates: known(general.updates[1]),
        output_updates: known(general.updates[0]),
        messages_queued_out: known(row.queued.parse().ok()),
        connection_state: general.state.to_owned(),
        last_event: if complete && family.reset != "never" { family.reset.to_owned() } else { String::new() },
        suppress_4byte_as: !general.four_octets.is_empty()
            && general.four_octets != "advertised and received",
        holdtime: known(general.hold_time),
        keepalive: known(general.keepalive),
        active_prefix_count: count(family.best),
        received_prefix_count: count(family.prefixes[1]).saturating_add(count(family.denied_in)),
        accepted_prefix_count: count(family.prefixes[1]),
        suppressed_prefix_count: count(family.denied_in),
        advertised_prefix_count: count(family.prefixes[0]),
        flap_count: count(family.flaps),
        ..NapalmDetailPeer::default()
    }
}

fn general(text: &str) -> General<'_> {
    let mut one = General::default();
    let mut in_family = false;
    for line in text.lines() {
        let body = line.trim_start();
        if in_family {
            // The line that ends the families is about the state of the connection.
            in_family = line.is_empty() || body.len() < line.len();
        } else if body.starts_with("For address family") {
            in_family = true;
        } else if body.len() < line.len() {
            one.read_indented(body);
        } else if let Some(rest) = line.strip_prefix("BGP neighbor is ") {
            if let Some((address, rest)) = rest.split_once(',') {
                one.address = address.trim_start_matches('*');
                if let Some((vrf, _)) =
                    rest.trim_start().strip_prefix("vrf ").and_then(|rest| rest.split_once(','))
                {
                    one.vrf = vrf;
                }
            }
        } else if let Some((address, port)) =
            line.strip_prefix("Local host: ").and_then(|rest| rest.split_once(", Local port: "))
        {
            one.local = (address, leading_number(port));
        } else if let Some((_, port)) =
            line.strip_prefix("Foreign host: ").and_then(|rest| rest.split_once(", Foreign port: "))
        {
            one.remote_port = leading_number(port);
        }
    }
    one
}

impl<'a> General<'a> {
    fn read_indented(&mut self, body: &'a str) {
        if let Some(rest) = body.strip_prefix("BGP version 4, remote router ID ") {
            self.router_id = rest.split_whitespace().next().unwrap_or("");
        } else if let Some(rest) = body.strip_prefix("BGP state = ") {
            let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            self.state = &rest[..end];
        } else if let Some(rest) = body.strip_prefix("Last read ") {
            if let Some((_, rest)) = rest.split_once(", hold time is ")
                && let Some((hold, keep)) = rest.split_once(", keepalive interval is ")
            {
                self.hold_time = leading_number(hold);
                self.keepalive = leading_number(keep);
            }
        } else if let Some(rest) = body.strip_prefix("Four-octets ASN Capability:") {
            self.four_octets = rest.trim_start();
        } else if let Some(rest) = body.strip_prefix("Updates:") {
            self.updates = pair(rest).unwrap_or(self.updates);
        } else if let Some(rest) = body.strip_prefix("Total:") {
            self.total = pair(rest).unwrap_or(self.total);
        }
    }
}

/// The first family's part, and whether there were messages before it.
fn first_family(text: &str) -> (OfFamily<'_>, bool) {
    let mut one = OfFamily::default();
    let mut messages = false;
    let mut inside = false;
    for line in text.lines() {
        let body = line.trim_start();
        if body.starts_with("For address family: ") {
            if inside {
                break;
            }
            inside = true;
        } else if inside && line.starts_with("Connection state is") {
            break;
        } else if inside {
            one.read(body);
        } else if body.len() < line.len() && body.strip_prefix("Total:").and_then(pair).is_some() {
            messages = true;
        }
    }
    (one, messages)
}

impl<'a> OfFamily<'a> {
    fn read(&mut self, body: &'a str) {
        if let Some(rest) = body.strip_prefix("Route map for incoming advertisements is ") {
            self.import = rest.split_whitespace().next().unwrap_or("");
        } else if let Some(rest) = body.strip_prefix("Route map for outgoing advertisements is ") {
            self.export = rest.split_whitespace().next().unwrap_or("");
        } else if let Some(rest) = body.strip_prefix("Prefixes Current:") {
            self.prefixes = pair(rest).unwrap_or(self.prefixes);
        } else if let Some(rest) = body.strip_prefix("Used as bestpath:") {
            self.best = rest.split_whitespace().nth(1).and_then(leading_number);
        } else if let Some(rest) = body.strip_prefix("Used as multipath:") {
            self.multipaths = rest.split_whitespace().nth(1).unwrap_or("");
        } else if let Some(rest) = body.strip_prefix("Total:") {
            self.denied_in = pair(rest).map_or(self.denied_in, |pair| pair[1]);
        } else if let Some(rest) = body.strip_prefix("Connections established ") {
            self.flaps = rest.split_once("dropped ").and_then(|(_, count)| leading_number(count));
        } else if let Some(rest) = body.strip_prefix("Last reset ") {
            self.reset = rest;
        } else if let Some(rest) = body.strip_prefix("Interface associated: ") {
            self.same_link |= rest.contains("(peering address in same link)");
        }
    }
}

/// `    23    18`
fn pair(text: &str) -> Option<[Option<u64>; 2]> {
    let mut words = text.split_whitespace().map(leading_number);
    Some([Some(words.next()??), Some(words.next()??)])
}
