use super::*;
use crate::fixture::Fixture;

fn findings(fixture: &Fixture) -> Vec<(Level, String)> {
    check(&fixture.loaded()).into_iter().map(|finding| (finding.level, finding.text)).collect()
}

fn assert_finding(fixture: &Fixture, level: Level, text: &str) {
    let findings = findings(fixture);
    assert!(findings.iter().any(|(l, t)| *l == level && t.contains(text)), "{text}\n{findings:?}");
}

#[test]
fn sound_settings_give_no_findings() {
    assert_eq!(findings(&Fixture::new()), []);
    for url in [
        "sqlite::memory:",
        "sqlite:pm.db",
        "sqlite:///var/lib/pm.db?mode=rwc",
        "postgresql://pm:p%40@[::1]:5432/pm",
    ] {
        assert_eq!(findings(&Fixture::new().set("DATABASE_URL", url)), [], "{url}");
    }
}

#[test]
fn other_databases_are_refused() {
    for url in
        ["mysql://pm:canary@db/pm", "pm:canary@db", "sqlite:", "sqlite://", "postgres://pm:can/ary@db/pm"]
    {
        let fixture = Fixture::new().set("DATABASE_URL", url);
        assert_finding(&fixture, Level::Error, "database_url = ");
        assert!(!format!("{:?}", findings(&fixture)).contains("canary"));
    }
}

#[test]
fn a_secret_key_is_long() {
    let with_key = |length| Fixture::new().set("PEERING_MANAGER_SECRET_KEY", &"x".repeat(length));
    assert_finding(&with_key(49), Level::Warning, "49 characters");
    assert_eq!(findings(&with_key(50)), []);
}

#[test]
fn credentials_do_not_travel_in_clear() {
    let plain = || Fixture::new().set("PEERING_MANAGER_PEERINGDB_API", "http://pdb.example/api");
    assert_finding(&plain(), Level::Warning, "use https");
    assert_finding(&plain().set("PEERINGDB_API_KEY", "key"), Level::Error, "in clear");
    let loopback = Fixture::new().set("PEERING_MANAGER_PEERINGDB_API", "http://127.0.0.1:9/api");
    assert_eq!(findings(&loopback.set("PEERINGDB_API_KEY", "key")), []);
}

#[test]
fn half_of_the_basic_authentication_is_an_error() {
    assert_finding(&Fixture::new().set("PEERINGDB_USERNAME", "me"), Level::Error, "go together");
}

#[test]
fn proxies_are_urls_with_a_host() {
    for url in ["proxy.example:3128", "http://", "ftp://proxy.example"] {
        let fixture = Fixture::new().set("PEERING_MANAGER_HTTP_PROXIES", &format!("{{ https = '{url}' }}"));
        assert_finding(&fixture, Level::Error, "http_proxies.https");
    }
    let fixture = Fixture::new().set("PEERING_MANAGER_HTTP_PROXIES", "{ ssh = 'http://proxy.example' }");
    assert_finding(&fixture, Level::Warning, "never used");
}

#[test]
fn the_ca_file_holds_a_certificate() {
    let fixture = Fixture::new().set("PEERING_MANAGER_CA_FILE", "/nowhere/ca.pem");
    assert_finding(&fixture, Level::Error, "cannot be read");
    let path = fixture.write("ca.pem", "not a certificate");
    let fixture = fixture.set("PEERING_MANAGER_CA_FILE", &path.display().to_string());
    assert_finding(&fixture, Level::Error, "no certificate");
    fixture.write("ca.pem", "-----BEGIN CERTIFICATE-----\n");
    assert_eq!(findings(&fixture), []);
}

#[cfg(unix)]
#[test]
fn files_with_secrets_are_not_for_everyone() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();

    let fixture = Fixture::new().file("peeringdb_api_key = 'canary'");
    let file = fixture.directory.path().join("peering-manager.toml");
    mode(&file, 0o644);
    assert_finding(&fixture, Level::Warning, "holds peeringdb_api_key and every user");
    mode(&file, 0o640);
    assert_eq!(findings(&fixture), []);

    let harmless = Fixture::new().file("log_level = 'info'\ndatabase_url = 'postgres://pm@db/pm'");
    mode(&harmless.directory.path().join("peering-manager.toml"), 0o644);
    assert_eq!(findings(&harmless), []);

    let fixture = Fixture::new().set("PEERINGDB_API_KEY_FILE", "key");
    mode(&fixture.write("key", "canary"), 0o604);
    assert_finding(&fixture, Level::Warning, "(PEERINGDB_API_KEY_FILE) holds a secret");
}

#[test]
fn a_commit_must_not_be_undone_before_it_is_confirmed() {
    let with = |confirm: &str| Fixture::new().file(&format!("commit_confirm_seconds = {confirm}\n"));
    assert_finding(&with("60"), Level::Error, "post_check_seconds = 60");
    assert_eq!(findings(&with("61")), []);
}

#[test]
fn a_mail_password_in_clear_is_told() {
    let with = |server: &str| {
        Fixture::new()
            .set("PEERING_MANAGER_EMAIL_SERVER", server)
            .set("PEERING_MANAGER_EMAIL_PASSWORD", "canary")
    };
    assert_finding(
        &with("mail.example.net"),
        Level::Warning,
        "email.password goes to mail.example.net in clear",
    );
    assert!(!format!("{:?}", findings(&with("mail.example.net"))).contains("canary"));
    assert_eq!(findings(&with("localhost")), []);
    let safe = with("mail.example.net").set("PEERING_MANAGER_EMAIL_USE_TLS", "true");
    assert_eq!(findings(&safe), []);
}

#[test]
fn a_worker_is_not_more_patient_than_its_unit() {
    let patient = |seconds| Fixture::new().set("PEERING_MANAGER_WORKER_STOP_SECONDS", seconds);
    assert_eq!(findings(&patient("120")), []);
    assert_finding(&patient("121"), Level::Warning, "TimeoutStopSec=361");
    for unit in ["peering-manager.service", "peering-manager-worker@.service"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib/systemd").join(unit);
        let unit = fs::read_to_string(path).unwrap();
        assert!(unit.contains(&format!("TimeoutStopSec={UNITS_STOP}\n")), "{unit}");
    }
}
