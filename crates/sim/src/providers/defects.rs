//! Records that break their schema or Firestore's rules, among valid ones.

use serde_json::{Map, Value, json};

use crate::dice::filler;

/// What is wrong with one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// The field that dates or identifies the record is missing.
    MissingDate,
    /// Numbers are the string `NaN`.
    TextNumbers,
    /// The record is `null`.
    NullRecord,
    /// An array directly inside an array, which Firestore refuses.
    NestedArray,
    /// A field named `__reserved__`, which Firestore refuses.
    ReservedName,
    /// A field with an empty name, which Firestore refuses.
    EmptyName,
    /// A string field of this many bytes.
    HugeField(usize),
    /// `{"error": …}` in the record's place, as for an indicator that failed.
    ErrorInPlace,
    /// Not a defect, but rare: date and value of an indicator at its top level instead of inside `data`.
    FlatIndicator,
    /// Not a defect, but seen: an article without an id upstream, which the service names `finnhub_None` or
    /// `polygon_None`.
    NoId,
    /// Not a defect, but seen: an article without a time upstream, `datetime: 0` or an empty `published_utc`.
    NoTime,
    /// Not a defect, but seen: the strings of an article are null.
    NullTexts,
    /// Not a defect, but seen: while the market is open, the newest value of an indicator is dated to the second,
    /// `2026-03-02 12:08:22`.
    OpenSession,
    /// An additional entry of `data` that is `null`.
    NullEntry,
    /// The entry's `data` is `null` without an `error`.
    NullData,
}

/// Adds one defective record per defect to the entry of `ticker`, or to the first entry.
///
/// If the entry's data is a list, the defective records follow the valid ones, each with its own id. If it is one
/// object (quotes, fundamentals), that object gets the defects; in a map of indicators, SMA does. Market news has no
/// tickers: there the list of entries grows.
pub(super) fn add(entries: &mut Vec<Value>, ticker: Option<&str>, defects: &[Defect]) {
    for (number, defect) in (1..).zip(defects) {
        if *defect == Defect::NullEntry {
            entries.push(Value::Null);
            continue;
        }
        let place =
            ticker.map_or(Some(0), |ticker| entries.iter().position(|entry| entry["ticker"] == ticker));
        let Some(entry) = place.and_then(|place| entries.get_mut(place)) else { continue };
        if entry.get("article_id").is_some() {
            let article = defective(entry, *defect, number);
            entries.push(article);
        } else {
            add_to_entry(entry, *defect, number);
        }
    }
}

fn add_to_entry(entry: &mut Value, defect: Defect, number: u32) {
    let Some(data) = entry.get_mut("data") else { return };
    if defect == Defect::NullData {
        *data = Value::Null;
        return;
    }
    match data {
        Value::Array(records) => {
            if let Some(model) = records.first() {
                records.push(defective(model, defect, number));
            }
            let count = records.len();
            entry["count"] = json!(count);
        }
        Value::Object(map) if map.contains_key("ticker") => {
            let record = std::mem::take(data);
            *data = spoiled(record, defect);
        }
        Value::Object(indicators) => {
            if let Some(record) = indicators.get_mut("SMA") {
                *record = spoiled(record.take(), defect);
            }
        }
        _ => {}
    }
}

/// A copy of `model` with another id and `defect`.
fn defective(model: &Value, defect: Defect, number: u32) -> Value {
    let mut record = model.clone();
    if let Some(fields) = record.as_object_mut() {
        for (name, value) in fields.iter_mut() {
            match name.as_str() {
                // Trading days: the first of that month is a Monday, and it has no holidays.
                "date" | "earnings_date" => {
                    *value = json!(format!("2004-03-{:02}", number + (number - 1) / 5 * 2));
                }
                "article_id" => {
                    *value = json!(format!("{}_defect_{number}", value.as_str().unwrap_or_default()));
                }
                _ => {}
            }
        }
    }
    spoiled(record, defect)
}

fn spoiled(mut record: Value, defect: Defect) -> Value {
    let Some(fields) = record.as_object_mut() else { return Value::Null };
    match defect {
        Defect::NullRecord | Defect::NullEntry | Defect::NullData => return Value::Null,
        Defect::ErrorInPlace => return json!({"error": "simulated failure of one record"}),
        Defect::FlatIndicator => {
            if let Some(Value::Object(inner)) = fields.remove("data") {
                fields.extend(inner);
            }
        }
        Defect::NoId => without_id(fields),
        Defect::NoTime => {
            for (name, nothing) in [("datetime", json!(0)), ("published_utc", json!(""))] {
                if let Some(value) = fields.get_mut(name) {
                    *value = nothing;
                }
            }
        }
        Defect::NullTexts => {
            for name in ["headline", "summary", "url", "title", "description", "author"] {
                if let Some(value) = fields.get_mut(name) {
                    *value = Value::Null;
                }
            }
        }
        Defect::OpenSession => {
            if let Some(date) = fields.get_mut("data").and_then(|data| data.get_mut("date")) {
                *date = json!(format!("{} 12:08:22", date.as_str().unwrap_or_default()));
            }
        }
        Defect::MissingDate => remove_identity(fields),
        Defect::TextNumbers => numbers_to_text(fields),
        Defect::NestedArray => drop(fields.insert("matrix".to_owned(), json!([[1, 2], [3, 4]]))),
        Defect::ReservedName => drop(fields.insert("__reserved__".to_owned(), json!(1))),
        Defect::EmptyName => drop(fields.insert(String::new(), json!(1))),
        Defect::HugeField(bytes) => drop(fields.insert("padding".to_owned(), json!(filler(1, bytes)))),
    }
    record
}

