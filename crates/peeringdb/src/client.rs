//! Asks for the records of a namespace, and asks again if that may help.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, USER_AGENT};
use secrecy::ExposeSecret;
use tokio::sync::mpsc::Sender;
use tokio::time::sleep;

use crate::attempt::{Again, Attempt};
use crate::error::{FetchError, OptionsError};
use crate::governor::Governor;
use crate::options::{ClientOptions, Credentials};
use crate::record::Record;
use crate::stream::{SinkClosed, Unusable};
use crate::types::Namespace;

/// The wait before the second attempt; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait between two attempts, unless the server asks for a longer one.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Up to so much is added to a wait, so that clients which failed together do not come back together.
const JITTER: f64 = 1.0;

/// What comes over the channel while an answer is read.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Forget the records of this fetch: the answer broke off, and they come again from the first.
    Restart,
    /// The next records, in the order of the answer.
    Records(Vec<Record>),
}

/// What is known about an answer when all its records are handed out.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What was asked for.
    pub url: String,
    /// When `PeeringDB` made the answer; only cached answers say so.
    pub generated: Option<DateTime<Utc>>,
    /// When the answer was sent, by the server's clock.
    pub date: Option<DateTime<Utc>>,
    /// Records handed out.
    pub records: u64,
    /// Length of the body, after decompression.
    pub bytes: u64,
    /// Elements of the answer that are no record.
    pub unusable: Vec<Unusable>,
    /// Requests made, this one included.
    pub attempts: u32,
}

/// A client of `PeeringDB`'s API. Fetches may run at the same time; they share one limit on requests to the
/// API.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    options: ClientOptions,
    base: String,
    cache: Option<String>,
    /// For the dumps. The API gets credentials in addition.
    headers: HeaderMap,
    api_headers: HeaderMap,
    governor: Governor,
    jitter: Mutex<SmallRng>,
}

impl Client {
    /// A client that asks through `http`, which decides on proxies, certificates, compression and the connect
    /// timeout.
    ///
    /// The seed is for the random part of the waits between attempts.
    pub fn new(http: reqwest::Client, options: ClientOptions, seed: u64) -> Result<Self, OptionsError> {
        let base = address("base_url", &options.base_url)?;
        let cache = options.cache_url.as_deref().map(|text| address("cache_url", text)).transpose()?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, header("user_agent", &options.user_agent)?);
        let mut api_headers = headers.clone();
        if let Some(key) = &options.api_key {
            let mut value = header("api_key", &format!("Api-Key {}", key.expose_secret()))?;
            value.set_sensitive(true);
            api_headers.insert(AUTHORIZATION, value);
        }
        let governor = Governor::new(options.pace());
        let jitter = Mutex::new(SmallRng::seed_from_u64(seed));
        Ok(Self { http, options, base, cache, headers, api_headers, governor, jitter })
    }

    /// All live records of a namespace, or those that changed after `since` (seconds since 1970), deleted
    /// ones included.
    pub async fn fetch(
        &self,
        namespace: Namespace,
        since: Option<i64>,
        out: &Sender<Event>,
    ) -> Result<Answer, FetchError> {
        let since = since.map(|since| format!("&since={since}")).unwrap_or_default();
        let url = format!("{}/{namespace}?depth=0{since}", self.base);
        let mut request = self.http.get(&url).headers(self.api_headers.clone());
        if let (Credentials::Basic, Some((user, password))) =
            (self.options.credentials(), &self.options.basic)
        {
            request = request.basic_auth(user, Some(password.expose_secret()));
        }
        self.answer(namespace, &url, &request, self.options.credentials(), out).await
    }

    /// All live records of a namespace, from the dump at [`ClientOptions::cache_url`], which may be a day
    /// old. See [`Answer::generated`].
    ///
    /// Another server hands the dumps out, so neither does the limit on requests to the API hold for them,
    /// nor does a pause that one of the two asks for hold back the other.
    pub async fn fetch_dump(&self, namespace: Namespace, out: &Sender<Event>) -> Result<Answer, FetchError> {
        let cache = self.cache.as_ref().ok_or(FetchError::NoCache)?;
        let url = format!("{cache}/{namespace}-0.json");
        let request = self.http.get(&url).headers(self.headers.clone());
        self.answer(namespace, &url, &request, Credentials::Dump, out).await
    }

    async fn answer(
        &self,
        namespace: Namespace,
        url: &str,
        request: &reqwest::RequestBuilder,
        credentials: Credentials,
        out: &Sender<Event>,
    ) -> Result<Answer, FetchError> {
        let governor = (credentials != Credentials::Dump).then_some(&self.governor);
        let mut number = 1;
        loop {
            if let Some(governor) = governor {
                governor.admit().await;
            }
            let attempt = Attempt { options: &self.options, namespace, url, credentials, number };
            let failed = match attempt.run(request, out).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let wait = match failed.again {
                Again::Never => return Err(failed.error),
                _ if number > self.options.retries => return Err(failed.error),
                Again::AfterBackOff => self.back_off(number),
                Again::After(pause) => match governor {
                    Some(governor) => {
                        governor.close_for(pause);
                        Duration::ZERO
                    }
                    // A pause of nothing would let a busy server be asked without a break.
                    None => pause.max(self.back_off(number)),
                },
            };
            tracing::warn!(%url, error = %failed.error, "asking PeeringDB again");
            if failed.handed_out {
                out.send(Event::Restart).await.map_err(|_| SinkClosed)?;
            }
            sleep(wait).await;
            number += 1;
        }
    }

    fn back_off(&self, attempt: u32) -> Duration {
        let doubled = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(attempt - 1));
        let mut jitter = self.jitter.lock().unwrap_or_else(PoisonError::into_inner);
        doubled.min(LONGEST_WAIT) + Duration::from_secs_f64(jitter.random_range(0.0..=JITTER))
    }
}

/// The address without its last slash. It appears in messages, so it must hold no secret.
fn address(option: &'static str, text: &str) -> Result<String, OptionsError> {
    let plain = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    match Url::parse(text) {
        Ok(url) if plain(&url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        _ => Err(OptionsError::Address { option }),
    }
}

fn header(option: &'static str, text: &str) -> Result<HeaderValue, OptionsError> {
    HeaderValue::from_str(text).map_err(|_| OptionsError::Header { option })
}
