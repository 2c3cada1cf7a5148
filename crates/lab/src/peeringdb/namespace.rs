use std::fmt;
use std::str::FromStr;

/// One of PeeringDB's object types, named as in the API's paths. The order is the one a client fetches them in: an
/// object refers to types before its own only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are PeeringDB's own")]
pub enum Namespace {
    Org,
    Campus,
    Fac,
    Carrier,
    Carrierfac,
    Net,
    Ix,
    Ixfac,
    Ixlan,
    Ixpfx,
    Netfac,
    Netixlan,
    Poc,
}

/// A name that is none of PeeringDB's object types.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no PeeringDB namespace")]
pub struct UnknownNamespace(pub String);

use Namespace::{Campus, Carrier, Carrierfac, Fac, Ix, Ixfac, Ixlan, Ixpfx, Net, Netfac, Netixlan, Org, Poc};

impl Namespace {
    /// Every namespace, parents first.
    pub const ALL: [Self; 13] =
        [Org, Campus, Fac, Carrier, Carrierfac, Net, Ix, Ixfac, Ixlan, Ixpfx, Netfac, Netixlan, Poc];

    /// The name in the API's paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Org => "org",
            Campus => "campus",
            Fac => "fac",
            Carrier => "carrier",
            Carrierfac => "carrierfac",
            Net => "net",
            Ix => "ix",
            Ixfac => "ixfac",
            Ixlan => "ixlan",
            Ixpfx => "ixpfx",
            Netfac => "netfac",
            Netixlan => "netixlan",
            Poc => "poc",
        }
    }

    /// The name of the server's class, which its error messages mention.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Org => "Organization",
            Campus => "Campus",
            Fac => "Facility",
            Carrier => "Carrier",
            Carrierfac => "CarrierFacility",
            Net => "Network",
            Ix => "InternetExchange",
            Ixfac => "InternetExchangeFacility",
            Ixlan => "IXLan",
            Ixpfx => "IXLanPrefix",
            Netfac => "NetworkFacility",
            Netixlan => "NetworkIXLan",
            Poc => "NetworkContact",
        }
    }

    /// The columns that name another object, with that object's type. A row whose first parent is deleted is deleted
    /// with it, and so for all that are not optional.
    pub const fn links(self) -> &'static [(&'static str, Self)] {
        match self {
            Org => &[],
            Campus | Carrier | Net | Ix => &[("org_id", Org)],
            Fac => &[("org_id", Org), ("campus_id", Campus)],
            Carrierfac => &[("carrier_id", Carrier), ("fac_id", Fac)],
            Ixfac => &[("ix_id", Ix), ("fac_id", Fac)],
            Ixlan => &[("ix_id", Ix)],
            Ixpfx => &[("ixlan_id", Ixlan)],
            Netfac => &[("net_id", Net), ("fac_id", Fac)],
            Netixlan => &[("net_id", Net), ("ixlan_id", Ixlan), ("ix_id", Ix)],
            Poc => &[("net_id", Net)],
        }
    }

    /// Where the link of this name stands in [`Self::links`].
    pub(crate) fn link(self, column: &str) -> Option<usize> {
        self.links().iter().position(|(name, _)| *name == column)
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Namespace {
    type Err = UnknownNamespace;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|namespace| namespace.as_str() == name)
            .ok_or_else(|| UnknownNamespace(name.to_owned()))
    }
}
