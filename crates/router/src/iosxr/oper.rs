//! BGP neighbours out of IOS-XR's operational data: the YANG model `Cisco-IOS-XR-ipv4-bgp-oper` and the XML agent's older
//! tree have the same fields under different names.

use std::net::IpAddr;

use arcstr::ArcStr;

use crate::address::canonical_ip;
use crate::neighbor::limited;
use crate::netconf::xml::{self, Element, Foreign};
use crate::{Family, NapalmDetailPeer, NapalmPeer, NapalmPrefixes, Neighbor, Neighbors, Prefixes, State};

type Path = &'static [&'static str];

/// Where a field is.
pub(super) struct Names {
    neighbor: Path,
    vrf: &'static str,
    vrf_name: Path,
    process: &'static str,
    process_router_id: Path,
    process_hold_time: Path,
    process_keep_alive: Path,
    /// The element that holds the VRF without a name, and those that hold VRFs.
    default_vrf: &'static str,
    address: Path,
    address6: Path,
    local_as: Path,
    remote_as: Path,
    router_id: Path,
    description: Path,
    shut_down: Path,
    admin_status: Path,
    state: Path,
    established: &'static str,
    established_time: Path,
    remote_afi: Path,
    remote_address: Path,
    remote_address6: Path,
    remote_port: Path,
    local_address: Path,
    local_address6: Path,
    local_port: Path,
    local_configured: Path,
    family: Path,
    family_name: Path,
    accepted: Path,
    denied: Path,
    advertised: Path,
    best: Path,
    remove_private: Path,
    multipath: Path,
    policy_in: Path,
    policy_out: Path,
    multihop: Path,
    messages_in: Path,
    messages_out: Path,
    queued_out: Path,
    downs: Path,
    previous_state: Path,
    suppress_4byte: Path,
    no_prepend: Path,
    hold_time: Path,
    keep_alive: Path,
    configured_hold_time: Path,
    configured_keep_alive: Path,
    over_limit: Path,
    since_dropped: Path,
    reset_reason: Path,
    peer_reset_reason: Path,
}

pub(super) const YANG: Names = Names {
    neighbor: &["neighbors", "neighbor"],
    vrf: "vrf",
    vrf_name: &["vrf-name"],
    process: "global-process-info",
    process_router_id: &["vrf", "router-id"],
    process_hold_time: &["vrf", "hold-time"],
    process_keep_alive: &["vrf", "keep-alive-time"],
    default_vrf: "default-vrf",
    address: &["neighbor-address"],
    address6: &["neighbor-address"],
    local_as: &["local-as"],
    remote_as: &["remote-as"],
    router_id: &["router-id"],
    description: &["description"],
    shut_down: &["is-administratively-shut-down"],
    admin_status: &["connection-admin-status"],
    state: &["connection-state"],
    established: "bgp-st-estab",
    established_time: &["connection-established-time"],
    remote_afi: &["connection-remote-address", "afi"],
    remote_address: &["connection-remote-address", "ipv4-address"],
    remote_address6: &["connection-remote-address", "ipv6-address"],
    remote_port: &["connection-remote-port"],
    local_address: &["connection-local-address", "ipv4-address"],
    local_address6: &["connection-local-address", "ipv6-address"],
    local_port: &["connection-local-port"],
    local_configured: &["is-local-address-configured"],
    family: &["af-data"],
    family_name: &["af-name"],
    accepted: &["prefixes-accepted"],
    denied: &["prefixes-denied"],
    advertised: &["prefixes-advertised"],
    best: &["number-of-bestpaths"],
    remove_private: &["remove-private-as-from-updates"],
    multipath: &["selective-multipath-eligible"],
    policy_in: &["route-policy-in"],
    policy_out: &["route-policy-out"],
    multihop: &["is-external-neighbor-not-directly-connected"],
    messages_in: &["messges-received"],
    messages_out: &["messages-sent"],
    queued_out: &["messages-queued-out"],
    downs: &["connection-down-count"],
    previous_state: &["previous-connection-state"],
    suppress_4byte: &["suppress4-byte-as"],
    no_prepend: &["local-as-no-prepend"],
    hold_time: &["hold-time"],
    keep_alive: &["keep-alive-time"],
    configured_hold_time: &["configured-hold-time"],
    configured_keep_alive: &["configured-keepalive"],
    over_limit: &["is-neighbor-max-prefix-shutdown"],
    since_dropped: &["time-since-connection-last-dropped"],
    reset_reason: &["reset-reason"],
    peer_reset_reason: &["peer-reset-reason"],
};

