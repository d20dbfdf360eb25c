//! The body of a fetch, checked as the services' own validation does.

use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde_json::{Value, json};

use crate::data;

/// A valid fetch.
#[derive(Debug, PartialEq)]
pub(super) struct Fetch {
    pub(super) tickers: Vec<String>,
    pub(super) at: DateTime<Utc>,
}

impl Fetch {
    /// Checks a body, or returns the `detail` of the 422.
    pub(super) fn parse(headers: &HeaderMap, body: &Value) -> Result<Self, Value> {
        let content_type = headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_json = content_type
            .is_some_and(|value| value.trim().to_ascii_lowercase().starts_with("application/json"));
        if !is_json || !body.is_object() {
            return Err(problem(&["body"], "Input should be a JSON object of type application/json"));
        }
        for name in ["scope", "job_id"] {
            if !body[name].is_string() {
                return Err(problem(&["body", name], "Input should be a valid string"));
            }
        }
        Ok(Self { tickers: tickers(body)?, at: run_time(body)? })
    }
}

fn tickers(body: &Value) -> Result<Vec<String>, Value> {
    let invalid = || problem(&["body", "tickers"], "Input should be a list of non-empty strings");
    let list = body["tickers"].as_array().ok_or_else(invalid)?;
    list.iter()
        .map(|item| item.as_str().filter(|ticker| !ticker.is_empty()).map(str::to_owned).ok_or_else(invalid))
        .collect()
}

fn run_time(body: &Value) -> Result<DateTime<Utc>, Value> {
    match &body["run_time"] {
        Value::Null => Ok(data::moment(None)),
        Value::String(text) if DateTime::parse_from_rfc3339(text).is_ok() => Ok(data::moment(Some(text))),
        _ => Err(problem(&["body", "run_time"], "Input should be an RFC 3339 time")),
    }
}

fn problem(place: &[&str], message: &str) -> Value {
    json!([{"loc": place, "msg": message, "type": "value_error"}])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &Value) -> Result<Fetch, Value> {
        let headers = HeaderMap::from_iter([(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static("application/json; charset=utf-8"),
        )]);
        Fetch::parse(&headers, body)
    }

    #[test]
    fn the_contracts_body_is_accepted() {
        let body = json!({"tickers": ["AAPL"], "scope": "indices", "job_id": "j", "run_time": "2026-11-20T15:00:00Z"});
        let fetch = parse(&body).expect("valid");
        assert_eq!(fetch.tickers, ["AAPL"]);
        assert_eq!(fetch.at, data::moment(Some("2026-11-20T15:00:00Z")));
    }

    #[test]
    fn each_mistake_names_its_field() {
        let place = |body: Value| parse(&body).expect_err("invalid")[0]["loc"].clone();
        assert_eq!(place(json!([])), json!(["body"]));
        assert_eq!(place(json!({"tickers": []})), json!(["body", "scope"]));
        assert_eq!(place(json!({"tickers": [], "scope": "none"})), json!(["body", "job_id"]));
        assert_eq!(
            place(json!({"tickers": "A", "scope": "none", "job_id": "j"})),
            json!(["body", "tickers"])
        );
        assert_eq!(
            place(json!({"tickers": [""], "scope": "none", "job_id": "j"})),
            json!(["body", "tickers"])
        );
        let wrong_time = json!({"tickers": [], "scope": "none", "job_id": "j", "run_time": "yesterday"});
        assert_eq!(place(wrong_time), json!(["body", "run_time"]));
    }

    #[test]
    fn other_content_types_are_refused() {
        let body = json!({"tickers": [], "scope": "none", "job_id": "j"});
        assert!(Fetch::parse(&HeaderMap::new(), &body).is_err());
    }
}
