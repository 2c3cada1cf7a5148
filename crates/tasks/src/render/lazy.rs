//! Values that are made when a template asks for them: secrets are opened, lists are read where they lie.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use pm_irr::{Entry, Family, OwnedList, unpack_asns};
use pm_render::{Data, Lazy, Network, PrefixEntry, PrefixSource, Unavailable};
use pm_store::objects::secrets::Keyring;
use pm_store::objects::telling::secret_texts;

/// A secret, or another sealed value, as the database has it.
pub(super) struct Secret {
    pub(super) keyring: Arc<Keyring>,
    pub(super) context: Arc<str>,
    pub(super) sealed: String,
    /// Whether it is JSON.
    pub(super) json: bool,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is sealed is part of what a rendering was made from.
        write!(f, "Secret({})", self.sealed)
    }
}

impl Lazy for Secret {
    fn open(&self) -> Result<Data, Unavailable> {
        match self.keyring.open(&self.context, &self.sealed) {
            Ok(clear) if self.json => match serde_json::from_str(clear.reveal()) {
                Ok(json) => Ok(Data::Json(Arc::new(json))),
                // What is wrong with it is not said: it is a secret.
                Err(_) => Err(Unavailable::Broken(format!("{} holds no JSON", self.context))),
            },
            Ok(clear) => Ok(Data::Text(clear.reveal().into())),
            Err(error) => Err(Unavailable::Broken(error.to_string())),
        }
    }

    fn secrets(&self, made: &Data) -> Vec<Arc<str>> {
        match made {
            Data::Text(text) => vec![text.clone()],
            Data::Json(json) => secret_texts(json).into_iter().map(Arc::from).collect(),
            _ => Vec::new(),
        }
    }
}

/// An AS list as the database has it.
pub(super) struct AsList {
    pub(super) digest: Vec<u8>,
    pub(super) octets: Result<Arc<Vec<u8>>, Lack>,
}

/// Why there are no octets.
#[derive(Clone, Debug)]
pub(super) enum Lack {
    /// There is no list, for this reason.
    Missing(Arc<str>),
    /// Nobody wants one.
    Unwanted,
    /// It was not read; asking for it is noted.
    Unread(Arc<AtomicBool>),
}

impl std::fmt::Debug for AsList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AsList({:?}, {:?})", self.digest, self.octets.as_ref().err())
    }
}

impl Lazy for AsList {
    fn open(&self) -> Result<Data, Unavailable> {
        let octets = match &self.octets {
            Ok(octets) => octets,
            Err(Lack::Missing(why)) => return Err(Unavailable::Missing(why.clone())),
            Err(Lack::Unwanted) => return Ok(Data::Json(Arc::new(Vec::<u32>::new().into()))),
            Err(Lack::Unread(asked)) => {
                asked.store(true, Ordering::Relaxed);
                return Ok(Data::Json(Arc::new(Vec::<u32>::new().into())));
            }
        };
        let asns = unpack_asns(octets).map_err(|error| Unavailable::Broken(error.to_string()))?;
        Ok(Data::Json(Arc::new(asns.into())))
    }
}

/// A prefix list as the database has it; looked over when it is first used, and never taken apart as a whole.
pub(super) struct Packed {
    digest: Vec<u8>,
    octets: Arc<Vec<u8>>,
    list: OnceLock<Result<OwnedList, String>>,
}

impl Packed {
    pub(super) fn new(digest: Vec<u8>, octets: Arc<Vec<u8>>) -> Self {
        Self { digest, octets, list: OnceLock::new() }
    }

    fn list(&self) -> Result<&OwnedList, &String> {
        let read = || OwnedList::new(Arc::clone(&self.octets)).map_err(|error| error.to_string());
        self.list.get_or_init(read).as_ref()
    }
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Packed({:?})", self.digest)
    }
}

impl PrefixSource for Packed {
    fn check(&self) -> Result<(), String> {
        self.list().map(drop).map_err(Clone::clone)
    }
    fn len(&self) -> usize {
        self.list().map_or(0, OwnedList::len)
    }
    fn get(&self, at: usize) -> Option<PrefixEntry> {
        self.list().ok()?.get(at).map(entry)
    }
}

/// A prefix list that was not read; asking for it is noted.
#[derive(Debug)]
pub(super) struct Unread(pub(super) Arc<AtomicBool>);

impl PrefixSource for Unread {
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
    fn len(&self) -> usize {
        self.0.store(true, Ordering::Relaxed);
        0
    }
    fn get(&self, _: usize) -> Option<PrefixEntry> {
        self.0.store(true, Ordering::Relaxed);
        None
    }
}

/// As bgpq4 writes it: `exact` for the prefix alone, otherwise the bounds; the lower one only where it is longer than
/// the prefix.
fn entry(entry: Entry) -> PrefixEntry {
    let prefix = entry.prefix;
    let high = prefix.address();
    let address: IpAddr = match prefix.family() {
        Family::V4 => Ipv4Addr::from_bits(u32::try_from(high >> 96).unwrap_or_default()).into(),
        Family::V6 => Ipv6Addr::from_bits(high).into(),
    };
    PrefixEntry {
        prefix: Network { address, length: prefix.length() },
        written: None,
        exact: entry.lengths.is_none(),
        greater_equal: entry.lengths.map(|(low, _)| low).filter(|low| *low > prefix.length()),
        less_equal: entry.lengths.map(|(_, high)| high),
    }
}
