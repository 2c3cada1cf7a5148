//! What a client must be told.

use std::time::Duration;

use secrecy::SecretString;

/// How to talk to `PeeringDB`. The connect timeout, proxies and certificates belong to the HTTP client.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// The API: `https://www.peeringdb.com/api`.
    pub base_url: String,
    /// Where `PeeringDB` keeps dumps of whole namespaces: `https://public.peeringdb.com`.
    pub cache_url: Option<String>,
    /// Sent to the API, never to the dumps. Goes before `basic`.
    pub api_key: Option<SecretString>,
    /// User name and password, which `PeeringDB` discourages.
    pub basic: Option<(String, SecretString)>,
    /// Who is asking.
    pub user_agent: String,
    /// How long one request may wait for the server, until the last byte of the body. Time in which the
    /// receiver of the records is busy does not count.
    pub total_timeout: Duration,
    /// The longest body, in bytes after decompression.
    pub max_body: u64,
    /// How often to ask again after a fault that may pass.
    pub retries: u32,
    /// The longest `Retry-After` to wait for.
    pub max_retry_after: Duration,
    /// Requests to the API in any 60 seconds, repeated ones included; dumps do not count. 0 stands for what
    /// `PeeringDB` allows: 40 with credentials, 20 without.
    pub requests_per_minute: u32,
}

impl Default for ClientOptions {
    /// `PeeringDB` itself, without credentials.
    fn default() -> Self {
        Self {
            base_url: "https://www.peeringdb.com/api".to_owned(),
            cache_url: None,
            api_key: None,
            basic: None,
            user_agent: "peering-manager".to_owned(),
            total_timeout: Duration::from_mins(5),
            max_body: 1 << 30,
            retries: 3,
            max_retry_after: Duration::from_mins(2),
            requests_per_minute: 0,
        }
    }
}

impl ClientOptions {
    /// Requests to the API in any 60 seconds.
    pub(crate) fn pace(&self) -> u32 {
        match self.requests_per_minute {
            0 if self.credentials() == Credentials::None => 20,
            0 => 40,
            given => given,
        }
    }

    pub(crate) fn credentials(&self) -> Credentials {
        match (&self.api_key, &self.basic) {
            (Some(_), _) => Credentials::ApiKey,
            (None, Some(_)) => Credentials::Basic,
            (None, None) => Credentials::None,
        }
    }
}

/// What a request is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    ApiKey,
    Basic,
    None,
    /// None either, but none would help: dumps are for everyone.
    Dump,
}

impl Credentials {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "the API key",
            Self::Basic => "user name and password",
            Self::None => "a request without API key",
            Self::Dump => "to hand out a public dump",
        }
    }

    /// What to do when they are refused.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Self::ApiKey => "check the key at https://www.peeringdb.com/profile",
            Self::Basic => "use an API key instead of user name and password",
            Self::None => "set an API key",
            Self::Dump => "check cache_url",
        }
    }
}
