//! Google's published keys (a JSON Web Key Set, RFC 7517).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Method};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;

use crate::base::cached::{Cached, Lifetime};
use crate::base::ports::{Instant, OutboundRequest};
use crate::base::world::World;

const TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// How long keys are fresh if the response does not say, and at most.
const FRESH_DEFAULT: Duration = Duration::from_secs(3600);
const FRESH_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long the last good keys are used while the endpoint is down.
const USABLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Minimum time between two fetches for an unknown key ID: anyone can make one up.
const UNKNOWN_AGAIN: Duration = Duration::from_secs(30);

/// The keys by ID.
type Keys = BTreeMap<String, DecodingKey>;

/// The keys and their cache.
#[derive(Default)]
pub struct KeySet {
    cached: Cached<Keys, String>,
    asked_for_unknown: Mutex<Option<Instant>>,
}

impl KeySet {
    /// The key with that ID; none if Google has no such key.
    pub async fn find(&self, world: &World, url: &str, id: &str) -> Result<Option<DecodingKey>, String> {
        let keys = self.cached.get(world, || fetch(world, url)).await?;
        if let Some(key) = keys.get(id) {
            return Ok(Some(key.clone()));
        }
        if !self.may_ask_for_unknown(world.clock.instant()) {
            return Ok(None);
        }
        // Keys rotate: the ID may be newer than the cached keys. If the endpoint fails now, the last good keys stay in
        // use.
        let (newer, lifetime) = match fetch(world, url).await {
            Ok(fetched) => fetched,
            Err(error) => {
                tracing::warn!(error, "keys could not be fetched to look up an unknown key ID");
                return Ok(None);
            }
        };
        let found = newer.get(id).cloned();
        self.cached.reject(&keys);
        self.cached.get(world, || async { Ok((newer, lifetime)) }).await?;
        Ok(found)
    }

    fn may_ask_for_unknown(&self, now: Instant) -> bool {
        let mut asked = self.asked_for_unknown.lock().unwrap_or_else(PoisonError::into_inner);
        let may = asked.is_none_or(|asked| now.since(asked) >= UNKNOWN_AGAIN);
        if may {
            *asked = Some(now);
        }
        may
    }
}

async fn fetch(world: &World, url: &str) -> Result<(Keys, Lifetime), String> {
    let request = OutboundRequest {
        method: Method::GET,
        url: url.to_owned(),
        headers: HeaderMap::new(),
        body: bytes::Bytes::new(),
        connect_timeout: TIMEOUT,
        timeout: TIMEOUT,
        body_bytes_max: ANSWER_BYTES_MAX,
    };
    let answer = world.send(request).await.map_err(|error| error.to_string())?;
    if !answer.status.is_success() {
        return Err(format!("the key endpoint answered {}", answer.status.as_u16()));
    }
    let keys = parse(&answer.body)?;
    Ok((keys, Lifetime { fresh: max_age(&answer.headers), usable: USABLE }))
}

fn parse(body: &[u8]) -> Result<Keys, String> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Key>,
    }
    #[derive(Deserialize)]
    struct Key {
        kid: Option<String>,
        kty: Option<String>,
        n: Option<String>,
        e: Option<String>,
    }
    let set: Set = serde_json::from_slice(body)
        .map_err(|error| format!("the key endpoint's response is not a key set: {error}"))?;
    let rsa = |key: Key| {
        let (id, n, e) = (key.kid?, key.n?, key.e?);
        let decoding =
            DecodingKey::from_rsa_components(&n, &e).ok().filter(|_| key.kty.as_deref() == Some("RSA"))?;
        Some((id, decoding))
    };
    let keys: Keys = set.keys.into_iter().filter_map(rsa).collect();
    if keys.is_empty() { Err("the key set has no RSA key".to_owned()) } else { Ok(keys) }
}

/// `max-age` of `Cache-Control`, within bounds.
fn max_age(headers: &HeaderMap) -> Duration {
    let control =
        headers.get(http::header::CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let seconds = control.split(',').find_map(|part| part.trim().strip_prefix("max-age=")?.parse().ok());
    seconds.map_or(FRESH_DEFAULT, Duration::from_secs).min(FRESH_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_is_read_and_bounded() {
        for (control, seconds) in [
            ("public, max-age=19845, must-revalidate", 19_845),
            ("max-age=99999999", 86_400),
            ("no-cache", 3600),
            ("max-age=x", 3600),
        ] {
            let headers = HeaderMap::from_iter([(http::header::CACHE_CONTROL, control.parse().unwrap())]);
            assert_eq!(max_age(&headers), Duration::from_secs(seconds), "{control}");
        }
    }

    #[test]
    fn only_rsa_keys_with_an_id_count() {
        let body = br#"{"keys":[{"kid":"a","kty":"RSA","n":"AQAB","e":"AQAB"},{"kid":"b","kty":"EC"},{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#;
        assert_eq!(parse(body).unwrap().keys().collect::<Vec<_>>(), ["a"]);
        assert!(parse(b"{}").is_err() && parse(br#"{"keys":[]}"#).is_err());
    }
}
