//! A table of hostile tokens, against the real verification with keys served by a virtual endpoint.

mod audience;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use jsonwebtoken::{Header, encode};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::credentials::TOKEN_BYTES_MAX;
use super::*;
use crate::base::ports::{
    BoxFuture, Clock, Entropy, InboundResponse, Instant, OutboundRequest, Transport, TransportError,
};

const NOW: i64 = 1_800_000_000;
const CALLER: &str = "scheduler@p.iam.gserviceaccount.com";
const OPERATOR: &str = "operator-token-0123456789";
const AUDIENCE: &str = "https://orchestrator.p.internal";
/// Two RSA keys made for these tests alone.
const KEY: &str = include_str!("testdata/key.pem");
const OTHER_KEY: &str = include_str!("testdata/other_key.pem");
const MODULUS: &str = include_str!("testdata/modulus.txt");

/// Serves the key set, or fails.
#[derive(Default)]
struct Endpoint {
    fetches: AtomicU32,
    down: std::sync::atomic::AtomicBool,
}

impl Transport for Endpoint {
    fn send(&self, _: OutboundRequest) -> BoxFuture<'static, Result<InboundResponse, TransportError>> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let down = self.down.load(Ordering::Relaxed);
        Box::pin(async move {
            if down {
                return Err(TransportError::Connect("refused".into()));
            }
            let keys = json!({"keys": [{"kid": "k1", "kty": "RSA", "alg": "RS256", "n": MODULUS.trim(), "e": "AQAB"}]});
            let headers =
                HeaderMap::from_iter([(http::header::CACHE_CONTROL, HeaderValue::from_static("max-age=60"))]);
            Ok(InboundResponse { status: StatusCode::OK, headers, body: Bytes::from(keys.to_string()) })
        })
    }
}

