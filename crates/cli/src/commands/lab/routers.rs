//! `lab routers`: stand-ins for vendors' routers, and a directory with what is needed to reach them.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use pm_lab::routers::fleet::{CERTIFICATE, Fleet, Kind, Member, Options};
use pm_lab::routers::peering;
use serde_json::json;

use crate::output::Output;

/// More commands than these are not printed.
const SHOWN: usize = 9;

#[derive(Debug, Args)]
pub(crate) struct Routers {
    /// Where the password, the host keys, the certificate and the list of the routers are written
    #[arg(long, value_name = "DIRECTORY")]
    directory: PathBuf,
    /// How many routers
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// Whose routers, in turns; may be given more than once [default: all]
    #[arg(long, value_enum)]
    kind: Vec<KindChoice>,
    /// How many neighbours each has, invented ones
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(..=100_000))]
    sessions: u32,
    /// A file of neighbours: address, AS, up, down or shut, description
    #[arg(long, value_name = "FILE", conflicts_with = "sessions")]
    neighbors: Option<PathBuf>,
    /// The configuration that routers of a kind begin with, as in eos=FILE; may be given more than once
    #[arg(long, value_name = "KIND=FILE", value_parser = kind_and_file)]
    running: Vec<(KindChoice, PathBuf)>,
    /// Milliseconds that everything takes on its way, in each direction: half of what a ping would show
    #[arg(long, value_name = "MS", default_value_t = 0)]
    delay: u64,
    /// TCP port of the first; the others follow. 0 takes any free ones
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The same seed invents the same counters
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Whose router it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindChoice {
    /// Juniper Junos.
    Junos,
    /// Cisco IOS-XR.
    Iosxr,
    /// Arista EOS.
    Eos,
}

impl KindChoice {
    fn kind(self) -> Kind {
        match self {
            Self::Junos => Kind::Junos,
            Self::Iosxr => Kind::IosXr,
            Self::Eos => Kind::Eos,
        }
    }
}

const USER: &str = "netops";
/// For stand-ins on the loopback, and nothing else.
const PASSWORD: &str = "lab-password";

fn kind_and_file(text: &str) -> Result<(KindChoice, PathBuf), String> {
    let (kind, file) = text.split_once('=').ok_or("it has the form KIND=FILE")?;
    Ok((KindChoice::from_str(kind, true)?, PathBuf::from(file)))
}

pub(crate) async fn run(output: &Output, arguments: Routers) -> anyhow::Result<()> {
    let read = |file: &Path| {
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
    };
    let neighbors = match &arguments.neighbors {
        Some(file) => peering::neighbors(&read(file)?)
            .map_err(|why| anyhow::anyhow!("cannot use {}: {why}", file.display()))?,
        None => peering::invented(arguments.sessions),
    };
    let configs = arguments.running.iter().map(|(kind, file)| Ok((kind.kind(), read(file)?)));
    let kinds: Vec<Kind> = arguments.kind.iter().map(|kind| kind.kind()).collect();
    let options = Options {
        kinds: if kinds.is_empty() { Kind::ALL.to_vec() } else { kinds },
        count: arguments.count,
        neighbors,
        configs: configs.collect::<anyhow::Result<_>>()?,
        delay: Duration::from_millis(arguments.delay),
        port: arguments.port,
        user: USER.to_owned(),
        password: PASSWORD.to_owned(),
        seed: arguments.seed,
    };
    let fleet = Fleet::start(&options).await?;
    let directory = std::path::absolute(&arguments.directory)?;
    write_all(&directory, &options, &fleet)
        .with_context(|| format!("cannot write into {}", directory.display()))?;
    let count = fleet.members.len();
    // All in one piece: whoever waits for the first line has the others too.
    let mut said = format!(
        "Routers at 127.0.0.1; {count} of them, user {USER}, password and host keys in {}. Ctrl-C ends them.",
        directory.display()
    );
    for member in fleet.members.iter().take(SHOWN) {
        let _ =
            write!(said, "\n{}: peering-manager router neighbors {}", member.name, way(member, &directory));
    }
    if count > SHOWN {
        let list = directory.join("routers.json");
        let _ = write!(said, "\n… and {} more, all in {}", count - SHOWN, list.display());
    }
    output.line(&said);
    super::stopped().await;
    Ok(())
}

/// The flags that lead to a router.
fn way(member: &Member, directory: &Path) -> String {
    let file = |name: &str| directory.join(name).display().to_string();
    let trust = match member.host_key {
        Some(_) => format!("--known-hosts {}", file("known_hosts")),
        None => format!("--ca {}", file("ca.pem")),
    };
    format!(
        "--platform {} --host 127.0.0.1 --port {} --username {USER} --password-file {} {trust}",
        member.kind.platform(),
        member.address.port(),
        file("password")
    )
}

fn write_all(directory: &Path, options: &Options, fleet: &Fleet) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory)?;
    let mut known_hosts = String::new();
    for member in &fleet.members {
        if let Some((key, _)) = &member.host_key {
            let _ = writeln!(known_hosts, "[127.0.0.1]:{} {key}", member.address.port());
        }
    }
    let routers: Vec<_> = fleet
        .members
        .iter()
        .map(|member| {
            json!({
                "name": member.name,
                "platform": member.kind.platform(),
                "host": member.address.ip(),
                "port": member.address.port(),
                "host_key": member.host_key.as_ref().map(|(_, fingerprint)| fingerprint),
            })
        })
        .collect();
    let neighbors: Vec<_> =
        options.neighbors.iter().map(|one| json!({ "address": one.address, "asn": one.asn })).collect();
    let list = json!({
        "username": USER,
        "password_file": directory.join("password"),
        "known_hosts": directory.join("known_hosts"),
        "ca_file": directory.join("ca.pem"),
        "local_as": peering::LOCAL_AS,
        "routers": routers,
        "neighbors": neighbors,
    });
    for (name, text) in [
        ("password", format!("{PASSWORD}\n")),
        ("known_hosts", known_hosts),
        ("ca.pem", CERTIFICATE.to_owned()),
        ("routers.json", format!("{list:#}\n")),
    ] {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(directory.join(name))?;
        file.write_all(text.as_bytes())?;
    }
    Ok(())
}
