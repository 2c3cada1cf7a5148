//! Which of a router's neighbours a session of ours is, and which neighbours are no session of ours.

use std::net::IpAddr;

use pm_router::{Neighbor, Neighbors, State};
use pm_store::polls::Expected;
use pm_store::strangers::Stranger;

use super::poll::Strange;

/// Letters of a text of a router's that are kept.
const KEPT: usize = 500;

/// The neighbour with the session's address and AS. If there are several, in several VRFs, it is the one with our address of
/// that session, else the one with our AS, else the one outside every VRF.
///
/// # Errors
/// Why it is none of them, for people.
pub(super) fn choose<'a>(session: &Expected, there: &[&'a Neighbor]) -> Result<&'a Neighbor, String> {
    let is_peer = |one: &Neighbor| one.remote_as.is_none_or(|asn| i64::from(asn) == session.asn);
    let mut same: Vec<&Neighbor> = there.iter().copied().filter(|one| is_peer(one)).collect();
    if same.is_empty() {
        return Err(match there.first().and_then(|other| other.remote_as) {
            Some(other) => format!("the router has AS{other} at this address"),
            None => "the router does not know this address".to_owned(),
        });
    }
    let narrower: [&dyn Fn(&Neighbor) -> bool; 3] = [
        &|one| session.local_address.is_some() && one.local_address == session.local_address,
        &|one| session.local_asn.is_some() && one.local_as.map(i64::from) == session.local_asn,
        &|one| one.vrf == "default",
    ];
    for is_ours in narrower {
        if same.len() > 1 && same.iter().any(|one| is_ours(one)) {
            same.retain(|one| is_ours(one));
        }
    }
    match same.as_slice() {
        [one] => Ok(one),
        several => {
            let vrfs: Vec<&str> = several.iter().map(|one| one.vrf.as_str()).collect();
            Err(format!("the router has this address in several VRFs: {}", vrfs.join(", ")))
        }
    }
}

/// Why a session is not found although the router may have it: what the router says of that address was not understood.
pub(super) fn not_understood(address: IpAddr, neighbors: &Neighbors) -> Option<String> {
    let address = address.to_string();
    let is_it = |text: &&String| {
        text.split(|letter: char| !(letter.is_ascii_hexdigit() || letter == '.' || letter == ':'))
            .any(|word| word.trim_end_matches(':') == address)
    };
    let text = neighbors.left_out.iter().find(is_it)?;
    Some(format!("what the router says of it is not understood ({text})"))
}

/// The rows to keep of the neighbours that are no session of ours.
pub(super) fn strangers(neighbors: &Neighbors, strange: &[Strange]) -> Vec<Stranger> {
    let rows = strange.iter().filter_map(|one| {
        let neighbor = neighbors.get(&one.vrf, one.address)?;
        Some(Stranger {
            vrf: plain(&neighbor.vrf),
            ip_address: neighbor.address,
            asn: neighbor.remote_as.map(Into::into),
            local_asn: neighbor.local_as.map(Into::into),
            local_ip_address: neighbor.local_address,
            description: neighbor.description.as_deref().map(plain).filter(|text| !text.is_empty()),
            state: state_name(neighbor.state).to_owned(),
        })
    });
    let mut rows: Vec<Stranger> = rows.collect();
    rows.sort_by(|one, other| (&one.vrf, one.ip_address).cmp(&(&other.vrf, other.ip_address)));
    rows.dedup_by(|one, other| (&one.vrf, one.ip_address) == (&other.vrf, other.ip_address));
    rows
}

/// A router's text in a form that both engines keep.
pub(super) fn plain(text: &str) -> String {
    text.chars().take(KEPT).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// The words of a session's field `bgp_state`.
pub(super) fn state_name(state: State) -> &'static str {
    match state {
        State::Idle => "idle",
        State::Connect => "connect",
        State::Active => "active",
        State::OpenSent => "opensent",
        State::OpenConfirm => "openconfirm",
        State::Established => "established",
    }
}

#[cfg(test)]
mod tests {
    use pm_store::polls::SessionKind;

    use super::*;

    fn neighbor(vrf: &str, asn: Option<u32>, local: Option<&str>, local_as: Option<u32>) -> Neighbor {
        Neighbor {
            vrf: vrf.into(),
            address: "192.0.2.1".parse().unwrap(),
            remote_as: asn,
            local_as,
            local_address: local.map(|address| address.parse().unwrap()),
            remote_id: None,
            description: None,
            state: State::Idle,
            enabled: true,
            age: None,
            prefixes: pm_router::PrefixCounts::default(),
            over_limit: false,
            last_error: None,
            flaps: None,
        }
    }

    fn session(local: Option<&str>, local_asn: Option<i64>) -> Expected {
        Expected {
            kind: SessionKind::Direct,
            id: 1,
            address: "192.0.2.1".parse().unwrap(),
            asn: 64_501,
            name: "Peer".to_owned(),
            wanted: true,
            max_prefixes: None,
            local_address: local.map(|address| address.parse().unwrap()),
            local_asn,
        }
    }

    #[test]
    fn of_several_vrfs_ours_is_taken_and_nothing_is_guessed() {
        let peer = Some(64_501);
        let found = |ours: &Expected, there: &[Neighbor]| {
            choose(ours, &there.iter().collect::<Vec<_>>()).map(|one| one.vrf.clone())
        };
        let default = neighbor("default", peer, Some("192.0.2.2"), Some(64_496));
        let blue = neighbor("blue", peer, Some("192.0.2.3"), Some(64_497));
        let red = neighbor("red", peer, None, Some(64_497));
        let other = neighbor("green", Some(65_000), None, None);
        let all = [default, blue.clone(), red.clone(), other.clone()];
        assert_eq!(found(&session(None, None), &all).unwrap(), "default");
        assert_eq!(found(&session(Some("192.0.2.3"), None), &all).unwrap(), "blue");
        assert_eq!(found(&session(None, Some(64_496)), &all).unwrap(), "default");
        // Our address decides before our AS, and what a router does not tell decides nothing.
        assert_eq!(found(&session(Some("192.0.2.2"), Some(64_497)), &all).unwrap(), "default");
        assert_eq!(found(&session(Some("192.0.2.9"), None), &all[..1]).unwrap(), "default");
        let two = [blue, red, other];
        let why = found(&session(None, None), &two).unwrap_err();
        assert_eq!(why, "the router has this address in several VRFs: blue, red");
        assert_eq!(
            found(&session(None, None), &two[2..]).unwrap_err(),
            "the router has AS65000 at this address"
        );
        assert_eq!(found(&session(None, None), &[]).unwrap_err(), "the router does not know this address");
        // A router that does not tell the AS has the session all the same.
        assert_eq!(found(&session(None, None), &[neighbor("default", None, None, None)]).unwrap(), "default");
    }

    #[test]
    fn what_was_not_understood_is_told_of_the_address_that_it_is_about() {
        let left_out = vec!["192.0.2.11 in VRF blue: no state".to_owned(), "2001:db8::1: no AS".to_owned()];
        let all = Neighbors { neighbors: vec![], left_out };
        assert_eq!(not_understood("192.0.2.1".parse().unwrap(), &all), None);
        let why = not_understood("192.0.2.11".parse().unwrap(), &all).unwrap();
        assert_eq!(why, "what the router says of it is not understood (192.0.2.11 in VRF blue: no state)");
        assert!(not_understood("2001:db8::1".parse().unwrap(), &all).is_some());
    }
}
