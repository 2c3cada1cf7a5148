//! `install-units`: puts the unit files, or cron's, on this host.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use pm_config::Sources;
use serde::Serialize;

use crate::app::{EXIT_OK, EXIT_REFUSED, UsageError};
use crate::commands::Shared;
use crate::output::Output;
use crate::units::placing::{Found, Placed};
use crate::units::starters::{Starter, starters};
use crate::units::{Host, TIMERS, Way, below, led_to};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// Units for `peering-manager run`, whose schedules start the tasks [default]
    #[arg(long)]
    scheduler: bool,
    /// Units and timers, one for each task
    #[arg(long, conflicts_with = "scheduler")]
    timers: bool,
    /// A file for cron
    #[arg(long, conflicts_with_all = ["scheduler", "timers"])]
    cron: bool,
    /// A manage.py in this directory, which keeps cron lines and units of the original at work; alone, nothing else is written
    #[arg(long, value_name = "DIR")]
    manage_py: Option<PathBuf>,
    /// Only print what would be written
    #[arg(long)]
    dry_run: bool,
    /// Replace files that a person wrote or changed, too; they are kept under names that end with .old
    #[arg(long)]
    force: bool,
    /// Write below this directory instead of /
    #[arg(
        long,
        visible_alias = "prefix",
        value_name = "DIR",
        default_value = "/",
        hide_default_value = true
    )]
    root: PathBuf,
    /// The user as whom it all runs; the group has the same name
    #[arg(long, value_name = "USER", default_value = "peering-manager")]
    user: String,
    /// The program's path on the host [default: that of this program]
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

impl Arguments {
    fn way(&self) -> Option<Way> {
        if self.timers {
            Some(Way::Timers)
        } else if self.cron {
            Some(Way::Cron)
        } else if self.scheduler || self.manage_py.is_none() {
            Some(Way::Scheduler)
        } else {
            None
        }
    }
}

/// A file, and what is to become of it.
#[derive(Debug, Serialize)]
struct Planned {
    path: PathBuf,
    found: Found,
    text: String,
    #[serde(skip)]
    file: Placed,
}

pub(crate) fn run(shared: &Shared, output: &Output, arguments: &Arguments) -> anyhow::Result<u8> {
    let host = host(shared, arguments)?;
    let way = arguments.way();
    let rivals: Vec<Starter> =
        starters(&arguments.root).into_iter().filter(|one| way.is_some_and(|way| one.way != way)).collect();
    if !rivals.is_empty() {
        return Ok(refuse_rivals(output, &rivals));
    }
    let plan = plan(&host, way, arguments)?;
    let kept: Vec<&Planned> = plan.iter().filter(|one| one.found == Found::Theirs).collect();
    if !kept.is_empty() && !arguments.force {
        for one in &kept {
            output.error(&format!("{} was written or changed by a person", one.path.display()));
        }
        output.error(
            "nothing was written; --force replaces such files, and keeps them under names that end with .old",
        );
        return Ok(EXIT_REFUSED);
    }
    for one in plan.iter().filter(|one| !arguments.dry_run && one.found != Found::Same) {
        let cannot = || format!("{} cannot be written (are you root?)", one.path.display());
        one.file.write(&arguments.root, one.found).with_context(cannot)?;
    }
    if output.json {
        output.json(
            &serde_json::json!({ "files": plan, "written": !arguments.dry_run, "next": next_steps(way, arguments.manage_py.as_deref()) }),
        )?;
    } else {
        tell(output, &plan, arguments);
        if !arguments.dry_run {
            output.remark(&next_steps(way, arguments.manage_py.as_deref()).join("\n"));
        }
    }
    Ok(EXIT_OK)
}

