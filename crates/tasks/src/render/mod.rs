//! Rendering: from the objects in the database to the bytes of a configuration, an e-mail or an export.

mod fields;
mod lazy;
mod snapshot;

pub use snapshot::{Snapshot, Wants, read, with_snapshot};

use pm_store::objects::router_passwords;

/// Lets templates make the passwords of platforms.
pub fn set_password_forms(settings: &mut pm_render::Settings) {
    settings.encrypt_password = Some(|form, text, key| Some(router_passwords::encrypt(form, text, key)));
    settings.decrypt_password = Some(router_passwords::decrypt);
}
