//! Cases that the original rendered, in `$EXTRA_CASES/render` (`world/`, `cases/<name>/`), and how a rendering is compared
//! with them. Another crate's tests use this file too.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use pm_render::{
    Data, Environment, ErrorKind, Limits, ListMerge, Row, Settings, Source, TemplateError, Templates,
    Undefined, World,
};
use serde_json::Value as Json;

/// The folder, if there is one.
pub fn extra_cases() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test finds its cases through the environment")]
    let found = std::env::var_os("EXTRA_CASES").map(|root| PathBuf::from(root).join("render"));
    if found.is_none() {
        println!("skipped: EXTRA_CASES not set");
    }
    found.filter(|root| root.is_dir())
}

/// Folder, name and flags of each case.
pub fn cases(root: &Path) -> Vec<(PathBuf, String, Json)> {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(root.join("cases")).unwrap().map(|case| case.unwrap().path()).collect();
    folders.sort();
    let case = |folder: PathBuf| {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let flags = serde_json::from_slice(&std::fs::read(folder.join("flags.json")).unwrap()).unwrap();
        (folder, name, flags)
    };
    folders.into_iter().map(case).collect()
}

/// Templates of a case, and the files with what they render to and how they fail.
pub const PARTS: [(&str, &str, &str); 2] =
    [("template.j2", "output.txt", "error.json"), ("subject.j2", "subject.txt", "subject-error.json")];

/// What differs in a case that is not in `meant`, in a few words each; and how many cases there are.
pub fn differences(
    root: &Path,
    meant: &[(&str, &str)],
    mut render: impl FnMut(&Json, &str) -> Result<String, TemplateError>,
) -> (usize, Vec<String>) {
    let cases = cases(root);
    let mut failed = Vec::new();
    for (folder, name, flags) in &cases {
        let mut difference = None;
        for (template, output, error) in PARTS {
            let Ok(text) = std::fs::read_to_string(folder.join(template)) else { continue };
            difference = difference.or(compare(folder, render(flags, &text), output, error));
        }
        match (difference, meant.iter().any(|(different, _)| different == name)) {
            (Some(difference), false) => failed.push(format!("  {name}: {difference}")),
            (None, true) => failed.push(format!("  {name}: is equal, but listed as different")),
            _ => {}
        }
    }
    (cases.len(), failed)
}

fn find(world: &World, model: &str, field: &str, wanted: &Json) -> Row {
    let model = pm_render::Models::get().index(model).unwrap();
    let rows = world.all(model).into_iter().map(|index| Row { model, index });
    rows.into_iter()
        .find(|row| match world.get(*row, field) {
            Data::Text(text) => wanted.as_str() == Some(text),
            Data::Int(number) => wanted.as_i64() == Some(*number),
            _ => false,
        })
        .unwrap()
}

pub fn settings(flags: &Json) -> Settings {
    let mut settings = Settings::default();
    let extensions: Vec<&str> = flags["extensions"]
        .as_array()
        .map_or(Vec::new(), |all| all.iter().filter_map(Json::as_str).collect());
    settings.do_tag = extensions.contains(&"jinja2.ext.do");
    settings.loop_controls = extensions.contains(&"jinja2.ext.loopcontrols");
    for (name, value) in flags["settings"].as_object().into_iter().flatten() {
        match name.as_str() {
            "CONFIG_CONTEXT_LIST_MERGE" => {
                settings.list_merge = ListMerge::by_name(value.as_str().unwrap()).unwrap();
            }
            "CONFIG_CONTEXT_RECURSIVE_MERGE" => settings.recursive_merge = value.as_bool().unwrap(),
            "TIME_ZONE" => value.as_str().unwrap().clone_into(&mut settings.time_zone),
            "VALIDATE_BGP_COMMUNITY_VALUE" => settings.validate_communities = value.as_bool().unwrap(),
            "BASE_PATH" => value.as_str().unwrap().clone_into(&mut settings.base_path),
            "BGPQ3_SOURCES" => {
                settings.irr_sources = value.as_str().unwrap().split(',').map(str::to_owned).collect();
            }
            "EMAIL_CC_CONTACTS" => {
                settings.cc_contacts = value.as_array().unwrap().iter().map(cc_contact).collect();
            }
            "JINJA2_TEMPLATE_EXTENSIONS" => {
                settings.do_tag |= value.to_string().contains("ext.do");
                settings.loop_controls |= value.to_string().contains("loopcontrols");
            }
            _ => {}
        }
    }
    settings
}

