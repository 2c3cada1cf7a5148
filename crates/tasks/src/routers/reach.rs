//! From a router in the database to the way there.

use std::time::Duration;

use pm_config::Config;
use pm_router::{
    Arguments, Choice, Credentials, Endpoint, HostKeys, Key, Limits, Platform, Target, Tls, Way,
};
use pm_store::objects::data::Data;
use pm_store::objects::record::Record;
use pm_store::objects::registry;
use pm_store::objects::secrets::Keyring;
use pm_store::{Session, StoreError, picture};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value as Json};

use super::hosts::Host;
use crate::TaskError;
use crate::deploy::Ways;

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
    /// Whether it has a configuration template.
    pub has_template: bool,
    /// The way there, or why there is none.
    pub target: Result<Target, NoWay>,
    /// How it is given its configuration, or what is wrong with what its arguments say of that.
    pub ways: Result<Ways, String>,
}

impl Host for Reached {
    fn number(&self) -> i64 {
        self.id
    }
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
        let mut options = options(&router, platform, config, keyring);
        let ways = match &mut options {
            Ok(options) => Ways::take(options, router.text("name"), config),
            Err(why) => Err(why.clone()),
        };
        found.push(Reached {
            id: router.id,
            name: router.text("name").to_owned(),
            hostname: router.text("hostname").to_owned(),
            disabled: router.text("status") == "disabled",
            polled: router.boolean("poll_bgp_sessions_state"),
            has_template: router.integer("configuration_template").is_some(),
            target: target(&router, platform, options, config, keyring),
            ways,
        });
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// Settings, then the platform's arguments, then the router's: the later win. Each router has a list of its own.
fn options(
    router: &Record,
    platform: Option<&Record>,
    config: &Config,
    keyring: &Keyring,
) -> Result<Map<String, Json>, String> {
    let mut options = match serde_json::to_value(config.napalm_args.expose()) {
        Ok(Json::Object(options)) => options,
        _ => Map::new(),
    };
    for one in platform.into_iter().chain([router]) {
        let more = one.opened("napalm_args", keyring).map_err(|error| error.to_string())?;
        if let Data::Json(Json::Object(more)) = more {
            options.extend(more);
        }
    }
    Ok(options)
}

fn target(
    router: &Record,
    platform: Option<&Record>,
    options: Result<Map<String, Json>, String>,
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
    options.and_then(|options| way(router, driver, options, config, keyring)).map_err(NoWay::Broken)
}

fn way(
    router: &Record,
    driver: &str,
    mut options: Map<String, Json>,
    config: &Config,
    keyring: &Keyring,
) -> Result<Target, String> {
    let arguments = Arguments::take(&mut options)?;
    let known = Platform::from_name(driver);
    let (platform, use_napalm) = match arguments.driver {
        Some(Choice::Napalm) => (known, true),
        Some(Choice::Native) => {
            let native = known.and_then(Platform::native).ok_or_else(|| {
                format!("there is no native driver {driver}; leave `driver` out of its arguments")
            })?;
            (Some(native), false)
        }
        None => (known, false),
    };
    let known_hosts = HostKeys::KnownHosts(config.ssh_known_hosts.clone());
    let host_keys = arguments.host_key.map_or_else(|| known_hosts.clone(), HostKeys::Fingerprint);
    let tls = Tls {
        verify: arguments.verify.unwrap_or(true),
        authorities: arguments.authorities.or_else(|| config.ca_file.clone()),
    };
    let seconds = match router.integer("napalm_timeout").and_then(|seconds| u64::try_from(seconds).ok()) {
        Some(seconds) if seconds > 0 => seconds,
        _ => u64::from(config.napalm_timeout),
    };
    let credentials = credentials(router, config, keyring, arguments.key)?;
    let way = Way::take(&mut options, &credentials, known_hosts)?;
    Ok(Target {
        endpoint: Endpoint { host: router.text("hostname").to_owned(), port: arguments.port.unwrap_or(0) },
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
    key: Option<Key>,
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
    if user.is_empty() {
        return Err("it has no user name; set napalm_username on it or in the settings".to_owned());
    }
    Ok(Credentials { user, agent: None, keys: key.into_iter().collect(), password })
}
