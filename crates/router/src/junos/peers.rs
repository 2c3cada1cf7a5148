//! Neighbours out of what Junos answers to `get-bgp-neighbor-information` and `get-bgp-summary-information`.

use std::collections::HashMap;

use arcstr::ArcStr;

use crate::neighbor::limited;
use crate::netconf::xml::{self, Element, Foreign};
use crate::{Family, Neighbor, Neighbors, Prefixes, State};

/// Goes through the neighbours of an answer, one at a time.
pub(super) fn each(
    document: &str,
    foreign: Foreign,
    mut visit: impl FnMut(&Element<'_>),
) -> Result<(), String> {
    xml::walk(
        document,
        foreign,
        |path| path.last() == Some(&"bgp-peer"),
        |_, element| {
            visit(&element);
            Ok(())
        },
    )
}

pub(super) fn text<'e>(element: &'e Element<'_>, path: &[&str]) -> &'e str {
    element.text_of(path).unwrap_or_default()
}

/// Address and port: `192.0.2.1+179`.
pub(super) fn address_and_port(text: &str) -> (&str, Option<&str>) {
    match text.split_once('+') {
        Some((address, port)) => (address, Some(port)),
        None => (text, None),
    }
}

/// An AS, also in two halves with a dot between them.
pub(super) fn as_number(text: &str) -> Option<u32> {
    match text.split_once('.') {
        Some((high, low)) => {
            let (high, low): (u16, u16) = (high.parse().ok()?, low.parse().ok()?);
            Some(u32::from(high) << 16 | u32::from(low))
        }
        None => text.parse().ok(),
    }
}

/// The instance in which a neighbour is configured; `master` is the one without a name. `None` before Junos 15 or so.
pub(super) fn instance<'e>(element: &'e Element<'_>) -> Option<&'e str> {
    ["peer-cfg-rti", "peer-fwd-rti"]
        .into_iter()
        .find_map(|name| element.text_of(&[name]).filter(|text| !text.is_empty()))
}

/// Seconds in the present state, by address. Two instances may have the same address; then they are in the order of the
/// other answer.
#[derive(Default)]
pub(super) struct Summary(HashMap<String, Vec<Option<u64>>>);

impl Summary {
    pub(super) fn read(document: &str) -> Result<Self, String> {
        let mut all = Self::default();
        each(document, Foreign::Shown, |element| {
            let (address, _) = address_and_port(text(element, &["peer-address"]));
            let seconds =
                element.find(&["elapsed-time"]).and_then(|time| time.attribute("seconds")?.parse().ok());
            all.0.entry(address.to_owned()).or_default().push(seconds);
        })?;
        Ok(all)
    }

    fn seconds(&self, address: &str, seen: usize) -> Option<u64> {
        self.0.get(address)?.get(seen).copied().flatten()
    }
}

/// What one answer holds.
pub(super) struct Answer {
    pub(super) neighbors: Neighbors,
    /// Some neighbour does not say in which instance it is.
    pub(super) without_instance: bool,
}

/// The neighbours of an answer. `of` is the instance that was asked for, if one was.
pub(super) fn read(document: &str, summary: &Summary, of: Option<&str>) -> Result<Answer, String> {
    let mut all = Answer { neighbors: Neighbors::default(), without_instance: false };
    let mut seen: HashMap<String, usize> = HashMap::new();
    each(document, Foreign::Shown, |element| {
        let named = of.or_else(|| instance(element));
        all.without_instance |= named.is_none();
        let (address, _) = address_and_port(text(element, &["peer-address"]));
        let place = seen.entry(address.to_owned()).or_default();
        let seconds = summary.seconds(address, *place);
        *place += 1;
        match neighbor(element, named.unwrap_or("master"), seconds) {
            Ok(one) => all.neighbors.neighbors.push(one),
            Err(why) => all.neighbors.left_out.push(crate::mask::excerpt(&why)),
        }
    })?;
    Ok(all)
}

fn neighbor(element: &Element<'_>, instance: &str, seconds: Option<u64>) -> Result<Neighbor, String> {
    let (address, _) = address_and_port(text(element, &["peer-address"]));
    // A link-local address has its interface behind it.
    let bare = address.split('%').next().unwrap_or(address);
    let ip = bare.parse().map_err(|_| format!("a neighbour with the address {address:.60}"))?;
    let said = text(element, &["peer-state"]);
    let state = State::from_name(said)
        .ok_or_else(|| format!("the neighbour {address:.60} with the state {said:.60}"))?;
    let mut one = Neighbor::new(if instance == "master" { "default" } else { instance }, ip, state);
    let up = one.is_up();
    one.remote_as = as_number(text(element, &["peer-as"]));
    one.local_as = as_number(text(element, &["local-as"]));
    if up {
        one.local_address = address_and_port(text(element, &["local-address"])).0.parse().ok();
        one.remote_id = text(element, &["peer-id"]).parse().ok();
    }
    one.age = seconds.map(limited);
    one.description = Some(text(element, &["description"])).filter(|text| !text.is_empty()).map(ArcStr::from);
    one.enabled = !is_shut(element);
    one.flaps = text(element, &["flap-count"]).parse().ok().map(limited);
    let reasons: Vec<&str> = ["last-error", "last-flap-event"]
        .into_iter()
        .map(|name| text(element, &[name]))
        .filter(|reason| !matches!(*reason, "" | "None"))
        .collect();
    one.last_error = (!reasons.is_empty()).then(|| reasons.join(", ").into());
    one.over_limit = !up && reasons.iter().any(|reason| is_limit(reason));
    for family in [Family::Ipv4, Family::Ipv6] {
        if let Some(rib) = table(element, instance, family) {
            one.prefixes.insert(family, if up { counts(rib) } else { Prefixes::default() });
        }
    }
    Ok(one)
}

pub(super) fn is_shut(element: &Element<'_>) -> bool {
    let options = text(element, &["bgp-option-information", "bgp-options-extended"]);
    options.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("shutdown"))
}

fn is_limit(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    reason.contains("prefix")
        && (reason.contains("limit") || reason.contains("maximum") || reason.contains("exceed"))
}

/// The table of a family: the instance's own, else the first of that family.
fn table<'e, 'a>(element: &'e Element<'a>, instance: &str, family: Family) -> Option<&'e Element<'a>> {
    let label = match family {
        Family::Ipv4 => "inet",
        Family::Ipv6 => "inet6",
    };
    let own = if instance == "master" { format!("{label}.0") } else { format!("{instance}.{label}.0") };
    let name = |rib: &Element<'_>| text(rib, &["name"]).to_owned();
    element.all("bgp-rib").find(|rib| name(rib) == own).or_else(|| {
        element.all("bgp-rib").find(|rib| {
            let name = name(rib);
            let mut labels = name.rsplit('.');
            labels.next().is_some_and(|number| number == "0") && labels.next() == Some(label)
        })
    })
}

fn counts(rib: &Element<'_>) -> Prefixes {
    let count = |name: &str| text(rib, &[name]).parse().ok();
    // The number is left out while nothing is sent from this table.
    let advertised = count("advertised-prefix-count")
        .or_else(|| (!text(rib, &["send-state"]).contains("in sync")).then_some(0));
    Prefixes {
        received: count("received-prefix-count"),
        accepted: count("accepted-prefix-count"),
        advertised,
    }
}
