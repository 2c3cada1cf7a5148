//! Who on this host starts tasks at their time: timers that are enabled, files of cron. What two of them start is run twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::placing::MARK;
use super::{TIMERS, Way, below};

/// Where enabled units are linked from.
const WANTS: [&str; 2] =
    ["etc/systemd/system/timers.target.wants", "etc/systemd/system/multi-user.target.wants"];
/// Where cron looks.
const CRON: [&str; 7] = [
    "etc/cron.d",
    "etc/cron.hourly",
    "etc/cron.daily",
    "etc/cron.weekly",
    "etc/cron.monthly",
    "var/spool/cron/crontabs",
    "var/spool/cron",
];
/// The commands that are run at their time, with what they do. Each can be written with `-` for `_`.
const COMMANDS: [(&str, &str); 6] = [
    ("housekeeping", "housekeeping"),
    ("peeringdb_sync", "peeringdb_sync"),
    ("grab_prefixes", "get_irr_data"),
    ("get_irr_data", "get_irr_data"),
    ("poll_bgp_sessions", "poll_bgp_sessions"),
    ("configure_routers", "configure_routers"),
];

/// Something that starts tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Starter {
    /// What it is.
    pub(crate) way: Way,
    /// What people call it, such as `the timer peering-manager_housekeeping.timer`.
    pub(crate) what: String,
    /// What it starts.
    pub(crate) tasks: BTreeSet<&'static str>,
    /// With which arguments, of a schedule: two with others do not do the same.
    pub(crate) arguments: String,
}

impl Starter {
    /// Something of the host.
    pub(crate) fn host(way: Way, what: String, tasks: BTreeSet<&'static str>) -> Self {
        Self { way, what, tasks, arguments: String::new() }
    }

    /// Whether both start the same.
    fn is_twin(&self, other: &Self) -> bool {
        self.way != other.way || self.arguments == other.arguments
    }

    /// A schedule of the database.
    pub(crate) fn schedule(name: &str, task: &str, arguments: &Json) -> Self {
        Self {
            way: Way::Scheduler,
            what: format!("the schedule {name}"),
            tasks: meant(task).into_iter().collect(),
            arguments: arguments.to_string(),
        }
    }
}

/// What a command does, if it is one that is run at its time.
fn meant(command: &str) -> Option<&'static str> {
    let command = command.replace('-', "_");
    COMMANDS.iter().find(|(name, _)| *name == command).map(|(_, task)| *task)
}

/// All on the host whose files are below `root`. What cannot be read is passed over: not everybody may read every crontab.
pub(crate) fn starters(root: &Path) -> Vec<Starter> {
    let mut found = Vec::new();
    for directory in WANTS {
        let names = files(&root.join(directory));
        for (unit, task) in TIMERS {
            let timer = format!("{unit}.timer");
            if names.iter().any(|path| path.ends_with(&timer)) {
                let tasks = meant(task).into_iter().collect();
                found.push(Starter::host(Way::Timers, format!("the timer {timer}"), tasks));
            }
        }
        if names.iter().any(|path| path.ends_with("peering-manager.service") && has_scheduler(root, path)) {
            let tasks = COMMANDS.iter().map(|(_, task)| *task).collect();
            found.push(Starter::host(Way::Scheduler, "the unit peering-manager.service".to_owned(), tasks));
        }
    }
    let tables = CRON.iter().flat_map(|directory| files(&root.join(directory)));
    for path in [root.join("etc/crontab")].into_iter().chain(tables) {
        let tasks = fs::read_to_string(&path).map(|text| started(&text)).unwrap_or_default();
        if !tasks.is_empty() {
            let name = path.strip_prefix(root).unwrap_or(&path).display();
            found.push(Starter::host(Way::Cron, format!("the file /{name}"), tasks));
        }
    }
    found
}

/// The files of a directory, by name.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// Whether the linked unit runs our scheduler; the original has a unit of the same name, which does not.
fn has_scheduler(root: &Path, link: &Path) -> bool {
    let target = fs::read_link(link).map_or_else(
        |_| link.to_path_buf(),
        |target| match link.parent() {
            Some(directory) if target.is_relative() => directory.join(target),
            _ => below(root, &target),
        },
    );
    let text = fs::read_to_string(target).unwrap_or_default();
    let mut commands = text.lines().filter_map(|line| line.strip_prefix("ExecStart="));
    commands.any(|command| command.split_whitespace().any(|word| matches!(word, "run" | "scheduler")))
}

/// What the lines of a crontab or a script start. In a file that this program wrote the binary may have any name.
fn started(text: &str) -> BTreeSet<&'static str> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let marked = text.contains(MARK);
    let ours = lines.filter(|line| marked || line.contains("peering-manager") || line.contains("manage.py"));
    ours.flat_map(str::split_whitespace).filter_map(meant).collect()
}

