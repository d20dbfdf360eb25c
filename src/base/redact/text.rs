//! Credentials in running text: URL parameters, headers, what an error message says about its request.

use std::ops::Range;

use super::names::{NAME_BYTES_MAX, says};
use super::{SECRET_BYTES_MIN, is_token, run};

/// Shortest value after the name of a header that carries credentials.
const VALUE_BYTES_MIN: usize = 8;
/// Longest authentication scheme that is searched for.
const SCHEME_BYTES_MAX: usize = 32;
/// Longest user name and password in a URL that are searched for.
const USERINFO_BYTES_MAX: usize = 256;

/// The value after `?name=` or `&name=`; in JSON the ampersand may be `\u0026`, in HTML `&amp;`, in a parameter of
/// another URL `%26`. Outside of a URL, a value of some length counts as well.
pub(super) fn parameter(body: &[u8], name_end: usize, value: usize) -> Option<Range<usize>> {
    let window = body.get(name_end.saturating_sub(NAME_BYTES_MAX)..name_end)?;
    let length = window.iter().rev().take_while(|byte| is_name(**byte)).count();
    let (head, name) = window.split_at(window.len() - length);
    let (name, in_url) = match head.last() {
        Some(b'?' | b'&' | b';' | b'#') => (name, true),
        Some(b'\\') => (name.strip_prefix(b"u0026").unwrap_or(name), true),
        Some(b'%') => (name.get(2..)?, true),
        _ => (name, false),
    };
    let says = says(name)?;
    let range = value_of_parameter(body, value);
    let fits = says.fits(body.get(range.clone())?) && (in_url || range.len() >= VALUE_BYTES_MIN);
    fits.then_some(range)
}

/// The value of a parameter in a URL that is itself a parameter: `%26name%3Dvalue`.
pub(super) fn encoded_parameter(body: &[u8], percent: usize) -> Option<Range<usize>> {
    let value = percent + 3;
    let is_equals = body.get(percent..value)?.eq_ignore_ascii_case(b"%3D");
    let range = is_equals.then(|| parameter(body, percent, value))??;
    let text = body.get(range.clone())?;
    let is_end = |window: &[u8]| [b"%26", b"%23"].iter().any(|end| window.eq_ignore_ascii_case(*end));
    let length = text.windows(3).position(is_end).unwrap_or(text.len());
    Some(range.start..range.start + length)
}

fn value_of_parameter(body: &[u8], start: usize) -> Range<usize> {
    run(body, start, |byte| byte.is_ascii_graphic() && !b"&\"'\\<>#;),".contains(&byte))
}

/// The value of a header or the like, `X-Api-Key: value`; a quoted name is handled elsewhere.
pub(super) fn member(body: &[u8], colon: usize) -> Option<Range<usize>> {
    let window = body.get(colon.saturating_sub(NAME_BYTES_MAX)..colon)?;
    let length = window.iter().rev().take_while(|byte| is_name(**byte)).count();
    let says = says(window.get(window.len() - length..)?)?;
    let token = run(body, run(body, colon + 1, |byte| b"\"'\\ ".contains(&byte)).end, is_token);
    (token.len() >= VALUE_BYTES_MIN && says.fits(body.get(token.clone())?)).then_some(token)
}

/// The token after `Bearer `, and the key in `your API key as ABC`, Alpha Vantage's refusal.
pub(super) fn bearer(body: &[u8], space: usize) -> Option<Range<usize>> {
    let name = body.get(space.checked_sub(6)?..space)?;
    if !b"rRsS".contains(name.last()?) {
        return None;
    }
    let (bearer, key) = (name.eq_ignore_ascii_case(b"bearer"), name.eq_ignore_ascii_case(b"key as"));
    let token = if bearer || key { run(body, space + 1, is_token) } else { return None };
    (token.len() >= if bearer { SECRET_BYTES_MIN } else { VALUE_BYTES_MIN }).then_some(token)
}

/// The credentials after `Authorization`, whatever their scheme; a quoted name is handled elsewhere.
pub(super) fn header(body: &[u8], z: usize) -> Option<Range<usize>> {
    let name = body.get(z.checked_sub(7)?..z + 6)?;
    if !name.eq_ignore_ascii_case(b"authorization") {
        return None;
    }
    let slashes = |from: usize| run(body, from, |byte| byte == b'\\').end;
    let is_quote = |at: usize| body.get(at).is_some_and(|byte| b"\"'".contains(byte));
    if is_quote(slashes(z + 6)) {
        return None;
    }
    let value = run(body, z + 6, |byte| b":= ".contains(&byte)).end;
    let opened = slashes(value);
    let value = if is_quote(opened) { opened + 1 } else { value };
    let start = body.get(..body.len().min(value + SCHEME_BYTES_MAX))?;
    let word = run(start, value, |byte| byte.is_ascii_alphabetic()).end;
    let is_scheme = word > value && body.get(word) == Some(&b' ');
    let token = run(body, if is_scheme { word + 1 } else { value }, is_token);
    (token.len() >= VALUE_BYTES_MIN).then_some(token)
}

/// User name and password in `scheme://name:password@host`.
pub(super) fn userinfo(body: &[u8], colon: usize) -> Option<Range<usize>> {
    body.get(colon..)?.strip_prefix(b"://")?;
    let inside = |byte: u8| byte.is_ascii_graphic() && !b"/?#@\"'\\<>".contains(&byte);
    let range = run(body, colon + 3, inside);
    let is_pair = body.get(range.clone())?.contains(&b':') && body.get(range.end) == Some(&b'@');
    (is_pair && range.len() <= USERINFO_BYTES_MAX).then_some(range)
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}
