//! Which questions a run asks PeeringDB, from what the last one left behind.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use pm_config::Config;
use pm_peeringdb::Namespace;
use pm_store::peeringdb::runs::Watermark;

/// What PeeringDB shows us: contacts that are for users only, and URLs of member lists, need a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Anonymous,
    Keyed,
}

impl Access {
    pub(crate) fn of(config: &Config) -> Self {
        let basic = config.peeringdb_username.is_some() && config.peeringdb_password.is_some();
        if config.peeringdb_api_key.is_some() || basic { Self::Keyed } else { Self::Anonymous }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Keyed => "keyed",
        }
    }
}

/// A nightly run does not begin at the same second every night.
const SLACK: TimeDelta = TimeDelta::hours(1);
/// Namespaces that show more with a key than without.
const DEPENDS_ON_ACCESS: [Namespace; 2] = [Namespace::Poc, Namespace::Ixlan];

/// The questions about one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Questions {
    pub(crate) namespace: Namespace,
    /// Epoch seconds from which changes are asked for.
    pub(crate) changes_since: Option<i64>,
    /// Whether everything is asked for, to be compared.
    pub(crate) snapshot: bool,
    /// Whether the snapshot may come from the published dump.
    pub(crate) dump: bool,
    /// Whether more may go than a guard allows, because we see with other eyes than last time.
    pub(crate) access_changed: bool,
}

/// Changes since the last run where there was one; everything where there was none, where it is due, or where
/// `full` asks for it.
pub(crate) fn plan(
    config: &Config,
    watermarks: &BTreeMap<String, Watermark>,
    full: bool,
    now: DateTime<Utc>,
) -> Vec<Questions> {
    let access = Access::of(config);
    let days = i64::from(config.peeringdb_full_compare_days);
    Namespace::ALL
        .into_iter()
        .map(|namespace| match watermarks.get(namespace.as_str()) {
            None => Questions {
                namespace,
                changes_since: None,
                snapshot: true,
                dump: access == Access::Anonymous && has_dumps(config),
                access_changed: false,
            },
            Some(mark) => {
                let due = days > 0
                    && mark.compared.is_none_or(|compared| now - compared >= TimeDelta::days(days) - SLACK);
                let access_changed = DEPENDS_ON_ACCESS.contains(&namespace) && mark.access != access.as_str();
                Questions {
                    namespace,
                    changes_since: Some(mark.since),
                    snapshot: full || due || access_changed,
                    dump: false,
                    access_changed,
                }
            }
        })
        .collect()
}

/// Whether the published dumps belong to the API that is asked: they are PeeringDB's own, so a mirror goes without
/// them unless dumps of its own are named.
fn has_dumps(config: &Config) -> bool {
    let defaults = Config::default();
    config.peeringdb_cache_url.is_some()
        && (config.peeringdb_cache_url != defaults.peeringdb_cache_url
            || config.peeringdb_api == defaults.peeringdb_api)
}

/// What the answers about one namespace allow the next run to skip.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The oldest answer's own time.
    pub(crate) generated: DateTime<Utc>,
    /// The newest change among the records that were sent; `None` when none was sent.
    pub(crate) newest: Option<DateTime<Utc>>,
    /// The change times of records that could not be stored, as far as these could be read.
    pub(crate) unusable: Vec<Option<DateTime<Utc>>>,
}

impl Seen {
    /// Two answers about the same namespace.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.generated = self.generated.min(other.generated);
        self.newest = self.newest.max(other.newest);
        self.unusable.extend(other.unusable);
        self
    }
}

