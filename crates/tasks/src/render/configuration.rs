//! `render_configuration`: the configurations of routers.
//!
//! Reads: all objects, the PeeringDB cache and IRR lists as far as templates look into them, the settings for templates.
//! Writes: nothing in the database; files, if it is told to. All routers are rendered from one moment of the database, and
//! nothing is written unless all could be rendered.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures::{StreamExt as _, TryStreamExt as _};
use pm_config::Config;
use pm_render::{Data, Row, Source, TemplateError, World};
use pm_store::jobs::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::engine::{self, Engine, Rendering, Stop};
use super::snapshot::{Snapshot, Wants, read};
use super::{files, templates_of};
use crate::routers::{Host, limited};
use crate::{Done, Task, TaskContext, TaskError};

/// Routers that are rendered at the same time, each by a thread of its own.
const AT_ONCE: usize = 4;

/// A template that is not in the database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GivenTemplate {
    /// What error messages call it.
    pub name: String,
    /// Its text. Not kept in job records.
    #[serde(skip)]
    pub text: String,
    /// Remove the line break after a tag.
    pub trim: bool,
    /// Remove blanks before a tag at the start of a line.
    pub lstrip: bool,
}

/// Which template routers are rendered with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Template {
    /// Their own.
    #[default]
    Own,
    /// The stored one of this name.
    Stored(String),
    /// This one.
    Given(GivenTemplate),
}

/// A router's configuration.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The router's name.
    pub router: String,
    /// What was rendered.
    pub rendering: Rendering,
    /// Where it went or would go.
    pub file: Option<PathBuf>,
    /// How it differs from what the file held, in the form of `diff -u`; empty if it does not.
    pub difference: String,
}

/// Renders configurations.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RenderConfiguration {
    /// Names or hostnames of routers, separated by commas; all, if none are named.
    pub limit: Option<String>,
    /// What to render.
    pub template: Template,
    /// Remove the line break after a tag, whatever the template says.
    pub trim: bool,
    /// Remove blanks before a tag at the start of a line, whatever the template says.
    pub lstrip: bool,
    /// A file, or a folder that gets a file per router.
    pub output: Option<PathBuf>,
    /// Only compare with what is there.
    pub diff: bool,
    /// Takes what was rendered. It holds passwords, so no job record does.
    #[serde(skip)]
    pub rendered: Arc<Mutex<Vec<Configuration>>>,
}

impl PartialEq for RenderConfiguration {
    /// By what was asked for.
    fn eq(&self, other: &Self) -> bool {
        self.arguments() == other.arguments()
    }
}

struct Router {
    row: Row,
    number: i64,
    name: String,
    hostname: String,
}

/// A router and its template.
type Work = (Router, Source);

impl Host for Router {
    fn number(&self) -> i64 {
        self.number
    }
    fn name(&self) -> &str {
        &self.name
    }
    fn hostname(&self) -> &str {
        &self.hostname
    }
}

#[async_trait::async_trait]
impl Task for RenderConfiguration {
    fn name(&self) -> &'static str {
        "render_configuration"
    }

    fn label(&self) -> &'static str {
        "devices.router.render_configuration"
    }

    fn arguments(&self) -> Json {
        json!({
            "limit": self.limit,
            "template": self.template,
            "trim": self.trim,
            "lstrip": self.lstrip,
            "output": self.output,
            "diff": self.diff,
        })
    }

    fn lock_key(&self) -> Option<String> {
        None
    }

    fn queueable(&self) -> Result<(), String> {
        Err("what is rendered goes to the one who asks for it, and to no job record".to_owned())
    }

    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        if let Template::Given(given) = &self.template
            && given.text.is_empty()
        {
            // Its text is in no record, so that this is also what comes of a task that was stored.
            return Err(TaskError::Failed(format!("the template {} holds no text", given.name)));
        }
        let mut transaction = context.store.begin_reading().await?;
        let mut session = transaction.session();
        let mut wants = templates_of(&mut session).await.map_err(super::failed)?;
        if let Template::Given(given) = &self.template {
            wants = wants.and(&Wants::of([given.text.as_str()]));
        }
        let (mut configurations, without) = loop {
            let snapshot = read(&mut session, &context.keyring, &wants).await.map_err(super::failed)?;
            let rendered = self.render(context, &snapshot).await;
            match wants.more(&snapshot) {
                Some(more) => wants = more,
                None => break rendered?,
            }
        };
        drop(transaction);
        for name in without {
            context.reporter.warning(format!("router {name} has no configuration template and is left out"));
        }
        self.place(&mut configurations)?;
        let done = self.report(context, &configurations);
        match self.rendered.lock() {
            Ok(mut rendered) => *rendered = configurations,
            Err(_) => return Err(TaskError::Broken("what was rendered is lost".to_owned())),
        }
        Ok(done)
    }
}

