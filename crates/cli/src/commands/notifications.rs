//! `notifications`: who is told of what, what was told, and whether messages arrive.

use std::sync::Arc;

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use pm_store::Store;
use pm_store::notifications::{self as kept, Delivery, State, Which};
use pm_store::objects::models::notification_rule;
use pm_tasks::notify::{self, Tried};
use pm_tasks::{Clock as _, Editor, SystemClock, objects};
use serde_json::{Value as Json, json};

use super::objects::{self as any, Command as AnyCommand};
use crate::app::{self, EXIT_FAILED, EXIT_OK, UsageError};
use crate::commands::Shared;
use crate::output::Output;

/// The kind of object that rules are.
const KIND: &str = "notification_rules";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Rules: which events are told to whom
    #[command(subcommand)]
    Rules(Rules),
    /// The newest messages, and what became of them
    List(ListArguments),
    /// One message
    Show {
        /// Its number
        number: i64,
    },
    /// Try messages again that failed or were given up
    Retry {
        /// Their numbers
        #[arg(required_unless_present = "all")]
        numbers: Vec<i64>,
        /// All of them
        #[arg(long, conflicts_with = "numbers")]
        all: bool,
    },
    /// Send a test message now, and say what the receiver answers
    Test {
        /// The rule whose recipients get it
        #[arg(required_unless_present = "webhook")]
        rule: Option<String>,
        /// A webhook that gets it, instead of a rule's recipients
        #[arg(long, value_name = "NAME", conflicts_with = "rule")]
        webhook: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Only messages in this state: pending, sent, failed, given-up or skipped
    #[arg(long)]
    state: Option<String>,
    /// Only messages to this e-mail address or webhook
    #[arg(long, value_name = "NAME")]
    recipient: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// All rules
    List,
    /// Make a rule, or change it if there is one of that name
    Set {
        /// Its name
        name: String,
        /// Values, such as events='[job failed]' recipients=[noc@example.net]
        #[arg(required = true, value_name = "FIELD=VALUE")]
        values: Vec<String>,
    },
    /// Delete a rule
    Delete {
        /// Its name
        name: String,
    },
    /// Let a rule tell again
    Enable {
        /// Its name
        name: String,
    },
    /// Let a rule tell nothing, and keep it
    Disable {
        /// Its name
        name: String,
    },
}

pub(crate) async fn run(shared: &Shared, output: &Output, command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Rules(command) => rules(shared, output, command).await,
        Command::List(arguments) => list(shared, output, arguments).await,
        Command::Show { number } => show(shared, output, number).await,
        Command::Retry { numbers, .. } => {
            let (_, store) = app::open(shared, output).await?;
            let count = kept::retry(&store, &numbers, SystemClock.now()).await?;
            if output.json {
                output.json(&json!({ "again": count }))?;
            } else {
                output.line(&format!("{count} messages will be tried again by the next courier that looks."));
            }
            Ok(if count == 0 && !numbers.is_empty() { EXIT_FAILED } else { EXIT_OK })
        }
        Command::Test { rule, webhook } => test(shared, output, rule, webhook).await,
    }
}

async fn rules(shared: &Shared, output: &Output, command: Rules) -> anyhow::Result<u8> {
    let editor = app::editor(shared, output).await?;
    match command {
        Rules::List => list_rules(output, &editor).await,
        Rules::Set { name, values } => set(output, &editor, name, values).await,
        Rules::Delete { name } => {
            let command = AnyCommand::Delete {
                kind: KIND.to_owned(),
                which: vec![name],
                cascade: false,
                dry_run: false,
            };
            any::run(shared, output, command).await
        }
        Rules::Enable { name } => switch(output, &editor, &name, true).await,
        Rules::Disable { name } => switch(output, &editor, &name, false).await,
    }
}

async fn switch(output: &Output, editor: &Editor, name: &str, on: bool) -> anyhow::Result<u8> {
    any::set(output, editor, KIND, name, &[format!("enabled={on}")], false).await
}

async fn set(output: &Output, editor: &Editor, name: String, mut values: Vec<String>) -> anyhow::Result<u8> {
    let model = &notification_rule::MODEL;
    let known = objects::list(editor, model, &[format!("name={name}")], Some(1)).await?;
    if known.is_empty() {
        values.insert(0, format!("name={name}"));
        return any::show(output, &objects::add(editor, model, &values).await?);
    }
    any::set(output, editor, KIND, &name, &values, false).await
}

