//! Takes credentials out of what others send, before it is stored, logged or passed on.
//!
//! Two kinds: a secret of our own that comes back (a service that repeats the headers of a request), and what
//! looks like one of theirs (the address of an upstream call with its API key, in the words of an error).

use std::ops::Range;

use bytes::Bytes;

/// Stands where a credential was.
const PLACEHOLDER: &str = "[redacted]";
/// A shorter text is no secret but a word: the emulator's token is `owner`.
const SECRET_BYTES_MIN: usize = 16;
/// Shortest value after the name of a header that carries credentials.
const VALUE_BYTES_MIN: usize = 8;
/// Longest name of a member or a header that is looked at.
const NAME_BYTES_MAX: usize = 64;
/// Longest scheme of credentials that is looked for.
const SCHEME_BYTES_MAX: usize = 32;
/// Longest name and password in a URL that are looked for.
const USERINFO_BYTES_MAX: usize = 256;
/// How the names of parameters end whose values are credentials: `access_token`, `x-api-key`, `client_secret`.
const PARAMETERS: [&[u8]; 6] = [b"apikey", b"api_key", b"api-key", b"token", b"secret", b"password"];

/// The body without a secret of our own. Where only a part of a token arrived, its signature is missing or
/// cut, and it is worth nothing.
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
        found.push(at..from);
    }
    without(body, &found)
}

/// The body without what looks like a credential.
pub fn credentials(body: Bytes) -> Bytes {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    while let Some((at, byte)) = next_of(&body, from, b"= zZ:") {
        let candidate = match byte {
            b'=' => parameter(&body, at),
            b' ' => bearer(&body, at),
            b':' => userinfo(&body, at).or_else(|| member(&body, at)),
            _ => header(&body, at),
        };
        let candidate = candidate.filter(|range| !range.is_empty());
        // What is found already is not looked at again: else a text made of nothing but names costs the square
        // of its length.
        from = candidate.as_ref().map_or(at + 1, |range| range.end.max(at + 1));
        found.extend(candidate);
    }
    without(body, &found)
}

/// The first of these bytes from `from` on, and where it is.
fn next_of<const N: usize>(body: &[u8], from: usize, bytes: &[u8; N]) -> Option<(usize, u8)> {
    let mut rest = body.iter().enumerate().skip(from);
    rest.find(|(_, byte)| bytes.contains(byte)).map(|(at, byte)| (at, *byte))
}

/// The words without what looks like a credential.
pub fn words(text: String) -> String {
    let bytes = credentials(Bytes::from(text));
    String::from_utf8_lossy(&bytes).into_owned()
}

fn without(body: Bytes, found: &[Range<usize>]) -> Bytes {
    if found.is_empty() {
        return body;
    }
    let mut kept = Vec::with_capacity(body.len());
    let mut from = 0;
    for range in found {
        kept.extend_from_slice(body.get(from..range.start).unwrap_or_default());
        kept.extend_from_slice(PLACEHOLDER.as_bytes());
        from = range.end;
    }
    kept.extend_from_slice(body.get(from..).unwrap_or_default());
    Bytes::from(kept)
}

/// The value after `?name=` or `&name=`; in JSON the ampersand may be `\u0026`, in HTML `&amp;`.
fn parameter(body: &[u8], equals: usize) -> Option<Range<usize>> {
    let before = body.get(..equals)?;
    let length = before.iter().rev().take_while(|byte| is_name(**byte)).count();
    let (head, name) = before.split_at(equals - length);
    let is_parameter = head.last().is_some_and(|byte| b"?&;\\".contains(byte));
    let inside = |byte: u8| byte.is_ascii_graphic() && !b"&\"'\\<>#;),".contains(&byte);
    (is_parameter && is_credential(name)).then(|| run(body, equals + 1, inside))
}

/// The value of a member of JSON or a header, `"api_key": "value"`, `X-Api-Key: value`.
fn member(body: &[u8], colon: usize) -> Option<Range<usize>> {
    let before = body.get(colon.saturating_sub(NAME_BYTES_MAX)..colon)?;
    // Every member of every record comes here: most names end otherwise than any of a credential.
    let last = before.iter().rev().find(|byte| !b"\"'\\".contains(byte))?;
    if !PARAMETERS.iter().any(|name| name.last() == Some(&last.to_ascii_lowercase())) {
        return None;
    }
    let quotes = before.iter().rev().take_while(|byte| b"\"'\\".contains(byte)).count();
    let before = before.get(..before.len() - quotes)?;
    let length = before.iter().rev().take_while(|byte| is_name(**byte)).count();
    let value = run(body, colon + 1, |byte| b"\"'\\ ".contains(&byte)).end;
    let token = run(body, value, is_token);
    let fits = token.len() >= VALUE_BYTES_MIN && is_credential(before.get(before.len() - length..)?);
    fits.then_some(token)
}

