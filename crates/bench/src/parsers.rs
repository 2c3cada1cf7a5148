//! Answers of routers with so many neighbours that they are tens of megabytes, and the part that reads one of them.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use clap::ValueEnum;
use pm_router::{DaemonKind, Neighbors, Platform, parse, parse_vendor};

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Answer {
    /// JSON of FRR.
    Frr,
    /// JSON of `OpenBGPD`.
    Openbgpd,
    /// JSON of EOS.
    Eos,
    /// Text of BIRD.
    Bird,
    /// XML of Junos.
    Junos,
    /// XML of IOS-XR.
    Iosxr,
}

impl Answer {
    pub(crate) const ALL: [Self; 6] =
        [Self::Frr, Self::Openbgpd, Self::Eos, Self::Bird, Self::Junos, Self::Iosxr];

    /// As an argument of this program's parts.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Frr => "frr",
            Self::Openbgpd => "openbgpd",
            Self::Eos => "eos",
            Self::Bird => "bird",
            Self::Junos => "junos",
            Self::Iosxr => "iosxr",
        }
    }

    /// The form, and the megabytes that must be read in a second.
    pub(crate) const fn form(self) -> (&'static str, u32) {
        match self {
            Self::Frr | Self::Openbgpd | Self::Eos => ("JSON", 100),
            Self::Bird => ("text", 100),
            Self::Junos | Self::Iosxr => ("XML", 50),
        }
    }
}

/// What FRR, `OpenBGPD` and BIRD were seen to print.
const FRR: &str = include_str!("../../router/tests/cases/frr/steady/neighbors.txt");
const OPENBGPD: &str = include_str!("../../router/tests/cases/openbgpd/steady/neighbors.txt");
const BIRD: &str = include_str!("../../router/tests/cases/bird/steady/protocols.txt");
const STATUS: &str = include_str!("../../router/tests/cases/bird/steady/status.txt");
/// What the vendors' manuals say that theirs print.
const EOS: &str = include_str!("answers/eos.json");
const JUNOS: &str = include_str!("answers/junos.xml");
const IOSXR: &str = include_str!("answers/iosxr.xml");
/// The neighbour that is repeated.
const ADDRESS: &str = "192.0.2.2";

/// A text before, a block for a neighbour that is repeated, and a text behind.
struct Shape<'a> {
    before: &'a str,
    block: &'a str,
    between: &'a str,
    behind: &'a str,
}

/// The block from `from` on to the end of the first `to` behind it.
fn shape<'a>(text: &'a str, from: &str, to: &str, between: &'a str) -> anyhow::Result<Shape<'a>> {
    let start = text.rfind(from).with_context(|| format!("there is no {from:?}"))?;
    let length = text[start..].find(to).with_context(|| format!("there is no {to:?}"))? + to.len();
    let (block, behind) = text[start..].split_at(length);
    Ok(Shape { before: &text[..start], block, between, behind })
}

impl Shape<'_> {
    /// So many octets of it, and how many neighbours these are.
    fn repeated(&self, octets: usize) -> anyhow::Result<(String, usize)> {
        ensure!(self.block.contains(ADDRESS), "the block has no {ADDRESS}");
        let mut text = String::with_capacity(octets + 2 * self.block.len() + self.behind.len());
        text.push_str(self.before);
        let mut count = 0_u32;
        while text.len() < octets {
            if count > 0 {
                text.push_str(self.between);
            }
            let address = std::net::Ipv4Addr::from_bits((10 << 24) + count).to_string();
            let mut rest = self.block;
            while let Some((front, back)) = rest.split_once(ADDRESS) {
                text.push_str(front);
                text.push_str(&address);
                rest = back;
            }
            text.push_str(rest);
            count += 1;
        }
        text.push_str(self.behind);
        Ok((text, count as usize))
    }
}

type Parts = BTreeMap<String, String>;

fn answer(which: Answer, octets: usize) -> anyhow::Result<(Parts, usize)> {
    let (name, shape) = match which {
        Answer::Frr => ("neighbors", shape(FRR, "\"192.0.2.2\":{", "\n  }", ",\n")?),
        Answer::Openbgpd => (
            "neighbors",
            shape(
                OPENBGPD,
                "\t\t{\n\t\t\t\"remote_as\": \"64502\",\n\t\t\t\"description\": \"Good, IPv4\"",
                "\n\t\t}",
                ",\n",
            )?,
        ),
        Answer::Bird => ("protocols", shape(BIRD, "\ngood4 ", "\n\n", "")?),
        Answer::Eos => ("show_ip_bgp_neighbors_vrf_all", shape(EOS, "{\"peerAddress\"", "}\n", ",")?),
        Answer::Junos => ("get-bgp-neighbor-information", shape(JUNOS, "<bgp-peer", "</bgp-peer>\n", "")?),
        Answer::Iosxr => ("bgp", shape(IOSXR, "<neighbor>", "</neighbor>\n", "")?),
    };
    let (text, count) = shape.repeated(octets)?;
    let mut parts = Parts::from([(name.to_owned(), text)]);
    if which == Answer::Bird {
        parts.insert("status".into(), STATUS.into());
    }
    if which == Answer::Junos {
        parts.insert("get-bgp-summary-information".into(), "<rpc-reply/>".into());
    }
    Ok((parts, count))
}

fn read(which: Answer, parts: &Parts) -> Result<Neighbors, String> {
    match which {
        Answer::Frr => parse(DaemonKind::Frr, parts),
        Answer::Openbgpd => parse(DaemonKind::Openbgpd, parts),
        Answer::Bird => parse(DaemonKind::Bird, parts),
        Answer::Eos => parse_vendor(Platform::Eos, parts),
        Answer::Junos => parse_vendor(Platform::Junos, parts),
        Answer::Iosxr => parse_vendor(Platform::IosxrNetconf, parts),
    }
}

/// Reads an answer of so many octets a few times, and prints its octets and the microseconds that each reading took; `none`
/// if there is nothing to read it with.
#[expect(clippy::print_stdout, reason = "the output is what the part is for")]
pub(crate) fn run(which: Answer, octets: usize, rounds: u32) -> anyhow::Result<()> {
    let (parts, count) = answer(which, octets)?;
    let length: usize = parts.values().map(String::len).sum();
    for _ in 0..rounds {
        let begun = Instant::now();
        let found = match read(which, &parts) {
            Ok(found) => found,
            Err(reason) if reason.starts_with("there is no parser") => {
                println!("none");
                return Ok(());
            }
            Err(reason) => bail!("{which:?}: {reason}"),
        };
        let took = begun.elapsed();
        ensure!(found.neighbors.len() >= count, "{which:?}: {} of {count} neighbours", found.neighbors.len());
        ensure!(found.left_out.is_empty(), "{which:?}: {} were left out", found.left_out.len());
        println!("{length} {}", took.as_micros());
    }
    Ok(())
}
