//! `router`: ask a router, or see what a configuration would change there, without a database; and the routers of the
//! database.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, Subcommand, ValueEnum};
use pm_router::{
    Arguments, Choice, ConfigText, Credentials, Endpoint, Family, HostKeys, How, Key, Limits, Neighbor,
    Platform, Router, State, Target, Tls, Way as SshWay,
};
use secrecy::SecretString;
use serde_json::{Map, Value as Json, json};

use super::router_list;
use crate::app::{self, EXIT_OK, UsageError};
use crate::commands::Shared;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Routers of the database, with how their sessions stand
    List,
    /// One router of the database, with how its sessions stand
    Show {
        /// Its name or hostname
        name: String,
    },
    /// The BGP neighbours
    Neighbors(Neighbors),
    /// What the router is
    Facts(Way),
    /// The running configuration, which may hold passwords
    Config(Way),
    /// What a configuration would change; it is loaded, compared and discarded
    Diff(Difference),
    /// Connect, log in and ask what the router is; say how long that took
    Ping(Way),
}

/// The way to a router.
#[derive(Debug, Args)]
pub(crate) struct Way {
    /// What the router runs, such as frr, bird, junos or `iosxr_netconf`; with --driver napalm any driver of NAPALM's
    #[arg(long, value_name = "NAME")]
    platform: String,
    /// Its name or address
    #[arg(long)]
    host: String,
    /// The port [default: the platform's usual one]
    #[arg(long)]
    port: Option<u16>,
    /// Who logs in
    #[arg(long, env = "USER", hide_env_values = true, default_value = "")]
    username: String,
    /// A file whose first line is the password; - reads standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A file with a private key; may be given more than once
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// A file whose first line is the passphrase of the keys
    #[arg(long, value_name = "FILE", requires = "key")]
    passphrase_file: Option<PathBuf>,
    /// The socket of an SSH agent
    #[arg(long, value_name = "SOCKET", env = "SSH_AUTH_SOCK", hide_env_values = true)]
    agent: Option<PathBuf>,
    /// An argument of the driver's or of the way there, such as `jump_host`; NAME=VALUE or NAME=@FILE, the value JSON or else text
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    arguments: Vec<String>,
    /// Which driver [default: native where there is one]
    #[arg(long, value_enum)]
    driver: Option<DriverChoice>,
    /// The Python that has NAPALM
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    python: PathBuf,
    /// The file of host keys that are believed [default: `~/.ssh/known_hosts` and `/etc/ssh/ssh_known_hosts`]
    #[arg(long, value_name = "FILE", conflicts_with = "host_key")]
    known_hosts: Option<PathBuf>,
    /// The fingerprint of the host key, SHA256:…
    #[arg(long, value_name = "FINGERPRINT")]
    host_key: Option<String>,
    /// Do not verify the certificate of HTTPS
    #[arg(long)]
    insecure_tls: bool,
    /// A file of certificates (PEM) that are believed beside the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Seconds for connecting, for logging in and for each question
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// Which driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DriverChoice {
    /// This program's own.
    Native,
    /// NAPALM's, in a Python process.
    Napalm,
}