/// What `f"finnhub_{article.get('id')}"` makes of a null id.
fn without_id(fields: &mut Map<String, Value>) {
    if let Some(id) = fields.get_mut("article_id") {
        let of = id.as_str().unwrap_or_default();
        let prefix =
            ["polygon_market_", "polygon_", "finnhub_"].into_iter().find(|prefix| of.starts_with(prefix));
        *id = json!(format!("{}None", prefix.unwrap_or_default()));
    }
}

fn remove_identity(fields: &mut Map<String, Value>) {
    for name in ["date", "timestamp", "article_id", "report_date", "earnings_date"] {
        fields.remove(name);
    }
    if let Some(Value::Object(inner)) = fields.get_mut("data") {
        inner.remove("date");
    }
}

fn numbers_to_text(fields: &mut Map<String, Value>) {
    for value in fields.values_mut() {
        match value {
            Value::Number(_) => *value = json!("NaN"),
            Value::Object(inner) => numbers_to_text(inner),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Spec, entries, moment};
    use crate::endpoint::Endpoint;

    fn with(endpoint: Endpoint, defects: &[Defect]) -> Vec<Value> {
        let tickers = ["AAPL", "MSFT"].map(str::to_owned);
        let mut entries = entries(&Spec::default(), endpoint, &tickers, moment(None));
        add(&mut entries, Some("MSFT").filter(|_| !endpoint.has_articles()), defects);
        entries
    }

    #[test]
    fn valid_records_stay_next_to_defective_ones() {
        let entries =
            with(Endpoint::TIINGO_PRICES, &[Defect::MissingDate, Defect::NestedArray, Defect::NullRecord]);
        let records = entries[1]["data"].as_array().expect("a list");
        assert_eq!(entries[0]["data"].as_array().map(Vec::len), Some(5));
        assert_eq!((records.len(), &entries[1]["count"]), (8, &json!(8)));
        assert!(records[5].get("date").is_none());
        assert_eq!(records[6]["date"], "2004-03-02");
        assert!(records[7].is_null());
    }

    #[test]
    fn a_single_object_gets_the_defect() {
        let entries = with(Endpoint::FINNHUB_QUOTES, &[Defect::TextNumbers]);
        assert_eq!(entries[1]["data"]["current_price"], "NaN");
        let entries = with(Endpoint::ALPHAVANTAGE_INDICATORS, &[Defect::MissingDate]);
        let spoiled = |entry: &Value| {
            let indicators = entry["data"].as_object().expect("a map");
            indicators.values().filter(|indicator| indicator.pointer("/data/date").is_none()).count()
        };
        assert_eq!((spoiled(&entries[0]), spoiled(&entries[1])), (0, 1));
    }

    #[test]
    fn an_indicator_can_fail_or_be_flat() {
        let first = |defect| with(Endpoint::ALPHAVANTAGE_INDICATORS, &[defect])[1]["data"]["SMA"].clone();
        assert!(first(Defect::ErrorInPlace)["error"].is_string());
        assert!(first(Defect::FlatIndicator)["date"].is_string());
    }

    #[test]
    fn an_article_without_upstream_id_and_time_is_named_none_and_dated_zero() {
        let entries = with(Endpoint::FINNHUB_NEWS, &[Defect::NoId, Defect::NoTime, Defect::NullTexts]);
        let records = entries[1]["data"].as_array().expect("a list");
        assert_eq!((&records[5]["article_id"], &records[6]["datetime"]), (&json!("finnhub_None"), &json!(0)));
        assert!(records[7]["headline"].is_null());
        let market = with(Endpoint::POLYGON_MARKET, &[Defect::NoId]);
        assert_eq!(market[20]["article_id"], "polygon_market_None");
        let indicators = with(Endpoint::ALPHAVANTAGE_INDICATORS, &[Defect::OpenSession]);
        assert_eq!(indicators[1]["data"]["SMA"]["data"]["date"], "2024-03-14 12:08:22");
    }

    #[test]
    fn market_news_grows_by_the_defective_articles() {
        let entries = with(Endpoint::POLYGON_MARKET, &[Defect::EmptyName, Defect::NullEntry]);
        assert_eq!(entries.len(), Spec::default().market_articles + 2);
        assert_eq!(entries[20][""], 1);
        assert!(entries[21].is_null());
    }
}
