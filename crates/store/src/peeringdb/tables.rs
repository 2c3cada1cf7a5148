//! The 13 tables of the cache, one per namespace of the API (<https://www.peeringdb.com/apidocs/>).
//!
//! Every table begins with the same columns ([`COMMON`]), then holds the API's fields under the API's names. There
//! is no foreign key and no uniqueness but the id: parents may arrive after their children, and names and addresses
//! may change hands in one run.

use crate::schema::{Column, address, boolean, float, integer, json, text, time};

/// A reference from one cached record to another.
#[derive(Clone, Copy, Debug)]
pub struct Parent {
    /// The column that holds the other record's id.
    pub column: &'static str,
    /// The namespace it points into.
    pub namespace: &'static str,
    /// Whether a record whose parent is missing is *dangling*. An optional parent may be missing without that.
    pub required: bool,
}

/// One namespace and its table.
#[derive(Debug)]
pub struct CacheTable {
    /// The API's name of the namespace.
    pub namespace: &'static str,
    /// The table.
    pub table: &'static str,
    /// The columns after [`COMMON`].
    pub columns: &'static [Column],
    /// References, in column order.
    pub parents: &'static [Parent],
    /// What a person calls a record: the first of these columns that is not empty.
    pub label: &'static [&'static str],
}

/// Columns that every cache table begins with. `extra` holds what has no column (unknown fields) or does not fit
/// one, as JSON; `hash` tells in one comparison whether a record differs; `dangling` says that a required parent is
/// not in the cache.
pub const COMMON: &[Column] =
    &[integer("id"), text("status"), time("created"), time("updated"), json("extra"), integer("hash")];

const fn needs(column: &'static str, namespace: &'static str) -> Parent {
    Parent { column, namespace, required: true }
}

const fn may_name(column: &'static str, namespace: &'static str) -> Parent {
    Parent { column, namespace, required: false }
}

