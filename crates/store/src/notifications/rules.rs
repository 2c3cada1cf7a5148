//! Who is told of what, and the troubles that are folded.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::Recipient;
use crate::database::placeholders;
use crate::events::EventKind;
use crate::objects::models::notification_rule::{self, list};
use crate::objects::problems::ObjectError;
use crate::objects::query::Query;
use crate::{Session, StoreError, Value};

/// An enabled rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// What it wants to hear of.
    pub events: Vec<EventKind>,
    /// Only events of these tasks, unless empty.
    pub tasks: Vec<String>,
    /// Only events of these routers, unless empty.
    pub routers: Vec<String>,
    /// Equal troubles in a row before the first message; at least 1.
    pub minimum: i64,
    /// How long equal troubles are counted and not told again.
    pub fold_minutes: i64,
    /// Whom it tells.
    pub to: Vec<Recipient>,
}

/// Equal troubles of one rule, one after the other with no recovery in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// What the last one said, without what may differ between equal ones.
    pub message: String,
    /// When the first of those came that nobody was told of, or the first of all.
    pub since: DateTime<Utc>,
    /// When the last message went out, if one did.
    pub told: Option<DateTime<Utc>>,
    /// How many nobody was told of.
    pub untold: i64,
}

/// Which folds: rule, kind, subject.
pub type FoldKey = (i64, EventKind, String);

/// The enabled rules, by name.
///
/// # Errors
/// Those of the database.
pub async fn rules(session: &mut Session<'_>) -> Result<Vec<Rule>, ObjectError> {
    let found = Query::of(&notification_rule::MODEL).filter("enabled", true).list(session).await?;
    let mut names = BTreeMap::new();
    for row in session.rows("SELECT id, name FROM extras_webhook", vec![]).await? {
        names.insert(row.get::<i64, _>(0)?, row.get::<String, _>(1)?);
    }
    let texts = |rule, field| list(rule, field).map(str::to_owned).collect();
    let rules = found.iter().map(|rule| {
        let mails = list(rule, "recipients").map(|address| Recipient::Mail(address.to_owned()));
        let webhook =
            rule.integer("webhook").and_then(|id| Some(Recipient::Webhook(id, names.get(&id)?.clone())));
        Rule {
            id: rule.id,
            name: rule.text("name").to_owned(),
            events: list(rule, "events").filter_map(EventKind::told).collect(),
            tasks: texts(rule, "tasks"),
            routers: texts(rule, "routers"),
            minimum: rule.integer("minimum").unwrap_or(1),
            fold_minutes: rule.integer("fold_minutes").unwrap_or_default(),
            to: mails.chain(webhook).collect(),
        }
    });
    Ok(rules.collect())
}

/// The folds about these subjects.
pub async fn folds(
    session: &mut Session<'_>,
    subjects: &[String],
) -> Result<BTreeMap<FoldKey, Fold>, StoreError> {
    let mut found = BTreeMap::new();
    for chunk in subjects.chunks(500) {
        let sql =
            format!("SELECT * FROM extras_notificationfold WHERE subject IN ({})", placeholders(chunk.len()));
        let rows = session.rows(&sql, chunk.iter().map(|one| one.as_str().into()).collect()).await?;
        for row in &rows {
            let Some(kind) = EventKind::parse(&row.get::<String, _>("kind")?) else { continue };
            let fold = Fold {
                message: row.get("message")?,
                since: row.get("since")?,
                told: row.get("told")?,
                untold: row.get("untold")?,
            };
            found.insert((row.get("rule_id")?, kind, row.get("subject")?), fold);
        }
    }
    Ok(found)
}

/// Puts these folds in the place of all that there are about these subjects.
pub async fn replace_folds(
    session: &mut Session<'_>,
    subjects: &[String],
    folds: &BTreeMap<FoldKey, Fold>,
) -> Result<(), StoreError> {
    for chunk in subjects.chunks(500) {
        let sql =
            format!("DELETE FROM extras_notificationfold WHERE subject IN ({})", placeholders(chunk.len()));
        session.execute(&sql, chunk.iter().map(|one| one.as_str().into()).collect()).await?;
    }
    for chunk in folds.iter().collect::<Vec<_>>().chunks(100) {
        let values = chunk.iter().flat_map(|((rule, kind, subject), fold)| {
            [
                Value::from(*rule),
                kind.as_str().into(),
                subject.as_str().into(),
                fold.message.as_str().into(),
                fold.since.into(),
                fold.told.into(),
                fold.untold.into(),
            ]
        });
        let sql = format!(
            "INSERT INTO extras_notificationfold (rule_id, kind, subject, message, since, told, untold) VALUES {}",
            vec!["(?, ?, ?, ?, ?, ?, ?)"; chunk.len()].join(", ")
        );
        session.execute(&sql, values.collect()).await?;
    }
    Ok(())
}