pub(super) const AGENT: Names = Names {
    neighbor: &["NeighborTable", "Neighbor"],
    vrf: "VRF",
    vrf_name: &["Naming", "VRFName"],
    process: "GlobalProcessInfo",
    process_router_id: &["VRF", "RouterID"],
    process_hold_time: &["VRF", "HoldTime"],
    process_keep_alive: &["VRF", "KeepAliveTime"],
    default_vrf: "DefaultVRF",
    address: &["Naming", "NeighborAddress", "IPV4Address"],
    address6: &["Naming", "NeighborAddress", "IPV6Address"],
    local_as: &["LocalAS"],
    remote_as: &["RemoteAS"],
    router_id: &["RouterID"],
    description: &["Description"],
    shut_down: &["IsAdministrativelyShutDown"],
    admin_status: &["ConnectionAdminStatus"],
    state: &["ConnectionState"],
    established: "BGP_ST_ESTAB",
    established_time: &["ConnectionEstablishedTime"],
    remote_afi: &["ConnectionRemoteAddress", "AFI"],
    remote_address: &["ConnectionRemoteAddress", "IPV4Address"],
    remote_address6: &["ConnectionRemoteAddress", "IPV6Address"],
    remote_port: &["ConnectionRemotePort"],
    local_address: &["ConnectionLocalAddress", "IPV4Address"],
    local_address6: &["ConnectionLocalAddress", "IPV6Address"],
    local_port: &["ConnectionLocalPort"],
    local_configured: &["IsLocalAddressConfigured"],
    family: &["AFData", "Entry"],
    family_name: &["AFName"],
    accepted: &["PrefixesAccepted"],
    denied: &["PrefixesDenied"],
    advertised: &["PrefixesAdvertised"],
    best: &["NumberOfBestpaths"],
    remove_private: &["RemovePrivateASFromUpdates"],
    multipath: &["SelectiveMultipathEligible"],
    policy_in: &["RoutePolicyIn"],
    policy_out: &["RoutePolicyOut"],
    multihop: &["IsExternalNeighborNotDirectlyConnected"],
    messages_in: &["MessgesReceived"],
    messages_out: &["MessagesSent"],
    queued_out: &["MessagesQueuedOut"],
    downs: &["ConnectionDownCount"],
    previous_state: &["PreviousConnectionState"],
    suppress_4byte: &["Suppress4ByteAs"],
    no_prepend: &["LocalASNoPrepend"],
    hold_time: &["HoldTime"],
    keep_alive: &["KeepAliveTime"],
    configured_hold_time: &["ConfiguredHoldTime"],
    configured_keep_alive: &["ConfiguredKeepalive"],
    over_limit: &["IsNeighborMaxPrefixShutdown"],
    since_dropped: &["TimeSinceConnectionLastDropped"],
    reset_reason: &["ResetReason"],
    peer_reset_reason: &["PeerResetReason"],
};

/// A VRF while its neighbours are read.
#[derive(Clone, Debug, Default)]
pub(super) struct Vrf {
    /// `default` is the one without a name.
    pub(super) name: String,
    /// It stands as the one without a name, and not in the list of VRFs.
    pub(super) is_default: bool,
    pub(super) router_id: String,
    hold_time: i64,
    keep_alive: i64,
}

/// What is in the data, in its order.
pub(super) enum Item<'e, 'a> {
    /// A VRF, with what is known of all of it.
    Vrf,
    /// A neighbour of the VRF.
    Neighbor(&'e Element<'a>),
}

/// Goes through the VRFs and their neighbours, one at a time.
pub(super) fn each(
    names: &Names,
    document: &str,
    mut visit: impl FnMut(&Vrf, Item<'_, '_>),
) -> Result<(), String> {
    let mut vrf = Vrf::default();
    let wanted = |path: &[&str]| {
        path.ends_with(names.neighbor)
            || path.last() == Some(&names.process)
            || (path.ends_with(names.vrf_name)
                && path.len() > names.vrf_name.len()
                && path[path.len() - names.vrf_name.len() - 1] == names.vrf)
    };
    xml::walk(document, Foreign::Shown, wanted, |path, element| {
        if path.ends_with(names.neighbor) {
            visit(&vrf, Item::Neighbor(&element));
        } else if path.last() == Some(&names.process) {
            let is_default = path.contains(&names.default_vrf);
            if is_default {
                vrf = Vrf { name: "default".into(), is_default, ..Vrf::default() };
            }
            text(&element, names.process_router_id).clone_into(&mut vrf.router_id);
            vrf.hold_time = number(&element, names.process_hold_time);
            vrf.keep_alive = number(&element, names.process_keep_alive);
            visit(&vrf, Item::Vrf);
        } else {
            vrf = Vrf { name: element.text().to_owned(), ..Vrf::default() };
            visit(&vrf, Item::Vrf);
        }
        Ok(())
    })
}

