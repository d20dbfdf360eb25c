//! RS256 for `jsonwebtoken`, and nothing else: Google uses and accepts no other algorithm, and the library's own set of
//! all algorithms would make up a third of the component.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs1v15::{Signature, SigningKey, VerifyingKey};
use rsa::pkcs8::PrivateKeyInfo;
use rsa::signature::SignatureEncoding as _;
use rsa::{BigUint, RsaPrivateKey, RsaPublicKey};
use sha2::Sha256;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Installs this as the library's crypto provider; needed before the first token is signed or verified.
pub fn install() {
    // Fails if it is already installed.
    let _ = PROVIDER.install_default();
}

/// Reads a private key in PEM, in either format in which keys are issued (PKCS #8 and PKCS #1).
pub fn signing_key(pem: &str) -> Option<EncodingKey> {
    let (label, der) = pem_rfc7468::decode_vec(pem.trim().as_bytes()).ok()?;
    let der = match label {
        "PRIVATE KEY" => PrivateKeyInfo::try_from(der.as_slice()).ok()?.private_key,
        "RSA PRIVATE KEY" => &der,
        _ => return None,
    };
    RsaPrivateKey::from_pkcs1_der(der).is_ok().then(|| EncodingKey::from_rsa_der(der))
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    if *algorithm != Algorithm::RS256 {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    let key = RsaPrivateKey::from_pkcs1_der(key.as_bytes());
    let key = key.map_err(|_| ErrorKind::InvalidRsaKey("not a PKCS #1 key".to_owned()))?;
    Ok(Box::new(Rs256Signer(SigningKey::new(key))))
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let DecodingKeyKind::RsaModulusExponent { n, e } = key.kind() else {
        return Err(ErrorKind::InvalidKeyFormat.into());
    };
    if *algorithm != Algorithm::RS256 {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    let key = RsaPublicKey::new(BigUint::from_bytes_be(n), BigUint::from_bytes_be(e));
    let key = key.map_err(|_| ErrorKind::InvalidRsaKey("not a usable modulus and exponent".to_owned()))?;
    Ok(Box::new(Rs256Verifier(VerifyingKey::new(key))))
}

struct Rs256Signer(SigningKey<Sha256>);

impl Signer<Vec<u8>> for Rs256Signer {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, SignatureError> {
        Ok(self.0.try_sign(message)?.to_vec())
    }
}

impl JwtSigner for Rs256Signer {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

struct Rs256Verifier(VerifyingKey<Sha256>);

impl Verifier<Vec<u8>> for Rs256Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), SignatureError> {
        self.0.verify(message, &Signature::try_from(signature.as_slice())?)
    }
}

impl JwtVerifier for Rs256Verifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}
