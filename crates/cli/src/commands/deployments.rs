//! `deployments`: what was deployed, planned and refused, and the brake.

use anyhow::{anyhow, bail};
use clap::Subcommand;
use pm_store::deployments::{self, Deployment, Whole};
use pm_tasks::{Clock as _, Diff, Editor, SystemClock, TaskError, close_deployment, mask_text, mask_values};
use serde_json::json;

use crate::app::{self, EXIT_OK, EXIT_REFUSED, EXIT_TRY_LATER};
use crate::commands::Shared;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The newest deployments, and whether they are frozen
    List {
        /// Only those of this router, by name or hostname
        #[arg(long, value_name = "ROUTER")]
        router: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// One deployment: who, when, what changed, how it ended
    Show {
        /// Its number
        deployment: i64,
        /// The configuration as it was deployed, with passwords hidden
        #[arg(long)]
        configuration: bool,
    },
    /// How the configurations of two deployments differ
    Diff {
        /// Its number
        deployment: i64,
        /// The one to compare with, by default the router's one before
        with: Option<i64>,
    },
    /// Say of a deployment whose end is not known that somebody has looked at the router
    Close {
        /// Its number
        deployment: i64,
        /// Who is recorded as the one who looked
        #[arg(long, env = "USER", hide_env_values = true, default_value = "somebody", value_name = "NAME")]
        user: String,
    },
    /// Stop all deployments until they are thawed
    Freeze {
        /// Why
        reason: String,
        /// Who is recorded as the one who asked for it
        #[arg(long, env = "USER", hide_env_values = true, default_value = "somebody", value_name = "NAME")]
        user: String,
    },
    /// Let deployments go on
    Thaw {
        /// Who is recorded as the one who asked for it
        #[arg(long, env = "USER", hide_env_values = true, default_value = "somebody", value_name = "NAME")]
        user: String,
    },
}

pub(crate) async fn run(shared: &Shared, output: &Output, command: Command) -> anyhow::Result<u8> {
    match command {
        Command::List { router, limit } => list(shared, output, router.as_deref(), limit).await,
        Command::Show { deployment, configuration } => show(shared, output, deployment, configuration).await,
        Command::Diff { deployment, with } => diff(shared, output, deployment, with).await,
        Command::Close { deployment, user } => close(shared, output, deployment, &user).await,
        Command::Freeze { reason, user } => freeze(shared, output, &reason, &user).await,
        Command::Thaw { user } => thaw(shared, output, &user).await,
    }
}

async fn list(shared: &Shared, output: &Output, router: Option<&str>, limit: u32) -> anyhow::Result<u8> {
    let (_, store) = app::open(shared, output).await?;
    let mut connection = store.connection().await?;
    let mut session = connection.session();
    let frozen = deployments::frozen(&mut session).await?;
    let router = match router {
        Some(router) => {
            let name = deployments::router_name(&mut session, router).await?;
            Some(name.ok_or_else(|| anyhow!("there is no router {router}, and none had a deployment"))?)
        }
        None => None,
    };
    let found = deployments::list(&mut session, router.as_deref(), limit).await?;
    if output.json {
        output.json(&json!({ "frozen": frozen, "deployments": found }))?;
        return Ok(EXIT_OK);
    }
    if let Some(freeze) = frozen {
        let since = freeze.begun.format("%Y-%m-%d %H:%M UTC");
        output.line(&format!("Frozen since {since} by {}: {}", freeze.user_name, freeze.reason));
    }
    let header = ["Deployment", "Router", "Status", "Plan", "Begun", "By", "Lines", "Message"];
    output.table("deployments", &found, &header, cells)?;
    Ok(EXIT_OK)
}

fn cells(one: &Deployment) -> Vec<String> {
    vec![
        one.id.to_string(),
        one.router_name.clone(),
        one.status.as_str().replace('_', " "),
        one.plan.map(|plan| plan.to_string()).unwrap_or_default(),
        one.begun.format("%Y-%m-%d %H:%M:%S").to_string(),
        if one.forced { format!("{} (forced)", one.user_name) } else { one.user_name.clone() },
        format!("+{} −{}", one.added, one.removed),
        one.message.clone().unwrap_or_default(),
    ]
}

async fn whole(editor: &Editor, id: i64) -> anyhow::Result<Whole> {
    let mut connection = editor.store.connection().await?;
    let found = deployments::find(&mut connection.session(), id).await?;
    found.ok_or_else(|| anyhow!("there is no deployment {id}; `peering-manager deployments list` lists them"))
}

/// A deployment's configuration, with passwords hidden.
fn configuration(editor: &Editor, whole: &Whole) -> anyhow::Result<String> {
    let Some(sealed) = &whole.configuration else {
        bail!("deployment {} has no configuration", whole.deployment.id)
    };
    let secrets = deployments::open_secrets(&editor.keyring, whole.secrets.as_deref())?;
    Ok(mask_values(&mask_text(&deployments::open(&editor.keyring, sealed)?), &secrets))
}

