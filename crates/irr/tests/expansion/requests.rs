//! Requests as bgpq4's arguments, and their results.

use std::collections::BTreeMap;

use pm_irr::{
    Ask, Content, Family, Limits, Lookup, Note, ObjectError, Request, Resolved, Sources, Want, What,
    parse_arguments, resolve,
};
use tokio::sync::mpsc;

pub const V4: What = What::Prefixes(Family::V4);
pub const V6: What = What::Prefixes(Family::V6);

/// `-S`, `-L`, `-p`, objects, `EXCEPT`; all three lists.
pub fn request(arguments: &str) -> Request {
    parsed(arguments).unwrap()
}

/// The same, where the arguments may be wrong.
pub fn parsed(arguments: &str) -> Result<Request, ObjectError> {
    let mut request = Request { want: Want { ipv4: true, ipv6: true, as_list: true }, ..Request::default() };
    let mut words = arguments.split_whitespace();
    let mut objects = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "-S" => request.sources = Sources::Only(words.next().unwrap().into()),
            "-L" => request.depth = Some(words.next().unwrap().parse().unwrap()),
            "-p" => request.private = true,
            object => objects.push(object),
        }
    }
    (request.objects, request.except) = parse_arguments(&objects)?;
    Ok(request)
}

pub fn only(what: What, mut request: Request) -> Request {
    request.want = Want { ipv4: what == V4, ipv6: what == V6, as_list: what == What::AsList };
    request
}

pub type Results = BTreeMap<(usize, What), (Lookup<Content>, Vec<Note>)>;

pub async fn run_with(ask: &dyn Ask, requests: Vec<Request>, limits: &Limits) -> Results {
    let (sender, mut receiver) = mpsc::channel(1);
    let collect = async {
        let mut results = Results::new();
        while let Some(Resolved { request, what, lookup, notes }) = receiver.recv().await {
            assert!(results.insert((request, what), (lookup, notes)).is_none(), "given out twice");
        }
        results
    };
    let wanted =
        |r: &Request| usize::from(r.want.ipv4) + usize::from(r.want.ipv6) + usize::from(r.want.as_list);
    let wanted: usize = requests.iter().map(wanted).sum();
    let ((), results) = tokio::join!(resolve(ask, requests, limits, sender), collect);
    assert_eq!(results.len(), wanted, "every list is given out");
    results
}

pub async fn run(ask: &dyn Ask, requests: &[&str]) -> Results {
    run_with(ask, requests.iter().map(|arguments| request(arguments)).collect(), &Limits::default()).await
}

/// One list of one request, and its notes.
pub async fn list(ask: &dyn Ask, what: What, arguments: &str) -> (String, Vec<String>) {
    let mut results = run_with(ask, vec![only(what, request(arguments))], &Limits::default()).await;
    let (lookup, notes) = results.remove(&(0, what)).unwrap();
    (shown(&lookup), notes.iter().map(ToString::to_string).collect())
}

/// A result in one line.
pub fn shown(lookup: &Lookup<Content>) -> String {
    match lookup {
        Lookup::Found(Content::Asns(asns)) => {
            asns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        }
        Lookup::Found(Content::Prefixes { prefixes, ranges }) => {
            let prefixes = prefixes.iter().map(ToString::to_string);
            let ranges = ranges.iter().map(|range| pm_irr::Object::Prefix(*range).to_string());
            prefixes.chain(ranges).collect::<Vec<_>>().join(" ")
        }
        Lookup::Empty => "empty".to_owned(),
        Lookup::Nothing => "nothing".to_owned(),
        Lookup::Unknown(names) => format!("unknown: {}", names.join(" ")),
        Lookup::TooBig { what, count } => format!("too big: {count} {what}"),
        Lookup::Failed(reason) => format!("failed: {reason}"),
    }
}
