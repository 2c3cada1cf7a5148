//! Secrets at rest: sealed with AES-256-GCM (NIST SP 800-38D) under a key that is not in the database.
//!
//! A sealed text is `1:<key id>:<base64 of nonce ‖ ciphertext ‖ tag>`. The key id is the beginning of the key's SHA-256,
//! so that after a change of keys each text says which one opens it. What a text is for (model and field) is
//! authenticated with it: one that was moved to another column does not open.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::forms::hexadecimal;
use super::model::Field;
use super::registry;
use crate::{Session, StoreError, deployments};

/// Octets of a key.
pub const KEY_OCTETS: usize = 32;

/// Why a secret was not sealed or opened. Never holds the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is no key; the reason says what to do.
    #[error("{context} cannot be sealed or opened: {reason}")]
    Unavailable {
        /// What was to be sealed or opened.
        context: String,
        /// Why there is no key, and what to do.
        reason: String,
    },
    /// Nobody gave a key.
    #[error("{context} holds a secret, and no key for secrets is configured")]
    NoKey {
        /// What was to be sealed or opened.
        context: String,
    },
    /// Sealed under a key that is not at hand.
    #[error(
        "{context} was sealed with the key {key_id}, which is not among the configured ones; add the earlier \
         secret_key to secret_key_previous, or put the key file that belongs to this database back"
    )]
    UnknownKey {
        /// What was to be opened.
        context: String,
        /// The key that is missing.
        key_id: String,
    },
    /// Not what sealing makes, changed since, or moved from another field.
    #[error("{context} is damaged: it does not open with its key; enter the secret again")]
    Damaged {
        /// What was to be opened.
        context: String,
    },
    /// The operating system gave no randomness.
    #[error("no randomness to seal {context}")]
    Randomness {
        /// What was to be sealed.
        context: String,
    },
}

/// A secret in the clear. Its `Debug` form does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Clear(pub(super) String);

impl Clear {
    /// Marks a text as secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Clear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clear(…)")
    }
}

struct Key {
    id: String,
    sealing: LessSafeKey,
    /// For fingerprints.
    mac: hmac::Key,
}

/// Gives the text of a key when the first secret is sealed, or says what to do.
type Maker = Box<dyn Fn() -> Result<String, String> + Send + Sync>;

/// The keys: one that seals, and older ones that still open.
pub struct Keyring {
    keys: OnceLock<Vec<Key>>,
    /// Where the key comes from when there is none yet.
    maker: Option<Maker>,
    /// Why there can be none.
    refusal: Option<String>,
    // Not a parameter: a nonce that somebody can hold still would give the key's work away.
    random: SystemRandom,
}

impl Keyring {
    /// `current` seals; all of them open.
    pub fn new(current: [u8; KEY_OCTETS], previous: &[[u8; KEY_OCTETS]]) -> Self {
        Self::holding(std::iter::once(&current).chain(previous).filter_map(Key::new).collect())
    }

