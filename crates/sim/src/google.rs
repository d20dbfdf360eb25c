//! The parts of Google that issue tokens: published keys, ID tokens, the token endpoint, the metadata server.
//!
//! It enforces the rules of the real one: an assertion must be signed with the account's key, name its audience and not
//! be too old; the metadata server requires its own header. It recognises the tokens that it has issued, so a [`Gate`]
//! in front of another party can require them.

mod answer;
mod asked;
mod desk;
mod jwt;
mod key;
mod oauth;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::gate::Gate;
use crate::server::Server;
pub use asked::{Asked, Desk, Outage};
pub use jwt::{assemble, assemble_hs256};
pub use key::Key;
use state::{Shared, seconds_now};

/// The issuer of ID tokens.
pub const ISSUER: &str = "https://accounts.google.com";
/// The service account of the key file.
pub const ACCOUNT: &str = "orchestrator@sim.iam.gserviceaccount.com";

/// A running Google. It stops when dropped.
#[derive(Debug)]
pub struct Google {
    shared: Arc<Shared>,
    server: Server,
}

impl Google {
    /// Listens on a free port.
    pub async fn start() -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let server = Server::start(0, Arc::clone(&shared)).await.context("Google cannot listen")?;
        shared.with(|state| state.url = format!("http://127.0.0.1:{}", server.port()));
        Ok(Self { shared, server })
    }

    /// The base address of all endpoints.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// The orchestrator's settings that point it here.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let names = ["google_certs_url", "google_oauth_url", "google_metadata_url"];
        names.map(|name| (name.to_owned(), self.url())).into()
    }

    /// The claims of a valid ID token for an audience.
    pub fn claims(&self, email: &str, audience: &str) -> Value {
        let now = self.shared.with(|state| state.now());
        json!({
            "iss": ISSUER, "aud": audience, "sub": "1", "azp": "1", "email": email, "email_verified": true,
            "iat": now, "exp": now + 3600,
        })
    }

    /// A token with these claims, signed with the current key.
    pub fn sign(&self, claims: &Value) -> String {
        let key = self.shared.with(|state| state.key());
        assemble(&json!({"alg": "RS256", "typ": "JWT", "kid": key.id()}), claims, key)
    }

    /// Publishes and uses a new key from now on instead of the old one.
    pub fn rotate(&self) {
        self.shared.with(|state| state.rotated = !state.rotated);
    }

    /// The JSON key file of [`ACCOUNT`].
    pub fn key_file(&self) -> String {
        json!({
            "type": "service_account",
            "project_id": "sim",
            "private_key_id": Key::account().id(),
            "private_key": Key::account().pem(),
            "client_email": ACCOUNT,
            "token_uri": format!("{}/token", self.url()),
        })
        .to_string()
    }

    /// Sets how long the published keys may be cached, in seconds; initially an hour.
    pub fn set_keys_max_age(&self, seconds: u64) {
        self.shared.with(|state| state.keys_max_age = seconds);
    }

    /// Sets the lifetime of tokens issued from now on, in seconds; initially an hour.
    pub fn set_life(&self, seconds: u64) {
        self.shared.with(|state| state.life = seconds);
    }

    /// Sets its clock ahead of the machine's.
    pub fn set_clock_ahead(&self, seconds: i64) {
        self.shared.with(|state| state.ahead = seconds);
    }

    /// Makes an endpoint fail until [`Google::recover`].
    pub fn fail(&self, desk: Desk, outage: Outage) {
        self.shared.with(|state| _ = state.outages.insert(desk, outage));
    }

    /// Ends all outages.
    pub fn recover(&self) {
        self.shared.with(|state| state.outages.clear());
    }

    /// Sets the latency of every response of an endpoint.
    pub fn set_latency(&self, desk: Desk, latency: Duration) {
        self.shared.with(|state| _ = state.latencies.insert(desk, latency));
    }

    /// The requests received, in order.
    pub fn journal(&self) -> Vec<Asked> {
        self.shared.with(|state| state.journal.clone())
    }

    /// Number of requests to an endpoint.
    pub fn count(&self, desk: Desk) -> usize {
        self.shared.with(|state| state.journal.iter().filter(|asked| asked.desk == Some(desk)).count())
    }

    /// All access tokens and ID tokens issued.
    pub fn given_out(&self) -> Vec<String> {
        self.shared.with(|state| state.given_out.keys().cloned().collect())
    }

    /// Revokes all tokens issued so far.
    pub fn revoke(&self) {
        self.shared.with(|state| state.given_out.values_mut().for_each(|given| given.revoked = true));
    }

    /// Admits the access tokens that it has issued, until they expire.
    pub fn access_gate(&self) -> Gate {
        let shared = Arc::clone(&self.shared);
        Gate::new(move |token| shared.with(|state| state.judge(token, None)))
    }

    /// Admits the ID tokens that it has issued for an audience; a token for another audience gets 403.
    pub fn id_gate(&self, audience: impl Into<String>) -> Gate {
        let (shared, audience) = (Arc::clone(&self.shared), audience.into());
        Gate::new(move |token| shared.with(|state| state.judge(token, Some(&audience))))
    }
}

/// The time of day in Unix seconds, by the machine's clock.
pub fn now() -> i64 {
    seconds_now()
}
