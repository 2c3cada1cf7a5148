//! What session a neighbour without one could be, or why that cannot be told: from what the database knows, without asking a
//! router. Nothing is guessed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;
use pm_store::Session;
use pm_store::entities::autonomous_system;
use pm_store::objects::models;
use pm_store::objects::problems::ObjectError;
use pm_store::objects::query::Query;
use pm_store::objects::read::displays;
use pm_store::objects::record::Record;
use pm_store::peeringdb::lookup::networks_of;
use pm_store::peeringdb::peers::{lans, route_servers};
use pm_store::sessions::{self, Listed, Which};
use pm_store::strangers::{Kept, Stranger};
use pm_store::tombstones;

use super::Freshness;

/// A connection of a router of ours to an exchange.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) connection: i64,
    /// What a person calls the connection.
    pub(super) name: String,
    pub(super) exchange: i64,
    router: i64,
    ipv4: Option<IpNet>,
    ipv6: Option<IpNet>,
    /// What may be on its LAN.
    allowed: Vec<IpNet>,
}

impl Place {
    fn own(&self, like: IpAddr) -> Option<IpNet> {
        if like.is_ipv4() { self.ipv4 } else { self.ipv6 }
    }

    fn fits(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|prefix| prefix.contains(&address))
    }
}

/// What all direct sessions with an AS have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Direct {
    pub(super) relationship: i64,
    pub(super) local_autonomous_system: i64,
    /// `None` if they are in different groups or in none.
    pub(super) bgp_group: Option<i64>,
}

/// What becomes of a neighbour.
#[derive(Clone, Debug)]
pub(super) enum Decision<'a> {
    AtExchange(&'a Place),
    Direct(&'a Direct),
    No(Reason),
}

/// Why a neighbour becomes no session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) text: String,
    /// Whether that is as it should be; otherwise somebody has to decide.
    pub(super) is_fine: bool,
}

/// What decisions are made from: a fixed number of statements, however many neighbours there are.
pub(super) struct Known {
    places: Vec<Place>,
    own_addresses: HashSet<IpAddr>,
    own_asns: BTreeSet<i64>,
    sessions: HashMap<(i64, IpAddr), Vec<Listed>>,
    /// Names of the autonomous systems that are kept, by AS number.
    kept: BTreeMap<i64, String>,
    /// Names of networks in the cache, by AS number.
    cached: BTreeMap<i64, String>,
    route_servers: BTreeSet<i64>,
    direct: HashMap<i64, Option<Direct>>,
    vrfs: HashMap<(i64, IpAddr), BTreeSet<String>>,
    /// Router and address of sessions that were deleted here and may still be on their router.
    deleted: HashSet<(i64, IpAddr)>,
    freshness: Freshness,
}

impl Known {
    /// All that matters for these neighbours.
    pub(super) async fn read(
        session: &mut Session<'_>,
        strangers: &[Kept],
        freshness: Freshness,
    ) -> Result<Self, ObjectError> {
        let asns: BTreeSet<i64> = strangers.iter().filter_map(|one| one.neighbor.asn).collect();
        let asns: Vec<i64> = asns.into_iter().collect();
        let routers: BTreeSet<i64> = strangers.iter().map(|one| one.router_id).collect();
        let routers: Vec<i64> = routers.into_iter().collect();
        let deleted = tombstones::deleted(session, &routers).await?;
        let which = Which { routers: Some(routers), ..Which::default() };
        let mut known: HashMap<(i64, IpAddr), Vec<Listed>> = HashMap::new();
        for one in sessions::list(session, &which).await? {
            if let Some(router) = one.router_id {
                known.entry((router, one.ip_address)).or_default().push(one);
            }
        }
        let mut vrfs: HashMap<(i64, IpAddr), BTreeSet<String>> = HashMap::new();
        for one in strangers {
            let key = (one.router_id, one.neighbor.ip_address);
            vrfs.entry(key).or_default().insert(one.neighbor.vrf.clone());
        }
        let connections = Query::of(&models::connection::MODEL).without_lists().list(session).await?;
        let direct = Query::of(&models::direct_peering_session::MODEL).without_lists().list(session).await?;
        let own = Query::of(&models::autonomous_system::MODEL).filter("affiliated", true).without_lists();
        let own = own.list(session).await?;
        let kept = autonomous_system::by_asns(session, &asns).await?;
        let cached = networks_of(session, &asns).await?;
        Ok(Self {
            places: places(session, &connections).await?,
            own_addresses: own_addresses(&connections, &direct),
            own_asns: own.iter().filter_map(|system| system.integer("asn")).collect(),
            sessions: known,
            direct: in_common(&direct, &kept.iter().map(|system| (system.id, system.asn)).collect()),
            kept: kept.into_iter().map(|system| (system.asn, system.name)).collect(),
            cached: cached
                .into_iter()
                .map(|network| (network.asn, network.name.unwrap_or_default()))
                .collect(),
            route_servers: route_servers(session, &asns).await?.into_iter().collect(),
            vrfs,
            deleted: deleted.iter().map(|one| (one.router, one.ip_address)).collect(),
            freshness,
        })
    }

