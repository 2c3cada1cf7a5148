//! The one place where an HTTP client is built: proxies, the extra certificate authority and the user agent come
//! from the settings, the same for every adapter.

use std::time::Duration;

use pm_config::Config;
use secrecy::ExposeSecret;

/// A client after the settings.
///
/// # Errors
/// A sentence that names the setting that cannot be used.
#[expect(clippy::disallowed_methods, reason = "the one place")]
pub fn client(config: &Config) -> Result<reqwest::Client, String> {
    // An error only means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(&config.requests_user_agent)
        // Those of the environment stay out; the settings' own come below.
        .no_proxy()
        .connect_timeout(Duration::from_secs(config.peeringdb_connect_timeout.into()))
        .gzip(true);
    for (scheme, url) in &config.http_proxies {
        let url = url.expose_secret();
        let proxy = match scheme.as_str() {
            "http" => reqwest::Proxy::http(url),
            "https" => reqwest::Proxy::https(url),
            other => return Err(format!("http_proxies: there is no scheme {other}; use http and https")),
        };
        // The error may hold the URL and with it a password.
        builder =
            builder.proxy(proxy.map_err(|_| format!("http_proxies: the URL for {scheme} cannot be used"))?);
    }
    if let Some(path) = &config.ca_file {
        let told = |error: &dyn std::fmt::Display| format!("ca_file {}: {error}", path.display());
        let pem = std::fs::read(path).map_err(|error| told(&error))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| told(&error))?;
        if certificates.is_empty() {
            return Err(told(&"it holds no certificate in PEM form"));
        }
        for certificate in certificates {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|error| format!("the HTTP client cannot be built: {error}"))
}
