//! EOS: the text of `show ip bgp neighbors vrf all` and `show ipv6 bgp peers vrf all`, for what its JSON leaves out.
//!
//! The two routing protocol models print it differently: with the newer one (`multi-agent`) an empty line ends a neighbour,
//! with the older one the line about `Auto-Local-Addr` does.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde_json::{Value, json};

use crate::napalm::{NapalmDetail, NapalmDetailPeer};
use crate::vendor::{canonical, leading_number};

/// What stands somewhere in a line; nearly every line is looked through for it.
static ROUTER_ID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(" remote router ID "));
static REMOTE_PORT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(", remote port is "));

/// What one neighbour's lines say. Texts are as printed, and empty where nothing was.
#[derive(Default, PartialEq)]
struct Peer<'a> {
    up: &'a str,
    vrf: &'a str,
    state: &'a str,
    last_state: &'a str,
    last_event: &'a str,
    remote_as: u64,
    local_as: u64,
    router_id: &'a str,
    local_address: &'a str,
    local_port: u64,
    remote_address: &'a str,
    remote_port: u64,
    import_policy: &'a str,
    export_policy: &'a str,
    own_next_hop: u64,
    hold_time: [u64; 2],
    configured_hold_time: [u64; 2],
    updates: [u64; 2],
    messages: [u64; 2],
    queued: u64,
    ipv4: [u64; 2],
    ipv6: [u64; 2],
}

/// The shape of NAPALM's `get_bgp_neighbors_detail`. `texts` and `summaries` (JSON) are those of IPv4 and of IPv6.
pub(super) fn napalm(
    texts: [&str; 2],
    summaries: [&str; 2],
    multi_agent: bool,
) -> Result<NapalmDetail, String> {
    let mut vrfs = NapalmDetail::new();
    for (text, summary) in texts.into_iter().zip(summaries) {
        let summary: Value = if summary.trim().is_empty() {
            json!({})
        } else {
            serde_json::from_str(summary).map_err(|error| crate::mask::json_error(&error))?
        };
        for peer in peers(text, multi_agent) {
            let address = canonical(peer.remote_address);
            let accepted = summary.get("vrfs").and_then(|vrfs| {
                vrfs.get(peer.vrf)?.get("peers")?.get(&address)?.get("prefixAccepted")?.as_u64()
            });
            let remote_as = peer.remote_as.to_string();
            let shape = shape(&peer, address, accepted.unwrap_or(0));
            vrfs.entry(peer.vrf.to_owned()).or_default().entry(remote_as).or_default().push(shape);
        }
    }
    Ok(vrfs)
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn shape(peer: &Peer<'_>, address: String, accepted: u64) -> NapalmDetailPeer {
    let local = crate::vendor::address(peer.local_address);
    NapalmDetailPeer {
        up: peer.up == "up",
        routing_table: peer.vrf.to_owned(),
        connection_state: peer.state.to_owned(),
        previous_connection_state: peer.last_state.to_owned(),
        last_event: peer.last_event.to_owned(),
        remote_as: number(peer.remote_as),
        local_as: number(peer.local_as),
        router_id: canonical(peer.router_id),
        local_address: local.map_or_else(String::new, |_| canonical(peer.local_address)),
        local_address_configured: !peer.local_address.is_empty(),
        local_port: number(peer.local_port),
        remote_address: address,
        remote_port: number(peer.remote_port),
        import_policy: peer.import_policy.to_owned(),
        export_policy: peer.export_policy.to_owned(),
        // What NAPALM takes for it: updates dropped because their next hop is our own address.
        multihop: peer.own_next_hop != 0,
        holdtime: number(peer.hold_time[0]),
        keepalive: number(peer.hold_time[1]),
        configured_holdtime: number(peer.configured_hold_time[0]),
        configured_keepalive: number(peer.configured_hold_time[1]),
        input_messages: number(peer.messages[1]),
        output_messages: number(peer.messages[0]),
        input_updates: number(peer.updates[1]),
        output_updates: number(peer.updates[0]),
        messages_queued_out: number(peer.queued),
        received_prefix_count: number(peer.ipv4[1].saturating_add(peer.ipv6[1])),
        advertised_prefix_count: number(peer.ipv4[0].saturating_add(peer.ipv6[0])),
        accepted_prefix_count: number(accepted),
        ..NapalmDetailPeer::default()
    }
}

/// Neighbour after neighbour.
fn peers(text: &str, multi_agent: bool) -> impl Iterator<Item = Peer<'_>> {
    let mut lines = text.lines();
    std::iter::from_fn(move || {
        let mut peer = Peer::default();
        for line in lines.by_ref() {
            if ends(line, multi_agent) {
                if peer != Peer::default() {
                    return Some(peer);
                }
            } else {
                peer.read(line, multi_agent);
            }
        }
        (peer != Peer::default()).then_some(peer)
    })
}

