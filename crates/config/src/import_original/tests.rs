use super::*;
use crate::fixture::Fixture;
use crate::{Config, HttpUrl, Loaded};

/// Where the original looks for its own releases.
const ORIGINAL: &str = "https://api.github.com/repos/peering-manager/peering-manager/releases";

/// What every converted file says, whatever it was converted from.
const ALWAYS: [&str; 3] = ["template_undefined", "prefix_list_missing", "max_prefix_rule"];

/// Converts and loads the result, which must always work: what came of a source, and what was read from it but [`ALWAYS`].
fn imported(source: &str) -> (Converted, Loaded) {
    let converted = convert(source).unwrap();
    let loaded = Fixture::new().file(&converted.toml).load();
    let mut loaded = loaded.unwrap_or_else(|error| panic!("{error}\n{}", converted.toml));
    for name in ALWAYS {
        assert!(loaded.origins.remove(name).is_some(), "{name}");
    }
    (converted, loaded)
}

/// What is in the converted file but [`ALWAYS`].
fn toml_of(source: &str) -> toml::Table {
    let mut table: toml::Table = toml::from_str(&imported(source).0.toml).unwrap();
    table.retain(|name, _| !ALWAYS.contains(&name));
    table
}

#[test]
fn templates_of_the_original_are_taken_as_they_are() {
    let (converted, _) = imported("");
    let config = Fixture::new().file(&converted.toml).load().unwrap().config;
    assert_eq!(config.template_undefined.as_str(), "lenient");
    assert_eq!(config.prefix_list_missing.as_str(), "empty");
    assert_eq!(config.max_prefix_rule.as_str(), "plain");
}

#[test]
fn a_working_installation_is_carried_over() {
    let (converted, loaded) = imported(include_str!("../../testdata/configuration.py"));
    assert_eq!(converted.toml, include_str!("../../testdata/configuration.toml"));
    assert_eq!(converted.notes.join("\n"), include_str!("../../testdata/configuration.notes.txt").trim_end());
    let Config { changelog_retention, login_timeout, .. } = loaded.config;
    assert_eq!((changelog_retention, login_timeout), (180, 60 * 60 * 24));
}

#[test]
fn the_python_of_settings_files_is_understood() {
    let table = toml_of(concat!(
        "_name = 'pm'\n",
        "BANNER_LOGIN = 'one ' \"two \" + '''three'''\n",
        "BGPQ3_PATH = r'C:\\bgpq4'\n",
        "GIT_COMMIT_MESSAGE = f'plain {{}}'\n",
        "SESSION_COOKIE_NAME = _name + '-session'\n",
        "RQ_DEFAULT_TIMEOUT = 60 * (5 + 55) // 1\n",
        "CHANGELOG_RETENTION: int = 0x1F\n",
        "JOB_RETENTION = NAPALM_TIMEOUT = 7_0\n",
        "NETBOX_TAGS = {'a', 'b'}\n",
        "NETBOX_DEVICE_ROLES = ('router',)  # comment\n",
        "ALLOWED_HOSTS = [\n    'a',  # first\n    'b',\n]\n",
        "ALLOWED_HOSTS += ['c']\n",
        "DEFAULT_USER_PREFERENCES = dict(pagination={'per_page': 50})\n",
        "DEFAULT_USER_PREFERENCES['context'] = {'as': 1}\n",
        "LOGIN_REQUIRED = True\n",
    ));
    let expected: toml::Table = toml::from_str(
        r#"
        banner_login = "one two three"
        bgpq3_path = 'C:\bgpq4'
        git_commit_message = "plain {}"
        session_cookie_name = "pm-session"
        job_timeout = 3600
        changelog_retention = 31
        job_retention = 70
        napalm_timeout = 70
        netbox_tags = ["a", "b"]
        netbox_device_roles = ["router"]
        allowed_hosts = ["a", "b", "c"]
        default_user_preferences = { pagination = { per_page = 50 }, context = { as = 1 } }
        login_required = true
        "#,
    )
    .unwrap();
    assert_eq!(table, expected);
}

