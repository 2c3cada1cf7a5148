//! `encrypt_password` and `decrypt_password` of a platform.
//!
//! These are the reversible notations of routers, not encryption. A platform without one gives the text back. The
//! notations themselves are not built yet: asking for one is an error, so that no clear text goes out in its place.

use crate::error::{Fault, Res};

pub(crate) fn apply(algorithm: &str, method: &str, password: &str, _key: &str) -> Res<String> {
    let done = match algorithm {
        "" => true,
        "juniper-type9" => password.starts_with("$9$") == (method == "encrypt_password"),
        _ => password.starts_with("7 ") == (method == "encrypt_password"),
    };
    if password.is_empty() || done {
        return Ok(password.to_owned());
    }
    Err(Fault::runtime(format!(
        "`{method}` for {algorithm} is not available in templates, use `encrypted_password`"
    )))
}
