//! What Cisco's and Arista's systems print, and what is read from it.

use std::collections::BTreeMap;

use pm_router::{Family, Platform, State, parse_napalm, parse_vendor};

const PLATFORMS: [Platform; 4] = [Platform::Eos, Platform::Nxos, Platform::NxosSsh, Platform::Ios];

#[test]
fn every_family_of_nx_os_stays() {
    let head = |family: &str| {
        format!(
            "BGP summary information for VRF default, address family {family}\nBGP router identifier 192.0.2.254, \
             local AS number 64500\n\nNeighbor        V    AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd\n"
        )
    };
    let text = head("IPv4 Unicast")
        + "192.0.2.1       4 64501       1       1        1    0    0     1d2h 5\n\
           192.0.2.2       4 64502       1       1        1    0    0 00:00:09 Shut (Admin)\n\n"
        + &head("IPv6 Unicast")
        + "2001:db8::1\n                4 4200000001\n                       1       1        1    0    0     3w1d 7\n\
           192.0.2.1       4 64501       1       1        1    0    0     1d2h 6\n2001:db8::2 4 5\n";
    let parts = BTreeMap::from([("show_bgp_all_summary_vrf_all".to_owned(), text)]);
    let all = parse_vendor(Platform::NxosSsh, &parts).unwrap();
    assert_eq!((all.neighbors.len(), all.left_out.len()), (3, 1), "{:?}", all.left_out);
    let one = &all.neighbors[0];
    assert_eq!(
        (
            one.prefixes.get(&Family::Ipv4).unwrap().accepted,
            one.prefixes.get(&Family::Ipv6).unwrap().accepted
        ),
        (Some(5), Some(6))
    );
    assert!(!all.neighbors[1].enabled && all.neighbors[1].state == State::Idle);
    assert_eq!(
        (all.neighbors[2].remote_as, all.neighbors[2].uptime()),
        (Some(4_200_000_001), Some(1_900_800))
    );
}

#[test]
fn what_ios_tells_of_a_session_is_kept() {
    let summary = "For address family: IPv4 Unicast\nBGP router identifier 192.0.2.254, local AS number 64500\n\n\
        Neighbor        V           AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd\n\
        192.0.2.1       4        64501       1       1        1    0    0 1d02h           5\n\
        192.0.2.2       4        64502       1       1        1    0    0 00:10:00 Idle (PfxCt)\n\
        192.0.2.3       4        64503       1       1        1    0    0 never    Idle (Admin)\n";
    let detail = "BGP neighbor is 192.0.2.1,  remote AS 64501, external link\n Description: one\n  BGP version 4, remote router ID \
        198.51.100.1\n  BGP state = Established, up for 1d02h\n\n For address family: IPv4 Unicast\n    Prefixes Current:     2   5\n    \
        Saved (soft-reconfig):        n/a          8 (Consumes 600 bytes)\n  Connections established 3; dropped 2\n  \
        Last reset 1d02h, due to Peer closed the session\nLocal host: 192.0.2.254, Local port: 179\n";
    let parts = BTreeMap::from([
        ("show_bgp_all_summary".to_owned(), summary.to_owned()),
        ("show_bgp_ipv4_unicast_neighbors".to_owned(), detail.to_owned()),
    ]);
    let all = parse_vendor(Platform::Ios, &parts).unwrap();
    assert_eq!((all.neighbors.len(), all.left_out.len()), (3, 0), "{:?}", all.left_out);
    let one = &all.neighbors[0];
    let counts = one.prefixes.get(&Family::Ipv4).unwrap();
    assert_eq!((counts.received, counts.accepted, counts.advertised), (Some(8), Some(5), Some(2)));
    assert_eq!((one.uptime(), one.flaps), (Some(93_600), Some(2)));
    assert_eq!(one.last_error.as_deref(), Some("Peer closed the session"));
    assert!(all.neighbors[1].over_limit && all.neighbors[1].enabled && !all.neighbors[2].enabled);
}