    /// With keys that follow from texts such as the setting `secret_key`: the first seals, all of them open.
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::holding(texts.into_iter().filter_map(|text| Key::new(&octets_of(text))).collect())
    }

    /// With a key that `maker` gives when the first secret is sealed.
    pub fn on_demand(maker: impl Fn() -> Result<String, String> + Send + Sync + 'static) -> Self {
        Self { maker: Some(Box::new(maker)), ..Self::bare(OnceLock::new()) }
    }

    /// Without keys, for a reason that also says what to do.
    pub fn refusing(reason: impl Into<String>) -> Self {
        Self { refusal: Some(reason.into()), ..Self::empty() }
    }

    /// None at all: everything that needs one is refused.
    pub fn empty() -> Self {
        Self::holding(Vec::new())
    }

    /// Another one for a run that stores nothing: it need not make a key for good. `None` if there is nothing to spare.
    #[must_use]
    pub fn for_trial(&self) -> Option<Self> {
        (self.keys.get().is_none() && self.maker.is_some())
            .then(|| Self::from_texts(random_text().as_deref()))
    }

    fn holding(keys: Vec<Key>) -> Self {
        Self::bare(OnceLock::from(keys))
    }

    fn bare(keys: OnceLock<Vec<Key>>) -> Self {
        Self { keys, maker: None, refusal: None, random: SystemRandom::new() }
    }

    fn keys(&self) -> &[Key] {
        self.keys.get().map_or(&[], Vec::as_slice)
    }

    /// The key that seals, made now if need be.
    fn sealing(&self, context: &str) -> Result<&Key, SecretError> {
        if let (None, Some(maker)) = (self.keys.get(), &self.maker) {
            let text =
                maker().map_err(|reason| SecretError::Unavailable { context: context.to_owned(), reason })?;
            // Somebody who was faster has read the same key.
            let _ = self.keys.set(Key::new(&octets_of(&text)).into_iter().collect());
        }
        self.keys().first().ok_or_else(|| self.missing(context))
    }

    fn missing(&self, context: &str) -> SecretError {
        let context = context.to_owned();
        match &self.refusal {
            Some(reason) => SecretError::Unavailable { context, reason: reason.clone() },
            None => SecretError::NoKey { context },
        }
    }

    /// Seals a text for `context`, which is model and field, such as `devices.router.napalm_password`.
    pub fn seal(&self, context: &str, clear: &Clear) -> Result<String, SecretError> {
        let Key { id, sealing: key, .. } = self.sealing(context)?;
        let random = || SecretError::Randomness { context: context.to_owned() };
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| random())?;
        let mut octets = clear.0.clone().into_bytes();
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(context.as_bytes()),
            &mut octets,
        )
        .map_err(|_| random())?;
        Ok(format!("1:{id}:{}", STANDARD.encode([nonce.as_slice(), &octets].concat())))
    }

    /// The inverse of [`Keyring::seal`].
    pub fn open(&self, context: &str, sealed: &str) -> Result<Clear, SecretError> {
        let damaged = || SecretError::Damaged { context: context.to_owned() };
        let (id, text) = parts(sealed).ok_or_else(damaged)?;
        if self.keys().is_empty() {
            return Err(self.missing(context));
        }
        let Some(Key { sealing: key, .. }) = self.keys().iter().find(|key| key.id == id) else {
            return Err(SecretError::UnknownKey { context: context.to_owned(), key_id: id.to_owned() });
        };
        let mut octets = STANDARD.decode(text).map_err(|_| damaged())?;
        let (nonce, ciphertext) = octets.split_at_mut_checked(NONCE_LEN).ok_or_else(damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let clear =
            key.open_in_place(nonce, Aad::from(context.as_bytes()), ciphertext).map_err(|_| damaged())?;
        String::from_utf8(clear.to_vec()).map(Clear).map_err(|_| damaged())
    }

    /// Tells one text that holds secrets from another: `<key id>:<HMAC-SHA-256 in hexadecimal>`. Who has no key cannot try
    /// passwords with it.
    pub fn fingerprint(&self, context: &str, text: &str) -> Result<String, SecretError> {
        let key = self.sealing(context)?;
        let tag = hmac::sign(&key.mac, text.as_bytes());
        Ok(format!("{}:{}", key.id, hexadecimal(tag.as_ref())))
    }

    /// Whether a fingerprint is this text's. Not if its key is not at hand.
    pub fn is_fingerprint(&self, fingerprint: &str, text: &str) -> bool {
        let Some((id, tag)) = fingerprint.split_once(':') else { return false };
        self.keys()
            .iter()
            .find(|key| key.id == id)
            .is_some_and(|key| hexadecimal(hmac::sign(&key.mac, text.as_bytes()).as_ref()) == tag)
    }

    /// Whether the text is sealed under the key that seals now.
    pub fn is_current(&self, sealed: &str) -> bool {
        parts(sealed).is_some_and(|(id, _)| self.keys().first().is_some_and(|key| key.id == id))
    }

    /// The id of the key that seals now, if one is there.
    pub fn current(&self) -> Option<&str> {
        self.keys().first().map(|key| key.id.as_str())
    }

    /// Whether a key with this id is at hand.
    pub fn knows(&self, id: &str) -> bool {
        self.keys().iter().any(|key| key.id == id)
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys().iter().map(|key| &key.id)).finish()
    }
}

impl Key {
    fn new(octets: &[u8; KEY_OCTETS]) -> Option<Self> {
        let id = hexadecimal(&digest(&SHA256, octets).as_ref()[..4]);
        // Fails for keys of another length only.
        let key = UnboundKey::new(&AES_256_GCM, octets).ok()?;
        let derived =
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, octets), b"peering-manager: fingerprints");
        let mac = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
        Some(Self { id, sealing: LessSafeKey::new(key), mac })
    }
}

/// The key that follows from a text. The text is long and random, so nothing has to be made slow.
fn octets_of(text: &str) -> [u8; KEY_OCTETS] {
    let purpose = hmac::Key::new(hmac::HMAC_SHA256, b"peering-manager: secrets at rest");
    let tag = hmac::sign(&purpose, text.trim().as_bytes());
    let mut octets = [0; KEY_OCTETS];
    octets.copy_from_slice(tag.as_ref());
    octets
}

/// A new text for a key: 64 characters, or `None` if the operating system gives no randomness.
pub fn random_text() -> Option<String> {
    let mut octets = [0; 48];
    SystemRandom::new().fill(&mut octets).ok()?;
    Some(STANDARD.encode(octets))
}

/// The ids of the keys under which secrets in the database are sealed, with how many each seals.
///
/// # Errors
/// Those of the database.
pub async fn keys_in_use(session: &mut Session<'_>) -> Result<BTreeMap<String, i64>, StoreError> {
    let mut found = BTreeMap::new();
    let of_objects = registry::models().flat_map(|model| {
        let secrets = model.fields.iter().filter(|field| field.is_sealed());
        secrets.filter_map(Field::column).map(|column| (model.table, column))
    });
    let of_deployments = deployments::SEALED.map(|column| (deployments::TABLE, column.to_owned()));
    let columns: Vec<(&str, String)> = of_objects.chain(of_deployments).collect();
    for (table, column) in columns {
        let sql = format!(
            "SELECT SUBSTR({column}, 3, 8) AS key_id, COUNT(*) AS count FROM {table} WHERE {column} {SEALED} \
             GROUP BY SUBSTR({column}, 3, 8)"
        );
        for row in session.rows(&sql, vec![]).await? {
            *found.entry(row.get("key_id")?).or_default() += row.get::<i64, _>("count")?;
        }
    }
    Ok(found)
}

