//! What an ID token must say (<https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken>).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// Both spellings that Google uses.
const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];
/// How far Google's clock and ours may differ, in seconds.
const SKEW_SECONDS: i64 = 60;

/// The claims that matter; a token with a claim of the wrong type is invalid.
#[derive(Clone, Debug, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: Audience,
    pub exp: i64,
    pub nbf: Option<i64>,
    pub iat: Option<i64>,
    pub email: Option<String>,
    pub email_verified: Option<bool>,
}

/// One audience or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What a token is checked against.
#[derive(Debug)]
pub struct Expected<'a> {
    pub audiences: &'a [String],
    /// Who may call.
    pub emails: &'a BTreeSet<String>,
}

/// Why a token is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    #[error("issuer is not Google")]
    Issuer,
    #[error("wrong audience")]
    Audience,
    #[error("expired")]
    Expired,
    #[error("not yet valid")]
    NotYetValid,
    #[error("email is not verified")]
    EmailNotVerified,
    #[error("caller is not allowed")]
    Caller,
}

impl Denial {
    /// Whether the token itself is valid and only its bearer is not allowed.
    pub fn is_wrong_caller(self) -> bool {
        matches!(self, Self::EmailNotVerified | Self::Caller)
    }
}

/// Checks the claims of a token with a valid signature; returns the caller's email address.
pub fn check<'a>(claims: &'a Claims, expected: &Expected<'_>, now: DateTime<Utc>) -> Result<&'a str, Denial> {
    let now = now.timestamp();
    let has = |audience: &String| expected.audiences.contains(audience);
    let for_us = match &claims.aud {
        Audience::One(audience) => has(audience),
        Audience::Many(audiences) => audiences.iter().any(has),
    };
    if !ISSUERS.contains(&claims.iss.as_str()) {
        Err(Denial::Issuer)
    } else if !for_us {
        Err(Denial::Audience)
    } else if claims.exp.saturating_add(SKEW_SECONDS) <= now {
        Err(Denial::Expired)
    } else if claims.nbf.max(claims.iat).is_some_and(|from| from.saturating_sub(SKEW_SECONDS) > now) {
        Err(Denial::NotYetValid)
    } else if claims.email_verified != Some(true) {
        Err(Denial::EmailNotVerified)
    } else {
        claims.email.as_deref().filter(|email| expected.emails.contains(*email)).ok_or(Denial::Caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn claims() -> Claims {
        Claims {
            iss: "https://accounts.google.com".into(),
            aud: Audience::One("https://us".into()),
            exp: NOW + 3600,
            nbf: None,
            iat: Some(NOW),
            email: Some("scheduler@p.iam".into()),
            email_verified: Some(true),
        }
    }

    fn check_claims(claims: &Claims, expect: Result<&str, Denial>) {
        let expected = Expected {
            audiences: &["https://us".to_owned(), "https://old".to_owned()],
            emails: &BTreeSet::from(["scheduler@p.iam".to_owned()]),
        };
        assert_eq!(check(claims, &expected, DateTime::from_timestamp(NOW, 0).unwrap()), expect, "{claims:?}");
    }

    #[test]
    fn a_good_token_names_its_caller() {
        check_claims(&claims(), Ok("scheduler@p.iam"));
        check_claims(&Claims { iss: "accounts.google.com".into(), ..claims() }, Ok("scheduler@p.iam"));
        let many = Audience::Many(vec!["https://x".into(), "https://old".into()]);
        check_claims(&Claims { aud: many, ..claims() }, Ok("scheduler@p.iam"));
    }

    #[test]
    fn every_claim_that_is_wrong_is_refused() {
        let denied = |claims: Claims, denial| check_claims(&claims, Err(denial));
        denied(Claims { iss: "https://accounts.google.com.evil".into(), ..claims() }, Denial::Issuer);
        denied(Claims { aud: Audience::One("https://us/".into()), ..claims() }, Denial::Audience);
        denied(Claims { aud: Audience::Many(vec![]), ..claims() }, Denial::Audience);
        denied(Claims { email: Some("other@p.iam".into()), ..claims() }, Denial::Caller);
        denied(Claims { email: None, ..claims() }, Denial::Caller);
        denied(Claims { email_verified: None, ..claims() }, Denial::EmailNotVerified);
        denied(Claims { email_verified: Some(false), ..claims() }, Denial::EmailNotVerified);
    }

    #[test]
    fn time_is_judged_with_a_minute_of_skew() {
        check_claims(&Claims { exp: NOW - 59, ..claims() }, Ok("scheduler@p.iam"));
        check_claims(&Claims { exp: NOW - 60, ..claims() }, Err(Denial::Expired));
        check_claims(&Claims { exp: i64::MIN, ..claims() }, Err(Denial::Expired));
        check_claims(&Claims { nbf: Some(NOW + 60), ..claims() }, Ok("scheduler@p.iam"));
        check_claims(&Claims { nbf: Some(NOW + 61), ..claims() }, Err(Denial::NotYetValid));
        check_claims(&Claims { iat: Some(i64::MAX), ..claims() }, Err(Denial::NotYetValid));
    }
}