proptest::proptest! {
    /// Nothing that a router could say does harm.
    #[test]
    fn any_text_does_no_harm(text in "(?s).{0,300}", lines in "([A-Za-z0-9 :.,()%/-]{0,60}\n){0,8}") {
        let starts = ["", "BGP neighbor is 192.0.2.1, remote AS 1, x link\n", "For address family: IPv4 Unicast\nNeighbor V\n",
            "BGP summary information for VRF default, address family IPv4 Unicast\nNeighbor  V State/PfxRcd\n192.0.2.1 "];
        for platform in PLATFORMS {
            for getter in ["get_bgp_neighbors", "get_bgp_neighbors_detail", "other"] {
                for start in starts {
                    let names = ["show_ip_bgp_summary_vrf_all", "show_ip_bgp_neighbors_vrf_all", "show_bgp_all_summary_vrf_all",
                        "show_bgp_all_summary", "show_bgp_ipv4_unicast_neighbors", "show_ip_bgp_all_sum",
                        "show_ip_bgp_ipv4_unicast_neigh_192_0_2_1"];
                    for body in [&text, &lines] {
                        let parts = names.iter().map(|name| ((*name).to_owned(), format!("{start}{body}"))).collect();
                        let _ = parse_napalm(platform, getter, &parts);
                        let _ = parse_vendor(platform, &parts);
                    }
                }
            }
        }
    }
}

/// One address on two interfaces is two neighbours; which of them a session is, the address does not say.
#[test]
fn link_local_neighbours_of_two_interfaces_are_not_one() {
    let parts = |name: &str, text: &str| BTreeMap::from([(name.to_owned(), text.to_owned())]);
    let peer = |zone: &str| {
        format!(
            r#"{{"peerAddress":"fe80::1{zone}","asn":"64501","state":"Established","establishedTime":9}}"#
        )
    };
    let eos = format!(
        r#"{{"vrfs":{{"default":{{"peerList":[{},{},{}]}}}}}}"#,
        peer("%Et1"),
        peer("%Et2"),
        peer("%Et1").replace("fe80::1", "fe80::2")
    );
    let row = |zone: &str| {
        format!(
            r#"{{"neighborid":"fe80::1{zone}","neighboras":"64501","state":"Established","time":"1d02h","prefixreceived":5}}"#
        )
    };
    let nxos = format!(
        r#"{{"TABLE_vrf":{{"ROW_vrf":{{"vrf-name-out":"default","vrf-local-as":"64500","TABLE_af":{{"ROW_af":{{"af-id":2,
        "TABLE_saf":{{"ROW_saf":{{"safi":1,"TABLE_neighbor":{{"ROW_neighbor":[{},{},{}]}}}}}}}}}}}}}}}}"#,
        row("%Ethernet1/1"),
        row("%Ethernet1/2"),
        row("%Ethernet1/1").replace("fe80::1", "fe80::2")
    );
    let ssh = "BGP summary information for VRF default, address family IPv6 Unicast\nBGP router identifier 192.0.2.254, \
        local AS number 64500\n\nNeighbor        V    AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd\n\
        fe80::1%Ethernet1/1\n                4 64501       1       1        1    0    0     1d2h 5\n\
        fe80::1%Ethernet1/2\n                4 64501       1       1        1    0    0     1d2h 5\n\
        fe80::2%Ethernet1/1\n                4 64501       1       1        1    0    0     1d2h 5\n";
    let summary = "For address family: IPv6 Unicast\nBGP router identifier 192.0.2.254, local AS number 64500\n\n\
        Neighbor        V           AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd\n";
    let detail: String = ["FE80::1%GigabitEthernet1", "FE80::1%GigabitEthernet2", "FE80::2%GigabitEthernet1"]
        .map(|name| format!("BGP neighbor is {name},  remote AS 64501, external link\n  BGP state = Established, up for 1d02h\n"))
        .concat();
    let mut ios = parts("show_bgp_all_summary", summary);
    ios.extend(parts("show_bgp_ipv6_unicast_neighbors", &detail));
    let empty =
        ["show_ip_bgp_summary_vrf_all", "show_ipv6_bgp_summary_vrf_all", "show_ip_bgp_neighbors_vrf_all"];
    let mut eos = parts("show_ipv6_bgp_peers_vrf_all", &eos);
    eos.extend(empty.map(|name| (name.to_owned(), "{}".to_owned())));
    for (platform, parts) in [
        (Platform::Eos, eos),
        (Platform::Nxos, parts("show_bgp_all_summary_vrf_all", &nxos)),
        (Platform::NxosSsh, parts("show_bgp_all_summary_vrf_all", ssh)),
        (Platform::Ios, ios),
    ] {
        let all = parse_vendor(platform, &parts).unwrap();
        let found: Vec<String> = all.neighbors.iter().map(|one| one.address.to_string()).collect();
        assert_eq!(found, ["fe80::2"], "{platform:?}: {:?}", all.left_out);
        let [odd] = all.left_out.as_slice() else { panic!("{platform:?}: {:?}", all.left_out) };
        assert!(odd.contains("fe80::1 in VRF default") && odd.contains("interfaces"), "{platform:?}: {odd}");
    }
}
