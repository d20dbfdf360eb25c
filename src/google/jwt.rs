//! JSON Web Tokens in their compact form (RFC 7515, section 7.1): `header.claims.signature`, each in Base64.
//!
//! The library's own reader also takes every kind of key in a header: code that is four times as large as all of this,
//! for keys that nobody may trust.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What a header says about the signature.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Header {
    pub alg: String,
    /// The ID of the key.
    pub kid: Option<String>,
    /// Extensions that a reader must know (RFC 7515, section 4.1.11).
    #[serde(default)]
    pub crit: Option<Vec<String>>,
}

/// A token in its parts; nothing is verified.
#[derive(Debug)]
pub struct Compact<'a> {
    pub header: Header,
    /// Header and claims as they were signed.
    pub signed: &'a str,
    claims: &'a str,
    pub signature: &'a str,
}

impl<'a> Compact<'a> {
    /// Splits a token; the error says what is wrong with it.
    pub fn parse(token: &'a str) -> Result<Self, String> {
        let split = token.rsplit_once('.').and_then(|(signed, signature)| {
            let (header, claims) = signed.split_once('.')?;
            (!claims.contains('.')).then_some((header, claims, signed, signature))
        });
        let (header, claims, signed, signature) = split.ok_or("the token has not three parts")?;
        Ok(Self { header: part("header", header)?, signed, claims, signature })
    }

    /// The claims.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, String> {
        part("claims", self.claims)
    }
}

fn part<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, String> {
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|error| format!("the token's {name}: {error}"))?;
    serde_json::from_slice(&json).map_err(|error| format!("the token's {name}: {error}"))
}

/// The expiry of a token issued to us; nothing is verified.
pub fn unverified_expiry(token: &str) -> Option<i64> {
    #[derive(Deserialize)]
    struct Expiry {
        exp: i64,
    }
    Compact::parse(token).and_then(|token| token.claims::<Expiry>()).ok().map(|claims| claims.exp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_three_parts_of_base64() {
        // {"alg":"RS256","kid":"k"}.{"exp":7}.signature
        let token = Compact::parse("eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.eyJleHAiOjd9.c2ln").unwrap();
        assert_eq!(token.header, Header { alg: "RS256".to_owned(), kid: Some("k".to_owned()), crit: None });
        assert_eq!(
            (token.signed, token.signature),
            ("eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.eyJleHAiOjd9", "c2ln")
        );
        assert_eq!(unverified_expiry("eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.eyJleHAiOjd9.c2ln"), Some(7));
        for broken in
            ["", "a", "a.b", "a.b.c", "a.b.c.d", "e30.e30.", "eyJhbGciOiJSUzI1NiJ9.x.y.z", "!.e30.e30"]
        {
            assert!(Compact::parse(broken).is_err(), "{broken}");
        }
    }
}
