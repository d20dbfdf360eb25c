//! Google's tokens: the identity with which we call Firestore and the providers.
//!
//! An access token for Firestore comes from the source that [`Credentials`] names; an ID token for a provider's
//! audience comes from the metadata server or the service-account key. Tokens are cached until shortly before they
//! expire, and one request fetches a token for all that wait for it.

pub mod assertion;

mod fetch;
pub mod jwt;
pub mod rs256;
pub mod settings;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::HeaderValue;

use crate::base::cached::{Cached, Lifetime};
use crate::base::world::World;
use crate::config::Secret;
use crate::google::settings::{Credentials, GoogleConfig};

/// A token is renewed this long before it expires, or when a tenth of its lifetime is left if that is shorter.
const RENEW_BEFORE_MAX: Duration = Duration::from_secs(300);
/// The assumed lifetime of a token without an expiry: the shortest that Google issues.
const LIFE_UNKNOWN: Duration = Duration::from_secs(300);

/// A token and its expiry.
#[derive(Debug)]
pub struct Token {
    pub secret: Secret,
    pub expires_at: DateTime<Utc>,
}

impl Token {
    /// The value of the Authorization header.
    pub fn header(&self) -> HeaderValue {
        // A value that a header cannot carry is not a token; the call will be refused, as it should be.
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.secret.expose()))
            .unwrap_or(HeaderValue::from_static("Bearer"));
        value.set_sensitive(true);
        value
    }
}

/// Why there is no token. The message says who must act and never contains key material.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Worth a retry.
    #[error("the token endpoint {0}")]
    Endpoint(String),
    /// An operator must act.
    #[error("{0}")]
    Refused(String),
}

/// Provides tokens; shared by all requests of an instance.
pub struct Google {
    world: World,
    config: GoogleConfig,
    credentials: Credentials,
    access: Cached<Token, TokenError>,
    identity: Mutex<BTreeMap<String, Arc<Cached<Token, TokenError>>>>,
}

impl Google {
    pub fn new(world: World, config: GoogleConfig, credentials: Credentials) -> Self {
        rs256::install();
        Self { world, config, credentials, access: Cached::default(), identity: Mutex::default() }
    }

    /// The token for Firestore.
    pub async fn access_token(&self) -> Result<Arc<Token>, TokenError> {
        self.access.get(&self.world, || self.fetch_access_token()).await
    }

    /// The ID token for an audience.
    pub async fn identity_token(&self, audience: &str) -> Result<Arc<Token>, TokenError> {
        let cached = {
            let mut tokens = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
            tokens.entry(audience.to_owned()).or_default().clone()
        };
        cached.get(&self.world, || self.fetch_identity_token(audience)).await
    }

    /// Forgets a token that was not accepted, unless a newer one has replaced it.
    pub fn reject_access(&self, token: &Arc<Token>) {
        self.access.reject(token);
    }

    /// The same for the ID token for an audience.
    pub fn reject_identity(&self, audience: &str, token: &Arc<Token>) {
        let tokens = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = tokens.get(audience) {
            cached.reject(token);
        }
    }

    async fn fetch_access_token(&self) -> Result<(Token, Lifetime), TokenError> {
        let token = match &self.credentials {
            Credentials::Emulator => {
                Token { secret: Secret::new("owner".to_owned()), expires_at: DateTime::<Utc>::MAX_UTC }
            }
            Credentials::AccessToken(secret) => {
                Token { secret: secret.clone(), expires_at: DateTime::<Utc>::MAX_UTC }
            }
            Credentials::ServiceAccountKey(key) => {
                fetch::access_by_key(&self.world, &self.config, key).await?
            }
            Credentials::Metadata => fetch::access_by_metadata(&self.world, &self.config).await?,
        };
        Ok(self.with_lifetime(token))
    }

    async fn fetch_identity_token(&self, audience: &str) -> Result<(Token, Lifetime), TokenError> {
        let token = match &self.credentials {
            Credentials::ServiceAccountKey(key) => {
                fetch::identity_by_key(&self.world, &self.config, key, audience).await?
            }
            // Even with a fixed token for Firestore, the platform provides our identity.
            Credentials::Emulator | Credentials::AccessToken(_) | Credentials::Metadata => {
                fetch::identity_by_metadata(&self.world, &self.config, audience).await?
            }
        };
        Ok(self.with_lifetime(token))
    }

    fn with_lifetime(&self, token: Token) -> (Token, Lifetime) {
        let life = (token.expires_at - self.world.clock.now()).to_std().unwrap_or(Duration::ZERO);
        let fresh = life.saturating_sub((life / 10).min(RENEW_BEFORE_MAX));
        (token, Lifetime { fresh, usable: life })
    }
}

/// The expiry of a token that is valid for this many seconds from now.
fn expiry(now: DateTime<Utc>, seconds: Option<u64>) -> DateTime<Utc> {
    let life = seconds.map_or(LIFE_UNKNOWN, Duration::from_secs);
    now.checked_add_signed(TimeDelta::from_std(life).unwrap_or(TimeDelta::hours(1))).unwrap_or(now)
}