/// All 13, parents before children.
pub const TABLES: [CacheTable; 13] = [
    CacheTable {
        namespace: "org",
        table: "peeringdb_organization",
        columns: &[
            text("name"),
            text("aka"),
            text("name_long"),
            text("website"),
            json("social_media"),
            text("notes"),
            boolean("require_2fa"),
            text("logo"),
            text("address1"),
            text("address2"),
            text("city"),
            text("country"),
            text("state"),
            text("zipcode"),
            text("floor"),
            text("suite"),
            float("latitude"),
            float("longitude"),
        ],
        parents: &[],
        label: &["name"],
    },
    CacheTable {
        namespace: "campus",
        table: "peeringdb_campus",
        columns: &[
            integer("org_id"),
            text("org_name"),
            text("name"),
            text("name_long"),
            text("notes"),
            text("aka"),
            text("website"),
            json("social_media"),
            text("country"),
            text("city"),
            text("zipcode"),
            text("state"),
            text("logo"),
        ],
        parents: &[needs("org_id", "org")],
        label: &["name"],
    },
    CacheTable {
        namespace: "fac",
        table: "peeringdb_facility",
        columns: &[
            integer("org_id"),
            text("org_name"),
            integer("campus_id"),
            text("name"),
            text("aka"),
            text("name_long"),
            text("website"),
            json("social_media"),
            text("clli"),
            text("rencode"),
            text("npanxx"),
            text("notes"),
            integer("net_count"),
            integer("ix_count"),
            integer("carrier_count"),
            text("sales_email"),
            text("sales_phone"),
            text("tech_email"),
            text("tech_phone"),
            json("available_voltage_services"),
            boolean("diverse_serving_substations"),
            text("property"),
            text("region_continent"),
            text("status_dashboard"),
            text("logo"),
            text("address1"),
            text("address2"),
            text("city"),
            text("country"),
            text("state"),
            text("zipcode"),
            text("floor"),
            text("suite"),
            float("latitude"),
            float("longitude"),
        ],
        parents: &[needs("org_id", "org"), may_name("campus_id", "campus")],
        label: &["name"],
    },
    CacheTable {
        namespace: "carrier",
        table: "peeringdb_carrier",
        columns: &[
            integer("org_id"),
            text("org_name"),
            text("name"),
            text("aka"),
            text("name_long"),
            text("website"),
            json("social_media"),
            text("notes"),
            integer("fac_count"),
            text("logo"),
        ],
        parents: &[needs("org_id", "org")],
        label: &["name"],
    },
    CacheTable {
        namespace: "carrierfac",
        table: "peeringdb_carrierfacility",
        columns: &[text("name"), integer("carrier_id"), integer("fac_id"), integer("campus_id")],
        parents: &[needs("carrier_id", "carrier"), needs("fac_id", "fac"), may_name("campus_id", "campus")],
        label: &["name"],
    },
    CacheTable {
        namespace: "net",
        table: "peeringdb_network",
        columns: &[
            integer("org_id"),
            text("name"),
            text("aka"),
            text("name_long"),
            text("website"),
            json("social_media"),
            integer("asn"),
            text("looking_glass"),
            text("route_server"),
            text("irr_as_set"),
            text("info_type"),
            json("info_types"),
            integer("info_prefixes4"),
            integer("info_prefixes6"),
            text("info_traffic"),
            text("info_ratio"),
            text("info_scope"),
            boolean("info_unicast"),
            boolean("info_multicast"),
            boolean("info_ipv6"),
            boolean("info_never_via_route_servers"),
            integer("ix_count"),
            integer("fac_count"),
            text("notes"),
            text("notes_private"),
            time("netixlan_updated"),
            time("netfac_updated"),
            time("poc_updated"),
            text("policy_url"),
            text("policy_general"),
            text("policy_locations"),
            boolean("policy_ratio"),
            text("policy_contracts"),
            boolean("allow_ixp_update"),
            text("status_dashboard"),
            text("rir_status"),
            time("rir_status_updated"),
            text("logo"),
        ],
        parents: &[needs("org_id", "org")],
        label: &["name"],
    },
    CacheTable {
        namespace: "ix",
        table: "peeringdb_internetexchange",
        columns: &[
            integer("org_id"),
            text("name"),
            text("aka"),
            text("name_long"),
            text("city"),
            text("country"),
            text("region_continent"),
            text("media"),
            text("notes"),
            boolean("proto_unicast"),
            boolean("proto_multicast"),
            boolean("proto_ipv6"),
            text("website"),
            json("social_media"),
            text("url_stats"),
            text("tech_email"),
            text("tech_phone"),
            text("policy_email"),
            text("policy_phone"),
            text("sales_phone"),
            text("sales_email"),
            integer("net_count"),
            integer("fac_count"),
            integer("ixf_net_count"),
            time("ixf_last_import"),
            time("ixf_import_request"),
            text("ixf_import_request_status"),
            text("service_level"),
            text("terms"),
            text("status_dashboard"),
            text("logo"),
        ],
        parents: &[needs("org_id", "org")],
        label: &["name"],
    },
    CacheTable {
        namespace: "ixfac",
        table: "peeringdb_internetexchangefacility",
        columns: &[text("name"), text("city"), text("country"), integer("ix_id"), integer("fac_id")],
        parents: &[needs("ix_id", "ix"), needs("fac_id", "fac")],
        label: &["name"],
    },
    CacheTable {
        namespace: "ixlan",
        table: "peeringdb_ixlan",
        columns: &[
            integer("ix_id"),
            text("name"),
            text("descr"),
            integer("mtu"),
            integer("vlan"),
            boolean("dot1q_support"),
            integer("rs_asn"),
            text("arp_sponge"),
            text("ixf_ixp_member_list_url_visible"),
            text("ixf_ixp_member_list_url"),
            boolean("ixf_ixp_import_enabled"),
        ],
        parents: &[needs("ix_id", "ix")],
        label: &["name"],
    },
    CacheTable {
        namespace: "ixpfx",
        table: "peeringdb_ixlanprefix",
        columns: &[
            integer("ixlan_id"),
            text("protocol"),
            address("prefix"),
            boolean("in_dfz"),
            text("notes"),
        ],
        parents: &[needs("ixlan_id", "ixlan")],
        label: &["protocol"],
    },
    CacheTable {
        namespace: "netfac",
        table: "peeringdb_networkfacility",
        columns: &[
            text("name"),
            text("city"),
            text("country"),
            integer("net_id"),
            integer("fac_id"),
            integer("local_asn"),
            boolean("avail_sonet"),
            boolean("avail_ethernet"),
            boolean("avail_atm"),
        ],
        parents: &[needs("net_id", "net"), needs("fac_id", "fac")],
        label: &["name"],
    },
    CacheTable {
        namespace: "netixlan",
        table: "peeringdb_networkixlan",
        columns: &[
            integer("net_id"),
            integer("ix_id"),
            text("name"),
            integer("ixlan_id"),
            text("notes"),
            integer("speed"),
            integer("asn"),
            address("ipaddr4"),
            address("ipaddr6"),
            boolean("is_rs_peer"),
            boolean("bfd_support"),
            boolean("operational"),
            integer("net_side_id"),
            integer("ix_side_id"),
        ],
        parents: &[
            needs("net_id", "net"),
            needs("ixlan_id", "ixlan"),
            may_name("net_side_id", "fac"),
            may_name("ix_side_id", "fac"),
        ],
        label: &["name"],
    },
    CacheTable {
        namespace: "poc",
        table: "peeringdb_networkcontact",
        columns: &[
            integer("net_id"),
            text("role"),
            text("visible"),
            text("name"),
            text("phone"),
            text("email"),
            text("url"),
        ],
        parents: &[needs("net_id", "net")],
        label: &["name", "role"],
    },
];

/// The table of a namespace.
pub fn table_of(namespace: &str) -> Option<&'static CacheTable> {
    static ALL: [CacheTable; 13] = TABLES;
    ALL.iter().find(|table| table.namespace == namespace)
}

impl CacheTable {
    /// All columns in the order in which statements name them: [`COMMON`], then the namespace's own.
    pub fn all_columns(&self) -> impl Iterator<Item = &'static Column> {
        COMMON.iter().chain(self.columns)
    }

    /// SQL for a record's label, on a table or alias that has these columns.
    pub fn label_sql(&self, alias: &str) -> String {
        let parts: Vec<String> =
            self.label.iter().map(|column| format!("NULLIF({alias}.{column}, '')")).collect();
        format!("COALESCE({}, '')", parts.join(", "))
    }
}
