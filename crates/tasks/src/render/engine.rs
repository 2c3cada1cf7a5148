//! Settings, templates and limits, made into what `pm-render` takes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use pm_config::Config;
use pm_render::{
    Environment, ErrorKind, Limits, ListMerge, MaxPrefix, MissingPrefixes, Models, Row, Settings, Source,
    TemplateError, Templates, Undefined, World,
};
use pm_store::objects::router_passwords;
use sha2::{Digest as _, Sha256};

/// What was rendered, and from what.
#[derive(Clone, Debug)]
pub struct Rendering {
    /// The text.
    pub text: String,
    /// What the author should know, though it is no error.
    pub warnings: Vec<String>,
    /// SHA-256, in hexadecimal, of everything that the text depends on but the time: objects, settings, template.
    pub input: String,
    /// The secrets that the template has seen.
    pub secrets: Vec<Arc<str>>,
}

/// What of the settings templates depend on.
pub fn settings(config: &Config) -> Settings {
    let has = |name: &str| config.jinja2_template_extensions.iter().any(|extension| extension == name);
    let mut settings = Settings {
        time_zone: config.time_zone.clone(),
        do_tag: has("jinja2.ext.do"),
        loop_controls: has("jinja2.ext.loopcontrols"),
        recursive_merge: config.config_context_recursive_merge,
        list_merge: ListMerge::by_name(config.config_context_list_merge.as_str()).unwrap_or_default(),
        validate_communities: config.validate_bgp_community_value,
        irr_sources: config.bgpq3_sources.split(',').map(|name| name.trim().to_owned()).collect(),
        cc_contacts: config
            .email_cc_contacts
            .iter()
            .map(|contact| (contact.address.clone(), contact.name.clone().unwrap_or_default()))
            .collect(),
        base_path: config.base_path.clone(),
        missing_prefixes: match config.prefix_list_missing {
            pm_config::MissingPrefixes::Error => MissingPrefixes::Error,
            pm_config::MissingPrefixes::Empty => MissingPrefixes::Empty,
        },
        max_prefix: match config.max_prefix_rule {
            pm_config::MaxPrefixRule::Plain => MaxPrefix::Plain,
            pm_config::MaxPrefixRule::Guarded => MaxPrefix::Guarded {
                headroom: config.max_prefix_headroom,
                percent: config.max_prefix_headroom_percent,
                ceilings: [config.max_prefix_ceiling_ipv4, config.max_prefix_ceiling_ipv6],
            },
        },
        ..Settings::default()
    };
    set_password_forms(&mut settings);
    settings
}

/// Lets templates make the passwords of platforms.
pub fn set_password_forms(settings: &mut Settings) {
    settings.encrypt_password = Some(|form, text, key| Some(router_passwords::encrypt(form, text, key)));
    settings.decrypt_password = Some(router_passwords::decrypt);
}

/// How much a template may do.
pub fn limits(config: &Config) -> Limits {
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Limits {
        fuel: config.render_fuel.into(),
        output: size(config.render_max_output_mb).saturating_mul(1 << 20),
        recursion: size(config.render_max_depth),
    }
}

/// What becomes of names that are not there, in a template that does not say so itself.
pub fn undefined(config: &Config, text: &str) -> Undefined {
    match Undefined::declared(text) {
        Ok(Some(said)) => said,
        _ => match config.template_undefined {
            pm_config::Undefined::Strict => Undefined::Strict,
            pm_config::Undefined::Lenient => Undefined::Lenient,
        },
    }
}

/// Ends renderings soon after it is dropped, as the future of a task is that nobody waits for any more.
#[derive(Default)]
pub struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Renders over one world.
#[derive(Clone)]
pub struct Engine {
    environment: Environment,
    /// Hash of the world and the settings.
    base: Sha256,
}

impl Engine {
    /// One with these settings at this moment.
    pub fn new(world: &Arc<World>, config: &Config, now: DateTime<Utc>) -> Self {
        let settings = settings(config);
        let mut base = Sha256::new();
        world.fingerprint(&mut |octets| base.update(octets));
        // Function pointers say nothing, and differ from run to run.
        let shown = Settings { encrypt_password: None, decrypt_password: None, ..settings.clone() };
        base.update(format!("{shown:?}"));
        let environment =
            Environment::new(world.clone(), Templates::of(world), settings, limits(config), now);
        Self { environment, base }
    }

