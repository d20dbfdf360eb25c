//! Where tokens come from, and which credentials are used for Firestore: the settings.

use super::assertion::ServiceAccountKey;
use crate::config::Secret;
use crate::config::read::Reader;

/// Where Google's tokens come from; base URLs.
#[derive(Clone, Debug)]
pub struct GoogleConfig {
    pub oauth_url: String,
    pub metadata_url: String,
}

/// Credentials used for Firestore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// The emulator's `Bearer owner`.
    Emulator,
    AccessToken(Secret),
    ServiceAccountKey(Box<ServiceAccountKey>),
    /// The metadata server of Cloud Run or GKE.
    Metadata,
}

impl Credentials {
    /// The name in settings and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Emulator => "emulator",
            Self::AccessToken(_) => "access_token",
            Self::ServiceAccountKey(_) => "service_account_key",
            Self::Metadata => "metadata",
        }
    }
}

/// Reads the sources of tokens.
pub fn read(r: &mut Reader<'_>) -> Option<GoogleConfig> {
    let oauth_url = r.base_url("google_oauth_url");
    let metadata_url = r.base_url("google_metadata_url");
    Some(GoogleConfig { oauth_url: oauth_url?, metadata_url: metadata_url? })
}

/// Credentials used for Firestore: as configured, or the first that is set.
pub fn credentials(r: &mut Reader<'_>, emulator: bool) -> Option<Credentials> {
    let modes =
        ["auto", "emulator", "access_token", "service_account_key", "metadata"].map(|mode| (mode, mode));
    let token = r.text("gcp_access_token");
    let key = r.text("gcp_service_account_key");
    match r.choice("gcp_credentials", &modes)? {
        "auto" | "emulator" if emulator => Some(Credentials::Emulator),
        "emulator" => r.error("gcp_credentials", "`emulator` requires firestore_emulator_host"),
        "auto" if !token.is_empty() => access_token(r, token),
        "auto" if !key.is_empty() => service_account_key(r, &key),
        "access_token" => access_token(r, token),
        "service_account_key" => service_account_key(r, &key),
        _ => Some(Credentials::Metadata),
    }
}

fn access_token(r: &mut Reader<'_>, token: String) -> Option<Credentials> {
    if token.is_empty() {
        return r.error("gcp_access_token", "is empty: gcp_credentials = access_token requires it");
    }
    if token.chars().any(|c| !c.is_ascii_graphic()) {
        return r.error("gcp_access_token", "contains characters that are not allowed in a header");
    }
    Some(Credentials::AccessToken(Secret::new(token)))
}

fn service_account_key(r: &mut Reader<'_>, json: &str) -> Option<Credentials> {
    let key = match ServiceAccountKey::parse(json) {
        Ok(key) => key,
        Err(reason) => return r.error("gcp_service_account_key", &reason),
    };
    // The runtime allows calls to the configured endpoint only.
    let endpoint = format!("{}/token", r.base_url("google_oauth_url")?);
    if key.token_uri != endpoint {
        let message = format!("has the token_uri {}, but google_oauth_url implies {endpoint}", key.token_uri);
        return r.error("gcp_service_account_key", &message);
    }
    Some(Credentials::ServiceAccountKey(Box::new(key)))
}
