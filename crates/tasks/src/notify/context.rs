//! What webhooks are told: the names that their templates know, and that the body has if there is no template.

use std::collections::BTreeMap;

use chrono::SecondsFormat;
use pm_store::Session;
use pm_store::changes::Logged;
use pm_store::events::Event;
use pm_store::jobs::Job;
use pm_store::notifications::Delivery;
use pm_store::objects::model::{Field, Kind, Model};
use pm_store::objects::problems::ObjectError;
use pm_store::objects::query::Query;
use pm_store::objects::read::displays;
use pm_store::objects::registry;
use serde_json::{Map, Value as Json, json};

/// Names and values.
pub(super) type Context = Map<String, Json>;

/// What is told of a change of an object. Secrets are hidden in the change log already.
pub(super) async fn of_change(session: &mut Session<'_>, change: &Logged) -> Result<Context, ObjectError> {
    let name = change.model.split_once('.').map_or(change.model.as_str(), |(_, name)| name);
    let values = json!({
        "event": change.action,
        "timestamp": change.time.to_rfc3339_opts(SecondsFormat::Micros, true),
        "model": name,
        "username": change.user_name,
        "request_id": change.request_id,
        "data": data(session, change).await?,
        "snapshots": { "prechange": change.before, "postchange": change.after },
    });
    Ok(values.as_object().cloned().unwrap_or_default())
}

/// What is told of an event.
pub(super) fn of_event(event: &Event, job: Option<&Job>, delivery: &Delivery) -> Context {
    let mut data = event.data.as_object().cloned().unwrap_or_default();
    if let Some(job) = job {
        data.insert("job".to_owned(), of_job(job));
    }
    data.insert("title".to_owned(), event.title.as_str().into());
    data.insert("message".to_owned(), event.message.as_str().into());
    data.insert("folded".to_owned(), delivery.folded.into());
    data.insert("folded_since".to_owned(), json!(delivery.folded_since));
    let model = event.kind.as_str().split(' ').next().unwrap_or_default();
    let values = json!({
        "event": event.kind,
        "timestamp": event.time.to_rfc3339_opts(SecondsFormat::Micros, true),
        "model": model,
        "username": job.and_then(|job| job.user.clone()).unwrap_or_default(),
        "request_id": job.map(|job| job.job_id.clone()).unwrap_or_default(),
        "data": data,
        "snapshots": { "prechange": null, "postchange": null },
    });
    values.as_object().cloned().unwrap_or_default()
}

fn of_job(job: &Job) -> Json {
    json!({
        "id": job.id, "job_id": job.job_id, "task": job.task, "arguments": job.arguments, "status": job.status,
        "outcome": job.outcome, "error": job.error, "created": job.created, "started": job.started,
        "completed": job.completed, "data": job.data,
    })
}

/// The object as the original's API shows it: what it refers to as objects with `id` and `display`, choices with value and
/// label. Its fields are those of the moment of the change; what it refers to is named as it is called now.
async fn data(session: &mut Session<'_>, change: &Logged) -> Result<Json, ObjectError> {
    let state = change.after.as_ref().or(change.before.as_ref());
    let mut data = state.and_then(Json::as_object).cloned().unwrap_or_default();
    for field in registry::model(&change.model).into_iter().flat_map(|model| &model.fields) {
        let Some(value) = data.get(field.name) else { continue };
        if let Some(shown) = shown(session, field, value).await? {
            data.insert(field.name.to_owned(), shown);
        }
    }
    data.insert("id".to_owned(), change.object_id.into());
    data.insert("display".to_owned(), change.object_repr.as_str().into());
    Ok(Json::Object(data))
}

/// A value in the form that it has in the API, if that is another one.
async fn shown(session: &mut Session<'_>, field: &Field, value: &Json) -> Result<Option<Json>, ObjectError> {
    let integers = |value: &Json| value.as_array().into_iter().flatten().filter_map(Json::as_i64).collect();
    Ok(match field.kind {
        _ if value.is_null() => None,
        Kind::Choice(_) | Kind::Number(_) => {
            let label = field.choices().into_iter().find(|(known, _)| known == value).map(|(_, label)| label);
            Some(json!({ "value": value, "label": label }))
        }
        Kind::ForeignKey(target, _) => {
            let ids: Vec<i64> = value.as_i64().into_iter().collect();
            named(session, Query::of(target.model()).ids(ids)).await?.pop()
        }
        Kind::ManyToMany(target) => {
            let query = Query::of(target.model()).ids(integers(value));
            Some(named(session, query).await?.into())
        }
        Kind::Tags => {
            let names: Vec<_> = value.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
            let tags: &'static Model = &pm_store::objects::models::tag::MODEL;
            let query = Query::of(tags).filter_any("name", names.into_iter().map(Into::into).collect());
            Some(named(session, query).await?.into())
        }
        _ => None,
    })
}

/// Objects by what they are called.
async fn named(session: &mut Session<'_>, query: Query) -> Result<Vec<Json>, ObjectError> {
    let records = query.list(session).await?;
    let called = displays(session, &records).await?;
    let each = records.iter().zip(called).map(|(record, display)| {
        let mut shown = BTreeMap::from([("id", json!(record.id)), ("display", json!(display))]);
        for name in ["name", "slug", "asn", "color"] {
            if record.model().field(name).is_some() {
                shown.insert(name, record.get(name).to_json());
            }
        }
        json!(shown)
    });
    Ok(each.collect())
}
