//! `encrypt_password` and `decrypt_password` of a platform.
//!
//! These are the reversible notations of routers, not encryption. A platform without one gives the text back. Where the
//! one who renders gave no way to make a notation, asking for it is an error, so that no clear text goes out instead.

use crate::environment::Settings;
use crate::error::{Fault, Res};

pub(crate) fn apply(
    settings: &Settings,
    algorithm: &str,
    method: &str,
    password: &str,
    key: &str,
) -> Res<String> {
    let encrypt = method == "encrypt_password";
    let done = match algorithm {
        "" => true,
        "juniper-type9" => password.starts_with("$9$") == encrypt,
        _ => password.starts_with("7 ") == encrypt,
    };
    if password.is_empty() || done {
        return Ok(password.to_owned());
    }
    let form = if encrypt { settings.encrypt_password } else { settings.decrypt_password };
    let Some(form) = form else {
        return Err(Fault::runtime(format!("`{method}` for {algorithm} is not available here")));
    };
    form(algorithm, password, key)
        .ok_or_else(|| Fault::value(format!("the text given to `{method}` is no {algorithm} password")))
}
