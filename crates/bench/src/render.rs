//! What the rendering measure renders, and the part that renders it: objects in a database, a template, and a child
//! process that reads the one and runs the other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use chrono::DateTime;
use pm_config::Config;
use pm_irr::{Entry, Family, Prefix, pack};
use pm_render::{Source, Undefined};
use pm_store::objects::models::{
    autonomous_system, community, connection, internet_exchange, internet_exchange_peering_session, router,
    routing_policy, tag,
};
use pm_store::objects::record::Draft;
use pm_store::objects::secrets::Clear;
use pm_store::{Session, Store, Value};
use pm_tasks::render::{Engine, Wants, read};

use crate::objects::{Filler, keyring, named};

/// A whole configuration in the manner of those that people write: policies, prefix lists, groups, sessions with
/// passwords, limits, contexts, communities.
pub(crate) const TEMPLATE: &str = "\
hostname {{ router.hostname }}
{%- for policy in routing_policies %}
route-policy {{ policy.slug }}
{%- if policy.config_context %}
 set local-preference {{ policy | context_get_key('preference', 100) }}
{%- endif %}
{%- endfor %}
{%- for community in communities %}
community-list {{ community.slug }} permit {{ community.value }} ! {{ community.kind }}
{%- endfor %}
{%- for as in autonomous_systems %}
{%- for family in (6, 4) %}
{%- for p in as | prefix_list(family) %}
ip{{ 'v6' if family == 6 }} prefix-list AS{{ as.asn }} seq {{ loop.index * 5 }} permit {{ p.prefix }}{% if not p.exact %} le {{ p['less-equal'] }}{% endif %}
{%- endfor %}
{%- endfor %}
{%- endfor %}
router bgp {{ local_as.asn }}
{%- for ixp in internet_exchange_points %}
 ! {{ ixp.name }}: {{ ixp | local_ips(4) | join(', ') }}
{%- endfor %}
{%- for session in router | ixp_sessions if session.enabled %}
 neighbor {{ session | ip }} remote-as {{ session.autonomous_system.asn }}
 neighbor {{ session | ip }} description {{ session.autonomous_system.name | safe_string }} at {{ session.ixp_connection.internet_exchange_point.name | quote }}
{%- if session.password %}
 neighbor {{ session | ip }} password {{ session.password }}
{%- endif %}
{%- if session | max_prefix %}
 neighbor {{ session | ip }} maximum-prefix {{ session | max_prefix }}
{%- endif %}
{%- for policy in session | merge_import_policies %}
 neighbor {{ session | ip }} route-map {{ policy.slug }} in
{%- endfor %}
{%- for policy in session | merge_export_policies('reverse') %}
 neighbor {{ session | ip }} route-map {{ policy.slug }} out
{%- endfor %}
{%- for community in session | merge_communities %}
 neighbor {{ session | ip }} send {{ community.value }}
{%- endfor %}
{%- if session | has_tag('drained') or 'maintenance' in session | inherited_status %}
 neighbor {{ session | ip }} shutdown
{%- endif %}
{%- endfor %}
";

