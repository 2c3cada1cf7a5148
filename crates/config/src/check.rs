//! What is legal and still wrong or unwise, for `config check`.

use std::fs;
use std::path::Path;

use secrecy::ExposeSecret;
use url::Url;

use crate::load::{Loaded, Origin};
use crate::{Config, SecretUrl};

/// Shorter secret keys can be guessed.
const SECRET_KEY_LENGTH: usize = 50;

/// Seconds that the shipped units give a worker to stop (`TimeoutStopSec`), and what a deployment may need of them once it has been
/// told to end.
const UNITS_STOP: u32 = 360;
const DEPLOYMENT_ENDS: u32 = 240;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something will not work.
    Error,
    /// It works, and should still be changed.
    Warning,
}

/// One result of [`check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What is wrong and what to do, in one line without secrets.
    pub text: String,
}

impl Finding {
    fn error(text: impl Into<String>) -> Self {
        Self { level: Level::Error, text: text.into() }
    }

    fn warning(text: impl Into<String>) -> Self {
        Self { level: Level::Warning, text: text.into() }
    }
}

/// Looks at the settings and the files they name. It opens no connection.
pub fn check(loaded: &Loaded) -> Vec<Finding> {
    let config = &loaded.config;
    let mut findings = Vec::new();
    findings.extend(database(config));
    findings.extend(secret_key(config));
    findings.extend(peeringdb(config));
    findings.extend(config.http_proxies.iter().filter_map(|(scheme, url)| proxy(scheme, url)));
    findings.extend(config.ca_file.as_deref().and_then(ca_file));
    findings.extend(permissions(loaded));
    for extension in &config.jinja2_template_extensions {
        if !["jinja2.ext.do", "jinja2.ext.loopcontrols"].contains(&extension.as_str()) {
            findings.push(Finding::warning(format!(
                "jinja2_template_extensions names {extension}, which is not available: templates have \
                 jinja2.ext.do and jinja2.ext.loopcontrols"
            )));
        }
    }
    if config.email_use_ssl && config.email_use_tls {
        findings.push(Finding::error("email.use_ssl and email.use_tls are both on: keep one"));
    }
    findings.extend(mail(config));
    findings.extend(deployments(config));
    findings.extend(stopping(config));
    findings
}

/// A worker that is killed while a deployment ends in order leaves the router to undo it.
fn stopping(config: &Config) -> Option<Finding> {
    let (patience, needed) = (config.worker_stop_seconds, config.worker_stop_seconds + DEPLOYMENT_ENDS);
    (needed > UNITS_STOP).then(|| {
        Finding::warning(format!(
            "worker_stop_seconds = {patience} is more than the {} s that the shipped units leave for it: systemd would kill a \
             deployment that is ending in order. Set TimeoutStopSec={needed} in the unit (`systemctl edit peering-manager`), or \
             make worker_stop_seconds shorter",
            UNITS_STOP - DEPLOYMENT_ENDS
        ))
    })
}

/// The mail server's password must not go over a network in clear.
fn mail(config: &Config) -> Option<Finding> {
    let server = config.email_server.as_deref().unwrap_or("localhost");
    let here = ["localhost", "127.0.0.1", "::1"].contains(&server);
    let clear = !config.email_use_ssl && !config.email_use_tls && config.email_password.is_some();
    (clear && !here).then(|| {
        Finding::warning(format!(
            "email.password goes to {server} in clear: turn email.use_tls or email.use_ssl on"
        ))
    })
}

fn deployments(config: &Config) -> Option<Finding> {
    let looks = config.post_check_seconds.max(config.post_check_min_seconds);
    (config.commit_confirm_seconds <= looks).then(|| {
        Finding::error(format!(
            "commit_confirm_seconds = {} is not longer than post_check_seconds = {} and post_check_min_seconds = {}: every \
             change would be undone before it is confirmed",
            config.commit_confirm_seconds, config.post_check_seconds, config.post_check_min_seconds
        ))
    })
}

fn database(config: &Config) -> Option<Finding> {
    let url = &config.database_url;
    let usable = match url.scheme() {
        "sqlite" => !url.expose_secret().trim_start_matches("sqlite:").trim_matches('/').is_empty(),
        // The part after the host may be missing: PostgreSQL then takes the user's name.
        "postgres" | "postgresql" => {
            Url::parse(url.expose_secret()).is_ok_and(|url| url.has_host() && !has_late_at(&url))
        }
        _ => false,
    };
    (!usable).then(|| {
        Finding::error(format!(
            "database_url = \"{url}\" cannot be used: write sqlite:///path/to/file.db or \
             postgres://user:password@host:port/name, with special characters of the password percent-encoded"
        ))
    })
}

