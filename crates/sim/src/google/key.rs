//! RSA keys for tests only.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::pkcs1v15::{Signature, SigningKey, VerifyingKey};
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::signature::{SignatureEncoding as _, Signer as _, Verifier as _};
use rsa::traits::PublicKeyParts as _;
use rsa::{RsaPrivateKey, RsaPublicKey};
use serde_json::{Value, json};
use sha2::Sha256;

/// A key with its id.
#[derive(Debug)]
pub struct Key {
    id: &'static str,
    pem: &'static str,
    private: RsaPrivateKey,
}

static FIRST: LazyLock<Key> = LazyLock::new(|| Key::read("sim-first", include_str!("testdata/first.pem")));
static SECOND: LazyLock<Key> = LazyLock::new(|| Key::read("sim-second", include_str!("testdata/second.pem")));
static ACCOUNT: LazyLock<Key> =
    LazyLock::new(|| Key::read("sim-account", include_str!("testdata/account.pem")));
static STRANGER: LazyLock<Key> =
    LazyLock::new(|| Key::read("sim-stranger", include_str!("testdata/stranger.pem")));

impl Key {
    /// The issuer's key before the first rotation.
    pub fn first() -> &'static Self {
        &FIRST
    }

    /// The issuer's key after the first rotation.
    pub fn second() -> &'static Self {
        &SECOND
    }

    /// The key of the service account.
    pub fn account() -> &'static Self {
        &ACCOUNT
    }

    /// A key that is not published.
    pub fn stranger() -> &'static Self {
        &STRANGER
    }

    /// The key's id, the `kid` of what it signs.
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// The private key, PKCS #8 in PEM.
    pub fn pem(&self) -> &'static str {
        self.pem
    }

    /// The public modulus, as published.
    pub fn modulus(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.private.n().to_bytes_be())
    }

    /// Signs with RS256.
    pub fn sign(&self, message: &str) -> Vec<u8> {
        SigningKey::<Sha256>::new(self.private.clone()).sign(message.as_bytes()).to_vec()
    }

    /// Whether the signature is this key's.
    pub fn has_signed(&self, message: &str, signature: &[u8]) -> bool {
        let key = VerifyingKey::<Sha256>::new(RsaPublicKey::from(&self.private));
        Signature::try_from(signature)
            .is_ok_and(|signature| key.verify(message.as_bytes(), &signature).is_ok())
    }

    /// The key as one of a JSON Web Key Set.
    pub(super) fn jwk(&self) -> Value {
        let exponent = URL_SAFE_NO_PAD.encode(self.private.e().to_bytes_be());
        json!({"kid": self.id, "kty": "RSA", "alg": "RS256", "use": "sig", "n": self.modulus(), "e": exponent})
    }

    fn read(id: &'static str, pem: &'static str) -> Self {
        let private = RsaPrivateKey::from_pkcs8_pem(pem).expect("the key files of this folder are keys");
        Self { id, pem, private }
    }
}
