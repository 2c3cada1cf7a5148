use secrecy::ExposeSecret;
use toml::Value;

use super::*;
use crate::fixture::Fixture;
use crate::key::Class;
use crate::keys::IGNORED;
use crate::value::Kind;

#[test]
fn without_file_and_environment_there_are_the_defaults() {
    let loaded = Fixture::new().loaded();
    assert_eq!(loaded.file, None);
    assert_eq!(loaded.warnings, Vec::<String>::new());
    assert!(loaded.origins.is_empty());
    assert_eq!(loaded.config.changelog_retention, 90);
    assert_eq!(loaded.config.peeringdb_api.as_str(), "https://www.peeringdb.com/api");
    assert!(loaded.config.release_check_url.is_none());
}

#[test]
fn the_database_is_in_the_state_directory_where_there_is_one() {
    let fixture = Fixture::new();
    assert_eq!(fixture.loaded().config.database_url.expose_secret(), "sqlite://./peering-manager.db");
    std::fs::create_dir(&fixture.sources.state_directory).unwrap();
    let expected = format!("sqlite://{}/peering-manager.db", fixture.sources.state_directory.display());
    assert_eq!(fixture.loaded().config.database_url.expose_secret(), expected);
}

#[test]
fn the_first_file_is_read_and_a_named_one_must_exist() {
    let mut fixture = Fixture::new().file("job_retention = 1");
    assert_eq!(fixture.loaded().config.job_retention, 1);
    fixture.write("etc/config.toml", "job_retention = 2");
    assert_eq!(fixture.loaded().config.job_retention, 2);
    fixture = fixture.set("PEERING_MANAGER_CONFIG", "three.toml");
    let problem = fixture.problem();
    assert!(problem.contains("three.toml named by PEERING_MANAGER_CONFIG does not exist"), "{problem}");
    fixture.write("three.toml", "job_retention = 3");
    assert_eq!(fixture.loaded().config.job_retention, 3);
    fixture.sources.file = Some(fixture.write("four.toml", "job_retention = 4"));
    assert_eq!(fixture.loaded().config.job_retention, 4);
    fixture.sources.file = Some("five.toml".into());
    assert!(fixture.problem().contains("named by --config"));
}

#[test]
fn later_sources_win_and_an_empty_variable_is_unset() {
    let fixture = Fixture::new().file("peeringdb_api_key = 'file'");
    let key = |fixture: &Fixture| {
        fixture.loaded().config.peeringdb_api_key.map(|key| key.expose_secret().to_owned()).unwrap()
    };
    assert_eq!(key(&fixture), "file");
    let fixture = fixture.set("PEERINGDB_API_KEY", "bare");
    assert_eq!(key(&fixture), "bare");
    let fixture = fixture.set("PEERING_MANAGER_PEERINGDB_API_KEY", "own");
    assert_eq!(key(&fixture), "own");
    let fixture = fixture.set("PEERING_MANAGER_PEERINGDB_API_KEY", "").set("PEERINGDB_API_KEY", "");
    assert_eq!(key(&fixture), "file");
}