/// Renders for all routers. Threads do not end with the future that waits for them, so they are told to.
async fn all(
    engine: Engine,
    jobs: Vec<Work>,
) -> Result<Vec<(String, Result<Rendering, TemplateError>)>, TaskError> {
    let stop = Stop::default();
    let engine = engine.stopped_by(&stop);
    futures::stream::iter(jobs)
        .map(|(router, source)| {
            let engine = engine.clone();
            let name = router.name.clone();
            let render = move || {
                engine.render(&source, &router.name, |environment| {
                    environment.render_configuration(router.row, &source)
                })
            };
            async move { tokio::task::spawn_blocking(render).await.map(|result| (name, result)) }
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
        .map_err(|error| TaskError::Broken(format!("a rendering did not end: {error}")))
}

fn all_routers(world: &World) -> Vec<Router> {
    let of = |row| Router {
        row,
        number: i64::try_from(world.id(row)).unwrap_or_default(),
        name: engine::text(world, row, "name").to_owned(),
        hostname: engine::text(world, row, "hostname").to_owned(),
    };
    engine::all(world, "devices.router").into_iter().map(of).collect()
}

fn own_template(config: &Config, world: &World, router: &Router) -> Option<Source> {
    let Data::Reference(id) = world.get(router.row, "configuration_template") else { return None };
    let model = pm_render::Models::get().index("devices.configuration")?;
    world.find(model, *id).map(|row| engine::source(config, world, row, "template"))
}

/// A router's configuration, or why there is none.
pub(crate) struct Made {
    /// The router's name.
    pub router: String,
    /// The template's name.
    pub template: String,
    /// The configuration.
    pub result: Result<Rendering, TemplateError>,
}

/// The configurations of these routers that have a template of their own, from one moment of the database; with `instead`, by
/// the stored template of this name. A router whose template fails does not stop the others.
pub(crate) async fn each(
    context: &TaskContext,
    session: &mut pm_store::Session<'_>,
    names: &BTreeSet<String>,
    instead: Option<&str>,
) -> Result<Vec<Made>, TaskError> {
    let mut wants = templates_of(session).await.map_err(super::failed)?;
    loop {
        let snapshot = read(session, &context.keyring, &wants).await.map_err(super::failed)?;
        let world = &snapshot.world;
        let config = &context.config;
        let common = match instead {
            None => None,
            Some(name) => {
                let row = engine::template(world, "devices.configuration", "configuration", name)
                    .map_err(TaskError::Failed)?;
                Some(engine::source(config, world, row, "template"))
            }
        };
        let routers = all_routers(world).into_iter().filter(|router| names.contains(&router.name));
        let jobs: Vec<Work> = routers
            .filter_map(|router| {
                let own = own_template(config, world, &router)?;
                Some((router, common.clone().unwrap_or(own)))
            })
            .collect();
        let templates: Vec<String> = jobs.iter().map(|(_, source)| source.name.clone()).collect();
        let rendered = all(Engine::new(world, config, context.clock.now()), jobs).await;
        let Some(more) = wants.more(&snapshot) else {
            let made = rendered?.into_iter().zip(templates);
            return Ok(made.map(|((router, result), template)| Made { router, template, result }).collect());
        };
        wants = more;
    }
}

impl RenderConfiguration {
    /// The configurations, and the routers without a template.
    async fn render(
        &self,
        context: &TaskContext,
        snapshot: &Snapshot,
    ) -> Result<(Vec<Configuration>, Vec<String>), TaskError> {
        let fail = TaskError::Failed;
        let world = &snapshot.world;
        let (jobs, without) = self.jobs(context, world).map_err(fail)?;
        let engine = Engine::new(world, &context.config, context.clock.now());
        let rendered = all(engine, jobs).await?;
        let mut configurations = Vec::new();
        let mut problems = Vec::new();
        for (router, result) in rendered {
            match result {
                Ok(rendering) => configurations.push(Configuration {
                    router,
                    rendering,
                    file: None,
                    difference: String::new(),
                }),
                Err(error) => problems.push(format!("router {router}: {error}")),
            }
        }
        if problems.is_empty() { Ok((configurations, without)) } else { Err(fail(problems.join("\n"))) }
    }

    /// Routers with the template of each, and the names of those without one.
    fn jobs(&self, context: &TaskContext, world: &World) -> Result<(Vec<Work>, Vec<String>), String> {
        let routers = limited(all_routers(world), self.limit.as_deref())?;
        if routers.is_empty() {
            return Err("there are no routers".to_owned());
        }
        let config = &context.config;
        let common = match &self.template {
            Template::Own => None,
            Template::Stored(name) => {
                let row = engine::template(world, "devices.configuration", "configuration", name)?;
                Some(engine::source(config, world, row, "template"))
            }
            Template::Given(given) => Some(Source {
                name: given.name.clone(),
                text: given.text.clone(),
                trim: given.trim,
                lstrip: given.lstrip,
                undefined: engine::undefined(config, &given.text),
            }),
        };
        let mut jobs = Vec::new();
        let mut without = Vec::new();
        for router in routers {
            match common.clone().or_else(|| own_template(config, world, &router)) {
                Some(mut source) => {
                    source.trim |= self.trim;
                    source.lstrip |= self.lstrip;
                    jobs.push((router, source));
                }
                None => without.push(router.name),
            }
        }
        if !without.is_empty() && (self.limit.is_some() || jobs.is_empty()) {
            return Err(format!(
                "no configuration template is set for {}; name one with --configuration or --input",
                without.join(", ")
            ));
        }
        Ok((jobs, without))
    }

    /// Compares with what is there, or puts it there.
    fn place(&self, configurations: &mut [Configuration]) -> Result<(), TaskError> {
        let Some(output) = &self.output else { return Ok(()) };
        // Of all routers there may be one today and two tomorrow; a name without a suffix is a folder if it is one.
        let folder = files::is_folder(output, configurations.len());
        if folder && !self.diff {
            std::fs::create_dir_all(output).map_err(|error| {
                TaskError::Failed(format!("{} cannot be made: {error}", output.display()))
            })?;
        }
        let mut taken = std::collections::HashSet::new();
        for configuration in configurations.iter_mut() {
            let file = files::file_of(output, folder, &configuration.router);
            if !taken.insert(file.clone()) {
                return Err(TaskError::Failed(format!("two routers would write {}", file.display())));
            }
            let before = files::held(&file).map_err(TaskError::Failed)?;
            let name = file.display().to_string();
            configuration.difference = files::difference(
                &name,
                before.as_deref().unwrap_or_default(),
                &configuration.rendering.text,
            );
            configuration.file = Some(file);
        }
        if !self.diff {
            for configuration in configurations {
                let Some(file) = &configuration.file else { continue };
                let before = files::held(file).map_err(TaskError::Failed)?.unwrap_or_default();
                if configuration.rendering.text.is_empty() && !before.is_empty() {
                    // It stays, and the report says that the rendering is empty.
                    continue;
                }
                files::replace(file, &configuration.rendering.text).map_err(TaskError::Failed)?;
            }
        }
        Ok(())
    }

    fn report(&self, context: &TaskContext, configurations: &[Configuration]) -> Done {
        let mut rows = Vec::new();
        let (mut changed, mut empty) = (0, 0);
        for configuration in configurations {
            let Configuration { router, rendering, file, difference } = configuration;
            for warning in &rendering.warnings {
                context.reporter.warning(format!("router {router}: {warning}"));
            }
            if rendering.text.is_empty() {
                empty += 1;
                context.reporter.warning(format!("router {router}: the configuration is empty"));
            }
            changed += usize::from(!difference.is_empty());
            rows.push(json!({
                "router": router,
                "bytes": rendering.text.len(),
                "input": rendering.input,
                "warnings": rendering.warnings,
                "file": file,
                "changed": self.output.as_ref().map(|_| !difference.is_empty()),
            }));
        }
        let count = configurations.len();
        let plural = if count == 1 { "" } else { "s" };
        let summary = match (&self.output, self.diff) {
            (None, _) => format!("{count} configuration{plural} rendered"),
            (Some(_), true) => format!("{count} configuration{plural} compared, {changed} differ"),
            (Some(_), false) => format!("{count} configuration{plural} written, {changed} changed"),
        };
        // Nothing at all is hardly what a router is to have.
        let outcome = if empty == 0 { Outcome::Ok } else { Outcome::Partial };
        Done { outcome, summary, data: json!({ "configurations": rows, "changed": changed }) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn renderings_end_when_nobody_waits_for_them() {
        let lists = HashMap::from([(
            "devices--routers".to_owned(),
            json!([{"id": 1, "name": "r", "hostname": "r"}]),
        )]);
        let world = Arc::new(pm_render::original::world(&lists, &json!({})));
        let config = pm_config::Config { render_fuel: u32::MAX, ..pm_config::Config::default() };
        let engine = Engine::new(&world, &config, chrono::DateTime::UNIX_EPOCH);
        let row = engine::all(&world, "devices.router")[0];
        let router = Router { row, number: 1, name: "r".to_owned(), hostname: "r".to_owned() };
        let text = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
        let undefined = pm_render::Undefined::Strict;
        let source = Source {
            name: "endless".to_owned(),
            text: text.to_owned(),
            trim: false,
            lstrip: false,
            undefined,
        };
        let waiting = all(engine, vec![(router, source)]);
        assert!(tokio::time::timeout(Duration::from_millis(100), waiting).await.is_err());
        // The thread holds the world as long as it runs.
        for _ in 0..3000 {
            if Arc::strong_count(&world) == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the rendering goes on");
    }
}