/// A router at four exchanges with so many sessions, four to an autonomous system, each of which has a prefix list of so
/// many lines.
pub(crate) async fn fill(store: &Store, sessions: u32, lines: u32) -> anyhow::Result<()> {
    let systems = (sessions / 4).max(1);
    let mut transaction = store.begin().await?;
    let mut filler = Filler::new(&mut transaction);
    let policy =
        |at: u32| named(&routing_policy::MODEL, &format!("policy-{at}")).with("weight", i64::from(at));
    let policies = filler.create(&(0..20).map(policy).collect::<Vec<_>>()).await?;
    let community = |at: u32| {
        named(&community::MODEL, &format!("community-{at}")).with("value", format!("64500:{at}").as_str())
    };
    let communities = filler.create(&(0..20).map(community).collect::<Vec<_>>()).await?;
    let tags = filler.create(&[named(&tag::MODEL, "drained"), named(&tag::MODEL, "watched")]).await?;
    let own = Draft::new(&autonomous_system::MODEL)
        .with("asn", 64_496_i64)
        .with("name", "Own")
        .with("affiliated", true);
    let own = filler.create(&[own]).await?[0];
    let system = |at: u32| {
        Draft::new(&autonomous_system::MODEL)
            .with("asn", i64::from(at) + 100_000)
            .with("name", format!("Größtes Netz {at}").as_str())
            .with("ipv4_max_prefixes", 1000_i64)
            .with("ipv6_max_prefixes", 100_i64)
            .with("import_routing_policies", policies[..3].to_vec())
            .with("export_routing_policies", policies[3..6].to_vec())
            .with("communities", communities[..2].to_vec())
    };
    let peers = filler.create(&(0..systems).map(system).collect::<Vec<_>>()).await?;
    let edge = Draft::new(&router::MODEL)
        .with("name", "edge")
        .with("hostname", "edge.example.net")
        .with("local_autonomous_system", own)
        .with("communities", communities[2..4].to_vec());
    let edge = filler.create(&[edge]).await?[0];
    let mut joined = Vec::new();
    for at in 0..4 {
        let exchange = named(&internet_exchange::MODEL, &format!("ix-{at}"))
            .with("local_autonomous_system", own)
            .with("import_routing_policies", policies[6..8].to_vec())
            .with("communities", communities[4..6].to_vec());
        let exchange = filler.create(&[exchange]).await?[0];
        let link = Draft::new(&connection::MODEL)
            .with("internet_exchange_point", exchange)
            .with("router", edge)
            .with("interface", format!("et-0/0/{at}").as_str());
        joined.extend(filler.create(&[link]).await?);
    }
    let session = |at: u32| {
        let address: IpAddr = if at.is_multiple_of(2) {
            Ipv4Addr::from_bits(0x0a00_0000 + at).into()
        } else {
            Ipv6Addr::from_bits((0x2001_0db8_u128 << 96) + u128::from(at)).into()
        };
        Draft::new(&internet_exchange_peering_session::MODEL)
            .with("autonomous_system", peers[(at % systems) as usize])
            .with("ixp_connection", joined[(at / systems % 4) as usize])
            .with("ip_address", address)
            .with("password", Clear::new(format!("password-{at}")))
            .with("tags", if at.is_multiple_of(10) { vec![tags[0]] } else { Vec::new() })
            .with("communities", communities[6..8].to_vec())
    };
    filler.create(&(0..sessions).map(session).collect::<Vec<_>>()).await?;
    for (at, peer) in (0_u32..).zip(&peers) {
        lists(&mut filler.session, *peer, at, lines).await?;
    }
    transaction.commit().await?;
    Ok(())
}

async fn lists(session: &mut Session<'_>, system: i64, at: u32, lines: u32) -> anyhow::Result<()> {
    let now = crate::session::start_time();
    let entry = |line: u32| {
        let high = u128::from((1 + at % 200) << 24 | (at / 200) << 20 | line << 8) << 96;
        Entry {
            prefix: Prefix::new(Family::V4, high, 24),
            lengths: line.is_multiple_of(3).then_some((24, 28)),
        }
    };
    let both = [
        ("ipv4", pack(Family::V4, &(0..lines).map(entry).collect::<Vec<_>>())),
        ("ipv6", pack(Family::V6, &[])),
    ];
    for (kind, octets) in both {
        // Numbers of autonomous systems are all that tells these lists apart.
        let digest = format!("{kind} {system}").into_bytes();
        let sql = "INSERT INTO peering_irrlist (digest, kind, entries, data, created) VALUES (?, ?, ?, ?, ?)";
        let values: Vec<Value> =
            vec![digest.clone().into(), kind.into(), i64::from(lines).into(), octets.into(), now.into()];
        session.execute(sql, values).await?;
        let sql = "INSERT INTO peering_irrstate (autonomous_system_id, kind, state, list_id, checked) \
                   SELECT ?, ?, 'current', id, ? FROM peering_irrlist WHERE digest = ?";
        session.execute(sql, vec![system.into(), kind.into(), now.into(), digest.into()]).await?;
    }
    Ok(())
}

/// Renders the router of a database `rounds` times, each from a snapshot of its own, and prints the microseconds that each
/// took and the octets that came out.
#[expect(clippy::print_stdout, reason = "the output is what the part is for")]
pub(crate) async fn run(database: &str, rounds: u32) -> anyhow::Result<()> {
    let store = Store::open(database).await?;
    let (keyring, config) = (keyring(), Config::default());
    for _ in 0..rounds {
        let begun = Instant::now();
        let mut transaction = store.begin_reading().await?;
        let wants = Wants::of([TEMPLATE]);
        let snapshot = read(&mut transaction.session(), &keyring, &wants).await?;
        let engine = Engine::new(&snapshot.world, &config, DateTime::UNIX_EPOCH);
        let source = Source {
            name: "bench".into(),
            text: TEMPLATE.into(),
            trim: false,
            lstrip: false,
            undefined: Undefined::Strict,
        };
        let model = pm_render::Models::get().index("devices.router").context("no routers")?;
        let row = pm_render::Row { model, index: 0 };
        let rendering =
            engine.render(&source, "edge", |environment| environment.render_configuration(row, &source))?;
        ensure!(wants.more(&snapshot).is_none(), "the snapshot lacks something");
        println!("{} {}", begun.elapsed().as_micros(), rendering.text.len());
        transaction.rollback().await?;
    }
    store.close().await;
    Ok(())
}