impl From<DriverChoice> for Choice {
    fn from(choice: DriverChoice) -> Self {
        match choice {
            DriverChoice::Native => Self::Native,
            DriverChoice::Napalm => Self::Napalm,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Neighbors {
    #[command(flatten)]
    way: Way,
    /// Print NAPALM's `get_bgp_neighbors`, as JSON
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// With --format napalm: its `get_bgp_neighbors_detail`
    #[arg(long, requires = "format")]
    detail: bool,
}

/// Another shape of the neighbours.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// NAPALM's.
    Napalm,
}

#[derive(Debug, Args)]
pub(crate) struct Difference {
    #[command(flatten)]
    way: Way,
    /// The configuration; - reads standard input
    file: PathBuf,
    /// It is to be the whole configuration, instead of a part
    #[arg(long)]
    replace: bool,
}

pub(crate) async fn run(shared: &Shared, output: &Output, command: Command) -> anyhow::Result<u8> {
    if !matches!(command, Command::List | Command::Show { .. }) {
        app::log_without_settings(shared);
    }
    match command {
        Command::List => {
            let (store, freshness) = app::look(shared, output).await?;
            router_list::list(output, &store, freshness).await?;
        }
        Command::Show { name } => {
            let (store, freshness) = app::look(shared, output).await?;
            router_list::show(output, &store, freshness, &name).await?;
        }
        Command::Neighbors(arguments) => neighbors(output, &arguments).await?,
        Command::Facts(way) => facts(output, &way).await?,
        Command::Config(way) => config(output, &way).await?,
        Command::Diff(arguments) => diff(output, &arguments).await?,
        Command::Ping(way) => ping(output, &way).await?,
    }
    Ok(EXIT_OK)
}

async fn neighbors(output: &Output, arguments: &Neighbors) -> anyhow::Result<()> {
    let router = arguments.way.connect().await?;
    if arguments.format.is_some() {
        let said = if arguments.detail {
            router.napalm_detail().await.map(serde_json::to_value)
        } else {
            router.napalm_neighbors().await.map(serde_json::to_value)
        };
        router.close().await;
        let said = said??;
        if output.json {
            return output.json(&said);
        }
        output.verbatim(&serde_json::to_string_pretty(&said)?);
        return Ok(());
    }
    let found = router.neighbors().await;
    router.close().await;
    let found = found?;
    for one in &found.left_out {
        output.warning(&format!("left out: {one}"));
    }
    if output.json {
        return output.json(&found);
    }
    let header =
        ["VRF", "Address", "AS", "State", "For", "Received", "Accepted", "Advertised", "Description"];
    output.table("neighbors", &found.neighbors, &header, cells)
}

fn cells(one: &Neighbor) -> Vec<String> {
    let text = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |number| number.to_string());
    // A session for both families has both numbers, that of IPv4 first.
    let counts = |count: fn(&pm_router::Prefixes) -> Option<u64>| {
        let all: Vec<String> = [Family::Ipv4, Family::Ipv6]
            .iter()
            .filter_map(|of| one.prefixes.get(of))
            .map(|one| text(count(&one)))
            .collect();
        if all.is_empty() { "-".to_owned() } else { all.join(" + ") }
    };
    vec![
        one.vrf.to_string(),
        one.address.to_string(),
        text(one.remote_as.map(u64::from)),
        state(one),
        one.age.map_or_else(|| "-".to_owned(), |age| duration(age.into())),
        counts(|counts| counts.received),
        counts(|counts| counts.accepted),
        counts(|counts| counts.advertised),
        one.description.as_deref().unwrap_or_default().to_owned(),
    ]
}

fn state(one: &Neighbor) -> String {
    let name = match one.state {
        State::Idle => "Idle",
        State::Connect => "Connect",
        State::Active => "Active",
        State::OpenSent => "OpenSent",
        State::OpenConfirm => "OpenConfirm",
        State::Established => "Established",
    };
    match &one.last_error {
        _ if !one.enabled => format!("{name} (shut down)"),
        _ if one.over_limit => format!("{name} (too many prefixes)"),
        Some(why) if !one.is_up() => format!("{name} ({why})"),
        _ => name.to_owned(),
    }
}

/// The two largest units.
fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}m {}s", seconds % 60),
        (0, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

async fn facts(output: &Output, way: &Way) -> anyhow::Result<()> {
    let router = way.connect().await?;
    let found = router.facts().await;
    router.close().await;
    let found = found?;
    if output.json {
        return output.json(&found);
    }
    let rows = [
        ("Name", found.hostname),
        ("Vendor", found.vendor),
        ("Model", found.model),
        ("Version", found.version),
        ("Router ID", found.router_id.unwrap_or_else(|| "-".to_owned())),
        ("Up for", found.uptime.map_or_else(|| "-".to_owned(), duration)),
    ];
    for (name, value) in rows {
        output.line(&format!("{name:<10} {value}"));
    }
    Ok(())
}

async fn config(output: &Output, way: &Way) -> anyhow::Result<()> {
    let router = way.connect().await?;
    let found = router.running_config().await;
    router.close().await;
    let found = found?;
    if output.json {
        return output.json(&json!({ "config": found.expose() }));
    }
    output.octets(found.expose());
    Ok(())
}

async fn diff(output: &Output, arguments: &Difference) -> anyhow::Result<()> {
    let way = &arguments.way;
    let from_input = |path: &Path| path == Path::new("-");
    if from_input(&arguments.file) && way.password_file.as_deref().is_some_and(from_input) {
        bail!(UsageError("the password and the configuration cannot both come from standard input".into()));
    }
    let text = ConfigText::new(read(&arguments.file)?);
    let router = pm_router::connect(&way.target(true)?).await?;
    let compared = compare(&*router, &text, arguments.replace).await;
    router.close().await;
    let difference = compared?;
    if output.json {
        let (added, removed) = difference.counts();
        return output.json(&json!({ "diff": difference.text(), "added": added, "removed": removed }));
    }
    if difference.is_empty() {
        output.remark("Nothing would change.");
    } else {
        output.line(difference.text().trim_end_matches('\n'));
    }
    Ok(())
}

async fn compare(router: &dyn Router, text: &ConfigText, replace: bool) -> anyhow::Result<pm_router::Diff> {
    let how = if replace { How::Replace } else { How::Merge };
    let Some(loader) = router.loader(how) else {
        let name = router.platform().name();
        bail!(UsageError(match (router.capabilities().loads, replace) {
            ([], _) => format!("no configuration can be loaded on {name}"),
            (_, true) => format!("{name} takes parts of a configuration only; leave out --replace"),
            (_, false) => format!("{name} takes whole configurations only; use --replace"),
        }));
    };
    let candidate = loader.load(text).await?;
    let difference = candidate.diff().clone();
    candidate.discard().await?;
    Ok(difference)
}

async fn ping(output: &Output, way: &Way) -> anyhow::Result<()> {
    let begun = Instant::now();
    let router = way.connect().await?;
    let connected = begun.elapsed();
    let found = router.facts().await;
    let asked = begun.elapsed().saturating_sub(connected);
    router.close().await;
    let found = found?;
    if output.json {
        return output.json(&json!({
            "host": way.host,
            "platform": router.platform().name(),
            "login_seconds": connected.as_secs_f64(),
            "facts_seconds": asked.as_secs_f64(),
            "facts": found,
        }));
    }
    output.line(&format!(
        "{} is {} ({} {} {}). Connecting and logging in took {} ms, asking {} ms.",
        way.host,
        found.hostname,
        found.vendor,
        found.model,
        found.version,
        connected.as_millis(),
        asked.as_millis()
    ));
    Ok(())
}

impl Way {
    async fn connect(&self) -> anyhow::Result<Box<dyn Router>> {
        Ok(pm_router::connect(&self.target(false)?).await?)
    }

    /// What the flags say goes before what the arguments say. `changes` says whether the configuration is to be changed.
    fn target(&self, changes: bool) -> anyhow::Result<Target> {
        let mut options = self.options()?;
        let arguments = Arguments::take(&mut options).map_err(UsageError)?;
        let choice = self.driver.map(Choice::from).or(arguments.driver);
        let (platform, use_napalm) = self.platform(choice)?;
        if changes && choice == Some(Choice::Native) && platform.capabilities().loads.is_empty() {
            let name = platform.name();
            bail!(UsageError(format!("the native driver of {name} only reads; use --driver napalm")));
        }
        let time = Duration::from_secs(self.timeout);
        if !self.key.is_empty() {
            options.remove("key_file");
            options.remove("passphrase");
        }
        let credentials = self.credentials(arguments.key)?;
        let known_hosts = self.known_hosts();
        let pinned = self.host_key.clone().or(arguments.host_key.filter(|_| self.known_hosts.is_none()));
        let host_keys = pinned.map_or_else(|| known_hosts.clone(), HostKeys::Fingerprint);
        let way = SshWay::take(&mut options, &credentials, known_hosts).map_err(UsageError)?;
        let target = Target {
            endpoint: Endpoint { host: self.host.clone(), port: self.port.or(arguments.port).unwrap_or(0) },
            platform,
            driver_name: self.platform.clone(),
            use_napalm,
            python: self.python.clone(),
            credentials,
            host_keys,
            way,
            tls: Tls {
                verify: !self.insecure_tls && arguments.verify.unwrap_or(true),
                authorities: self.ca.clone().or(arguments.authorities),
            },
            options,
            limits: Limits { connect: time, login: time, read: time, change: 4 * time, ..Limits::default() },
        };
        let unknown = target.unknown_options(changes).join(", ");
        if !unknown.is_empty() {
            let name = target.platform.name();
            bail!(UsageError(format!(
                "the native driver of {name} knows no argument {unknown}; leave it out"
            )));
        }
        Ok(target)
    }

    /// The platform, and whether to go through NAPALM.
    fn platform(&self, choice: Option<Choice>) -> anyhow::Result<(Platform, bool)> {
        let known = Platform::from_name(&self.platform).filter(|&platform| platform != Platform::Napalm);
        match (known, choice) {
            (Some(platform), Some(Choice::Native)) => {
                let native = platform.native().ok_or_else(|| {
                    let name = platform.name();
                    anyhow!(UsageError(format!("there is no native driver for {name}; leave out --driver")))
                })?;
                Ok((native, false))
            }
            (Some(platform), choice) => Ok((platform, choice == Some(Choice::Napalm))),
            (None, Some(Choice::Napalm)) => Ok((Platform::Napalm, true)),
            (None, _) => {
                let names: Vec<&str> = Platform::ALL
                    .into_iter()
                    .filter(|&platform| platform != Platform::Napalm)
                    .map(Platform::name)
                    .collect();
                Err(anyhow!(UsageError(format!(
                    "there is no platform {}; known are {}, and with --driver napalm the drivers of NAPALM",
                    self.platform,
                    names.join(", ")
                ))))
            }
        }
    }

    fn credentials(&self, of_arguments: Option<Key>) -> anyhow::Result<Credentials> {
        let passphrase = self.passphrase_file.as_deref().map(first_line).transpose()?;
        let keys =
            self.key.iter().map(|path| Ok(Key { text: read(path)?.into(), passphrase: passphrase.clone() }));
        let of_arguments = of_arguments.filter(|_| self.key.is_empty()).map(Ok);
        Ok(Credentials {
            user: self.username.clone(),
            agent: self.agent.clone(),
            keys: keys.chain(of_arguments).collect::<anyhow::Result<_>>()?,
            password: self.password_file.as_deref().map(first_line).transpose()?,
        })
    }

    /// The file that is named, or those that OpenSSH reads.
    fn known_hosts(&self) -> HostKeys {
        if let Some(file) = &self.known_hosts {
            return HostKeys::KnownHosts(file.clone());
        }
        let own = std::env::home_dir().map(|home| home.join(".ssh/known_hosts"));
        HostKeys::KnownHostsIn(own.into_iter().chain(["/etc/ssh/ssh_known_hosts".into()]).collect())
    }

    fn options(&self) -> anyhow::Result<Map<String, Json>> {
        let read = self.arguments.iter().map(|argument| {
            let (name, value) = argument
                .split_once('=')
                .filter(|(name, _)| !name.is_empty())
                .ok_or_else(|| anyhow!(UsageError("--arg takes NAME=VALUE".into())))?;
            let value = match value.strip_prefix('@') {
                Some(path) => read(Path::new(path))?.trim_end().to_owned(),
                None => value.to_owned(),
            };
            Ok((name.to_owned(), serde_json::from_str(&value).unwrap_or(Json::String(value))))
        });
        read.collect()
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        return std::io::read_to_string(std::io::stdin()).context("cannot read standard input");
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn first_line(path: &Path) -> anyhow::Result<SecretString> {
    Ok(read(path)?.lines().next().unwrap_or_default().into())
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_have_two_units() {
        for (seconds, text) in [(0, "0m 0s"), (3599, "59m 59s"), (3600, "1h 0m"), (90_000, "1d 1h")] {
            assert_eq!(duration(seconds), text);
        }
    }
}
