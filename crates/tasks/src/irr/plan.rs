//! What to ask for, from the settings and the autonomous systems.

use pm_config::Config;
use pm_irr::{ArgumentError, Family, ListArguments, Object, Request, Shape, Sources, Want, parse_field};
use pm_store::entities::autonomous_system::AutonomousSystem;
use pm_store::irr::Kind;

/// One list of one autonomous system.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Place of the autonomous system among those of the run.
    pub(super) system: usize,
    /// Its AS number.
    pub(super) asn: i64,
    /// What it is about.
    pub(super) kind: Kind,
    /// What to ask.
    pub(super) request: Request,
    /// How to shape a prefix list.
    pub(super) shape: Shape,
    /// The servers to ask, as they are written in the settings.
    pub(super) host: String,
    /// The program's arguments, for those who want the program.
    pub(super) arguments: Vec<String>,
}

/// What is known about a list before anybody is asked.
#[derive(Clone, Debug)]
pub(super) enum Plan {
    /// Ask.
    Ask(Box<Wanted>),
    /// The operator wants none.
    Off,
    /// There is none: an AS list needs an AS-SET.
    Empty,
    /// It cannot be asked for.
    Failed(String),
}

/// What to ask for one autonomous system, and what its AS-SET field made us wonder about.
pub(super) struct Planned {
    /// Kind by kind.
    pub(super) lists: Vec<(Kind, Plan)>,
    /// One sentence each.
    pub(super) notes: Vec<String>,
    /// The names that are looked up, as they would be typed.
    pub(super) objects: Vec<String>,
}

/// Plans for one autonomous system, the `place`th of the run.
pub(super) fn plan(config: &Config, place: usize, system: &AutonomousSystem, as_lists: bool) -> Planned {
    let field =
        parse_field(system.irr_as_set.as_deref().unwrap_or_default(), &sources(&config.bgpq3_sources));
    let mut notes = field.notes.clone();
    let mut objects = Vec::new();
    let mut failure = None;
    if field.is_blank() {
        objects.extend(u32::try_from(system.asn).map(Object::Asn));
    }
    for set in &field.sets {
        let mut set = set.clone();
        if !config.bgpq4_keep_source_in_set {
            set.source = None;
        }
        match set.to_string().parse() {
            Ok(object) => objects.push(object),
            Err(error) => notes.push(format!("{error}")),
        }
    }
    if objects.is_empty() {
        failure =
            Some("its AS-SET field names no AS-SET that could be asked for; correct irr_as_set".to_owned());
    }
    let one = |kind, wanted: bool| {
        if !wanted {
            return (kind, Plan::Off);
        }
        if let Some(why) = &failure {
            return (kind, Plan::Failed(why.clone()));
        }
        if kind == Kind::AsList && field.is_blank() {
            return (kind, Plan::Empty);
        }
        let wanted = wanted_list(config, place, system, kind, &objects);
        (kind, wanted.map_or_else(Plan::Failed, |wanted| Plan::Ask(Box::new(wanted))))
    };
    let mut lists =
        vec![one(Kind::Ipv6, system.retrieve_prefixes), one(Kind::Ipv4, system.retrieve_prefixes)];
    if as_lists {
        lists.push(one(Kind::AsList, system.retrieve_as_list));
    } else if !system.retrieve_as_list {
        lists.push((Kind::AsList, Plan::Off));
    }
    Planned { lists, notes, objects: objects.iter().map(ToString::to_string).collect() }
}

fn wanted_list(
    config: &Config,
    place: usize,
    system: &AutonomousSystem,
    kind: Kind,
    objects: &[Object],
) -> Result<Wanted, String> {
    let (arguments, read) = match family_of(kind) {
        None => (Vec::new(), ListArguments::default()),
        Some(family) => list_arguments(config, system, family)?,
    };
    let overridden = Some(system.irr_sources_override.as_str()).filter(|text| !text.trim().is_empty());
    let written = read.sources.as_deref().or(overridden).unwrap_or(&config.bgpq3_sources);
    let request = Request {
        objects: objects.to_vec(),
        except: Vec::new(),
        sources: match sources(written).join(",") {
            none if none.is_empty() => Sources::Default,
            some => Sources::Only(some.into()),
        },
        depth: None,
        // Nobody else's routes are meant where only the AS itself is asked for.
        private: matches!(objects, [Object::Asn(asn)] if i64::from(*asn) == system.asn),
        want: Want { ipv6: kind == Kind::Ipv6, ipv4: kind == Kind::Ipv4, as_list: kind == Kind::AsList },
    };
    let host = read.host.unwrap_or_else(|| config.bgpq3_host.clone());
    Ok(Wanted { system: place, asn: system.asn, kind, request, shape: read.shape, host, arguments })
}

/// The arguments that hold for a family of this autonomous system, as written and as understood.
fn list_arguments(
    config: &Config,
    system: &AutonomousSystem,
    family: Family,
) -> Result<(Vec<String>, ListArguments), String> {
    let (name, overridden) = match family {
        Family::V6 => ("ipv6", &system.irr_ipv6_prefixes_args_override),
        Family::V4 => ("ipv4", &system.irr_ipv4_prefixes_args_override),
    };
    let (arguments, origin) = if overridden.trim().is_empty() {
        (config.bgpq3_args.get(name).cloned().unwrap_or_default(), format!("bgpq3_args.{name}"))
    } else {
        let words = overridden.split_whitespace().map(str::to_owned).collect();
        (words, format!("irr_{name}_prefixes_args_override of AS{}", system.asn))
    };
    let read = ListArguments::parse(&arguments, family)
        .map_err(|error: ArgumentError| format!("{origin}: {error}"))?;
    Ok((arguments, read))
}

/// The address family of a prefix list.
pub(super) const fn family_of(kind: Kind) -> Option<Family> {
    match kind {
        Kind::Ipv6 => Some(Family::V6),
        Kind::Ipv4 => Some(Family::V4),
        Kind::AsList => None,
    }
}

/// Names of sources, upper case, without blanks.
pub(super) fn sources(text: &str) -> Vec<String> {
    text.split(',').map(|name| name.trim().to_ascii_uppercase()).filter(|name| !name.is_empty()).collect()
}
