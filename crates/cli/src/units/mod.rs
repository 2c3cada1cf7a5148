//! The files by which the host's own services start this program: systemd's units, cron's files, stand-ins for the
//! original's `manage.py`. They lie in `contrib/`, and in the binary; here is what they become on a host (this file), how they
//! are put there without losing what a person wrote (`placing.rs`), and who starts what already (`starters.rs`).

pub(crate) mod placing;
pub(crate) mod starters;

use std::path::{Path, PathBuf};

use placing::Placed;

/// Where the shipped texts think that the program is.
const BINARY: &str = "/usr/local/bin/peering-manager";
/// As whom they run it.
const USER: &str = "peering-manager";
/// The settings file that is found without being named.
const SETTINGS: &str = "/etc/peering-manager/config.toml";

/// Who starts tasks at their time. Never two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The schedules of `peering-manager run`.
    Scheduler,
    /// systemd's timers.
    Timers,
    /// Cron.
    Cron,
}

/// The tasks that have a timer, with the names of the units.
pub(crate) const TIMERS: [(&str, &str); 5] = [
    ("peering-manager_housekeeping", "housekeeping"),
    ("peering-manager_peeringdb-sync", "peeringdb_sync"),
    ("peering-manager_prefix-fetch", "grab_prefixes"),
    ("peering-manager_session-poll", "poll_bgp_sessions"),
    ("peering-manager_configuration-deployment", "configure_routers"),
];

/// A text that ships with the program, and where it goes.
struct Shipped {
    path: &'static str,
    text: &'static str,
}

macro_rules! shipped {
    ($($path:literal from $file:literal),* $(,)?) => {
        &[$(Shipped { path: $path, text: include_str!(concat!("../../../../contrib/", $file)) }),*]
    };
}

const SCHEDULER_UNITS: &[Shipped] = shipped![
    "etc/systemd/system/peering-manager.service" from "systemd/peering-manager.service",
    "etc/systemd/system/peering-manager-worker@.service" from "systemd/peering-manager-worker@.service",
];

const TIMER_UNITS: &[Shipped] = shipped![
    "etc/systemd/system/peering-manager_housekeeping.service" from "systemd/peering-manager_housekeeping.service",
    "etc/systemd/system/peering-manager_housekeeping.timer" from "systemd/peering-manager_housekeeping.timer",
    "etc/systemd/system/peering-manager_peeringdb-sync.service" from "systemd/peering-manager_peeringdb-sync.service",
    "etc/systemd/system/peering-manager_peeringdb-sync.timer" from "systemd/peering-manager_peeringdb-sync.timer",
    "etc/systemd/system/peering-manager_prefix-fetch.service" from "systemd/peering-manager_prefix-fetch.service",
    "etc/systemd/system/peering-manager_prefix-fetch.timer" from "systemd/peering-manager_prefix-fetch.timer",
    "etc/systemd/system/peering-manager_session-poll.service" from "systemd/peering-manager_session-poll.service",
    "etc/systemd/system/peering-manager_session-poll.timer" from "systemd/peering-manager_session-poll.timer",
    "etc/systemd/system/peering-manager_configuration-deployment.service"
        from "systemd/peering-manager_configuration-deployment.service",
    "etc/systemd/system/peering-manager_configuration-deployment.timer"
        from "systemd/peering-manager_configuration-deployment.timer",
    "etc/systemd/system/peering-manager-worker@.service" from "systemd/peering-manager-worker@.service",
];

const CRON_FILES: &[Shipped] = shipped!["etc/cron.d/peering-manager" from "cron/peering-manager"];

const MANAGE_PY: &str = include_str!("../../../../contrib/shims/manage.py");
const PYTHON: &str = include_str!("../../../../contrib/shims/python3");

/// What a host is like.
#[derive(Debug)]
pub(crate) struct Host {
    /// The program, as it will be started.
    pub(crate) binary: String,
    /// The settings file, if it has to be named.
    pub(crate) settings: Option<String>,
    /// As whom it runs; the group has the same name.
    pub(crate) user: String,
}

impl Host {
    /// Checks that everything can stand in a unit file, a cron line and a script as it is.
    ///
    /// # Errors
    /// A sentence that names what cannot.
    pub(crate) fn new(binary: &Path, settings: Option<&Path>, user: &str) -> Result<Self, String> {
        let binary = plain(binary)?;
        let settings = settings.map(plain).transpose()?.filter(|path| path != SETTINGS);
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
        if user.is_empty() || user.starts_with('-') || !user.chars().all(is_name) {
            return Err(format!("{user:?} is not the name of a user"));
        }
        Ok(Self { binary, settings, user: user.to_owned() })
    }

    /// The files of a way to start tasks, below the root.
    pub(crate) fn files(&self, way: Way) -> Vec<Placed> {
        let shipped = match way {
            Way::Scheduler => SCHEDULER_UNITS,
            Way::Timers => TIMER_UNITS,
            Way::Cron => CRON_FILES,
        };
        let text = |text| if way == Way::Cron { self.cron(text) } else { self.unit(text) };
        shipped.iter().map(|one| Placed::new(one.path.into(), &text(one.text), one.text, 0o644)).collect()
    }

