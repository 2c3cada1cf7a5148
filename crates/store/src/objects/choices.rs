//! The choices of fields, in the original's order: value, and what people see.

use super::model::Choice;

/// Where a BGP group, an Internet exchange, a router or a connection stands.
pub const STATUS: &[Choice] = &[
    ("enabled", "Enabled"),
    ("pre-maintenance", "Pre-maintenance"),
    ("maintenance", "Maintenance"),
    ("post-maintenance", "Post-maintenance"),
    ("disabled", "Disabled"),
];

/// Where a session stands.
pub const SESSION_STATUS: &[Choice] = &[
    ("requested", "Requested"),
    ("provisioning", "Provisioning"),
    ("enabled", "Enabled"),
    ("pre-maintenance", "Pre-maintenance"),
    ("maintenance", "Maintenance"),
    ("post-maintenance", "Post-maintenance"),
    ("disabled", "Disabled"),
    ("decommissioning", "Decommissioning"),
    ("decommissioned", "Decommissioned"),
];

/// What a router says of a session (RFC 4271, section 8.2.2).
pub const BGP_STATE: &[Choice] = &[
    ("idle", "Idle"),
    ("connect", "Connect"),
    ("active", "Active"),
    ("opensent", "OpenSent"),
    ("openconfirm", "OpenConfirm"),
    ("established", "Established"),
];

/// One's own role in a session (RFC 9234).
pub const BGP_ROLE: &[Choice] = &[
    ("provider", "Provider"),
    ("rs", "Route server"),
    ("rs-client", "Route server client"),
    ("customer", "Customer"),
    ("peer", "Peer"),
];

/// IP versions that a routing policy is for.
pub const FAMILY: &[(i64, &str)] = &[(0, "All"), (4, "IPv4"), (6, "IPv6")];

/// Directions of a routing policy.
pub const POLICY_TYPE: &[Choice] =
    &[("export-policy", "Export"), ("import-policy", "Import"), ("import-export-policy", "Import+Export")];

/// Directions of a community.
pub const COMMUNITY_TYPE: &[Choice] =
    &[("egress", "Egress"), ("ingress", "Ingress"), ("ingress-egress", "Ingress+Egress")];

/// What a community is for.
pub const COMMUNITY_CATEGORY: &[Choice] = &[("informational", "Informational"), ("action", "Action")];

/// How routers of a platform hide passwords in their configuration.
pub const PASSWORD_ALGORITHM: &[Choice] = &[
    ("arista-type7", "Arista Type 7"),
    ("cisco-type7", "Cisco Type 7"),
    ("juniper-type9", "Juniper Type 9"),
];

/// How much a journal entry matters.
pub const JOURNAL_KIND: &[Choice] =
    &[("info", "Info"), ("success", "Success"), ("warning", "Warning"), ("danger", "Danger")];

/// How a webhook asks.
pub const HTTP_METHOD: &[Choice] =
    &[("GET", "GET"), ("POST", "POST"), ("PUT", "PUT"), ("PATCH", "PATCH"), ("DELETE", "DELETE")];
