//! BIRD 2: what `birdc` prints.

use std::net::IpAddr;

use arcstr::ArcStr;
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use crate::neighbor::{Family, Neighbor, Neighbors, Prefixes, State, limited};

/// `show status` and `show protocols all`.
pub(super) fn neighbors(status: &str, protocols: &str) -> Result<Neighbors, String> {
    let now = server_time(status).ok_or("there is no server time in the status")?;
    if !protocols.lines().any(|line| line.starts_with("Name ")) {
        return Err(format!("no table of protocols: {}", crate::mask::excerpt(protocols)));
    }
    let mut all = Neighbors::default();
    let mut current: Option<Protocol<'_>> = None;
    let mut finish = |protocol: Option<Protocol<'_>>| {
        let Some(protocol) = protocol else { return };
        let name = protocol.name;
        match protocol.neighbor(now) {
            Ok(Some(one)) => all.neighbors.push(one),
            Ok(None) => {}
            Err(reason) => all.left_out.push(format!("protocol {name}: {reason}")),
        }
    };
    for line in protocols.lines() {
        if line.is_empty() || line.starts_with("Name ") {
            continue;
        }
        if !line.starts_with(' ') {
            finish(current.take());
            current = Protocol::begin(line);
        } else if let Some(protocol) = &mut current {
            protocol.line(line);
        }
    }
    finish(current);
    Ok(all.sorted())
}

/// `Current server time is 2026-11-23 22:12:09.933`, whatever the format for protocols is.
fn server_time(status: &str) -> Option<NaiveDateTime> {
    let text = status.lines().find_map(|line| line.strip_prefix("Current server time is "))?;
    date_time(text.trim())
}

fn date_time(text: &str) -> Option<NaiveDateTime> {
    ["%Y-%m-%d %H:%M:%S%.f", "%d-%m-%Y %H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
}

/// Seconds since a moment that is written in one of BIRD's own formats: a time of the last 24 hours, or date and time. A date
/// alone does not tell.
fn seconds_since(text: &str, now: NaiveDateTime) -> Option<u64> {
    let then = date_time(text).or_else(|| {
        let time = NaiveTime::parse_from_str(text, "%H:%M:%S%.f").ok()?;
        let today = now.date().and_time(time);
        if today <= now { Some(today) } else { Some(now.date().pred_opt()?.and_time(time)) }
    })?;
    u64::try_from((now - then).num_seconds()).ok()
}

/// A block of `show protocols all`.
#[derive(Default)]
struct Protocol<'a> {
    name: &'a str,
    state: &'a str,
    since: String,
    info: &'a str,
    vrf: Option<&'a str>,
    description: Option<&'a str>,
    message: Option<&'a str>,
    bgp_state: Option<&'a str>,
    address: Option<&'a str>,
    range: bool,
    remote_as: Option<&'a str>,
    local_as: Option<&'a str>,
    remote_id: Option<&'a str>,
    source: Option<&'a str>,
    last_error: Option<&'a str>,
    channels: Vec<(&'a str, Option<&'a str>)>,
}

impl<'a> Protocol<'a> {
    /// `good4      BGP        ---        up     22:10:32.032  Established   `; `None` for other protocols than BGP.
    fn begin(line: &'a str) -> Option<Self> {
        let mut rest = line;
        let mut word = || {
            let text = rest.trim_start();
            let end = text.find(' ').unwrap_or(text.len());
            let (word, after) = text.split_at(end);
            rest = after;
            word
        };
        let name = word();
        if word() != "BGP" {
            return None;
        }
        let _table = word();
        let state = word();
        let mut since = word().to_owned();
        let next = rest.trim_start();
        let end = next.find(' ').unwrap_or(next.len());
        let is_date = NaiveDate::parse_from_str(&since, "%Y-%m-%d").is_ok();
        let mut info = rest.trim();
        if is_date && NaiveTime::parse_from_str(&next[..end], "%H:%M:%S%.f").is_ok() {
            since = format!("{since} {}", &next[..end]);
            info = next[end..].trim();
        }
        Some(Self { name, state, since, info, ..Self::default() })
    }

