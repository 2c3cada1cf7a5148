//! What the parsers of the vendors' outputs share.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;

use arcstr::ArcStr;

use crate::neighbor::sort;
use crate::{Neighbor, Neighbors};

/// An address as the vendors print it; a zone (`fe80::1%Ethernet1`) is left aside.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    text.split('%').next()?.parse().ok()
}

/// An address in its standard form, with its zone; what is none stays as it is.
pub(crate) fn canonical(text: &str) -> String {
    let (plain, zone) = text.split_once('%').map_or((text, None), |(plain, zone)| (plain, Some(zone)));
    match (plain.parse::<IpAddr>(), zone) {
        (Ok(address), None) => address.to_string(),
        (Ok(address), Some(zone)) => format!("{address}%{zone}"),
        (Err(_), _) => text.to_owned(),
    }
}

/// An AS number, plain or with a dot (RFC 5396).
pub(crate) fn as_number(text: &str) -> Option<u32> {
    match text.split_once('.') {
        None => text.parse().ok(),
        Some((high, low)) => {
            Some((u32::from(high.parse::<u16>().ok()?) << 16) + u32::from(low.parse::<u16>().ok()?))
        }
    }
}

/// Seconds, from `01:02:03`, `1d17h`, `8w5d` or `1y28w`.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    if text.contains(':') {
        let mut sum = 0_u64;
        let mut fields = 0;
        for field in text.split(':') {
            sum = sum.checked_mul(60)?.checked_add(field.parse().ok()?)?;
            fields += 1;
        }
        return (fields == 3).then_some(sum);
    }
    let mut sum = 0_u64;
    let mut number = None;
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            number = Some(number.unwrap_or(0_u64).checked_mul(10)?.checked_add(u64::from(digit))?);
            continue;
        }
        let unit = match c {
            'y' => 365 * 86_400,
            'w' => 7 * 86_400,
            'd' => 86_400,
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        sum = sum.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    (number.is_none() && !text.is_empty()).then_some(sum)
}

/// A number, and -1 for one that is not known.
pub(crate) fn or_minus_one(number: Option<u64>) -> i64 {
    number.and_then(|number| i64::try_from(number).ok()).unwrap_or(-1)
}

/// The VRF without a name is `global` in NAPALM's shapes.
pub(crate) fn napalm_vrf(name: &str) -> &str {
    if name.eq_ignore_ascii_case("default") { "global" } else { name }
}

/// A number at the beginning of a text.
pub(crate) fn leading_number(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// Rows of tables with a row per family, put together to neighbours.
#[derive(Default)]
pub(crate) struct Gathered {
    rows: Vec<Neighbor>,
    /// Rows of addresses with a zone, by VRF and address: what is the same without it may be two neighbours.
    zoned: BTreeMap<(ArcStr, String), Neighbor>,
    left_out: Vec<String>,
}

impl Gathered {
    /// Where there are about so many rows.
    pub fn of(rows: usize) -> Self {
        Self { rows: Vec::with_capacity(rows), ..Self::default() }
    }

    /// A row; of a neighbour that is there already, only the families count.
    pub fn add(&mut self, vrf: &str, address: &str, row: Result<Neighbor, String>) {
        let one = match row {
            Ok(one) => one,
            Err(reason) => return self.left_out.push(format!("{address:.60} in VRF {vrf}: {reason}")),
        };
        if !address.contains('%') {
            return self.rows.push(one);
        }
        match self.zoned.entry((one.vrf.clone(), canonical(address))) {
            Entry::Vacant(place) => {
                place.insert(one);
            }
            Entry::Occupied(mut place) => place.get_mut().prefixes.extend(one.prefixes.iter()),
        }
    }

    /// What could not be read.
    pub fn leave_out(&mut self, odd: String) {
        self.left_out.push(odd);
    }

    /// All of it.
    pub fn neighbors(mut self) -> Neighbors {
        sort(&mut self.rows);
        self.rows.dedup_by(|again, first| {
            let same = again.vrf == first.vrf && again.address == first.address;
            if same {
                first.prefixes.extend(again.prefixes.iter());
            }
            same
        });
        self.rows.extend(self.zoned.into_values());
        Neighbors { neighbors: self.rows, left_out: self.left_out }.sorted()
    }
}

#[cfg(test)]
mod tests {
    use super::{as_number, canonical, seconds};

    #[test]
    fn ages() {
        for (text, expected) in [
            ("01:02:03", Some(3723)),
            ("1d17h", Some(147_600)),
            ("8w5d", Some(5_270_400)),
            ("1y28w", Some(48_470_400)),
            ("never", None),
            ("", None),
            ("12", None),
            ("1:2", None),
            ("99999999999999999999w", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_and_addresses() {
        assert_eq!(as_number("1.10"), Some(65_546));
        assert_eq!(as_number("4200000000"), Some(4_200_000_000));
        assert_eq!(as_number("70000.1"), None);
        assert_eq!(canonical("2001:DB8:0::1"), "2001:db8::1");
        assert_eq!(canonical("FE80::1%Et1"), "fe80::1%Et1");
        assert_eq!(canonical("x"), "x");
    }
}
