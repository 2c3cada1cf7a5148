//! Random worlds in the lab's IRRd: the real bgpq4 and this client ask the same server, and print the same bytes.
//!
//! Left out is what `deviations.md` says of expansion: private numbers as arguments, `SOURCE::` together with `-L` or
//! `EXCEPT`, sources that are not there, names with two colons,
//! `SOURCE::` in lower case.

use std::fmt;
use std::process::Command;
use std::sync::Arc;

use pm_irr::{
    Client, Content, Family, ListArguments, Lookup, Options, Want, What, as_list_json, prefix_list,
    prefix_list_json,
};
use pm_lab::irrd;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

use super::requests::{V4, V6, only, request, run_with};

/// Worlds, each of them asked for so many lists.
const WORLDS: u32 = 150;
const QUESTIONS: usize = 8;

const SOURCES: [&str; 3] = ["RIPE", "RADB", "ALTDB"];
const SETS: [&str; 6] = ["AS-A", "AS-B", "AS-C", "AS-D", "AS-E", "AS1:AS-F"];
/// Nobody has them.
const GONE: [&str; 2] = ["AS-GONE", "AS-LOST"];
const ROUTE_SETS: [&str; 2] = ["RS-A", "AS1:RS-B"];
const ASNS: [u32; 8] = [1, 2, 3, 65_552, 131_072, 64_496, 65_551, 4_200_000_000];
/// Those that may be asked for.
const PUBLIC: usize = 5;

/// Objects as RPSL.
#[derive(Clone, Debug)]
struct World(String);

struct Question {
    /// `-A`, `-R`, `-r`, `-m`.
    shape: Vec<String>,
    what: What,
    /// `-S`, `-L`, objects, `EXCEPT`.
    objects: String,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {}", self.what, self.shape.join(" "), self.objects)
    }
}

fn member() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(&SETS[..]).prop_map(str::to_owned),
        1 => select(&GONE[..]).prop_map(str::to_owned),
        5 => select(&ASNS[..]).prop_map(|asn| format!("AS{asn}")),
    ]
}

fn prefix() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => (0..8_u8, 22..=24_u8).prop_map(|(n, length)| format!("10.0.{}.0/{length}", n >> (24 - length) << (24 - length))),
        1 => (0..8_u8).prop_map(|n| format!("2001:db8:{n}::/48")),
    ]
}

fn world() -> impl Strategy<Value = World> {
    let source = || select(&SOURCES[..]);
    let sets = proptest::collection::btree_map(
        (source(), select(&SETS[..])),
        proptest::collection::btree_set(member(), 0..5),
        1..14,
    );
    let route_member = prop_oneof![
        3 => prefix(),
        2 => prefix().prop_map(|prefix| format!("{prefix}^+")).prop_filter("bgpq4 makes each of them", |text| !text.contains(':')),
        1 => select(&ROUTE_SETS[..]).prop_map(str::to_owned),
        1 => select(&ASNS[..PUBLIC]).prop_map(|asn| format!("AS{asn}")),
    ];
    let route_sets = proptest::collection::btree_map(
        (source(), select(&ROUTE_SETS[..])),
        proptest::collection::btree_set(route_member, 1..5),
        0..3,
    );
    let routes = proptest::collection::btree_set((source(), select(&ASNS[..]), prefix()), 0..40);
    (sets, route_sets, routes).prop_map(|(sets, route_sets, routes)| {
        let mut objects: Vec<String> = Vec::new();
        let list =
            |members: std::collections::BTreeSet<String>| members.into_iter().collect::<Vec<_>>().join(", ");
        for ((source, name), members) in sets {
            objects
                .push(format!("as-set: {name}\nmembers: {}\nmnt-by: M\nsource: {source}\n", list(members)));
        }
        for ((source, name), members) in route_sets {
            let members = list(members);
            objects.push(format!("route-set: {name}\nmp-members: {members}\nmnt-by: M\nsource: {source}\n"));
        }
        for (source, asn, prefix) in routes {
            let class = if prefix.contains(':') { "route6" } else { "route" };
            objects.push(format!("{class}: {prefix}\norigin: AS{asn}\nmnt-by: M\nsource: {source}\n"));
        }
        World(objects.join("\n"))
    })
}

