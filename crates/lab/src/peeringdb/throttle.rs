//! PeeringDB's documented limits per client address: 20 requests a minute without a key, 40 with one.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::world::Caller;

const WINDOW: Duration = Duration::from_mins(1);

/// The times of the last minute's accepted requests. A refused request does not count.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    accepted: HashMap<(IpAddr, bool), VecDeque<Instant>>,
}

impl Throttle {
    /// Accepts a request, or says how many seconds to wait.
    pub(crate) fn admit(&mut self, client: IpAddr, caller: Caller, now: Instant) -> Result<(), u64> {
        let limit = match caller {
            Caller::Anonymous => 20,
            Caller::Keyed => 40,
        };
        let times = self.accepted.entry((client, caller == Caller::Keyed)).or_default();
        while times.front().is_some_and(|time| now.duration_since(*time) >= WINDOW) {
            times.pop_front();
        }
        match times.front() {
            Some(oldest) if times.len() >= limit => {
                let wait = WINDOW.saturating_sub(now.duration_since(*oldest));
                Err(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
            }
            _ => {
                times.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_place_is_free_again_after_a_minute() {
        let mut throttle = Throttle::default();
        let client = IpAddr::from(Ipv4Addr::LOCALHOST);
        let start = Instant::now();
        for second in 0..20 {
            assert_eq!(
                throttle.admit(client, Caller::Anonymous, start + Duration::from_secs(second)),
                Ok(())
            );
        }
        let late = start + Duration::from_millis(20_500);
        assert_eq!(throttle.admit(client, Caller::Anonymous, late), Err(40));
        assert_eq!(throttle.admit(client, Caller::Keyed, late), Ok(()));
        assert_eq!(throttle.admit(client, Caller::Anonymous, start + WINDOW), Ok(()));
        assert_eq!(throttle.admit(client, Caller::Anonymous, start + WINDOW), Err(1));
    }
}
