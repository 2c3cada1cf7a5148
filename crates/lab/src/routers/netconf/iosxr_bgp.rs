//! BGP as IOS-XR's configuration and the model `Cisco-IOS-XR-ipv4-bgp-oper` have it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::xml::{Node as Xml, escape};
use crate::routers::peering::{LIMIT, Peer, Peers, SHUT, Session, local_address};
use crate::routers::tree::{Node, from_indentation, value};

/// The neighbours that a configuration has.
pub(super) fn peers(config: &str) -> Peers {
    let mut peers = Peers::new();
    for router in from_indentation(config) {
        let Some(asn) = router.after("router bgp").and_then(|text| text.parse().ok()) else { continue };
        let groups: BTreeMap<&str, &Node> =
            router.inside().iter().filter_map(|node| Some((node.after("neighbor-group")?, node))).collect();
        let top = Peer { local_as: asn, ..Peer::default() };
        add(&mut peers, "", router.inside(), &groups, &top);
        for vrf in router.inside() {
            if let Some(name) = vrf.after("vrf") {
                add(&mut peers, name, vrf.inside(), &groups, &top);
            }
        }
    }
    peers
}

fn add(peers: &mut Peers, vrf: &str, nodes: &[Node], groups: &BTreeMap<&str, &Node>, top: &Peer) {
    for node in nodes {
        let Some(address) = node.after("neighbor").and_then(|text| text.parse().ok()) else { continue };
        let mut peer = Peer { vrf: vrf.to_owned(), ..top.clone() };
        if let Some(group) = value(node.inside(), "use neighbor-group").and_then(|name| groups.get(name)) {
            apply(&mut peer, group.inside());
        }
        apply(&mut peer, node.inside());
        peers.insert((vrf.to_owned(), address), peer);
    }
}

fn apply(peer: &mut Peer, nodes: &[Node]) {
    let number = |name: &str| value(nodes, name).and_then(|text| text.split(' ').next()?.parse().ok());
    peer.remote_as = number("remote-as").unwrap_or(peer.remote_as);
    peer.local_as = number("local-as").unwrap_or(peer.local_as);
    if let Some(text) = value(nodes, "description") {
        text.clone_into(&mut peer.description);
    }
    if let Some(text) = value(nodes, "password") {
        peer.password = Some(text.to_owned());
    }
    peer.shut |= value(nodes, "shutdown").is_some();
    for family in nodes.iter().filter(|node| node.after("address-family").is_some()) {
        let limit =
            value(family.inside(), "maximum-prefix").and_then(|text| text.split(' ').next()?.parse().ok());
        peer.limit = limit.or(peer.limit);
    }
}

/// What a filter asks for, as far as it is known here.
pub(super) fn answer(filter: Option<&Xml>, name: &str, sessions: &[Session]) -> String {
    let asked = |wanted: &str| filter.is_some_and(|filter| filter.child(wanted).is_some());
    let mut out = String::new();
    if asked("system-time") {
        let _ = write!(
            out,
            "<system-time xmlns=\"http://cisco.com/ns/yang/Cisco-IOS-XR-shellutil-oper\"><uptime><host-name>{}</host-name>\
             <uptime>864000</uptime></uptime></system-time>",
            escape(name)
        );
    }
    if asked("inventory") {
        out.push_str(
            "<inventory xmlns=\"http://cisco.com/ns/yang/Cisco-IOS-XR-invmgr-oper\"><entities><entity><name>Rack 0</name><attributes>\
             <inv-basic-bag><model-name>NCS-5501</model-name><software-revision>7.5.2</software-revision></inv-basic-bag></attributes>\
             </entity></entities></inventory>",
        );
    }
    if asked("bgp") && !sessions.is_empty() {
        bgp(&mut out, sessions);
    }
    out
}

fn bgp(out: &mut String, sessions: &[Session]) {
    let process = "<global-process-info><vrf><router-id>198.18.0.1</router-id><hold-time>180</hold-time>\
        <keep-alive-time>60</keep-alive-time></vrf></global-process-info>";
    out.push_str(
        "<bgp xmlns=\"http://cisco.com/ns/yang/Cisco-IOS-XR-ipv4-bgp-oper\"><instances><instance><instance-name>default</instance-name>\
         <instance-active><default-vrf>",
    );
    let _ = write!(out, "{process}<neighbors>");
    let mut vrfs: BTreeMap<&str, Vec<&Session>> = BTreeMap::new();
    for session in sessions {
        match session.peer.vrf.as_str() {
            "" => neighbor(out, session),
            vrf => vrfs.entry(vrf).or_default().push(session),
        }
    }
    out.push_str("</neighbors></default-vrf><vrfs>");
    for (vrf, sessions) in vrfs {
        let _ = write!(out, "<vrf><vrf-name>{}</vrf-name>{process}<neighbors>", escape(vrf));
        for session in sessions {
            neighbor(out, session);
        }
        out.push_str("</neighbors></vrf>");
    }
    out.push_str("</vrfs></instance-active></instance></instances></bgp>");
}

