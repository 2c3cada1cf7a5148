//! The names of filters, tests and functions.

/// What a name is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Filter,
    Test,
}

/// Filters for peering.
pub(crate) const OWN_FILTERS: &[&str] = &[
    "arista_password",
    "as_json",
    "as_list",
    "as_yaml",
    "bfds",
    "cisco_password",
    "communities",
    "connections",
    "contact",
    "context_get_key",
    "context_has_key",
    "context_has_not_key",
    "count",
    "direct_peers",
    "direct_sessions",
    "encrypt_password",
    "filter",
    "fresh",
    "get",
    "has_not_tag",
    "has_tag",
    "indent",
    "inherited_status",
    "ip",
    "ip_version",
    "ipv4",
    "ipv6",
    "iter_export_policies",
    "iter_import_policies",
    "iterate",
    "ixp_peers",
    "ixp_sessions",
    "ixps",
    "len",
    "length",
    "local_ips",
    "mac",
    "max_prefix",
    "merge_communities",
    "merge_export_policies",
    "merge_import_policies",
    "missing_sessions",
    "prefix_list",
    "quote",
    "relationships",
    "route_server",
    "routing_policies",
    "safe_string",
    "sessions",
    "shared_facilities",
    "shared_ixps",
    "strip_irr_sources",
    "tags",
    "unique_items",
];

/// Jinja2's own filters.
pub(crate) const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "batch",
    "capitalize",
    "center",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "filesizeformat",
    "first",
    "float",
    "forceescape",
    "format",
    "groupby",
    "int",
    "items",
    "join",
    "last",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "random",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "string",
    "striptags",
    "sum",
    "title",
    "tojson",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "urlize",
    "wordcount",
    "wordwrap",
    "xmlattr",
];

/// Jinja2's tests.
pub(crate) const TESTS: &[&str] = &[
    "!=",
    "<",
    "<=",
    "==",
    ">",
    ">=",
    "boolean",
    "callable",
    "defined",
    "divisibleby",
    "eq",
    "equalto",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
];

/// Global functions.
pub(crate) const GLOBALS: &[&str] =
    &["range", "dict", "namespace", "cycler", "joiner", "lipsum", "now", "fresh"];

/// What a router's configuration calls the sessions that are deleted here and may still be there.
pub(crate) const DELETED_SESSIONS: &str = "deleted_sessions";

/// The model of these.
pub(crate) const DELETED_SESSION: &str = "peering.deletedsession";

/// Whether there is a filter or test of that name.
pub(crate) fn exists(kind: Kind, name: &str) -> bool {
    match kind {
        Kind::Filter => OWN_FILTERS.contains(&name) || FILTERS.contains(&name),
        Kind::Test => TESTS.contains(&name),
    }
}

/// A global function by its name.
pub(crate) fn global(name: &str) -> Option<&'static str> {
    GLOBALS.iter().find(|known| **known == name).copied()
}