/// A value that is not the default, for a key of any type, and the text of it in the environment.
fn sample(key: &Key) -> (Value, String) {
    let text = |text: &str| (Value::String(text.to_owned()), text.to_owned());
    let parsed = |text: &str| (key.kind.parse(text).unwrap(), text.to_owned());
    match (key.name, key.kind) {
        ("log_format", _) => text("json"),
        ("log_level", _) => text("trace"),
        ("config_context_list_merge", _) => text("append_rp"),
        ("database_url", _) => text("postgres://pm@db.example/pm"),
        ("email.cc_contacts", _) => parsed(r#"["noc@example.net", ["peering@example.net", "Peering"]]"#),
        ("http_proxies", _) => parsed(r#"{"https": "http://proxy.example:3128"}"#),
        ("webhook_allowed_targets", _) => parsed("192.0.2.0/24, ::1"),
        ("irr_backend", _) => text("bgpq4"),
        ("template_undefined", _) => text("lenient"),
        ("prefix_list_missing", _) => text("empty"),
        ("max_prefix_rule", _) => text("plain"),
        ("irr_connections", _) => parsed("2"),
        ("bgpq3_args", _) => parsed(r#"{"ipv6": ["-A"]}"#),
        (name, Kind::Text) if name.ends_with("_url") || name.ends_with("_api") => {
            text("https://other.example/x")
        }
        (_, Kind::Text) => text("sample"),
        (_, Kind::Integer) => parsed(&key.range.as_ref().map_or(61, |range| *range.end()).to_string()),
        (_, Kind::Boolean) => {
            let Value::Boolean(default) = (key.shown)(&Config::default()) else { panic!("{}", key.name) };
            parsed(if default { "no" } else { "yes" })
        }
        (_, Kind::List) => parsed("one, two"),
        (_, Kind::Table) => parsed("{ sample = 'value' }"),
    }
}

/// A file that sets one key.
fn file_with(key: &Key, value: &Value) -> String {
    match key.name.split_once('.') {
        Some((section, name)) => format!("[{section}]\n{name} = {value}\n"),
        None => format!("{} = {value}\n", key.name),
    }
}

#[test]
fn every_key_can_be_set_in_the_file_and_in_the_environment() {
    for key in KEYS {
        let (value, text) = sample(key);
        let from_file = Fixture::new().file(&file_with(key, &value)).loaded();
        let from_environment = Fixture::new().set(&key.variable(), &text).loaded();
        let shown = (key.shown)(&from_file.config);
        assert_eq!(shown, (key.shown)(&from_environment.config), "{}", key.name);
        assert_ne!(shown, (key.shown)(&Config::default()), "{}", key.name);
        assert!(matches!(from_file.origins[key.name], Origin::File { .. }), "{}", key.name);
        assert_eq!(from_environment.origins[key.name], Origin::Variable { name: key.variable() });
        if !key.sensitive {
            assert_eq!(shown, value, "{}", key.name);
        }
        let quiet = key.class == Class::Used && key.deprecated.is_none();
        assert_eq!(from_file.warnings.is_empty(), quiet, "{}: {:?}", key.name, from_file.warnings);
        for variable in key.variables {
            let loaded = Fixture::new().set(variable, &text).loaded();
            assert_eq!((key.shown)(&loaded.config), shown, "{variable}");
        }
    }
}

#[test]
fn every_secret_can_be_kept_in_a_file_of_its_own() {
    for key in KEYS.iter().filter(|key| key.is_secret()) {
        let (value, text) = sample(key);
        let expected = (key.shown)(&Fixture::new().file(&file_with(key, &value)).loaded().config);

        let fixture = Fixture::new().set(&format!("{}_FILE", key.variable()), "secrets/one");
        let path = fixture.write("secrets/one", &format!("{text}\n"));
        let loaded = fixture.loaded();
        assert_eq!((key.shown)(&loaded.config), expected, "{}", key.name);
        let named_by = format!("{}_FILE", key.variable());
        assert_eq!(loaded.origins[key.name], Origin::SecretFile { path, named_by });

        let named = file_with(key, &Value::String("secrets/one".to_owned())).replace(" = ", "_file = ");
        let fixture = Fixture::new().file(&named);
        fixture.write("secrets/one", &format!("{text}\r\n"));
        assert_eq!((key.shown)(&fixture.loaded().config), expected, "{}", key.name);
    }
}

#[test]
fn a_secret_loses_the_newline_at_its_end_and_nothing_else() {
    let fixture = Fixture::new().file("secret_key_file = 'key'");
    for (written, secret) in [("a b\n", "a b"), (" a\n\n", " a\n"), ("a", "a"), ("a\r\n", "a")] {
        fixture.write("key", written);
        let key = fixture.loaded().config.secret_key.unwrap();
        assert_eq!(key.expose_secret(), secret);
    }
}

#[test]
fn secret_files_that_cannot_be_used_are_named() {
    let fixture = Fixture::new().file("\nsecret_key_file = 'key'");
    let problem = fixture.problem();
    assert!(
        problem.contains("line 2: cannot take secret_key from") && problem.contains("key: No such"),
        "{problem}"
    );
    fixture.write("key", "\n");
    assert!(fixture.problem().contains("it is empty"));
    fixture.write("key", &"x".repeat(70_000));
    assert!(fixture.problem().contains("too large"));
}

#[test]
fn a_secret_and_its_file_on_one_level_contradict_each_other() {
    let fixture = Fixture::new().file("secret_key = 'canary'\nsecret_key_file = 'key'");
    fixture.write("key", "k");
    let problem = fixture.problem();
    assert!(problem.contains("line 1: secret_key and secret_key_file"), "{problem}");
    assert!(!problem.contains("canary"));

    let fixture = Fixture::new()
        .set("PEERING_MANAGER_SECRET_KEY", "canary")
        .set("PEERING_MANAGER_SECRET_KEY_FILE", "key");
    let problem = fixture.problem();
    assert!(problem.contains("PEERING_MANAGER_SECRET_KEY and PEERING_MANAGER_SECRET_KEY_FILE"), "{problem}");
    assert!(!problem.contains("canary"));

    let fixture = Fixture::new().file("secret_key = 'old'").set("PEERING_MANAGER_SECRET_KEY_FILE", "key");
    fixture.write("key", "new");
    assert_eq!(fixture.loaded().config.secret_key.unwrap().expose_secret(), "new");
}

#[test]
fn an_unused_secret_file_need_not_exist() {
    let fixture =
        Fixture::new().file("secret_key_file = '/nowhere'").set("PEERING_MANAGER_SECRET_KEY", "key");
    assert_eq!(fixture.loaded().config.secret_key.unwrap().expose_secret(), "key");
}

#[test]
fn the_former_name_of_job_retention_works_and_may_not_contradict() {
    let loaded = Fixture::new().file("jobresult_retention = 30").loaded();
    assert_eq!(loaded.config.job_retention, 30);
    assert!(loaded.warnings[0].contains("former name of job_retention"), "{:?}", loaded.warnings);
    assert_eq!(
        Fixture::new().set("PEERING_MANAGER_JOBRESULT_RETENTION", "31").loaded().config.job_retention,
        31
    );
    let both =
        |one, other| Fixture::new().file(&format!("job_retention = {one}\njobresult_retention = {other}"));
    assert_eq!(both(30, 30).loaded().config.job_retention, 30);
    let problem = both(30, 40).problem();
    assert!(problem.contains("job_retention") && problem.contains("different values"), "{problem}");
}

#[test]
fn unknown_names_are_refused_with_a_suggestion_and_never_with_their_value() {
    let problem = Fixture::new()
        .file("log_level = 'info'\npeeringdb_apikey = 'canary'\ncolour = 1\n[email]\nsever = 'canary'\n")
        .set("PEERING_MANAGER_SYNC_MAX_DELTE_PERCENT", "canary")
        .problem();
    for expected in [
        "line 2: unknown key peeringdb_apikey; did you mean peeringdb_api_key?",
        "line 3: unknown key colour; correct or remove it",
        "line 5: unknown key email.sever; did you mean email.server?",
        "environment variable PEERING_MANAGER_SYNC_MAX_DELTE_PERCENT: no setting has this name; \
         did you mean PEERING_MANAGER_SYNC_MAX_DELETE_PERCENT?",
    ] {
        assert!(problem.contains(expected), "{expected}\n{problem}");
    }
    assert!(!problem.contains("canary"));
}

#[test]
fn names_of_the_original_in_capitals_lead_to_ours() {
    let problem = Fixture::new().file("CHANGELOG_RETENTION = 90\nJOBRESULT_RETENTION = 90\n").problem();
    for expected in [
        "line 1: unknown key CHANGELOG_RETENTION; did you mean changelog_retention?",
        "line 2: unknown key JOBRESULT_RETENTION; did you mean job_retention?",
    ] {
        assert!(problem.contains(expected), "{expected}\n{problem}");
    }
}

#[test]
fn what_kubernetes_adds_is_no_setting() {
    Fixture::new()
        .set("PEERING_MANAGER_SERVICE_HOST", "10.0.0.1")
        .set("PEERING_MANAGER_SERVICE_PORT_HTTP", "80")
        .set("PEERING_MANAGER_PORT", "tcp://10.0.0.1:80")
        .set("PEERING_MANAGER_PORT_80_TCP_ADDR", "10.0.0.1")
        .loaded();
}

#[test]
fn wrong_values_are_named_with_key_value_and_what_is_allowed() {
    let problem = Fixture::new()
        .file("sync_max_delete_percent = 101\nlog_format = 'xml'\npeeringdb_api = 'ftp://x'\nca_file = 3\n")
        .set("PEERING_MANAGER_CHANGELOG_RETENTION", "90d")
        .problem();
    for expected in [
        "line 1: sync_max_delete_percent = 101 is not a whole number from 0 to 100",
        r#"line 2: log_format = "xml" is not "text" or "json""#,
        r#"line 3: peeringdb_api = "ftp://x" is not a URL that starts with http:// or https://"#,
        "line 4: ca_file = 3 is not a string",
        r#"environment variable PEERING_MANAGER_CHANGELOG_RETENTION: changelog_retention = "90d" is not a whole number from 0 to 36500"#,
    ] {
        assert!(problem.contains(expected), "{expected}\n{problem}");
    }
}

#[test]
fn every_range_is_enforced_at_both_ends() {
    for key in KEYS {
        let Some(range) = &key.range else { continue };
        for (number, legal) in [
            (*range.start(), true),
            (*range.end(), true),
            (*range.start() - 1, false),
            (*range.end() + 1, false),
        ] {
            let result = key.apply(&mut Config::default(), &Value::Integer(number));
            assert_eq!(result.is_ok(), legal, "{} = {number}", key.name);
        }
        assert!(range.contains(&(key.shown)(&Config::default()).as_integer().unwrap()), "{}", key.name);
    }
}

#[test]
fn the_email_table_can_come_from_one_variable() {
    let loaded = Fixture::new()
        .set("PEERING_MANAGER_EMAIL", r#"{"server": "mail.example", "port": 587}"#)
        .set("PEERING_MANAGER_EMAIL_PORT", "465")
        .loaded();
    assert_eq!(loaded.config.email_server.as_deref(), Some("mail.example"));
    assert_eq!(loaded.config.email_port, 465);
}

#[test]
fn ignored_settings_are_accepted_with_a_reason() {
    for ignored in IGNORED {
        let name = ignored.name.replace('*', "something");
        let loaded = Fixture::new().file(&format!("{name} = 'canary'")).loaded();
        assert_eq!(loaded.warnings.len(), 1, "{name}");
        assert!(loaded.warnings[0].contains(ignored.why) && !loaded.warnings[0].contains("canary"));
    }
}

#[test]
fn broken_toml_is_named_by_line_without_quoting_it() {
    for text in [
        "log_level = 'info'\nsecret_key = 'canary\n",
        "\nsecret_key = canary\n",
        "\nsecret_key = 'canary' 'canary'",
    ] {
        let problem = Fixture::new().file(text).problem();
        assert!(problem.contains("peering-manager.toml line 2: not valid TOML"), "{problem}");
        assert!(!problem.contains("canary"), "{problem}");
    }
}

#[test]
fn every_setting_of_the_original_is_accepted() {
    for name in include_str!("../../testdata/original_settings.txt").split_whitespace() {
        let found = crate::name::look_up(&name.to_lowercase(), crate::name::Spelling::File);
        assert!(!matches!(found, crate::name::Name::Unknown), "{name}");
    }
}

#[test]
fn a_default_spelled_out_is_no_reason_to_warn() {
    let loaded =
        Fixture::new().file("base_path = ''\npeeringdb_username = ''\nmetrics_enabled = false").loaded();
    assert_eq!(loaded.warnings, Vec::<String>::new());
}
