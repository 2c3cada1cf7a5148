//! BGP as Junos's configuration and answers have it.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::xml::escape;
use crate::routers::peering::{LIMIT, Peer, Peers, SHUT, Session, local_address};
use crate::routers::tree::{Node, block, from_braces, value};

/// What a group hands down to its neighbours.
#[derive(Clone, Default)]
struct Inherited {
    peer: Peer,
    limits: [Option<u64>; 2],
}

/// The neighbours that a configuration has.
pub(super) fn peers(config: &str) -> Peers {
    let all = from_braces(config).unwrap_or_default();
    let mut peers = Peers::new();
    let top = Inherited::default().with(block(&all, "routing-options"));
    add(&mut peers, "", block(&all, "protocols"), &top);
    for instance in block(&all, "routing-instances").iter().filter(|instance| !instance.inactive) {
        let top = top.with(block(instance.inside(), "routing-options"));
        add(&mut peers, &instance.words, block(instance.inside(), "protocols"), &top);
    }
    peers
}

fn add(peers: &mut Peers, vrf: &str, protocols: &[Node], top: &Inherited) {
    let bgp = block(protocols, "bgp");
    let top = top.with(bgp);
    let mut holders = vec![(top.clone(), bgp)];
    let groups = bgp.iter().filter(|node| !node.inactive && node.after("group").is_some());
    holders.extend(groups.map(|group| (top.with(group.inside()), group.inside())));
    for (inherited, nodes) in holders {
        for node in nodes.iter().filter(|node| !node.inactive) {
            let Some(address) = node.after("neighbor").and_then(|text| text.parse::<IpAddr>().ok()) else {
                continue;
            };
            let own = inherited.with(node.inside());
            let limit = own.limits[usize::from(address.is_ipv6())];
            peers.insert((vrf.to_owned(), address), Peer { vrf: vrf.to_owned(), limit, ..own.peer });
        }
    }
}

impl Inherited {
    fn with(&self, nodes: &[Node]) -> Self {
        let mut new = self.clone();
        let number = |name: &str| value(nodes, name).and_then(|text| text.split(' ').next()?.parse().ok());
        new.peer.remote_as = number("peer-as").unwrap_or(new.peer.remote_as);
        new.peer.local_as =
            number("local-as").or_else(|| number("autonomous-system")).unwrap_or(new.peer.local_as);
        if let Some(text) = value(nodes, "description") {
            text.clone_into(&mut new.peer.description);
        }
        if let Some(text) = value(nodes, "authentication-key") {
            new.peer.password = Some(text.to_owned());
        }
        new.peer.shut |= value(nodes, "shutdown").is_some();
        for (at, family) in ["family inet", "family inet6"].into_iter().enumerate() {
            let unicast = block(block(nodes, family), "unicast");
            for name in ["prefix-limit", "accepted-prefix-limit"] {
                if let Some(limit) = value(block(unicast, name), "maximum").and_then(|text| text.parse().ok())
                {
                    new.limits[at] = Some(limit);
                }
            }
        }
        new
    }
}

fn instance(session: &Session) -> &str {
    if session.peer.vrf.is_empty() { "master" } else { &session.peer.vrf }
}

/// The answer to an operation about BGP, or `None` if it is none.
pub(super) fn answer(operation: &str, of: Option<&str>, sessions: &[Session]) -> Option<String> {
    let chosen = sessions.iter().filter(|session| of.is_none_or(|name| name == instance(session)));
    let mut out = String::new();
    match operation {
        "get-bgp-neighbor-information" => {
            out.push_str("<bgp-information>");
            chosen.for_each(|session| neighbor(&mut out, session));
            out.push_str("</bgp-information>");
        }
        "get-bgp-summary-information" => {
            out.push_str("<bgp-information>");
            for session in chosen {
                let _ = write!(
                    out,
                    "<bgp-peer><peer-address>{}</peer-address><peer-as>{}</peer-as><elapsed-time junos:seconds=\"{}\">then\
                     </elapsed-time><peer-state>{}</peer-state></bgp-peer>",
                    session.address, session.peer.remote_as, session.seconds, session.state
                );
            }
            out.push_str("</bgp-information>");
        }
        "get-instance-information" => {
            let mut names: Vec<&str> =
                std::iter::once("master").chain(sessions.iter().map(instance)).collect();
            names.sort_unstable();
            names.dedup();
            out.push_str("<instance-information>");
            for name in names {
                let _ = write!(
                    out,
                    "<instance-core><instance-name>{}</instance-name></instance-core>",
                    escape(name)
                );
            }
            out.push_str("</instance-information>");
        }
        _ => return None,
    }
    Some(out)
}

