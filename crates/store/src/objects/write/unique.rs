//! Uniqueness, looked at before the database refuses, so that the message can name the other object.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Report;
use crate::database::placeholders;
use crate::objects::data::Data;
use crate::objects::model::{Field, Model};
use crate::objects::problems::ObjectError;
use crate::objects::query::Query;
use crate::objects::read::displays;
use crate::objects::record::{Graph, Record};
use crate::objects::secrets::Keyring;
use crate::{Session, Value};

/// Rows that one question asks for.
const ROWS: usize = 1000;

/// Reports objects that have what another one has, in fields of which `changed` (index of the record, place of the
/// field) is true for at least one.
pub(super) async fn check(
    session: &mut Session<'_>,
    keyring: &Keyring,
    records: &[Record],
    graph: &Graph,
    changed: &(dyn Fn(usize, usize) -> bool + Sync),
    report: &mut Report,
) -> Result<(), ObjectError> {
    let Some(model) = records.first().map(Record::model) else { return Ok(()) };
    let own: HashSet<i64> = records.iter().map(|record| record.id).collect();
    for group in model.uniques() {
        let places: Vec<usize> = group.iter().filter_map(|name| model.place(name)).collect();
        let concerned = |index: usize| places.iter().any(|place| changed(index, *place));
        let mut first_with: HashMap<String, usize> = HashMap::new();
        let mut wanted: Vec<(usize, String)> = Vec::new();
        for (index, record) in records.iter().enumerate() {
            let Some(key) = key(record, &places) else { continue };
            if let Some(first) = first_with.get(&key) {
                let other = records[*first].display(graph);
                complain(report, index, record, graph, &group, &other);
                continue;
            }
            first_with.insert(key.clone(), index);
            if concerned(index) {
                wanted.push((index, key));
            }
        }
        let taken = taken(session, keyring, model, records, &wanted, &places, &own).await?;
        for (index, key) in wanted {
            if let Some(other) = taken.get(&key) {
                complain(report, index, &records[index], graph, &group, other);
            }
        }
    }
    Ok(())
}

fn complain(
    report: &mut Report,
    index: usize,
    record: &Record,
    graph: &Graph,
    group: &[&'static str],
    other: &str,
) {
    let shown = |name: &str| -> String {
        let field = record.model().field(name);
        if field.is_some_and(|field| field.sensitive) {
            return "(hidden)".to_owned();
        }
        match graph.follow(record, name) {
            Some(target) => target.display(graph),
            None => match record.get(name) {
                Data::Text(text) => format!("{text:?}"),
                other => other.to_json().to_string().trim_matches('"').to_owned(),
            },
        }
    };
    let mut problems = report.about(index, record, graph);
    if let [name] = group {
        problems.field(name, format!("{} is taken by {other}", shown(name)));
    } else {
        let values: Vec<String> = group.iter().map(|name| format!("{name} {}", shown(name))).collect();
        problems.object(format!("{} are taken together by {other}", values.join(" and ")));
    }
}

/// Who has the wanted values already, of objects that are not being written: key to display. The database cannot compare what
/// is sealed: objects that have the rest are opened and compared here.
async fn taken(
    session: &mut Session<'_>,
    keyring: &Keyring,
    model: &'static Model,
    records: &[Record],
    wanted: &[(usize, String)],
    places: &[usize],
    own: &HashSet<i64>,
) -> Result<BTreeMap<String, String>, ObjectError> {
    let compared: Vec<usize> =
        places.iter().copied().filter(|place| !model.fields[*place].is_sealed()).collect();
    let columns: Vec<String> = compared.iter().filter_map(|place| model.fields[*place].column()).collect();
    let fields: Vec<&Field> = compared.iter().map(|place| &model.fields[*place]).collect();
    let mut found: Vec<i64> = Vec::new();
    for chunk in wanted.chunks(ROWS) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * places.len());
        for (index, _) in chunk {
            values.extend(
                compared.iter().zip(&fields).map(|(place, field)| field.value(records[*index].at(*place))),
            );
        }
        let condition = match &columns[..] {
            [] => "TRUE".to_owned(),
            [column] => format!("{column} IN ({})", placeholders(chunk.len())),
            columns => {
                let row = format!("({})", placeholders(columns.len()));
                format!("({}) IN (VALUES {})", columns.join(", "), vec![row.as_str(); chunk.len()].join(", "))
            }
        };
        let sql = format!("SELECT id FROM {} WHERE {condition}", model.table);
        session
            .each(&sql, values, |row| {
                found.push(row.get(0)?);
                Ok(())
            })
            .await?;
    }
    found.retain(|id| !own.contains(id));
    if found.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut others = Query::of(model).ids(found).without_lists().list(session).await?;
    for other in &mut others {
        other.open(keyring);
    }
    let names = displays(session, &others).await?;
    Ok(others.iter().zip(names).filter_map(|(other, name)| Some((key(other, places)?, name))).collect())
}

/// The values as one text; `None` if one of them is empty, which is never taken, or does not open.
fn key(record: &Record, places: &[usize]) -> Option<String> {
    let mut key = String::new();
    for place in places {
        match record.at(*place) {
            Data::Null | Data::Sealed(_) => return None,
            data => key.push_str(&data.to_json().to_string()),
        }
        key.push('\u{1f}');
    }
    Some(key)
}
