//! How a router is reached over SSH, beside its name: from which address, through which host, with which algorithms.

use std::net::IpAddr;

use secrecy::SecretString;
use serde_json::{Map, Value as Json};

use super::{Credentials, Endpoint, HostKeys, Key};

/// How a router is reached over SSH.
#[derive(Clone, Default)]
pub struct Way {
    /// The address that the connection comes from; `None` leaves it to the system. With a jump host it is that of the
    /// connection to the jump host.
    pub source: Option<IpAddr>,
    /// The host through which the connection goes.
    pub jump: Option<Jump>,
    /// Whether the router may use algorithms that are not safe any more. It does not hold for the jump host.
    pub legacy_algorithms: bool,
}

/// An SSH server that carries the connection on to the router.
#[derive(Clone)]
pub struct Jump {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Who logs in there.
    pub credentials: Credentials,
    /// Which of its host keys are believed.
    pub host_keys: HostKeys,
}

impl Way {
    /// Takes what belongs to the way out of a router's arguments: `source_address`, `jump_host` with `jump_password`,
    /// `jump_key_file`, `jump_passphrase` and `jump_host_key`, and `legacy_algorithms`.
    ///
    /// What the jump host's credentials lack is taken from the router's; its host key is looked for among `known_hosts` unless
    /// it is pinned. The error says which argument is wrong, and never what a secret is.
    pub fn take(
        arguments: &mut Map<String, Json>,
        credentials: &Credentials,
        known_hosts: HostKeys,
    ) -> Result<Self, String> {
        let legacy_algorithms = match arguments.remove("legacy_algorithms") {
            None | Some(Json::Null) => false,
            Some(Json::Bool(yes)) => yes,
            Some(other) => {
                return Err(format!("the argument legacy_algorithms is {other}; it is true or false"));
            }
        };
        let source = match text(arguments, "source_address")? {
            None => None,
            Some(text) => {
                let address = text.parse();
                Some(
                    address
                        .map_err(|_| format!("the argument source_address is {text}; it is an address"))?,
                )
            }
        };
        let host = text(arguments, "jump_host")?;
        let password = text(arguments, "jump_password")?.map(SecretString::from);
        let key_file = text(arguments, "jump_key_file")?;
        let passphrase = text(arguments, "jump_passphrase")?.map(SecretString::from);
        let host_keys = match text(arguments, "jump_host_key")? {
            Some(fingerprint) => HostKeys::Fingerprint(fingerprint),
            None => known_hosts,
        };
        let Some(host) = host else { return Ok(Self { source, jump: None, legacy_algorithms }) };
        let (user, endpoint) = place(&host)
            .ok_or_else(|| format!("the argument jump_host is {host}; it is [USER@]HOST[:PORT]"))?;
        let mut own = credentials.clone();
        own.user = user.unwrap_or(own.user);
        if password.is_some() || key_file.is_some() {
            // Who has credentials of their own there is not to show the router's.
            own = Credentials { user: own.user, password, ..Credentials::default() };
        }
        if let Some(file) = key_file {
            let text = std::fs::read_to_string(&file)
                .map_err(|error| format!("the jump host's key file {file} cannot be read: {error}"))?;
            own.keys = vec![Key { text: text.into(), passphrase }];
        }
        let jump = Jump { endpoint, credentials: own, host_keys };
        Ok(Self { source, jump: Some(jump), legacy_algorithms })
    }

    /// The names of the arguments that a way of another kind cannot heed; `None` if there are none.
    pub(crate) fn unheeded(&self, source_too: bool) -> Option<&'static str> {
        match (self.jump.is_some(), source_too && self.source.is_some()) {
            (true, _) => Some("jump_host"),
            (false, true) => Some("source_address"),
            (false, false) => None,
        }
    }
}

/// An argument that is a text.
pub(crate) fn text(arguments: &mut Map<String, Json>, name: &str) -> Result<Option<String>, String> {
    match arguments.remove(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) if !text.is_empty() => Ok(Some(text)),
        // Its value may be a secret.
        Some(_) => Err(format!("the argument {name} is not a text, or empty")),
    }
}

