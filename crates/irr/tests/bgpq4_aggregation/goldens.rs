//! Recorded runs of bgpq4 1.9: those of `cases/`, and where they lie beside the project, those of `EXTRA_CASES`.

use std::fs;
use std::path::Path;

use pm_irr::{Family, ListArguments};
use serde_json::Value;

use super::bgpq4::Bgpq4;

/// A folder per case: `arguments` (the first is `-4` or `-6`), `members` of a route-set, `expected.json`.
#[test]
fn recorded_lists_are_the_same() {
    let bgpq4 = Bgpq4::find();
    let mut count = 0;
    for folder in
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bgpq4_aggregation/cases")).unwrap()
    {
        let folder = folder.unwrap().path();
        let words = |file: &str| -> Vec<String> {
            fs::read_to_string(folder.join(file)).unwrap().split_whitespace().map(str::to_owned).collect()
        };
        let (arguments, members) = (words("arguments"), words("members"));
        let (family, arguments) = family(&arguments).unwrap();
        let expected = fs::read_to_string(folder.join("expected.json")).unwrap();
        assert_eq!(super::ours("x", family, arguments, &members), expected, "{}", folder.display());
        if let Some(bgpq4) = &bgpq4 {
            assert_eq!(bgpq4.list(family, arguments, &members), expected, "bgpq4, {}", folder.display());
        }
        count += 1;
    }
    assert!(count >= 14, "only {count} cases");
}

/// Cases about the routes of one AS, a prefix, or a route-set of prefixes and ranges.
#[test]
fn recorded_runs_over_a_world_are_the_same() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one setting of the tests: where optional real data is"
    )]
    let Some(folder) = std::env::var_os("EXTRA_CASES") else {
        println!("skipped: EXTRA_CASES not set");
        return;
    };
    let folder = Path::new(&folder).join("irr");
    let file = folder.join("golden.rpsl");
    let Ok(rpsl) = fs::read_to_string(&file) else {
        println!("skipped: no {}", file.display());
        return;
    };
    let world = objects(&rpsl);
    let (mut compared, mut refused) = (0, 0);
    for file in fs::read_dir(folder.join("expected")).unwrap() {
        let case: Value = serde_json::from_str(&fs::read_to_string(file.unwrap().path()).unwrap()).unwrap();
        let id = case["id"].as_str().unwrap();
        let Some(Run { family, arguments, name, object }) = run(&case) else { continue };
        let Ok(read) = ListArguments::parse(&arguments, family) else {
            refused += u32::from(case["rc"] == 255);
            continue;
        };
        let members = members(&world, &object, family, read.sources.as_deref()).map(|mut members| {
            members.retain(|member| !super::deviations::is_range_of_one_length(member));
            members
        });
        // What it said to be wrong, such as a private AS number, has nothing to do with the list's making.
        let quiet = case["rc"] == 0 && case["stderr"] == "";
        if let Some(members) = members.filter(|_| quiet) {
            let expected = case["stdout"].as_str().unwrap();
            assert_eq!(super::ours(&name, family, &arguments, &members), expected, "{id}");
            compared += 1;
        }
    }
    println!("{compared} recorded runs are the same, {refused} are refused by both");
    assert!(compared >= 40 && refused >= 1);
}

fn family(arguments: &[String]) -> Option<(Family, &[String])> {
    match arguments.split_first()? {
        (first, rest) if first == "-4" => Some((Family::V4, rest)),
        (first, rest) if first == "-6" => Some((Family::V6, rest)),
        _ => None,
    }
}

/// A run for one family, with `-j`, a name and an object at the end.
struct Run {
    family: Family,
    arguments: Vec<String>,
    name: String,
    object: String,
}

fn run(case: &Value) -> Option<Run> {
    let words = case["argv"].as_array()?.iter().map(|word| word.as_str().map(str::to_owned));
    let mut words = words.collect::<Option<Vec<String>>>()?;
    let object = words.pop()?;
    words.remove(words.iter().position(|word| word == "-j")?);
    let name = words.iter().position(|word| word == "-l")?;
    let name = words.drain(name..name + 2).nth(1)?;
    let (family, arguments) = family(&words)?;
    Some(Run { family, arguments: arguments.to_vec(), name, object })
}

/// Attributes of an object.
type Object<'a> = Vec<(&'a str, &'a str)>;

fn objects(rpsl: &str) -> Vec<Object<'_>> {
    rpsl.split("\n\n")
        .map(|object| {
            object.lines().filter_map(|line| line.split_once(':')).map(|(key, value)| (key, value.trim()))
        })
        .map(Iterator::collect)
        .collect()
}

fn value<'a>(object: &Object<'a>, key: &str) -> Option<&'a str> {
    object.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
}

/// The prefixes and ranges of the family behind the name of an object, where nothing else has to be resolved for it.
fn members(world: &[Object<'_>], name: &str, family: Family, sources: Option<&str>) -> Option<Vec<String>> {
    let selected = |object: &&Object<'_>| {
        sources.is_none_or(|sources| sources.split(',').any(|source| value(object, "source") == Some(source)))
    };
    let is_asn = name.strip_prefix("AS").is_some_and(|number| number.parse::<u32>().is_ok());
    if is_asn {
        let class = if family == Family::V4 { "route" } else { "route6" };
        let routes = world.iter().filter(selected).filter(|object| value(object, "origin") == Some(name));
        return Some(routes.filter_map(|route| value(route, class)).map(str::to_owned).collect());
    }
    if name.starts_with("RS-") {
        let mut sets = world.iter().filter(|object| value(object, "route-set") == Some(name));
        let set = sets.next().filter(|_| sets.next().is_none())?;
        let lists = ["members", "mp-members"].into_iter().filter_map(|key| value(set, key));
        let members: Vec<_> = lists.flat_map(|list| list.split(", ")).map(str::to_owned).collect();
        let resolved = !members.is_empty() && members.iter().all(|member| member.contains('/'));
        return resolved.then_some(members);
    }
    super::is_member(name).then(|| vec![name.to_owned()])
}
