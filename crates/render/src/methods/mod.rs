//! Properties and methods of each kind of object. Here are the methods, by name; `property.rs` has the properties.

mod autonomous_system;
mod peeringdb;
mod policy;
mod property;
mod session;

use std::net::IpAddr;

use crate::args::Args;
use crate::context::Cx;
use crate::error::Res;
use crate::peering::{self, peeringdb_network};
use crate::queryset::QuerySet;
use crate::value::Value;
use crate::world::Row;

use autonomous_system::{contact_addresses, divergence, prefixes};
use peeringdb::{
    available_peers, hidden_peers, lan_prefixes, local_to, missing_sessions, record_of, shared_exchanges,
};
pub(crate) use policy::is_applied;
use policy::{merged_communities, merged_policies, own_policies, routing_policies};
pub(crate) use property::property;
use session::{
    autonomous_systems, connections, direct_sessions, ixp_sessions, over_connections, pointed, referring,
    routers, rows_of, usable,
};

pub(crate) const AUTONOMOUS_SYSTEM: &[&str] = &[
    "export_policies",
    "import_policies",
    "policies",
    "merged_export_policies",
    "merged_import_policies",
    "get_direct_peering_sessions",
    "get_ixp_peering_sessions",
    "get_relationships",
    "get_internet_exchange_points",
    "get_shared_internet_exchange_points",
    "get_peeringdb_shared_facilities",
    "get_missing_peering_sessions",
    "get_routers",
    "get_irr_as_set_prefixes",
    "get_irr_as_set_as_list",
    "get_contact_email_addresses",
    "get_cc_email_contacts",
    "divergence_from_peeringdb",
    "are_bgp_sessions_pollable",
];
pub(crate) const GROUP: &[&str] = &[
    "export_policies",
    "import_policies",
    "policies",
    "merged_export_policies",
    "merged_import_policies",
    "get_peering_sessions",
    "get_routers",
    "are_bgp_sessions_pollable",
];
pub(crate) const EXCHANGE: &[&str] = &[
    "export_policies",
    "import_policies",
    "policies",
    "merged_export_policies",
    "merged_import_policies",
    "get_peering_sessions",
    "get_routers",
    "are_bgp_sessions_pollable",
    "get_prefixes",
    "get_connections",
    "get_autonomous_systems",
    "get_hidden_peers",
    "get_available_peers",
    "get_ixapi_network_service",
];
pub(crate) const SESSION: &[&str] = &[
    "export_policies",
    "import_policies",
    "policies",
    "merged_export_policies",
    "merged_import_policies",
    "merged_communities",
];
pub(crate) const ROUTER: &[&str] = &[
    "get_bgp_groups",
    "get_connections",
    "get_internet_exchange_points",
    "get_direct_autonomous_systems",
    "get_ixp_autonomous_systems",
    "get_autonomous_systems",
    "get_direct_peering_sessions",
    "get_ixp_peering_sessions",
    "get_bfd_configs",
    "get_routing_policies",
    "is_netbox_device",
    "is_usable_for_task",
];
pub(crate) const PLATFORM: &[&str] = &["encrypt_password", "decrypt_password"];

fn row_of(value: Option<&Value>) -> Option<Row> {
    match value {
        Some(Value::Record(row)) => Some(*row),
        _ => None,
    }
}

