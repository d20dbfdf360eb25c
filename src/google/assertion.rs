//! The signed assertion that a service account exchanges for a token (RFC 7523;
//! <https://developers.google.com/identity/protocols/oauth2/service-account>).

use std::fmt;

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::{Deserialize, Serialize};

use super::rs256;

/// The scope that Firestore's REST API needs.
const SCOPE: &str = "https://www.googleapis.com/auth/datastore";
/// The longest lifetime that Google allows, in seconds.
const LIFE_SECONDS: i64 = 3600;

/// A service account's key, ready to sign. Its debug output shows nothing of the key.
#[derive(Clone)]
pub struct ServiceAccountKey {
    pub client_email: String,
    pub token_uri: String,
    key_id: Option<String>,
    key: EncodingKey,
}

impl fmt::Debug for ServiceAccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccountKey").field("client_email", &self.client_email).finish_non_exhaustive()
    }
}

impl PartialEq for ServiceAccountKey {
    fn eq(&self, other: &Self) -> bool {
        (&self.client_email, &self.key_id) == (&other.client_email, &other.key_id)
    }
}

impl Eq for ServiceAccountKey {}

#[derive(Deserialize)]
struct KeyFile {
    client_email: Option<String>,
    private_key: Option<String>,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_audience: Option<&'a str>,
}

impl ServiceAccountKey {
    /// Reads a key file's JSON; the error says what is wrong with it, but never repeats its content.
    pub fn parse(json: &str) -> Result<Self, String> {
        let file: KeyFile = serde_json::from_slice(json.as_bytes()).map_err(|error| {
            format!("is not a JSON key file (line {}, column {})", error.line(), error.column())
        })?;
        let missing = |name: &str| format!("has no `{name}`: it must be the JSON key of a service account");
        let pem = file.private_key.ok_or_else(|| missing("private_key"))?;
        let key = rs256::signing_key(&pem)
            .ok_or_else(|| "has a `private_key` that is not an RSA key in PEM format".to_owned())?;
        Ok(Self {
            client_email: file.client_email.ok_or_else(|| missing("client_email"))?,
            token_uri: file.token_uri.ok_or_else(|| missing("token_uri"))?,
            key_id: file.private_key_id,
            key,
        })
    }

    /// An assertion for an access token, or for an ID token if there is an audience.
    pub fn sign(&self, audience: Option<&str>, now: DateTime<Utc>) -> Result<String, String> {
        let claims = Claims {
            iss: &self.client_email,
            sub: &self.client_email,
            aud: &self.token_uri,
            iat: now.timestamp(),
            exp: now.timestamp() + LIFE_SECONDS,
            scope: audience.is_none().then_some(SCOPE),
            target_audience: audience,
        };
        let header = Header { kid: self.key_id.clone(), ..Header::new(Algorithm::RS256) };
        encode(&header, &claims, &self.key)
            .map_err(|_| "cannot sign with the service account's key".to_owned())
    }
}
