//! Fields of a body.

use serde_json::{Map, Value as Json};

use crate::api::problem::FieldError;
use crate::base;

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
