//! The body of a fetch, validated as the services do.

use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde_json::{Value, json};

use crate::data;
use crate::endpoint::{DayRange, Endpoint};

/// A valid fetch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fetch {
    pub(crate) tickers: Vec<String>,
    pub(crate) at: DateTime<Utc>,
    /// The indicators that alphavantage must request, in this order.
    pub(crate) indicators: Vec<String>,
    /// How many records of a ticker the caller wants at most, where the endpoint takes a limit.
    pub(crate) limit: Option<usize>,
    /// The days that are asked for.
    pub(crate) days: Option<DayRange>,
}

/// `ScopeType` of `shared/models.py`: lowercase only.
const SCOPES: [&str; 4] = ["entire_watchlist", "active_symbols", "indices", "none"];

impl Fetch {
    /// Checks a body, or returns the `detail` of the 422.
    pub(super) fn parse(endpoint: Endpoint, headers: &HeaderMap, body: &Value) -> Result<Self, Value> {
        let content_type = headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_json = content_type
            .is_some_and(|value| value.trim().to_ascii_lowercase().starts_with("application/json"));
        if !is_json || !body.is_object() {
            let message = "Input should be a valid dictionary or object to extract fields from";
            return Err(problem("model_attributes_type", &[], message, body));
        }
        let tickers = texts(body, "tickers")?.ok_or_else(|| missing(body, "tickers"))?;
        let scope = text(body, "scope", &SCOPES)?;
        if !SCOPES.contains(&scope) {
            let message = "Input should be 'entire_watchlist', 'active_symbols', 'indices' or 'none'";
            return Err(problem("enum", &["scope"], message, &body["scope"]));
        }
        text(body, "job_id", &[])?;
        let indicators = texts(body, "indicators")?.filter(|names| !names.is_empty());
        let indicators = indicators.unwrap_or_else(|| data::INDICATORS.map(str::to_owned).to_vec());
        let at = run_time(body)?;
        let not_a_day = |name| {
            problem("date_from_datetime_parsing", &[name], "Input should be a valid date", &body[name])
        };
        let days = endpoint.days(body, at).map_err(not_a_day)?;
        let limit = endpoint.spec().limit.map(|limit| within(body, limit.most)).transpose()?.flatten();
        Ok(Self { tickers, at, indicators, limit, days })
    }
}

fn text<'a>(body: &'a Value, name: &str, choices: &[&str]) -> Result<&'a str, Value> {
    match &body[name] {
        Value::String(text) => Ok(text),
        Value::Null if body.get(name).is_none() => Err(missing(body, name)),
        other if choices.is_empty() => {
            Err(problem("string_type", &[name], "Input should be a valid string", other))
        }
        other => Err(problem("enum", &[name], "Input should be one of the known words", other)),
    }
}

/// A list of strings, which may be empty.
fn texts(body: &Value, name: &str) -> Result<Option<Vec<String>>, Value> {
    let Some(value) = body.get(name).filter(|value| name == "tickers" || !value.is_null()) else {
        return Ok(None);
    };
    let invalid = || problem("list_type", &[name], "Input should be a valid list", value);
    let list = value.as_array().ok_or_else(invalid)?;
    let item = |item: &Value| {
        item.as_str()
            .map(str::to_owned)
            .ok_or_else(|| problem("string_type", &[name], "Input should be a valid string", item))
    };
    list.iter().map(item).collect::<Result<_, _>>().map(Some)
}

