//! Settings from environment variables.

use std::collections::BTreeMap;

use toml::Value;

use crate::key::Key;
use crate::keys::KEYS;
use crate::layer::{Layer, complaint};
use crate::load::Origin;
use crate::name::{Name, Part, Spelling, look_up};
use crate::value::Kind;

/// What the variable of every setting begins with.
pub(crate) const PREFIX: &str = "PEERING_MANAGER_";

/// The levels of the environment, the weakest first: well-known names, whole tables, single settings.
///
/// A variable with an empty value counts as unset, since that is what a blank line in a compose file gives.
pub(crate) fn layers(environment: &BTreeMap<String, String>) -> [Layer; 3] {
    [well_known(environment), tables(environment), single(environment)]
}

fn well_known(environment: &BTreeMap<String, String>) -> Layer {
    let mut layer = Layer::default();
    for key in KEYS {
        for variable in key.variables {
            if let Some(text) = environment.get(*variable).filter(|text| !text.is_empty()) {
                add(&mut layer, key, Part::Value, variable, text);
            }
            let file_variable = format!("{variable}_FILE");
            if key.is_secret()
                && let Some(path) = environment.get(&file_variable).filter(|path| !path.is_empty())
            {
                add(&mut layer, key, Part::SecretFile, &file_variable, path);
            }
        }
    }
    layer
}

/// `PEERING_MANAGER_EMAIL`, for those who carry the original's dictionary over.
fn tables(environment: &BTreeMap<String, String>) -> Layer {
    let mut layer = Layer::default();
    for (variable, name, text) in ours(environment) {
        if !matches!(look_up(&name, Spelling::Environment), Name::Section) {
            continue;
        }
        let origin = Origin::Variable { name: variable.to_owned() };
        match Kind::Table.parse(text) {
            Ok(Value::Table(table)) => layer.add_table(table, &name, &|_| origin.clone()),
            _ => layer.problems.push(format!("{origin} is not a table in JSON or TOML")),
        }
    }
    layer
}

fn single(environment: &BTreeMap<String, String>) -> Layer {
    let mut layer = Layer::default();
    for (variable, name, text) in ours(environment) {
        let origin = Origin::Variable { name: variable.to_owned() };
        match look_up(&name, Spelling::Environment) {
            Name::Key(key, part) => add(&mut layer, key, part, variable, text),
            Name::Section => {}
            Name::Ignored(ignored) => layer.ignore(&name, ignored.why, &origin),
            Name::Unknown => layer.unknown(&name, Spelling::Environment, &origin),
        }
    }
    layer
}

fn add(layer: &mut Layer, key: &'static Key, part: Part, variable: &str, text: &str) {
    let origin = Origin::Variable { name: variable.to_owned() };
    let parsed = if part == Part::SecretFile { Kind::Text.parse(text) } else { key.parse(text) };
    match parsed {
        Ok(value) => layer.add(key, part, variable, value, origin),
        Err(expected) => {
            let value = Value::String(text.to_owned());
            layer.problems.push(complaint(key, &origin, &value, &expected));
        }
    }
}

/// Our variables that are set: the variable, the setting's name in lower case, the text.
fn ours(environment: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, String, &str)> {
    environment.iter().filter(|(_, text)| !text.is_empty()).filter_map(|(variable, text)| {
        let name = variable.strip_prefix(PREFIX)?;
        let ours = name != "CONFIG" && !is_service_link(name);
        ours.then(|| (variable.as_str(), name.to_lowercase(), text.as_str()))
    })
}

/// Kubernetes describes a service called `peering-manager` to every container of its namespace in variables such
/// as `PEERING_MANAGER_SERVICE_HOST` and `PEERING_MANAGER_PORT_80_TCP_ADDR`. They are no mistyped settings.
fn is_service_link(name: &str) -> bool {
    name == "PORT" || name.starts_with("PORT_") || name == "SERVICE_HOST" || name.starts_with("SERVICE_PORT")
}
