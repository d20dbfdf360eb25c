//! Who may call.

use crate::config::InboundAuth;
use crate::request::problem::Problem;

/// Lets a request pass or says why not; decided before its body is read.
pub fn authenticate(mode: InboundAuth) -> Result<(), Problem> {
    match mode {
        // A platform in front has proven the caller, or nobody needs to.
        InboundAuth::Platform | InboundAuth::None => Ok(()),
        // Fails closed: this version has no verifier of its own.
        InboundAuth::Oidc => Err(Problem::unauthorized(
            "inbound_auth = oidc cannot be verified by this version; use platform behind an authenticating front",
        )),
    }
}
