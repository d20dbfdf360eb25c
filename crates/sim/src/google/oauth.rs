//! The token endpoint (<https://developers.google.com/identity/protocols/oauth2/service-account>).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::Answer;
use super::state::State;
use super::{ACCOUNT, Key, jwt};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const SCOPE: &str = "https://www.googleapis.com/auth/datastore";
/// How far the caller's clock may differ, in seconds.
const SKEW: i64 = 300;
/// Maximum lifetime of an assertion, in seconds.
const LIFE_MAX: i64 = 3600;

/// Exchanges a valid assertion for a token.
pub(super) fn exchange(state: &mut State, form: &BTreeMap<String, String>) -> Answer {
    if form.get("grant_type").is_none_or(|grant| grant != GRANT_TYPE) {
        return refusal(
            "unsupported_grant_type",
            &format!("Invalid grant_type: {:?}", form.get("grant_type")),
        );
    }
    let assertion = form.get("assertion").map(String::as_str).unwrap_or_default();
    let claims = match jwt::verified(assertion, Key::account()).and_then(|claims| check(state, claims)) {
        Ok(claims) => claims,
        Err(message) => return refusal("invalid_grant", message),
    };
    match (claims["scope"].as_str(), claims["target_audience"].as_str()) {
        (Some(SCOPE), None) => Answer::json(200, &state.give_access_token()),
        (None, Some(audience)) => Answer::json(200, &json!({"id_token": state.give_id_token(audience)})),
        _ => refusal("invalid_scope", "one of scope and target_audience must be given"),
    }
}

fn check(state: &State, claims: Value) -> Result<Value, &'static str> {
    let now = state.now();
    let time = |name: &str| claims[name].as_i64().ok_or("iat and exp must be numbers");
    let (issued, expires) = (time("iat")?, time("exp")?);
    if claims["iss"] != ACCOUNT {
        return Err("Invalid grant: account not found");
    }
    if claims["aud"] != format!("{}/token", state.url) {
        return Err("Invalid JWT: Failed audience check.");
    }
    if issued > now + SKEW
        || expires < now - SKEW
        || issued < now - LIFE_MAX - SKEW
        || expires > issued + LIFE_MAX
    {
        return Err(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
        );
    }
    Ok(claims)
}

/// An error response (RFC 6749, section 5.2).
fn refusal(error: &str, message: &str) -> Answer {
    Answer::json(400, &json!({"error": error, "error_description": message}))
}
