//! The language by itself: what Jinja2 3.1.6 gives for small templates, recorded in `cases/language.json`.

use std::collections::HashMap;
use std::sync::Arc;

use pm_render::{Environment, Limits, Settings, Source, Templates, Undefined, World};
use serde_json::Value as Json;

fn render(template: &str) -> Result<String, String> {
    let world = Arc::new(World::new(HashMap::new()));
    let settings = Settings { do_tag: true, loop_controls: true, ..Settings::default() };
    let now = chrono::DateTime::UNIX_EPOCH;
    let environment = Environment::new(world, Templates::default(), settings, Limits::default(), now);
    let source = Source {
        name: "<template>".into(),
        text: template.into(),
        trim: false,
        lstrip: false,
        undefined: Undefined::Lenient,
    };
    environment
        .render_export("extras.tag", &source)
        .map(|rendered| rendered.text)
        .map_err(|fault| format!("{}: {}", fault.class.rsplit('.').next().unwrap_or_default(), fault.message))
}

#[test]
fn gives_what_jinja2_gives() {
    let path = std::option_env!("PM_LANGUAGE_CASES")
        .unwrap_or(concat!(env!("CARGO_MANIFEST_DIR"), "/cases/language.json"));
    let cases: Vec<Json> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut failed = Vec::new();
    for case in &cases {
        let template = case["template"].as_str().unwrap();
        let got = match render(template) {
            Ok(text) => text,
            Err(message) => format!("! {message}"),
        };
        let wanted = case["output"].as_str().unwrap();
        if got != wanted {
            failed.push(format!("{template}\n    got    {got:?}\n    wanted {wanted:?}"));
        }
    }
    assert!(cases.len() > 100, "only {} cases", cases.len());
    assert!(failed.is_empty(), "{} of {} differ:\n{}", failed.len(), cases.len(), failed.join("\n"));
}
