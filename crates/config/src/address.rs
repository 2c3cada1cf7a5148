//! URLs in settings: plain ones, and those that may carry a password.

use std::borrow::Cow;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use toml::Value;
use url::Url;

use crate::MASK;
use crate::value::{Expected, Kind, Setting};

/// An `http` or `https` URL without credentials and without a trailing slash, so that a path can be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl(String);

impl HttpUrl {
    /// For the defaults in the table of keys; a test makes sure that each would also parse.
    pub(crate) fn fixed(url: &'static str) -> Self {
        Self(url.to_owned())
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request could be read by whoever is on the path: plain `http`, and not to this host itself.
    pub fn is_exposed(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| {
            let loopback = match url.host() {
                Some(url::Host::Domain(name)) => name == "localhost",
                Some(url::Host::Ipv4(address)) => address.is_loopback(),
                Some(url::Host::Ipv6(address)) => address.is_loopback(),
                None => false,
            };
            url.scheme() == "http" && !loopback
        })
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for HttpUrl {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Setting for HttpUrl {
    const KIND: Kind = Kind::Text;

    fn from_toml(value: &Value) -> Result<Self, Expected> {
        let expected =
            || Expected(Cow::Borrowed("a URL that starts with http:// or https:// and holds no password"));
        let text = value.as_str().ok_or_else(expected)?.trim();
        let url = Url::parse(text).map_err(|_| expected())?;
        let plain = url.username().is_empty() && url.password().is_none();
        if matches!(url.scheme(), "http" | "https") && plain {
            Ok(Self(text.trim_end_matches('/').to_owned()))
        } else {
            Err(expected())
        }
    }

    fn shown(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// A URL that may carry a password: `Debug` and `Display` mask it, `expose_secret` gives it whole.
///
/// Any text is taken here, so that a wrong address ends in a message from [`crate::check`] that names the key.
#[derive(Clone)]
pub struct SecretUrl(SecretString);

impl SecretUrl {
    /// Takes the URL as written.
    pub fn new(url: &str) -> Self {
        Self(SecretString::from(url))
    }

    /// The part before the first colon, such as `sqlite` or `postgres`; empty if there is none.
    pub fn scheme(&self) -> &str {
        let text = self.expose_secret();
        match text.split_once(':') {
            Some((scheme, _)) if scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) => {
                scheme
            }
            _ => "",
        }
    }

    /// The URL with every password replaced.
    ///
    /// Errs on the side of hiding: a password with a stray `@`, `/` or `?` in it, which a URL parser would cut
    /// short or refuse, is hidden whole, and a text that is no URL at all is not shown.
    fn masked(&self) -> String {
        let text = self.expose_secret();
        if text.is_empty() {
            return String::new();
        }
        let scheme = self.scheme();
        if scheme == "sqlite" {
            return mask_parameters(text);
        }
        let Some(rest) = text.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://")) else {
            return MASK.to_owned();
        };
        let rest = match rest.rsplit_once('@') {
            Some((credentials, host)) => match credentials.split_once(':') {
                Some((user, _)) => format!("{user}:{MASK}@{host}"),
                None => rest.to_owned(),
            },
            // Without an `@`, what looks like a bad port may be a password whose host was forgotten.
            None if Url::parse(text).is_err() => MASK.to_owned(),
            None => rest.to_owned(),
        };
        mask_parameters(&format!("{scheme}://{rest}"))
    }
}

/// Hides the values of parameters such as `?password=…`, which database drivers take as well.
fn mask_parameters(url: &str) -> String {
    let Some((base, query)) = url.split_once('?') else {
        return url.to_owned();
    };
    let parameters: Vec<_> = query
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some((name, _)) if is_secret_parameter(name) => format!("{name}={MASK}"),
            _ => parameter.to_owned(),
        })
        .collect();
    format!("{base}?{}", parameters.join("&"))
}

fn is_secret_parameter(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("password") || name == "key"
}

impl ExposeSecret<str> for SecretUrl {
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretUrl({})", self.masked())
    }
}

impl Setting for SecretUrl {
    const KIND: Kind = Kind::Text;
    const SENSITIVE: bool = true;

    fn from_toml(value: &Value) -> Result<Self, Expected> {
        let text = value.as_str().map(str::trim).filter(|text| !text.is_empty());
        text.map(Self::new).ok_or(Expected(Cow::Borrowed("a URL")))
    }

    fn shown(&self) -> Value {
        Value::String(self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_never_show() {
        for (url, shown) in [
            ("postgres://pm:canary@db/pm", "postgres://pm:********@db/pm"),
            (
                "postgres://pm:can@ary@db:5432/pm?sslmode=require",
                "postgres://pm:********@db:5432/pm?sslmode=require",
            ),
            ("postgres://pm:canary/?#@db/pm", "postgres://pm:********@db/pm"),
            (
                "postgres://pm@db/pm?password=canary&sslmode=require",
                "postgres://pm@db/pm?password=********&sslmode=require",
            ),
            ("mysql://pm:canary@db/pm", "mysql://pm:********@db/pm"),
            ("postgres://pm:canary", "postgres://********"),
            ("pm:canary@db", "********"),
            ("canary", "********"),
            ("sqlite:///var/lib/pm.db", "sqlite:///var/lib/pm.db"),
            ("sqlite::memory:", "sqlite::memory:"),
            ("http://proxy:3128", "http://proxy:3128"),
        ] {
            let url = SecretUrl::new(url);
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("canary"));
        }
    }

    #[test]
    fn http_urls_lose_the_slash_and_refuse_the_rest() {
        let parse = |text: &str| HttpUrl::from_toml(&Value::String(text.to_owned()));
        assert_eq!(parse("https://pdb.example/api/").unwrap().as_str(), "https://pdb.example/api");
        for wrong in ["ftp://pdb.example", "pdb.example", "https://me:canary@pdb.example", ""] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn plain_http_is_exposed_unless_it_stays_on_the_host() {
        for (url, exposed) in [
            ("http://pdb.example/api", true),
            ("https://pdb.example/api", false),
            ("http://127.0.0.1:8080", false),
            ("http://[::1]:8080", false),
            ("http://localhost", false),
        ] {
            assert_eq!(HttpUrl::fixed(url).is_exposed(), exposed, "{url}");
        }
    }
}
