//! Route objects: few networks have many, many have few; a third is registered twice.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rand::Rng;
use rand::seq::IndexedRandom;

use super::{ARIN, Draft, NTTCOM, RADB, maintainer, pick};

/// The AS with more routes than anybody.
pub(super) const BIG: u32 = 399_999;

/// Where the next networks get their addresses.
struct Space {
    v4: u32,
    v6: u128,
}

const FIRST_V4: u32 = 20 << 24;
const LAST_V4: u32 = 209 << 24;
const FIRST_V6: u128 = 0x2a00 << 112;

impl Draft {
    pub(super) fn all_routes(&mut self) {
        let mut space = Space { v4: FIRST_V4, v6: FIRST_V6 };
        let pool = self.pool.clone();
        let weights: Vec<f64> = pool.iter().map(|_| self.heavy_tailed(1.05).min(400.0)).collect();
        let total: f64 = weights.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "a count of thousands")]
        let routes = self.sized(89_600) as f64;
        for (asn, weight) in pool.iter().zip(weights) {
            if self.chance(6) {
                continue;
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of thousands"
            )]
            let count = ((routes * weight / total).round() as usize).max(1);
            let v6 = if count < 500 { (0..count).filter(|_| self.chance(25)).count() } else { count / 4 };
            self.routes_of(&mut space, *asn, count - v6, v6);
        }
        for asn in self.asns.clone() {
            if pool.binary_search(&asn).is_err() && self.chance(92) {
                let v6 = usize::from(self.chance(30));
                self.routes_of(&mut space, asn, 1, v6);
            }
        }
        self.big();
    }

    fn routes_of(&mut self, space: &mut Space, asn: u32, v4: usize, v6: usize) {
        let mut prefixes: Vec<IpNet> = self.v4(space, v4).into_iter().map(IpNet::V4).collect();
        prefixes.extend(self.v6(space, v6).into_iter().map(IpNet::V6));
        let home = self.homes[&asn];
        for prefix in prefixes {
            self.route(home, prefix, asn);
            match self.rng.random_range(0..100) {
                0..28 => self.route(RADB, prefix, asn),
                28..31 => self.route(NTTCOM, prefix, asn),
                31..34 => {
                    let other = self.pool.choose(&mut self.rng).copied().unwrap_or(asn);
                    if other != asn {
                        self.route(RADB, prefix, other);
                    }
                }
                _ => {}
            }
        }
    }

    fn route(&mut self, source: usize, prefix: IpNet, asn: u32) {
        let class = if matches!(prefix, IpNet::V4(_)) { "route: " } else { "route6:" };
        let lines = [
            format!("{class}         {prefix}"),
            "descr:          invented".to_owned(),
            format!("origin:         AS{asn}"),
            format!("mnt-by:         {}", maintainer(asn)),
        ];
        self.object(source, &lines);
    }

    /// A block, and prefixes inside it.
    fn v4(&mut self, space: &mut Space, count: usize) -> BTreeSet<Ipv4Net> {
        let mut prefixes = BTreeSet::new();
        if count == 0 {
            return prefixes;
        }
        let bits = u8::try_from((count - 1).checked_ilog2().map_or(0, |log| log + 1)).unwrap_or(16).min(16);
        let wider = u8::from(self.chance(50));
        let block = (24 - bits - wider).max(8);
        let size = 1_u32 << (32 - block);
        if space.v4 > LAST_V4 {
            space.v4 = FIRST_V4;
        }
        space.v4 = space.v4.div_ceil(size) * size;
        let lengths = [(24, 70), (23, 10), (22, 8), (21, 4), (20, 3), (25, 3), (28, 1), (32, 1)];
        let mut add =
            |at: u32, length: u8| prefixes.extend(Ipv4Net::new(Ipv4Addr::from_bits(at), length).ok());
        add(space.v4, block);
        // Draws that hit the same prefix twice make it a little less.
        for _ in 1..count + count / 8 {
            let length = u8::try_from(pick(&mut self.rng, &lengths)).unwrap_or(24).max(block);
            let nth: u32 = self.rng.random_range(0..1 << (length - block));
            add(space.v4 + (nth << (32 - length)), length);
        }
        space.v4 += size;
        while prefixes.len() > count {
            prefixes.pop_last();
        }
        prefixes
    }

    /// A /32, and prefixes inside it.
    fn v6(&mut self, space: &mut Space, count: usize) -> BTreeSet<Ipv6Net> {
        let mut prefixes = BTreeSet::new();
        if count == 0 {
            return prefixes;
        }
        let lengths = [(48, 60), (40, 10), (44, 10), (36, 10), (33, 5), (56, 3), (64, 2)];
        let mut add =
            |at: u128, length: u8| prefixes.extend(Ipv6Net::new(Ipv6Addr::from_bits(at), length).ok());
        add(space.v6, 32);
        for _ in 1..count {
            let length = u8::try_from(pick(&mut self.rng, &lengths)).unwrap_or(48);
            let nth = u128::from(self.rng.random_range(0..1_u32 << (length - 32).min(10)));
            // Close together, or spread over the block.
            let spread = if self.rng.random() { (length - 32).saturating_sub(10) } else { 0 };
            add(space.v6 + ((nth << spread) << (128 - length)), length);
        }
        space.v6 += 1 << 96;
        prefixes
    }

    /// One AS with 100,000 routes at scale 1: /24s with gaps, some covered by /22s and /20s.
    fn big(&mut self) {
        let most = self.sized(100_000).min(100_000);
        let mut count = 0;
        for nth in 0.. {
            let address = Ipv4Addr::from_bits((210 << 24) + nth * 256);
            for (length, wanted) in [(24, nth % 7 != 3), (22, nth % 4 == 0), (20, nth % 16 == 0)] {
                if let Ok(prefix) = Ipv4Net::new(address, length)
                    && wanted
                    && count < most
                {
                    self.route(ARIN, prefix.into(), BIG);
                    count += 1;
                }
            }
            if count >= most {
                break;
            }
        }
        let lines = [
            format!("aut-num:        AS{BIG}"),
            "as-name:        BIG".to_owned(),
            "mnt-by:         MNT-BIG".to_owned(),
        ];
        self.object(ARIN, &lines);
    }
}
