//! Who may call: the settings.

use std::collections::BTreeSet;

use crate::config::Secret;
use crate::config::read::Reader;

/// A shorter token could be guessed.
const OPERATOR_TOKEN_BYTES_MIN: usize = 16;

/// Who authenticates callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboundAuth {
    /// This component verifies Google's ID token.
    Oidc,
    /// A platform in front has done so.
    Platform,
    /// Nobody: local use.
    None,
}

/// How callers prove who they are.
#[derive(Clone, Debug)]
pub struct AuthConfig {
    pub inbound: InboundAuth,
    /// Email addresses of the service accounts that may call.
    pub scheduler_accounts: BTreeSet<String>,
    /// Accepted audiences.
    pub audiences: Vec<String>,
    pub operator_token: Option<Secret>,
    /// Origins whose pages may make changes.
    pub allowed_origins: Vec<http::HeaderValue>,
    /// Where Google's keys are.
    pub certs_url: String,
}

/// Reads the settings; `emulator` says whether Firestore is an emulator.
pub fn read(r: &mut Reader<'_>, emulator: bool) -> Option<AuthConfig> {
    let inbound = r.choice(
        "inbound_auth",
        &[("oidc", InboundAuth::Oidc), ("platform", InboundAuth::Platform), ("none", InboundAuth::None)],
    );
    let allowed = r.choice("allow_unauthenticated", &[("true", true), ("false", false)]);
    let mut scheduler_accounts = BTreeSet::new();
    scheduler_accounts.extend(r.list("scheduler_service_account"));
    let audiences = r.list("oidc_audience");
    let operator_token = Some(r.text("operator_token")).filter(|token| !token.is_empty());
    let certs_url = r.base_url("google_certs_url");
    let allowed_origins = r.origins("cors_allow_origins");
    if inbound == Some(InboundAuth::None) && !emulator && allowed == Some(false) {
        r.error::<()>(
            "inbound_auth",
            "`none` requires firestore_emulator_host or allow_unauthenticated = true",
        );
    }
    if inbound == Some(InboundAuth::Oidc) && scheduler_accounts.is_empty() {
        r.error::<()>(
            "scheduler_service_account",
            "is empty: inbound_auth = oidc requires at least one account",
        );
    }
    // The request's own address cannot be the default: its Host header is the caller's choice, so a token for
    // another deployment would be valid here.
    if inbound == Some(InboundAuth::Oidc) && audiences.is_empty() {
        r.error::<()>("oidc_audience", "is empty: inbound_auth = oidc requires at least one audience");
    }
    if operator_token.as_ref().is_some_and(|token| token.len() < OPERATOR_TOKEN_BYTES_MIN) {
        r.error::<()>("operator_token", &format!("is shorter than {OPERATOR_TOKEN_BYTES_MIN} characters"));
    }
    Some(AuthConfig {
        inbound: inbound?,
        scheduler_accounts,
        audiences,
        operator_token: operator_token.map(Secret::new),
        allowed_origins: allowed_origins?,
        certs_url: format!("{}/oauth2/v3/certs", certs_url?),
    })
}