    /// The name of the autonomous system, if it is kept here or in the cache.
    pub(super) fn name(&self, asn: Option<i64>) -> Option<&str> {
        let name = self.kept.get(&asn?).or_else(|| self.cached.get(&asn?))?;
        Some(name.as_str())
    }

    /// Whether the network calls itself a route server.
    pub(super) fn is_route_server(&self, asn: i64) -> bool {
        self.route_servers.contains(&asn)
    }

    /// Whether a session with it was made since the last poll.
    pub(super) fn has_session(&self, one: &Kept) -> bool {
        let Some(asn) = one.neighbor.asn else { return false };
        self.at(one).iter().any(|session| session.asn == asn && session.poll.is_none())
    }

    fn at(&self, one: &Kept) -> &[Listed] {
        self.sessions.get(&(one.router_id, one.neighbor.ip_address)).map_or(&[], Vec::as_slice)
    }

    /// Whether it is on the LAN of this exchange, on a router with a connection there.
    pub(super) fn is_at(&self, one: &Kept, exchange: i64) -> bool {
        self.places.iter().any(|place| {
            place.router == one.router_id && place.exchange == exchange && place.fits(one.neighbor.ip_address)
        })
    }

    /// Whether it is on the LAN of an exchange, on a router with a connection there.
    pub(super) fn is_anywhere(&self, one: &Kept) -> bool {
        let address = one.neighbor.ip_address;
        self.places.iter().any(|place| place.router == one.router_id && place.fits(address))
    }

    /// Whether this router has a connection to an exchange.
    pub(super) fn has_connections(&self, router: i64) -> bool {
        self.places.iter().any(|place| place.router == router)
    }

    /// The routers with a connection to this exchange.
    pub(super) fn routers_at(&self, exchange: i64) -> BTreeSet<i64> {
        self.places.iter().filter(|place| place.exchange == exchange).map(|place| place.router).collect()
    }

    /// Whether it can be told what is on the LAN of this exchange.
    pub(super) fn knows_lan(&self, exchange: i64) -> bool {
        self.places.iter().any(|place| place.exchange == exchange && !place.allowed.is_empty())
    }

    /// What becomes of it.
    pub(super) fn decide(&self, one: &Kept) -> Decision<'_> {
        let place = match self.usual(one).and_then(|()| self.place(one)) {
            Ok(place) => place,
            Err(reason) => return Decision::No(reason),
        };
        let Some(asn) = one.neighbor.asn else {
            return Decision::No(open("the router does not tell its AS"));
        };
        match place {
            Some(_) if !self.kept.contains_key(&asn) && !self.cached.contains_key(&asn) => {
                Decision::No(open(format!(
                    "AS{asn} is neither kept here nor in the PeeringDB cache; `as add {asn}` adds it"
                )))
            }
            Some(place) => Decision::AtExchange(place),
            None => self.direct(asn),
        }
    }

    /// What holds for both kinds of sessions.
    fn usual(&self, one: &Kept) -> Result<(), Reason> {
        let neighbor = &one.neighbor;
        let address = neighbor.ip_address;
        let Some(asn) = neighbor.asn else { return Err(open("the router does not tell its AS")) };
        if self.own_asns.contains(&asn) || neighbor.local_asn == Some(asn) {
            return Err(fine(format!("AS{asn} is our own")));
        }
        if self.own_addresses.contains(&address) {
            return Err(fine("it is an address of ours"));
        }
        if self.deleted.contains(&(one.router_id, address)) {
            return Err(fine(
                "a session with it was deleted here, and the router still has it; `sessions deleted` lists it",
            ));
        }
        if let Some(session) = self.at(one).first() {
            let id = format!("{}:{}", session.kind.as_str(), session.id);
            return Err(if session.asn == asn {
                fine(format!("there is a session with it, {id}"))
            } else {
                open(format!("there is a session at this address with AS{}, {id}", session.asn))
            });
        }
        if let Some(vrfs) = self.vrfs.get(&(one.router_id, address)).filter(|vrfs| vrfs.len() > 1) {
            let vrfs: Vec<&str> = vrfs.iter().map(String::as_str).collect();
            let text = format!("the router has this address in several VRFs: {}", vrfs.join(", "));
            return Err(open(text));
        }
        if self.freshness.is_stale(one.last_seen) {
            return Err(open("it was seen too long ago; `poll_bgp_sessions` asks the router again"));
        }
        Ok(())
    }

    /// The one connection on whose LAN it is; `None` if it is on none.
    fn place(&self, one: &Kept) -> Result<Option<&Place>, Reason> {
        let address = one.neighbor.ip_address;
        let fits = |place: &&Place| place.router == one.router_id && place.fits(address);
        let mut fitting: Vec<&Place> = self.places.iter().filter(fits).collect();
        let narrower: [&dyn Fn(&Place) -> bool; 3] = [
            &|place| {
                let local = one.neighbor.local_ip_address;
                local.is_some() && place.own(address).map(|own| own.addr()) == local
            },
            &|place| place.own(address).is_some(),
            &|place| place.own(address).is_some_and(|own| is_network(own) && own.contains(&address)),
        ];
        for is_it in narrower {
            if fitting.len() > 1 && fitting.iter().any(|place| is_it(place)) {
                fitting.retain(|place| is_it(place));
            }
        }
        match fitting.as_slice() {
            [] => Ok(None),
            [place] => Ok(Some(place)),
            several => {
                let names: Vec<&str> = several.iter().map(|place| place.name.as_str()).collect();
                Err(open(format!("it may be on any of several connections: {}", names.join(", "))))
            }
        }
    }

    fn direct(&self, asn: i64) -> Decision<'_> {
        match self.direct.get(&asn) {
            Some(Some(direct)) => Decision::Direct(direct),
            Some(None) => Decision::No(open(format!(
                "it is on no exchange's LAN, and the direct sessions with AS{asn} have different relationships or local \
                 autonomous systems"
            ))),
            None => Decision::No(open(format!(
                "it is on no exchange's LAN, and only you know what AS{asn} is to us: make a direct session with \
                 `objects add direct_peering_session`"
            ))),
        }
    }
}

