//! Which tickers a provider names when it refuses a whole batch.

use serde_json::Value as Json;

use super::answer::names;
use crate::catalogue::Ticker;

/// The tickers that a refusal's `detail` points at, by their place in the list (as `FastAPI` does: `{"loc": ["body",
/// "tickers", 3], "input": "X"}`) or by name in its text. None if it points at no ticker, or at all of them. It is only
/// a hint about where to look first: a named ticker is requested alone before it counts as bad.
pub fn named(body: &[u8], asked: &[Ticker]) -> Vec<Ticker> {
    let Ok(body) = serde_json::from_slice::<Json>(body) else { return Vec::new() };
    let named: Vec<Ticker> = match body.get("detail") {
        Some(Json::Array(details)) => details.iter().filter_map(|detail| pointed_at(detail, asked)).collect(),
        Some(Json::String(text)) => asked.iter().filter(|ticker| names(text, ticker)).cloned().collect(),
        _ => Vec::new(),
    };
    // Many names are just a list of what was sent, and blame nobody.
    if named.len() * 2 > asked.len() { Vec::new() } else { named }
}

fn pointed_at(detail: &Json, asked: &[Ticker]) -> Option<Ticker> {
    let place = detail.get("loc")?.as_array()?.last()?.as_u64()?;
    let ticker = asked.get(usize::try_from(place).ok()?)?;
    // The index may refer to another list.
    match detail.get("input") {
        Some(Json::String(input)) if input != ticker.as_str() => None,
        _ => Some(ticker.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expect: &[&str]) {
        let asked = ["AAPL", "A", "BRK.B", "MSFT", "^GSPC"].map(|ticker| Ticker::parse(ticker).unwrap());
        let named = named(body.as_bytes(), &asked);
        assert_eq!(named.iter().map(Ticker::as_str).collect::<Vec<_>>(), expect, "{body}");
    }

    #[test]
    fn a_ticker_is_named_by_its_place_or_its_name() {
        check(r#"{"detail": [{"loc": ["body", "tickers", 3], "msg": "bad", "input": "MSFT"}]}"#, &["MSFT"]);
        check(
            r#"{"detail": [{"loc": ["body", "tickers", 1]}, {"loc": ["body", "tickers", 4]}]}"#,
            &["A", "^GSPC"],
        );
        check(r#"{"detail": "bad symbol A."}"#, &["A"]);
        check(r#"{"detail": "unknown: BRK.B"}"#, &["BRK.B"]);
    }

    #[test]
    fn what_points_at_nobody_or_at_everybody_names_nobody() {
        check(r#"{"detail": "AAPL, A, BRK.B refused"}"#, &[]);
        check(r#"{"detail": [{"loc": ["body", "scope"]}, {"loc": ["body", "tickers", 9]}]}"#, &[]);
        check(r#"{"detail": [{"loc": ["body", "tickers", 3], "input": "OTHER"}]}"#, &[]);
        check("<html>A</html>", &[]);
        check(r#"{"detail": {"A": 1}}"#, &[]);
    }
}
