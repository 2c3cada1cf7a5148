//! The namespaces of the API, how they refer to each other, and the values their records hold.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::fields::{self, Field};

/// A kind of record, named as in the API's paths: `/api/netixlan`.
///
/// The order is that of [`Namespace::ALL`]: parents come before their children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Namespace {
    /// An organisation.
    Org,
    /// A group of facilities of one organisation.
    Campus,
    /// A facility (a data centre).
    Fac,
    /// A carrier.
    Carrier,
    /// A carrier's presence at a facility.
    Carrierfac,
    /// A network: one autonomous system.
    Net,
    /// An Internet exchange.
    Ix,
    /// An exchange's presence at a facility.
    Ixfac,
    /// A LAN of an exchange.
    Ixlan,
    /// A prefix of a LAN.
    Ixpfx,
    /// A network's presence at a facility.
    Netfac,
    /// A network's port on a LAN.
    Netixlan,
    /// A network's point of contact.
    Poc,
}

/// A field that holds the id of a record of another namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The field, one of [`Namespace::fields`].
    pub field: &'static str,
    /// Where the record is that the field names.
    pub to: Namespace,
    /// A record without this parent has no meaning; otherwise the field may be null.
    pub required: bool,
}

const fn required(field: &'static str, to: Namespace) -> Reference {
    Reference { field, to, required: true }
}

const fn optional(field: &'static str, to: Namespace) -> Reference {
    Reference { field, to, required: false }
}

static OF_ORG: [Reference; 1] = [required("org_id", Namespace::Org)];
static FAC: [Reference; 2] = [required("org_id", Namespace::Org), optional("campus_id", Namespace::Campus)];
static CARRIERFAC: [Reference; 3] = [
    required("carrier_id", Namespace::Carrier),
    required("fac_id", Namespace::Fac),
    optional("campus_id", Namespace::Campus),
];
static IXFAC: [Reference; 2] = [required("ix_id", Namespace::Ix), required("fac_id", Namespace::Fac)];
static IXLAN: [Reference; 1] = [required("ix_id", Namespace::Ix)];
static IXPFX: [Reference; 1] = [required("ixlan_id", Namespace::Ixlan)];
static NETFAC: [Reference; 2] = [required("net_id", Namespace::Net), required("fac_id", Namespace::Fac)];
static NETIXLAN: [Reference; 4] = [
    required("net_id", Namespace::Net),
    required("ixlan_id", Namespace::Ixlan),
    optional("net_side_id", Namespace::Fac),
    optional("ix_side_id", Namespace::Fac),
];
static POC: [Reference; 1] = [required("net_id", Namespace::Net)];

impl Namespace {
    /// All namespaces, parents first.
    pub const ALL: [Self; 13] = [
        Self::Org,
        Self::Campus,
        Self::Fac,
        Self::Carrier,
        Self::Carrierfac,
        Self::Net,
        Self::Ix,
        Self::Ixfac,
        Self::Ixlan,
        Self::Ixpfx,
        Self::Netfac,
        Self::Netixlan,
        Self::Poc,
    ];

    /// The name in the API's paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Org => "org",
            Self::Campus => "campus",
            Self::Fac => "fac",
            Self::Carrier => "carrier",
            Self::Carrierfac => "carrierfac",
            Self::Net => "net",
            Self::Ix => "ix",
            Self::Ixfac => "ixfac",
            Self::Ixlan => "ixlan",
            Self::Ixpfx => "ixpfx",
            Self::Netfac => "netfac",
            Self::Netixlan => "netixlan",
            Self::Poc => "poc",
        }
    }

    /// The fields of a record besides `id`, `status`, `created` and `updated`, in the API's order.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Self::Org => &fields::ORG,
            Self::Campus => &fields::CAMPUS,
            Self::Fac => &fields::FAC,
            Self::Carrier => &fields::CARRIER,
            Self::Carrierfac => &fields::CARRIERFAC,
            Self::Net => &fields::NET,
            Self::Ix => &fields::IX,
            Self::Ixfac => &fields::IXFAC,
            Self::Ixlan => &fields::IXLAN,
            Self::Ixpfx => &fields::IXPFX,
            Self::Netfac => &fields::NETFAC,
            Self::Netixlan => &fields::NETIXLAN,
            Self::Poc => &fields::POC,
        }
    }

    /// The fields that name a record of another namespace.
    ///
    /// `netixlan.ix_id` is not among them: it repeats what the port's LAN says.
    pub fn parents(self) -> &'static [Reference] {
        match self {
            Self::Org => &[],
            Self::Campus | Self::Carrier | Self::Net | Self::Ix => &OF_ORG,
            Self::Fac => &FAC,
            Self::Carrierfac => &CARRIERFAC,
            Self::Ixfac => &IXFAC,
            Self::Ixlan => &IXLAN,
            Self::Ixpfx => &IXPFX,
            Self::Netfac => &NETFAC,
            Self::Netixlan => &NETIXLAN,
            Self::Poc => &POC,
        }
    }

    /// Where in [`Namespace::fields`], and so in [`crate::Record::values`], a field is.
    pub fn position(self, field: &str) -> Option<usize> {
        self.fields().iter().position(|known| known.name == field)
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Namespace {
    type Err = UnknownNamespace;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|namespace| namespace.as_str() == text)
            .ok_or_else(|| UnknownNamespace(text.to_owned()))
    }
}

/// A text that names no namespace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "PeeringDB has no namespace {0:?}; there are org, campus, fac, carrier, carrierfac, net, ix, ixfac, ixlan, ixpfx, netfac, netixlan and poc"
)]
pub struct UnknownNamespace(pub String);

/// What a field holds if it is not null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number of 64 bits.
    Integer,
    /// True or false.
    Boolean,
    /// A number with a fraction.
    Float,
    /// Text of any length.
    Text,
    /// A time in UTC, sent as `2010-07-29T00:00:00Z`.
    Time,
    /// A list or an object.
    Json,
    /// An IPv4 address without a length.
    Ipv4,
    /// An IPv6 address without a length.
    Ipv6,
    /// A prefix of either family, without host bits.
    Prefix,
    /// A MAC address, held as the text that was sent.
    Mac,
}

/// What a field of one record holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Null, absent, or nothing that fits the field's kind; see [`crate::Record`].
    Null,
    /// For [`Kind::Integer`].
    Integer(i64),
    /// For [`Kind::Boolean`].
    Boolean(bool),
    /// For [`Kind::Float`]; always finite.
    Float(f64),
    /// For [`Kind::Text`] and [`Kind::Mac`].
    Text(String),
    /// For [`Kind::Time`].
    Time(DateTime<Utc>),
    /// For [`Kind::Json`]: a list or an object.
    Json(serde_json::Value),
    /// For [`Kind::Ipv4`] and [`Kind::Ipv6`].
    Address(IpAddr),
    /// For [`Kind::Prefix`]; host bits are zero.
    Prefix(IpNet),
}

/// Whether a record is there to be used.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Live.
    Ok,
    /// Not yet approved by `PeeringDB`.
    Pending,
    /// Gone; sent when asked for changes since a time.
    Deleted,
    /// Any other text.
    Other(String),
}

impl Status {
    /// The text the API uses.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ok => "ok",
            Self::Pending => "pending",
            Self::Deleted => "deleted",
            Self::Other(text) => text,
        }
    }
}

impl From<String> for Status {
    fn from(text: String) -> Self {
        match text.as_str() {
            "ok" => Self::Ok,
            "pending" => Self::Pending,
            "deleted" => Self::Deleted,
            _ => Self::Other(text),
        }
    }
}