fn cc_contact(json: &Json) -> (String, String) {
    match json.as_array() {
        Some(pair) => {
            let text = |at: usize| pair.get(at).and_then(Json::as_str).unwrap_or_default().to_owned();
            (text(0), text(1))
        }
        None => (json.as_str().unwrap().to_owned(), String::new()),
    }
}

fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-23T14:00:00Z").unwrap().to_utc()
}

/// Renders a case's template over a world.
pub fn render(
    world: &Arc<World>,
    flags: &Json,
    text: &str,
    adjust: &dyn Fn(&mut Settings),
) -> Result<String, TemplateError> {
    let templates = Templates::of(world);
    let mut settings = settings(flags);
    adjust(&mut settings);
    let environment = Environment::new(world.clone(), templates, settings, Limits::default(), now());
    let source = Source {
        name: "<template>".into(),
        text: text.into(),
        trim: flags["trim"] == true,
        lstrip: flags["lstrip"] == true,
        undefined: Undefined::Lenient,
    };
    let mail = &flags["mail"];
    let rendered = match mail["kind"].as_str() {
        Some("network") => {
            let own = find(world, "peering.autonomoussystem", "asn", &mail["local_asn"]);
            let network = find(world, "peeringdb.network", "asn", &mail["asn"]);
            environment.render_network_mail(own, network, &source)
        }
        Some(_) => {
            let system = find(world, "peering.autonomoussystem", "asn", &mail["asn"]);
            environment.render_mail(system, &source)
        }
        None => {
            let router = find(world, "devices.router", "name", &flags["router"]);
            environment.render_configuration(router, &source)
        }
    };
    rendered.map(|rendered| rendered.text)
}

/// What differs, in a few words.
fn compare(case: &Path, got: Result<String, TemplateError>, output: &str, error: &str) -> Option<String> {
    let wanted_error = case.join(error);
    if wanted_error.exists() {
        let wanted: Json = serde_json::from_slice(&std::fs::read(&wanted_error).unwrap()).unwrap();
        return match got {
            Ok(text) => Some(format!("no error but {:?}", text.chars().take(120).collect::<String>())),
            Err(fault) => differing_error(&wanted, &fault),
        };
    }
    let wanted = std::fs::read_to_string(case.join(output)).unwrap();
    match got {
        Err(fault) => Some(format!("{}: {fault}", fault.class)),
        Ok(text) if text == wanted => None,
        Ok(text) => {
            let at = text
                .bytes()
                .zip(wanted.bytes())
                .position(|(a, b)| a != b)
                .unwrap_or(text.len().min(wanted.len()));
            let around = |text: &str| {
                let start =
                    (at.saturating_sub(50)..=at).find(|start| text.is_char_boundary(*start)).unwrap_or(0);
                text[start.min(text.len())..].chars().take(140).collect::<String>()
            };
            Some(format!(
                "at byte {at}\n      got    {:?}\n      wanted {:?}",
                around(&text),
                around(&wanted)
            ))
        }
    }
}

fn differing_error(wanted: &Json, fault: &TemplateError) -> Option<String> {
    let place = fault.place().map_or((String::new(), 0), |frame| (frame.template.clone(), frame.line));
    if wanted["kind"] == "syntax" {
        let same = fault.kind == ErrorKind::Syntax
            && wanted["message"] == *fault.message
            && wanted["line"] == place.1;
        return (!same)
            .then(|| format!("{fault}\n      wanted line {} {}", wanted["line"], wanted["message"]));
    }
    let frame = wanted["frames"].as_array().and_then(|frames| frames.last());
    let placed = frame.is_none_or(|frame| frame[0] == *place.0 && frame[1] == place.1);
    let same = wanted["class"] == *fault.class && wanted["message"] == *fault.message && placed;
    (!same).then(|| {
        format!("{} {fault}\n      wanted {} {} {:?}", fault.class, wanted["class"], wanted["message"], frame)
    })
}
