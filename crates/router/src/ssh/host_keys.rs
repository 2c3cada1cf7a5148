//! Whether the machine that answers is the router.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::hmac;
use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, Marker};
use russh::keys::{Algorithm, HashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{Names, client};

use super::{Endpoint, algorithms};

/// Which host keys are taken. There is no way to take any key.
#[derive(Clone, Debug)]
pub enum HostKeys {
    /// A file in the form of OpenSSH's `known_hosts`: plain, with patterns, or hashed. Keys marked `@revoked` are refused;
    /// `@cert-authority` is not supported and such a line is left aside.
    KnownHosts(PathBuf),
    /// The fingerprint as `ssh-keygen -l` prints it, `SHA256:…`.
    Fingerprint(String),
}

/// What ends a key exchange.
#[derive(Debug)]
pub(super) enum Problem {
    HostKey(String),
    Ssh(russh::Error),
}

impl From<russh::Error> for Problem {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

enum Known {
    Keys { place: String, keys: Vec<PublicKey>, revoked: Vec<PublicKey> },
    Fingerprint(String),
}

/// Compares the key that the other side shows with those that are known.
pub(super) struct Verifier {
    known: Known,
    /// The server's name in messages.
    name: String,
    /// Whether old algorithms were told of.
    warned: bool,
}

impl Verifier {
    pub(super) async fn new(host_keys: &HostKeys, endpoint: &Endpoint, name: String) -> Result<Self, String> {
        let known = match host_keys {
            HostKeys::Fingerprint(text) => {
                let digest = text.strip_prefix("SHA256:").unwrap_or_default().trim_end_matches('=');
                if STANDARD_NO_PAD.decode(digest).map(|octets| octets.len()) != Ok(32) {
                    return Err(
                        "the pinned fingerprint is not of the form SHA256:…, see ssh-keygen -l".into()
                    );
                }
                Known::Fingerprint(format!("SHA256:{digest}"))
            }
            HostKeys::KnownHosts(path) => {
                let place = path.display().to_string();
                let text = tokio::fs::read_to_string(path)
                    .await
                    .map_err(|error| format!("the known hosts cannot be read from {place}: {error}"))?;
                let (keys, revoked) = keys_of(&text, &endpoint.host, endpoint.port);
                Known::Keys { place, keys, revoked }
            }
        };
        Ok(Self { known, name, warned: false })
    }

    /// The algorithms to ask for: those of the known keys first, so that a router with several keys shows one of them.
    pub(super) fn algorithms(&self, all: &[Algorithm]) -> Vec<Algorithm> {
        let Known::Keys { keys, .. } = &self.known else { return all.to_vec() };
        let is_known = |algorithm: &&Algorithm| {
            keys.iter().any(|key| match (key.algorithm(), algorithm) {
                (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
                (known, algorithm) => known == **algorithm,
            })
        };
        let (first, then): (Vec<_>, Vec<_>) = all.iter().partition(is_known);
        first.into_iter().chain(then).cloned().collect()
    }

    fn judge(&self, key: &PublicKey) -> Result<(), String> {
        let shown = key.fingerprint(HashAlg::Sha256).to_string();
        match &self.known {
            Known::Fingerprint(pinned) if *pinned == shown => Ok(()),
            Known::Fingerprint(pinned) => Err(format!(
                "the host key is {shown}, and {pinned} is pinned; somebody may be in between, or the router was replaced"
            )),
            Known::Keys { revoked, place, .. }
                if revoked.iter().any(|one| one.key_data() == key.key_data()) =>
            {
                Err(format!("the host key {shown} is revoked in {place}"))
            }
            Known::Keys { keys, .. } if keys.iter().any(|one| one.key_data() == key.key_data()) => Ok(()),
            Known::Keys { keys, place, .. } if keys.is_empty() => Err(format!(
                "the host key {shown} is unknown; compare it on the router, and add it to {place}"
            )),
            Known::Keys { place, .. } => Err(format!(
                "the host key {shown} is another one than in {place}; somebody may be in between, or the router was replaced"
            )),
        }
    }
}

impl client::Handler for Verifier {
    type Error = Problem;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Problem> {
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                self.judge(key).map(|()| true).map_err(Problem::HostKey)
            }
            PublicKeyOrCertificate::Certificate(_) => {
                Err(Problem::HostKey("the router shows a host certificate, which is not supported".into()))
            }
        }
    }

    async fn kex_done(
        &mut self,
        _: Option<&[u8]>,
        names: &Names,
        _: &mut client::Session,
    ) -> Result<(), Problem> {
        let old = algorithms::old_ones(names);
        if !old.is_empty() && !std::mem::replace(&mut self.warned, true) {
            let algorithms = old.join(", ");
            tracing::warn!(
                host = self.name,
                algorithms,
                "the connection is not safe: these algorithms are old and weak"
            );
        }
        Ok(())
    }
}

/// The keys of a host, and those that are revoked for it.
fn keys_of(text: &str, host: &str, port: u16) -> (Vec<PublicKey>, Vec<PublicKey>) {
    let name = if port == 22 { host.to_lowercase() } else { format!("[{}]:{port}", host.to_lowercase()) };
    let (mut keys, mut revoked) = (Vec::new(), Vec::new());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        // A line that cannot be read is no reason to distrust the others.
        let Ok(entry) = line.parse::<Entry>() else { continue };
        if !matches(entry.host_patterns(), &name) {
            continue;
        }
        match entry.marker() {
            None => keys.push(entry.public_key().clone()),
            Some(Marker::Revoked) => revoked.push(entry.public_key().clone()),
            Some(Marker::CertAuthority) => {}
        }
    }
    (keys, revoked)
}

