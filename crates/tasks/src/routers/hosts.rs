//! `--limit`: which routers somebody names.

use std::collections::HashMap;

/// What somebody can name.
pub trait Host {
    /// Its number in this database.
    fn number(&self) -> i64;
    /// Its name.
    fn name(&self) -> &str;
    /// The name or address under which it is reached.
    fn hostname(&self) -> &str;
}

/// Those of `all` that `limit` names, in the order of `all`; all of them without a limit. Names and hostnames are
/// separated by commas; blanks around them and the case of letters do not matter. `#7` is the router with the number 7.
///
/// # Errors
/// A sentence that lists the names of which there is no router.
pub fn limited<T: Host>(all: Vec<T>, limit: Option<&str>) -> Result<Vec<T>, String> {
    let Some(limit) = limit else { return Ok(all) };
    let wanted: Vec<String> =
        limit.split(',').map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty()).collect();
    if wanted.is_empty() {
        return Err("--limit names no router".to_owned());
    }
    let is = |host: &T, name: &str| {
        host.name().to_lowercase() == name
            || host.hostname().to_lowercase() == name
            || name.strip_prefix('#').is_some_and(|number| number == host.number().to_string())
    };
    let unknown: Vec<&str> =
        wanted.iter().filter(|name| !all.iter().any(|host| is(host, name))).map(String::as_str).collect();
    if !unknown.is_empty() {
        let known: Vec<&str> = all.iter().map(Host::name).take(10).collect();
        let more = if all.len() > known.len() { ", …" } else { "" };
        return Err(format!(
            "no router is called {}; there are {}{more}",
            unknown.join(", "),
            if known.is_empty() { "none".to_owned() } else { known.join(", ") }
        ));
    }
    Ok(all.into_iter().filter(|host| wanted.iter().any(|name| is(host, name))).collect())
}

/// For each of `all` a limit that names it and no other: its name, or its number where the name means another one as well.
pub(crate) fn words<T: Host>(all: &[T]) -> HashMap<i64, String> {
    let mut meant: HashMap<String, usize> = HashMap::new();
    for host in all {
        let (name, hostname) = (host.name().to_lowercase(), host.hostname().to_lowercase());
        if name != hostname {
            *meant.entry(hostname).or_default() += 1;
        }
        *meant.entry(name).or_default() += 1;
    }
    let is_plain = |name: &str| {
        meant.get(&name.to_lowercase()) == Some(&1)
            && name.trim() == name
            && !name.contains(',')
            && !name.starts_with('#')
    };
    let word = |host: &T| match host.name() {
        name if is_plain(name) => name.to_owned(),
        _ => format!("#{}", host.number()),
    };
    all.iter().map(|host| (host.number(), word(host))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Host for (&str, &str) {
        fn number(&self) -> i64 {
            i64::try_from(self.0.len()).unwrap()
        }
        fn name(&self) -> &str {
            self.0
        }
        fn hostname(&self) -> &str {
            self.1
        }
    }

    const ALL: [(&str, &str); 3] =
        [("edge1", "edge1.example.net"), ("Edge2", "192.0.2.2"), ("core", "core.example.net")];

    #[test]
    fn names_and_hostnames_are_found_whatever_their_case() {
        let found = |limit: &str| limited(ALL.to_vec(), Some(limit)).unwrap();
        assert_eq!(found(" CORE.example.net ,edge1,, "), [ALL[0], ALL[2]]);
        assert_eq!(found("EDGE2"), [ALL[1]]);
        assert_eq!(found("192.0.2.2,edge2"), [ALL[1]]);
        assert_eq!(limited(ALL.to_vec(), None).unwrap(), ALL);
    }

    #[test]
    fn a_word_for_each_means_no_other() {
        let all = [("a", "192.0.2.1"), ("bb", "A"), ("ccc", "192.0.2.3"), ("dd,d", "192.0.2.4")];
        let words = words(&all);
        assert_eq!((&*words[&1], &*words[&2], &*words[&3], &*words[&4]), ("#1", "bb", "ccc", "#4"));
        for host in all {
            assert_eq!(limited(all.to_vec(), Some(&words[&host.number()])).unwrap(), [host]);
        }
    }

    #[test]
    fn unknown_names_are_refused() {
        let error = limited(ALL.to_vec(), Some("edge1,edge3,edge")).unwrap_err();
        assert_eq!(error, "no router is called edge3, edge; there are edge1, Edge2, core");
        assert!(limited(ALL.to_vec(), Some(" , ")).is_err());
    }
}
