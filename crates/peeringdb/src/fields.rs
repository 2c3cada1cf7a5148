//! The fields of each namespace, in the order in which the API sends them.
//!
//! The lists follow what the API really answers, which is more than what its pages describe. Fields that the
//! pages name and the answers mostly leave out are optional.

use crate::types::Kind::{self, Boolean, Float, Integer, Ipv4, Ipv6, Json, Mac, Prefix, Text, Time};

/// One key of a record besides `id`, `status`, `created` and `updated`, which all namespaces share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The JSON key.
    pub name: &'static str,
    /// What the API sends under it, if not null.
    pub kind: Kind,
    /// The API may leave the key out.
    pub optional: bool,
}

const fn sent(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, optional: false }
}

const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, optional: true }
}

/// Organisations: "list org" at <https://www.peeringdb.com/apidocs/>.
pub(crate) static ORG: [Field; 18] = [
    sent("name", Text),
    sent("aka", Text),
    sent("name_long", Text),
    sent("website", Text),
    sent("social_media", Json),
    sent("notes", Text),
    sent("logo", Text),
    optional("require_2fa", Boolean),
    sent("address1", Text),
    sent("address2", Text),
    sent("city", Text),
    sent("country", Text),
    sent("state", Text),
    sent("zipcode", Text),
    sent("floor", Text),
    sent("suite", Text),
    sent("latitude", Float),
    sent("longitude", Float),
];

/// Campuses: "list campus" at <https://www.peeringdb.com/apidocs/>.
pub(crate) static CAMPUS: [Field; 13] = [
    sent("org_id", Integer),
    sent("org_name", Text),
    sent("name", Text),
    sent("name_long", Text),
    sent("notes", Text),
    sent("aka", Text),
    sent("website", Text),
    sent("social_media", Json),
    sent("country", Text),
    sent("city", Text),
    sent("zipcode", Text),
    sent("state", Text),
    sent("logo", Text),
];

/// Facilities: "list fac" at <https://www.peeringdb.com/apidocs/>.
pub(crate) static FAC: [Field; 35] = [
    sent("org_id", Integer),
    sent("org_name", Text),
    sent("campus_id", Integer),
    sent("name", Text),
    sent("aka", Text),
    sent("name_long", Text),
    sent("website", Text),
    sent("social_media", Json),
    sent("clli", Text),
    sent("rencode", Text),
    sent("npanxx", Text),
    sent("notes", Text),
    sent("net_count", Integer),
    sent("ix_count", Integer),
    sent("carrier_count", Integer),
    sent("sales_email", Text),
    sent("sales_phone", Text),
    sent("tech_email", Text),
    sent("tech_phone", Text),
    sent("available_voltage_services", Json),
    sent("diverse_serving_substations", Boolean),
    sent("property", Text),
    sent("region_continent", Text),
    sent("status_dashboard", Text),
    sent("logo", Text),
    sent("address1", Text),
    sent("address2", Text),
    sent("city", Text),
    sent("country", Text),
    sent("state", Text),
    sent("zipcode", Text),
    sent("floor", Text),
    sent("suite", Text),
    sent("latitude", Float),
    sent("longitude", Float),
];

/// Carriers: "list carrier" at <https://www.peeringdb.com/apidocs/>.
pub(crate) static CARRIER: [Field; 10] = [
    sent("org_id", Integer),
    sent("org_name", Text),
    sent("name", Text),
    sent("aka", Text),
    sent("name_long", Text),
    sent("website", Text),
    sent("social_media", Json),
    sent("notes", Text),
    sent("fac_count", Integer),
    sent("logo", Text),
];

/// Carriers' presences at facilities: "list carrierfac" at <https://www.peeringdb.com/apidocs/>.
pub(crate) static CARRIERFAC: [Field; 4] = [
    sent("name", Text),
    sent("carrier_id", Integer),
    sent("fac_id", Integer),
    optional("campus_id", Integer),
];

/// Networks: "list net" at <https://www.peeringdb.com/apidocs/>.
pub(crate) static NET: [Field; 38] = [
    sent("org_id", Integer),
    sent("name", Text),
    sent("aka", Text),
    sent("name_long", Text),
    sent("website", Text),
    sent("social_media", Json),
    sent("asn", Integer),
    sent("looking_glass", Text),
    sent("route_server", Text),
    sent("irr_as_set", Text),
    sent("info_type", Text),
    sent("info_types", Json),
    sent("info_prefixes4", Integer),
    sent("info_prefixes6", Integer),
    sent("info_traffic", Text),
    sent("info_ratio", Text),
    sent("info_scope", Text),
    sent("info_unicast", Boolean),
    sent("info_multicast", Boolean),
    sent("info_ipv6", Boolean),
    sent("info_never_via_route_servers", Boolean),
    sent("ix_count", Integer),
    sent("fac_count", Integer),
    sent("notes", Text),
    optional("notes_private", Text),
    sent("netixlan_updated", Time),
    sent("netfac_updated", Time),
    sent("poc_updated", Time),
    sent("policy_url", Text),
    sent("policy_general", Text),
    sent("policy_locations", Text),
    sent("policy_ratio", Boolean),
    sent("policy_contracts", Text),
    sent("allow_ixp_update", Boolean),
    sent("status_dashboard", Text),
    sent("rir_status", Text),
    sent("rir_status_updated", Time),
    sent("logo", Text),
];

