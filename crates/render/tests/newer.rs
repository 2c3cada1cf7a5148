//! What version 1.11 of the original added for templates, over a small world of its own.

use std::collections::HashMap;
use std::sync::Arc;

use pm_render::{
    About, Environment, Limits, Models, Row, Settings, Source, TemplateError, Templates, Undefined, World,
};
use serde_json::{Value as Json, json};

/// A router with a session of each kind, and communities of each type.
fn world() -> World {
    let choice = |value: &str| json!({ "value": value, "label": value });
    let community = |id: u64, kind: Json| {
        let name = format!("c{id}");
        json!({ "id": id, "name": name, "slug": name, "value": format!("64500:{id}"), "type": kind,
            "category": choice("action"), "private": id == 3 })
    };
    let communities = [
        community(1, choice("ingress")),
        community(2, choice("egress")),
        community(3, choice("ingress-egress")),
        community(4, Json::Null),
    ];
    let macros = "{% macro neighbour(session) %}neighbour {{ session | ip }}{% endmacro %}";
    let lists = [
        ("bgp--communities", json!(communities)),
        ("bgp--relationships", json!([{ "id": 1, "name": "Transit", "slug": "transit" }])),
        (
            "devices--platforms",
            json!([{ "id": 1, "name": "Turned", "slug": "turned", "password_algorithm": choice("cisco-type7") }]),
        ),
        ("devices--configurations", json!([{ "id": 7, "name": "Macros", "template": macros }])),
        (
            "extras--export-templates",
            json!([{ "id": 9, "name": "Numbers", "content_type": "peering.autonomoussystem",
                "template": "{% macro number(system) %}<{{ system.asn }}>{% endmacro %}{{ dataset | default([]) | length }}" }]),
        ),
        (
            "devices--routers",
            json!([
                { "id": 1, "name": "edge", "hostname": "edge.example.net", "platform": { "id": 1 },
                    "local_autonomous_system": { "id": 1 }, "communities": [] },
                { "id": 2, "name": "bare", "hostname": "bare.example.net", "communities": [] },
            ]),
        ),
        (
            "peering--autonomous-systems",
            json!([{ "id": 1, "asn": 64500, "name": "Own" }, { "id": 2, "asn": 64501, "name": "Other" }]),
        ),
        (
            "peering--bgp-groups",
            json!([{ "id": 1, "name": "Group", "slug": "group", "communities": [1, 2, 3, 4] }]),
        ),
        (
            "peering--direct-peering-sessions",
            json!([
                { "id": 1, "autonomous_system": { "id": 2 }, "local_autonomous_system": { "id": 1 },
                    "ip_address": "192.0.2.1/31", "router": { "id": 1 }, "bgp_group": { "id": 1 },
                    "relationship": { "id": 1 }, "bgp_role": choice("customer"), "password": "open",
                    "communities": [1, 2, 3, 4] },
                { "id": 2, "autonomous_system": { "id": 2 }, "local_autonomous_system": { "id": 1 },
                    "ip_address": "192.0.2.3/31", "router": { "id": 1 }, "bgp_group": { "id": 1 },
                    "relationship": { "id": 1 }, "communities": [] },
            ]),
        ),
    ];
    let lists: HashMap<String, Json> =
        lists.into_iter().map(|(name, rows)| (name.to_owned(), rows)).collect();
    pm_render::original::world(&lists, &Json::Null)
}

fn environment() -> Environment {
    let world = Arc::new(world());
    let templates = Templates::of(&world);
    let settings = Settings {
        encrypt_password: Some(|form, text, key| Some(format!("7 {form}/{text}/{key}"))),
        ..Settings::default()
    };
    Environment::new(world, templates, settings, Limits::default(), chrono::DateTime::UNIX_EPOCH)
}

fn source(template: &str) -> Source {
    Source {
        name: "<template>".into(),
        text: template.into(),
        trim: false,
        lstrip: false,
        undefined: Undefined::Strict,
    }
}

fn render(template: &str) -> Result<String, TemplateError> {
    let model = Models::get().index("devices.router").unwrap();
    environment()
        .render_configuration(Row { model, index: 0 }, &source(template))
        .map(|rendered| rendered.text)
}

/// The first session of the router, as `s`.
const SESSION: &str = "{% set s = (router | direct_sessions).first() %}";