#[test]
fn what_only_a_run_could_tell_ends_as_a_comment_and_a_note() {
    for (source, comment, note) in [
        (
            "SECRET_KEY = os.environ['PM_SECRET']",
            "# secret_key = \"\"",
            "line 1: SECRET_KEY was read from the environment variable PM_SECRET: \
             set it by hand, as `secret_key` or `secret_key_file` in the file or as PEERING_MANAGER_SECRET_KEY",
        ),
        (
            "PAGINATE_COUNT = int(os.environ.get('PAGINATE_COUNT', 50))",
            "# paginate_count = 0",
            "PAGINATE_COUNT could not be evaluated (a call of `int` that uses the environment variable PAGINATE_COUNT)",
        ),
        (
            "TIME_ZONE = environ.get('TZ', 'Europe/Paris')",
            "# time_zone = \"Europe/Paris\"",
            "TIME_ZONE was read from the environment variable TZ",
        ),
        (
            "PEERINGDB_API_KEY = _read_secret('peeringdb_api_key', environ.get('PDB_KEY', 'canary'))",
            "# peeringdb_api_key = \"\"",
            "(a call of `_read_secret` that uses the environment variable PDB_KEY): set it by hand",
        ),
        (
            "NAPALM_PASSWORD = vault.read('canary')",
            "# napalm_password = \"\"",
            "NAPALM_PASSWORD could not be evaluated (a call of `vault.read`): set it by hand",
        ),
        (
            "SECRET_KEY = open('/run/canary').read()",
            "# secret_key = \"\"",
            "SECRET_KEY could not be evaluated (a call): set it by hand",
        ),
        (
            "BANNER_LOGIN = f'hello {name}'",
            "# banner_login = \"\"",
            "could not be evaluated (a formatted string)",
        ),
        ("SECRET_KEY = b'canary'", "# secret_key = \"\"", "could not be evaluated (a bytes literal)"),
        ("DEBUGGERS = [canary()]", "", "DEBUGGERS is left out: it is no setting"),
        (
            "key = os.getenv('A')\nHTTP_PROXIES = {'https': 'http://' + key}",
            "# http_proxies = { https = \"\" }",
            "line 2: HTTP_PROXIES could not be evaluated (an expression that uses the environment variable A)",
        ),
    ] {
        let (converted, loaded) = imported(source);
        assert!(loaded.origins.is_empty(), "{source}");
        assert!(
            comment.is_empty() || converted.toml.lines().any(|l| l == comment),
            "{source}\n{}",
            converted.toml
        );
        assert!(converted.notes.iter().any(|n| n.contains(note)), "{source}\n{:?}", converted.notes);
        assert!(!converted.notes.join("\n").contains("canary"), "{:?}", converted.notes);
    }
}

#[test]
fn settings_out_of_the_plain_flow_are_named() {
    for (source, note) in [
        ("from .local import *", "line 1: every name of .local is imported"),
        ("from local import SECRET_KEY, helper", "line 1: SECRET_KEY is imported from local"),
        ("if True:\n    LOGIN_REQUIRED = True", "line 2: LOGIN_REQUIRED is set in a statement"),
        ("try:\n    from x import y\nexcept E:\n    TIME_ZONE = 'UTC'", "line 4: TIME_ZONE is set"),
        ("LOGIN_REQUIRED, DEBUG = True, False", "line 1: LOGIN_REQUIRED is set"),
        (
            "ALLOWED_HOSTS = ['a']\nALLOWED_HOSTS.append('b')",
            "ALLOWED_HOSTS could not be evaluated (a call that changes it)",
        ),
        (
            "EMAIL = {'CC_CONTACTS': []}\nEMAIL['CC_CONTACTS'].append('a')",
            "line 2: EMAIL could not be evaluated",
        ),
        ("h = ['a']\nh.append('b')\nALLOWED_HOSTS = h", "line 2: ALLOWED_HOSTS could not be evaluated"),
        ("z = 'UTC'\nif x:\n    z = 'CET'\nTIME_ZONE = z", "TIME_ZONE could not be evaluated (the name `z`"),
        ("try:\n    from local import *\nexcept ImportError:\n    pass", "line 2: every name of local is"),
        ("globals().update(settings)", "line 1: this call may change any setting"),
        ("if x:\n    EMAIL['SERVER'] = 'a'", "line 2: EMAIL is set"),
        ("# PAGINATE_COUNT = 50", "left out, since commented out: PAGINATE_COUNT"),
        ("def f():\n    helper = 1", ""),
    ] {
        let (converted, _) = imported(source);
        let found = converted.notes.iter().any(|n| n.contains(note));
        assert_eq!(found, !note.is_empty(), "{source}\n{:?}", converted.notes);
    }
}

