//! The simulated Google enforces the rules of the real one.

use reqwest::Client;
use serde_json::{Value, json};
use sim::google::{ACCOUNT, Desk, Google, Key, Outage, assemble, now};

const METADATA: &str = "/computeMetadata/v1/instance/service-accounts/default";

async fn google() -> Google {
    Google::start().await.expect("Google starts")
}

fn client() -> Client {
    Client::builder().no_proxy().build().expect("a client")
}

/// Exchanges an assertion; returns status and body.
async fn exchange(google: &Google, claims: &Value, key: &Key) -> (u16, Value) {
    let assertion = assemble(&json!({"alg": "RS256"}), claims, key);
    let form =
        format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");
    let answer = client().post(format!("{}/token", google.url())).body(form).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

fn claims(google: &Google) -> Value {
    json!({
        "iss": ACCOUNT, "aud": format!("{}/token", google.url()), "iat": now(), "exp": now() + 3600,
        "scope": "https://www.googleapis.com/auth/datastore",
    })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

#[tokio::test]
async fn only_a_valid_assertion_gets_a_token() {
    let google = google().await;
    let good = claims(&google);
    let (status, token) = exchange(&google, &good, Key::account()).await;
    assert_eq!((status, &token["expires_in"]), (200, &json!(3600)));
    assert_eq!(google.given_out(), [token["access_token"].as_str().expect("a token")]);
    for (claims, key, error) in [
        (good.clone(), Key::stranger(), "invalid_grant"),
        (with(good.clone(), "iss", json!("other")), Key::account(), "invalid_grant"),
        (with(good.clone(), "aud", json!("other")), Key::account(), "invalid_grant"),
        (with(good.clone(), "iat", json!(now() - 7200)), Key::account(), "invalid_grant"),
        (with(good.clone(), "exp", json!(now() - 600)), Key::account(), "invalid_grant"),
        (with(good.clone(), "iat", json!(now() + 600)), Key::account(), "invalid_grant"),
        (with(good.clone(), "scope", json!("all")), Key::account(), "invalid_scope"),
        (with(good.clone(), "target_audience", json!("both")), Key::account(), "invalid_scope"),
    ] {
        let (status, answer) = exchange(&google, &claims, key).await;
        assert_eq!((status, &answer["error"]), (400, &json!(error)), "{claims}");
    }
    google.set_clock_ahead(7200);
    assert_eq!(exchange(&google, &good, Key::account()).await.0, 400);
    assert_eq!(google.count(Desk::Token), 10);
}

#[tokio::test]
async fn the_metadata_server_requires_its_header() {
    let google = google().await;
    let ask = async |path: &str, flavor: bool| {
        let mut request = client().get(format!("{}{METADATA}{path}", google.url()));
        if flavor {
            request = request.header("Metadata-Flavor", "Google");
        }
        request.send().await.expect("an answer").status().as_u16()
    };
    for (path, flavor, status) in [
        ("/token", true, 200),
        ("/token", false, 403),
        ("/identity?audience=a&format=full", true, 200),
        ("/identity?audience=a&format=full", false, 403),
        ("/identity?audience=a", true, 400),
        ("/identity?format=full", true, 400),
        ("/email", true, 404),
    ] {
        assert_eq!(ask(path, flavor).await, status, "{path} {flavor}");
    }
    google.fail(Desk::Metadata, Outage::Status(503));
    assert_eq!(ask("/token", true).await, 503);
    google.recover();
    assert_eq!(ask("/token", true).await, 200);
}

#[tokio::test]
async fn one_key_is_published_and_rotation_changes_it() {
    let google = google().await;
    let published = async || -> Value {
        let answer = client().get(format!("{}/oauth2/v3/certs", google.url())).send().await;
        answer.expect("an answer").json().await.expect("JSON")
    };
    assert_eq!(published().await["keys"][0]["n"], json!(Key::first().modulus()));
    google.rotate();
    let keys = published().await;
    assert_eq!(
        (&keys["keys"][0]["kid"], keys["keys"].as_array().map(Vec::len)),
        (&json!("sim-second"), Some(1))
    );
}