/// The parameter `limit`: up to `most`.
fn within(body: &Value, most: usize) -> Result<Option<usize>, Value> {
    let Some(value) = body.get("limit").filter(|value| !value.is_null()) else { return Ok(None) };
    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    match number.filter(|number| (1..=most).contains(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(problem("int_type", &["limit"], &format!("Input should be from 1 to {most}"), value)),
    }
}

fn run_time(body: &Value) -> Result<DateTime<Utc>, Value> {
    match &body["run_time"] {
        Value::Null => Err(missing(body, "run_time")),
        Value::String(text) if DateTime::parse_from_rfc3339(text).is_ok() => Ok(data::moment(Some(text))),
        other => Err(problem(
            "datetime_from_date_parsing",
            &["run_time"],
            "Input should be a valid datetime",
            other,
        )),
    }
}

fn missing(body: &Value, name: &str) -> Value {
    problem("missing", &[name], "Field required", body)
}

fn problem(kind: &str, place: &[&str], message: &str, input: &Value) -> Value {
    let place: Vec<&str> = std::iter::once("body").chain(place.iter().copied()).collect();
    json!([{"type": kind, "loc": place, "msg": message, "input": input}])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &Value) -> Result<Fetch, Value> {
        read(Endpoint::POLYGON_NEWS, body)
    }

    fn read(endpoint: Endpoint, body: &Value) -> Result<Fetch, Value> {
        let headers = HeaderMap::from_iter([(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static("application/json; charset=utf-8"),
        )]);
        Fetch::parse(endpoint, &headers, body)
    }

    #[test]
    fn a_body_as_in_the_contract_is_accepted() {
        let body = json!({"tickers": ["AAPL"], "scope": "indices", "job_id": "j", "run_time": "2026-11-20T15:00:00Z"});
        let fetch = parse(&body).expect("valid");
        assert_eq!(fetch.tickers, ["AAPL"]);
        assert_eq!(fetch.at, data::moment(Some("2026-11-20T15:00:00Z")));
        assert_eq!((fetch.indicators, fetch.limit), (data::INDICATORS.map(str::to_owned).to_vec(), None));
        let body = json!({"tickers": [], "scope": "none", "job_id": "j", "run_time": "2026-11-20T15:00:00Z", "limit": 50});
        assert_eq!(parse(&body).expect("valid").limit, Some(50));
    }

    #[test]
    fn each_mistake_names_its_field() {
        let place = |body: Value| parse(&body).expect_err("invalid")[0]["loc"].clone();
        assert_eq!(place(json!([])), json!(["body"]));
        assert_eq!(place(json!({"scope": "none"})), json!(["body", "tickers"]));
        assert_eq!(place(json!({"tickers": []})), json!(["body", "scope"]));
        assert_eq!(place(json!({"tickers": [], "scope": "NONE"})), json!(["body", "scope"]));
        assert_eq!(place(json!({"tickers": [], "scope": "none"})), json!(["body", "job_id"]));
        assert_eq!(
            place(json!({"tickers": "A", "scope": "none", "job_id": "j"})),
            json!(["body", "tickers"])
        );
        assert_eq!(
            place(json!({"tickers": [1], "scope": "none", "job_id": "j"})),
            json!(["body", "tickers"])
        );
        assert_eq!(
            place(json!({"tickers": [""], "scope": "none", "job_id": "j"})),
            json!(["body", "run_time"])
        );
        for limit in [json!(0), json!(1_001), json!("50")] {
            let body = json!({"tickers": [], "scope": "none", "job_id": "j", "run_time": "2026-11-20T15:00:00Z", "limit": limit});
            assert_eq!(place(body), json!(["body", "limit"]));
        }
        let wrong_time = json!({"tickers": [], "scope": "none", "job_id": "j", "run_time": "yesterday"});
        assert_eq!(place(wrong_time), json!(["body", "run_time"]));
    }

    #[test]
    fn days_are_read_as_the_service_reads_them() {
        let days = |more: &str| {
            let common =
                r#""tickers": [], "scope": "none", "job_id": "j", "run_time": "2026-11-20T15:00:00Z""#;
            let body = serde_json::from_str(&format!("{{{common}, {more}}}")).expect("JSON");
            read(Endpoint::TIINGO_PRICES, &body)
                .map(|fetch| fetch.days.map(|(from, to)| format!("{from} {to}")))
        };
        let both = days(r#""start_date": "2026-11-02", "end_date": "2026-11-06""#);
        assert_eq!(both, Ok(Some("2026-11-02 2026-11-06".to_owned())));
        assert_eq!(days(r#""start_date": "2026-11-02""#), Ok(Some("2026-11-02 2026-11-20".to_owned())));
        assert_eq!(days(r#""from_date": "2026-11-02""#), Ok(None), "the field of another service");
        let error = days(r#""start_date": "2026-11-02", "end_date": "soon""#).expect_err("not a day");
        assert_eq!(error[0]["loc"], json!(["body", "end_date"]));
    }

    #[test]
    fn other_content_types_are_refused() {
        let body = json!({"tickers": [], "scope": "none", "job_id": "j"});
        assert!(Fetch::parse(Endpoint::POLYGON_NEWS, &HeaderMap::new(), &body).is_err());
    }
}
