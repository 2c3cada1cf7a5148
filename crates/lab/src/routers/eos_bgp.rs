//! BGP as the configuration of EOS and its JSON have it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::eos::Config;
use super::peering::{LIMIT, Peer, Peers, SHUT, Session, local_address};

/// The neighbours that a configuration has.
pub(super) fn peers(config: &Config) -> Peers {
    let mut peers = Peers::new();
    for (section, lines) in config.sections() {
        let mut path = section.split('\n').map(str::trim);
        let Some(asn) = path.next().and_then(|top| top.strip_prefix("router bgp ")?.parse().ok()) else {
            continue;
        };
        let vrf = match path.next() {
            None => "",
            Some(inner) => match inner.strip_prefix("vrf ") {
                Some(vrf) => vrf,
                None => continue,
            },
        };
        let mut named: BTreeMap<&str, (Peer, Option<&str>)> = BTreeMap::new();
        for words in lines.iter().filter_map(|line| line.strip_prefix("neighbor ")) {
            let mut words = words.splitn(3, ' ');
            let (Some(name), Some(what)) = (words.next(), words.next()) else { continue };
            let value = words.next().unwrap_or_default();
            let number = value.split(' ').next().unwrap_or_default();
            let start = || (Peer { vrf: vrf.to_owned(), local_as: asn, ..Peer::default() }, None);
            let (peer, group) = named.entry(name).or_insert_with(start);
            match what {
                "remote-as" => peer.remote_as = number.parse().unwrap_or_default(),
                "local-as" => peer.local_as = number.parse().unwrap_or(asn),
                "description" => value.clone_into(&mut peer.description),
                "password" => peer.password = Some(value.to_owned()),
                "shutdown" => peer.shut = true,
                "maximum-routes" => peer.limit = number.parse().ok().filter(|&limit| limit > 0),
                "peer" => *group = value.strip_prefix("group "),
                "peer-group" => *group = Some(value),
                _ => {}
            }
        }
        for (name, (peer, group)) in &named {
            let Ok(address) = name.parse() else { continue };
            let mut peer = peer.clone();
            if let Some((above, _)) = group.and_then(|group| named.get(group)) {
                peer.remote_as = if peer.remote_as == 0 { above.remote_as } else { peer.remote_as };
                peer.password = peer.password.or_else(|| above.password.clone());
                peer.limit = peer.limit.or(above.limit);
                peer.shut |= above.shut;
            }
            if peer.remote_as != 0 {
                peers.insert((vrf.to_owned(), address), peer);
            }
        }
    }
    peers
}

/// The answer to a question about BGP, or `None` if it is none.
pub(super) fn answer(command: &str, sessions: &[Session]) -> Option<Value> {
    let (is_ipv4, of): (bool, fn(&[&Session]) -> Value) = match command {
        "show ip bgp summary vrf all" => (true, summary),
        "show ipv6 bgp summary vrf all" => (false, summary),
        "show ip bgp neighbors vrf all" => (true, details),
        "show ipv6 bgp peers vrf all" => (false, details),
        _ => return None,
    };
    let mut vrfs: BTreeMap<&str, Vec<&Session>> = BTreeMap::from([("default", Vec::new())]);
    for session in sessions.iter().filter(|session| session.address.is_ipv4() == is_ipv4) {
        let vrf = if session.peer.vrf.is_empty() { "default" } else { &session.peer.vrf };
        vrfs.entry(vrf).or_default().push(session);
    }
    let vrfs: serde_json::Map<String, Value> =
        vrfs.into_iter().map(|(vrf, sessions)| (vrf.to_owned(), of(&sessions))).collect();
    Some(json!({ "vrfs": vrfs }))
}

fn summary(sessions: &[&Session]) -> Value {
    let peers: serde_json::Map<String, Value> = sessions
        .iter()
        .map(|session| {
            let one = json!({
                "description": session.peer.description, "version": 4, "asn": session.peer.remote_as.to_string(),
                "peerState": session.state, "msgReceived": session.seconds / 30, "msgSent": session.seconds / 30, "inMsgQueue": 0,
                "outMsgQueue": 0, "upDownTime": session.seconds, "underMaintenance": false,
                "prefixReceived": session.received, "prefixAccepted": session.accepted,
            });
            (session.address.to_string(), one)
        })
        .collect();
    json!({ "vrf": "default", "routerId": "198.18.0.1", "asn": "64500", "peers": peers })
}

fn details(sessions: &[&Session]) -> Value {
    json!({ "peerList": sessions.iter().map(|session| peer(session)).collect::<Vec<_>>() })
}

fn peer(session: &Session) -> Value {
    let (is_up, is_ipv4) = (session.is_up(), session.address.is_ipv4());
    let mut one = json!({
        "peerAddress": session.address.to_string(), "asn": session.peer.remote_as.to_string(),
        "localAsn": session.peer.local_as.to_string(), "linkType": "external", "routerId": "0.0.0.0", "version": 4,
        "state": session.state, "description": session.peer.description, "lastState": "Idle", "lastEvent": "Established",
        "establishedTransitions": session.flaps + u64::from(is_up), "holdTime": 180, "keepaliveTime": 60,
        "configuredHoldTime": 180, "configuredKeepaliveTime": 60, "messagesReceived": session.seconds / 30,
        "messagesSent": session.seconds / 30, "updatesReceived": session.received, "updatesSent": session.advertised,
        "prefixesReceived": if is_ipv4 { session.received } else { 0 }, "prefixesSent": if is_ipv4 { session.advertised } else { 0 },
        "v6PrefixesReceived": if is_ipv4 { 0 } else { session.received }, "v6PrefixesSent": if is_ipv4 { 0 } else { session.advertised },
        "inputQueueDepth": 0, "outputQueueDepth": 0, "vrf": if session.peer.vrf.is_empty() { "default" } else { &session.peer.vrf },
        "peerTcpInfo": { "state": "ESTABLISHED", "sendMss": 1448, "sendWindow": 65_535 },
    });
    if is_up {
        one["routerId"] = json!(session.router_id());
        one["establishedTime"] = json!(session.seconds);
        one["updateSource"] = json!(local_address(session.address));
        let caps = |enabled: bool| json!({ "advertised": enabled, "received": enabled, "enabled": enabled });
        one["neighborCapabilities"] = json!({
            "multiprotocolCaps": { "ipv4Unicast": caps(is_ipv4), "ipv6Unicast": caps(!is_ipv4) },
            "fourOctetAsnCap": caps(true), "routeRefreshCap": caps(true),
        });
    } else {
        match session.last_error {
            SHUT => one["idleReason"] = json!("Administratively shut down"),
            LIMIT => one["idleReason"] = json!("Over maximum route limit"),
            "Open Message Error" => {
                one["lastErrorRcvdCode"] = json!("OPEN message error");
                one["lastErrorRcvdSubcode"] = json!("bad peer AS");
                one["lastErrorRcvdTimeInfo"] = json!({ "time": session.seconds });
            }
            _ => one["establishFailHint"] = json!("Could not connect to the peer"),
        }
    }
    one
}