/// From where the next run asks for changes, in epoch seconds. `None` when nothing can be said, so the next run asks
/// for everything.
///
/// The oldest answer's own time less the overlap; never past a record that could not be stored; and never past the
/// newest record that was sent, so that one more of the same second, or one whose transaction took its time, is not
/// missed. One second is taken off where it must come again, because the API tells only what is newer than the second
/// it is asked for.
pub(crate) fn next_since(config: &Config, seen: &Seen, before: Option<i64>) -> Option<i64> {
    let mut since = seen.generated.timestamp() - i64::from(config.peeringdb_overlap);
    match (seen.newest, before) {
        (Some(newest), _) => since = since.min(newest.timestamp() - 1),
        (None, Some(before)) => since = since.min(before),
        (None, None) => {}
    }
    for updated in &seen.unusable {
        match (updated, before) {
            (Some(updated), _) => since = since.min(updated.timestamp() - 1),
            (None, Some(before)) => since = since.min(before),
            (None, None) => return None,
        }
    }
    Some(since.max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn marks(access: &str, compared: i64) -> BTreeMap<String, Watermark> {
        Namespace::ALL
            .iter()
            .map(|namespace| {
                let mark = Watermark {
                    namespace: namespace.to_string(),
                    since: 1000,
                    access: access.to_owned(),
                    synchronised: at(1300),
                    compared: Some(at(compared)),
                };
                (namespace.to_string(), mark)
            })
            .collect()
    }

    #[test]
    fn an_empty_cache_asks_for_everything() {
        let config = Config::default();
        let questions = plan(&config, &BTreeMap::new(), false, at(2000));
        assert!(
            questions
                .iter()
                .all(|question| question.snapshot && question.changes_since.is_none() && question.dump)
        );
    }

    fn config_with(settings: &[(&str, &str)]) -> Config {
        let environment = settings
            .iter()
            .map(|(key, value)| (format!("PEERING_MANAGER_{key}"), (*value).to_owned()))
            .collect();
        let nowhere = std::path::PathBuf::from("/nonexistent");
        let sources = pm_config::Sources {
            file: None,
            environment,
            directory: nowhere.clone(),
            system_file: nowhere.join("config.toml"),
            state_directory: nowhere,
        };
        pm_config::load(&sources).unwrap().config
    }

    #[test]
    fn a_mirror_has_no_dumps_but_its_own() {
        assert!(has_dumps(&config_with(&[])));
        assert!(!has_dumps(&Config { peeringdb_cache_url: None, ..Config::default() }));
        let mirror = ("PEERINGDB_API", "https://mirror.example/api");
        assert!(!has_dumps(&config_with(&[mirror])));
        assert!(has_dumps(&config_with(&[mirror, ("PEERINGDB_CACHE_URL", "https://mirror.example/dumps")])));
    }

    #[test]
    fn later_runs_ask_for_changes_and_compare_when_due() {
        let config = Config::default();
        let soon = plan(&config, &marks("anonymous", 1300), false, at(2000));
        assert!(soon.iter().all(|question| !question.snapshot && question.changes_since == Some(1000)));
        let week = plan(&config, &marks("anonymous", 1300), false, at(1300 + 7 * 86_400));
        assert!(week.iter().all(|question| question.snapshot && question.changes_since == Some(1000)));
    }

    #[test]
    fn other_eyes_look_again_where_it_matters() {
        let config = Config::default();
        let questions = plan(&config, &marks("keyed", 1300), false, at(2000));
        let again: Vec<Namespace> = questions
            .iter()
            .filter(|question| question.snapshot)
            .map(|question| question.namespace)
            .collect();
        assert_eq!(again, [Namespace::Ixlan, Namespace::Poc]);
    }

    #[test]
    fn watermark_stays_behind_what_may_come_again() {
        let config = Config::default();
        let seen = |newest: Option<i64>, unusable: &[Option<i64>]| Seen {
            generated: at(10_000),
            newest: newest.map(at),
            unusable: unusable.iter().map(|time| time.map(at)).collect(),
        };
        assert_eq!(next_since(&config, &seen(Some(9_990), &[]), None), Some(9_700), "the overlap");
        assert_eq!(next_since(&config, &seen(Some(5_000), &[]), None), Some(4_999), "the newest record");
        assert_eq!(next_since(&config, &seen(None, &[]), Some(4_999)), Some(4_999), "nothing was sent");
        assert_eq!(next_since(&config, &seen(Some(9_990), &[Some(3_000)]), None), Some(2_999));
        assert_eq!(next_since(&config, &seen(Some(9_990), &[None]), Some(800)), Some(800));
        assert_eq!(next_since(&config, &seen(Some(9_990), &[None]), None), None);
    }
}
