//! E-mails and exports, rendered and not sent.

use pm_config::Config;
use pm_render::{Data, Row, TemplateError, World};
use pm_store::Store;
use pm_store::objects::problems::ObjectError;
use pm_store::objects::secrets::Keyring;
use serde::Serialize;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::engine::{self, Engine, Rendering};
use super::snapshot::{Snapshot, with_snapshot};
use super::templates_of;

/// Why something was not rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// What was asked for is not there.
    #[error("{0}")]
    Question(String),
    /// The template is wrong.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The database said no.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

impl From<pm_store::StoreError> for RenderError {
    fn from(error: pm_store::StoreError) -> Self {
        Self::Object(error.into())
    }
}

/// An e-mail.
#[derive(Clone, Debug, Serialize)]
pub struct Mail {
    /// Subject, without line breaks.
    pub subject: String,
    /// Body.
    pub body: String,
    /// What the author should know.
    pub warnings: Vec<String>,
    /// Hash of what both were made from.
    pub input: [String; 2],
}

/// An e-mail of the stored template `name`, to the autonomous system `asn`; with `network`, from the own system `asn` to
/// that PeeringDB network.
pub async fn email(
    store: &Store,
    config: &Config,
    keyring: &Arc<Keyring>,
    now: DateTime<Utc>,
    name: &str,
    asn: i64,
    network: Option<i64>,
) -> Result<Mail, RenderError> {
    let mut transaction = store.begin_reading().await?;
    let mut session = transaction.session();
    let mut wants = templates_of(&mut session).await?;
    if let Some(network) = network {
        wants = wants.with_networks(&[network]);
    }
    let work = |snapshot: &Snapshot| {
        let world = &snapshot.world;
        let template =
            engine::template(world, "messaging.email", "e-mail", name).map_err(RenderError::Question)?;
        let system = system(world, asn)?;
        let to = match network {
            None => None,
            Some(network) => Some(world.network(network).ok_or_else(|| {
                RenderError::Question(format!(
                    "the PeeringDB cache has no network AS{network}; `peeringdb_sync` fills it"
                ))
            })?),
        };
        let engine = Engine::new(world, config, now);
        let part = |field: &str| -> Result<Rendering, RenderError> {
            let mut source = engine::source(config, world, template, field);
            if field == "subject" {
                source.name = format!("{} (subject)", source.name);
            }
            let what = format!("AS{asn} {network:?}");
            Ok(engine.render(&source, &what, |environment| match to {
                None => environment.render_mail(system, &source),
                Some(to) => environment.render_network_mail(system, to, &source),
            })?)
        };
        let (subject, body) = (part("subject")?, part("template")?);
        Ok(Mail {
            subject: subject.text.split_whitespace().collect::<Vec<_>>().join(" "),
            body: body.text,
            warnings: [subject.warnings, body.warnings].concat(),
            input: [subject.input, body.input],
        })
    };
    with_snapshot(&mut session, keyring, wants, work).await
}

fn system(world: &World, asn: i64) -> Result<Row, RenderError> {
    engine::all(world, "peering.autonomoussystem")
        .into_iter()
        .find(|row| matches!(world.get(*row, "asn"), Data::Int(found) if *found == asn))
        .ok_or_else(|| {
            RenderError::Question(format!("there is no autonomous system AS{asn}; `as add {asn}` adds it"))
        })
}

/// The export of the stored template `name`.
pub async fn export(
    store: &Store,
    config: &Config,
    keyring: &Arc<Keyring>,
    now: DateTime<Utc>,
    name: &str,
) -> Result<Rendering, RenderError> {
    let mut transaction = store.begin_reading().await?;
    let mut session = transaction.session();
    let wants = templates_of(&mut session).await?;
    let work = |snapshot: &Snapshot| {
        let world = &snapshot.world;
        let row = engine::template(world, "extras.exporttemplate", "export template", name)
            .map_err(RenderError::Question)?;
        // Export templates are rendered without their flags, as ever.
        let source = pm_render::Source {
            trim: false,
            lstrip: false,
            ..engine::source(config, world, row, "template")
        };
        let model = engine::text(world, row, "content_type");
        let engine = Engine::new(world, config, now);
        Ok(engine.render(&source, model, |environment| environment.render_export(model, &source))?)
    };
    with_snapshot(&mut session, keyring, wants, work).await
}