fn matches(patterns: &HostPatterns, name: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => {
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
            hmac::verify(&key, name.as_bytes(), hash).is_ok()
        }
        HostPatterns::Patterns(patterns) => {
            let mut found = false;
            for pattern in patterns {
                let (negated, pattern) = match pattern.strip_prefix('!') {
                    Some(pattern) => (true, pattern),
                    None => (false, pattern.as_str()),
                };
                if is_like(pattern.to_lowercase().as_bytes(), name.as_bytes()) {
                    if negated {
                        return false;
                    }
                    found = true;
                }
            }
            found
        }
    }
}

/// Whether the name fits the pattern, in which `*` stands for any text and `?` for one character.
fn is_like(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut of) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while of < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(&c) if c == b'?' || c == name[of] => {
                at += 1;
                of += 1;
            }
            _ => {
                let Some((back, from)) = star else { return false };
                star = Some((back, from + 1));
                at = back + 1;
                of = from + 1;
            }
        }
    }
    pattern[at..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::{is_like, keys_of};

    const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";

    fn counts(text: &str, host: &str, port: u16) -> (usize, usize) {
        let (keys, revoked) = keys_of(text, host, port);
        (keys.len(), revoked.len())
    }

    #[test]
    fn hosts_by_name_pattern_port_and_mark() {
        let text = format!(
            "# comment\nr1.example,192.0.2.1 {A}\n*.lab,!bad.lab {A} note\n[r1.example]:830 {B}\n@revoked r1.example {B}\nbroken line\n"
        );
        assert_eq!(counts(&text, "R1.example", 22), (1, 1));
        assert_eq!(counts(&text, "192.0.2.1", 22), (1, 0));
        assert_eq!(counts(&text, "x.lab", 22), (1, 0));
        assert_eq!(counts(&text, "bad.lab", 22), (0, 0));
        assert_eq!(counts(&text, "r1.example", 830), (1, 0));
        assert_eq!(counts(&text, "r2.example", 22), (0, 0));
    }

    #[test]
    fn hashed_hosts() {
        // `ssh-keygen -H` on a line for 192.0.2.7.
        let text = format!("|1|1quIb/EPoP9tHDiWQLNixCxGjUQ=|gMf4BHfhVMLWWo6h9tAQ8p7255w= {A}");
        assert_eq!(counts(&text, "192.0.2.8", 22), (0, 0));
        assert_eq!(counts(&text, "192.0.2.7", 22), (1, 0));
    }

    #[test]
    fn patterns() {
        for (pattern, name, fits) in [
            ("*", "a", true),
            ("a*c", "abc", true),
            ("a*c", "ab", false),
            ("?", "", false),
            ("a?", "ab", true),
        ] {
            assert_eq!(is_like(pattern.as_bytes(), name.as_bytes()), fits, "{pattern} {name}");
        }
    }
}