fn fine(text: impl Into<String>) -> Reason {
    Reason { text: text.into(), is_fine: true }
}

fn open(text: impl Into<String>) -> Reason {
    Reason { text: text.into(), is_fine: false }
}

/// Whether a length was given with the address.
fn is_network(net: IpNet) -> bool {
    net.prefix_len() < net.max_prefix_len()
}

/// Connections that have both ends. On their LAN may be what PeeringDB says of it; where PeeringDB says nothing, the
/// networks of the connection's own addresses.
async fn places(session: &mut Session<'_>, connections: &[Record]) -> Result<Vec<Place>, ObjectError> {
    let exchanges = Query::of(&models::internet_exchange::MODEL).without_lists().list(session).await?;
    let lan_of: HashMap<i64, i64> =
        exchanges.iter().filter_map(|one| Some((one.id, one.integer("peeringdb_ixlan")?))).collect();
    let ids: BTreeSet<i64> = lan_of.values().copied().collect();
    let lans = lans(session, &ids.into_iter().collect::<Vec<_>>()).await?;
    let names = displays(session, connections).await?;
    let mut places = Vec::new();
    for (connection, name) in connections.iter().zip(names) {
        let ends = (connection.integer("router"), connection.integer("internet_exchange_point"));
        let (Some(router), Some(exchange)) = ends else { continue };
        let (ipv4, ipv6) = (connection.interface("ipv4_address"), connection.interface("ipv6_address"));
        let lan = lan_of.get(&exchange).and_then(|id| lans.iter().find(|lan| lan.id == *id));
        let mut allowed = lan.map(|lan| lan.prefixes.clone()).unwrap_or_default();
        if allowed.is_empty() {
            let own = [ipv4, ipv6].into_iter().flatten().filter(|net| is_network(*net));
            allowed = own.map(|net| net.trunc()).collect();
        }
        places.push(Place { connection: connection.id, name, exchange, router, ipv4, ipv6, allowed });
    }
    Ok(places)
}

fn own_addresses(connections: &[Record], direct: &[Record]) -> HashSet<IpAddr> {
    let of_connections =
        connections.iter().flat_map(|one| [one.host("ipv4_address"), one.host("ipv6_address")]);
    of_connections.chain(direct.iter().map(|one| one.host("local_ip_address"))).flatten().collect()
}

/// What all direct sessions with each AS have in common, if it is enough to make another; `asns` are AS numbers by the
/// numbers of the autonomous systems.
fn in_common(direct: &[Record], asns: &HashMap<i64, i64>) -> HashMap<i64, Option<Direct>> {
    let mut found: HashMap<i64, Option<Direct>> = HashMap::new();
    for session in direct {
        let asn = session.integer("autonomous_system").and_then(|id| asns.get(&id));
        let ends = (session.integer("relationship"), session.integer("local_autonomous_system"));
        let (Some(asn), (Some(relationship), Some(local_autonomous_system))) = (asn, ends) else { continue };
        let bgp_group = session.integer("bgp_group");
        let this = Direct { relationship, local_autonomous_system, bgp_group };
        found
            .entry(*asn)
            .and_modify(|known| {
                *known = known.take().filter(|known| {
                    (known.relationship, known.local_autonomous_system)
                        == (this.relationship, this.local_autonomous_system)
                });
                if let Some(known) = known {
                    known.bgp_group = known.bgp_group.filter(|group| Some(*group) == bgp_group);
                }
            })
            .or_insert(Some(this));
    }
    found
}

/// A neighbour as a line about it begins.
pub(super) fn named(router: &str, one: &Stranger) -> String {
    let asn = one.asn.map(|asn| format!("AS{asn} ")).unwrap_or_default();
    let vrf = if one.vrf == "default" { String::new() } else { format!(" in VRF {}", one.vrf) };
    format!("{router}: {asn}{}{vrf}", one.ip_address)
}