    /// A `manage.py` in this directory, and what stands in for a Python that is not there.
    pub(crate) fn shims(&self, directory: &Path, has_python: impl Fn(&Path) -> bool) -> Vec<Placed> {
        let settings = self.settings.as_deref();
        let python =
            settings.map(|path| format!("os.environ.setdefault(\"PEERING_MANAGER_CONFIG\", \"{path}\")\n"));
        let manage = MANAGE_PY
            .replace("\nos.execv", &format!("\n{}os.execv", python.unwrap_or_default()))
            .replace(BINARY, &self.binary);
        let shell = settings.map(|path| {
            format!(": \"${{PEERING_MANAGER_CONFIG:={path}}}\"\n    export PEERING_MANAGER_CONFIG\n    exec")
        });
        let stand_in =
            PYTHON.replace("exec", shell.as_deref().unwrap_or("exec")).replace(BINARY, &self.binary);
        let mut shims = vec![Placed::new(directory.join("manage.py"), &manage, MANAGE_PY, 0o755)];
        for name in ["python3", "python"] {
            let path = directory.join("venv/bin").join(name);
            if !has_python(&path) {
                shims.push(Placed::new(path, &stand_in, PYTHON, 0o755).instead_of_links());
            }
        }
        shims
    }

    fn unit(&self, text: &str) -> String {
        let settings = self.settings.as_ref();
        let environment =
            settings.map(|path| format!("\nEnvironment=PEERING_MANAGER_CONFIG={path}\nExecStart="));
        text.replace("\nExecStart=", environment.as_deref().unwrap_or("\nExecStart="))
            .replace(BINARY, &self.binary)
            .replace(&format!("\nUser={USER}\n"), &format!("\nUser={}\n", self.user))
            .replace(&format!("\nGroup={USER}\n"), &format!("\nGroup={}\n", self.user))
    }

    fn cron(&self, text: &str) -> String {
        let settings = self.settings.as_ref();
        let environment = settings.map(|path| format!("MAILTO=root\nPEERING_MANAGER_CONFIG={path}\n"));
        text.replace("MAILTO=root\n", environment.as_deref().unwrap_or("MAILTO=root\n"))
            .replace(&format!(" {USER} {BINARY} "), &format!(" {} {} ", self.user, self.binary))
    }
}

/// The path as text that needs no quotes anywhere.
fn plain(path: &Path) -> Result<String, String> {
    let text = path.to_str().filter(|text| {
        text.starts_with('/')
            && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-+@:,".contains(letter))
    });
    text.map(str::to_owned).ok_or_else(|| {
        format!(
            "{} cannot stand in unit files as it is: use an absolute path of plain characters",
            path.display()
        )
    })
}

/// A path below another root.
pub(crate) fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// What a link below another root leads to in the end, if that is there; a file that is no link leads to itself.
pub(crate) fn led_to(root: &Path, path: &Path) -> Option<PathBuf> {
    let mut place = below(root, path);
    // As many links as Linux follows.
    for _ in 0..40 {
        match std::fs::read_link(&place) {
            Ok(target) if target.is_absolute() => place = below(root, &target),
            Ok(target) => place = place.parent().unwrap_or(root).join(target),
            Err(_) => return place.exists().then_some(place),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_become_those_of_the_host() {
        let host =
            Host::new("/opt/pm/bin/pm".as_ref(), Some("/srv/pm.toml".as_ref()), "noc").expect("a host");
        for way in [Way::Scheduler, Way::Timers, Way::Cron] {
            for file in host.files(way) {
                let text = file.text();
                assert!(!text.contains(BINARY), "{}", file.path.display());
                if text.contains("/opt/pm/bin/pm") {
                    assert!(text.contains("PEERING_MANAGER_CONFIG=/srv/pm.toml\n"), "{text}");
                    assert!(
                        text.contains("User=noc\nGroup=noc\n") || text.contains(" noc /opt/pm/bin/pm -q ")
                    );
                }
            }
        }
        let shims = host.shims("/opt/old".as_ref(), |path| path.ends_with("python"));
        let paths: Vec<_> = shims.iter().map(|shim| shim.path.to_str().unwrap_or_default()).collect();
        assert_eq!(paths, ["/opt/old/manage.py", "/opt/old/venv/bin/python3"]);
        for shim in &shims {
            assert!(shim.text().contains("/srv/pm.toml") && !shim.text().contains(BINARY), "{}", shim.text());
        }
    }

    #[test]
    fn where_the_texts_think_they_are_nothing_is_changed() {
        let host = Host::new(BINARY.as_ref(), Some(SETTINGS.as_ref()), USER).expect("a host");
        for (file, shipped) in host.files(Way::Timers).iter().zip(TIMER_UNITS) {
            assert!(file.text().starts_with(shipped.text), "{}", file.path.display());
        }
    }

    #[test]
    fn what_cannot_stand_there_is_refused() {
        for (binary, user) in [
            ("/a b/pm", "pm"),
            ("bin/pm", "pm"),
            ("/x/%n", "pm"),
            ("/x/$(id)", "pm"),
            ("/x", "a\nb"),
            ("/x", ""),
        ] {
            assert!(Host::new(binary.as_ref(), None, user).is_err(), "{binary:?} {user:?}");
        }
    }
}
