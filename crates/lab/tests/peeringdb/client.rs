use std::sync::Once;
use std::time::Duration;

use chrono::{DateTime, Utc};
use pm_lab::peeringdb::{Options, Server, World};
use reqwest::{Client, ClientBuilder, RequestBuilder, StatusCode};
use serde_json::Value;

pub(crate) const KEY: &str = "prefix.secret";

/// The simulated time at which the tests' worlds begin.
pub(crate) fn start_time() -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000, 0).unwrap()
}

/// A world of some 2,500 rows.
pub(crate) fn world() -> World {
    World::generate(0.01, 42, start_time())
}

pub(crate) async fn serve(options: Options) -> Server {
    Server::start(world(), Options { api_keys: vec![KEY.to_owned()], ..options }).await.unwrap()
}

pub(crate) fn client() -> Client {
    builder().build().unwrap()
}

/// A client that leaves compressed bodies as they are.
pub(crate) fn raw_get(server: &Server, path: &str) -> RequestBuilder {
    builder().gzip(false).build().unwrap().get(format!("{}/{path}", server.url()))
}

#[expect(clippy::disallowed_methods, reason = "the tests' own client, for plain HTTP on the loopback")]
fn builder() -> ClientBuilder {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Another test binary in this process cannot have set one.
        rustls::crypto::ring::default_provider().install_default().unwrap();
    });
    Client::builder().no_proxy().timeout(Duration::from_secs(5))
}

pub(crate) fn get(server: &Server, path: &str) -> RequestBuilder {
    client().get(format!("{}/{path}", server.url()))
}

pub(crate) fn with_key(request: RequestBuilder) -> RequestBuilder {
    request.header("Authorization", format!("Api-Key {KEY}"))
}

pub(crate) async fn json(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let body = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// The rows of a list, which must come with 200.
pub(crate) async fn rows(request: RequestBuilder) -> Vec<Value> {
    let (status, body) = json(request).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body["data"].as_array().unwrap().clone()
}

pub(crate) fn ids(rows: &[Value]) -> Vec<u64> {
    rows.iter().map(|row| row["id"].as_u64().unwrap()).collect()
}

/// A control, by POST.
pub(crate) async fn control(server: &Server, path: &str) -> (StatusCode, Value) {
    json(client().post(format!("{}/{path}", server.root()))).await
}
