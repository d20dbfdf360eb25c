//! Authentication of callers: by the headers alone, before the body is read.

pub mod claims;
mod credentials;
pub mod keys;

use http::request::Parts;
use http::{HeaderValue, StatusCode};
use jsonwebtoken::Algorithm;
use jsonwebtoken::crypto::verify;
use subtle::ConstantTimeEq as _;

use crate::auth::settings::{AuthConfig, InboundAuth};
use crate::base::text::excerpt;
use crate::base::world::World;
use crate::google::jwt::Compact;
use crate::google::rs256;
use claims::{Claims, Denial, Expected, check};
use credentials::{Presented, credentials, is_foreign_page};
use keys::KeySet;

/// Authenticates callers.
pub struct Authenticator {
    world: World,
    config: AuthConfig,
    keys: KeySet,
}

/// Who gives an order: the email address of the caller's token, or what stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller(pub String);

/// The bearer of the operator token.
const OPERATOR: &str = "operator";
/// Somebody whom the platform in front has let in without telling who it is.
const PLATFORM: &str = "platform";
/// Anybody: nobody is asked.
const ANYBODY: &str = "anybody";
/// Longest email address, in characters (RFC 5321).
const EMAIL_CHARS_MAX: usize = 254;

/// Why a request is refused. The caller only learns the kind; the log has the details.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    NoToken,
    BadToken(String),
    WrongCaller(Denial),
    /// The operator's browser, but a page from another origin.
    ForeignPage,
    /// Google's keys are unavailable.
    NoKeys(String),
}

impl Authenticator {
    pub fn new(world: World, config: AuthConfig) -> Self {
        rs256::install();
        Self { world, config, keys: KeySet::default() }
    }

    /// Accepts a request and says whose it is, or says why not.
    pub async fn authenticate(&self, request: &Parts) -> Result<Caller, Refusal> {
        match self.config.inbound {
            // A platform in front has authenticated the caller, or nobody needs to. But it relies on credentials that
            // the caller's browser or proxy adds automatically, for any page.
            InboundAuth::Platform | InboundAuth::None if self.is_foreign_page(request) => {
                Err(Refusal::ForeignPage)
            }
            InboundAuth::Platform => {
                Ok(Caller(told_by_platform(request).unwrap_or_else(|| PLATFORM.to_owned())))
            }
            InboundAuth::None => Ok(Caller(ANYBODY.to_owned())),
            InboundAuth::Oidc => self.verify(request).await.map(Caller),
        }
    }

    async fn verify(&self, request: &Parts) -> Result<String, Refusal> {
        let token = match credentials(&request.headers)? {
            Presented::Bearer(token) if self.is_operator(token) => return Ok(OPERATOR.to_owned()),
            Presented::Bearer(token) => token,
            Presented::Basic(password) if !self.is_operator(&password) => {
                return Err(Refusal::BadToken("wrong password".to_owned()));
            }
            Presented::Basic(_) if self.is_foreign_page(request) => return Err(Refusal::ForeignPage),
            Presented::Basic(_) => return Ok(OPERATOR.to_owned()),
        };
        let claims = self.verify_signature(token).await?;
        let expected =
            Expected { audiences: &self.config.audiences, emails: &self.config.scheduler_accounts };
        match check(&claims, &expected, self.world.clock.now()) {
            Ok(email) => Ok(email.to_owned()),
            Err(denial) if denial.is_wrong_caller() => Err(Refusal::WrongCaller(denial)),
            Err(denial) => Err(Refusal::BadToken(denial.to_string())),
        }
    }

    fn is_foreign_page(&self, request: &Parts) -> bool {
        let origin = request.headers.get(http::header::ORIGIN);
        let is_allowed = origin.is_some_and(|origin| self.config.allowed_origins.contains(origin));
        !is_allowed && is_foreign_page(request)
    }

    fn is_operator(&self, token: &str) -> bool {
        let operator = self.config.operator_token.as_ref();
        operator.is_some_and(|operator| operator.expose().as_bytes().ct_eq(token.as_bytes()).into())
    }

    async fn verify_signature(&self, token: &str) -> Result<Claims, Refusal> {
        let token = Compact::parse(token).map_err(Refusal::BadToken)?;
        if token.header.alg != "RS256" {
            return Err(Refusal::BadToken(format!("algorithm is {}, not RS256", token.header.alg)));
        }
        if token.header.crit.is_some() {
            return Err(Refusal::BadToken(
                "the token has extensions that this service does not know".to_owned(),
            ));
        }
        let id = token.header.kid.as_ref().ok_or_else(|| Refusal::BadToken("no key ID".to_owned()))?;
        let found = self.keys.find(&self.world, &self.config.certs_url, id).await.map_err(Refusal::NoKeys)?;
        let key = found.ok_or_else(|| Refusal::BadToken("unknown key ID".to_owned()))?;
        match verify(token.signature, token.signed.as_bytes(), &key, Algorithm::RS256) {
            Ok(true) => token.claims().map_err(Refusal::BadToken),
            Ok(false) => Err(Refusal::BadToken("InvalidSignature".to_owned())),
            Err(error) => Err(Refusal::BadToken(error.to_string())),
        }
    }
}

/// The email address in the token of a caller whom the platform has authenticated. Cloud Run passes the token on without
/// its signature, so it cannot be verified again.
fn told_by_platform(request: &Parts) -> Option<String> {
    let Ok(Presented::Bearer(token)) = credentials(&request.headers) else { return None };
    let claims: Claims = Compact::parse(token).ok()?.claims().ok()?;
    claims.email.filter(|email| !email.is_empty()).map(|email| excerpt(&email, EMAIL_CHARS_MAX))
}

/// The host that the caller requested.
fn host_of(request: &Parts) -> Option<&str> {
    let host = request.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    host.or_else(|| request.uri.authority().map(http::uri::Authority::as_str))
}

impl Refusal {
    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoToken | Self::BadToken(_) => StatusCode::UNAUTHORIZED,
            Self::WrongCaller(_) | Self::ForeignPage => StatusCode::FORBIDDEN,
            Self::NoKeys(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Tells a caller that a token is required (RFC 6750, section 3; RFC 7617 for browsers).
pub const CHALLENGES: [HeaderValue; 2] = [
    HeaderValue::from_static("Bearer realm=\"orchestrator\""),
    HeaderValue::from_static("Basic realm=\"orchestrator: any user name, operator token as password\""),
];

pub mod settings;
#[cfg(test)]
mod tests;