fn neighbor(out: &mut String, session: &Session) {
    let (peer, is_up) = (&session.peer, session.is_up());
    let local = local_address(session.address);
    let description = if peer.description.is_empty() {
        String::new()
    } else {
        format!("<description>{}</description>", escape(&peer.description))
    };
    let event = match session.last_error {
        "" => "",
        LIMIT => "Stop",
        SHUT => "Closed",
        _ => "RecvNotify",
    };
    let _ = write!(
        out,
        "<bgp-peer style=\"detail\">\n<peer-address>{}{}</peer-address>\n<peer-as>{}</peer-as>\n<local-address>{}</local-address>\n\
         <local-as>{}</local-as>\n{description}\n<peer-group>peers</peer-group>\n<peer-cfg-rti>master</peer-cfg-rti>\n\
         <peer-fwd-rti>master</peer-fwd-rti>\n<peer-type>External</peer-type>\n<peer-state>{}</peer-state>\n<peer-flags>Sync</peer-flags>\n\
         <last-state>{}</last-state>\n<last-event>RecvKeepAlive</last-event>\n<last-error>{}</last-error>\n<bgp-option-information>\n\
         <bgp-options>PeerAS Refresh</bgp-options>\n<bgp-options2/>\n<bgp-options-extended>{}</bgp-options-extended>\n\
         <holdtime>90</holdtime>\n<preference>170</preference>\n</bgp-option-information>\n<flap-count>{}</flap-count>\n\
         <last-flap-event>{}</last-flap-event>\n",
        session.address,
        if is_up { "+179" } else { "" },
        peer.remote_as,
        if is_up { format!("{local}+53124") } else { local.to_owned() },
        peer.local_as,
        session.state,
        if is_up { "OpenConfirm" } else { "Idle" },
        if session.last_error.is_empty() { "None" } else { session.last_error },
        if peer.shut { "Shutdown" } else { "" },
        session.flaps,
        if event.is_empty() { "None" } else { event },
    );
    if is_up {
        let _ = write!(
            out,
            "<peer-id>{}</peer-id>\n<local-id>198.18.0.1</local-id>\n<active-holdtime>90</active-holdtime>\n\
             <keepalive-interval>30</keepalive-interval>\n<group-index>0</group-index>\n<peer-index>0</peer-index>\n\
             <nlri-type-peer>inet-unicast</nlri-type-peer>\n<nlri-type-session>inet-unicast</nlri-type-session>\n\
             <peer-restart-nlri-configured>inet-unicast</peer-restart-nlri-configured>\n\
             <peer-stale-route-time-configured>300</peer-stale-route-time-configured>\n\
             <peer-4byte-as-capability-advertised>{}</peer-4byte-as-capability-advertised>\n",
            session.router_id(),
            peer.remote_as
        );
    }
    let table = if session.address.is_ipv4() { "inet.0" } else { "inet6.0" };
    let table = if peer.vrf.is_empty() { table.to_owned() } else { format!("{}.{table}", peer.vrf) };
    let _ = write!(
        out,
        "<bgp-rib style=\"detail\">\n<name>{}</name>\n<bgp-rib-state>BGP restart is complete</bgp-rib-state>\n<send-state>{}</send-state>\n\
         <active-prefix-count>{}</active-prefix-count>\n<received-prefix-count>{}</received-prefix-count>\n\
         <accepted-prefix-count>{}</accepted-prefix-count>\n<suppressed-prefix-count>0</suppressed-prefix-count>\n",
        escape(&table),
        if is_up { "in sync" } else { "not advertising" },
        session.accepted / 2,
        session.received,
        session.accepted,
    );
    if is_up {
        let _ = writeln!(out, "<advertised-prefix-count>{}</advertised-prefix-count>", session.advertised);
    }
    out.push_str("</bgp-rib>\n");
    if is_up {
        let minute = session.seconds / 30;
        let _ = write!(
            out,
            "<last-received>12</last-received>\n<last-sent>7</last-sent>\n<last-checked>{}</last-checked>\n<input-messages>{}</input-messages>\n\
             <input-updates>{}</input-updates>\n<input-refreshes>0</input-refreshes>\n<input-octets>{}</input-octets>\n\
             <output-messages>{minute}</output-messages>\n<output-updates>12</output-updates>\n<output-refreshes>0</output-refreshes>\n\
             <output-octets>{}</output-octets>\n<bgp-output-queue>\n<number>1</number>\n<count>0</count>\n</bgp-output-queue>\n",
            session.seconds,
            minute + session.received,
            session.received,
            (minute + session.received) * 40,
            minute * 19
        );
    }
    out.push_str("</bgp-peer>\n");
}

#[cfg(test)]
mod tests {
    use super::peers;

    #[test]
    fn neighbours_follow_from_the_configuration() {
        let all = peers(
            "routing-options { autonomous-system 64500; }\nprotocols { bgp { group a { peer-as 64501; family inet { unicast { \
             prefix-limit { maximum 7; } } } neighbor 192.0.2.1 { description \"a b\"; authentication-key \"x\"; } neighbor 2001:db8::1; \
             inactive: neighbor 192.0.2.2 { peer-as 1; } } group b { local-as 64999; neighbor 192.0.2.3 { peer-as 3; shutdown; } } } }\n\
             routing-instances { blue { protocols { bgp { group c { neighbor 192.0.2.1 { peer-as 4; } } } } } }",
        );
        let told: Vec<_> = all
            .iter()
            .map(|((vrf, address), peer)| {
                (vrf.as_str(), address.to_string(), peer.remote_as, peer.local_as, peer.shut, peer.limit)
            })
            .collect();
        let own = |text: &str| text.to_owned();
        assert_eq!(
            told,
            [
                ("", own("192.0.2.1"), 64501, 64500, false, Some(7)),
                ("", own("192.0.2.3"), 3, 64999, true, None),
                ("", own("2001:db8::1"), 64501, 64500, false, None),
                ("blue", own("192.0.2.1"), 4, 64500, false, None),
            ]
        );
    }
}
