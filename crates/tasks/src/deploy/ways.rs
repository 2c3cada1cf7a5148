//! How a router is given its configuration: what its arguments, its platform's and the settings say of that.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use opening_hours::OpeningHours;
use pm_config::Config;
use pm_router::{FileTarget, Git, How};
use serde_json::{Map, Value as Json};

/// How long a step of git may take, a push among them.
const GIT_LIMIT: Duration = Duration::from_mins(2);

/// How a router is given its configuration.
#[derive(Clone, Debug)]
pub struct Ways {
    /// Whether a candidate is merged or replaces everything; `None`: merged where the platform can.
    pub load: Option<How>,
    /// Whether its sessions are looked at after a commit.
    pub watched: bool,
    /// When it may be changed; `None`: at any time.
    pub window: Option<Window>,
    /// The file that takes the router's place.
    pub file: Option<(FileTarget, String)>,
}

/// Times in which a router may be changed, in the form of OpenStreetMap's `opening_hours`, such as `Mo-Fr 01:00-05:00`.
#[derive(Clone, Debug)]
pub struct Window {
    text: String,
    hours: OpeningHours,
    zone: chrono_tz::Tz,
}

impl Window {
    fn parse(text: &str, config: &Config) -> Result<Self, String> {
        let hours: OpeningHours = text.parse().map_err(|error| {
            format!("its argument deploy_window is {text:?}, and that is no time: {error}; write Mo-Fr 01:00-05:00")
        })?;
        let zone = config.time_zone.parse().map_err(|_| {
            format!("the setting time_zone is {:?}, which no time zone is called", config.time_zone)
        })?;
        Ok(Self { text: text.to_owned(), hours, zone })
    }

    /// Whether the router may be changed now.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.hours.is_open(now.with_timezone(&self.zone).naive_local())
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Ways {
    /// Takes what concerns deployments out of a router's arguments.
    ///
    /// # Errors
    /// A sentence: an argument that is not understood.
    pub fn take(options: &mut Map<String, Json>, router: &str, config: &Config) -> Result<Self, String> {
        let taken =
            ["load_mode", "post_check", "deploy_window", "file_target"].map(|name| options.remove(name));
        let [load, watched, window, file] = taken;
        let load = match load.as_ref().map(|value| value.as_str().unwrap_or_default()) {
            None => None,
            Some("merge") => Some(How::Merge),
            Some("replace") => Some(How::Replace),
            Some(_) => return Err("its argument load_mode is neither merge nor replace".to_owned()),
        };
        let watched = match watched {
            None => true,
            Some(Json::Bool(watched)) => watched,
            Some(_) => return Err("its argument post_check is neither true nor false".to_owned()),
        };
        let window = match window {
            None => None,
            Some(Json::String(text)) => Some(Window::parse(&text, config)?),
            Some(_) => {
                return Err("its argument deploy_window is no text, such as Mo-Fr 01:00-05:00".to_owned());
            }
        };
        let file = file.map(|file| file_target(&file, router, config)).transpose()?;
        Ok(Self { load, watched, window, file })
    }
}

fn file_target(file: &Json, router: &str, config: &Config) -> Result<(FileTarget, String), String> {
    let wrong = |what: &str| format!("its argument file_target {what}");
    let Some(fields) = file.as_object() else {
        return Err(wrong("is no object such as {\"directory\": \"/srv/configurations\"}"));
    };
    let known = ["directory", "git", "name", "remote", "branch"];
    if let Some(unknown) = fields.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(wrong(&format!("has {unknown:?}; it takes {}", known.join(", "))));
    }
    let text = |name: &str| match fields.get(name) {
        None => Ok(None),
        Some(Json::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(wrong(&format!("has a {name} that is no text"))),
    };
    let directory = text("directory")?.ok_or_else(|| wrong("names no directory"))?;
    let directory = PathBuf::from(directory);
    let name = text("name")?.unwrap_or_else(|| router.replace(['/', '\\'], "-"));
    let (remote, branch) = (text("remote")?, text("branch")?);
    let target = match fields.get("git") {
        None | Some(Json::Bool(false)) if remote.is_none() && branch.is_none() => {
            FileTarget::directory(directory)
        }
        None | Some(Json::Bool(true)) => {
            let (name, email) = author(&config.git_commit_author);
            let program = PathBuf::from("git");
            FileTarget::git(directory, Git { program, name, email, remote, branch, limit: GIT_LIMIT })
        }
        Some(_) => {
            return Err(wrong("has a git that is neither true nor, with a remote or a branch, left out"));
        }
    };
    Ok((target, name))
}

/// `Name <address>`.
fn author(text: &str) -> (String, String) {
    match text.split_once('<') {
        Some((name, rest)) => (name.trim().to_owned(), rest.trim().trim_end_matches('>').to_owned()),
        None => (text.trim().to_owned(), "no-reply@localhost".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn taken(options: Json) -> Result<Ways, String> {
        let Json::Object(mut options) = options else { return Err("no object".to_owned()) };
        let config = Config { time_zone: "Europe/Lisbon".to_owned(), ..Config::default() };
        let ways = Ways::take(&mut options, "edge1", &config);
        assert_eq!(options.keys().collect::<Vec<_>>(), ["port"], "the others stay, and only they");
        ways
    }

    #[test]
    fn windows_are_in_the_time_zone_of_the_settings() {
        let ways =
            taken(json!({"port": 1, "deploy_window": "Mo-Fr 22:00-02:00", "load_mode": "replace"})).unwrap();
        assert_eq!((ways.load, ways.watched), (Some(How::Replace), true));
        let window = ways.window.unwrap();
        let open = |text: &str| window.is_open(text.parse().unwrap());
        // In July Lisbon is an hour ahead of UTC.
        assert!(open("2026-07-03T21:30:00Z"), "Friday, 22:30");
        assert!(open("2026-07-04T00:30:00Z"), "Saturday, 01:30: the window of Friday");
        assert!(!open("2026-07-04T01:30:00Z"), "Saturday, 02:30");
        assert!(!open("2026-07-04T21:30:00Z"), "Saturday, 22:30");
        assert!(!open("2026-01-02T21:30:00Z"), "Friday, 21:30 in winter");
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for (options, word) in [
            (json!({"port": 1, "load_mode": "both"}), "load_mode"),
            (json!({"port": 1, "post_check": "no"}), "post_check"),
            (json!({"port": 1, "deploy_window": "at night"}), "at night"),
            (json!({"port": 1, "file_target": {"folder": "/x"}}), "folder"),
            (json!({"port": 1, "file_target": {}}), "directory"),
        ] {
            let error = taken(options).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn files_have_the_router_s_name_if_no_other() {
        let ways =
            taken(json!({"port": 1, "post_check": false, "file_target": {"directory": "/srv"}})).unwrap();
        assert!(!ways.watched);
        assert_eq!(ways.file.unwrap().1, "edge1");
        let git =
            json!({"port": 1, "file_target": {"directory": "/srv", "name": "a/b.conf", "remote": "origin"}});
        assert_eq!(taken(git).unwrap().file.unwrap().1, "a/b.conf");
        assert_eq!(author("A B <a@b>"), ("A B".to_owned(), "a@b".to_owned()));
    }
}
