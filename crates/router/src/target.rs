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
        is_cli && (self.text("transport") == Some("telnet") || self.has_ssh_config())
    }

    fn has_ssh_config(&self) -> bool {
        self.text("ssh_config_file").is_some_and(|file| !file.is_empty())
    }

    /// Why the native driver cannot go the way that the arguments ask for. NAPALM could, and does not verify whom it meets there;
    /// so that is for somebody to decide.
    fn refused_way(&self) -> Option<String> {
        let name = self.platform.name();
        match self.platform {
            Platform::Eos | Platform::Nxos => {
                let transport = self.text("transport").filter(|name| !matches!(*name, "https" | "http"))?;
                Some(format!(
                    "the argument transport is {transport}, and {name} is asked over https or http; leave it out, or name \
                     NAPALM as the driver"
                ))
            }
            _ if self.has_ssh_config() => Some(format!(
                "the argument ssh_config_file is for NAPALM; {name} is reached with jump_host and its like: leave it out (null \
                 does, too), or name NAPALM as the driver"
            )),
            _ => None,
        }
    }

    /// The names of options that mean nothing to whoever drives the router; those of NAPALM's drivers are not known. Where only
    /// changes go through NAPALM, `changes` says whether there will be any.
    pub fn unknown_options(&self, changes: bool) -> Vec<&str> {
        if self.is_left_to_napalm() || (changes && self.needs_napalm()) {
            return Vec::new();
        }
        let known: &[&str] = match self.platform {
            Platform::Frr => &["state_directory", "without_counting"],
            Platform::Openbgpd => &["config_file", "state_directory", "without_counting"],
            Platform::Bird | Platform::Gobgp => &["config_file", "state_directory"],
            Platform::Eos => &["transport", "enable_password", "secret", "lock_disable"],
            Platform::Nxos => &["transport"],
            Platform::Junos => &["config_private", "config_lock", "lock_disable"],
            Platform::IosxrNetconf => &["config_lock"],
            Platform::Ios | Platform::NxosSsh => &["transport", "secret", "force_no_enable"],
            _ => &[],
        };
        let everywhere = ["key_file", "passphrase", "ssh_config_file"];
        let names = self.options.keys().map(String::as_str);
        names.filter(|name| !known.contains(name) && !everywhere.contains(name)).collect()
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
    if let Some(message) = target.refused_way() {
        return Err(Error::Connect { host: target.endpoint.host.clone(), message });
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

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn target(platform: Platform, options: &Json) -> Target {
        Target {
            endpoint: Endpoint { host: "192.0.2.1".into(), port: 0 },
            platform,
            driver_name: platform.name().into(),
            use_napalm: false,
            python: "python3".into(),
            credentials: Credentials::default(),
            host_keys: HostKeys::KnownHosts("/nonexistent".into()),
            way: Way::default(),
            tls: Tls::default(),
            options: options.as_object().cloned().unwrap_or_default(),
            limits: Limits::default(),
        }
    }

    #[test]
    fn only_what_it_alone_can_do_is_left_to_napalm() {
        for (platform, options, left) in [
            (Platform::Ios, json!({}), false),
            (Platform::Ios, json!({ "ssh_config_file": null, "transport": null }), false),
            (Platform::NxosSsh, json!({ "ssh_config_file": "" }), false),
            (Platform::NxosSsh, json!({ "ssh_config_file": "/etc/ssh/ssh_config" }), true),
            (Platform::Ios, json!({ "transport": "ssh" }), false),
            (Platform::Ios, json!({ "transport": "telnet" }), true),
            (Platform::Junos, json!({ "ssh_config_file": "/etc/ssh/ssh_config" }), false),
        ] {
            assert_eq!(target(platform, &options).is_left_to_napalm(), left, "{} {options}", platform.name());
        }
    }

    #[tokio::test]
    async fn another_way_than_was_asked_for_is_not_gone() {
        let file = json!({ "ssh_config_file": "/etc/ssh/ssh_config" });
        for (platform, options, name) in [
            (Platform::Eos, json!({ "transport": "ssh" }), "transport"),
            (Platform::Nxos, json!({ "transport": "ssh" }), "transport"),
            (Platform::Junos, file.clone(), "jump_host"),
            (Platform::IosxrNetconf, file.clone(), "jump_host"),
            (Platform::Bird, file.clone(), "jump_host"),
        ] {
            let Err(error) = connect(&target(platform, &options)).await else { panic!("{options}") };
            let said = error.to_string();
            assert!(said.contains(name) && said.contains("name NAPALM as the driver"), "{said}");
        }
        for (platform, options) in [
            (Platform::Eos, json!({ "transport": "http" })),
            (Platform::Eos, json!({ "transport": null, "ssh_config_file": null })),
            (Platform::Nxos, json!({ "transport": "https" })),
            (Platform::Junos, json!({ "ssh_config_file": null, "transport": "ssh" })),
        ] {
            assert_eq!(target(platform, &options).refused_way(), None, "{options}");
        }
    }

    #[test]
    fn options_that_nobody_knows() {
        let all = json!({ "config_lock": true, "secret": "x", "jump_hots": "jump", "key_file": "/x" });
        for (platform, changes, unknown) in [
            (Platform::Junos, true, &["jump_hots", "secret"][..]),
            (Platform::Eos, true, &["config_lock", "jump_hots"]),
            (Platform::Frr, false, &["config_lock", "jump_hots", "secret"]),
            (Platform::Ios, false, &["config_lock", "jump_hots"]),
            // They may be NAPALM's.
            (Platform::Ios, true, &[]),
            (Platform::Iosxr, false, &[]),
        ] {
            let mut found = target(platform, &all);
            assert_eq!(found.unknown_options(changes), unknown, "{} {changes}", platform.name());
            found.use_napalm = true;
            assert!(found.unknown_options(changes).is_empty());
        }
    }
}