fn neighbor(out: &mut String, session: &Session) {
    let (peer, is_up) = (&session.peer, session.is_up());
    let (afi, family) = if session.address.is_ipv4() { ("ipv4", "ipv4") } else { ("ipv6", "ipv6") };
    let state = match session.state {
        "Established" => "bgp-st-estab",
        "Idle" => "bgp-st-idle",
        _ => "bgp-st-active",
    };
    let reason = match session.last_error {
        "" => "bgp-none",
        SHUT => "admin-shut",
        LIMIT => "max-prefix",
        "Open Message Error" => "open-message-error",
        _ => "hold-time-expired",
    };
    let (up, down) = if is_up { (session.seconds, 0) } else { (0, session.seconds) };
    let description = if peer.description.is_empty() {
        String::new()
    } else {
        format!("<description>{}</description>", escape(&peer.description))
    };
    let messages = up / 30;
    let _ = write!(
        out,
        "<neighbor><neighbor-address>{address}</neighbor-address><connection-remote-address><afi>{afi}</afi>\
         <{afi}-address>{address}</{afi}-address></connection-remote-address><connection-local-address><afi>{afi}</afi>\
         <{afi}-address>{local}</{afi}-address></connection-local-address><connection-local-port>179</connection-local-port>\
         <connection-remote-port>43211</connection-remote-port><is-local-address-configured>false</is-local-address-configured>\
         <remote-as>{remote_as}</remote-as><local-as>{local_as}</local-as><local-as-no-prepend>false</local-as-no-prepend>{description}\
         <is-administratively-shut-down>{shut}</is-administratively-shut-down>\
         <is-neighbor-max-prefix-shutdown>{over}</is-neighbor-max-prefix-shutdown><router-id>{id}</router-id><hold-time>180</hold-time>\
         <keep-alive-time>60</keep-alive-time><configured-hold-time>180</configured-hold-time>\
         <configured-keepalive>60</configured-keepalive><connection-state>{state}</connection-state>\
         <previous-connection-state>3</previous-connection-state><connection-up-count>{ups}</connection-up-count>\
         <connection-down-count>{flaps}</connection-down-count><connection-established-time>{up}</connection-established-time>\
         <time-since-connection-last-dropped>{down}</time-since-connection-last-dropped><reset-reason>{reason}</reset-reason>\
         <peer-reset-reason>bgp-none</peer-reset-reason><messges-received>{messages}</messges-received>\
         <messages-sent>{messages}</messages-sent><messages-queued-in>0</messages-queued-in>\
         <messages-queued-out>0</messages-queued-out><suppress4-byte-as>false</suppress4-byte-as>\
         <is-external-neighbor-not-directly-connected>false</is-external-neighbor-not-directly-connected>\
         <af-data><af-name>{family}</af-name><is-neighbor-route-reflector-client>false</is-neighbor-route-reflector-client>\
         <soft-reconfiguration>true</soft-reconfiguration><route-policy-in>IN</route-policy-in><route-policy-out>OUT</route-policy-out>\
         <remove-private-as-from-updates>false</remove-private-as-from-updates><prefixes-accepted>{accepted}</prefixes-accepted>\
         <prefixes-synced>0</prefixes-synced><prefixes-withdrawn-not-found>0</prefixes-withdrawn-not-found>\
         <prefixes-denied>{denied}</prefixes-denied><prefixes-denied-no-policy>0</prefixes-denied-no-policy>\
         <number-of-bestpaths>{best}</number-of-bestpaths><prefixes-advertised>{advertised}</prefixes-advertised>\
         <max-prefix-limit>1048576</max-prefix-limit><selective-multipath-eligible>false</selective-multipath-eligible></af-data></neighbor>",
        address = session.address,
        local = local_address(session.address),
        remote_as = peer.remote_as,
        local_as = peer.local_as,
        shut = peer.shut,
        over = session.last_error == LIMIT && !is_up,
        id = if is_up { session.router_id() } else { "0.0.0.0".to_owned() },
        ups = session.flaps + u64::from(is_up),
        flaps = session.flaps,
        accepted = session.accepted,
        denied = session.received - session.accepted,
        best = session.accepted / 2,
        advertised = session.advertised,
    );
}

#[cfg(test)]
mod tests {
    use super::peers;

    #[test]
    fn neighbours_follow_from_the_configuration() {
        let all = peers(
            "hostname a\nrouter bgp 64500\n neighbor-group g\n  remote-as 64501\n !\n neighbor 192.0.2.1\n  use neighbor-group g\n  \
             description a b\n  address-family ipv4 unicast\n   maximum-prefix 7 80\n  !\n !\n vrf blue\n  neighbor 2001:db8::1\n   remote-as 3\n   \
             shutdown\n  !\n !\n!\n",
        );
        let told: Vec<_> = all
            .iter()
            .map(|((vrf, address), peer)| {
                (vrf.as_str(), address.to_string(), peer.remote_as, peer.local_as, peer.shut, peer.limit)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("", "192.0.2.1".to_owned(), 64501, 64500, false, Some(7)),
                ("blue", "2001:db8::1".to_owned(), 3, 64500, true, None),
            ]
        );
    }
}
