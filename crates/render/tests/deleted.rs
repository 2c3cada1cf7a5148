//! `deleted_sessions`: where there are any, and where the name says nothing.

use std::collections::HashMap;
use std::sync::Arc;

use pm_render::{
    Coverage, Data, Environment, Limits, Models, Record, Rendered, Row, Settings, Source, TemplateError,
    Templates, Undefined, World,
};

const MODEL: &str = "peering.deletedsession";

/// A record in which only these fields say anything.
fn record(model: &str, id: u64, fields: &[(&str, Data)]) -> Record {
    let models = Models::get();
    let model = &models.all()[usize::from(models.index(model).unwrap())];
    let value = |name: &str| {
        fields.iter().find(|(field, _)| *field == name).map_or(Data::Null, |(_, data)| data.clone())
    };
    Record { id, values: model.fields.iter().map(|field| value(&field.name)).collect() }
}

fn world() -> World {
    let router = |id: u64, name: &str| record("devices.router", id, &[("name", Data::Text(name.into()))]);
    let deleted = |id: u64, router: u64, address: &str, asn: i64| {
        let address: std::net::IpAddr = address.parse().unwrap();
        let family = Data::Int(if address.is_ipv4() { 4 } else { 6 });
        let fields = [
            ("router", Data::Reference(router)),
            ("ip_address", Data::Ip(address)),
            ("family", family),
            ("remote_asn", Data::Int(asn)),
            ("remote_name", Data::Text("Peer".into())),
        ];
        record(MODEL, id, &fields)
    };
    World::new(HashMap::from([
        ("devices.router".to_owned(), vec![router(1, "edge1"), router(2, "edge2")]),
        (
            MODEL.to_owned(),
            vec![
                deleted(1, 2, "192.0.2.1", 64_500),
                deleted(2, 1, "2001:db8::1", 64_500),
                deleted(3, 1, "192.0.2.9", 64_501),
                deleted(4, 1, "192.0.2.2", 64_502),
            ],
        ),
    ]))
}

fn environment(world: &Arc<World>) -> Environment {
    let now = chrono::DateTime::UNIX_EPOCH;
    Environment::new(world.clone(), Templates::default(), Settings::default(), Limits::default(), now)
}

fn source(text: &str) -> Source {
    Source {
        name: "edge".into(),
        text: text.into(),
        trim: false,
        lstrip: false,
        undefined: Undefined::Strict,
    }
}

fn render(text: &str) -> Result<Rendered, TemplateError> {
    let router = Row { model: Models::get().index("devices.router").unwrap(), index: 0 };
    environment(&Arc::new(world())).render_configuration(router, &source(text))
}

#[test]
fn they_are_those_of_the_router_by_address_and_can_be_filtered() {
    for (text, wanted) in [
        ("{% for s in deleted_sessions %}{{ s | ip }} {% endfor %}", "192.0.2.2 192.0.2.9 2001:db8::1 "),
        ("{{ deleted_sessions | length }}", "3"),
        ("{{ deleted_sessions.count() }}", "3"),
        ("{{ (deleted_sessions | filter(remote_asn=64501) | first).ip_address }}", "192.0.2.9"),
        ("{{ deleted_sessions | map(attribute='remote_asn') | join(',') }}", "64502,64501,64500"),
        ("{{ deleted_sessions | iterate('remote_name') | unique | join }}", "Peer"),
        ("{{ deleted_sessions | first }}", "AS64502 - IP 192.0.2.2"),
        ("{{ (deleted_sessions | last) | ip_version }}", "6"),
        ("{{ (deleted_sessions | first).router.name }}", "edge1"),
        ("{% if deleted_sessions is defined %}{{ 'yes' }}{% endif %}", "yes"),
        ("{% macro gone() %}{{ deleted_sessions | length }}{% endmacro %}{{ gone() }}", "3"),
        ("{% set deleted_sessions = [] %}{{ deleted_sessions | length }}", "0"),
    ] {
        assert_eq!(render(text).unwrap().text, wanted, "{text}");
    }
}

#[test]
fn they_can_no_more_than_say_what_they_were() {
    for text in [
        "{{ (deleted_sessions | first) | max_prefix }}",
        "{{ (deleted_sessions | first).delete() }}",
        "{{ (deleted_sessions | first).password }}",
        "{{ (deleted_sessions | first).autonomous_system }}",
    ] {
        assert!(render(text).is_err(), "{text}");
    }
}

#[test]
fn a_world_without_them_says_so_only_when_they_are_asked_for() {
    let router = Row { model: Models::get().index("devices.router").unwrap(), index: 0 };
    for (text, lacking) in [("{{ router.name }}", vec![]), ("{{ deleted_sessions | length }}", vec![MODEL])] {
        let world = Arc::new(world().holding(MODEL, Coverage::Nothing));
        environment(&world).render_configuration(router, &source(text)).unwrap();
        assert_eq!(world.lacking(), lacking, "{text}");
    }
}

#[test]
fn what_is_for_no_router_has_none() {
    let environment = environment(&Arc::new(world()));
    let text = "{{ deleted_sessions is defined }}";
    assert_eq!(environment.render_export("extras.tag", &source(text)).unwrap().text, "False");
}