impl<'a> Peer<'a> {
    fn read(&mut self, line: &'a str, multi_agent: bool) {
        let body = line.trim_start();
        if body.len() < line.len() {
            self.read_indented(line, body, multi_agent);
        } else if let Some(rest) = line.strip_prefix("BGP neighbor is ") {
            if let Some((address, rest)) = rest.split_once(", remote AS ")
                && let Some(number) = leading_number(rest)
            {
                self.remote_address = word(address);
                self.remote_as = number;
            }
        } else if let Some(number) = line.strip_prefix("Local AS is ").and_then(leading_number) {
            self.local_as = number;
        } else if let Some(rest) = line.strip_prefix("Local TCP address is ") {
            match rest.split_once(", local port is ") {
                Some((address, port)) => {
                    self.local_address = word(address);
                    self.local_port = leading_number(port).unwrap_or(0);
                }
                None if multi_agent => self.local_address = word(rest),
                None => {}
            }
        } else if let Some(port) = after(&REMOTE_PORT, line).and_then(|(_, port)| leading_number(port)) {
            self.remote_port = port;
        } else {
            self.read_router_id(line);
        }
    }

    fn read_indented(&mut self, line: &'a str, body: &'a str, multi_agent: bool) {
        // The first letter decides first: most lines are about something else.
        match body.as_bytes().first() {
            Some(b'B' | b'C' | b'H' | b'L') => self.read_session(body, multi_agent),
            Some(b'I' | b'N' | b'O' | b'S' | b'T' | b'U') => self.read_counts(body, multi_agent),
            _ => {}
        }
        self.read_router_id(line);
    }

    /// Timers, state, and what was last.
    fn read_session(&mut self, body: &'a str, multi_agent: bool) {
        if let Some(rest) = body.strip_prefix("Hold time is ") {
            timers(rest, &mut self.hold_time);
        } else if let Some(rest) = body.strip_prefix("Configured hold time is ") {
            timers(rest, &mut self.configured_hold_time);
        } else if let Some(rest) = body.strip_prefix("BGP state is ") {
            match rest.split_once(", ") {
                Some((state, rest)) => {
                    if let Some((up, _)) = rest.split_once(' ') {
                        self.state = state;
                        self.up = up;
                    }
                }
                None if multi_agent => self.state = word(rest),
                None => {}
            }
        } else if let Some(rest) = body.strip_prefix("Last state was ") {
            self.last_state = word(rest);
        } else if let Some(rest) = body.strip_prefix("Last event was ") {
            self.last_event = word(rest);
        }
    }

    /// Messages, prefixes, policies.
    fn read_counts(&mut self, body: &'a str, multi_agent: bool) {
        if let Some(rest) = body.strip_prefix("Updates:") {
            pair(rest, &mut self.updates);
        } else if let Some(rest) = body.strip_prefix("Total messages:") {
            pair(rest, &mut self.messages);
        } else if let Some(rest) = body.strip_prefix("IPv4 Unicast:") {
            pair(rest, &mut self.ipv4);
        } else if let Some(rest) = body.strip_prefix("IPv6 Unicast:") {
            pair(rest, &mut self.ipv6);
        } else if let Some(rest) = body.strip_prefix("Inbound route map is ") {
            self.import_policy = word(rest);
        } else if let Some(rest) = body.strip_prefix("Outbound route map is ") {
            self.export_policy = word(rest);
        } else if let Some(rest) = body.strip_prefix("Nexthop matches local IP address: ") {
            self.own_next_hop = leading_number(rest).unwrap_or(self.own_next_hop);
        } else if let Some(rest) = body.strip_prefix("OutQ depth is ").filter(|_| !multi_agent) {
            self.queued = leading_number(rest).unwrap_or(self.queued);
        } else if let Some(rest) = body.strip_prefix("Send-Q:").filter(|_| multi_agent)
            && let Some((number, _)) = rest.trim_start().split_once('/')
        {
            self.queued = number.parse().unwrap_or(self.queued);
        }
    }

    fn read_router_id(&mut self, line: &'a str) {
        if let Some((_, rest)) = after(&ROUTER_ID, line)
            && let Some((id, vrf)) = rest.split_once(", VRF ")
        {
            self.router_id = id;
            self.vrf = word(vrf);
        }
    }
}

/// What stands before and after.
fn after<'a>(finder: &Finder<'_>, line: &'a str) -> Option<(&'a str, &'a str)> {
    let at = finder.find(line.as_bytes())?;
    Some((line.get(..at)?, line.get(at + finder.needle().len()..)?))
}

/// Whether a neighbour ends here.
fn ends(line: &str, multi_agent: bool) -> bool {
    if multi_agent { line.is_empty() } else { line.starts_with("Auto-Local-Addr ") }
}

/// `90, keepalive interval is 30 seconds`
fn timers(text: &str, into: &mut [u64; 2]) {
    if let Some((hold, keep)) = text.split_once(", keepalive interval is ")
        && let (Some(hold), Some(keep)) = (leading_number(hold), leading_number(keep))
    {
        *into = [hold, keep];
    }
}

/// `    23    18`
fn pair(text: &str, into: &mut [u64; 2]) {
    let mut numbers = text.split_whitespace().map(leading_number);
    if let (Some(Some(first)), Some(Some(second))) = (numbers.next(), numbers.next()) {
        *into = [first, second];
    }
}

fn word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or("")
}
