//! From what an operator says of a router to a connection to it.

use std::path::PathBuf;

use serde_json::{Map, Value as Json};

use crate::bridge;
use crate::daemon::{Daemon, DaemonKind, DaemonOptions};
use crate::terminal::CliRouter;
use crate::{Credentials, Endpoint, Error, HostKeys, Limits, Platform, Router, Ssh, Way};

/// Whose certificate is believed.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Whether the certificate is verified at all.
    pub verify: bool,
    /// A file of certificates (PEM) that are believed beside the system's.
    pub authorities: Option<PathBuf>,
}

impl Default for Tls {
    fn default() -> Self {
        Self { verify: true, authorities: None }
    }
}

/// A router and the way to it.
#[derive(Clone)]
pub struct Target {
    /// Where it is. A port of 0 is the platform's usual one.
    pub endpoint: Endpoint,
    /// What it is.
    pub platform: Platform,
    /// The name of NAPALM's driver, for the bridge.
    pub driver_name: String,
    /// Go through NAPALM even where there is a native driver.
    pub use_napalm: bool,
    /// The Python that has NAPALM.
    pub python: PathBuf,
    /// Who logs in.
    pub credentials: Credentials,
    /// Which host keys are believed.
    pub host_keys: HostKeys,
    /// How it is reached over SSH.
    pub way: Way,
    /// Which certificates are believed.
    pub tls: Tls,
    /// NAPALM's optional arguments, by name.
    pub options: Map<String, Json>,
    /// How long and how much.
    pub limits: Limits,
}

impl Target {
    /// The endpoint, with the port that the platform usually has if none was given.
    pub(crate) fn endpoint_or(&self, port: u16) -> Endpoint {
        let mut endpoint = self.endpoint.clone();
        if endpoint.port == 0 {
            endpoint.port = port;
        }
        endpoint
    }

    /// A connection over SSH, to the port that the platform usually has if none was given.
    pub(crate) async fn ssh(&self, port: u16) -> Result<Ssh, Error> {
        let endpoint = self.endpoint_or(port);
        Ssh::connect_by(&self.way, &endpoint, &self.credentials, &self.host_keys, self.limits).await
    }

    /// Whether something or everything on this router is done by NAPALM.
    pub fn needs_napalm(&self) -> bool {
        self.is_left_to_napalm() || self.platform.capabilities().loads.is_empty()
    }

    fn is_left_to_napalm(&self) -> bool {
        self.use_napalm || !self.platform.has_native_driver() || self.is_for_napalm()
    }

    /// Whether only NAPALM can go this way: there is no telnet here, and nothing reads OpenSSH's configuration.
    fn is_for_napalm(&self) -> bool {
        let is_cli = matches!(self.platform, Platform::Ios | Platform::NxosSsh);
        is_cli && (self.text("transport") == Some("telnet") || self.options.contains_key("ssh_config_file"))
    }

    /// An option that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.options.get(name).and_then(Json::as_str)
    }
}

/// Connects to a router and logs in. What a native driver cannot do is left to NAPALM.
pub async fn connect(target: &Target) -> Result<Box<dyn Router>, Error> {
    if target.is_left_to_napalm() {
        return bridge::connect(target).await;
    }
    let native = native(target).await?;
    let reads_only = native.capabilities().loads.is_empty();
    Ok(if reads_only { bridge::beside(native, target) } else { native })
}

async fn native(target: &Target) -> Result<Box<dyn Router>, Error> {
    match target.platform {
        Platform::Frr => daemon(target, DaemonKind::Frr).await,
        Platform::Bird => daemon(target, DaemonKind::Bird).await,
        Platform::Openbgpd => daemon(target, DaemonKind::Openbgpd).await,
        Platform::Gobgp => daemon(target, DaemonKind::Gobgp).await,
        Platform::Eos => crate::eos::connect(target).await,
        Platform::Nxos => crate::nxapi::connect(target).await,
        Platform::Junos => crate::junos::connect(target).await,
        Platform::IosxrNetconf => crate::iosxr::connect(target).await,
        Platform::Ios | Platform::NxosSsh => Ok(Box::new(CliRouter::connect(target).await?)),
        other => Err(Error::Connect {
            host: target.endpoint.host.clone(),
            message: format!("there is no native driver for {}", other.name()),
        }),
    }
}

async fn daemon(target: &Target, kind: DaemonKind) -> Result<Box<dyn Router>, Error> {
    let ssh = target.ssh(22).await?;
    let options = DaemonOptions {
        config_file: target.text("config_file").map(str::to_owned),
        state_directory: target.text("state_directory").map(str::to_owned),
        without_counting: target.options.get("without_counting").and_then(Json::as_bool).unwrap_or(false),
    };
    Ok(Box::new(Daemon::new(ssh, kind, options)))
}
