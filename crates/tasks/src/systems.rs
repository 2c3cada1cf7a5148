//! Autonomous systems by their numbers, with values from the cache.

use pm_store::Session;
use pm_store::entities::autonomous_system::{self, AutonomousSystem};
use pm_store::objects::models;
use pm_store::objects::problems::ObjectError;
use pm_store::objects::record::Record;
use pm_store::objects::write::{self, Writing};
use pm_store::peeringdb::lookup::networks_of;

use crate::{Editor, merge_network};

/// Adds those that are not there yet, with name, AS-SET and prefix limits from the cache; gives back all that were asked
/// for, by AS number.
///
/// # Errors
/// What the rules of autonomous systems forbid.
pub async fn add(editor: &Editor, asns: &[i64]) -> Result<Vec<AutonomousSystem>, ObjectError> {
    let mut transaction = editor.store.begin().await?;
    let mut session = transaction.session();
    create_missing(editor.writing(editor.rules), &mut session, asns).await?;
    let systems = autonomous_system::by_asns(&mut session, asns).await?;
    transaction.commit().await?;
    Ok(systems)
}

/// Makes those that are not there yet, in the caller's transaction; gives back what was made.
pub(crate) async fn create_missing(
    writing: Writing<'_>,
    session: &mut Session<'_>,
    asns: &[i64],
) -> Result<Vec<Record>, ObjectError> {
    let present = autonomous_system::by_asns(session, asns).await?;
    let networks = networks_of(session, asns).await?;
    let mut wanted: Vec<AutonomousSystem> = Vec::new();
    for asn in asns {
        if present.iter().chain(&wanted).any(|system| system.asn == *asn) {
            continue;
        }
        let bare = AutonomousSystem::new(*asn, &format!("AS{asn}"), writing.now);
        let network = networks.iter().rfind(|network| network.asn == *asn);
        wanted.push(network.map_or_else(|| bare.clone(), |network| merge_network(&bare, network).0));
    }
    let drafts: Vec<_> = wanted.iter().map(AutonomousSystem::draft).collect();
    write::create(session, writing, &drafts).await
}

/// The one of our own autonomous systems that is meant: that of this number, or the only one.
///
/// # Errors
/// A sentence that says what to name.
pub(crate) async fn own(session: &mut Session<'_>, asn: Option<i64>) -> Result<Record, ObjectError> {
    use pm_store::objects::query::Query;
    let query = Query::of(&models::autonomous_system::MODEL).filter("affiliated", true);
    let mut own = query.list(session).await?;
    let question = |text: String| Err(ObjectError::Question(text));
    if let Some(asn) = asn {
        own.retain(|system| system.integer("asn") == Some(asn));
        return match own.pop() {
            Some(system) => Ok(system),
            None => question(format!(
                "AS{asn} is not one of our own: add it with `as add {asn}` and `as set {asn} affiliated=true`"
            )),
        };
    }
    match own.as_slice() {
        [_] => own.pop().map_or_else(|| question(String::new()), Ok),
        [] => question(
            "none of the autonomous systems is our own: mark one with `as set ASN affiliated=true`"
                .to_owned(),
        ),
        several => {
            let asns: Vec<String> = several
                .iter()
                .filter_map(|system| system.integer("asn"))
                .map(|asn| asn.to_string())
                .collect();
            question(format!(
                "several autonomous systems are our own ({}): name one with --as",
                asns.join(", ")
            ))
        }
    }
}
