//! Credentials next to a quoted name: members of JSON, of JSON inside a JSON string, and of Python's printed dicts.
//!
//! A quote of JSON inside a JSON string has one backslash before it, one level deeper three, then seven. So the number
//! of backslashes before a quote gives its level, and a string ends at the next quote of its level, or where an
//! enclosing string ends.

use std::ops::Range;

use super::Found;
use super::names::{NAME_BYTES_MAX, Says, looks_like_a_key, says};

/// Maximum spaces between a name and what follows it.
const BLANKS_MAX: usize = 4;
/// Longest value that is examined for looking like a key.
const KEY_BYTES_MAX: usize = 512;
/// Shortest string that is treated as a key if it follows a name in a list; a list of keywords may contain such a name.
const PAIR_BYTES_MIN: usize = 16;
/// Shortest string that is treated as a key after a scheme, in such a list.
const TOKEN_BYTES_MIN: usize = 8;
/// Members that hold the name in lists of headers and parameters.
const NAMES: [&[u8]; 5] = [b"name", b"key", b"header", b"field", b"parameter"];

/// A quoted string.
struct Quoted {
    content: Range<usize>,
    /// The delimiter before it, with its backslashes.
    delimiter: Range<usize>,
}

/// The value of `"apikey": value`.
pub(super) fn member(body: &[u8], colon: usize) -> Option<Found> {
    let (says, name) = name_before(body, colon)?;
    value(body, skip_blanks(body, colon + 1), says, &name)
}

/// The value of `["apikey", "value"]` and `{"name": "apikey", "value": "value"}`.
pub(super) fn pair(body: &[u8], comma: usize) -> Option<Found> {
    let (Says::Credential, name) = name_before(body, comma)? else { return None };
    let next = quoted_at(body, skip_blanks(body, comma + 1))?;
    let text = body.get(next.content.clone())?;
    let after = skip_blanks(body, next.content.end + next.delimiter.len());
    if body.get(after) == Some(&b':') {
        let is_value = text.eq_ignore_ascii_case(b"value") && is_named(body, &name);
        return is_value.then(|| value(body, skip_blanks(body, after + 1), Says::Credential, &name))?;
    }
    let token = text.iter().position(|byte| *byte == b' ').and_then(|space| text.get(space + 1..));
    let has_token = token.is_some_and(|token| looks_like_a_key(token, TOKEN_BYTES_MIN));
    (has_token || looks_like_a_key(text, PAIR_BYTES_MIN)).then(|| next.content.into())
}

/// Whether a string is the value of a member `"name"`.
fn is_named(body: &[u8], text: &Quoted) -> bool {
    let head = body.get(..text.delimiter.start).unwrap_or_default();
    let Some(colon) = head.iter().rposition(|byte| !byte.is_ascii_whitespace()) else { return false };
    let name = (head.get(colon) == Some(&b':')).then(|| quoted_before(body, colon)).flatten();
    let name = name.and_then(|name| body.get(name.content));
    name.is_some_and(|name| NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)))
}

/// The name that ends before `end`, if it is the name of a credential.
fn name_before(body: &[u8], end: usize) -> Option<(Says, Quoted)> {
    let name = quoted_before(body, end)?;
    says(body.get(name.content.clone())?).map(|says| (says, name))
}

/// The short string whose closing quote is before `end`, ignoring spaces.
fn quoted_before(body: &[u8], end: usize) -> Option<Quoted> {
    let head = body.get(end.saturating_sub(BLANKS_MAX + 1)..end)?;
    let blanks = head.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
    let quote_at = end.checked_sub(blanks + 1)?;
    let quote = *body.get(quote_at)?;
    if !b"\"'".contains(&quote) {
        return None;
    }
    let slashes = body.get(..quote_at)?.iter().rev().take_while(|byte| **byte == b'\\').count();
    let content_end = quote_at - slashes;
    let window = body.get(content_end.saturating_sub(NAME_BYTES_MAX)..content_end)?;
    let length = window.iter().rev().take_while(|byte| !b"\"'\\".contains(byte)).count();
    let content = content_end - length..content_end;
    let delimiter = content.start.checked_sub(slashes + 1)?..content.start;
    // The quotes on both sides are the same.
    (body.get(delimiter.clone())? == body.get(content_end..=quote_at)?)
        .then_some(Quoted { content, delimiter })
}

/// The value that starts at `start`.
fn value(body: &[u8], start: usize, says: Says, name: &Quoted) -> Option<Found> {
    if says == Says::Perhaps {
        let near = body.get(..body.len().min(start.saturating_add(KEY_BYTES_MAX)))?;
        let content = quoted_at(near, start)?.content;
        return body.get(content.clone()).is_some_and(|text| says.fits(text)).then(|| content.into());
    }
    if let Some(text) = quoted_at(body, start) {
        return Some(text.content.into());
    }
    let end = match body.get(start)? {
        b'[' | b'{' => closing_bracket(body, start, name),
        b'-' | b'0'..=b'9' => super::run(body, start, |byte| b"+-.eE0123456789".contains(&byte)).end,
        _ => return None,
    };
    Some(Found { range: start..end, quote: Some(name.delimiter.clone()) })
}

/// The string whose delimiter starts at `start`.
fn quoted_at(body: &[u8], start: usize) -> Option<Quoted> {
    let level = super::run(body, start, |byte| byte == b'\\').len();
    let quote = *body.get(start + level)?;
    if !b"\"'".contains(&quote) {
        return None;
    }
    let delimiter = start..start + level + 1;
    let mut slashes = 0;
    for (at, byte) in body.iter().enumerate().skip(delimiter.end) {
        match *byte {
            b'\\' => slashes += 1,
            byte => {
                if byte == quote && closes(slashes, level) {
                    return Some(Quoted { content: delimiter.end..at - slashes.min(level), delimiter });
                }
                if ends_around(byte, quote, slashes, level) {
                    return Some(Quoted { content: delimiter.end..at - slashes, delimiter });
                }
                slashes = 0;
            }
        }
    }
    Some(Quoted { content: delimiter.end..body.len(), delimiter })
}

/// The end of the list or map that starts at `start`, next to a name of the same level.
fn closing_bracket(body: &[u8], start: usize, name: &Quoted) -> usize {
    let level = name.delimiter.len() - 1;
    let quote = body.get(name.delimiter.end - 1).copied().unwrap_or(b'"');
    let (mut depth, mut slashes, mut in_text) = (0_usize, 0, false);
    for (at, byte) in body.iter().enumerate().skip(start) {
        let before = std::mem::take(&mut slashes);
        match *byte {
            b'\\' => slashes = before + 1,
            byte if byte == quote && closes(before, level) => in_text = !in_text,
            byte if ends_around(byte, quote, before, level) => return at - before,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    body.len()
}

/// Whether a quote with this many backslashes before it is of this level, whatever backslashes the string before it
/// ends with.
fn closes(slashes: usize, level: usize) -> bool {
    slashes.checked_sub(level).is_some_and(|more| more % (2 * (level + 1)) == 0)
}

/// Whether an enclosing string ends here. A single-quoted string may be inside a JSON string.
fn ends_around(byte: u8, quote: u8, slashes: usize, level: usize) -> bool {
    let level = if quote == b'\'' { 1 } else { level };
    let outer =
        std::iter::successors(Some(0), |outer| Some(2 * outer + 1)).take_while(|outer| *outer < level);
    byte == b'"' && outer.into_iter().any(|outer| closes(slashes, outer))
}

fn skip_blanks(body: &[u8], start: usize) -> usize {
    super::run(body, start, |byte| byte.is_ascii_whitespace()).end
}
