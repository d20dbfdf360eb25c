//! Google as far as tokens go: published keys, ID tokens, the token endpoint, the metadata server.
//!
//! It holds callers to the rules of the real one: an assertion must be signed by the account's key, say for whom it is
//! and not be too old; the metadata server wants its own header. What it gives out it knows again, so that a
//! [`Gate`] in front of another party can ask for it.

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

/// Who gives out ID tokens.
pub const ISSUER: &str = "https://accounts.google.com";
/// The service account of the key file.
pub const ACCOUNT: &str = "orchestrator@sim.iam.gserviceaccount.com";

/// A running Google. Dropped, it stops.
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

    /// The base address of all that it offers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// The orchestrator's settings that lead it here.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let names = ["google_certs_url", "google_oauth_url", "google_metadata_url"];
        names.map(|name| (name.to_owned(), self.url())).into()
    }

    /// The claims of a good ID token for an audience.
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

    /// Publishes and uses another key from now on; the old one is published no more.
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

    /// How long the published keys may be kept, in seconds; an hour at first.
    pub fn set_keys_max_age(&self, seconds: u64) {
        self.shared.with(|state| state.keys_max_age = seconds);
    }

    /// How long the tokens that are given out from now on live, in seconds; an hour at first.
    pub fn set_life(&self, seconds: u64) {
        self.shared.with(|state| state.life = seconds);
    }

    /// Sets its clock apart from that of the machine.
    pub fn set_clock_ahead(&self, seconds: i64) {
        self.shared.with(|state| state.ahead = seconds);
    }

    /// Lets a part of it fail until [`Google::recover`].
    pub fn fail(&self, desk: Desk, outage: Outage) {
        self.shared.with(|state| _ = state.outages.insert(desk, outage));
    }

    /// Ends all outages.
    pub fn recover(&self) {
        self.shared.with(|state| state.outages.clear());
    }

    /// Makes every answer of a part take so long.
    pub fn set_latency(&self, desk: Desk, latency: Duration) {
        self.shared.with(|state| _ = state.latencies.insert(desk, latency));
    }

    /// What it was asked, in order.
    pub fn journal(&self) -> Vec<Asked> {
        self.shared.with(|state| state.journal.clone())
    }

    /// How often a part was asked.
    pub fn count(&self, desk: Desk) -> usize {
        self.shared.with(|state| state.journal.iter().filter(|asked| asked.desk == Some(desk)).count())
    }

    /// Every token that it has given out, access tokens and ID tokens.
    pub fn given_out(&self) -> Vec<String> {
        self.shared.with(|state| state.given_out.keys().cloned().collect())
    }

    /// Nothing that was given out so far is good any more.
    pub fn revoke(&self) {
        self.shared.with(|state| state.given_out.values_mut().for_each(|given| given.revoked = true));
    }

    /// Opens for the access tokens that it has given out, as long as they live.
    pub fn access_gate(&self) -> Gate {
        let shared = Arc::clone(&self.shared);
        Gate::new(move |token| shared.with(|state| state.judge(token, None)))
    }

    /// Opens for the ID tokens that it has given out for an audience; one for another is forbidden (403).
    pub fn id_gate(&self, audience: impl Into<String>) -> Gate {
        let (shared, audience) = (Arc::clone(&self.shared), audience.into());
        Gate::new(move |token| shared.with(|state| state.judge(token, Some(&audience))))
    }
}

/// The time of day in Unix seconds, by the machine's clock.
pub fn now() -> i64 {
    seconds_now()
}
