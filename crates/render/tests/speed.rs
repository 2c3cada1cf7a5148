//! How long large configurations take. Run with `--release -- --ignored --nocapture`; the bounds are for that.
#![expect(clippy::unwrap_used, reason = "for tests")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use pm_render::{
    Data, Environment, Limits, Models, PrefixEntry, PrefixLists, Record, Row, Settings, Source, Templates,
    Undefined, World,
};

const TEMPLATE: &str = "
{%- for session in router | ixp_sessions %}
neighbor {{ session | ip }} remote-as {{ session.autonomous_system.asn }}
 description {{ session.autonomous_system.name | safe_string }} {{ session.ixp_connection.internet_exchange_point.name }}
{%- if session | max_prefix %}
 maximum-prefix {{ session | max_prefix }}
{%- endif %}
{%- for policy in session | merge_import_policies %}
 route-map {{ policy.slug }} in
{%- endfor %}
{%- for community in session | merge_communities %}
 set community {{ community.value }}
{%- endfor %}
 {{ 'no ' if session | inherited_status != 'disabled' }}shutdown{{ ' tagged' if session | has_tag('x') }}
{%- endfor %}
{%- for as in autonomous_systems %}
{%- for p in as | prefix_list(4) %}
ip prefix-list as{{ as.asn }} permit {{ p.prefix }}{% if not p.exact %} le {{ p['less-equal'] }}{% endif %}
{%- endfor %}
{%- endfor %}
";

fn record(model: &str, id: u64, fields: &[(&str, Data)]) -> Record {
    let models = Models::get();
    let model = &models.all()[usize::from(models.index(model).unwrap_or_default())];
    let find = |name: &str| {
        fields.iter().find(|(field, _)| *field == name).map_or(Data::Null, |(_, data)| data.clone())
    };
    Record { id, values: model.fields.iter().map(|field| find(&field.name)).collect() }
}

fn text(text: &str) -> Data {
    Data::Text(text.into())
}

fn world(sessions: u32, prefixes_each: u32) -> World {
    let mut records: HashMap<String, Vec<Record>> = HashMap::new();
    let systems = (sessions / 4).max(1);
    let prefix = |system: u32, at: u32| PrefixEntry {
        prefix: pm_render::Interface::parse(&format!(
            "{}.{}.{}.0/24",
            1 + system % 200,
            at / 256 % 256,
            at % 256
        ))
        .unwrap()
        .network(),
        written: None,
        exact: at.is_multiple_of(3),
        greater_equal: None,
        less_equal: Some(24),
    };
    let policies = |ids: &[u64]| Data::References(ids.into());
    let policy = |id: u64| {
        let name = format!("policy-{id}");
        let fields = [
            ("name", text(&name)),
            ("slug", text(&name)),
            ("weight", Data::Int(1)),
            ("address_family", Data::Int(0)),
        ];
        record("peering.routingpolicy", id, &fields)
    };
    records.insert("peering.routingpolicy".into(), (1..=20).map(policy).collect());
    let community = |id: u64| {
        record("bgp.community", id, &[("name", text("c")), ("value", text(&format!("65000:{id}")))])
    };
    records.insert("bgp.community".into(), (1..=20).map(community).collect());
    let system = |at: u32| {
        let lists = PrefixLists {
            ipv4: (0..prefixes_each).map(|p| prefix(at, p)).collect::<Vec<_>>().into(),
            ..PrefixLists::default()
        };
        let fields = [
            ("asn", Data::Int(i64::from(at) + 1000)),
            ("name", text(&format!("Netz {at} Größe"))),
            ("ipv4_max_prefixes", Data::Int(100)),
            ("prefixes", Data::Prefixes(Arc::new(lists))),
            ("import_routing_policies", policies(&[1, 2, 3])),
            ("communities", policies(&[4, 5])),
        ];
        record("peering.autonomoussystem", u64::from(at) + 1, &fields)
    };
    records.insert("peering.autonomoussystem".into(), (0..systems).map(system).collect());
    let router = [
        ("name", text("edge")),
        ("local_autonomous_system", Data::Reference(1)),
        ("status", text("enabled")),
    ];
    records.insert("devices.router".into(), vec![record("devices.router", 1, &router)]);
    let exchange = [
        ("name", text("IX")),
        ("slug", text("ix")),
        ("status", text("enabled")),
        ("import_routing_policies", policies(&[7])),
    ];
    records.insert("peering.internetexchange".into(), vec![record("peering.internetexchange", 1, &exchange)]);
    let link = [
        ("router", Data::Reference(1)),
        ("internet_exchange_point", Data::Reference(1)),
        ("status", text("enabled")),
    ];
    records.insert("net.connection".into(), vec![record("net.connection", 1, &link)]);
    let session = |at: u32| {
        let fields = [
            ("autonomous_system", Data::Reference(u64::from(at % systems) + 1)),
            ("ixp_connection", Data::Reference(1)),
            ("ip_address", Data::Ip(std::net::Ipv4Addr::from(0x0a00_0000 + at).into())),
            ("status", text("enabled")),
            ("communities", policies(&[1, 2])),
        ];
        record("peering.internetexchangepeeringsession", u64::from(at) + 1, &fields)
    };
    records.insert("peering.internetexchangepeeringsession".into(), (0..sessions).map(session).collect());
    World::new(records)
}

fn measure(sessions: u32, prefixes_each: u32) -> (u128, usize) {
    let world = Arc::new(world(sessions, prefixes_each));
    let templates = Templates::of(&world);
    let now = chrono::DateTime::UNIX_EPOCH;
    let environment = Environment::new(world, templates, Settings::default(), Limits::default(), now);
    let router = Row { model: Models::get().index("devices.router").unwrap(), index: 0 };
    let source = Source {
        name: "speed".into(),
        text: TEMPLATE.into(),
        trim: false,
        lstrip: false,
        undefined: Undefined::Strict,
    };
    let begin = Instant::now();
    let rendered = environment.render_configuration(router, &source).unwrap();
    (begin.elapsed().as_millis(), rendered.text.lines().count())
}

#[test]
#[ignore = "measures; only a release build says anything"]
fn large_configurations_are_quick() {
    let mut report = String::new();
    for (sessions, prefixes, bound) in [(400, 20, 25), (10_000, 400, 2_000)] {
        let (millis, lines) = measure(sessions, prefixes);
        let _ = writeln!(report, "{sessions} sessions, {lines} lines: {millis} ms (bound {bound} ms)");
        assert!(millis < bound, "{report}");
    }
    println!("{report}");
}