#[expect(clippy::too_many_lines, reason = "one arm per method")]
pub(crate) fn call(cx: &Cx, row: Row, name: &str, args: Args) -> Res<Value> {
    let world = &cx.world;
    let model = &*world.model(row.model).name;
    let one = |parameter: &'static str, required: usize, args: Args| -> Res<Option<Value>> {
        let [value] =
            args.bind(&format!("{}.{name}", world.model(row.model).class), [parameter], required, 1)?;
        Ok(value)
    };
    Ok(match name {
        "export_policies" => own_policies(cx, row, "export").value(),
        "import_policies" => own_policies(cx, row, "import").value(),
        "policies" => {
            let (out, into) = (own_policies(cx, row, "export"), own_policies(cx, row, "import"));
            let rows = out.rows.iter().copied().filter(|index| into.rows.contains(index)).collect();
            out.with_rows(rows).value()
        }
        "merged_export_policies" | "merged_import_policies" => {
            let way = if name == "merged_export_policies" { "export" } else { "import" };
            let reverse = one("reverse", 0, args)?.map_or(Ok(false), |reverse| cx.truth(&reverse))?;
            merged_policies(cx, row, way, reverse)?
        }
        "merged_communities" => merged_communities(cx, row),
        "get_direct_peering_sessions" => {
            direct_sessions(cx, row, row_of(one("bgp_group", 0, args)?.as_ref())).value()
        }
        "get_ixp_peering_sessions" => {
            ixp_sessions(cx, row, row_of(one("internet_exchange_point", 0, args)?.as_ref())).value()
        }
        "get_connections" if model == "peering.internetexchange" => connections(cx, row, None).value(),
        "get_connections" => {
            connections(cx, row, row_of(one("internet_exchange_point", 0, args)?.as_ref())).value()
        }
        "get_routers" => routers(cx, row).value(),
        "get_peering_sessions" if model == "peering.bgpgroup" => {
            referring(cx, "peering.directpeeringsession", "bgp_group", row).value()
        }
        "get_peering_sessions" => over_connections(cx, &connections(cx, row, None)).value(),
        "are_bgp_sessions_pollable" => {
            let set = routers(cx, row);
            let group = model != "peering.autonomoussystem";
            Value::Bool(set.rows.iter().map(|index| set.row(*index)).any(|router| {
                world.flag(router, "poll_bgp_sessions_state") && (!group || usable(cx, router))
            }))
        }
        "get_relationships" => {
            let local = row_of(one("local_autonomous_system", 0, args)?.as_ref());
            let set = direct_sessions(cx, row, None);
            let rows = set.rows.iter().copied().filter(|index| {
                local.is_none() || world.target(set.row(*index), "local_autonomous_system") == local
            });
            pointed(cx, &set.with_rows(rows.collect()), "relationship", "bgp.relationship").value()
        }
        "get_internet_exchange_points" if model == "peering.autonomoussystem" => {
            let other = row_of(one("other", 1, args)?.as_ref());
            let over = pointed(cx, &ixp_sessions(cx, row, None), "ixp_connection", "net.connection");
            let exchanges = pointed(cx, &over, "internet_exchange_point", "peering.internetexchange");
            local_to(cx, &exchanges, other).value()
        }
        "get_internet_exchange_points" => {
            pointed(cx, &connections(cx, row, None), "internet_exchange_point", "peering.internetexchange")
                .value()
        }
        "get_shared_internet_exchange_points" => {
            shared_exchanges(cx, row, one("other", 1, args)?.as_ref()).value()
        }
        "get_peeringdb_shared_facilities" => {
            let other = record_of(cx, one("other", 1, args)?.as_ref());
            peering::shared_facilities(cx, peeringdb_network(world, row), other).value()
        }
        "get_missing_peering_sessions" => {
            let [other, exchange] = args.bind(name, ["other", "internet_exchange_point"], 1, 1)?;
            missing_sessions(cx, row, other.as_ref(), row_of(exchange.as_ref()))?.value()
        }
        "get_irr_as_set_prefixes" => {
            let [family, missing] =
                args.bind("AutonomousSystem.get_irr_as_set_prefixes", ["address_family", "missing"], 0, 1)?;
            prefixes(cx, row, family.and_then(|f| f.as_int()), missing.as_ref())?
        }
        "get_irr_as_set_as_list" => cx.stored_by_name(row, "as_list")?,
        "get_contact_email_addresses" => contact_addresses(cx, row),
        "get_cc_email_contacts" => {
            let rows = cx.settings.cc_contacts.iter().map(|(email, name)| {
                let label = if name.is_empty() { email.clone() } else { format!("{name} - {email}") };
                Value::Tuple([Value::str(email), Value::str(&label)].into())
            });
            Value::list(rows.collect())
        }
        "divergence_from_peeringdb" => divergence(cx, row)?,
        "get_prefixes" => {
            let family = one("family", 0, args)?.and_then(|family| family.as_int()).unwrap_or(0);
            let rows = world.target(row, "peeringdb_ixlan").map_or(Vec::new(), |lan| {
                let fits = |address: IpAddr| {
                    !matches!(family, 4 | 6) || i128::from(crate::address::version(address)) == family
                };
                lan_prefixes(cx, lan)
                    .filter(|(_, network)| fits(network.address))
                    .map(|(index, _)| index)
                    .collect()
            });
            QuerySet::new(world.index("peeringdb.ixlanprefix"), rows).value()
        }
        "get_autonomous_systems" if model == "devices.router" => autonomous_systems(cx, row).value(),
        "get_autonomous_systems" => {
            let sessions = over_connections(cx, &connections(cx, row, None));
            pointed(cx, &sessions, "autonomous_system", "peering.autonomoussystem").value()
        }
        "get_hidden_peers" => hidden_peers(cx, row).value(),
        "get_available_peers" => {
            let hidden = one("show_hidden", 0, args)?.map_or(Ok(false), |hidden| cx.truth(&hidden))?;
            available_peers(cx, row, hidden)?.value()
        }
        "get_bgp_groups" => {
            pointed(cx, &direct_sessions(cx, row, None), "bgp_group", "peering.bgpgroup").value()
        }
        "get_direct_autonomous_systems" => {
            let group = row_of(one("bgp_group", 0, args)?.as_ref());
            pointed(cx, &direct_sessions(cx, row, group), "autonomous_system", "peering.autonomoussystem")
                .value()
        }
        "get_ixp_autonomous_systems" => {
            let exchange = row_of(one("internet_exchange_point", 0, args)?.as_ref());
            pointed(cx, &ixp_sessions(cx, row, exchange), "autonomous_system", "peering.autonomoussystem")
                .value()
        }
        "get_bfd_configs" => {
            let direct = pointed(cx, &direct_sessions(cx, row, None), "bfd", "net.bfd");
            let ixp = pointed(cx, &ixp_sessions(cx, row, None), "bfd", "net.bfd");
            let both = rows_of(cx, "net.bfd", direct.rows.iter().chain(ixp.rows.iter()).copied());
            // The original leaves their order open; the slowest first is one that it gives.
            both.order_by(cx, &["-minimum_transmit_interval".to_owned(), "name".to_owned()])?.value()
        }
        "get_routing_policies" => routing_policies(cx, row)?.value(),
        "is_netbox_device" => Value::Bool(world.int(row, "netbox_device_id").unwrap_or(0) != 0),
        "is_usable_for_task" => Value::Bool(usable(cx, row)),
        "encrypt_password" | "decrypt_password" => {
            let [password, key] = args.bind(name, ["password", "key"], 1, 1)?;
            let text = |value: Option<Value>| {
                value.filter(|v| !v.is_none()).map_or(Ok(String::new()), |v| cx.text(&v))
            };
            let (password, key) = (text(password)?, text(key)?);
            Value::str(&crate::passwords::apply(
                &cx.settings,
                world.text(row, "password_algorithm"),
                name,
                &password,
                &key,
            )?)
        }
        _ => Value::None,
    })
}
