//! Google's state: its keys, its outages, the tokens it has issued.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::asked::{Asked, Desk, Outage};
use super::{ACCOUNT, ISSUER, Key, assemble};

/// How long a token is accepted after its stated expiry, in seconds.
const GRACE: i64 = 30;

/// What the connections share.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<State>);

/// The mutable state.
#[derive(Debug)]
pub(super) struct State {
    pub(super) url: String,
    pub(super) rotated: bool,
    pub(super) keys_max_age: u64,
    pub(super) life: u64,
    pub(super) ahead: i64,
    pub(super) outages: BTreeMap<Desk, Outage>,
    pub(super) latencies: BTreeMap<Desk, Duration>,
    pub(super) journal: Vec<Asked>,
    pub(super) given_out: BTreeMap<String, Given>,
}

/// An issued token.
#[derive(Debug)]
pub(super) struct Given {
    /// None for an access token.
    audience: Option<String>,
    expires: i64,
    pub(super) revoked: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            url: String::new(),
            rotated: false,
            keys_max_age: 3600,
            life: 3600,
            ahead: 0,
            outages: BTreeMap::new(),
            latencies: BTreeMap::new(),
            journal: Vec::new(),
            given_out: BTreeMap::new(),
        }
    }
}

impl Shared {
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// The key that signs and is published.
    pub(super) fn key(&self) -> &'static Key {
        if self.rotated { Key::second() } else { Key::first() }
    }

    /// Its own clock, in Unix seconds.
    pub(super) fn now(&self) -> i64 {
        seconds_now() + self.ahead
    }

    pub(super) fn give_access_token(&mut self) -> Value {
        let token = format!("ya29.sim-access-{:04}-of-{}", self.given_out.len(), std::process::id());
        self.give(token.clone(), None);
        json!({"access_token": token, "expires_in": self.life, "token_type": "Bearer"})
    }

    pub(super) fn give_id_token(&mut self, audience: &str) -> String {
        let (now, key) = (self.now(), self.key());
        let claims = json!({
            "iss": ISSUER, "aud": audience, "sub": "1", "email": ACCOUNT, "email_verified": true,
            "iat": now, "exp": now + self.life.cast_signed(), "jti": self.given_out.len(),
        });
        let token = assemble(&json!({"alg": "RS256", "typ": "JWT", "kid": key.id()}), &claims, key);
        self.give(token.clone(), Some(audience.to_owned()));
        token
    }

    fn give(&mut self, token: String, audience: Option<String>) {
        // As with real tokens, the stated expiry comes first: a caller that renews in time is never refused.
        let expires = self.now() + self.life.cast_signed() + GRACE;
        let given = Given { audience, expires, revoked: false };
        self.given_out.insert(token, given);
    }

    /// Whether a token is valid; the error is the status of the refusal.
    pub(super) fn judge(&self, token: &str, audience: Option<&str>) -> Result<(), u16> {
        let given = self.given_out.get(token).ok_or(401u16)?;
        if given.revoked || given.expires <= self.now() || given.audience.is_some() != audience.is_some() {
            return Err(401);
        }
        if given.audience.as_deref() == audience { Ok(()) } else { Err(403) }
    }
}

pub(super) fn seconds_now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs().cast_signed()
}
