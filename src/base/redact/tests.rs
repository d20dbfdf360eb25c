use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

/// What must never be left.
const MARK: &str = "Kp7Zq04MarkedKey19xW";

fn check(text: &str, expect: &str) {
    assert_eq!(words(text.to_owned()), expect);
}

#[test]
fn what_looks_like_a_credential_is_taken_out() {
    check("401 for url: https://a.com/p?token=abc&x=1", "401 for url: https://a.com/p?token=[redacted]&x=1");
    check("https://a.com/q?x=1&apikey=ABC).", "https://a.com/q?x=1&apikey=[redacted]).");
    check(r#"{"u":"/v?a=1\u0026apiKey=ABC","n":2}"#, r#"{"u":"/v?a=1\u0026apiKey=[redacted]","n":2}"#);
    check("a?x=1&amp;api_key=k&amp;y=2", "a?x=1&amp;api_key=[redacted]&amp;y=2");
    check("/go?to=%2Fq%3Fapikey%3DABC%26n%3D1", "/go?to=%2Fq%3Fapikey%3D[redacted]%26n%3D1");
    check("/cb#access_token=k&s=1", "/cb#access_token=[redacted]&s=1");
    check("body: apikey=0123456789&symbol=IBM", "body: apikey=[redacted]&symbol=IBM");
    check("sent Bearer abcdefghijklmnop.q-r", "sent Bearer [redacted]");
    check("Authorization: Basic 0123456789, x", "Authorization: Basic [redacted], x");
    check(
        "X-Api-Key: 0123456789, X-Finnhub-Token:0123456789",
        "X-Api-Key: [redacted], X-Finnhub-Token:[redacted]",
    );
    check("detected your API key as ABCDEFGH1234 and", "detected your API key as [redacted] and");
    check("http://me:pass@host/x", "http://[redacted]@host/x");
    check("https://maps.test/?key=AIzaSyD-0123456789abc", "https://maps.test/?key=[redacted]");
}

#[test]
fn the_name_of_a_member_decides_whatever_its_value() {
    check(r#"{"Authorization": "Token 0123456789"}"#, r#"{"Authorization": "[redacted]"}"#);
    check(r#"{\"authorization\":\"0123456789\"}"#, r#"{\"authorization\":\"[redacted]\"}"#);
    check(r#"{"api_key": "k", "n": 1}"#, r#"{"api_key": "[redacted]", "n": 1}"#);
    check(r#"{"X-API-KEY" : "a b\"c\\", "n": 1}"#, r#"{"X-API-KEY" : "[redacted]", "n": 1}"#);
    check(r#"{"password":"p@ss, w\u00f6rd}"}"#, r#"{"password":"[redacted]"}"#);
    check(
        r#"{"apikey":12345,"clientSecret":-1.5e3}"#,
        r#"{"apikey":"[redacted]","clientSecret":"[redacted]"}"#,
    );
    check(r#"{"access_token":{"a":["}",1]},"n":2}"#, r#"{"access_token":"[redacted]","n":2}"#);
    check(r#"{"tokens":1,"token":["a","b"]}"#, r#"{"tokens":1,"token":"[redacted]"}"#);
    check(r#"{"has_token":true,"token":null,"token":""}"#, r#"{"has_token":true,"token":null,"token":""}"#);
    check("params={'apikey': 'k', 'token': 7}", "params={'apikey': '[redacted]', 'token': '[redacted]'}");
    check(r#"{"e":"sent {\"token\":\"k"}"#, r#"{"e":"sent {\"token\":\"[redacted]"}"#);
    check(r#"{"e":"sent {\"token\":{\"a\":[1"}"#, r#"{"e":"sent {\"token\":\"[redacted]\""}"#);
    check(r#"{"e":"sent {'token': 'k","n":1}"#, r#"{"e":"sent {'token': '[redacted]","n":1}"#);
    check(r#"[["X-Api-Key","0123456789abcdef"]]"#, r#"[["X-Api-Key","[redacted]"]]"#);
    check(r#"["Authorization", "Basic 01234567"]"#, r#"["Authorization", "[redacted]"]"#);
    check(r#"{"name":"apikey", "value":"k"}"#, r#"{"name":"apikey", "value":"[redacted]"}"#);
    check(r#"{"token":"cut off"#, r#"{"token":"[redacted]"#);
}

#[test]
fn other_texts_stay_as_they_are() {
    for text in [
        "",
        "the bearer of this bond; Authorization: none; token=abc; a ? b : c",
        "https://news.example.com/?id=1&tokens=2&secretary=3&token=&key=monkey",
        "mail me@host, see http://host/x@y:z",
        "é=ü?tokén=1 ://",
        r#"{"tokens": "0123456789", "next_page_token": null, "key": "pe_ratio", "keys": [1]}"#,
        r#"{"keywords": ["token", "cryptocurrency", "password", "covid-19"], "ticker": "TOKEN", "value": 1}"#,
        r#"{"date":"2026-01-30","high":2,"signed":"x","description":"key: a word"}"#,
    ] {
        check(text, text);
    }
}

#[test]
fn our_own_secret_is_taken_out_wherever_it_stands() {
    let take = |body: &'static str, ours| secret(Bytes::from_static(body.as_bytes()), ours);
    let ours = "eyJhbGciOiJ.eyJpc3M.sig";
    assert_eq!(take("eyeyJhbGciOiJ.eyJpc3M.sig-eyJhbGciOiJ.eyJpc3M.sig", ours), "ey[redacted]-[redacted]");
    assert_eq!(take("eyJhbGciOiJ.eyJpc3M.si", ours), "eyJhbGciOiJ.eyJpc3M.si");
    assert_eq!(take("the owner", "owner"), "the owner");
}

/// Fails by taking minutes.
#[test]
fn a_text_made_of_names_costs_no_more_than_its_length() {
    for piece in [
        "?token=",
        "authorization",
        "token:",
        "bearer ",
        "://a:",
        "authorization a ",
        "api_key:::",
        "%3Dtoken%3D",
        "\"key\":\"",
        "\\\"key\\\":\\\"",
        "'key':'",
        "\"token\",\"",
        "\"token\" ,",
        "\"token\":[",
        "'token':{",
        "\\\\\\\\\\\\\\\":",
    ] {
        let text = piece.repeat((1 << 20) / piece.len());
        let kept = credentials(Bytes::from(text.clone()));
        assert!(kept.len() <= text.len() * 2, "{piece}");
    }
}

/// Names as providers write them.
fn name() -> impl Strategy<Value = String> {
    let names = [
        "apikey",
        "api_key",
        "apiKey",
        "X-Api-Key",
        "token",
        "access_token",
        "Authorization",
        "client_secret",
    ];
    prop::sample::select(names.to_vec()).prop_map(str::to_owned)
}

/// A text that has the mark where texts have credentials.
fn marked_text() -> impl Strategy<Value = String> {
    (name(), 0..7_u8).prop_map(|(name, form)| match form {
        0 => format!("Request failed: https://api.test/query?function=SMA&{name}={MARK}&n=1"),
        1 => format!("https://api.test/go?to=https%3A%2F%2Fx.test%2F%3F{name}%3D{MARK}%26a%3D1"),
        2 => format!("sent {name}: {MARK}; got 401"),
        3 => json!({"url": "u", name: MARK}).to_string(),
        4 => format!("params {{'function': 'SMA', '{name}': '{MARK}', 'n': 1}}"),
        5 => json!({"body": json!({name: MARK, "n": "\\"}).to_string()}).to_string(),
        _ => format!("Authorization: Bearer {MARK}"),
    })
}

/// A value that is a credential, whatever its type.
fn marked_value() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(json!(MARK)),
        Just(json!([MARK, {"a": MARK}])),
        Just(json!({"value": MARK, "scheme": "]}\"\\"})),
        Just(json!(format!("Bearer {MARK} \"'\\"))),
    ]
}

/// JSON of any shape, with the mark as the value of members and in texts.
fn marked() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        Just(Json::Null),
        marked_text().prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map("[a-z'\"\\\\: ]{0,6}", inner.clone(), 0..5).prop_map(Json::from_iter),
            (name(), marked_value(), inner.clone()).prop_map(|(name, value, beside)| Json::from_iter([
                (name, value),
                ("zz".to_owned(), beside)
            ])),
            (name(), inner)
                .prop_map(|(name, beside)| json!([[name, MARK], {"name": name, "value": MARK}, beside])),
        ]
    })
}

/// The shape of a tree: names and numbers of members, whatever the values.
fn is_of_shape(redacted: &Json, before: &Json) -> bool {
    match (redacted, before) {
        (Json::String(text), _) if text == PLACEHOLDER => true,
        (Json::Object(now), Json::Object(then)) => {
            now.len() == then.len()
                && now.iter().all(|(name, value)| then.get(name).is_some_and(|then| is_of_shape(value, then)))
        }
        (Json::Array(now), Json::Array(then)) => {
            now.len() == then.len() && now.iter().zip(then).all(|(now, then)| is_of_shape(now, then))
        }
        (Json::String(_), Json::String(_)) => true,
        (now, then) => now == then,
    }
}

proptest! {
    #[test]
    fn nothing_panics_and_nothing_is_found_twice(body: Vec<u8>, ours: String) {
        let once = credentials(secret(Bytes::from(body), &ours));
        prop_assert_eq!(credentials(once.clone()), once);
    }

    #[test]
    fn no_marked_key_is_left_and_json_stays_json(json in marked()) {
        for text in [json.to_string(), serde_json::to_string_pretty(&json).unwrap()] {
            let kept = credentials(Bytes::from(text));
            prop_assert!(!String::from_utf8_lossy(&kept).contains(MARK), "{:?}", kept);
            let read: Json = serde_json::from_slice(&kept).map_err(|error| TestCaseError::fail(format!("{error}: {kept:?}")))?;
            prop_assert!(is_of_shape(&read, &json), "{:?}", read);
            prop_assert_eq!(credentials(kept.clone()), kept);
        }
    }
}
