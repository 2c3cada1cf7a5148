//! Templates that want too much, or what is not theirs.

use std::collections::HashMap;
use std::sync::Arc;

use pm_render::{
    Environment, ErrorKind, Limits, Rendered, Settings, Source, TemplateError, Templates, Undefined,
};
use serde_json::json;

fn render_with(template: &str, undefined: Undefined) -> Result<Rendered, TemplateError> {
    let lists = HashMap::from([
        (
            "extras--tags".to_owned(),
            json!([{"id": 1, "name": "one", "slug": "one", "color": "ffffff", "description": ""}]),
        ),
        (
            "devices--configurations".to_owned(),
            json!([
                {"id": 1, "name": "self", "template": "{% include_configuration 'self' %}"},
                {"id": 2, "name": "parent", "template": "{% extends 'configuration::parent' %}"},
            ]),
        ),
    ]);
    let world = Arc::new(pm_render::original::world(&lists, &json!({})));
    let limits = Limits { fuel: 2_000_000, output: 1 << 20, recursion: 50 };
    let templates = Templates::of(&world);
    let settings = Settings { do_tag: true, ..Settings::default() };
    let environment = Environment::new(world, templates, settings, limits, chrono::DateTime::UNIX_EPOCH);
    let source =
        Source { name: "hostile".into(), text: template.into(), trim: false, lstrip: false, undefined };
    environment.render_export("extras.tag", &source)
}

fn render(template: &str) -> Result<Rendered, TemplateError> {
    render_with(template, Undefined::Lenient)
}

#[test]
fn what_never_ends_is_stopped() {
    for template in [
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% include_configuration 'self' %}",
        "{% extends 'configuration::parent' %}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% set l = [1] %}{% for x in range(60) %}{% do l.extend(l) %}{% endfor %}",
        "{% set l = [] %}{% do l.append(l) %}{{ l | as_json }}",
        "{% set l = [] %}{% do l.append(l) %}{% set m = [] %}{% do m.append(m) %}{{ (l | string | length) * 'x' * 100000000 }}",
        "{{ 'a' * 1000000000000 }}",
        "{{ [0] * 100000000000 }}",
        "{{ 'x' | center(99999999999) }}",
        "{{ 'x'.ljust(99999999999) }}",
        "{{ '%99999999999d' % 1 }}",
        "{{ '{:99999999999}'.format(1) }}",
        "{{ 'x' | indent(9999999999) }}",
        "{{ 'a\tb'.expandtabs(99999999999) }}",
        "{{ ('a' * 1000000) | replace('a', 'bbbbbbbbbbbbbbbb' * 1000) }}",
        "{{ [1] | batch(99999999999, 0) | list | length }}",
        "{{ 10 ** 1000000 }}",
        "{{ 'x'.zfill(99999999999) }}",
        "{% set x = 'aaaaaaaaaa' %}{% for i in range(40) %}{% set ns = namespace(x=x ~ x) %}{{ ns.x * 1000000 }}{% endfor %}",
    ] {
        let fault = render(template).map(|rendered| rendered.text.len()).unwrap_err();
        let known = fault.kind == ErrorKind::Limit || fault.class == "ValueError";
        assert!(known, "{template}: {} {fault}", fault.class);
        assert!(fault.place().is_some(), "{template}");
    }
}

#[test]
fn the_stack_is_not_used_up() {
    let ifs = "{% if 1 %}".repeat(50);
    let ends = "{% endif %}".repeat(50);
    let parens = "[".repeat(25);
    let closed = "]".repeat(25);
    for template in [
        format!("{{% macro m() %}}{ifs}{{{{ m() }}}}{ends}{{% endmacro %}}{{{{ m() }}}}"),
        format!("{{% macro m() %}}{{{{ {parens}m(){closed} }}}}{{% endmacro %}}{{{{ m() }}}}"),
    ] {
        assert_eq!(render(&template).unwrap_err().kind, ErrorKind::Limit);
    }
}

#[test]
fn deep_nesting_is_refused() {
    for template in ["(".repeat(5000), "[".repeat(5000), "not ".repeat(5000), "-".repeat(5000)] {
        let fault = render(&format!("{{{{ {template}1 }}}}")).unwrap_err();
        assert_eq!(fault.kind, ErrorKind::Syntax, "{fault}");
    }
    let blocks = "{% if 1 %}".repeat(5000);
    assert_eq!(render(&blocks).unwrap_err().kind, ErrorKind::Syntax);
}

#[test]
fn private_names_are_not_reached() {
    for template in [
        "{{ dataset[0]._meta }}",
        "{{ dataset[0].__class__ }}",
        "{{ ''.__class__ }}",
        "{{ dataset[0]['__dict__'] }}",
        "{{ dataset[0] | attr('__class__') }}",
        "{{ dataset._db }}",
    ] {
        assert_eq!(render(template).unwrap().text, "", "{template}");
    }
    for template in ["{{ dataset[0].__class__.__mro__ }}", "{{ '{0.__class__}'.format(dataset[0]) }}"] {
        assert_eq!(render(template).unwrap_err().class, "jinja2.exceptions.SecurityError", "{template}");
    }
}

#[test]
fn nothing_is_written() {
    for template in [
        "{{ dataset[0].delete() }}",
        "{{ dataset[0].save() }}",
        "{{ dataset.update(name='x') }}",
        "{{ dataset.delete() }}",
    ] {
        assert_eq!(render(template).unwrap_err().class, "jinja2.exceptions.SecurityError", "{template}");
    }
}

#[test]
fn strict_templates_tell_what_is_missing() {
    for template in [
        "{{ nothing }}",
        "{% if nothing %}{% endif %}",
        "{% for x in nothing %}{% endfor %}",
        "{{ dataset[0].colour }}",
    ] {
        assert!(render(template).is_ok(), "{template}");
        let fault = render_with(template, Undefined::Strict).unwrap_err();
        assert_eq!(fault.class, "jinja2.exceptions.UndefinedError", "{template}");
    }
    let guarded = "{{ nothing is defined }} {{ nothing | default('x') }}{{ 'y' if false }}";
    assert_eq!(render_with(guarded, Undefined::Strict).unwrap().text, "False x");
}

#[test]
fn an_error_names_template_line_and_text() {
    let fault = render("first\n  {{ dataset[0].name.nothing.more }}\n").unwrap_err();
    let place = fault.place().unwrap();
    assert_eq!((place.template.as_str(), place.line), ("hostile", 2));
    assert_eq!(place.text, "{{ dataset[0].name.nothing.more }}");
    assert!(fault.to_string().starts_with("template hostile, line 2 (`{{ dataset"), "{fault}");
}
