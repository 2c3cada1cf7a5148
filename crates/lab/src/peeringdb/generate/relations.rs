//! Rows of the objects that tie others together, and of LANs, prefixes and contacts.

use rand::Rng;
use serde_json::{Value, json};

use super::super::fields::{Fields, fields};
use super::Draft;
use super::words;

impl Draft<'_> {
    pub(super) fn carrierfac(&mut self, index: usize) -> Fields {
        let plan = self.plan;
        let (id, carrier, fac) = plan.carrierfacs[index];
        let (created, updated) = self.times();
        fields! {
            "id": id,
            "name": plan.facs[fac].named.name,
            "carrier_id": plan.carriers[carrier].id,
            "fac_id": plan.facs[fac].named.id,
            "created": created,
            "updated": updated,
            "status": "ok",
        }
    }

    pub(super) fn ixfac(&mut self, index: usize) -> Fields {
        let plan = self.plan;
        let (id, ix, fac) = plan.ixfacs[index];
        let fac = &plan.facs[fac].named;
        let (created, updated) = self.times();
        fields! {
            "id": id,
            "name": fac.name,
            "city": fac.place.city,
            "country": fac.place.country,
            "ix_id": plan.ixes[ix].named.id,
            "fac_id": fac.id,
            "created": created,
            "updated": updated,
            "status": "ok",
        }
    }

    pub(super) fn ixlan(&mut self, index: usize) -> Fields {
        let plan = self.plan;
        let ix = &plan.ixes[index];
        let (created, updated) = self.times();
        let rng = &mut self.rng;
        let visible = words::weighted(rng, &[("Private", 90), ("Public", 6), ("Users", 4)]);
        let url = if visible == "Private" && rng.random_ratio(9, 10) {
            String::new()
        } else {
            format!("https://portal.{}.example/api/v4/member-export/ixf", words::host(&ix.named.name))
        };
        fields! {
            "id": ix.named.id,
            "ix_id": ix.named.id,
            "name": ix.lan,
            "descr": "",
            "mtu": words::weighted(&mut self.rng, &[(1500, 9), (9000, 1)]),
            "dot1q_support": false,
            "rs_asn": 0,
            "arp_sponge": Value::Null,
            "ixf_ixp_member_list_url": url,
            "ixf_ixp_member_list_url_visible": visible,
            "ixf_ixp_import_enabled": self.chance(24),
            "created": created,
            "updated": updated,
            "status": "ok",
        }
    }

    /// Two rows per exchange, the IPv4 and the IPv6 prefix.
    pub(super) fn ixpfx(&mut self, index: usize) -> Fields {
        let ix = &self.plan.ixes[index / 2];
        let (protocol, prefix) = if index.is_multiple_of(2) {
            ("IPv4", format!("{}/{}", ix.v4.0, ix.v4.1))
        } else {
            ("IPv6", format!("{}/64", ix.v6))
        };
        let (created, updated) = self.times();
        fields! {
            "id": index + 1,
            "ixlan_id": ix.named.id,
            "protocol": protocol,
            "prefix": prefix,
            "in_dfz": self.chance(97),
            "created": created,
            "updated": updated,
            "status": "ok",
        }
    }

    pub(super) fn netfac(&mut self, index: usize) -> Fields {
        let plan = self.plan;
        let (id, net, fac) = plan.netfacs[index];
        let fac = &plan.facs[fac].named;
        let (created, updated) = self.times();
        fields! {
            "id": id,
            "name": fac.name,
            "city": fac.place.city,
            "country": fac.place.country,
            "net_id": plan.nets[net].named.id,
            "fac_id": fac.id,
            "local_asn": plan.nets[net].asn,
            "created": created,
            "updated": updated,
            "status": "ok",
        }
    }

    pub(super) fn netixlan(&mut self, index: usize) -> Fields {
        let plan = self.plan;
        let connection = &plan.connections[index];
        let (net, ix) = (&plan.nets[connection.net], &plan.ixes[connection.ix]);
        let (created, updated) = self.times();
        let single_stack = self.rng.random_range(0..100);
        let ipaddr4 = if single_stack == 0 { Value::Null } else { json!(connection.v4.to_string()) };
        let ipaddr6 =
            if (1..9).contains(&single_stack) { Value::Null } else { json!(connection.v6.to_string()) };
        let mut side = |percent| {
            let fac = self.rng.random_range(0..plan.facs.len());
            self.chance(percent).then(|| plan.facs[fac].named.id)
        };
        let (net_side_id, ix_side_id) = (side(5), side(9));
        fields! {
            "id": connection.id,
            "net_id": net.named.id,
            "ix_id": ix.named.id,
            "name": if ix.lan.is_empty() { ix.named.name.clone() } else { format!("{}: {}", ix.named.name, ix.lan) },
            "ixlan_id": ix.named.id,
            "notes": self.sometimes(4, |rng| words::weighted(rng, &[("64", 5), ("/64", 1), ("Main port", 3)]).to_owned()),
            "speed": words::weighted(&mut self.rng, SPEEDS),
            "asn": net.asn,
            "ipaddr4": ipaddr4,
            "ipaddr6": ipaddr6,
            "is_rs_peer": self.chance(60),
            "bfd_support": self.chance(4),
            "operational": self.chance(99),
            "net_side_id": net_side_id,
            "ix_side_id": ix_side_id,
            "created": created,
            "updated": updated,
            "status": "ok",
        }
    }

    pub(super) fn poc(&mut self, index: usize) -> Fields {
        let plan = self.plan;
        let (id, net) = plan.pocs[index];
        let net = &plan.nets[net];
        let host = words::host(&net.named.name);
        let role = words::weighted(&mut self.rng, ROLES);
        let name = self.sometimes(92, |rng| match rng.random_range(0..3) {
            0 => format!("{} {}", words::one(rng, words::FIRST_NAMES), words::stem(rng)),
            1 => format!("{role} Team"),
            _ => format!("AS{} {role}", net.asn),
        });
        let (created, updated) = self.times();
        fields! {
            "id": id,
            "net_id": net.named.id,
            "role": role,
            "visible": words::weighted(&mut self.rng, &[("Public", 62), ("Users", 35), ("Private", 3)]),
            "name": name,
            "phone": self.phone(45),
            "email": self.sometimes(96, |rng| format!("{}@{host}.example", words::one(rng, MAILBOXES))),
            "url": self.sometimes(6, |_| format!("https://www.{host}.example/contact")),
            "created": created,
            "updated": updated,
            "status": "ok",
        }
    }
}

/// Port speeds in Mbit/s.
const SPEEDS: &[(u32, u32)] = &[
    (10_000, 400),
    (100_000, 250),
    (1_000, 180),
    (20_000, 50),
    (200_000, 35),
    (40_000, 20),
    (400_000, 25),
    (30_000, 12),
    (100, 10),
    (2_000, 8),
    (300_000, 6),
    (0, 4),
    (50_000, 3),
    (800_000, 2),
];
const ROLES: &[(&str, u32)] = &[
    ("NOC", 30),
    ("Technical", 25),
    ("Policy", 20),
    ("Abuse", 12),
    ("Maintenance", 6),
    ("Sales", 4),
    ("Public Relations", 2),
];
const MAILBOXES: &[&str] = &["noc", "peering", "abuse", "as-admin", "info", "hostmaster", "network+peering"];
