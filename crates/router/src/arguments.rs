//! What may stand among a router's arguments whoever drives it, beside the way there ([`crate::Way::take`]).

use std::path::PathBuf;

use serde_json::{Map, Value as Json};

use crate::Key;
use crate::ssh::text;

/// Which driver is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This program's own.
    Native,
    /// NAPALM's, in a Python process.
    Napalm,
}

/// What the arguments say; `None` of what they do not name, or name as null.
#[derive(Clone, Default)]
pub struct Arguments {
    /// `driver`: `native` or `napalm`.
    pub driver: Option<Choice>,
    /// `port`, as a number or its text; 0 is the platform's usual one.
    pub port: Option<u16>,
    /// `key_file`, read, with `passphrase`.
    pub key: Option<Key>,
    /// `host_key`: the one fingerprint that is believed, `SHA256:…`.
    pub host_key: Option<String>,
    /// `ssl_verify`: whether certificates are verified.
    pub verify: Option<bool>,
    /// `ca_file`: certificates (PEM) that are believed beside the system's.
    pub authorities: Option<PathBuf>,
}

impl Arguments {
    /// Takes them out of all of a router's arguments. `key_file` and `passphrase` stay there as well: drivers of NAPALM's have
    /// arguments of these names.
    ///
    /// The error says which argument is wrong, and never what a secret is.
    pub fn take(arguments: &mut Map<String, Json>) -> Result<Self, String> {
        let driver = match text(arguments, "driver")?.as_deref() {
            None => None,
            Some("native") => Some(Choice::Native),
            Some("napalm") => Some(Choice::Napalm),
            Some(other) => {
                return Err(format!("the argument driver is {other:?}; there are native and napalm"));
            }
        };
        let port = match arguments.remove("port") {
            None | Some(Json::Null) => None,
            Some(port) => Some(
                port.as_u64()
                    .or_else(|| port.as_str()?.parse().ok())
                    .and_then(|port| u16::try_from(port).ok())
                    .ok_or_else(|| {
                        format!("the argument port is {port}; a port is a number from 1 to 65535")
                    })?,
            ),
        };
        let verify = match arguments.remove("ssl_verify") {
            None | Some(Json::Null) => None,
            Some(Json::Bool(yes)) => Some(yes),
            Some(other) => return Err(format!("the argument ssl_verify is {other}; it is true or false")),
        };
        let host_key = text(arguments, "host_key")?;
        let authorities = text(arguments, "ca_file")?.map(PathBuf::from);
        // Of a copy, so that they stay.
        let mut copy = arguments.clone();
        let passphrase = text(&mut copy, "passphrase")?.map(Into::into);
        let key = match text(&mut copy, "key_file")? {
            None => None,
            Some(file) => {
                let text = std::fs::read_to_string(&file)
                    .map_err(|error| format!("the key file {file} cannot be read: {error}"))?;
                Some(Key { text: text.into(), passphrase })
            }
        };
        Ok(Self { driver, port, key, host_key, verify, authorities })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;
    use serde_json::json;

    use super::*;

    fn taken(arguments: &Json) -> Result<(Arguments, Map<String, Json>), String> {
        let mut arguments = arguments.as_object().cloned().unwrap_or_default();
        Ok((Arguments::take(&mut arguments)?, arguments))
    }

    #[test]
    fn what_is_named_is_taken_and_the_rest_stays() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "Planted key").unwrap();
        let path = file.path().to_str().unwrap();
        let all = json!({ "driver": "napalm", "port": "8022", "key_file": path, "passphrase": "Planted", "host_key": "SHA256:x",
            "ssl_verify": false, "ca_file": "/ca.pem", "secret": "Planted" });
        let (found, rest) = taken(&all).unwrap();
        assert_eq!((found.driver, found.port, found.verify), (Some(Choice::Napalm), Some(8022), Some(false)));
        assert_eq!(found.host_key.as_deref(), Some("SHA256:x"));
        assert_eq!(found.authorities, Some("/ca.pem".into()));
        let key = found.key.unwrap();
        assert_eq!(key.text.expose_secret(), "Planted key");
        assert_eq!(key.passphrase.unwrap().expose_secret(), "Planted");
        assert_eq!(rest.keys().collect::<Vec<_>>(), ["key_file", "passphrase", "secret"]);
        let (found, rest) = taken(
            &json!({ "driver": null, "port": null, "key_file": null, "ssl_verify": null, "ca_file": null }),
        )
        .unwrap();
        assert!(
            found.driver.is_none() && found.port.is_none() && found.key.is_none() && found.verify.is_none()
        );
        assert_eq!(rest.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_named_without_secrets() {
        for (wrong, said) in [
            (json!({ "driver": "netmiko" }), "driver"),
            (json!({ "port": 65_536 }), "port"),
            (json!({ "port": "ssh" }), "port"),
            (json!({ "ssl_verify": "no" }), "ssl_verify"),
            (json!({ "host_key": ["x"] }), "host_key"),
            (json!({ "ca_file": true }), "ca_file"),
            (json!({ "key_file": "/nonexistent/key" }), "/nonexistent/key"),
            (json!({ "key_file": "/dev/null", "passphrase": ["Planted"] }), "passphrase"),
        ] {
            let error = taken(&wrong).err().unwrap();
            assert!(error.contains(said) && !error.contains("Planted"), "{error}");
        }
    }
}