fn text<'e>(element: &'e Element<'_>, path: &[&str]) -> &'e str {
    element.text_of(path).unwrap_or_default()
}

fn number(element: &Element<'_>, path: &[&str]) -> i64 {
    text(element, path).parse().unwrap_or_default()
}

fn is_true(element: &Element<'_>, path: &[&str]) -> bool {
    text(element, path) == "true"
}

fn either<'e>(element: &'e Element<'_>, one: &[&str], other: &[&str]) -> &'e str {
    let found = text(element, one);
    if found.is_empty() { text(element, other) } else { found }
}

impl Names {
    /// A field of the families: the first that has it.
    fn family_field(&self, path: Path) -> Vec<&'static str> {
        [self.family, path].concat()
    }

    /// The neighbour in NAPALM's short shape, by its address; `None` if it has none.
    ///
    /// As NAPALM has it, the family is the address's and the counters are the first family's.
    pub(super) fn short(&self, element: &Element<'_>) -> Option<(String, NapalmPeer)> {
        let address = canonical_ip(either(element, self.address, self.address6))?;
        let is_up = text(element, self.state) == self.established;
        let accepted = number(element, &self.family_field(self.accepted));
        let counts = NapalmPrefixes {
            received_prefixes: accepted.saturating_add(number(element, &self.family_field(self.denied))),
            accepted_prefixes: accepted,
            sent_prefixes: number(element, &self.family_field(self.advertised)),
        };
        let afi = match text(element, self.remote_afi) {
            "IPv4" => "ipv4",
            "IPv6" => "ipv6",
            other => other,
        };
        let is_enabled = if self.is_agent() {
            text(element, self.admin_status) == "1"
        } else {
            !is_true(element, self.shut_down)
        };
        let peer = NapalmPeer {
            local_as: number(element, self.local_as),
            remote_as: number(element, self.remote_as),
            remote_id: text(element, self.router_id).to_owned(),
            is_up,
            is_enabled,
            description: text(element, self.description).to_owned(),
            uptime: if is_up { number(element, self.established_time) } else { -1 },
            address_family: [(afi.to_owned(), counts)].into(),
        };
        Some((address, peer))
    }

    fn is_agent(&self) -> bool {
        self.default_vrf == AGENT.default_vrf
    }

    /// The neighbour in NAPALM's long shape.
    pub(super) fn long(&self, vrf: &Vrf, element: &Element<'_>) -> NapalmDetailPeer {
        let ip = |text: &str| canonical_ip(text).unwrap_or_else(|| text.to_owned());
        let or = |value: i64, other: i64| if value == 0 { other } else { value };
        let of_family = |path: Path| number(element, &self.family_field(path));
        let state = text(element, self.state);
        let state = title(state.strip_prefix("bgp-st-").or(state.strip_prefix("BGP_ST_")).unwrap_or(state));
        let accepted = of_family(self.accepted);
        let suppressed = of_family(self.denied);
        NapalmDetailPeer {
            up: text(element, self.state) == self.established,
            local_as: number(element, self.local_as),
            remote_as: number(element, self.remote_as),
            router_id: ip(text(element, self.router_id)),
            local_address: ip(either(element, self.local_address, self.local_address6)),
            local_address_configured: is_true(element, self.local_configured),
            local_port: number(element, self.local_port),
            routing_table: vrf.name.clone(),
            remote_address: ip(either(element, self.remote_address, self.remote_address6)),
            remote_port: number(element, self.remote_port),
            multihop: is_true(element, self.multihop),
            multipath: is_true(element, &self.family_field(self.multipath)),
            remove_private_as: is_true(element, &self.family_field(self.remove_private)),
            import_policy: text(element, &self.family_field(self.policy_in)).to_owned(),
            export_policy: text(element, &self.family_field(self.policy_out)).to_owned(),
            input_messages: number(element, self.messages_in),
            output_messages: number(element, self.messages_out),
            messages_queued_out: number(element, self.queued_out),
            connection_state: if state == "Estab" { "Established".to_owned() } else { state },
            previous_connection_state: self.previous_state(element).to_owned(),
            suppress_4byte_as: is_true(element, self.suppress_4byte),
            local_as_prepend: !is_true(element, self.no_prepend),
            holdtime: or(number(element, self.hold_time), vrf.hold_time),
            configured_holdtime: number(element, self.configured_hold_time),
            keepalive: or(number(element, self.keep_alive), vrf.keep_alive),
            configured_keepalive: number(element, self.configured_keep_alive),
            active_prefix_count: of_family(self.best),
            received_prefix_count: accepted.saturating_add(suppressed),
            accepted_prefix_count: accepted,
            suppressed_prefix_count: suppressed,
            advertised_prefix_count: of_family(self.advertised),
            flap_count: number(element, self.downs),
            ..NapalmDetailPeer::default()
        }
    }

    /// NAPALM knows the states by these numbers. Absent is unknown in YANG and nothing with the agent.
    fn previous_state(&self, element: &Element<'_>) -> &'static str {
        let known = match (element.text_of(self.previous_state), self.is_agent()) {
            (None, false) | (Some(""), true) => "0",
            (found, _) => found.unwrap_or_default(),
        };
        match known {
            "0" => "Unknown",
            "1" => "Idle",
            "2" => "Connect",
            "3" => "OpenSent",
            "4" => "OpenConfirm",
            "5" => "Active",
            "6" => "Established",
            _ => "",
        }
    }

    /// The neighbour, or why it is none.
    fn neighbor(&self, vrf: &Vrf, element: &Element<'_>) -> Result<Neighbor, String> {
        let address = either(element, self.address, self.address6);
        let ip: IpAddr =
            address.parse().map_err(|_| format!("a neighbour with the address {address:.60}"))?;
        let said = text(element, self.state);
        let bare = said.to_ascii_lowercase().replace(['-', '_'], "");
        let state = match bare.strip_prefix("bgpst").unwrap_or(&bare) {
            "estab" => Some(State::Established),
            other => State::from_name(other),
        };
        let state = state.ok_or_else(|| format!("the neighbour {address:.60} with the state {said:.60}"))?;
        let mut one = Neighbor::new(&vrf.name, ip, state);
        let up = one.is_up();
        let count = |path: Path| element.text_of(path).and_then(|text| text.parse::<u64>().ok());
        one.remote_as = element.text_of(self.remote_as).and_then(|asn| asn.parse().ok());
        one.local_as = element.text_of(self.local_as).and_then(|asn| asn.parse().ok());
        if up {
            one.local_address = either(element, self.local_address, self.local_address6).parse().ok();
            one.remote_id = text(element, self.router_id).parse().ok();
        }
        one.age = if up {
            count(self.established_time)
        } else {
            count(self.since_dropped).filter(|&seconds| seconds > 0)
        }
        .map(limited);
        one.description =
            Some(text(element, self.description)).filter(|text| !text.is_empty()).map(ArcStr::from);
        one.enabled = !is_true(element, self.shut_down);
        one.over_limit = is_true(element, self.over_limit);
        one.flaps = count(self.downs).map(limited);
        let reasons: Vec<&str> = [self.reset_reason, self.peer_reset_reason]
            .into_iter()
            .map(|path| text(element, path))
            .filter(|reason| !matches!(*reason, "" | "bgp-none" | "NONE" | "none" | "BGP_NONE"))
            .collect();
        one.last_error = (!reasons.is_empty()).then(|| reasons.join(", ").into());
        let (last, above) =
            self.family.split_last().map_or(("", self.family), |(last, above)| (*last, above));
        for data in element.find(above).into_iter().flat_map(|holder| holder.all(last)) {
            let family = match text(data, self.family_name).to_ascii_lowercase().as_str() {
                "ipv4" | "ipv4-unicast" => Family::Ipv4,
                "ipv6" | "ipv6-unicast" => Family::Ipv6,
                _ => continue,
            };
            let count =
                |path: Path| data.text_of(path).and_then(|text| text.parse::<u64>().ok()).filter(|_| up);
            let accepted = count(self.accepted);
            let counts = Prefixes {
                received: accepted
                    .zip(count(self.denied))
                    .map(|(accepted, denied)| accepted.saturating_add(denied)),
                accepted,
                advertised: count(self.advertised),
            };
            if !one.prefixes.contains_key(&family) {
                one.prefixes.insert(family, counts);
            }
        }
        Ok(one)
    }
}

/// Every neighbour of every VRF.
pub(super) fn neighbors(names: &Names, documents: &[&str]) -> Result<Neighbors, String> {
    let mut all = Neighbors::default();
    for document in documents {
        each(names, document, |vrf, item| {
            let Item::Neighbor(element) = item else { return };
            match names.neighbor(vrf, element) {
                Ok(one) => all.neighbors.push(one),
                Err(why) => all.left_out.push(crate::mask::excerpt(&why)),
            }
        })?;
    }
    Ok(all.sorted())
}

/// Every word with a large letter in front and small ones behind, as Python's `str.title` has it.
fn title(text: &str) -> String {
    let mut inside = false;
    text.chars()
        .map(|c| {
            let shown = if inside { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
            inside = c.is_alphabetic();
            shown
        })
        .collect()
}