async fn list_rules(output: &Output, editor: &Editor) -> anyhow::Result<u8> {
    let found = objects::list(editor, &notification_rule::MODEL, &[], None).await?;
    let header = ["Rule", "Enabled", "Events", "Recipients", "Webhook"];
    output.table("rules", &found, &header, |rule| {
        let fields = &rule.fields;
        let words = |name: &str| {
            let texts = fields[name].as_array().into_iter().flatten().filter_map(Json::as_str);
            texts.collect::<Vec<_>>().join(", ")
        };
        let on = fields["enabled"].as_bool().unwrap_or(true);
        let webhook = fields["webhook"].as_str().unwrap_or_default().to_owned();
        let enabled = if on { "yes" } else { "no" }.to_owned();
        vec![rule.display.clone(), enabled, words("events"), words("recipients"), webhook]
    })?;
    Ok(EXIT_OK)
}

async fn list(shared: &Shared, output: &Output, arguments: ListArguments) -> anyhow::Result<u8> {
    let (_, store) = app::open(shared, output).await?;
    let state = arguments.state.map(|text| parse_state(&text)).transpose()?;
    let which = Which { state, recipient: arguments.recipient, limit: arguments.limit };
    let found = kept::list_deliveries(&store, &which).await?;
    let header = ["Message", "State", "Tries", "Made", "To", "What", "Error"];
    output.table("notifications", &found, &header, |one| {
        vec![
            one.id.to_string(),
            one.state.as_str().to_owned(),
            one.attempts.to_string(),
            moment(one.created),
            one.recipient.clone(),
            one.summary.chars().take(60).collect(),
            one.error.as_deref().unwrap_or_default().chars().take(80).collect(),
        ]
    })?;
    Ok(EXIT_OK)
}

fn parse_state(text: &str) -> anyhow::Result<State> {
    State::parse(&text.replace(['-', '_'], " ")).ok_or_else(|| {
        let known: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
        anyhow!(UsageError(format!("there is no state {text}; it is one of {}", known.join(", "))))
    })
}

async fn show(shared: &Shared, output: &Output, number: i64) -> anyhow::Result<u8> {
    let (_, store) = app::open(shared, output).await?;
    let found = kept::get(&store, number).await?.ok_or_else(|| {
        anyhow!("there is no message {number}; `peering-manager notifications list` lists the newest")
    })?;
    let event = event(&store, &found).await?;
    if output.json {
        output.json(&json!({ "notification": found, "event": event }))?;
        return Ok(EXIT_OK);
    }
    output.line(&format!("Message {} ({})", found.id, found.delivery_id));
    output.line(&format!("  to         {}", found.recipient));
    output.line(&format!("  what       {}", found.summary));
    output.line(&format!("  made       {}", moment(found.created)));
    output.line(&format!("  state      {}, tried {} times", found.state.as_str(), found.attempts));
    if found.finished.is_none() {
        output.line(&format!("  next try   {}", moment(found.not_before)));
    }
    let numbers =
        [("finished", found.finished.map(moment)), ("status", found.status.map(|one| one.to_string()))];
    let texts = [("answer", found.answer), ("error", found.error)];
    for (name, text) in numbers.into_iter().chain(texts) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            output.line(&format!("  {name:10} {text}"));
        }
    }
    if let Some(event) = event {
        output.line(&format!("  event      {}: {}", event.kind.as_str(), event.message));
    }
    Ok(EXIT_OK)
}

async fn event(store: &Store, delivery: &Delivery) -> anyhow::Result<Option<pm_store::events::Event>> {
    let Some(id) = delivery.event else { return Ok(None) };
    Ok(pm_store::events::get(&mut store.connection().await?.session(), id).await?)
}

fn moment(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

async fn test(
    shared: &Shared,
    output: &Output,
    rule: Option<String>,
    webhook: Option<String>,
) -> anyhow::Result<u8> {
    let (loaded, store) = app::open(shared, output).await?;
    let config = Arc::new(loaded.config);
    let tried = match (rule, webhook) {
        (_, Some(name)) => vec![notify::try_webhook(&store, &config, &SystemClock, &name).await?],
        (Some(name), None) => notify::try_rule(&store, &config, &SystemClock, &name).await?,
        (None, None) => Vec::new(),
    };
    if output.json {
        output.json(&json!({ "tried": tried }))?;
    } else {
        for one in &tried {
            output.line(&told(one));
        }
    }
    Ok(if tried.iter().all(|one| one.arrived) { EXIT_OK } else { EXIT_FAILED })
}

fn told(tried: &Tried) -> String {
    let status = tried.status.map(|status| format!("HTTP {status} ")).unwrap_or_default();
    let answer = tried.answer.as_deref().unwrap_or_default();
    match &tried.error {
        None => format!("{}: taken; the answer: {status}{answer}", tried.recipient),
        Some(error) => {
            let answer = if answer.is_empty() { String::new() } else { format!("; the answer: {answer}") };
            format!("{}: not taken: {error}{answer}", tried.recipient)
        }
    }
}
