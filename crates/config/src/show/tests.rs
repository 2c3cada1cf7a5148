use crate::fixture::Fixture;
use crate::keys::KEYS;
use crate::value::Kind;

const CANARY: &str = "canary-in-the-coal-mine";

/// Every key that can hold a credential, in the file or in the environment.
fn planted() -> Fixture {
    let fixture = Fixture::new().file(&format!(
        "secret_key = '{CANARY}'\n\
         secret_key_previous = '{CANARY}'\n\
         http_proxies = {{ https = 'http://me:{CANARY}@proxy:3128' }}\n\
         napalm_args = {{ secret = '{CANARY}', nested = {{ key = '{CANARY}' }} }}\n\
         redis = {{ tasks = {{ PASSWORD = '{CANARY}' }} }}\n\
         social_auth_oidc_secret = '{CANARY}'\n\
         [email]\npassword = '{CANARY}'\n"
    ));
    fixture
        .set("DATABASE_URL", &format!("postgres://pm:{CANARY}@db/pm"))
        .set("PEERINGDB_API_KEY", CANARY)
        .set("PEERINGDB_PASSWORD", CANARY)
        .set("NAPALM_PASSWORD", CANARY)
        .set("PEERING_MANAGER_NETBOX_API_TOKEN", CANARY)
}

#[test]
fn secrets_are_masked_wherever_settings_are_shown() {
    let fixture = planted();
    let loaded = fixture.loaded();
    for key in KEYS.iter().filter(|key| key.sensitive) {
        assert!(loaded.origins.contains_key(key.name), "plant a canary in {}", key.name);
    }
    let findings = crate::check(&loaded);
    for text in [
        loaded.show_toml(),
        loaded.show_json().to_string(),
        format!("{loaded:?}"),
        format!("{:?}", fixture.sources),
        format!("{findings:?}"),
        loaded.warnings.join("\n"),
    ] {
        assert!(!text.contains(CANARY), "{text}");
    }
}

#[test]
fn errors_about_secrets_do_not_quote_them() {
    for key in KEYS.iter().filter(|key| key.sensitive) {
        let wrong = match key.kind {
            Kind::Text => format!("['{CANARY}']"),
            _ => format!("'{CANARY}'"),
        };
        let text = match key.name.split_once('.') {
            Some((section, name)) => format!("[{section}]\n{name} = {wrong}"),
            None => format!("{} = {wrong}", key.name),
        };
        let problem = Fixture::new().file(&text).problem();
        assert!(problem.contains(key.name) && !problem.contains(CANARY), "{problem}");
        if key.kind == Kind::Table {
            let problem = Fixture::new().set(&key.variable(), CANARY).problem();
            assert!(problem.contains(key.name) && !problem.contains(CANARY), "{problem}");
        }
    }
}

#[test]
fn the_toml_says_where_each_value_came_from() {
    let fixture = Fixture::new()
        .file("\nlog_level = 'debug'\n[email]\nserver = 'mail.example'\n")
        .set("PEERING_MANAGER_JOB_RETENTION", "7")
        .set("PEERING_MANAGER_SECRET_KEY_FILE", "key");
    let key = fixture.write("key", "secret");
    let loaded = fixture.loaded();
    let file = loaded.file.clone().unwrap();
    let shown = loaded.show_toml();
    for line in [
        format!("log_level = \"debug\"  # {} line 2", file.display()),
        "job_retention = 7  # environment variable PEERING_MANAGER_JOB_RETENTION".to_owned(),
        format!(
            "secret_key = \"********\"  # secret file {} (PEERING_MANAGER_SECRET_KEY_FILE)",
            key.display()
        ),
        "changelog_retention = 90".to_owned(),
        "[email]".to_owned(),
        format!("server = \"mail.example\"  # {} line 4", file.display()),
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
    assert!(!shown.contains("login_form_hidden"));
    toml::from_str::<toml::Table>(&shown).unwrap();
}

#[test]
fn the_json_has_value_and_origin_of_each_key() {
    let loaded = Fixture::new().set("PEERING_MANAGER_JOB_RETENTION", "7").loaded();
    let json = loaded.show_json();
    assert_eq!(json["file"], serde_json::Value::Null);
    assert_eq!(json["settings"]["job_retention"]["value"], 7);
    assert_eq!(
        json["settings"]["job_retention"]["origin"],
        "environment variable PEERING_MANAGER_JOB_RETENTION"
    );
    assert_eq!(json["settings"]["changelog_retention"]["origin"], serde_json::Value::Null);
}
