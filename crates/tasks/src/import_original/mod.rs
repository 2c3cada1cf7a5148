//! `import-original`: takes over what the original's REST API lists.
//!
//! Reads: a directory with one file per list endpoint, `app--collection.json`. Writes: the PeeringDB cache, if it is empty
//! (a transaction of its own, because it is a mirror), then all objects with the numbers that they have there and the
//! prefix lists, in one transaction. The object tables have to be empty but for platforms.
//!
//! `read.rs` finds and reads files, `convert.rs` is the way from an answer to a draft, `cache.rs` from an answer to a record
//! of PeeringDB's API, `lists.rs` to prefix lists.

mod cache;
mod convert;
mod lists;
mod read;

use std::collections::BTreeMap;
use std::path::PathBuf;

use pm_store::jobs::Outcome;
use pm_store::objects::model::Model;
use pm_store::objects::models::platform;
use pm_store::objects::problems::{ObjectError, Rules};
use pm_store::objects::query::Query;
use pm_store::objects::record::Draft;
use pm_store::objects::registry;
use pm_store::objects::write;
use pm_store::peeringdb::lookup::held;
use pm_store::{Session, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::editor::rules;
use crate::{Done, Task, TaskContext, TaskError};

/// Sentences of one kind that are said one by one.
const SAID: usize = 50;

/// The task's arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportOriginal {
    /// Where the files are.
    pub directory: PathBuf,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// What was taken over, and what was not.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Takeover {
    /// Objects per section of a document, such as `routers`.
    pub objects: BTreeMap<String, usize>,
    /// Records per PeeringDB namespace that went into the cache, or would.
    pub peeringdb: BTreeMap<String, usize>,
    /// Autonomous systems whose prefix or AS lists were taken.
    pub lists: usize,
    /// A sentence per file that was not read, or that is not the whole list.
    pub files: Vec<String>,
    /// A sentence per field of a list that has no counterpart here and says something.
    pub fields: Vec<String>,
    /// Objects that were taken although they break a rule.
    pub bent: Vec<String>,
    /// Objects that were not taken.
    pub left_out: Vec<String>,
}

#[async_trait::async_trait]
impl Task for ImportOriginal {
    fn name(&self) -> &'static str {
        "import_original"
    }

    fn label(&self) -> &'static str {
        "objects.import_original"
    }

    fn arguments(&self) -> Json {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn lock_key(&self) -> Option<String> {
        // It writes into the cache.
        Some("peeringdb_sync".to_owned())
    }

    fn queueable(&self) -> Result<(), String> {
        Err("it reads files of this host, which a worker may not have".to_owned())
    }

    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        let mut takeover = Takeover::default();
        let directory = self.directory.clone();
        let (files, notes) = tokio::task::spawn_blocking(move || read::read(&directory))
            .await
            .map_err(|error| TaskError::Broken(error.to_string()))??;
        takeover.files = notes;
        must_be_empty(context).await?;
        self.fill_cache(context, &files, &mut takeover).await?;
        let mut transaction = context.store.begin().await?;
        let mut session = transaction.session();
        context.hold_lock(&mut session).await?;
        let trial = context.keyring.for_trial().filter(|_| self.dry_run);
        let keyring = trial.as_ref().unwrap_or(&context.keyring);
        let writing = write::Writing { keyring, ..context.writing(rules(&context.config)) };
        objects(&mut session, writing, &files, &mut takeover).await?;
        takeover.lists = lists::store(context, &mut session, &files, &mut takeover.left_out).await?;
        if self.dry_run {
            transaction.rollback().await?;
        } else {
            context.commit(transaction).await?;
        }
        Ok(self.done(context, &takeover))
    }
}

impl ImportOriginal {
    async fn fill_cache(
        &self,
        context: &TaskContext,
        files: &read::Files,
        takeover: &mut Takeover,
    ) -> Result<(), TaskError> {
        let records = cache::records(files);
        if records.is_empty() {
            return Ok(());
        }
        if held(&context.store).await?.iter().any(|held| held.records > 0) {
            takeover
                .files
                .push("the lists of PeeringDB were left alone: the cache is filled already".to_owned());
            return Ok(());
        }
        takeover.peeringdb =
            records.iter().map(|(namespace, records)| ((*namespace).to_owned(), records.len())).collect();
        if self.dry_run {
            return Ok(());
        }
        let directory = cache::write(&records)
            .map_err(|error| TaskError::Failed(format!("a directory for what is between: {error}")))?;
        let report = crate::peeringdb_sync::take_files(context, directory.path()).await?;
        for (namespace, report) in report.namespaces {
            takeover
                .left_out
                .extend(report.unusable.iter().map(|text| format!("PeeringDB {namespace}: {text}")));
        }
        Ok(())
    }

    fn done(&self, context: &TaskContext, takeover: &Takeover) -> Done {
        for (list, what) in [
            (&takeover.files, ""),
            (&takeover.fields, "not taken: "),
            (&takeover.bent, "taken although it breaks a rule: "),
            (&takeover.left_out, "not taken: "),
        ] {
            for text in list.iter().take(SAID) {
                context.reporter.warning(format!("{what}{text}"));
            }
            if list.len() > SAID {
                let more = list.len() - SAID;
                context.reporter.warning(format!("{what}{more} more, which the job's data names"));
            }
        }
        say_settings(context);
        let objects: usize = takeover.objects.values().sum();
        let records: usize = takeover.peeringdb.values().sum();
        let would = if self.dry_run { "Would take" } else { "Took" };
        let summary = format!(
            "{would} over {objects} objects, the lists of {} autonomous systems and {records} records of PeeringDB; left out \
             {} things.",
            takeover.lists,
            takeover.left_out.len()
        );
        let outcome = match (takeover.left_out.is_empty() && takeover.files.is_empty(), objects) {
            (false, _) => Outcome::Partial,
            (true, 0) => Outcome::NothingToDo,
            (true, _) => Outcome::Ok,
        };
        Done { outcome, summary, data: serde_json::to_value(takeover).unwrap_or_default() }
    }
}

