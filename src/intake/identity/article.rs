//! What articles of all providers have in common: meaningless IDs, and the IDs that replace them.

use super::hash;
use crate::catalogue::Provider;
use crate::firestore::{Fields, Value};

/// What Python, JavaScript and spreadsheets write if there is no ID.
const NONE: [&str; 6] = ["none", "null", "nan", "undefined", "n/a", ""];

/// Gives an article without an ID one derived from its content, so that it is the same in every run.
pub(super) fn identify(fields: &mut Fields, prefix: &str, stable: &[&str]) -> Result<(), String> {
    let id = fields.get("article_id").and_then(Value::as_str).unwrap_or_default();
    if !says_nothing(id) {
        return Ok(());
    }
    let known: Vec<_> =
        stable.iter().map(|name| fields.get(*name).filter(|value| !is_empty(value))).collect();
    if known.iter().all(Option::is_none) {
        return Err(format!("article_id is missing, and so are {}", stable.join(", ")));
    }
    let made = format!("{prefix}_hash_{:032x}", hash(&known));
    fields.insert("article_id".to_owned(), Value::String(made));
    Ok(())
}

/// Whether an ID identifies no article: a provider's prefix with nothing after it, or the time at which a service made
/// it up, which is different each time.
fn says_nothing(id: &str) -> bool {
    let mut prefixes = Provider::all().into_iter().flat_map(|provider| provider.spec().article_prefixes);
    let own = prefixes.find_map(|prefix| id.strip_prefix(prefix)).unwrap_or(id).trim();
    let is_time = own.split_once('.').is_some_and(|(seconds, fraction)| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        seconds.len() == 10 && digits(seconds) && digits(fraction)
    });
    is_time || NONE.iter().any(|none| own.eq_ignore_ascii_case(none))
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Null(()) | Value::Integer(0))
        || value.as_str().is_some_and(|text| text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firestore::value::fields;

    fn made(id: Value, url: &str) -> Result<String, String> {
        let mut fields = fields([
            ("article_id", id),
            ("url", Value::string(url)),
            ("headline", Value::NULL),
            ("datetime", Value::Integer(0)),
        ]);
        identify(&mut fields, "finnhub", &["url", "headline", "datetime"])?;
        Ok(text(&fields).to_owned())
    }

    fn text(fields: &Fields) -> &str {
        fields["article_id"].as_str().unwrap()
    }

    #[test]
    fn an_id_that_says_nothing_is_made_of_the_content() {
        for id in [
            "",
            " ",
            "None",
            "null",
            "finnhub_None",
            "finnhub_null",
            "finnhub_",
            "polygon_None",
            "finnhub_NaN",
        ] {
            assert_eq!(made(Value::string(id), "u"), made(Value::NULL, "u"), "{id}");
        }
        // Python's `timestamp()`, in the place of an id.
        assert_eq!(made(Value::string("finnhub_1795696800.123456"), "u"), made(Value::NULL, "u"));
        assert_ne!(made(Value::NULL, "v"), made(Value::NULL, "u"));
        assert!(made(Value::NULL, "u").unwrap().starts_with("finnhub_hash_"));
    }

    #[test]
    fn an_id_that_says_something_stays() {
        for id in ["finnhub_7", "finnhub_nonesuch", "7", "finnhub_1795696800", "finnhub_1.5", "polygon_a/b"] {
            assert_eq!(made(Value::string(id), "u").as_deref(), Ok(id));
        }
    }

    #[test]
    fn an_article_that_says_nothing_at_all_has_no_id() {
        assert_eq!(
            made(Value::NULL, "").unwrap_err(),
            "article_id is missing, and so are url, headline, datetime"
        );
    }
}
