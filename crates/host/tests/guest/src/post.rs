//! Sends bodies: `/post/sdk` as the SDK does, `/post/together` as the component does.
//!
//! Each request sends `x-bytes` zeros to the URL in `x-url`: `x-times` at once, in `x-rounds` rounds, cancelled after
//! `x-give-up-ms`. The response lists the result of each.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, join_all, select};
use http_body_util::{BodyExt as _, Full};
use spin_sdk::http::Request;
use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::http::types::{ErrorCode, RequestOptions};
use spin_sdk::wasip3::http_compat::http_from_wasi_response;

use crate::outgoing;

pub async fn post(request: &Request, way: &str) -> String {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let number = |name, otherwise: usize| header(name).map_or(Some(otherwise), |text| text.parse().ok());
    let (Some(url), Some(bytes), Some(times), Some(rounds), Some(give_up)) = (
        header("x-url"),
        number("x-bytes", 0),
        number("x-times", 1),
        number("x-rounds", 1),
        number("x-give-up-ms", usize::MAX >> 1),
    ) else {
        return "no valid x-url, x-bytes, x-times, x-rounds or x-give-up-ms".to_owned();
    };
    let give_up = Duration::from_millis(give_up.try_into().unwrap_or(u64::MAX));
    let mut found = Vec::new();
    for _ in 0..rounds {
        found.extend(join_all((0..times).map(|_| one(url, way, bytes, give_up))).await);
    }
    found.join("\n")
}

async fn one(url: &str, way: &str, bytes: usize, give_up: Duration) -> String {
    let request = http::Request::post(url).body(Bytes::from(vec![b'0'; bytes]));
    let Ok(request) = request else { return "no valid x-url".to_owned() };
    let exchange = pin!(async {
        match way {
            "sdk" => by_the_sdk(request).await,
            _ => together(request).await,
        }
    });
    match select(exchange, pin!(spin_sdk::time::sleep(give_up))).await {
        Either::Left((Ok(text), _)) => text,
        Either::Left((Err(code), _)) => format!("failed: {code:?}"),
        Either::Right(_) => "given up".to_owned(),
    }
}

async fn by_the_sdk(mut request: http::Request<Bytes>) -> Result<String, ErrorCode> {
    // The SDK does not set the length either.
    let length = http::HeaderValue::from(request.body().len());
    request.headers_mut().insert(http::header::CONTENT_LENGTH, length);
    read(spin_sdk::http::send(request.map(Full::new)).await?).await
}

async fn together(request: http::Request<Bytes>) -> Result<String, ErrorCode> {
    let (head, body) = outgoing::halves(request, RequestOptions::new())
        .map_err(|error| ErrorCode::InternalError(Some(error)))?;
    let exchange = async { read(http_from_wasi_response(client::send(head).await?)?).await };
    body.beside(exchange).await
}

async fn read(response: spin_sdk::http::Response) -> Result<String, ErrorCode> {
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok(format!("{status}: {}", String::from_utf8_lossy(&body)))
}