/// A clock that stands still until it is set.
#[derive(Default)]
struct Still {
    seconds: AtomicU32,
}

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(NOW + i64::from(self.seconds.load(Ordering::Relaxed)), 0).unwrap()
    }

    fn instant(&self) -> Instant {
        Instant::from_origin(Duration::from_secs(u64::from(self.seconds.load(Ordering::Relaxed))))
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

struct Zero;

impl Entropy for Zero {
    fn next_u64(&self) -> u64 {
        0
    }
}

struct Setup {
    endpoint: Arc<Endpoint>,
    clock: Arc<Still>,
    auth: Authenticator,
}

fn setup(audiences: &[&str]) -> Setup {
    let (endpoint, clock) = (Arc::new(Endpoint::default()), Arc::new(Still::default()));
    let world = World {
        transport: endpoint.clone(),
        clock: clock.clone(),
        entropy: Arc::new(Zero),
        machine: Arc::new(()),
    };
    let config = AuthConfig {
        inbound: InboundAuth::Oidc,
        scheduler_accounts: BTreeSet::from([CALLER.to_owned()]),
        audiences: audiences.iter().map(ToString::to_string).collect(),
        operator_token: Some(crate::config::Secret::new(OPERATOR.to_owned())),
        allowed_origins: vec![HeaderValue::from_static("https://ops.example")],
        certs_url: "https://certs".into(),
    };
    Setup { endpoint, clock, auth: Authenticator::new(world, config) }
}

impl Setup {
    /// The status of the refusal; none where the request passes.
    fn ask(&self, headers: &[&str]) -> Option<u16> {
        let headers: Vec<_> = headers.iter().map(|value| ("authorization", *value)).collect();
        self.ask_with("GET", &headers)
    }

    fn ask_with(&self, method: &str, headers: &[(&str, &str)]) -> Option<u16> {
        let mut request =
            Request::builder().method(method).uri("/tiingo/daily-prices").header("host", "us.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let answer = self.auth.authenticate(&head).now_or_never().expect("nothing waits");
        answer.err().map(|refusal| refusal.status().as_u16())
    }

    fn ask_bearer(&self, token: &str) -> Option<u16> {
        self.ask(&[&format!("Bearer {token}")])
    }
}

fn claims() -> Json {
    json!({
        "iss": "https://accounts.google.com", "aud": AUDIENCE,
        "iat": NOW, "exp": NOW + 3600, "email": CALLER, "email_verified": true,
    })
}

fn with(name: &str, value: Json) -> Json {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn signed(claims: &Json) -> String {
    signed_by(claims, "k1", KEY)
}

fn signed_by(claims: &Json, kid: &str, key: &str) -> String {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::RS256) };
    encode(&header, claims, &rs256::signing_key(key).unwrap()).unwrap()
}

/// A token with any header and any signature.
fn forged(header: &Json, signature: &[u8]) -> String {
    let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.{}", part(header), part(&claims()), URL_SAFE_NO_PAD.encode(signature))
}

/// HMAC of RFC 2104, for a key longer than a block.
fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    block[..32].copy_from_slice(&Sha256::digest(key));
    let pad = |byte: u8| block.map(|key| key ^ byte);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

#[test]
fn the_schedulers_token_and_the_operators_pass() {
    let setup = setup(&[AUDIENCE]);
    assert_eq!(setup.ask_bearer(&signed(&claims())), None);
    assert_eq!(setup.ask(&[&format!("bearer {OPERATOR}")]), None);
    assert_eq!(setup.endpoint.fetches.load(Ordering::Relaxed), 1, "the keys are fetched once");
}

#[test]
fn hostile_tokens_are_refused() {
    let good = signed(&claims());
    let hs256 = {
        let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", part(&json!({"alg": "HS256", "kid": "k1"})), part(&claims()));
        let signature = hmac_sha256(MODULUS.trim().as_bytes(), message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let mut missing_exp = claims();
    missing_exp.as_object_mut().unwrap().remove("exp");
    let tampered = {
        let mut parts: Vec<_> = good.split('.').collect();
        let other = URL_SAFE_NO_PAD.encode(with("email", json!("evil@p.iam")).to_string());
        parts[1] = &other;
        parts.join(".")
    };
    let table = [
        ("alg none", forged(&json!({"alg": "none", "kid": "k1"}), b"")),
        ("HS256 with the public key", hs256),
        ("wrong key", signed_by(&claims(), "k1", OTHER_KEY)),
        ("unknown kid", signed_by(&claims(), "k2", KEY)),
        ("no kid", forged(&json!({"alg": "RS256"}), b"x")),
        ("no signature", forged(&json!({"alg": "RS256", "kid": "k1"}), b"")),
        ("tampered claims", tampered),
        ("expired", signed(&with("exp", json!(NOW - 61)))),
        ("not yet valid", signed(&with("nbf", json!(NOW + 120)))),
        ("exp is a text", signed(&with("exp", json!((NOW + 3600).to_string())))),
        ("no exp", signed(&missing_exp)),
        ("wrong audience", signed(&with("aud", json!("https://other.example")))),
        ("wrong issuer", signed(&with("iss", json!("https://evil.example")))),
        ("garbage", "garbage".into()),
        ("empty", String::new()),
        ("dots", "..".into()),
        ("huge", "a".repeat(TOKEN_BYTES_MAX + 1)),
        ("nearly the operator's", OPERATOR[1..].into()),
    ];
    let setup = setup(&[AUDIENCE]);
    for (name, token) in table {
        assert_eq!(setup.ask_bearer(&token), Some(401), "{name}");
    }
}

#[test]
fn a_good_token_of_somebody_else_is_forbidden() {
    let setup = setup(&[AUDIENCE]);
    assert_eq!(setup.ask_bearer(&signed(&with("email", json!("other@p.iam")))), Some(403));
    assert_eq!(setup.ask_bearer(&signed(&with("email_verified", json!(false)))), Some(403));
}

#[test]
fn no_token_or_two_are_refused_without_asking_google() {
    let setup = setup(&[AUDIENCE]);
    let good = format!("Bearer {}", signed(&claims()));
    for headers in [&[][..], &["Basic dTpw"], &["Bearer"], &[&good, &good]] {
        assert_eq!(setup.ask(headers), Some(401), "{headers:?}");
    }
    assert_eq!(setup.endpoint.fetches.load(Ordering::Relaxed), 0);
}

#[test]
fn a_browser_may_use_the_operators_token_as_password_from_our_own_pages_only() {
    let setup = setup(&[AUDIENCE]);
    let basic = format!("Basic {}", STANDARD.encode(format!("anybody:{OPERATOR}")));
    let ask = |method, headers: &[(&str, &str)]| {
        setup.ask_with(method, &[&[("authorization", basic.as_str())], headers].concat())
    };
    assert_eq!(ask("GET", &[("sec-fetch-site", "cross-site")]), None, "reading tells another page nothing");
    for (headers, expect) in [
        (&[][..], None),
        (&[("sec-fetch-site", "same-origin")], None),
        (&[("sec-fetch-site", "cross-site")], Some(403)),
        (&[("sec-fetch-site", "same-site"), ("origin", "https://us.example")], Some(403)),
        (&[("origin", "https://us.example")], None),
        (&[("origin", "https://evil.example")], Some(403)),
        (&[("origin", "null")], Some(403)),
    ] {
        assert_eq!(ask("POST", headers), expect, "{headers:?}");
    }
    let wrong = format!("Basic {}", STANDARD.encode("anybody:wrong"));
    assert_eq!(setup.ask(&[&wrong]), Some(401));
}

#[test]
fn behind_a_platform_only_our_own_pages_and_allowed_ones_may_change_something() {
    let mut setup = setup(&[AUDIENCE]);
    setup.auth.config.inbound = InboundAuth::Platform;
    let foreign = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    let allowed = [("sec-fetch-site", "cross-site"), ("origin", "https://ops.example")];
    assert_eq!(setup.ask_with("POST", &foreign), Some(403));
    assert_eq!(setup.ask_with("POST", &allowed), None);
    assert_eq!([setup.ask_with("POST", &[]), setup.ask_with("GET", &foreign)], [None, None]);
}

#[test]
fn unknown_key_ids_cannot_make_us_hammer_the_endpoint() {
    let setup = setup(&[AUDIENCE]);
    for _ in 0..5 {
        assert_eq!(setup.ask_bearer(&signed_by(&claims(), "k2", KEY)), Some(401));
    }
    assert_eq!(setup.endpoint.fetches.load(Ordering::Relaxed), 2);
}

#[test]
fn the_last_good_keys_serve_while_the_endpoint_is_down() {
    let setup = setup(&[AUDIENCE]);
    assert_eq!(setup.ask_bearer(&signed(&claims())), None);
    setup.endpoint.down.store(true, Ordering::Relaxed);
    setup.clock.seconds.store(120, Ordering::Relaxed);
    assert_eq!(setup.ask_bearer(&signed(&claims())), None);
}

#[test]
fn without_keys_nobody_is_let_in() {
    let setup = setup(&[AUDIENCE]);
    setup.endpoint.down.store(true, Ordering::Relaxed);
    assert_eq!(setup.ask_bearer(&signed(&claims())), Some(503));
}

#[test]
fn a_caller_is_named() {
    let named = |setup: &Setup, authorization: &str| {
        let request = Request::post("/orders").header("authorization", authorization).body(()).unwrap();
        let (parts, ()) = request.into_parts();
        setup.auth.authenticate(&parts).now_or_never().unwrap().map(|Caller(who)| who)
    };
    let mut setup = setup(&[AUDIENCE]);
    assert_eq!(named(&setup, &format!("Bearer {OPERATOR}")), Ok("operator".into()));
    let basic = STANDARD.encode(format!("me:{OPERATOR}"));
    assert_eq!(named(&setup, &format!("Basic {basic}")), Ok("operator".into()));
    let token = signed(&claims());
    assert_eq!(named(&setup, &format!("Bearer {token}")), Ok(CALLER.into()));

    // The platform in front has verified the token, and may have removed its signature.
    setup.auth.config.inbound = InboundAuth::Platform;
    let (start, _) = token.rsplit_once('.').unwrap();
    assert_eq!(named(&setup, &format!("Bearer {start}.SIGNATURE_REMOVED_BY_GOOGLE")), Ok(CALLER.into()));
    assert_eq!(named(&setup, "Bearer something"), Ok("platform".into()));
    setup.auth.config.inbound = InboundAuth::None;
    assert_eq!(named(&setup, &format!("Bearer {token}")), Ok("anybody".into()));
}
