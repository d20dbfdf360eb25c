//! Redacts credentials in what others send, before it is read, stored, logged or passed on.
//!
//! Two kinds: a secret of ours that comes back (from a service that echoes request headers), and anything that looks
//! like one of theirs: the value of a member, a header or a parameter with a telling name (`apikey` in an indicator's
//! parameters, or in the upstream URL in an error message), wherever it occurs.
//!
//! It works on bytes, so that invalid JSON, truncated bodies and binary data are searched as well. Valid JSON
//! stays valid JSON.

mod names;
mod quoted;
mod text;

use std::ops::Range;

use bytes::Bytes;

/// The placeholder for a credential.
const PLACEHOLDER: &str = "[redacted]";
/// Shorter strings are too common to redact: the emulator's token is `owner`.
const SECRET_BYTES_MIN: usize = 16;

/// Where a credential is.
struct Found {
    range: Range<usize>,
    /// The delimiter that the placeholder needs if the credential has none of its own: a number, a list.
    quote: Option<Range<usize>>,
}

impl From<Range<usize>> for Found {
    fn from(range: Range<usize>) -> Self {
        Self { range, quote: None }
    }
}

/// The body without a secret of ours. If only part of a token arrived, its signature is missing or
/// truncated, so it is worthless.
pub fn secret(body: Bytes, secret: &str) -> Bytes {
    let secret = secret.as_bytes();
    if secret.len() < SECRET_BYTES_MIN {
        return body;
    }
    let is_here = |window: &[u8]| window.first() == secret.first() && window == secret;
    let next =
        |from: usize| body.get(from..)?.windows(secret.len()).position(is_here).map(|step| from + step);
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = next(from) {
        from = at + secret.len();
        found.push(Found::from(at..from));
    }
    without(body, &found)
}

/// The body without anything that looks like a credential.
pub fn credentials(body: Bytes) -> Bytes {
    let mut found: Vec<Found> = Vec::new();
    let mut from = 0;
    while let Some((at, byte)) = next_mark(&body, from) {
        let candidate = find(&body, at, byte).filter(|found| !found.range.is_empty());
        // Parts that were already redacted are not examined again: otherwise a text made of nothing but names would
        // take quadratic time.
        from = candidate.as_ref().map_or(at + 1, |found| found.range.end.max(at + 1));
        found.extend(candidate);
    }
    without(body, &found)
}

/// The message without anything that looks like a credential.
pub fn words(text: String) -> String {
    let bytes = credentials(Bytes::from(text));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What the character at `at` may indicate.
fn find(body: &[u8], at: usize, mark: u8) -> Option<Found> {
    match mark {
        b'=' => text::parameter(body, at, at + 1).map(Found::from),
        b'%' => text::encoded_parameter(body, at).map(Found::from),
        b' ' => text::bearer(body, at).map(Found::from),
        b':' => text::userinfo(body, at)
            .map(Found::from)
            .or_else(|| quoted::member(body, at))
            .or_else(|| text::member(body, at).map(Found::from)),
        b',' => quoted::pair(body, at),
        _ => text::header(body, at).map(Found::from),
    }
}

/// The first byte from `from` on at which a credential can be recognised, and the kind of its place; each kind has its
/// function in [`find`].
fn next_mark(body: &[u8], from: usize) -> Option<(usize, u8)> {
    let is_mark = |byte: &u8| matches!(byte, b'=' | b' ' | b'z' | b'Z' | b':' | b',' | b'%');
    let rest = body.get(from..)?;
    let step = rest.iter().position(is_mark)?;
    rest.get(step).map(|byte| (from + step, *byte))
}

fn without(body: Bytes, found: &[Found]) -> Bytes {
    if found.is_empty() {
        return body;
    }
    let mut kept = Vec::with_capacity(body.len());
    let mut from = 0;
    for Found { range, quote } in found {
        let quote = quote.clone().and_then(|quote| body.get(quote)).unwrap_or_default();
        kept.extend_from_slice(body.get(from..range.start).unwrap_or_default());
        kept.extend_from_slice(quote);
        kept.extend_from_slice(PLACEHOLDER.as_bytes());
        kept.extend_from_slice(quote);
        from = range.end;
    }
    kept.extend_from_slice(body.get(from..).unwrap_or_default());
    Bytes::from(kept)
}

/// The matching bytes from `start` on.
fn run(body: &[u8], start: usize, belongs: fn(u8) -> bool) -> Range<usize> {
    let rest = body.get(start..).unwrap_or_default();
    start..start + rest.iter().take_while(|byte| belongs(**byte)).count()
}

/// Characters of tokens (RFC 6750, section 2.1).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

#[cfg(test)]
mod tests;
