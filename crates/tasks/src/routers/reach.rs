//! From a router in the database to the way there.

use std::path::PathBuf;
use std::time::Duration;

use pm_config::Config;
use pm_router::{Credentials, Endpoint, HostKeys, Key, Limits, Platform, Target, Tls, Way};
use pm_store::objects::record::Record;
use pm_store::objects::registry;
use pm_store::objects::secrets::Keyring;
use pm_store::{Session, StoreError, picture};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value as Json};

use crate::TaskError;
use crate::deploy::Ways;
use crate::render::hosts::Host;

/// Why there is no way to a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoWay {
    /// There is not meant to be one: it is disabled, or has no platform or driver.
    Unmeant(String),
    /// Something is wrong with its arguments, its password or its key.
    Broken(String),
}

impl NoWay {
    /// In words.
    pub fn reason(&self) -> &str {
        match self {
            Self::Unmeant(reason) | Self::Broken(reason) => reason,
        }
    }
}

/// A router of the database.
#[derive(Clone)]
pub struct Reached {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The name or address under which it is reached.
    pub hostname: String,
    /// Whether nothing is to be done on it.
    pub disabled: bool,
    /// Whether its sessions are polled.
    pub polled: bool,
    /// The way there, or why there is none.
    pub target: Result<Target, NoWay>,
    /// How it is given its configuration, or what is wrong with what its arguments say of that.
    pub ways: Result<Ways, String>,
}

impl Host for Reached {
    fn name(&self) -> &str {
        &self.name
    }
    fn hostname(&self) -> &str {
        &self.hostname
    }
}

/// All routers, by name: two statements.
///
/// # Errors
/// Those of the database.
pub async fn routers(
    session: &mut Session<'_>,
    config: &Config,
    keyring: &Keyring,
) -> Result<Vec<Reached>, TaskError> {
    let model = |label: &str| {
        registry::model(label).ok_or_else(|| StoreError::Data(format!("there is no model {label}")))
    };
    let platforms = picture::objects(session, model("devices.platform")?).await?;
    let mut found = Vec::new();
    for router in picture::objects(session, model("devices.router")?).await? {
        let platform = router
            .integer("platform")
            .and_then(|wanted| platforms.iter().find(|platform| platform.id == wanted));
        let mut options = options(&router, platform, config);
        let ways = Ways::take(&mut options, router.text("name"), config);
        found.push(Reached {
            id: router.id,
            name: router.text("name").to_owned(),
            hostname: router.text("hostname").to_owned(),
            disabled: router.text("status") == "disabled",
            polled: router.boolean("poll_bgp_sessions_state"),
            target: target(&router, platform, options, config, keyring),
            ways,
        });
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// Settings, then the platform's arguments, then the router's: the later win. Each router has a list of its own.
fn options(router: &Record, platform: Option<&Record>, config: &Config) -> Map<String, Json> {
    let mut options = match serde_json::to_value(config.napalm_args.expose()) {
        Ok(Json::Object(options)) => options,
        _ => Map::new(),
    };
    for more in [platform.and_then(|platform| platform.json("napalm_args")), router.json("napalm_args")] {
        if let Some(Json::Object(more)) = more {
            options.extend(more.clone());
        }
    }
    options
}

fn target(
    router: &Record,
    platform: Option<&Record>,
    options: Map<String, Json>,
    config: &Config,
    keyring: &Keyring,
) -> Result<Target, NoWay> {
    let unmeant = |reason: String| Err(NoWay::Unmeant(reason));
    if router.text("status") == "disabled" {
        return unmeant("it is disabled".to_owned());
    }
    let Some(platform) = platform else { return unmeant("it has no platform".to_owned()) };
    let driver = platform.text("napalm_driver");
    if driver.is_empty() {
        return unmeant(format!("its platform {} names no driver", platform.text("name")));
    }
    way(router, driver, options, config, keyring).map_err(NoWay::Broken)
}

fn way(
    router: &Record,
    driver: &str,
    mut options: Map<String, Json>,
    config: &Config,
    keyring: &Keyring,
) -> Result<Target, String> {
    let mut taken = |name: &str| options.remove(name);
    let text = |value: Option<Json>| value.and_then(|value| value.as_str().map(str::to_owned));
    let known = Platform::from_name(driver);
    let (platform, use_napalm) = match text(taken("driver")).as_deref() {
        Some("napalm") => (known, true),
        Some("native") => {
            let native = known.and_then(Platform::native).ok_or_else(|| {
                format!("there is no native driver {driver}; leave `driver` out of its arguments")
            })?;
            (Some(native), false)
        }
        None => (known, false),
        Some(other) => {
            return Err(format!("its argument driver is {other:?}; there are native and napalm"));
        }
    };
    let port = match taken("port") {
        None => 0,
        Some(port) => port
            .as_u64()
            .or_else(|| port.as_str()?.parse().ok())
            .and_then(|port| u16::try_from(port).ok())
            .ok_or_else(|| format!("its argument port is {port}; a port is a number from 1 to 65535"))?,
    };
    let host_keys = match text(taken("host_key")) {
        Some(fingerprint) => HostKeys::Fingerprint(fingerprint),
        None => HostKeys::KnownHosts(config.ssh_known_hosts.clone()),
    };
    let tls = Tls {
        verify: taken("ssl_verify").and_then(|value| value.as_bool()).unwrap_or(true),
        authorities: text(taken("ca_file")).map(PathBuf::from).or_else(|| config.ca_file.clone()),
    };
    let seconds = match router.integer("napalm_timeout").and_then(|seconds| u64::try_from(seconds).ok()) {
        Some(seconds) if seconds > 0 => seconds,
        _ => u64::from(config.napalm_timeout),
    };
    let credentials = credentials(router, config, keyring, &options)?;
    let way = Way::take(&mut options, &credentials, config.ssh_known_hosts.clone())?;
    Ok(Target {
        endpoint: Endpoint { host: router.text("hostname").to_owned(), port },
        platform: platform.unwrap_or(Platform::Napalm),
        driver_name: driver.to_owned(),
        use_napalm,
        python: config.napalm_python.clone(),
        credentials,
        host_keys,
        way,
        tls,
        limits: limits(Duration::from_secs(seconds)),
        options,
    })
}

fn limits(time: Duration) -> Limits {
    Limits {
        connect: time,
        login: time,
        read: time,
        change: time.max(Limits::default().change),
        ..Limits::default()
    }
}

fn credentials(
    router: &Record,
    config: &Config,
    keyring: &Keyring,
    options: &Map<String, Json>,
) -> Result<Credentials, String> {
    let user = match router.text("napalm_username") {
        "" => config.napalm_username.clone().unwrap_or_default(),
        user => user.to_owned(),
    };
    let own = router.secret("napalm_password", keyring).map_err(|error| error.to_string())?;
    let password = own
        .map(|clear| SecretString::from(clear.reveal().to_owned()))
        .filter(|password| !password.expose_secret().is_empty())
        .or_else(|| config.napalm_password.clone());
    let mut keys = Vec::new();
    if let Some(file) = options.get("key_file").and_then(Json::as_str) {
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("its key file {file} cannot be read: {error}"))?;
        let passphrase = options.get("passphrase").and_then(Json::as_str).map(SecretString::from);
        keys.push(Key { text: text.into(), passphrase });
    }
    if user.is_empty() {
        return Err("it has no user name; set napalm_username on it or in the settings".to_owned());
    }
    Ok(Credentials { user, agent: None, keys, password })
}