    fn line(&mut self, line: &'a str) {
        let text = line.trim();
        if let Some(channel) = text.strip_prefix("Channel ").filter(|_| line.starts_with("  C")) {
            self.channels.push((channel, None));
            return;
        }
        let Some((key, value)) = text.split_once(':') else { return };
        let value = value.trim();
        if let Some(channel) = self.channels.last_mut() {
            if key == "Routes" {
                channel.1 = Some(value);
            }
            return;
        }
        let field = match key {
            "VRF" => &mut self.vrf,
            "Description" => &mut self.description,
            "Message" => &mut self.message,
            "BGP state" => &mut self.bgp_state,
            "Neighbor address" => &mut self.address,
            "Neighbor AS" => &mut self.remote_as,
            "Local AS" => &mut self.local_as,
            "Neighbor ID" => &mut self.remote_id,
            "Source address" => &mut self.source,
            "Last error" => &mut self.last_error,
            "Neighbor range" => {
                self.range = true;
                return;
            }
            _ => return,
        };
        field.get_or_insert(value);
    }

    /// `None` for what stands for a range of neighbours: those that are there have a block of their own.
    fn neighbor(self, now: NaiveDateTime) -> Result<Option<Neighbor>, String> {
        let Some(address) = self.address else {
            return if self.range { Ok(None) } else { Err("it has no neighbour's address".into()) };
        };
        // A link-local address has its interface after a percent sign.
        let address = address.split('%').next().unwrap_or(address);
        let address: IpAddr = address.parse().map_err(|_| format!("address {address:?}"))?;
        let name = self.bgp_state.ok_or("it has no BGP state")?;
        let state = match name {
            "Down" | "Close" => State::Idle,
            "Passive" => State::Active,
            name => State::from_name(name).ok_or_else(|| format!("state {name:?}"))?,
        };
        let up = state == State::Established;
        let number = |text: Option<&str>| text.and_then(|text| text.parse().ok());
        Ok(Some(Neighbor {
            remote_as: number(self.remote_as),
            local_as: number(self.local_as),
            local_address: self.source.and_then(|text| text.split('%').next()?.parse().ok()),
            remote_id: self.remote_id.and_then(|text| text.parse().ok()),
            description: self.description.map(ArcStr::from),
            enabled: !(self.state == "down" && self.info.is_empty() && name == "Down"),
            age: seconds_since(&self.since, now).filter(|_| up).map(limited),
            prefixes: self.channels.iter().filter_map(|(name, routes)| channel(name, *routes)).collect(),
            over_limit: self.state == "down" && self.info.contains("Route limit exceeded"),
            last_error: self.last_error().map(ArcStr::from),
            ..Neighbor::new(self.vrf.unwrap_or("default"), address, state)
        }))
    }

    /// BIRD keeps the message of a shutdown after it came up again and failed for another reason.
    fn last_error(&self) -> Option<String> {
        let error = self.last_error.or(Some(self.info).filter(|info| info.contains(": ")))?;
        let message = self.message.filter(|_| error.starts_with("Received: Administrative"));
        Some(message.map_or_else(|| error.to_owned(), |message| format!("{error}: {message}")))
    }
}

/// `18 imported, 2 filtered, 1 exported, 18 preferred`; what was filtered is only counted with `import keep filtered`.
fn channel(name: &str, routes: Option<&str>) -> Option<(Family, Prefixes)> {
    let family = match name {
        "ipv4" => Family::Ipv4,
        "ipv6" => Family::Ipv6,
        _ => return None,
    };
    let count = |wanted: &str| {
        routes?.split(',').find_map(|part| {
            let (number, what) = part.trim().split_once(' ')?;
            if what == wanted { number.parse::<u64>().ok() } else { None }
        })
    };
    let accepted = count("imported");
    let received =
        accepted.zip(count("filtered")).map(|(accepted, filtered)| accepted.saturating_add(filtered));
    Some((family, Prefixes { received, accepted, advertised: count("exported") }))
}

#[cfg(test)]
mod tests {
    use super::{date_time, neighbors, seconds_since};

    #[test]
    fn times_in_every_format() {
        let now = date_time("2026-11-23 22:12:09.933").unwrap();
        assert_eq!(seconds_since("22:10:31.533", now), Some(98));
        assert_eq!(seconds_since("22:12:10", now), Some(86_399));
        assert_eq!(seconds_since("2026-11-22 22:12:09", now), Some(86_400));
        assert_eq!(seconds_since("2026-11-22", now), None);
        assert_eq!(seconds_since("2026-11-24 00:00:00", now), None);
    }

    #[test]
    fn a_long_date_does_not_shift_the_columns() {
        let text = "Name Proto\na BGP --- up 2026-11-22 22:12:09.000 Established\n  BGP state: Established\n    Neighbor address: fe80::1%eth0\n";
        let all = neighbors("Current server time is 2026-11-23 22:12:09.933\n", text).unwrap();
        assert_eq!(all.neighbors[0].uptime(), Some(86_400));
        assert_eq!(all.neighbors[0].address.to_string(), "fe80::1");
    }
}