fn question() -> impl Strategy<Value = Question> {
    let what = select(&[V4, V4, V6, What::AsList][..]);
    let object = prop_oneof![
        6 => select(&SETS[..]).prop_map(str::to_owned),
        3 => (select(&SOURCES[..]), select(&SETS[..])).prop_map(|(source, name)| format!("{source}::{name}")),
        1 => select(&GONE[..]).prop_map(str::to_owned),
        2 => select(&ASNS[..PUBLIC]).prop_map(|asn| format!("AS{asn}")),
        1 => select(&ROUTE_SETS[..]).prop_map(str::to_owned),
    ];
    let sources = proptest::option::weighted(0.4, subsequence(&SOURCES[..], 1..=3).prop_shuffle());
    let depth = proptest::option::weighted(0.2, 1..5_u32);
    let excepted = prop_oneof![
        select(&SETS[..]).prop_map(str::to_owned),
        select(&ASNS[..PUBLIC]).prop_map(|asn| format!("AS{asn}")),
    ];
    let except = prop_oneof![4 => Just(Vec::new()), 1 => proptest::collection::vec(excepted, 1..3)];
    let shape = (any::<bool>(), any::<bool>(), 0..8_u8, 0..4_u8, any::<bool>(), any::<Index>());
    let objects = proptest::collection::btree_set(object, 1..4);
    (what, objects, sources, depth, except, shape).prop_map(
        |(what, objects, sources, depth, except, (aggregate, bounded, to, from, longest, lower))| {
            let mut objects: Vec<String> = objects.into_iter().collect();
            if depth.is_some() || !except.is_empty() {
                for object in &mut objects {
                    if let Some((_, name)) = object.split_once("::") {
                        *object = name.to_owned();
                    }
                }
            }
            let at = lower.index(objects.len());
            if !objects[at].contains("::") {
                objects[at] = objects[at].to_lowercase();
            }
            let mut shape = Vec::new();
            if what != What::AsList {
                let base = if what == V6 { 44 } else { 20 };
                if aggregate {
                    shape.push("-A".to_owned());
                }
                if bounded {
                    shape.extend([
                        format!("-R{}", base + to),
                        "-r".to_owned(),
                        format!("{}", base + to.min(from)),
                    ]);
                }
                if longest {
                    shape.extend(["-m".to_owned(), format!("{}", base + 6)]);
                }
            }
            let mut words = Vec::new();
            if let Some(sources) = sources {
                words.push(format!("-S {}", sources.join(",")));
            }
            words.extend(depth.map(|depth| format!("-L {depth}")));
            words.extend(objects);
            if !except.is_empty() {
                words.push("EXCEPT".to_owned());
                words.extend(except);
            }
            Question { shape, what, objects: words.join(" ") }
        },
    )
}

/// What the program prints, with at most 150 MB of memory and 20 seconds.
fn theirs(server: &str, question: &Question) -> String {
    let list = match question.what {
        What::AsList => "-t",
        what if what == V6 => "-6",
        What::Prefixes(_) => "-4",
    };
    let output = Command::new("sh")
        .args([
            "-c",
            "ulimit -v 150000; exec timeout 20 bgpq4 \"$@\"",
            "sh",
            "-j",
            "-l",
            "x",
            "-h",
            server,
            list,
        ])
        .args(&question.shape)
        .args(question.objects.split(' '))
        .output()
        .unwrap();
    assert!(output.status.success(), "{question:?}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    // Version 1.9 says so on standard output when it asks for a route-set.
    text.split_inclusive('\n').filter(|line| !line.starts_with("Checking ")).collect()
}

/// What is printed here.
async fn ours(server: &str, question: &Question) -> Result<String, String> {
    let client = Client::new(Options::new(vec![server.to_owned()])).unwrap();
    let request = only(question.what, request(&question.objects));
    assert_ne!(request.want, Want::default());
    let mut results = run_with(&client, vec![request], &pm_irr::Limits::default()).await;
    client.close().await;
    let (lookup, _) = results.remove(&(0, question.what)).unwrap();
    let family = if question.what == V6 { Family::V6 } else { Family::V4 };
    let shape = ListArguments::parse(&question.shape, family).unwrap().shape;
    match lookup {
        Lookup::Found(Content::Prefixes { prefixes, ranges }) => {
            Ok(prefix_list_json("x", &prefix_list(family, prefixes, &ranges, &shape)))
        }
        Lookup::Found(Content::Asns(asns)) => Ok(as_list_json("x", &asns, pm_irr::AS_LIST_WIDTH)),
        // It prints an empty list, whatever the reason.
        Lookup::Empty | Lookup::Unknown(_) | Lookup::Nothing => Ok(match question.what {
            What::AsList => as_list_json("x", &[], pm_irr::AS_LIST_WIDTH),
            What::Prefixes(_) => prefix_list_json("x", &[]),
        }),
        Lookup::TooBig { what, count } => Err(format!("{what}: {count}")),
        Lookup::Failed(why) => Err(why),
    }
}

#[test]
fn random_worlds_give_what_the_real_bgpq4_gives() {
    if Command::new("bgpq4").arg("-v").output().is_err() {
        println!("skipped: bgpq4 is not installed");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config =
        Config { cases: WORLDS, rng_seed: RngSeed::Fixed(4), failure_persistence: None, ..Config::default() };
    let questions = proptest::collection::vec(question(), QUESTIONS);
    let outcome = TestRunner::new(config).run(&(world(), questions), |(world, questions)| {
        let objects = irrd::World::from_rpsl(&world.0).unwrap();
        let sources = SOURCES.map(str::to_owned).to_vec();
        let options = irrd::Options { sources, ..irrd::Options::default() };
        let server = runtime.block_on(irrd::Server::start(Arc::new(objects), options)).unwrap();
        let address = server.address().to_string();
        for question in &questions {
            let (theirs, ours) = (theirs(&address, question), runtime.block_on(ours(&address, question)));
            if ours.as_ref() != Ok(&theirs) {
                let said = format!("{question:?}\n{}\nbgpq4: {theirs}\nhere: {ours:?}", world.0);
                return Err(TestCaseError::fail(said));
            }
        }
        Ok(())
    });
    assert!(outcome.is_ok(), "{outcome:?}");
}
