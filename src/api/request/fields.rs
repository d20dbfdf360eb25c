//! Fields of a body.

use serde_json::{Map, Value as Json};

use crate::api::problem::{FieldError, Problem};
use crate::base;

/// Longest reason, in characters: it is shown in lists.
pub const REASON_CHARS_MAX: usize = 500;

/// The start of a value, for a message.
pub(super) fn excerpt(text: &str) -> String {
    base::text::excerpt(text, 80)
}

/// A string field; null counts as missing.
pub(super) fn text<'a>(
    members: &'a Map<String, Json>,
    name: &'static str,
    errors: &mut Vec<FieldError>,
) -> Option<&'a str> {
    match members.get(name)? {
        Json::Null => None,
        Json::String(text) => Some(text),
        other => {
            errors.push(FieldError::new(name, excerpt(&other.to_string()), "must be a string"));
            None
        }
    }
}

/// A field that is true or false; null counts as false.
pub(super) fn flag(members: &Map<String, Json>, name: &'static str, errors: &mut Vec<FieldError>) -> bool {
    match members.get(name) {
        None | Some(Json::Null) => false,
        Some(Json::Bool(flag)) => *flag,
        Some(other) => {
            errors.push(FieldError::new(name, excerpt(&other.to_string()), "must be true or false"));
            false
        }
    }
}

/// The members of a body of any content type; an empty one has none.
pub(super) fn members(body: &[u8]) -> Result<Map<String, Json>, Problem> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    let json: Json = serde_json::from_slice(body).map_err(|error| {
        Problem::invalid(vec![FieldError::new("body", "", format!("is not valid JSON: {error}"))])
    })?;
    match json {
        Json::Object(members) => Ok(members),
        other => Err(Problem::invalid(vec![FieldError::new(
            "body",
            excerpt(&other.to_string()),
            "must be a JSON object",
        )])),
    }
}

/// Why somebody wants it; none if that is not said.
pub(super) fn reason(members: &Map<String, Json>, errors: &mut Vec<FieldError>) -> Option<String> {
    let reason = text(members, "reason", errors)?;
    let chars = reason.chars().count();
    if chars > REASON_CHARS_MAX {
        let message = format!("is {chars} characters long, limit {REASON_CHARS_MAX}");
        errors.push(FieldError::new("reason", excerpt(reason), message));
        return None;
    }
    let reason = reason.trim();
    (!reason.is_empty()).then(|| reason.to_owned())
}
