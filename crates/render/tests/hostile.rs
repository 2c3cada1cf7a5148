//! Templates that want too much, or what is not theirs.

use std::collections::HashMap;
use std::sync::Arc;

use pm_render::{
    Environment, ErrorKind, Limits, Rendered, Settings, Source, TemplateError, Templates, Undefined,
};
use serde_json::json;

fn environment(limits: Limits) -> Environment {
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
    let templates = Templates::of(&world);
    let settings = Settings { do_tag: true, ..Settings::default() };
    Environment::new(world, templates, settings, limits, chrono::DateTime::UNIX_EPOCH)
}

fn source(template: &str, undefined: Undefined) -> Source {
    Source { name: "hostile".into(), text: template.into(), trim: false, lstrip: false, undefined }
}

fn render_within(template: &str, undefined: Undefined, limits: Limits) -> Result<Rendered, TemplateError> {
    environment(limits).render_export("extras.tag", &source(template, undefined))
}

fn render_with(template: &str, undefined: Undefined) -> Result<Rendered, TemplateError> {
    render_within(template, undefined, Limits { fuel: 2_000_000, output: 1 << 20, recursion: 50 })
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
fn what_holds_itself_is_not_followed_for_ever() {
    let lists = "{% set l = [] %}{{ l.append(l) }}{% set m = [] %}{{ m.append(m) }}";
    let deep = "{% set a = namespace(l=()) %}{% for i in range(9999) %}{% set a.l = (a.l,) %}{% endfor %}\
        {% set b = namespace(l=()) %}{% for i in range(9999) %}{% set b.l = (b.l,) %}{% endfor %}";
    let wide = "{% set a = namespace(l=()) %}{% for i in range(60) %}{% set a.l = (a.l, a.l) %}{% endfor %}\
        {% set b = namespace(l=()) %}{% for i in range(60) %}{% set b.l = (b.l, b.l) %}{% endfor %}";
    let dicts = "{% set l = {} %}{% do l.update(x=l) %}{% set m = {} %}{% do m.update(x=m) %}";
    for (setup, use_of) in [
        (lists, "l == m"),
        (lists, "l != m"),
        (lists, "l < m"),
        (lists, "l in [m]"),
        (lists, "[l, m] | sort"),
        (lists, "[l, m] | groupby(0)"),
        (lists, "[l].index(m)"),
        (lists, "[l].count(m)"),
        (lists, "l is eq m"),
        (lists, "l is sameas 1 or [m] is eq [l]"),
        (dicts, "l == m"),
        (deep, "a.l == b.l"),
        (deep, "a.l < b.l"),
        (deep, "{a.l: 1}"),
        (deep, "[a.l, b.l] | unique | list"),
        (deep, "a.l in {}"),
        (wide, "a.l == b.l"),
        (wide, "a.l < b.l"),
        (wide, "{a.l: 1}"),
    ] {
        let template = format!("{setup}{{{{ {use_of} }}}}");
        let fault = render(&template).map(|rendered| rendered.text.len()).expect_err(use_of);
        assert_eq!(fault.kind, ErrorKind::Limit, "{use_of}: {fault}");
    }
    let changed = format!("{lists}{{% for x in [l, m] %}}{{{{ loop.changed(x) }}}}{{% endfor %}}");
    assert_eq!(render(&changed).unwrap_err().kind, ErrorKind::Limit);
}

#[test]
fn what_is_nested_deeply_is_let_go_of() {
    for (first, next) in [
        ("[]", "[ns.l]"),
        ("()", "(ns.l,)"),
        ("{}", "{'x': ns.l}"),
        ("[]", "{'x': [(ns.l,)]}"),
        ("[]", "namespace(x=ns.l)"),
        ("[]", "cycler(ns.l)"),
        ("[]", "joiner(ns.l)"),
        ("[]", "[ns.l] | map('default')"),
        ("[]", "[ns.l].append"),
    ] {
        let template = format!(
            "{{% set ns = namespace(l={first}) %}}{{% for i in range(99999) %}}{{% set ns.l = {next} %}}{{% endfor %}}done"
        );
        assert_eq!(render(&template).map(|rendered| rendered.text).unwrap(), "done", "{next}");
    }
    let scopes = "{% set ns = namespace() %}{% for i in range(99999) %}{% set before = ns.m %}\
        {% macro m() %}{% endmacro %}{% set ns.m = m %}{% endfor %}done";
    assert_eq!(render(scopes).unwrap().text, "done");
    let loops = "{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% for x in [ns.l] %}\
        {% set ns.l = loop %}{% endfor %}{% endfor %}done";
    assert_eq!(render(loops).unwrap().text, "done");
    let printed =
        "{% set ns = namespace(l=[1]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}";
    assert!(render(&format!("{printed}{{{{ ns.l }}}}")).unwrap().text.contains("..."));
    assert!(render(&format!("{printed}{{{{ ns.l | as_json }}}}")).is_err());
    assert!(render(&format!("{printed}{{{{ ns.l | as_yaml }}}}")).is_err());
}

#[test]
fn long_texts_cost_what_they_take() {
    // A sixteenth of what is allowed, for texts of a sixteenth.
    let limits = Limits { output: 64 << 20, fuel: Limits::default().fuel / 16, ..Limits::default() };
    for body in [
        "{{ l.append(s | upper) or '' }}",
        "{{ l.append(s.title()) or '' }}",
        "{{ l.append(s ~ i) or '' }}",
        "{{ l.append(s[1:]) or '' }}",
        "{% set x %}{{ s }}{% endset %}{{ l.append(x) or '' }}",
        "{% set x = s | reverse %}",
        "{% set x = s | escape %}",
        "{% set x = s | list %}",
        "{% set x = s.split('a') %}",
        "{% set x = [s] | join %}",
        "{% set x = s | replace('a', 'b') %}",
        "{% set x = s | wordwrap %}",
        "{% set x = s | length %}",
        "{% set x = s == t %}",
        "{% set x = 'b' in s %}",
        "{% set x = {s: 1} %}",
    ] {
        let template = format!(
            "{{% set s = 'a' * 1000000 %}}{{% set t = s | upper | lower %}}{{% set l = [] %}}\
             {{% for i in range(100000) %}}{body}{{% endfor %}}"
        );
        let fault = render_within(&template, Undefined::Lenient, limits).unwrap_err();
        assert_eq!(fault.kind, ErrorKind::Limit, "{body}: {fault}");
    }
}

#[test]
fn numbers_end_somewhere() {
    for template in [
        "{{ ((-(2 ** 126)) * 2) | abs }}",
        "{{ -((-(2 ** 126)) * 2) }}",
        "{{ ('10.0.0.0' | ipv4) - ((-(2 ** 126)) * 2) }}",
        "{{ range((-(2 ** 126)) * 2, 2 ** 126) }}",
        "{{ ((2 ** 126) + (2 ** 126 - 1)) | round(-38) }}",
    ] {
        let fault = render(template).unwrap_err();
        assert!(fault.kind == ErrorKind::Limit || fault.class == "OverflowError", "{template}: {fault}");
    }
    let largest = "(2 ** 126) + (2 ** 126 - 1)";
    for (template, text) in [
        (format!("{{{{ 'abc'[1::{largest}] }}}}"), "b"),
        (format!("{{{{ range({largest} - 2, {largest}, 5) | list | length }}}}"), "1"),
        ("{{ ['nan' | float, 1.0, 0.0] | sort | length }}".to_owned(), "3"),
    ] {
        assert_eq!(render(&template).unwrap().text, text, "{template}");
    }
}

#[test]
fn format_refuses_fields_it_cannot_read() {
    let (end, after) =
        ("expected '}' before end of string", "Only '.' or '[' may follow ']' in format field specifier");
    for (template, message) in [
        ("{{ '{0[}'.format('x') }}", end),
        ("{{ '{0[é}'.format('x') }}", end),
        ("{{ '{0[a}'.format({'a': 1}) }}", end),
        ("{{ '{0[a]b}'.format({'a': 1}) }}", after),
        ("{{ '{0[a]é}'.format({'a': 1}) }}", after),
        ("{{ '{0[]}'.format('x') }}", "Empty attribute in format string"),
        ("{{ '{0.}'.format('x') }}", "Empty attribute in format string"),
    ] {
        let fault = render(template).unwrap_err();
        assert_eq!((fault.class.as_str(), fault.message.as_str()), ("ValueError", message), "{template}");
    }
    assert_eq!(render("{{ '{0[a]}'.format({'a': 1}) }}").unwrap().text, "1");
}

#[test]
fn a_rendering_can_be_stopped() {
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let limits = Limits { fuel: u64::MAX, ..Limits::default() };
    let endless = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
    let flag = stop.clone();
    let rendering = std::thread::spawn(move || {
        environment(limits).stopped_by(flag).render_export("extras.tag", &source(endless, Undefined::Lenient))
    });
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(!rendering.is_finished());
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let fault = rendering.join().unwrap().unwrap_err();
    assert_eq!((fault.kind, fault.message.as_str()), (ErrorKind::Limit, "the rendering was stopped"));
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