/// `[USER@]HOST[:PORT]`; an IPv6 address with a port stands in brackets.
fn place(text: &str) -> Option<(Option<String>, Endpoint)> {
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user.to_owned()), rest),
        None => (None, text),
    };
    let (host, port) = if let Some(rest) = rest.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
    } else {
        match rest.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (rest, None),
        }
    };
    let port = port.map_or(Some(22), |port| port.parse().ok().filter(|&port| port > 0))?;
    let is_name = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control());
    (is_name && user.as_ref().is_none_or(|user| !user.is_empty()))
        .then(|| (user, Endpoint { host: host.to_owned(), port }))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;
    use serde_json::json;

    use super::*;

    fn taken(arguments: &Json) -> Result<(Way, Map<String, Json>), String> {
        let mut arguments = arguments.as_object().cloned().unwrap_or_default();
        let credentials = Credentials {
            user: "netops".into(),
            password: Some("Planted".into()),
            agent: Some("/agent".into()),
            keys: Vec::new(),
        };
        let way = Way::take(&mut arguments, &credentials, HostKeys::KnownHosts("/known".into()))?;
        Ok((way, arguments))
    }

    #[test]
    fn places() {
        for (text, user, host, port) in [
            ("jump", None, "jump", 22),
            ("me@jump.example:2222", Some("me"), "jump.example", 2222),
            ("2001:db8::1", None, "2001:db8::1", 22),
            ("a@b@[2001:db8::1]:830", Some("a@b"), "2001:db8::1", 830),
            ("[::1]", None, "::1", 22),
        ] {
            let (found, endpoint) = place(text).unwrap();
            assert_eq!(
                (found.as_deref(), endpoint.host.as_str(), endpoint.port),
                (user, host, port),
                "{text}"
            );
        }
        for text in ["", "@jump", "jump:", "jump:0", "jump:99999", "[::1", "[::1]x", "a b", "me@"] {
            assert!(place(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_jump_host_takes_what_the_router_takes_unless_it_has_its_own() {
        let (way, rest) =
            taken(&json!({ "jump_host": "jump", "source_address": "192.0.2.1", "secret": "x" })).unwrap();
        assert_eq!(rest.keys().collect::<Vec<_>>(), ["secret"]);
        assert_eq!(way.source, Some([192, 0, 2, 1].into()));
        assert!(!way.legacy_algorithms);
        let jump = way.jump.unwrap();
        assert_eq!(jump.credentials.user, "netops");
        assert_eq!(jump.credentials.password.unwrap().expose_secret(), "Planted");
        assert!(jump.credentials.agent.is_some());
        assert!(matches!(jump.host_keys, HostKeys::KnownHosts(_)));

        let own = json!({ "jump_host": "me@jump:24", "jump_password": "Other", "jump_host_key": "SHA256:x",
            "legacy_algorithms": true });
        let (way, rest) = taken(&own).unwrap();
        assert!(rest.is_empty() && way.legacy_algorithms);
        let jump = way.jump.unwrap();
        assert_eq!((jump.endpoint.port, jump.credentials.user.as_str()), (24, "me"));
        assert_eq!(jump.credentials.password.unwrap().expose_secret(), "Other");
        assert!(jump.credentials.agent.is_none());
        assert!(matches!(jump.host_keys, HostKeys::Fingerprint(_)));
    }

    #[test]
    fn what_is_wrong_is_named_without_secrets() {
        for wrong in [
            json!({ "jump_host": "jump:x" }),
            json!({ "jump_host": 5 }),
            json!({ "jump_host": "jump", "jump_password": ["Planted"] }),
            json!({ "jump_host": "jump", "jump_key_file": "/nonexistent" }),
            json!({ "source_address": "eth0" }),
            json!({ "legacy_algorithms": "yes" }),
        ] {
            let error = taken(&wrong).err().unwrap();
            assert!(!error.contains("Planted"), "{error}");
        }
        // Without a jump host its credentials are no arguments for anybody else either.
        let (way, rest) = taken(&json!({ "jump_password": "x" })).unwrap();
        assert!(way.jump.is_none() && rest.is_empty());
    }
}
