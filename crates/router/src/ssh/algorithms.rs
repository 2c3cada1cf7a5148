//! Which algorithms are agreed to.

use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{AlgorithmKind, Names, Preferred, cipher, kex, mac};

use crate::mask::excerpt;

/// The argument that allows what is old, as messages name it.
const ARGUMENT: &str = "legacy_algorithms";

/// Key exchanges; those of elliptic curves by NIST, which are all that some routers have, are missing in russh's own list.
const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_G18_SHA512,
    kex::DH_G17_SHA512,
    kex::DH_G16_SHA512,
    kex::DH_G15_SHA512,
    kex::DH_G14_SHA256,
];
const LEGACY_KEX: &[kex::Name] = &[kex::DH_GEX_SHA1, kex::DH_G14_SHA1, kex::DH_G1_SHA1];
const EXTENSIONS: &[kex::Name] =
    &[kex::EXTENSION_SUPPORT_AS_CLIENT, kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT];

/// Host keys.
const KEYS: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];
/// `ssh-rsa`: signatures with SHA-1.
const LEGACY_KEYS: &[Algorithm] = &[Algorithm::Rsa { hash: None }];

const LEGACY_CIPHERS: &[cipher::Name] =
    &[cipher::AES_256_CBC, cipher::AES_192_CBC, cipher::AES_128_CBC, cipher::TRIPLE_DES_CBC];
const LEGACY_MACS: &[mac::Name] = &[mac::HMAC_SHA1_ETM, mac::HMAC_SHA1];

/// What is offered to a router, the best first. What is old comes last, and only if it is allowed.
pub(super) fn preferred(legacy: bool) -> Preferred {
    let usual = Preferred::DEFAULT;
    let old = |yes: bool| if yes { usize::MAX } else { 0 };
    let count = old(legacy);
    Preferred {
        kex: KEX.iter().chain(LEGACY_KEX.iter().take(count)).chain(EXTENSIONS).copied().collect(),
        key: KEYS.iter().chain(LEGACY_KEYS.iter().take(count)).cloned().collect(),
        cipher: usual.cipher.iter().chain(LEGACY_CIPHERS.iter().take(count)).copied().collect(),
        mac: usual.mac.iter().chain(LEGACY_MACS.iter().take(count)).copied().collect(),
        ..usual
    }
}

/// Those of the algorithms in use that are old.
pub(super) fn old_ones(names: &Names) -> Vec<String> {
    let mut found = Vec::new();
    let mut note = |name: &str, is_old: bool| {
        if is_old && !found.iter().any(|one| one == name) {
            found.push(name.to_owned());
        }
    };
    note(names.kex.as_ref(), LEGACY_KEX.contains(&names.kex));
    note("ssh-rsa", LEGACY_KEYS.contains(&names.key));
    note(names.cipher.as_ref(), LEGACY_CIPHERS.contains(&names.cipher));
    for mac in [&names.client_mac, &names.server_mac] {
        note(mac.as_ref(), LEGACY_MACS.contains(mac));
    }
    found
}

/// Why no connection came about. Where both sides have no algorithm in common: what the router offers, and what can be done.
pub(super) fn explain(error: &russh::Error) -> String {
    let russh::Error::NoCommonAlgo { kind, ours, theirs } = error else { return error.to_string() };
    let old: Vec<String> = match kind {
        AlgorithmKind::Kex => LEGACY_KEX.iter().map(|one| one.as_ref().to_owned()).collect(),
        AlgorithmKind::Key => LEGACY_KEYS.iter().map(ToString::to_string).collect(),
        AlgorithmKind::Cipher => LEGACY_CIPHERS.iter().map(|one| one.as_ref().to_owned()).collect(),
        AlgorithmKind::Mac => LEGACY_MACS.iter().map(|one| one.as_ref().to_owned()).collect(),
        AlgorithmKind::Compression => Vec::new(),
    };
    let what = match kind {
        AlgorithmKind::Kex => "key exchange",
        AlgorithmKind::Key => "kind of host key",
        AlgorithmKind::Cipher => "cipher",
        AlgorithmKind::Mac => "message authentication",
        AlgorithmKind::Compression => "compression",
    };
    let offered = excerpt(&theirs.join(", "));
    let would_do = theirs.iter().any(|one| old.contains(one) && !ours.contains(one));
    let advice = if would_do {
        format!(
            "these are old and weak; update the router, or allow them for it with the argument {ARGUMENT} = true"
        )
    } else {
        let usable = ours.iter().filter(|one| !one.starts_with("ext-info") && !one.starts_with("kex-strict"));
        let usable: Vec<&str> = usable.map(String::as_str).collect();
        format!("this program has {}", usable.join(", "))
    };
    format!("there is no {what} in common: the router offers {offered}; {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_is_offered_only_when_asked_for() {
        let names = |legacy| {
            let all = preferred(legacy);
            let kex = all.kex.iter().map(|one| one.as_ref().to_owned());
            let keys = all.key.iter().map(ToString::to_string);
            let ciphers = all.cipher.iter().map(|one| one.as_ref().to_owned());
            let macs = all.mac.iter().map(|one| one.as_ref().to_owned());
            kex.chain(keys).chain(ciphers).chain(macs).collect::<Vec<_>>()
        };
        let is_old = |name: &&String| {
            ["sha1", "-cbc"].iter().any(|part| name.contains(part)) || name.as_str() == "ssh-rsa"
        };
        assert_eq!(names(false).iter().filter(is_old).count(), 0, "{:?}", names(false));
        assert_eq!(names(true).iter().filter(is_old).count(), 10, "{:?}", names(true));
        assert!(names(true).iter().all(|name| name != "none"));
    }

    #[test]
    fn a_router_with_other_algorithms_is_told_what_to_do() {
        let error = |theirs: &str, ours: &str| russh::Error::NoCommonAlgo {
            kind: AlgorithmKind::Kex,
            ours: ours.split(' ').map(str::to_owned).collect(),
            theirs: theirs.split(' ').map(str::to_owned).collect(),
        };
        let text = explain(&error("diffie-hellman-group1-sha1 x", "curve25519-sha256"));
        assert!(text.contains("diffie-hellman-group1-sha1, x") && text.contains(ARGUMENT), "{text}");
        let text = explain(&error("odd\u{1b}[31m", "curve25519-sha256 ext-info-c"));
        assert!(text.ends_with("this program has curve25519-sha256"), "{text}");
        assert!(!text.contains(ARGUMENT) && !text.contains('\u{1b}'), "{text}");
    }
}