/// Whether a name is one whose value is a credential.
fn is_credential(name: &[u8]) -> bool {
    let ends_with = |end: &&[u8]| {
        let from = name.len().checked_sub(end.len());
        from.and_then(|from| name.get(from..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
    };
    PARAMETERS.iter().any(ends_with)
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The token after `Bearer `, and the key in `your API key as ABC`, with which Alpha Vantage refuses.
fn bearer(body: &[u8], space: usize) -> Option<Range<usize>> {
    let name = body.get(space.checked_sub(6)?..space)?;
    if !b"rRsS".contains(name.last()?) {
        return None;
    }
    let (bearer, key) = (name.eq_ignore_ascii_case(b"bearer"), name.eq_ignore_ascii_case(b"key as"));
    let token = if bearer || key { run(body, space + 1, is_token) } else { return None };
    (token.len() >= if bearer { SECRET_BYTES_MIN } else { VALUE_BYTES_MIN }).then_some(token)
}

/// The credentials after `Authorization`, whatever their scheme.
fn header(body: &[u8], z: usize) -> Option<Range<usize>> {
    let name = body.get(z.checked_sub(7)?..z + 6)?;
    if !name.eq_ignore_ascii_case(b"authorization") {
        return None;
    }
    let value = run(body, z + 6, |byte| b"\"'\\:= ".contains(&byte)).end;
    let start = body.get(..body.len().min(value + SCHEME_BYTES_MAX))?;
    let word = run(start, value, |byte| byte.is_ascii_alphabetic()).end;
    let is_scheme = word > value && body.get(word) == Some(&b' ');
    let token = run(body, if is_scheme { word + 1 } else { value }, is_token);
    (token.len() >= VALUE_BYTES_MIN).then_some(token)
}

/// Name and password in `scheme://name:password@host`.
fn userinfo(body: &[u8], colon: usize) -> Option<Range<usize>> {
    body.get(colon..)?.strip_prefix(b"://")?;
    let inside = |byte: u8| byte.is_ascii_graphic() && !b"/?#@\"'\\<>".contains(&byte);
    let range = run(body, colon + 3, inside);
    let is_pair = body.get(range.clone())?.contains(&b':') && body.get(range.end) == Some(&b'@');
    (is_pair && range.len() <= USERINFO_BYTES_MAX).then_some(range)
}

/// The bytes from `start` on that belong.
fn run(body: &[u8], start: usize, belongs: fn(u8) -> bool) -> Range<usize> {
    let rest = body.get(start..).unwrap_or_default();
    start..start + rest.iter().take_while(|byte| belongs(**byte)).count()
}

/// Letters of tokens (RFC 6750, section 2.1).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: &str) {
        assert_eq!(words(text.to_owned()), expect);
    }

    #[test]
    fn what_looks_like_a_credential_is_taken_out() {
        check(
            "401 for url: https://a.com/p?token=abc&x=1",
            "401 for url: https://a.com/p?token=[redacted]&x=1",
        );
        check("https://a.com/q?x=1&apikey=ABC).", "https://a.com/q?x=1&apikey=[redacted]).");
        check(r#"{"u":"/v?a=1\u0026apiKey=ABC","n":2}"#, r#"{"u":"/v?a=1\u0026apiKey=[redacted]","n":2}"#);
        check("a?x=1&amp;api_key=k&amp;y=2", "a?x=1&amp;api_key=[redacted]&amp;y=2");
        check("sent Bearer abcdefghijklmnop.q-r", "sent Bearer [redacted]");
        check(r#"{"Authorization": "Token 0123456789"}"#, r#"{"Authorization": "Token [redacted]"}"#);
        check(r#"{\"authorization\":\"0123456789\"}"#, r#"{\"authorization\":\"[redacted]\"}"#);
        check(r#"{"api_key": "0123456789", "n": 1}"#, r#"{"api_key": "[redacted]", "n": 1}"#);
        check(
            "X-Api-Key: 0123456789, X-Finnhub-Token:0123456789",
            "X-Api-Key: [redacted], X-Finnhub-Token:[redacted]",
        );
        check("detected your API key as ABCDEFGH1234 and", "detected your API key as [redacted] and");
        check("http://me:pass@host/x", "http://[redacted]@host/x");
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in [
            "",
            "the bearer of this bond; Authorization: none; token=abc; a ? b : c",
            "https://news.example.com/?id=1&tokens=2&secretary=3&token=",
            "mail me@host, see http://host/x@y:z",
            "é=ü?tokén=1 ://",
            r#"{"token": "short", "tokens": "0123456789", "next_page_token": null}"#,
        ] {
            check(text, text);
        }
    }

    #[test]
    fn our_own_secret_is_taken_out_wherever_it_stands() {
        let take = |body: &'static str, ours| secret(Bytes::from_static(body.as_bytes()), ours);
        let ours = "eyJhbGciOiJ.eyJpc3M.sig";
        assert_eq!(
            take("eyeyJhbGciOiJ.eyJpc3M.sig-eyJhbGciOiJ.eyJpc3M.sig", ours),
            "ey[redacted]-[redacted]"
        );
        assert_eq!(take("eyJhbGciOiJ.eyJpc3M.si", ours), "eyJhbGciOiJ.eyJpc3M.si");
        assert_eq!(take("the owner", "owner"), "the owner");
    }

    /// Fails by taking minutes.
    #[test]
    fn a_text_made_of_names_costs_no_more_than_its_length() {
        for piece in
            ["?token=", "authorization", "token:", "bearer ", "://a:", "authorization a ", "api_key:::"]
        {
            let text = piece.repeat((4 << 20) / piece.len());
            let kept = credentials(Bytes::from(text.clone()));
            assert!(kept.len() <= text.len() * 2, "{piece}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_nothing_is_found_twice(body: Vec<u8>, ours: String) {
            let once = credentials(secret(Bytes::from(body), &ours));
            prop_assert_eq!(credentials(once.clone()), once);
        }
    }
}
