//! `template check`: looks templates over without rendering them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use pm_config::Config;
use pm_render::{About, Finding, Source};
use pm_store::Store;
use pm_store::objects::secrets::Keyring;

use super::engine::{self, Engine};
use super::mail::RenderError;
use super::snapshot::{Wants, read};

/// A template that was looked over.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What kind it is: `configuration`, `e-mail`, `export template`, `file`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

/// Kind, model and fields with templates in them.
const STORED: [(&str, &str, &[&str]); 3] = [
    ("configuration", "devices.configuration", &["template"]),
    ("e-mail", "messaging.email", &["subject", "template"]),
    ("export template", "extras.exporttemplate", &["template"]),
];

/// Looks over the stored templates of this name, or all of them. A name of nothing gives nothing.
///
/// # Errors
/// Those of the database.
pub async fn check_stored(
    store: &Store,
    config: &Config,
    now: DateTime<Utc>,
    name: Option<&str>,
) -> Result<Vec<Checked>, RenderError> {
    let mut transaction = store.begin_reading().await?;
    let keyring = Arc::new(Keyring::empty());
    let snapshot = read(&mut transaction.session(), &keyring, &Wants::default()).await?;
    let world = &snapshot.world;
    let engine = Engine::new(world, config, now);
    let mut checked = Vec::new();
    for (kind, model, fields) in STORED {
        for row in engine::all(world, model) {
            if name.is_some_and(|name| engine::text(world, row, "name") != name) {
                continue;
            }
            // What another template includes may be given anything.
            let about = match kind {
                "e-mail" => About::Mail,
                "export template" => About::Export(engine::text(world, row, "content_type").to_owned()),
                _ => About::Configuration,
            };
            let mut findings = Vec::new();
            for field in fields {
                let source = engine::source(config, world, row, field);
                let found = engine.environment().check(&source, &about);
                let placed = |finding: Finding| match *field {
                    "subject" => {
                        Finding { message: format!("in the subject: {}", finding.message), ..finding }
                    }
                    _ => finding,
                };
                findings.extend(found.into_iter().map(placed));
            }
            checked.push(Checked { kind, name: engine::text(world, row, "name").to_owned(), findings });
        }
    }
    Ok(checked)
}

/// Looks over a template that is not stored. Needs no database.
pub fn check_given(config: &Config, now: DateTime<Utc>, name: &str, text: &str) -> Checked {
    let world = Arc::new(pm_render::World::new(std::collections::HashMap::new()));
    let engine = Engine::new(&world, config, now);
    let source = Source {
        name: name.to_owned(),
        text: text.to_owned(),
        trim: false,
        lstrip: false,
        undefined: engine::undefined(config, text),
    };
    let findings = engine.environment().check(&source, &About::Anything);
    Checked { kind: "file", name: name.to_owned(), findings }
}