/// A sentence for each task that is started twice. Two schedules of a task with different arguments are meant.
pub(crate) fn doubts(starters: &[Starter]) -> Vec<String> {
    let mut by_task: BTreeMap<&str, Vec<&Starter>> = BTreeMap::new();
    for starter in starters {
        for task in &starter.tasks {
            by_task.entry(task).or_default().push(starter);
        }
    }
    let twice = by_task.into_iter().filter(|(_, starters)| {
        starters
            .iter()
            .enumerate()
            .any(|(place, one)| starters[..place].iter().any(|other| one.is_twin(other)))
    });
    twice
        .map(|(task, starters)| {
            let names: Vec<&str> = starters.iter().map(|starter| starter.what.as_str()).collect();
            format!(
                "{task} is started by {}: keep one of them, or it runs more often than you mean.",
                names.join(" and by ")
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn timers_and_cron_are_found_and_the_originals_service_is_none() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert_eq!(starters(root), []);
        let units = "etc/systemd/system";
        write(root, &format!("{units}/timers.target.wants/peering-manager_peeringdb-sync.timer"), "");
        write(root, &format!("{units}/timers.target.wants/logrotate.timer"), "");
        write(
            root,
            &format!("{units}/peering-manager.service"),
            "ExecStart=/opt/peering-manager/venv/bin/gunicorn\n",
        );
        fs::create_dir_all(root.join(units).join("multi-user.target.wants")).unwrap();
        let link = root.join(units).join("multi-user.target.wants/peering-manager.service");
        std::os::unix::fs::symlink("/etc/systemd/system/peering-manager.service", link).unwrap();
        write(
            root,
            "etc/cron.d/peering",
            "# peering-manager housekeeping\n30 2 * * * user /opt/peering-manager/venv/bin/python3 \
             /opt/peering-manager/manage.py peeringdb_sync\n0 4 * * * root /usr/bin/backup housekeeping\n",
        );
        let found = starters(root);
        let ways: Vec<_> = found.iter().map(|one| (one.way, one.what.as_str())).collect();
        assert_eq!(
            ways,
            [
                (Way::Timers, "the timer peering-manager_peeringdb-sync.timer"),
                (Way::Cron, "the file /etc/cron.d/peering")
            ]
        );
        assert_eq!(
            doubts(&found),
            ["peeringdb_sync is started by the timer peering-manager_peeringdb-sync.timer and by the file \
              /etc/cron.d/peering: keep one of them, or it runs more often than you mean."]
        );
        write(
            root,
            &format!("{units}/peering-manager.service"),
            "ExecStart=/usr/local/bin/peering-manager run\n",
        );
        assert!(starters(root).iter().any(|one| one.way == Way::Scheduler));
    }

    #[test]
    fn a_schedule_and_a_timer_of_a_task_are_two() {
        let schedule = Starter::schedule("nightly", "get_irr_data", &json!({}));
        let timer =
            Starter::host(Way::Timers, "the timer x".into(), meant("grab_prefixes").into_iter().collect());
        let said = doubts(&[schedule, timer, Starter::schedule("drift", "drift", &json!({}))]);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with("get_irr_data is started by the schedule nightly and by the timer x: "),
            "{said:?}"
        );
    }

    #[test]
    fn commands_are_known_with_either_stroke() {
        for (command, task) in COMMANDS {
            assert_eq!(meant(command), Some(task));
            assert_eq!(meant(&command.replace('_', "-")), Some(task), "{command}");
        }
        let line = "30 4 * * * pm /usr/local/bin/peering-manager -q grab-prefixes";
        assert_eq!(started(line), BTreeSet::from(["get_irr_data"]));
    }

    #[test]
    fn two_schedules_with_other_arguments_are_meant() {
        let polls = |name: &str, limit: &str| {
            Starter::schedule(name, "poll_bgp_sessions", &json!({ "limit": limit }))
        };
        assert_eq!(doubts(&[polls("a", "edge1"), polls("b", "edge2")]).len(), 0);
        assert_eq!(doubts(&[polls("a", "edge1"), polls("b", "edge2"), polls("c", "edge1")]).len(), 1);
    }

    #[test]
    fn our_own_files_are_known_and_links_may_be_relative() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(root, "var/spool/cron/pm", "0 4 * * * /opt/peering-manager get_irr_data\n");
        write(root, "etc/cron.d/x", &format!("0 2 * * * noc /opt/pm -q peeringdb_sync\n{MARK}0\n"));
        let units = "etc/systemd/system";
        write(root, &format!("{units}/peering-manager.service"), "ExecStart=/opt/pm run\n");
        let wants = root.join(units).join("multi-user.target.wants");
        fs::create_dir_all(&wants).unwrap();
        std::os::unix::fs::symlink("../peering-manager.service", wants.join("peering-manager.service"))
            .unwrap();
        let whats: Vec<String> = starters(root).into_iter().map(|one| one.what).collect();
        let all =
            ["the unit peering-manager.service", "the file /etc/cron.d/x", "the file /var/spool/cron/pm"];
        assert_eq!(whats, all);
    }

    #[test]
    fn a_task_of_two_names_is_one() {
        let line = "0 4 * * * pm /x/peering-manager get_irr_data";
        let cron = Starter::host(Way::Cron, "cron".into(), started(line));
        let timer =
            Starter::host(Way::Timers, "a timer".into(), meant("grab_prefixes").into_iter().collect());
        assert_eq!(doubts(&[cron.clone(), timer]).len(), 1);
        assert_eq!(doubts(&[cron]).len(), 0);
    }
}
