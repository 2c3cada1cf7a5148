//! Rendering: from the objects in the database to the bytes of a configuration, an e-mail or an export.
//!
//! `snapshot.rs` reads one moment of the database into a world, `fields.rs` says what is what there, `lazy.rs` leaves
//! secrets and lists as they are until a template asks. `engine.rs` adds settings and limits. On that stand
//! `configuration.rs` (a task), `mail.rs` and `check.rs`.

mod check;
mod configuration;
mod deleted;
mod engine;
mod fields;
mod files;
mod lazy;
mod mail;
mod snapshot;

use pm_store::objects::problems::ObjectError;
use pm_store::objects::registry;
use pm_store::{Session, picture};

pub use check::{Checked, check_given, check_stored};
pub use configuration::{Configuration, GivenTemplate, RenderConfiguration, Template};
pub(crate) use configuration::{Made, each};
pub use engine::{Engine, Rendering, limits, set_password_forms, settings, undefined};
pub use mail::{Mail, RenderError, email, export};
pub use snapshot::{Snapshot, Wants, read, with_snapshot};

use crate::TaskError;

/// What the templates in the database seem to need: any of them may be included.
async fn templates_of(session: &mut Session<'_>) -> Result<Wants, ObjectError> {
    let mut wants = Wants::default();
    for label in ["devices.configuration", "messaging.email", "extras.exporttemplate"] {
        let Some(model) = registry::model(label) else { continue };
        for record in picture::objects(session, model).await? {
            wants = wants.and(&Wants::of([record.text("template"), record.text("subject")]));
        }
    }
    Ok(wants)
}

fn failed(error: ObjectError) -> TaskError {
    match error {
        ObjectError::Store(error) => error.into(),
        other => TaskError::Failed(other.to_string()),
    }
}