#[test]
fn none_is_left_out_and_named_where_it_means_something_else() {
    let (converted, _) = imported(concat!(
        "RELEASE_CHECK_URL = None\nHTTP_PROXIES = None\nLOGIN_TIMEOUT = None\nMAX_PAGE_SIZE = None\n",
        "SECURE_PROXY_SSL_HEADER = None\nBGPQ3_HOST = None\n",
    ));
    assert_eq!(converted.notes.len(), 1, "{:?}", converted.notes);
    assert!(converted.notes[0].contains("BGPQ3_HOST = None is left out: `bgpq3_host` is \"rr.ntt.net\""));
    let mut table: toml::Table = toml::from_str(&converted.toml).unwrap();
    table.retain(|name, _| !ALWAYS.contains(&name));
    assert_eq!(table.keys().collect::<Vec<_>>(), ["max_page_size", "secure_proxy_ssl_header"]);
}

/// The original's own list says nothing about this program; a list of one's own is meant for whoever reads it.
#[test]
fn a_list_of_releases_is_carried_over_unless_it_is_the_originals() {
    let own = "https://releases.example.net/peering-manager";
    let (converted, loaded) = imported(&format!("RELEASE_CHECK_URL = '{own}'"));
    assert_eq!(loaded.config.release_check_url.as_ref().map(HttpUrl::as_str), Some(own));
    assert_eq!(converted.notes, [""; 0]);
    for ending in ["", "/"] {
        let (converted, loaded) = imported(&format!("RELEASE_CHECK_URL = '{ORIGINAL}{ending}'"));
        assert!(loaded.config.release_check_url.is_none());
        assert!(
            converted.notes[0].contains("it lists the releases of another program"),
            "{:?}",
            converted.notes
        );
    }
}

#[test]
fn the_database_becomes_a_url() {
    for (entries, url) in [
        (
            "'NAME': 'pm', 'USER': 'u', 'PASSWORD': 'p@s:s/', 'HOST': 'db', 'PORT': 5433",
            "postgres://u:p%40s%3As%2F@db:5433/pm",
        ),
        ("'NAME': 'pm', 'USER': 'u', 'HOST': '::1', 'PORT': ''", "postgres://u@[::1]/pm"),
        ("'NAME': 'pm', 'USER': 'u', 'HOST': ''", "postgres://u@localhost/pm?host=%2Fvar%2Frun%2Fpostgresql"),
        ("'NAME': 'pm', 'HOST': 'db', 'OPTIONS': {'sslmode': 'require'}", "postgres://db/pm?sslmode=require"),
    ] {
        let (converted, loaded) = imported(&format!("DATABASE = {{{entries}}}"));
        assert!(converted.toml.contains(&format!("\ndatabase_url = \"{url}\"\n")), "{}", converted.toml);
        assert!(crate::check(&loaded).iter().all(|finding| finding.level != crate::Level::Error));
    }
    let (converted, _) = imported("DATABASE = {'NAME': 'pm', 'HOST': 'db', 'PASSWORD': os.environ['PW']}");
    assert!(converted.toml.contains("\n# database_url = \"postgres://db/pm\"\n"), "{}", converted.toml);
    assert!(converted.notes[0].contains("DATABASE.PASSWORD was read from the environment variable PW"));
}

#[test]
fn values_that_no_key_takes_are_named() {
    let (converted, loaded) =
        imported("PAGINATE_COUNT = 'many'\nEMAIL = {'PORT': '587', 'COLOUR': 1, 'port': 25}\n");
    assert_eq!(loaded.config.email_port, 587);
    assert_eq!(converted.notes.len(), 3, "{:?}", converted.notes);
    assert!(converted.notes[0].contains("PAGINATE_COUNT is left out: it is not a whole number"));
    assert!(converted.notes[1].contains("EMAIL.COLOUR is left out"));
    assert!(converted.notes[2].contains("EMAIL.port is left out"));
}

#[test]
fn what_is_no_python_is_refused_by_line() {
    let error = convert("A = 1\nB = (\n").unwrap_err();
    assert!(matches!(error, ImportError::Syntax { line: 2 | 3 }), "{error}");
}

#[test]
fn a_name_cannot_smuggle_in_a_setting() {
    let (_, loaded) = imported(concat!(
        "TIME_ZONE = os.environ['A\\nlogin_required = true']\n",
        "BANNER_LOGIN = os.getenv('A', 'one\\nlogin_required = true')\n",
        "DATABASE = {'A\\nlogin_required = true': os.environ['B']}\n",
    ));
    assert!(loaded.origins.is_empty(), "{:?}", loaded.origins);
}

#[test]
fn hostile_nesting_is_given_up_on() {
    let (converted, _) = imported(&format!("NETBOX_TAGS = {}{}", "[".repeat(5_000), "]".repeat(5_000)));
    assert!(converted.notes[0].contains("deeply nested"), "{:?}", converted.notes);
}
