//! Passwords of sessions as routers write them into their configuration.
//!
//! None of these forms protects anything: whoever has one has the password. They are there so that a configuration that
//! we made and the one that a router shows are the same text.

mod arista;
mod cisco;
mod des;
mod juniper;

use super::data::Data;
use super::record::{Graph, Record};
use super::secrets::{Clear, Keyring, SecretError};

/// A password in the form that `algorithm` (a choice of the platform) stands for. `neighbor` is the session's remote
/// address; what is made of the same password for the same neighbour is the same. A text that has the algorithm's mark
/// already, and any text for a platform without algorithm, stays as it is.
pub fn encrypt(algorithm: &str, password: &str, neighbor: &str) -> String {
    match algorithm {
        _ if password.is_empty() => String::new(),
        "arista-type7" if !password.starts_with("7 ") => arista::encrypt(password, neighbor),
        "cisco-type7" if !password.starts_with("7 ") => cisco::encrypt(password, neighbor),
        "juniper-type9" if !password.starts_with("$9$") => juniper::encrypt(password, neighbor),
        _ => password.to_owned(),
    }
}

/// The inverse of [`encrypt`]; `None` for what it cannot have made.
pub fn decrypt(algorithm: &str, text: &str, neighbor: &str) -> Option<String> {
    match algorithm {
        _ if text.is_empty() => Some(String::new()),
        "arista-type7" => arista::decrypt(text, neighbor),
        "cisco-type7" => cisco::decrypt(text),
        "juniper-type9" => juniper::decrypt(text),
        _ => Some(text.to_owned()),
    }
}

/// Makes a session's `encrypted_password` fit its password, if its router wants that.
pub(super) fn follow(
    session: &mut Record,
    router: Option<&Record>,
    graph: &Graph,
    keyring: &Keyring,
) -> Result<(), SecretError> {
    let Some(router) = router.filter(|router| router.boolean("encrypt_passwords")) else { return Ok(()) };
    let Some(platform) = graph.follow(router, "platform") else { return Ok(()) };
    if session.get("password").is_empty() {
        if !session.get("encrypted_password").is_empty() {
            session.set("encrypted_password", Data::Secret(Clear::new("")));
        }
        return Ok(());
    }
    let Some(password) = session.secret("password", keyring)? else { return Ok(()) };
    let algorithm = platform.text("password_algorithm");
    // With its length where it is kept with one: that is what the original takes as the key.
    let neighbor = match session.get("ip_address") {
        Data::Interface(net) => net.to_string(),
        Data::Host(address) => address.to_string(),
        _ => String::new(),
    };
    // What does not open is of no more use than what is not there.
    let present = session.secret("encrypted_password", keyring).ok().flatten();
    let present = present.filter(|present| !present.reveal().is_empty());
    let wanted = password.reveal();
    let fits = present.is_some_and(|present| {
        let text = present.reveal();
        text == wanted && encrypt(algorithm, wanted, &neighbor) == wanted
            || encrypt(algorithm, text, &neighbor) == text
                && decrypt(algorithm, text, &neighbor).is_some_and(|found| found == wanted)
    });
    if !fits {
        let encrypted = encrypt(algorithm, wanted, &neighbor);
        session.set("encrypted_password", Data::Secret(Clear::new(encrypted)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALGORITHMS: [&str; 4] = ["", "arista-type7", "cisco-type7", "juniper-type9"];

    #[test]
    fn known_texts_open() {
        for (algorithm, text, neighbor, password) in [
            ("cisco-type7", "7 0822455D0A16", "", "cisco"),
            ("cisco-type7", "7 060506324F41", "", "cisco"),
            ("cisco-type7", "7 0D0647", "203.0.113.200", "c0"),
            ("cisco-type7", "7 0B190E48425013", "", "pw-5\"x"),
            ("juniper-type9", "$9$LbHX-wg4Z", "", "lc"),
            ("juniper-type9", "$9$2hgGiqmT69AF3", "", "tr-9"),
            ("arista-type7", "7 v+FpREmlwds=", "203.0.113.202/32", "c2"),
            ("arista-type7", "7 l3qepIhNtCupA44z5rzDgw==", "192.0.2.14/30", "direct-3"),
            ("arista-type7", "7 ITOyqHL+cWVy6lRHAfPGbA==", "2001:db8:c::2/64", "direct-12"),
        ] {
            assert_eq!(decrypt(algorithm, text, neighbor).as_deref(), Some(password), "{text}");
        }
        assert_eq!(encrypt("arista-type7", "direct-3", "192.0.2.14/30"), "7 l3qepIhNtCupA44z5rzDgw==");
        assert_eq!(encrypt("juniper-type9", "tr-9", "198.51.100.74/30"), "$9$2hgGiqmT69AF3");
    }

    #[test]
    fn what_is_encrypted_opens_again_and_is_the_same_each_time() {
        for algorithm in ALGORITHMS {
            for password in ["a", "hunter2", "with space \"quoted\"", "ключ ü", &"x".repeat(200)] {
                let text = encrypt(algorithm, password, "192.0.2.1");
                assert_eq!(text, encrypt(algorithm, password, "192.0.2.1"));
                assert_eq!(
                    decrypt(algorithm, &text, "192.0.2.1").as_deref(),
                    Some(password),
                    "{algorithm} {text}"
                );
                assert_eq!(encrypt(algorithm, &text, "192.0.2.1"), text, "what is encrypted stays");
            }
            assert_eq!(encrypt(algorithm, "", "192.0.2.1"), "");
        }
    }

    #[test]
    fn nonsense_does_not_open() {
        for text in [
            "7 ",
            "7 0",
            "7 08zz",
            "7 99aa",
            "7 é0",
            "$9$",
            "$9$!",
            "$9$Lb",
            "7 AAAA",
            "7 v+FpREmlwds",
            "hunter2",
            "7 日本語",
        ] {
            for algorithm in &ALGORITHMS[1..] {
                // One form may mean something in another, but never by accident the whole of it.
                let found = decrypt(algorithm, text, "192.0.2.1");
                assert!(found.is_none() || text == "7 99aa", "{algorithm} {text} {found:?}");
            }
        }
    }
}