async fn show(shared: &Shared, output: &Output, id: i64, with_text: bool) -> anyhow::Result<u8> {
    let editor = app::editor(shared, output).await?;
    let found = whole(&editor, id).await?;
    let text = if with_text { Some(configuration(&editor, &found)?) } else { None };
    if output.json {
        output.json(&json!({ "deployment": found, "configuration": text }))?;
        return Ok(EXIT_OK);
    }
    if let Some(text) = text {
        output.line(text.trim_end_matches('\n'));
        return Ok(EXIT_OK);
    }
    let one = &found.deployment;
    output.line(&format!("Deployment {} to router {}", one.id, one.router_name));
    let forced = if one.forced { ", guards overruled" } else { "" };
    output.line(&format!("  by         {}{forced}", one.user_name));
    output.line(&format!("  status     {}", one.status.as_str().replace('_', " ")));
    output.line(&format!("  begun      {}", one.begun.format("%Y-%m-%d %H:%M:%S UTC")));
    if let Some(ended) = one.ended {
        output.line(&format!("  ended      {}", ended.format("%Y-%m-%d %H:%M:%S UTC")));
    }
    output.line(&format!("  template   {} ({})", one.template, one.load_mode));
    if let Some(plan) = one.plan {
        output.line(&format!("  plan       {plan}"));
    }
    if let Some(job) = one.job {
        output.line(&format!("  job        {job}"));
    }
    output.line(&format!("  input      {}", one.input_hash));
    output.line(&format!("  sessions   {}", found.sessions.stored.len() + found.sessions.others.len()));
    if let Some(message) = &one.message {
        output.line(&format!("  message    {message}"));
    }
    if let Some(user) = &one.closed_by {
        output.line(&format!("  closed by  {user}"));
    }
    for warning in found.warnings.as_array().into_iter().flatten().filter_map(|one| one.as_str()) {
        output.line(&format!("  warning    {warning}"));
    }
    output.line(&format!("  lines      +{} −{}", one.added, one.removed));
    if !found.diff.is_empty() {
        output.line(found.diff.trim_end_matches('\n'));
    }
    Ok(EXIT_OK)
}

async fn diff(shared: &Shared, output: &Output, id: i64, with: Option<i64>) -> anyhow::Result<u8> {
    let editor = app::editor(shared, output).await?;
    let new = whole(&editor, id).await?;
    let before = if let Some(with) = with {
        with
    } else {
        let mut connection = editor.store.connection().await?;
        let name = new.deployment.router_name.as_str();
        let found = deployments::before(&mut connection.session(), name, id).await?;
        found.ok_or_else(|| anyhow!("router {name} has no deployment before {id}"))?
    };
    let old = whole(&editor, before).await?;
    // Both with passwords hidden: a changed one shows in the deployment's own difference.
    let diff = Diff::between(&configuration(&editor, &old)?, &configuration(&editor, &new)?);
    if output.json {
        let (added, removed) = diff.counts();
        output.json(
            &json!({ "from": before, "to": id, "added": added, "removed": removed, "diff": diff.text() }),
        )?;
        return Ok(EXIT_OK);
    }
    output.remark(&format!("From deployment {before} to {id}:"));
    if !diff.is_empty() {
        output.line(diff.text().trim_end_matches('\n'));
    }
    Ok(EXIT_OK)
}

async fn close(shared: &Shared, output: &Output, id: i64, user: &str) -> anyhow::Result<u8> {
    let (_, store) = app::open(shared, output).await?;
    match close_deployment(&store, id, user, SystemClock.now()).await {
        Ok(()) => {
            output.remark(&format!(
                "Deployment {id} is closed. What runs on the router is what somebody has seen there."
            ));
            Ok(EXIT_OK)
        }
        Err(TaskError::Held(text)) => {
            output.error(&text);
            Ok(EXIT_TRY_LATER)
        }
        Err(error) => Err(error.into()),
    }
}

async fn freeze(shared: &Shared, output: &Output, reason: &str, user: &str) -> anyhow::Result<u8> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(anyhow!(app::UsageError("say why deployments are to stop".to_owned())));
    }
    let (_, store) = app::open(shared, output).await?;
    let mut transaction = store.begin().await?;
    let mut session = transaction.session();
    let frozen = deployments::freeze(&mut session, user, reason, SystemClock.now()).await?;
    transaction.commit().await?;
    if let Err(freeze) = frozen {
        output.error(&format!("deployments are frozen already, by {}: {}", freeze.user_name, freeze.reason));
        return Ok(EXIT_REFUSED);
    }
    output.remark("Deployments are frozen. What was committed already is still confirmed or undone.");
    Ok(EXIT_OK)
}

async fn thaw(shared: &Shared, output: &Output, user: &str) -> anyhow::Result<u8> {
    let (_, store) = app::open(shared, output).await?;
    let mut transaction = store.begin().await?;
    let mut session = transaction.session();
    let freeze = deployments::thaw(&mut session, user, SystemClock.now()).await?;
    transaction.commit().await?;
    output.remark(match freeze {
        Some(_) => "Deployments go on.",
        None => "Deployments were not frozen.",
    });
    Ok(EXIT_OK)
}