/// Whether a sign in the password that nobody encoded cuts it in two: an `@` comes behind what was taken for the host.
fn has_late_at(url: &Url) -> bool {
    url.path().contains('@')
        || [url.query(), url.fragment()].into_iter().flatten().any(|text| text.contains('@'))
}

fn secret_key(config: &Config) -> Option<Finding> {
    // A missing one is no finding: a file beside the database can take its place.
    let length = config.secret_key.as_ref()?.expose_secret().chars().count();
    (length < SECRET_KEY_LENGTH).then(|| {
        Finding::warning(format!(
            "secret_key has {length} characters: use at least {SECRET_KEY_LENGTH} random ones"
        ))
    })
}

fn peeringdb(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let user = config.peeringdb_username.is_some();
    let password = config.peeringdb_password.is_some();
    let key = config.peeringdb_api_key.is_some();
    if config.peeringdb_api.is_exposed() {
        let api = &config.peeringdb_api;
        findings.push(if key || password {
            Finding::error(format!(
                "peeringdb_api = \"{api}\" would send the credentials in clear: use https"
            ))
        } else {
            Finding::warning(format!("peeringdb_api = \"{api}\" can be altered on its way: use https"))
        });
    }
    if let Some(url) = config.peeringdb_cache_url.as_ref().filter(|url| url.is_exposed()) {
        findings.push(Finding::warning(format!(
            "peeringdb_cache_url = \"{url}\" can be altered on its way: use https"
        )));
    }
    if key && (user || password) {
        findings.push(Finding::warning(
            "peeringdb_api_key is used, peeringdb_username and peeringdb_password are not: remove them",
        ));
    } else if user != password {
        findings.push(Finding::error(
            "peeringdb_username and peeringdb_password go together: set both, or better peeringdb_api_key",
        ));
    }
    if config.peeringdb_connect_timeout > config.peeringdb_timeout {
        findings.push(Finding::warning(format!(
            "peeringdb_connect_timeout = {} is longer than the whole request may take \
             (peeringdb_timeout = {}): make it shorter",
            config.peeringdb_connect_timeout, config.peeringdb_timeout
        )));
    }
    findings
}

fn proxy(scheme: &str, url: &SecretUrl) -> Option<Finding> {
    let parsed = Url::parse(url.expose_secret()).ok();
    let usable = parsed.is_some_and(|url| {
        url.has_host() && matches!(url.scheme(), "http" | "https" | "socks4" | "socks5" | "socks5h")
    });
    if !usable {
        return Some(Finding::error(format!(
            "http_proxies.{scheme} = \"{url}\" is no proxy: write http://host:port, https:// or socks5://"
        )));
    }
    (!matches!(scheme, "http" | "https")).then(|| {
        Finding::warning(format!(
            "http_proxies.{scheme} is never used: requests are made to http and https URLs"
        ))
    })
}

fn ca_file(path: &Path) -> Option<Finding> {
    let path_text = path.display();
    match fs::read(path) {
        Err(error) => Some(Finding::error(format!("ca_file = \"{path_text}\" cannot be read: {error}"))),
        Ok(bytes) if !String::from_utf8_lossy(&bytes).contains("-----BEGIN CERTIFICATE-----") => {
            Some(Finding::error(format!("ca_file = \"{path_text}\" holds no certificate in PEM form")))
        }
        Ok(_) => None,
    }
}

/// Files with secrets that every user of the host can read.
fn permissions(loaded: &Loaded) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(path) = &loaded.file
        && !loaded.secrets_in_file.is_empty()
        && is_world_readable(path)
    {
        findings.push(Finding::warning(format!(
            "{} holds {} and every user of this host can read it: chmod 640 it, or use <key>_file",
            path.display(),
            loaded.secrets_in_file.join(", ")
        )));
    }
    for origin in loaded.origins.values() {
        if let Origin::SecretFile { path, named_by } = origin
            && is_world_readable(path)
        {
            findings.push(Finding::warning(format!(
                "{} ({named_by}) holds a secret and every user of this host can read it: chmod 640 it",
                path.display()
            )));
        }
    }
    findings
}

#[cfg(unix)]
fn is_world_readable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_world_readable(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests;
