//! Requests to a real server, and where they may go.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use pm_lab::receiver::{Receiver, Reply};
use pm_lab::routers::fleet::{CERTIFICATE, KEY};
use pm_notify::target::Targets;
use pm_notify::webhook::{self, Names, Options, Request, SystemNames, WebhookError};
use ring::hmac;

fn options() -> Options {
    Options {
        user_agent: "PeeringManager/0.1".into(),
        proxies: vec![],
        authorities: vec![],
        verify: true,
        targets: Targets { allowed: vec!["127.0.0.0/8".parse().unwrap()] },
        timeout: Duration::from_mins(1),
        answer_limit: 4096,
        names: Arc::new(SystemNames),
    }
}

fn strict() -> Options {
    Options { targets: Targets::default(), ..options() }
}

fn request(url: &str) -> Request {
    Request {
        method: "POST".into(),
        url: url.to_owned().into(),
        content_type: "application/json".into(),
        headers: vec![("Authorization".into(), "Bearer t0ken-planted".to_owned().into())],
        body: b"{\"event\":\"update\"}".to_vec(),
        secret: Some("s3cret-planted".to_owned().into()),
        delivery: "d1".into(),
    }
}

/// Names that stand for something else each time.
struct Changing(Vec<IpAddr>, AtomicUsize);

impl Names for Changing {
    fn look_up(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let place = self.1.fetch_add(1, Ordering::SeqCst).min(self.0.len() - 1);
        let found = vec![self.0[place]];
        Box::pin(async move { Ok(found) })
    }
}

fn named(addresses: &[&str]) -> Arc<dyn Names> {
    Arc::new(Changing(addresses.iter().map(|text| text.parse().unwrap()).collect(), AtomicUsize::new(0)))
}

#[tokio::test]
async fn the_receiver_can_check_who_sent_it() {
    let receiver = Receiver::start().await.unwrap();
    let url = format!("http://127.0.0.1:{}/hook?a=1", receiver.port());
    receiver.reply(Reply::status(204));
    let answer = webhook::send(&request(&url), &options()).await.unwrap();
    assert!(answer.is_success(), "204 is success: {answer:?}");
    let got = receiver.received().remove(0);
    assert_eq!((got.method.as_str(), got.target.as_str()), ("POST", "/hook?a=1"));
    assert_eq!(got.header("content-type"), "application/json");
    assert_eq!(got.header("authorization"), "Bearer t0ken-planted");
    assert_eq!(got.header("x-hook-delivery"), "d1");
    assert_eq!(got.header("user-agent"), "PeeringManager/0.1");
    let signature = got.header("x-hook-signature");
    assert_eq!(signature.len(), 128, "SHA-512 in hexadecimal");
    let octets: Vec<u8> =
        (0..64).map(|at| u8::from_str_radix(&signature[2 * at..2 * at + 2], 16).unwrap()).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA512, b"s3cret-planted");
    assert!(hmac::verify(&key, &got.body, &octets).is_ok());
    let unsigned = Request { secret: None, ..request(&url) };
    webhook::send(&unsigned, &options()).await.unwrap();
    assert!(!receiver.received()[1].headers.contains_key("x-hook-signature"));
}

#[tokio::test]
async fn what_the_receiver_repeats_is_no_leak() {
    let receiver = Receiver::start().await.unwrap();
    let url = format!("http://127.0.0.1:{}/services/T0/pathsecret?key=querysecret", receiver.port());
    let body = "no: s3cret-planted\r\n t0ken-planted Bearer t0ken-planted /services/T0/pathsecret key=querysecret pathsecret querysecret\u{7}";
    receiver.reply(Reply { body: body.into(), ..Reply::status(500) });
    let answer = webhook::send(&request(&url), &options()).await.unwrap();
    assert_eq!(answer.status, 500);
    assert!(!answer.is_success());
    for secret in ["s3cret-planted", "t0ken-planted", "pathsecret", "querysecret", "\u{7}", "\n"] {
        assert!(!answer.start.contains(secret), "{answer:?}");
    }
    assert!(answer.start.starts_with("no: "), "{answer:?}");
    assert!(!format!("{:?}", request(&url)).contains("s3cret-planted"));
}

#[tokio::test]
async fn redirects_are_not_followed_and_answers_are_cut() {
    let receiver = Receiver::start().await.unwrap();
    let url = format!("http://127.0.0.1:{}/", receiver.port());
    let to = vec![("location", format!("http://127.0.0.1:{}/other", receiver.port()))];
    receiver.reply(Reply { headers: to, ..Reply::status(302) });
    let answer = webhook::send(&request(&url), &options()).await.unwrap();
    assert_eq!((answer.status, answer.is_success()), (302, false));
    assert_eq!(receiver.received().len(), 1);
    receiver.reply(Reply { endless: true, ..Reply::status(200) });
    let answer = webhook::send(&request(&url), &options()).await.unwrap();
    assert!(answer.is_success() && answer.start.len() == 500, "{answer:?}");
}

