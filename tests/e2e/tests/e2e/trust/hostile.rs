//! Forged, stolen and expired tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::trust::{GUARDED, OPERATOR, ask_as, claims, google, system};
use reqwest::Method;
use serde_json::{Value, json};
use sim::google::{Google, Key, assemble, assemble_hs256, now};
use sim::orchestrator::Orchestrator;

const ROUTE: &str = "/tiingo/daily-prices";
/// A body that would be refused with 422 or 400 if it were read before authentication.
const BAD_BODY: &str = "{\"job\": 1";

/// The collections that the test itself has written.
const SEEDED: [&str; 2] = ["react_activeSymbols", "react_universeSymbols"];

/// The tokens with their names and expected statuses.
fn table(google: &Google, orchestrator: &Orchestrator) -> Vec<(&'static str, u16, String)> {
    let good = claims(google);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        google.sign(&claims)
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().expect("claims").remove(name);
        google.sign(&claims)
    };
    let header = |alg: &str, kid: &str| json!({"alg": alg, "typ": "JWT", "kid": kid});
    let signed = assemble(&header("RS256", Key::first().id()), &good, Key::first());
    let unsigned = |header: Value| {
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        format!("{}.{}.", part(&header), part(&good))
    };
    let (message, _) = signed.rsplit_once('.').expect("a token");
    let (id, modulus) = (Key::first().id(), Key::first().modulus());
    vec![
        ("no algorithm", 401, unsigned(header("none", id))),
        ("another algorithm", 401, assemble(&header("RS512", id), &good, Key::first())),
        (
            "the public key as a shared secret",
            401,
            assemble_hs256(&header("HS256", id), &good, modulus.as_bytes()),
        ),
        ("no signature", 401, unsigned(header("RS256", id))),
        ("a signature of zeros", 401, format!("{message}.{}", URL_SAFE_NO_PAD.encode([0; 256]))),
        ("a wrong key", 401, assemble(&header("RS256", id), &good, Key::stranger())),
        ("an unknown key", 401, assemble(&header("RS256", "stranger"), &good, Key::stranger())),
        ("no key id", 401, assemble(&json!({"alg": "RS256"}), &good, Key::first())),
        ("an embedded key", 401, {
            let own = json!({"alg": "RS256", "kid": id, "jwk": {"kty": "RSA", "e": "AQAB", "n": Key::stranger().modulus()}});
            assemble(&own, &good, Key::stranger())
        }),
        ("expired", 401, with("exp", json!(now() - 120))),
        ("not yet valid", 401, with("nbf", json!(now() + 600))),
        ("from the future", 401, with("iat", json!(now() + 600))),
        ("exp as a string", 401, with("exp", json!((now() + 3600).to_string()))),
        ("no exp", 401, without("exp")),
        ("no issuer", 401, without("iss")),
        ("no audience", 401, without("aud")),
        ("a wrong audience", 401, with("aud", json!("https://other.example"))),
        ("the address as audience", 401, with("aud", json!(format!("{}{ROUTE}", orchestrator.url())))),
        ("a wrong issuer", 401, with("iss", json!("https://accounts.google.com.evil.example"))),
        ("huge", 401, "a".repeat(20_000)),
        ("garbage", 401, "garbage".to_owned()),
        ("three empty parts", 401, "..".to_owned()),
        ("the operator's without its first letter", 401, OPERATOR[1..].to_owned()),
        ("another caller", 403, with("email", json!("other@sim.iam.gserviceaccount.com"))),
        ("no e-mail", 403, without("email")),
        ("an e-mail that is not verified", 403, with("email_verified", json!(false))),
        ("an e-mail without email_verified", 403, without("email_verified")),
    ]
}

#[tokio::test]
async fn no_hostile_token_is_admitted_and_none_learns_why() {
    let google = google().await;
    let stack = system(&google, &GUARDED).await;
    let orchestrator = &stack.orchestrator;
    let mut bodies = std::collections::BTreeMap::<u16, Value>::new();
    for (name, status, token) in table(&google, orchestrator) {
        let bearer = format!("Bearer {token}");
        let reply = ask_as(orchestrator, (Method::POST, ROUTE), &[&bearer], BAD_BODY).await;
        assert_eq!(reply.status, status, "{name}: {:#}", reply.body);
        assert_eq!(reply.headers.contains_key("www-authenticate"), status == 401, "{name}");
        let class = bodies.entry(status).or_insert_with(|| reply.body.clone());
        assert_eq!(reply.body, *class, "{name} gets a different body");
    }
    assert!(stack.providers.all().iter().all(|provider| provider.journal().requests().is_empty()));
    assert_eq!(stack.db.collections().await.expect("the collections"), SEEDED);

    let good = format!("Bearer {}", google.sign(&claims(&google)));
    let both = ask_as(orchestrator, (Method::POST, ROUTE), &[&good, &good], BAD_BODY).await;
    assert_eq!((both.status, &both.body), (401, &bodies[&401]), "two headers, even the same");
    let read = ask_as(orchestrator, (Method::POST, ROUTE), &[&good], BAD_BODY).await;
    assert!([400, 422].contains(&read.status), "with a valid token the body is read: {:#}", read.body);
}