/// Internet exchanges: "list ix" at <https://www.peeringdb.com/apidocs/>.
pub(crate) static IX: [Field; 31] = [
    sent("org_id", Integer),
    sent("name", Text),
    sent("aka", Text),
    sent("name_long", Text),
    sent("city", Text),
    sent("country", Text),
    sent("region_continent", Text),
    sent("media", Text),
    sent("notes", Text),
    sent("proto_unicast", Boolean),
    sent("proto_multicast", Boolean),
    sent("proto_ipv6", Boolean),
    sent("website", Text),
    sent("social_media", Json),
    sent("url_stats", Text),
    sent("tech_email", Text),
    sent("tech_phone", Text),
    sent("policy_email", Text),
    sent("policy_phone", Text),
    sent("sales_phone", Text),
    sent("sales_email", Text),
    sent("net_count", Integer),
    sent("fac_count", Integer),
    sent("ixf_net_count", Integer),
    sent("ixf_last_import", Time),
    sent("ixf_import_request", Time),
    sent("ixf_import_request_status", Text),
    sent("service_level", Text),
    sent("terms", Text),
    sent("status_dashboard", Text),
    sent("logo", Text),
];

/// Exchanges' presences at facilities: "list ixfac" at <https://www.peeringdb.com/apidocs/>.
pub(crate) static IXFAC: [Field; 5] = [
    sent("name", Text),
    sent("city", Text),
    sent("country", Text),
    sent("ix_id", Integer),
    sent("fac_id", Integer),
];

/// LANs of exchanges: "list ixlan" at <https://www.peeringdb.com/apidocs/>.
pub(crate) static IXLAN: [Field; 11] = [
    sent("ix_id", Integer),
    sent("name", Text),
    sent("descr", Text),
    sent("mtu", Integer),
    optional("vlan", Integer),
    sent("dot1q_support", Boolean),
    sent("rs_asn", Integer),
    sent("arp_sponge", Mac),
    sent("ixf_ixp_member_list_url_visible", Text),
    optional("ixf_ixp_member_list_url", Text),
    sent("ixf_ixp_import_enabled", Boolean),
];

/// Prefixes of LANs: "list ixpfx" at <https://www.peeringdb.com/apidocs/>.
pub(crate) static IXPFX: [Field; 5] = [
    sent("ixlan_id", Integer),
    sent("protocol", Text),
    sent("prefix", Prefix),
    sent("in_dfz", Boolean),
    optional("notes", Text),
];

/// Networks' presences at facilities: "list netfac" at <https://www.peeringdb.com/apidocs/>.
pub(crate) static NETFAC: [Field; 9] = [
    sent("name", Text),
    sent("city", Text),
    sent("country", Text),
    sent("net_id", Integer),
    sent("fac_id", Integer),
    sent("local_asn", Integer),
    optional("avail_sonet", Boolean),
    optional("avail_ethernet", Boolean),
    optional("avail_atm", Boolean),
];

/// Networks' ports on LANs, one address pair each: "list netixlan" at <https://www.peeringdb.com/apidocs/>.
pub(crate) static NETIXLAN: [Field; 14] = [
    sent("net_id", Integer),
    sent("ix_id", Integer),
    sent("name", Text),
    sent("ixlan_id", Integer),
    sent("notes", Text),
    sent("speed", Integer),
    sent("asn", Integer),
    sent("ipaddr4", Ipv4),
    sent("ipaddr6", Ipv6),
    sent("is_rs_peer", Boolean),
    sent("bfd_support", Boolean),
    sent("operational", Boolean),
    sent("net_side_id", Integer),
    sent("ix_side_id", Integer),
];

/// Networks' contacts; which ones are shown depends on the API key: "list poc" at
/// <https://www.peeringdb.com/apidocs/>.
pub(crate) static POC: [Field; 7] = [
    sent("net_id", Integer),
    sent("role", Text),
    sent("visible", Text),
    sent("name", Text),
    sent("phone", Text),
    sent("email", Text),
    sent("url", Text),
];