#[tokio::test]
async fn a_receiver_that_says_nothing_is_given_up() {
    let receiver = Receiver::start().await.unwrap();
    receiver.reply(Reply { delay: Duration::from_mins(1), ..Reply::status(200) });
    let url = format!("http://127.0.0.1:{}/secretpath", receiver.port());
    let hurried = Options { timeout: Duration::from_millis(300), ..options() };
    let error = webhook::send(&request(&url), &hurried).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("did not answer within") || text.contains("could not be reached"), "{text}");
    assert!(!text.contains("secretpath"), "{text}");
}

#[tokio::test]
async fn nobody_is_sent_to_this_host() {
    let receiver = Receiver::start().await.unwrap();
    let port = receiver.port();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "localhost",
        "LOCALHOST",
        "169.254.169.254",
        "[fe80::1]",
    ] {
        let error = webhook::send(&request(&format!("http://{host}:{port}/")), &strict()).await.unwrap_err();
        assert!(matches!(error, WebhookError::Refused(_)), "{host}: {error}");
    }
    for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.1.1"] {
        let options = Options { names: named(&[address]), ..strict() };
        let url = format!("http://receiver.example.net:{port}/");
        let error = webhook::send(&request(&url), &options).await.unwrap_err();
        assert!(matches!(error, WebhookError::Refused(_)), "{address}: {error}");
        assert!(
            error.to_string().contains(address) && error.to_string().contains("receiver.example.net"),
            "{error}"
        );
    }
    assert_eq!(receiver.received().len(), 0);
}

#[tokio::test]
async fn the_connection_goes_to_the_address_that_was_checked() {
    let receiver = Receiver::start().await.unwrap();
    // The first address is allowed, a later one is not: only the first is looked up and used.
    let names = Arc::new(Changing(
        vec!["127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap()],
        AtomicUsize::new(0),
    ));
    let targets = Targets { allowed: vec!["127.0.0.1/32".parse().unwrap()] };
    let options = Options { names: Arc::clone(&names) as _, targets, ..options() };
    let url = format!("http://receiver.example.net:{}/", receiver.port());
    assert!(webhook::send(&request(&url), &options).await.unwrap().is_success());
    assert_eq!(names.1.load(Ordering::SeqCst), 1, "it was looked up once");
    assert_eq!(receiver.received()[0].header("host"), format!("receiver.example.net:{}", receiver.port()));
}

#[tokio::test]
async fn certificates_are_verified_unless_told_otherwise() {
    let receiver = Receiver::start_tls(CERTIFICATE.as_bytes(), KEY.as_bytes()).await.unwrap();
    let url = format!("https://localhost:{}/", receiver.port());
    let options = || Options { names: named(&["127.0.0.1"]), ..options() };
    let error = webhook::send(&request(&url), &options()).await.unwrap_err();
    assert!(matches!(error, WebhookError::Unreachable { .. }), "{error}");
    assert_eq!(receiver.received().len(), 0);
    let trusting = Options { authorities: vec![CERTIFICATE.as_bytes().to_vec()], ..options() };
    assert!(webhook::send(&request(&url), &trusting).await.unwrap().is_success());
    let careless = Options { verify: false, ..options() };
    assert!(webhook::send(&request(&url), &careless).await.unwrap().is_success());
    let broken = Options { authorities: vec![b"none".to_vec()], ..options() };
    let error = webhook::send(&request(&url), &broken).await.unwrap_err();
    assert!(error.to_string().contains("no certificate"), "{error}");
}

#[tokio::test]
async fn a_proxy_gets_what_goes_through_it() {
    let proxy = Receiver::start().await.unwrap();
    let options = Options {
        proxies: vec![("http".into(), format!("http://127.0.0.1:{}", proxy.port()).into())],
        ..strict()
    };
    let url = "http://192.0.2.80/hook";
    assert!(webhook::send(&request(url), &options).await.unwrap().is_success());
    assert_eq!(proxy.received()[0].target, url);
    let error = webhook::send(&request("http://127.0.0.1/hook"), &options).await.unwrap_err();
    assert!(matches!(error, WebhookError::Refused(_)), "{error}");
}

#[tokio::test]
async fn what_cannot_be_sent_is_told_without_secrets() {
    for url in
        ["", "ftp://a/", "http://", "http://user:pass@192.0.2.1/", "//192.0.2.1/", "file:///etc/passwd"]
    {
        let error = webhook::send(&request(url), &options()).await.unwrap_err();
        assert!(matches!(error, WebhookError::Url), "{url}: {error}");
    }
    for name in
        ["Host", "content-length", "X-Hook-Signature", "x-hook-delivery", "bad name", "Transfer-Encoding"]
    {
        let headers = vec![(name.to_owned(), "planted".to_owned().into())];
        let given = Request { headers, ..request("http://192.0.2.1/") };
        let error = webhook::send(&given, &options()).await.unwrap_err();
        assert!(matches!(error, WebhookError::Header(_)), "{name}: {error}");
        assert!(!error.to_string().contains("planted"));
    }
    let closed = Receiver::start().await.unwrap();
    let url = format!("http://127.0.0.1:{}/planted", closed.port());
    drop(closed);
    let error = webhook::send(&request(&url), &options()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("could not be reached") && !text.contains("planted"), "{text}");
}
