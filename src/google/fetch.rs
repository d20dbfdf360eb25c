//! The exchanges with the token endpoint and the metadata server.

use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::assertion::ServiceAccountKey;
use super::{Token, TokenError, expiry};
use crate::base::ports::OutboundRequest;
use crate::base::world::World;
use crate::config::Secret;
use crate::google::jwt::unverified_expiry;
use crate::google::settings::GoogleConfig;

const TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Longest excerpt of an endpoint's refusal, in characters.
const WORDS_CHARS_MAX: usize = 200;

#[derive(Deserialize)]
struct Access {
    access_token: String,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct Identity {
    id_token: String,
}

pub(super) async fn access_by_key(
    world: &World,
    config: &GoogleConfig,
    key: &ServiceAccountKey,
) -> Result<Token, TokenError> {
    let answer: Access = exchange(world, config, key, None).await?;
    Ok(access(world, answer))
}

pub(super) async fn identity_by_key(
    world: &World,
    config: &GoogleConfig,
    key: &ServiceAccountKey,
    audience: &str,
) -> Result<Token, TokenError> {
    let answer: Identity = exchange(world, config, key, Some(audience)).await?;
    Ok(identity(world, answer.id_token))
}

pub(super) async fn access_by_metadata(world: &World, config: &GoogleConfig) -> Result<Token, TokenError> {
    let answer = ask_metadata(world, config, "token").await?;
    Ok(access(world, parse(&answer)?))
}

pub(super) async fn identity_by_metadata(
    world: &World,
    config: &GoogleConfig,
    audience: &str,
) -> Result<Token, TokenError> {
    let query: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("audience", audience)
        .append_pair("format", "full")
        .finish();
    let answer = ask_metadata(world, config, &format!("identity?{query}")).await?;
    let token = std::str::from_utf8(&answer).unwrap_or_default().trim().to_owned();
    Ok(identity(world, token))
}

fn access(world: &World, answer: Access) -> Token {
    let expires_at = expiry(world.clock.now(), answer.expires_in);
    Token { secret: Secret::new(answer.access_token), expires_at }
}

fn identity(world: &World, token: String) -> Token {
    let told = unverified_expiry(&token).and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    Token { expires_at: told.unwrap_or_else(|| expiry(world.clock.now(), None)), secret: Secret::new(token) }
}

/// Exchanges a signed assertion at the token endpoint.
async fn exchange<T: DeserializeOwned>(
    world: &World,
    config: &GoogleConfig,
    key: &ServiceAccountKey,
    audience: Option<&str>,
) -> Result<T, TokenError> {
    let assertion = key.sign(audience, world.clock.now()).map_err(TokenError::Refused)?;
    let body: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
        .append_pair("assertion", &assertion)
        .finish();
    let headers =
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))]);
    let url = format!("{}/token", config.oauth_url);
    parse(&send(world, Method::POST, url, headers, Bytes::from(body)).await?)
}

async fn ask_metadata(world: &World, config: &GoogleConfig, what: &str) -> Result<Bytes, TokenError> {
    let url = format!("{}/computeMetadata/v1/instance/service-accounts/default/{what}", config.metadata_url);
    let flavor = (HeaderName::from_static("metadata-flavor"), HeaderValue::from_static("Google"));
    send(world, Method::GET, url, HeaderMap::from_iter([flavor]), Bytes::new()).await
}

async fn send(
    world: &World,
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Bytes, TokenError> {
    let request = OutboundRequest {
        method,
        url,
        headers,
        body,
        connect_timeout: TIMEOUT,
        timeout: TIMEOUT,
        body_bytes_max: ANSWER_BYTES_MAX,
    };
    let answer = world.send(request).await;
    let answer = answer.map_err(|error| TokenError::Endpoint(format!("is unreachable: {error}")))?;
    match answer.status.as_u16() {
        200 => Ok(answer.body),
        status @ (408 | 429 | 500..=599) => Err(TokenError::Endpoint(format!("answered {status}"))),
        status => Err(TokenError::Refused(format!(
            "the token endpoint refused the request ({status}): {}",
            if answer.status.is_redirection() {
                "redirects are not followed".to_owned()
            } else {
                refusal(&answer.body)
            }
        ))),
    }
}

/// The message of an OAuth error (RFC 6749, section 5.2); nothing else from the body is repeated.
fn refusal(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(default)]
        error: String,
        #[serde(default)]
        error_description: String,
    }
    let Ok(refusal) = serde_json::from_slice::<Refusal>(body) else { return "no reason given".to_owned() };
    let hint = if refusal.error == "invalid_grant" {
        " (check the clock and whether the key is still valid)"
    } else {
        ""
    };
    let text = format!("{} {}{hint}", refusal.error, refusal.error_description);
    text.chars().filter(|c| !c.is_control()).take(WORDS_CHARS_MAX).collect()
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, TokenError> {
    // The body may contain a token, so the error only says that it has the wrong shape.
    serde_json::from_slice(body)
        .map_err(|_| TokenError::Endpoint("returned something that is not a token".to_owned()))
}