/// Templates that were written there rely on what is an error here unless settings say otherwise.
fn say_settings(context: &TaskContext) {
    let config = &context.config;
    let mut lacking = Vec::new();
    if config.template_undefined == pm_config::Undefined::Strict {
        lacking.push("template_undefined = \"lenient\"");
    }
    if config.prefix_list_missing == pm_config::MissingPrefixes::Error {
        lacking.push("prefix_list_missing = \"empty\"");
    }
    if !lacking.is_empty() {
        context.reporter.warning(format!(
            "templates of the original rendered nothing for names and prefix lists that are not there; here that is an error \
             unless the settings have: {}",
            lacking.join(", ")
        ));
    }
}

/// Numbers can only be kept where nobody has them.
async fn must_be_empty(context: &TaskContext) -> Result<(), TaskError> {
    let mut connection = context.store.connection().await?;
    let mut there = Vec::new();
    for model in registry::models().filter(|model| **model != *platform::MODEL) {
        let count = Query::of(model).count(&mut connection.session()).await?;
        if count > 0 {
            there.push(format!("{count} {}", model.plural));
        }
    }
    if there.is_empty() {
        return Ok(());
    }
    Err(TaskError::Refused(format!(
        "the database holds objects already ({}), and import-original keeps the numbers that objects have in the original: \
         give it a new database. To add objects to those that are there, use `import`",
        there.join(", ")
    )))
}

async fn objects(
    session: &mut Session<'_>,
    writing: write::Writing<'_>,
    files: &read::Files,
    takeover: &mut Takeover,
) -> Result<(), TaskError> {
    for model in registry::models() {
        let Some(list) = convert::list_of(model).and_then(|name| Some((name, files.lists.get(name)?))) else {
            continue;
        };
        let (name, rows) = list;
        if *model == *platform::MODEL {
            // Nothing refers to those that every database begins with.
            let seeds = Query::of(model).list(session).await?;
            let ids: Vec<i64> = seeds.iter().map(|record| record.id).collect();
            write::delete(session, writing, model, &ids).await?;
        }
        let columns = files.columns.get(name);
        let mut unknown = BTreeMap::new();
        let mut drafts = Vec::new();
        for row in rows {
            match convert::draft(model, row, columns, &mut unknown) {
                Ok(draft) => drafts.push(draft),
                Err(why) => takeover.left_out.push(format!("{name}: {why}")),
            }
        }
        takeover.fields.extend(
            unknown.into_iter().map(|(field, count)| format!("{name}: the field {field} of {count} objects")),
        );
        let taken = create(session, writing, model, name, drafts, takeover).await?;
        takeover.objects.insert(model.section(), taken);
    }
    Ok(())
}

/// Makes as many of them as can be made; those that break a rule without it, so that what worked there goes on working.
async fn create(
    session: &mut Session<'_>,
    writing: write::Writing<'_>,
    model: &'static Model,
    name: &str,
    drafts: Vec<Draft>,
    takeover: &mut Takeover,
) -> Result<usize, ObjectError> {
    let total = drafts.len();
    let (bent, problems) = create_good(session, writing, drafts).await?;
    let unchecked = write::Writing { rules: Rules::FEWEST, ..writing };
    let ids: Vec<Option<i64>> = bent.iter().map(|draft| draft.id).collect();
    let (lost, reasons) = create_good(session, unchecked, bent).await?;
    let about =
        |id: Option<i64>, why: &str| format!("{name}: {} {}: {why}", model.singular, id.unwrap_or_default());
    for (id, why) in ids.iter().zip(&problems).filter(|(id, _)| lost.iter().all(|lost| lost.id != **id)) {
        takeover.bent.push(about(*id, why));
    }
    for (draft, why) in lost.iter().zip(&reasons) {
        takeover.left_out.push(about(draft.id, why));
    }
    Ok(total - lost.len())
}

/// Makes those that break no rule; gives back the others, with what is wrong with each.
async fn create_good(
    session: &mut Session<'_>,
    writing: write::Writing<'_>,
    mut drafts: Vec<Draft>,
) -> Result<(Vec<Draft>, Vec<String>), ObjectError> {
    let (mut bad, mut reasons) = (Vec::new(), Vec::new());
    loop {
        match write::create(session, writing, &drafts).await {
            Ok(_) => return Ok((bad, reasons)),
            Err(ObjectError::Invalid(problems)) => {
                let mut by_index: BTreeMap<usize, Vec<String>> = BTreeMap::new();
                for problem in problems {
                    by_index.entry(problem.index).or_default().push(problem.to_string());
                }
                // Each round takes some away, so there is an end.
                let Some(_) = by_index.keys().next() else {
                    return Err(StoreError::Data("a refusal without a reason".to_owned()).into());
                };
                for (index, why) in by_index.into_iter().rev() {
                    if index < drafts.len() {
                        bad.push(drafts.remove(index));
                        reasons.push(why.join("; "));
                    }
                }
            }
            Err(other) => return Err(other),
        }
    }
}
