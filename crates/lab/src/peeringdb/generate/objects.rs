//! Rows of the objects that stand for themselves: organisations, campuses, facilities, carriers, networks, exchanges.

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::super::fields::{Fields, fields};
use super::Draft;
use super::words::{self, Place};

/// The street part of an address.
struct Address {
    street: String,
    second: String,
    zipcode: String,
    floor: &'static str,
    suite: String,
    latitude: Value,
    longitude: Value,
}

impl Draft<'_> {
    fn address(&mut self, place: Place, located: u32) -> Address {
        let located = self.chance(located);
        let mut degrees = |around: f64| {
            let exact = ((around + self.rng.random_range(-0.2..0.2)) * 1e6).round() / 1e6;
            if located { json!(exact) } else { Value::Null }
        };
        let (latitude, longitude) = (degrees(place.latitude), degrees(place.longitude));
        Address {
            street: format!("{} {}. Street", self.rng.random_range(1..400), words::stem(&mut self.rng)),
            second: self.sometimes(25, |rng| format!("Building {}", rng.random_range(1..9))),
            zipcode: self.sometimes(93, |rng| rng.random_range(10_000..99_999).to_string()),
            floor: words::weighted(&mut self.rng, &[("", 30), ("3", 1), ("2nd Floor", 1)]),
            suite: self.sometimes(5, |rng| format!("Suite {}", rng.random_range(100..900))),
            latitude,
            longitude,
        }
    }

    pub(super) fn org(&mut self, index: usize) -> Fields {
        let plan = self.plan;
        let named = &plan.orgs[index];
        let host = words::host(&named.name);
        let website = self.website(45, &host);
        let (created, updated) = self.times();
        let social_media = self.social_media(&website, &host);
        let a = self.address(named.place, 40);
        // Most organisations state no address at all.
        let told = self.chance(45);
        let if_told = |text: &str| if told { json!(text) } else { json!("") };
        fields! {
            "id": named.id,
            "name": named.name,
            "aka": self.sometimes(11, words::stem),
            "name_long": self.sometimes(6, |_| format!("{} and Partners", named.name)),
            "website": website,
            "social_media": social_media,
            "notes": self.notes(6, 0),
            "logo": self.logo(12, "organization", named.id),
            "address1": if_told(&a.street),
            "address2": if_told(&a.second),
            "city": if_told(named.place.city),
            "country": if_told(named.place.country),
            "state": if_told(named.place.state),
            "zipcode": if_told(&a.zipcode),
            "floor": if_told(a.floor),
            "suite": if_told(&a.suite),
            "latitude": if told { a.latitude } else { Value::Null },
            "longitude": if told { a.longitude } else { Value::Null },
            "created": created,
            "updated": updated,
            "status": "ok",
        }
    }

    pub(super) fn campus(&mut self, index: usize) -> Fields {
        let plan = self.plan;
        let named = &plan.campuses[index];
        let host = words::host(&named.name);
        let website = self.website(100, &host);
        let (created, updated) = self.times();
        fields! {
            "id": named.id,
            "org_id": plan.orgs[named.org].id,
            "org_name": plan.orgs[named.org].name,
            "status": "ok",
            "created": created,
            "updated": updated,
            "name": named.name,
            "name_long": self.sometimes_null(5, |_| format!("{} Data Centre Park", named.name)),
            "notes": self.notes(8, 0),
            "aka": self.sometimes_null(12, words::stem),
            "website": website,
            "social_media": self.social_media(&website, &host),
            "country": named.place.country,
            "city": named.place.city,
            "zipcode": self.sometimes(94, |rng| rng.random_range(10_000..99_999).to_string()),
            "state": named.place.state,
            "logo": Value::Null,
        }
    }

    pub(super) fn fac(&mut self, index: usize) -> Fields {
        let (plan, counts) = (self.plan, self.counts);
        let fac = &plan.facs[index];
        let named = &fac.named;
        let host = words::host(&named.name);
        let website = self.website(94, &host);
        let (created, updated) = self.times();
        let a = self.address(named.place, 94);
        fields! {
            "id": named.id,
            "org_id": plan.orgs[named.org].id,
            "org_name": plan.orgs[named.org].name,
            "campus_id": fac.campus.map(|campus| plan.campuses[campus].id),
            "name": named.name,
            "aka": self.sometimes(13, words::stem),
            "name_long": self.sometimes(2, |_| format!("{} Data Centre", named.name)),
            "website": website,
            "social_media": self.social_media(&website, &host),
            "clli": self.sometimes(30, |rng| format!("{:08X}", rng.random::<u32>())),
            "rencode": "",
            "npanxx": self.sometimes(22, |rng| format!("{}-{}", rng.random_range(200..999), rng.random_range(200..999))),
            "notes": self.notes(19, 0),
            "net_count": counts.fac_nets[index],
            "ix_count": counts.fac_ixes[index],
            "carrier_count": counts.fac_carriers[index],
            "sales_email": self.sometimes(17, |_| format!("sales@{host}.example")),
            "sales_phone": self.phone(15),
            "tech_email": self.sometimes(15, |_| format!("support@{host}.example")),
            "tech_phone": self.phone(13),
            "available_voltage_services": self.voltages(),
            "diverse_serving_substations": words::weighted(&mut self.rng, &[(None, 49), (Some(true), 2), (Some(false), 1)]),
            "property": words::weighted(&mut self.rng, &[(None, 64), (Some(""), 30), (Some("Owner"), 6), (Some("Lessee"), 1)]),
            "region_continent": if self.rng.random_ratio(1, 250) { Value::Null } else { json!(named.place.region) },
            "status_dashboard": self.sometimes_null(2, |_| format!("https://status.{host}.example/")),
            "logo": self.logo(1, "facility", named.id),
            "created": created,
            "updated": updated,
            "status": "ok",
            "address1": a.street,
            "address2": a.second,
            "city": named.place.city,
            "country": named.place.country,
            "state": named.place.state,
            "zipcode": a.zipcode,
            "floor": a.floor,
            "suite": a.suite,
            "latitude": a.latitude,
            "longitude": a.longitude,
        }
    }

    fn voltages(&mut self) -> Vec<&'static str> {
        let all = ["48 VDC", "120 VAC", "208 VAC", "240 VAC", "400 VAC", "480 VAC"];
        if self.chance(95) { Vec::new() } else { all.into_iter().filter(|_| self.chance(40)).collect() }
    }

    pub(super) fn carrier(&mut self, index: usize) -> Fields {
        let plan = self.plan;
        let named = &plan.carriers[index];
        let host = words::host(&named.name);
        let website = self.website(99, &host);
        let (created, updated) = self.times();
        fields! {
            "id": named.id,
            "org_id": plan.orgs[named.org].id,
            "org_name": plan.orgs[named.org].name,
            "name": named.name,
            "aka": self.sometimes(24, words::stem),
            "name_long": self.sometimes(13, |_| format!("{} International Carrier Services", named.name)),
            "website": website,
            "social_media": self.social_media(&website, &host),
            "notes": self.notes(17, 0),
            "fac_count": self.counts.carrier_facs[index],
            "logo": self.logo(2, "carrier", named.id),
            "created": created,
            "updated": updated,
            "status": "ok",
        }
    }

    pub(super) fn net(&mut self, index: usize) -> Fields {
        let (plan, counts) = (self.plan, self.counts);
        let net = &plan.nets[index];
        let (named, asn) = (&net.named, net.asn);
        let host = words::host(&named.name);
        let website = self.website(95, &host);
        let (created, updated) = self.times();
        let kind = words::weighted(&mut self.rng, NET_TYPES);
        let rng = &mut self.rng;
        let (traffic, ratio, scope) =
            (words::weighted(rng, TRAFFIC), words::weighted(rng, RATIOS), words::weighted(rng, SCOPES));
        let (policy, places, contracts) = (
            words::weighted(rng, POLICIES),
            words::weighted(rng, LOCATIONS),
            words::weighted(rng, CONTRACTS),
        );
        fields! {
            "id": named.id,
            "org_id": plan.orgs[named.org].id,
            "name": named.name,
            "aka": self.sometimes(60, |rng| format!("{} / {}", words::stem(rng), words::stem(rng))),
            "name_long": self.sometimes(5, |_| format!("{} (Autonomous System {asn})", named.name)),
            "website": website,
            "social_media": self.social_media(&website, &host),
            "asn": asn,
            "looking_glass": self.sometimes(23, |_| format!("https://lg.{host}.example/")),
            "route_server": self.sometimes(4, |_| format!("telnet://route-server.{host}.example")),
            "irr_as_set": as_set(&mut self.rng, asn, &host),
            "info_type": kind,
            "info_types": self.types(kind),
            "info_prefixes4": self.prefixes(4, 30),
            "info_prefixes6": self.prefixes(1, 150),
            "info_traffic": traffic,
            "info_ratio": ratio,
            "info_scope": scope,
            "info_unicast": self.chance(96),
            "info_multicast": self.chance(10),
            "info_ipv6": self.chance(78),
            "info_never_via_route_servers": self.chance(5),
            "ix_count": counts.net_ixes[index],
            "fac_count": counts.net_facs[index],
            "notes": self.notes(38, asn),
            "netixlan_updated": self.past_if(counts.net_ixes[index] > 0),
            "netfac_updated": self.past_if(counts.net_facs[index] > 0),
            "poc_updated": self.past_if(counts.net_pocs[index] > 0),
            "policy_url": self.sometimes(24, |_| format!("https://www.{host}.example/peering-policy")),
            "policy_general": policy,
            "policy_locations": places,
            "policy_ratio": self.chance(9),
            "policy_contracts": contracts,
            "allow_ixp_update": self.chance(2),
            "status_dashboard": self.sometimes_null(2, |_| format!("https://status.{host}.example/")),
            "rir_status": words::weighted(&mut self.rng, &[(Some("ok"), 499), (None, 1)]),
            "rir_status_updated": self.past_if(true),
            "logo": self.logo(2, "network", named.id),
            "created": created,
            "updated": updated,
            "status": "ok",
        }
    }

    /// The list that goes with the old single type, at times with a second one.
    fn types(&mut self, kind: &'static str) -> Vec<&'static str> {
        let mut types: Vec<_> = if kind.is_empty() || kind == "Not Disclosed" { vec![] } else { vec![kind] };
        if !types.is_empty() && kind != "Network Services" && self.chance(2) {
            types.push("Network Services");
        }
        types
    }

    /// A maximum prefix number: null for a few, often round, 0 for those who never thought of it.
    fn prefixes(&mut self, smallest: u32, null_in: u32) -> Option<u32> {
        if self.rng.random_ratio(1, null_in) {
            return None;
        }
        let magnitude = 10_u32.pow(self.rng.random_range(0..5));
        Some(if self.chance(12) { 0 } else { smallest * self.rng.random_range(1..20) * magnitude })
    }

    pub(super) fn ix(&mut self, index: usize) -> Fields {
        let (plan, counts) = (self.plan, self.counts);
        let named = &plan.ixes[index].named;
        let host = words::host(&named.name);
        let website = self.website(99, &host);
        let (created, updated) = self.times();
        let imported = self.chance(28);
        let requested = self.chance(15);
        fields! {
            "id": named.id,
            "org_id": plan.orgs[named.org].id,
            "name": named.name,
            "aka": self.sometimes(23, words::stem),
            "name_long": self.sometimes(91, |_| format!("{} Internet Exchange", named.name)),
            "city": named.place.city,
            "country": named.place.country,
            "region_continent": named.place.region,
            "media": "Ethernet",
            "notes": self.notes(28, 0),
            "proto_unicast": self.chance(99),
            "proto_multicast": self.chance(15),
            "proto_ipv6": self.chance(90),
            "website": website,
            "social_media": self.social_media(&website, &host),
            "url_stats": self.sometimes(65, |_| format!("https://www.{host}.example/statistics")),
            "tech_email": self.sometimes(99, |_| format!("noc@{host}.example")),
            "tech_phone": self.phone(74),
            "policy_email": self.sometimes(90, |_| format!("peering@{host}.example")),
            "policy_phone": self.phone(62),
            "sales_phone": self.phone(7),
            "sales_email": self.sometimes(19, |_| format!("sales@{host}.example")),
            "net_count": counts.ix_nets[index],
            "fac_count": counts.ix_facs[index],
            "ixf_net_count": if imported { counts.ix_nets[index] } else { 0 },
            "ixf_last_import": self.past_if(imported),
            "ixf_import_request": self.past_if(requested),
            "ixf_import_request_status": if requested { words::weighted(&mut self.rng, &[("finished", 18), ("error", 1)]) } else { "queued" },
            "service_level": words::weighted(&mut self.rng, &[("Not Disclosed", 36), ("24/7 Support", 10), ("Normal Business Hours", 2), ("Best Effort (no SLA)", 2), ("", 1)]),
            "terms": words::weighted(&mut self.rng, &[("Not Disclosed", 39), ("Recurring Fees", 9), ("No Commercial Terms", 2), ("Non-recurring Fees Only", 1), ("Bundled With Other Services", 1), ("", 1)]),
            "status_dashboard": self.sometimes_null(7, |_| format!("https://status.{host}.example/")),
            "logo": self.logo(7, "internetexchange", named.id),
            "created": created,
            "updated": updated,
            "status": "ok",
        }
    }
}

