//! Whether the machine that answers is the router.

use std::io::ErrorKind;
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
    /// Several such files, of which those that are not there are empty.
    KnownHostsIn(Vec<PathBuf>),
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
    Keys {
        place: String,
        /// How the host is written there.
        name: String,
        keys: Vec<PublicKey>,
        revoked: Vec<PublicKey>,
    },
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
            HostKeys::KnownHosts(path) => known(std::slice::from_ref(path), true, endpoint).await?,
            HostKeys::KnownHostsIn(paths) => known(paths, false, endpoint).await?,
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
            Known::Keys { keys, place, name, .. } if keys.is_empty() => Err(format!(
                "the host key {shown} is unknown; compare it on the router, and add it to {place} in a line that begins with \
                 {name}"
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

/// What the files say of a host. Unless they `must` be there, one that is not is empty.
async fn known(paths: &[PathBuf], must: bool, endpoint: &Endpoint) -> Result<Known, String> {
    let (mut keys, mut revoked) = (Vec::new(), Vec::new());
    for path in paths {
        let text = match tokio::fs::read_to_string(path).await {
            Ok(text) => text,
            Err(error) if !must && error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(format!("the known hosts cannot be read from {}: {error}", path.display()));
            }
        };
        let (more, more_revoked) = keys_of(&text, &endpoint.host, endpoint.port);
        keys.extend(more);
        revoked.extend(more_revoked);
    }
    let places: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let name = name_of(&endpoint.host, endpoint.port);
    Ok(Known::Keys { place: places.join(" or "), name, keys, revoked })
}

impl HostKeys {
    /// The file that tells most of a host, for those who take one only; `None` if a fingerprint is pinned.
    pub(crate) fn file(&self, endpoint: &Endpoint) -> Option<PathBuf> {
        let paths = match self {
            Self::KnownHosts(path) => return Some(path.clone()),
            Self::KnownHostsIn(paths) => paths,
            Self::Fingerprint(_) => return None,
        };
        let port = if endpoint.port == 0 { 22 } else { endpoint.port };
        let knows = |path: &&PathBuf| {
            std::fs::read_to_string(path).is_ok_and(|text| !keys_of(&text, &endpoint.host, port).0.is_empty())
        };
        paths
            .iter()
            .find(knows)
            .or_else(|| paths.iter().find(|path| path.exists()))
            .or(paths.first())
            .cloned()
    }
}

/// How a host is written in such files.
fn name_of(host: &str, port: u16) -> String {
    let host = host.to_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

/// The keys of a host, and those that are revoked for it.
fn keys_of(text: &str, host: &str, port: u16) -> (Vec<PublicKey>, Vec<PublicKey>) {
    let name = name_of(host, port);
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
    use russh::keys::PublicKey;

    use super::{Endpoint, HostKeys, Verifier, is_like, keys_of};

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

    #[tokio::test]
    async fn a_key_in_any_of_the_files_is_known() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let endpoint = Endpoint { host: "r1".into(), port: 830 };
        let judge = async |keys: &HostKeys, key: &str| {
            let verifier = Verifier::new(keys, &endpoint, "r1 port 830".into()).await?;
            verifier.judge(&PublicKey::from_openssh(key).unwrap())
        };
        let both = HostKeys::KnownHostsIn(vec![path("own"), path("system")]);
        // Neither is there; and a line for port 22 says nothing of another one.
        for text in ["", "r1"] {
            if !text.is_empty() {
                std::fs::write(path("own"), format!("{text} {A}\n")).unwrap();
            }
            let said = judge(&both, A).await.unwrap_err();
            assert!(
                said.contains("unknown") && said.contains("own or /") && said.ends_with("[r1]:830"),
                "{said}"
            );
        }
        std::fs::write(path("system"), format!("[r1]:830 {A}\n")).unwrap();
        judge(&both, A).await.unwrap();
        assert_eq!(both.file(&endpoint), Some(path("system")));
        assert!(judge(&both, B).await.unwrap_err().contains("another one"));
        std::fs::write(path("own"), format!("@revoked [r1]:830 {A}\n")).unwrap();
        assert!(judge(&both, A).await.unwrap_err().contains("revoked"));
        // One that is there and cannot be read is not left aside, and one that was named must be there.
        std::fs::remove_file(path("own")).unwrap();
        std::fs::create_dir(path("own")).unwrap();
        assert!(judge(&both, A).await.unwrap_err().contains("cannot be read"));
        let named = HostKeys::KnownHosts(path("nowhere"));
        assert!(judge(&named, A).await.unwrap_err().contains("cannot be read"));
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
