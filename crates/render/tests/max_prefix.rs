//! The filter `max_prefix`, under both rules.

use std::collections::HashMap;
use std::sync::Arc;

use pm_render::{
    Environment, Limits, MaxPrefix, Models, Rendered, Row, Settings, Source, Templates, Undefined,
};
use serde_json::json;

const GUARDED: MaxPrefix = MaxPrefix::Guarded { headroom: 100, percent: 15, ceilings: [10_000, 5_000] };

/// Renders for a router with a session over IPv4 and one over IPv6 with one autonomous system.
fn render(rule: MaxPrefix, template: &str, system: &serde_json::Value) -> Rendered {
    let session = |id: u32, address: &str| {
        json!({"id": id, "service_reference": id.to_string(), "ip_address": address,
            "autonomous_system": 1, "router": 1})
    };
    let lists = HashMap::from([
        ("peering--autonomous-systems".to_owned(), json!([system])),
        ("devices--routers".to_owned(), json!([{"id": 1, "name": "r1"}])),
        (
            "peering--direct-peering-sessions".to_owned(),
            json!([session(1, "192.0.2.1/31"), session(2, "2001:db8::1/127")]),
        ),
    ]);
    let world = Arc::new(pm_render::original::world(&lists, &json!({})));
    let settings = Settings { max_prefix: rule, ..Settings::default() };
    let now = chrono::DateTime::UNIX_EPOCH;
    let environment = Environment::new(world, Templates::default(), settings, Limits::default(), now);
    let source = Source {
        name: "edge".into(),
        text: template.into(),
        trim: false,
        lstrip: false,
        undefined: Undefined::Strict,
    };
    let router = Row { model: Models::get().index("devices.router").unwrap(), index: 0 };
    environment.render_configuration(router, &source).unwrap()
}

/// What the filter gives for IPv4 and for IPv6, and how many warnings there are.
fn limits(rule: MaxPrefix, system: &serde_json::Value) -> (String, usize) {
    let template = "{% for s in router | direct_sessions %}{{ s | max_prefix }} {% endfor %}";
    let rendered = render(rule, template, system);
    (rendered.text.trim_end().to_owned(), rendered.warnings.len())
}

fn system(
    asn: u32,
    limits: [serde_json::Value; 2],
    from_peeringdb: impl Into<serde_json::Value>,
) -> serde_json::Value {
    let [ipv4, ipv6] = limits;
    let from_peeringdb = from_peeringdb.into();
    json!({"id": 1, "asn": asn, "name": "Peer", "ipv4_max_prefixes": ipv4, "ipv6_max_prefixes": ipv6,
        "ipv4_max_prefixes_peeringdb_sync": from_peeringdb, "ipv6_max_prefixes_peeringdb_sync": from_peeringdb})
}

#[test]
fn the_plain_rule_gives_the_field_as_it_is() {
    for (values, wanted) in [
        ([json!(300), json!(7)], "300 7"),
        ([json!(0), json!(null)], "0 None"),
        ([json!(2_000_000), json!(900_000)], "2000000 900000"),
    ] {
        for from_peeringdb in [true, false] {
            let system = system(2914, values.clone(), from_peeringdb);
            assert_eq!(limits(MaxPrefix::Plain, &system), (wanted.to_owned(), 0));
        }
    }
}

#[test]
fn what_peeringdb_says_gets_headroom_up_to_the_ceiling_of_its_family() {
    // (300 + 100) * 1.15 and (7 + 100) * 1.15, rounded up.
    assert_eq!(limits(GUARDED, &system(2914, [json!(300), json!(7)], true)), ("460 124".to_owned(), 0));
    assert_eq!(limits(GUARDED, &system(2914, [json!(9_000), json!(1)], true)), ("10000 117".to_owned(), 1));
    assert_eq!(
        limits(GUARDED, &system(2914, [json!(2_000_000), json!(900_000)], true)),
        ("10000 5000".to_owned(), 2)
    );
    let exact = MaxPrefix::Guarded { headroom: 0, percent: 0, ceilings: [300, 7] };
    assert_eq!(limits(exact, &system(2914, [json!(300), json!(7)], true)), ("300 7".to_owned(), 0));
}

#[test]
fn what_was_set_by_hand_is_taken_as_it_is() {
    let high = [json!(2_000_000), json!(900_000)];
    assert_eq!(limits(GUARDED, &system(2914, high.clone(), false)), ("2000000 900000".to_owned(), 0));
    // PeeringDB has no private AS numbers, so that a limit of one was set by hand whatever the flag says.
    assert_eq!(limits(GUARDED, &system(64_512, high.clone(), true)), ("2000000 900000".to_owned(), 0));
    assert_eq!(limits(GUARDED, &system(4_200_000_001, high, true)), ("2000000 900000".to_owned(), 0));
}

#[test]
fn zero_and_blank_are_never_given_and_said() {
    for asn in [2914, 64_512] {
        for from_peeringdb in [true, false] {
            for nothing in [json!(0), json!(null), json!(-5)] {
                let none = system(asn, [nothing.clone(), nothing], from_peeringdb);
                assert_eq!(limits(GUARDED, &none), ("10000 5000".to_owned(), 2));
            }
        }
    }
    let none = system(2914, [json!(null), json!(9)], true);
    let rendered = render(GUARDED, "{{ (router | direct_sessions | first) | max_prefix }}", &none);
    let warning = "AS2914 - Peer has no limit of IPv4 prefixes, and 10000 is used";
    assert_eq!((rendered.text.as_str(), rendered.warnings), ("10000", vec![warning.to_owned()]));
}

#[test]
fn the_field_itself_is_as_it_is_under_both_rules() {
    let template =
        "{% for s in router | direct_sessions %}{{ s.autonomous_system.ipv4_max_prefixes }} {% endfor %}";
    for rule in [GUARDED, MaxPrefix::Plain] {
        let rendered = render(rule, template, &system(2914, [json!(0), json!(0)], true));
        assert_eq!((rendered.text.as_str(), rendered.warnings.len()), ("0 0 ", 0));
    }
}
