//! The credentials that a request carries.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::{Refusal, host_of};

/// Longest token that is looked at, in bytes; Google's are below 2 KiB.
pub(super) const TOKEN_BYTES_MAX: usize = 8 << 10;

/// The credential that a request presents.
pub(super) enum Presented<'a> {
    Bearer(&'a str),
    /// The password; the user name is ignored. This lets browsers ask their user for the operator token.
    Basic(String),
}

/// The one credential of a request.
pub(super) fn credentials(headers: &HeaderMap) -> Result<Presented<'_>, Refusal> {
    let bad = |reason: &str| Refusal::BadToken(reason.to_owned());
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::NoToken)?;
    if values.next().is_some() {
        return Err(bad("more than one Authorization header"));
    }
    let text = value.to_str().map_err(|_| bad("not ASCII"))?;
    let (scheme, token) = text.split_once(' ').ok_or(Refusal::NoToken)?;
    let token = token.trim();
    if token.len() > TOKEN_BYTES_MAX {
        return Err(bad(&format!("token too long: {} bytes, limit {TOKEN_BYTES_MAX}", token.len())));
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Presented::Bearer(token));
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let (_, password) = decoded
            .as_deref()
            .and_then(|pair| pair.split_once(':'))
            .ok_or(bad("no user name and password"))?;
        return Ok(Presented::Basic(password.to_owned()));
    }
    Err(Refusal::NoToken)
}

/// Whether a page from another origin made the browser send this: a browser adds a saved password on its own, so
/// any page could use it to start runs. Every browser sends the origin of a request that changes something.
pub(super) fn is_foreign_page(request: &Parts) -> bool {
    let text = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    if request.method.is_safe() {
        return false;
    }
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_none() || host != host_of(request)
        }
        (None, None) => false,
    }
}