    /// The same, ending with an error when this is dropped.
    #[must_use]
    pub fn stopped_by(self, stop: &Stop) -> Self {
        Self { environment: self.environment.stopped_by(stop.0.clone()), ..self }
    }

    /// The objects.
    pub fn world(&self) -> &Arc<World> {
        self.environment.world()
    }

    /// The engine itself, for what this does not offer.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Renders one template by one of the environment's ways.
    ///
    /// # Errors
    /// Those of the template. A mistake of the engine is one too, so that it is not the end of all other renderings.
    pub fn render(
        &self,
        source: &Source,
        what: &str,
        way: impl FnOnce(&Environment) -> Result<pm_render::Rendered, TemplateError>,
    ) -> Result<Rendering, TemplateError> {
        // What a rendering changes is its own and lost with it; the world keeps only what it has read in full.
        let rendered = catch_unwind(AssertUnwindSafe(|| way(&self.environment)))
            .unwrap_or_else(|_| Err(broken(&source.name, what)))?;
        let mut hash = self.base.clone();
        for part in [
            what,
            &source.name,
            &source.text,
            &format!("{} {} {:?}", source.trim, source.lstrip, source.undefined),
        ] {
            hash.update(part);
            hash.update([0xff]);
        }
        let input = format!("{:x}", hash.finalize());
        let pm_render::Rendered { text, warnings, secrets } = rendered;
        Ok(Rendering { text, warnings, input, secrets })
    }
}

/// What becomes of a panic. What it says is left out: it may quote a secret.
fn broken(template: &str, what: &str) -> TemplateError {
    TemplateError {
        kind: ErrorKind::Runtime,
        class: "Broken".to_owned(),
        message: format!(
            "template {template} for {what}: the template engine broke, which is a mistake of its own"
        ),
        frames: Vec::new(),
    }
}

/// The text of a field.
pub(crate) fn text<'a>(world: &'a World, row: Row, field: &str) -> &'a str {
    match world.get(row, field) {
        pm_render::Data::Text(text) => text,
        _ => "",
    }
}

/// A truth value of a field.
pub(crate) fn flag(world: &World, row: Row, field: &str) -> bool {
    matches!(world.get(row, field), pm_render::Data::Bool(true))
}

/// All objects of a model, in default order.
pub(crate) fn all(world: &World, model: &str) -> Vec<Row> {
    let Some(model) = Models::get().index(model) else { return Vec::new() };
    world.all(model).into_iter().map(|index| Row { model, index }).collect()
}

/// The one template of this name, or with this number.
///
/// # Errors
/// A sentence: there is none, or there are several.
pub(crate) fn template(world: &World, model: &str, what: &str, name: &str) -> Result<Row, String> {
    let rows = all(world, model);
    let named: Vec<Row> = rows.iter().copied().filter(|row| text(world, *row, "name") == name).collect();
    match named.as_slice() {
        [one] => Ok(*one),
        [] => {
            let number: Option<u64> = name.parse().ok();
            rows.into_iter()
                .find(|row| Some(world.id(*row)) == number)
                .ok_or_else(|| format!("there is no {what} {name:?}"))
        }
        several => {
            let numbers: Vec<String> = several.iter().map(|row| world.id(*row).to_string()).collect();
            Err(format!(
                "several {what}s are called {name:?}; name one by its number: {}",
                numbers.join(", ")
            ))
        }
    }
}

/// A stored template as a source.
pub(crate) fn source(config: &Config, world: &World, row: Row, field: &str) -> Source {
    let body = text(world, row, field);
    Source {
        name: text(world, row, "name").to_owned(),
        text: body.to_owned(),
        trim: flag(world, row, "jinja2_trim"),
        lstrip: flag(world, row, "jinja2_lstrip"),
        undefined: undefined(config, body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_names() {
        let world = Arc::new(World::new(std::collections::HashMap::new()));
        let engine = Engine::new(&world, &Config::default(), DateTime::UNIX_EPOCH);
        let source = Source {
            name: "edge".to_owned(),
            text: String::new(),
            trim: false,
            lstrip: false,
            undefined: Undefined::Strict,
        };
        let error = engine.render(&source, "router-1", |_| panic!("hidden")).unwrap_err().to_string();
        assert!(error.contains("edge") && error.contains("router-1"), "{error}");
        assert!(!error.contains("hidden"), "{error}");
    }
}