#[test]
fn communities_are_told_apart_by_direction() {
    for (template, text) in [
        ("{{ s | communities(direction='ingress') | join(' ') }}", "c1 c3"),
        ("{{ s | communities('value', 'egress') | join(' ') }}", "64500:2 64500:3"),
        ("{{ s | communities(field='value') | join(' ') }}", "64500:1 64500:2 64500:3 64500:4"),
        ("{{ bgp_groups[0] | communities('name', direction='') | length }}", "4"),
        ("{{ s | communities | length }}{{ (s | communities).count() }}", "44"),
        ("{{ s | merge_communities | filter(is_ingress=True) | join(' ') }}", "c1 c3"),
        (
            "{% for c in s | communities if c.is_egress %}{{ c.get_type_display() }} {% endfor %}",
            "Egress Ingress+Egress ",
        ),
        (
            "{% for c in s | communities if c.private %}{{ c.name }}, {{ c.get_category_display() }}{% endfor %}",
            "c3, Action",
        ),
        ("{{ router | communities('value', direction='ingress') }}", "[]"),
    ] {
        assert_eq!(render(&format!("{SESSION}{template}")).unwrap(), text, "{template}");
    }
    let error = render(&format!("{SESSION}{{{{ s | communities(direction='in') }}}}")).unwrap_err();
    assert_eq!(error.message, "unknown community direction: in");
    let error = render(&format!("{SESSION}{{{{ s | communities('valeu') }}}}")).unwrap_err();
    assert_eq!(error.message, "'Community' object has no attribute 'valeu'");
}

#[test]
fn sessions_know_their_role_and_the_one_opposite() {
    let template = "{% for s in router | direct_sessions %}{{ s.bgp_role }} {{ s.bgp_role_code }} \
                    {{ s.remote_bgp_role }} {{ s.get_bgp_role_display() }}\n{% endfor %}";
    assert_eq!(render(template).unwrap(), "customer 3 provider Customer\nNone None None None\n");
}

#[test]
fn passwords_take_a_key_of_the_templates_choice() {
    for (template, text) in [
        ("{{ s.password | encrypt_password(router, 'group') }}", "7 cisco-type7/open/group"),
        ("{{ s.password | encrypt_password(router) }}", "7 cisco-type7/open/"),
        ("{{ '7 0822' | encrypt_password(router, key='x') }}", "7 0822"),
    ] {
        assert_eq!(render(&format!("{SESSION}{template}")).unwrap(), text, "{template}");
    }
    let model = Models::get().index("devices.router").unwrap();
    let bare = environment().render_configuration(
        Row { model, index: 1 },
        &source("{{ 'open' | encrypt_password(router, 'key') }}"),
    );
    assert_eq!(bare.unwrap().text, "open", "a router without a platform has no notation");
    let error = render("{{ 'open' | encrypt_password(local_as) }}").unwrap_err();
    assert_eq!(error.message, "value is not a router");
}

#[test]
fn stored_templates_are_imported_by_name_and_number() {
    for (template, text) in [
        ("{% import_configuration 'Macros' as m %}{{ m.neighbour(s) }}", "neighbour 192.0.2.1"),
        ("{% import_configuration 7 as m %}{{ m.neighbour(s) }}", "neighbour 192.0.2.1"),
        ("{% from_configuration Macros import neighbour as n %}{{ n(s) }}", "neighbour 192.0.2.1"),
        // An export template is imported as it is written, and included as what it renders to.
        ("{% from_exporttemplate 'Numbers' import number %}{{ number(local_as) }}", "<64500>"),
        ("{% include_exporttemplate 'Numbers' %}", "2"),
    ] {
        assert_eq!(render(&format!("{SESSION}{template}")).unwrap(), text, "{template}");
    }
}

#[test]
fn whole_objects_are_written_out_as_before() {
    let written = render(&format!("{SESSION}{{{{ s | as_json }}}}{{{{ communities | as_yaml }}}}")).unwrap();
    for name in ["bgp_role", "category", "private"] {
        assert!(!written.contains(name), "{name} in {written}");
    }
}

#[test]
fn what_is_new_is_known_to_the_check() {
    let template = "{% for s in router | direct_sessions %}{{ s.bgp_role_code }}{{ s.remote_bgp_role }}\
                    {% for c in s | communities(direction='ingress') %}{{ c.is_ingress }}{{ c.privat }}{% endfor %}\
                    {% endfor %}{{ local_as.prefixes_updated }}";
    let findings = environment().check(&source(template), &About::Configuration);
    let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(messages, ["Community has no attribute `privat`, did you mean `private`?"]);
}