/// Sealed texts, in a comparison of SQL: the key id has eight characters.
const SEALED: &str = "LIKE '1:________:%'";

/// A field of which the database holds values in the clear that it should hold sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InClear {
    /// What has the field, such as `routers`.
    pub objects: &'static str,
    /// The field.
    pub field: &'static str,
    /// In how many.
    pub count: i64,
}

/// What the database holds in the clear, of what is sealed when it is written.
///
/// # Errors
/// Those of the database.
pub async fn in_clear(session: &mut Session<'_>) -> Result<Vec<InClear>, StoreError> {
    let mut found = Vec::new();
    for model in registry::models() {
        for field in model.fields.iter().filter(|field| field.sealed) {
            let Some(column) = field.column() else { continue };
            let sql = format!(
                "SELECT {column} FROM {} WHERE {column} IS NOT NULL AND {column} NOT {SEALED}",
                model.table
            );
            let mut count = 0;
            session
                .each(&sql, vec![], |row| {
                    count += i64::from(field.clear(&field.read(&row, 0)?).is_some());
                    Ok(())
                })
                .await?;
            if count > 0 {
                found.push(InClear { objects: model.plural, field: field.name, count });
            }
        }
    }
    Ok(found)
}

/// Whether this is what [`Keyring::seal`] makes.
pub(crate) fn is_sealed(text: &str) -> bool {
    let base64 = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=');
    parts(text).is_some_and(|(id, octets)| {
        id.len() == 8
            && id.bytes().all(|octet| octet.is_ascii_hexdigit())
            && octets.len() > NONCE_LEN
            && octets.bytes().all(base64)
    })
}

/// Key id and octets of a sealed text.
fn parts(sealed: &str) -> Option<(&str, &str)> {
    sealed.strip_prefix("1:")?.split_once(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_key_and_for_its_field_only() {
        let keyring = Keyring::new([1; 32], &[]);
        let clear = Clear::new("hunter2 – ключ");
        let sealed = keyring.seal("devices.router.napalm_password", &clear).unwrap();
        assert!(!sealed.contains("hunter2"));
        assert_ne!(sealed, keyring.seal("devices.router.napalm_password", &clear).unwrap());
        assert_eq!(keyring.open("devices.router.napalm_password", &sealed), Ok(clear.clone()));
        assert!(matches!(keyring.open("other", &sealed), Err(SecretError::Damaged { .. })));
        let other = Keyring::new([2; 32], &[]);
        assert!(matches!(
            other.open("devices.router.napalm_password", &sealed),
            Err(SecretError::UnknownKey { .. })
        ));
        let rotated = Keyring::new([2; 32], &[[1; 32]]);
        assert_eq!(rotated.open("devices.router.napalm_password", &sealed), Ok(clear));
        assert!(!rotated.is_current(&sealed) && keyring.is_current(&sealed));
    }

    #[test]
    fn a_key_on_demand_is_made_once_and_a_missing_one_says_what_to_do() {
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = std::sync::Arc::clone(&asked);
        let keyring = Keyring::on_demand(move || {
            counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Ok("a text of any length".to_owned())
        });
        let sealed = keyring.seal("x", &Clear::new("hunter2")).unwrap();
        keyring.seal("x", &Clear::new("again")).unwrap();
        assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 1);
        let same = Keyring::from_texts(["newer", " a text of any length\n"]);
        assert_eq!(same.open("x", &sealed).unwrap().reveal(), "hunter2");
        assert!(!same.is_current(&sealed) && keyring.is_current(&sealed));
        let refusing = Keyring::refusing("put the file back");
        for error in
            [refusing.open("x", &sealed).unwrap_err(), refusing.seal("x", &Clear::new("y")).unwrap_err()]
        {
            assert!(error.to_string().contains("put the file back"), "{error}");
        }
        assert_ne!(random_text(), random_text());
    }

    #[test]
    fn damaged_texts_are_refused_and_nothing_is_shown() {
        let keyring = Keyring::new([1; 32], &[]);
        let sealed = keyring.seal("x", &Clear::new("hunter2")).unwrap();
        let mut changed = sealed.clone().into_bytes();
        let last = changed.len() - 6;
        changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        for text in ["", "hunter2", "1:", "1:00:!!", &changed, &sealed[..20]] {
            let error = keyring.open("x", text).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        assert!(matches!(Keyring::empty().seal("x", &Clear::new("y")), Err(SecretError::NoKey { .. })));
        assert!(matches!(Keyring::empty().open("x", &sealed), Err(SecretError::NoKey { .. })));
        assert_eq!(format!("{:?}", Clear::new("hunter2")), "Clear(…)");
    }
}
