//! A component that does what each request asks, so that tests can see the host from inside.
//!
//! `/seen` returns the URI and headers of the request, `/variable/NAME` a variable, `/sleep/MS` answers later, `/trap`
//! traps, `/length` returns a string with its length, and `/fetch` the result of a request to the URL in the header
//! `x-url`, with the timeouts in `x-connect-ms`, `x-first-byte-ms` and `x-between-bytes-ms`. For `/post` see [`post`].
#![cfg(target_family = "wasm")]

// The component's own code for sending, tested here because the guest can be asked for single requests.
#[path = "../../../../../src/spin/outgoing.rs"]
mod outgoing;
mod post;

use std::time::Duration;

use spin_sdk::http::body::IncomingBodyExt as _;
use spin_sdk::http::{Request, Response, send};
use spin_sdk::http_service;
use spin_sdk::wasip3::http::types::{ErrorCode, RequestOptions};
use spin_sdk::wasip3::http_compat::RequestOptionsExtension;

#[http_service]
async fn handle(request: Request) -> http::Response<String> {
    let path = request.uri().path().to_owned();
    println!("{} {path}", request.method());
    let mut response = http::Response::new(String::new());
    *response.body_mut() = match path.trim_start_matches('/').split_once('/').unwrap_or((&path[1..], "")) {
        ("seen", _) => format!("{} {:?}", request.uri(), request.headers()),
        ("variable", name) => format!("{:?}", spin_sdk::variables::get(name).await),
        ("sleep", ms) => {
            spin_sdk::time::sleep(Duration::from_millis(ms.parse().unwrap_or_default())).await;
            println!("slept {ms}");
            "slept".to_owned()
        }
        ("trap", _) => panic!("asked to trap"),
        ("fetch", _) => match fetch(&request).await {
            Ok(text) => text,
            Err(code) => format!("failed: {code:?}"),
        },
        ("post", way) => post::post(&request, way).await,
        ("length", _) => {
            let text = "the whole answer";
            response.headers_mut().insert(http::header::CONTENT_LENGTH, text.len().into());
            text.to_owned()
        }
        _ => "hello".to_owned(),
    };
    response
}

async fn fetch(request: &Request) -> Result<String, ErrorCode> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let nanoseconds = |name| header(name).and_then(|ms| ms.parse::<u64>().ok()).map(|ms| ms * 1_000_000);
    let wrong =
        |what: &str| ErrorCode::InternalError(Some(format!("the test's request has no valid {what}")));

    let options = RequestOptions::new();
    let set = [
        options.set_connect_timeout(nanoseconds("x-connect-ms")),
        options.set_first_byte_timeout(nanoseconds("x-first-byte-ms")),
        options.set_between_bytes_timeout(nanoseconds("x-between-bytes-ms")),
    ];
    if set.iter().any(Result::is_err) {
        return Err(wrong("time-outs"));
    }
    let request = http::Request::get(header("x-url").ok_or_else(|| wrong("x-url"))?)
        .extension(RequestOptionsExtension(options))
        .body(String::new())
        .map_err(|_| wrong("x-url"))?;
    let response: Response = send(request).await?;
    let status = response.status();
    let body = response.into_body().bytes().await?;
    Ok(format!("{status}: {}", String::from_utf8_lossy(&body)))
}