/// The settings file is named in what is written if it was named to us.
fn host(shared: &Shared, arguments: &Arguments) -> anyhow::Result<Host> {
    let binary = match &arguments.binary {
        Some(binary) => binary.clone(),
        None => std::env::current_exe().context("this program cannot tell where it is; use --binary")?,
    };
    let sources = Sources::from_process(shared.config.clone());
    let settings = sources.named_file().map(std::path::absolute).transpose()?;
    Host::new(&binary, settings.as_deref(), &arguments.user).map_err(|why| anyhow!(UsageError(why)))
}

fn plan(host: &Host, way: Option<Way>, arguments: &Arguments) -> anyhow::Result<Vec<Planned>> {
    let root = &arguments.root;
    let mut files = way.map(|way| host.files(way)).unwrap_or_default();
    if let Some(directory) = &arguments.manage_py {
        // A Python of its own is left where it is; a stand-in of ours may be of an older release. A venv's is a link, which leads
        // nowhere once the distribution has another version.
        let has_python = |path: &Path| {
            let is_link = below(root, path).is_symlink();
            led_to(root, path).is_some_and(|place| {
                is_link || std::fs::read(place).is_ok_and(|octets| !octets.starts_with(b"#!"))
            })
        };
        files.extend(host.shims(directory, has_python));
    }
    let plan = files.into_iter().map(|file| {
        let path = below(root, &file.path);
        let found = file.look(root).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(Planned { path, found, text: file.text().to_owned(), file })
    });
    plan.collect()
}

fn refuse_rivals(output: &Output, rivals: &[Starter]) -> u8 {
    for rival in rivals {
        let tasks: Vec<&str> = rival.tasks.iter().copied().collect();
        output.error(&format!("{} starts {} already", rival.what, tasks.join(", ")));
    }
    output.error(
        "nothing was written: a task must not be started in two ways. Take the other one away first \
         (`systemctl disable --now UNIT`, or the lines of cron)",
    );
    EXIT_REFUSED
}

fn tell(output: &Output, plan: &[Planned], arguments: &Arguments) {
    for one in plan {
        let done = match one.found {
            Found::Same => "as it is",
            Found::Nothing if arguments.dry_run => "would be written",
            Found::Ours | Found::Theirs if arguments.dry_run => "would be replaced",
            Found::Nothing => "written",
            Found::Ours => "replaced",
            Found::Theirs => "replaced, and kept with .old behind its name",
        };
        output.remark(&format!("{}: {done}", one.path.display()));
        if arguments.dry_run {
            output.verbatim(&one.text);
        }
    }
}

/// What is left to be done by hand.
fn next_steps(way: Option<Way>, manage_py: Option<&Path>) -> Vec<String> {
    let enable = |units: &str| format!("    systemctl enable --now {units}");
    let mut steps = match way {
        Some(Way::Scheduler) => {
            vec!["Next:".to_owned(), "    systemctl daemon-reload".to_owned(), enable("peering-manager")]
        }
        Some(Way::Timers) => {
            let harmless = TIMERS.iter().filter(|(_, task)| *task != "configure_routers");
            let harmless = harmless.map(|(unit, _)| enable(&format!("{unit}.timer")));
            let mut steps =
                vec!["Next, those that you want:".to_owned(), "    systemctl daemon-reload".to_owned()];
            steps.extend(harmless);
            steps.push(
                "What changes routers, once `configure_routers --dry-run` shows what you want:".to_owned(),
            );
            steps.push(enable("peering-manager_configuration-deployment.timer"));
            steps
        }
        Some(Way::Cron) => {
            vec!["Cron takes the file by itself; configure_routers has a # in front of it.".to_owned()]
        }
        None => Vec::new(),
    };
    steps.push(match manage_py {
        Some(directory) => format!(
            "What calls {} goes on as it is. Take away what would be started in two ways; `doctor` names it.",
            directory.join("manage.py").display()
        ),
        None => "If lines of cron or units call the original's manage.py: `peering-manager install-units --manage-py DIR` \
                 writes one into that directory, which passes them on."
            .to_owned(),
    });
    steps
}
