//! Looking templates over: what is wrong is found, and what renders is not called wrong.

use crate::recorded;
use std::collections::HashMap;
use std::sync::Arc;

use pm_render::{About, Environment, Finding, Limits, Settings, Source, Templates, Undefined, World};

fn check_with(settings: Settings, about: &About, text: &str) -> Vec<Finding> {
    let world = Arc::new(World::new(HashMap::new()));
    let templates = Templates::of(&world);
    let now = chrono::DateTime::UNIX_EPOCH;
    let environment = Environment::new(world, templates, settings, Limits::default(), now);
    let source = Source {
        name: "test".into(),
        text: text.into(),
        trim: false,
        lstrip: false,
        undefined: Undefined::Lenient,
    };
    environment.check(&source, about)
}

fn check(text: &str) -> Vec<(usize, String)> {
    let findings = check_with(Settings::default(), &About::Configuration, text);
    findings.into_iter().map(|finding| (finding.line, finding.message)).collect()
}

#[test]
fn misspelt_names_are_found_where_they_stand() {
    for (text, line, message) in [
        ("a\n{{ router.name | uper }}", 2, "no filter `uper`, did you mean `upper`?"),
        ("{% if router is definde %}{% endif %}", 1, "no test `definde`, did you mean `defined`?"),
        ("{{ router.hostnme }}", 1, "Router has no attribute `hostnme`, did you mean `hostname`?"),
        (
            "{% for s in router | direct_sessions %}\n{{ s.autonomous_sytem.asn }}\n{% endfor %}",
            2,
            "DirectPeeringSession has no attribute `autonomous_sytem`, did you mean `autonomous_system`?",
        ),
        (
            "{% for s in router | direct_sessions(family=6) | sort(attribute='id') %}{{ s.autonomous_system.asnn }}{% endfor %}",
            1,
            "AutonomousSystem has no attribute `asnn`, did you mean `asn`?",
        ),
        (
            "{% for ixp in internet_exchange_points %}{% for c in ixp.get_connections().filter(vlan=1) %}{{ c.vlam }}\n{% endfor %}{% endfor %}",
            1,
            "Connection has no attribute `vlam`, did you mean `vlan`?",
        ),
        (
            "{% for g in bgp_groups %}{% set s = (g | sessions).first() %}{{ s.local_ip_adress }}{% endfor %}",
            1,
            "DirectPeeringSession has no attribute `local_ip_adress`, did you mean `local_ip_address`?",
        ),
        (
            "{% for s in deleted_sessions | filter(family=4) %}{{ s.remote_as }}{% endfor %}",
            1,
            "DeletedSession has no attribute `remote_as`, did you mean `remote_asn`?",
        ),
        (
            "{{ autonomous_systems | map(attribute='nam') | join }}",
            1,
            "AutonomousSystem has no attribute `nam`",
        ),
        ("{{ local_as.tags.all()[0].slg }}", 1, "Tag has no attribute `slg`"),
        ("{# undefined: strct #}", 1, "`undefined: strct` is neither `strict` nor `lenient`"),
    ] {
        let found = check(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!(found[0].0, line, "{text}");
        assert!(found[0].1.starts_with(message), "{text}: {}", found[0].1);
    }
}

#[test]
fn what_cannot_be_told_passes() {
    for text in [
        "{{ anything.at.all }}",
        "{% if router.foo is defined %}{% endif %}{{ router.foo | default('x') }}",
        "{% set x = router %}{% set x = 'text' %}{{ x.foo }}",
        "{% set x = router %}{% if local_as %}{% set x = {} %}{% endif %}{{ x.foo }}",
        "{% macro m(router) %}{{ router.foo }}{% endmacro %}",
        "{% for router in [{'foo': 1}] %}{{ router.foo }}{% endfor %}",
        "{{ router.config_context.foo.bar }}{{ local_as.get_absolute_url() }}{{ router.get_status_display() }}",
        "{{ router.connection_set.all() }}{{ router.platform_id }}{{ router.pk }}",
    ] {
        assert_eq!(check(text), [], "{text}");
    }
}

/// Cases that name, on purpose, what is not there, and get nothing for it. To say so is right.
const NOTHING_THERE: [&str; 4] =
    ["filter_iterate", "filter_unique_items", "jinja_filters_objects", "jinja_unknown_filter_not_taken"];

#[test]
fn what_renders_is_not_called_wrong() {
    let Some(root) = recorded::extra_cases() else { return };
    let mut wrong = Vec::new();
    let mut misspelt = [0_usize; 2];
    for (folder, name, flags) in recorded::cases(&root) {
        let about = if flags["mail"].is_object() { About::Mail } else { About::Configuration };
        for (template, _, error) in recorded::PARTS {
            let Ok(text) = std::fs::read_to_string(folder.join(template)) else { continue };
            if folder.join(error).exists() {
                continue;
            }
            let look = |text: &str| check_with(recorded::settings(&flags), &about, text);
            let found = look(&text);
            if !found.is_empty() && !NOTHING_THERE.contains(&name.as_str()) {
                wrong.push(format!("  {name}: {found:?}"));
            }
            for (at, (right, misspelling)) in
                [("| safe_string", "| safe_strng"), (".autonomous_system.asn", ".autonomous_sytem.asn")]
                    .iter()
                    .enumerate()
            {
                if text.contains(right) && name.starts_with("full_") {
                    let found = look(&text.replacen(right, misspelling, 1));
                    let seen = found.iter().any(|found| found.message.contains("did you mean"));
                    misspelt[at] += usize::from(seen);
                    // Where a session comes out of a list that the template made, it may be anything.
                    assert!(seen || at == 1, "{name}: {right}");
                }
            }
        }
    }
    println!("misspelt {misspelt:?}");
    assert!(wrong.is_empty(), "{} false alarms:\n{}", wrong.len(), wrong.join("\n"));
    assert!(misspelt.iter().all(|count| *count > 3), "{misspelt:?}");
}
