//! JSON Web Tokens (RFC 7519), assembled and parsed without a library, so that tests can build invalid ones.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Key;

/// A token with any header and claims, signed with a key.
pub fn assemble(header: &Value, claims: &Value, key: &Key) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(&message));
    format!("{message}.{signature}")
}

/// The same with HS256 and a shared secret: an attacker would use the public key as the secret.
pub fn assemble_hs256(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    // HMAC (RFC 2104) for a secret longer than a block.
    let mut block = [0; 64];
    block[..32].copy_from_slice(&Sha256::digest(secret));
    let pad = |byte: u8| block.map(|key| key ^ byte);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(&message).finalize();
    let signature = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The claims of a token that this key has signed with RS256.
pub(super) fn verified(token: &str, key: &Key) -> Result<Value, &'static str> {
    let (message, signature) = token.rsplit_once('.').ok_or("no JWT")?;
    let (header, claims) = message.split_once('.').ok_or("no JWT")?;
    let json = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| "no base64url")?;
        serde_json::from_slice::<Value>(&bytes).map_err(|_| "no JSON")
    };
    if json(header)?["alg"] != "RS256" {
        return Err("algorithm is not RS256");
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "no base64url")?;
    if !key.has_signed(message, &signature) {
        return Err("Invalid JWT Signature.");
    }
    json(claims)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_the_key_has_signed_is_verified() {
        let claims = json!({"a": 1});
        let header = json!({"alg": "RS256"});
        let token = assemble(&header, &claims, Key::first());
        assert_eq!(verified(&token, Key::first()), Ok(claims.clone()));
        assert!(verified(&token, Key::stranger()).is_err());
        assert!(verified(&token.replace('.', "x"), Key::first()).is_err());
        assert!(verified(&assemble(&json!({"alg": "none"}), &claims, Key::first()), Key::first()).is_err());
    }
}
