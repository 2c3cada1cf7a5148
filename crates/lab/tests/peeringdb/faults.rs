//! HTTP going wrong, as a client notices it.

use std::time::Duration;

use pm_lab::peeringdb::{Fault, FaultKind, Namespace, Options, Server};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::client::{control, get, json, raw_get, rows, serve};

async fn hit(server: &Server, kind: FaultKind, path: &str) -> reqwest::Result<reqwest::Response> {
    server.fault(Some(Namespace::Net), Fault::once(kind));
    let endless = matches!(kind, FaultKind::Hang | FaultKind::Slow);
    get(server, path).timeout(Duration::from_secs(if endless { 5 } else { 60 })).send().await
}

#[tokio::test]
async fn refusals() {
    let server = serve(Options::default()).await;
    let retry_after = |response: &reqwest::Response| {
        response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned())
    };
    let response = hit(&server, FaultKind::TooMany, "net").await.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(retry_after(&response).as_deref(), Some("1"));
    let response = hit(&server, FaultKind::TooManyDate, "net").await.unwrap();
    assert_eq!(retry_after(&response).as_deref(), Some("Sun, 15 Jun 2025 15:06:41 GMT"));
    assert_eq!(response.headers()["date"], "Sun, 15 Jun 2025 15:06:40 GMT");
    let response = hit(&server, FaultKind::TooManyBare, "net").await.unwrap();
    assert_eq!((response.status().as_u16(), retry_after(&response)), (429, None));
    for (kind, status) in [
        (FaultKind::Unauthorized, 401),
        (FaultKind::Internal, 500),
        (FaultKind::BadGateway, 502),
        (FaultKind::Html, 200),
        (FaultKind::NotJson, 200),
        (FaultKind::NoData, 200),
        (FaultKind::DataObject, 200),
    ] {
        let response = hit(&server, kind, "net").await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{kind}");
        let body = response.bytes().await.unwrap();
        let list = serde_json::from_slice::<Value>(&body).is_ok_and(|body| body["data"].is_array());
        assert!(!list, "{kind}");
    }
    server.stop().await;
}

#[tokio::test]
async fn bodies_that_end_early() {
    let server = serve(Options::default()).await;
    let whole = get(&server, "net").send().await.unwrap().bytes().await.unwrap();
    for kind in [FaultKind::Cut, FaultKind::CutChunked] {
        for encoding in ["identity", "gzip"] {
            server.fault(None, Fault { after: Some(1_000), ..Fault::once(kind) });
            let mut response =
                raw_get(&server, "net").header("Accept-Encoding", encoding).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers().contains_key("content-length"), kind == FaultKind::Cut);
            let mut got = 0;
            let end = loop {
                match response.chunk().await {
                    Ok(Some(chunk)) => got += chunk.len(),
                    end => break end,
                }
            };
            assert!(end.is_err(), "{kind} must not look like an end");
            assert_eq!(got, 1_000, "{kind}");
        }
    }
    let clean = hit(&server, FaultKind::CutClean, "net").await.unwrap().bytes().await.unwrap();
    assert_eq!(clean, whole.slice(..whole.len() / 2));
    assert_eq!(get(&server, "net").send().await.unwrap().bytes().await.unwrap(), whole, "it was for once");
    server.stop().await;
}

#[tokio::test]
async fn answers_that_take_for_ever() {
    let server = serve(Options::default()).await;
    assert!(hit(&server, FaultKind::Hang, "net").await.unwrap_err().is_timeout());
    let slow = hit(&server, FaultKind::Slow, "net").await.unwrap();
    assert!(slow.bytes().await.unwrap_err().is_timeout());
    let mut huge = hit(&server, FaultKind::Huge, "net").await.unwrap();
    let mut got = 0;
    while got < 20_000_000 {
        got += huge.chunk().await.unwrap().unwrap().len();
    }
    // A request that hangs does not keep the server from stopping.
    server.fault(None, Fault::once(FaultKind::Hang));
    let before = server.requests().len();
    let hanging = tokio::spawn(get(&server, "net").send());
    while server.requests().len() == before {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::timeout(Duration::from_mins(1), server.stop()).await.unwrap();
    assert!(hanging.await.unwrap().is_ok_and(|response| response.status() == 503));
}

#[tokio::test]
async fn rows_that_are_wrong() {
    let server = serve(Options::default()).await;
    let live = rows(get(&server, "net")).await;
    let hit = async |kind, path: &str| {
        server.fault(Some(Namespace::Net), Fault::once(kind));
        rows(get(&server, path)).await
    };
    assert!(hit(FaultKind::Empty, "net").await.is_empty());
    let got = hit(FaultKind::NoId, "net").await;
    assert!(got[0].get("id").is_none() && got[1..] == live[1..]);
    let got = hit(FaultKind::Duplicate, "net").await;
    assert_eq!(got[..live.len()], live);
    assert_eq!((got.len(), &got[live.len()]["id"]), (live.len() + 1, &live[0]["id"]));
    let got = hit(FaultKind::WrongTypes, "net").await;
    assert!(got[0]["id"].is_string() && got[1]["name"].is_number());
    assert_eq!(got[live.len()..], [json!("no object"), json!([1, 2]), Value::Null]);
    assert_eq!(hit(FaultKind::MassDelete, "net").await, live[..live.len() / 10]);
    let got = hit(FaultKind::MassDelete, "net?since=1750000000").await;
    assert!(got.len() == live.len() && got.iter().all(|row| row["status"] == "deleted"));
    assert_eq!(rows(get(&server, "net")).await, live);
    server.stop().await;
}

#[tokio::test]
async fn faults_hit_what_they_are_meant_for() {
    let server = serve(Options::default()).await;
    let status = async |path: &str| json(get(&server, path)).await.0.as_u16();
    assert_eq!(control(&server, "lab/fault?ns=net&kind=500&times=2").await.0, StatusCode::OK);
    assert_eq!(
        [status("ix").await, status("net").await, status("net").await, status("net").await],
        [200, 500, 500, 200]
    );
    control(&server, "lab/fault?ns=*&kind=429&times=0&seconds=7").await;
    assert_eq!([status("ix").await, status("org").await, status("net").await], [429; 3]);
    control(&server, "lab/fault?clear=1").await;
    assert_eq!(status("ix").await, 200);
    for kind in FaultKind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(*kind));
    }
    server.stop().await;
}