/// An AS-SET field as people fill it in: one set, several, with a registry, hierarchical, an AS number, nothing.
fn as_set(rng: &mut StdRng, asn: u64, host: &str) -> String {
    let name: String = host.chars().take(10).collect::<String>().to_ascii_uppercase();
    match rng.random_range(0..100) {
        0..22 => String::new(),
        22..60 => format!("AS-{name}"),
        60..72 => format!("AS{asn}:AS-{name}"),
        72..80 => format!("RIPE::AS-{name}"),
        80..84 => format!("RADB::AS{asn}:AS-CUSTOMERS"),
        84..88 => format!("AS-{name} AS-{name}-V6"),
        88..90 => format!("AS-{name}, AS{asn}:AS-ALL"),
        90..92 => format!("RIPE::AS-{name} ARIN::AS-{name}"),
        92..95 => format!("AS{asn}"),
        95..97 => format!("as-{}", name.to_ascii_lowercase()),
        97..98 => format!("AS-{name}@RIPE"),
        98..99 => format!("RIPE::AS{asn}:AS-{name}:AS-DOWNSTREAM"),
        _ => format!("https://www.{host}.example/irr AS-{name}"),
    }
}

const NET_TYPES: &[(&str, u32)] = &[
    ("Cable/DSL/ISP", 400),
    ("NSP", 220),
    ("Content", 140),
    ("Enterprise", 70),
    ("Educational/Research", 60),
    ("", 40),
    ("Non-Profit", 25),
    ("Network Services", 25),
    ("Not Disclosed", 10),
    ("Government", 8),
    ("Route Server", 6),
    ("Route Collector", 3),
];
const TRAFFIC: &[(&str, u32)] = &[
    ("", 27),
    ("0-20Mbps", 4),
    ("20-100Mbps", 4),
    ("100-1000Mbps", 12),
    ("1-5Gbps", 13),
    ("5-10Gbps", 8),
    ("10-20Gbps", 6),
    ("20-50Gbps", 6),
    ("50-100Gbps", 4),
    ("100-200Gbps", 3),
    ("200-300Gbps", 2),
    ("300-500Gbps", 2),
    ("500-1000Gbps", 2),
    ("1-5Tbps", 3),
    ("5-10Tbps", 1),
    ("10-20Tbps", 1),
    ("20-50Tbps", 1),
    ("50-100Tbps", 1),
    ("100+Tbps", 1),
];
const RATIOS: &[(&str, u32)] = &[
    ("Balanced", 39),
    ("Mostly Inbound", 27),
    ("Mostly Outbound", 18),
    ("Heavy Outbound", 8),
    ("", 5),
    ("Heavy Inbound", 4),
    ("Not Disclosed", 6),
];
const SCOPES: &[(&str, u32)] = &[
    ("Regional", 32),
    ("Europe", 24),
    ("Global", 20),
    ("North America", 12),
    ("Asia Pacific", 6),
    ("South America", 6),
    ("", 3),
    ("Not Disclosed", 4),
    ("Australia", 2),
    ("Africa", 3),
    ("Middle East", 2),
];
const POLICIES: &[(&str, u32)] = &[("Open", 80), ("Selective", 15), ("Restrictive", 3), ("No", 2), ("", 1)];
const LOCATIONS: &[(&str, u32)] = &[
    ("Not Required", 70),
    ("Preferred", 22),
    ("Required - International", 3),
    ("Required - US", 2),
    ("Required - EU", 1),
    ("", 1),
];
const CONTRACTS: &[(&str, u32)] = &[("Not Required", 85), ("Private Only", 6), ("Required", 6), ("", 3)];
