//! Records that violate their schema, or that Firestore refuses: kept whole, with the reasons.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use crate::base::id::fnv1a_128;
use crate::catalogue::{Dataset, Job, Ticker};
use crate::firestore::payload;
use crate::firestore::value::fields;
use crate::firestore::{DocumentPath, EncodedWrite, Fields, Value, Write};
use crate::intake::kind::Kind;

/// Maximum characters of a reason; a provider's message may have any length.
const REASON_CHARS_MAX: usize = 500;

/// A record that cannot be stored as one, whole, with the reasons.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    pub dataset: &'static Dataset,
    pub ticker: Option<String>,
    pub reasons: Vec<String>,
    /// The record as JSON, or as it arrived if it could not be parsed.
    pub record: Bytes,
    /// Distinguishes it from other records of its ticker.
    identity: u128,
}

impl Rejected {
    pub fn new(
        dataset: &'static Dataset,
        ticker: Option<&Ticker>,
        reasons: Vec<String>,
        mut record: Json,
    ) -> Self {
        let text = Bytes::from(record.to_string());
        // The time of the request does not make it a different record.
        let time = record.as_object_mut().and_then(|members| members.remove("ingested_at"));
        let identity = time.map_or_else(|| fnv1a_128(&text), |_| fnv1a_128(record.to_string().as_bytes()));
        let ticker = ticker.map(ToString::to_string);
        Self { dataset, ticker, reasons, record: text, identity }
    }

    /// A record that cannot be parsed as JSON.
    pub fn raw(dataset: &'static Dataset, ticker: Option<&Ticker>, reason: String, record: &[u8]) -> Self {
        let (record, identity) = (Bytes::copy_from_slice(record), fnv1a_128(record));
        Self { dataset, ticker: ticker.map(ToString::to_string), reasons: vec![reason], record, identity }
    }

    /// Distinguishes its document from others of the same dataset.
    pub fn key(&self) -> (Option<String>, u128) {
        (self.ticker.clone(), self.identity)
    }
}

/// Where a rejected record came from.
pub struct Origin<'a> {
    pub collection: &'a str,
    pub job: &'static Job,
    pub run_id: &'a str,
    pub now: DateTime<Utc>,
}

/// The documents of a record that violated its schema. The same record has the same documents in every run.
pub fn writes(rejected: &Rejected, origin: &Origin<'_>) -> Vec<(Kind, Write)> {
    let ticker = rejected.ticker.as_deref();
    document(rejected.dataset.name, ticker, &rejected.reasons, &rejected.record, rejected.identity, origin)
}

/// The documents of a record that Firestore refused.
pub fn writes_of_refused(write: &EncodedWrite, reason: &str, origin: &Origin<'_>) -> Vec<(Kind, Write)> {
    // Keeps what was sent: the typed JSON of the document's fields.
    let sent: Json = serde_json::from_slice(&write.json).unwrap_or_default();
    let ticker = sent.pointer("/update/fields/ticker/stringValue").and_then(Json::as_str);
    let record = Bytes::from(sent.pointer("/update/fields").unwrap_or(&Json::Null).to_string());
    let reason = format!("Firestore rejected {}: {reason}", write.document);
    document(write.document.collection(), ticker, &[reason], &record, fnv1a_128(&record), origin)
}

fn document(
    dataset: &str,
    ticker: Option<&str>,
    reasons: &[String],
    record: &Bytes,
    identity: u128,
    origin: &Origin<'_>,
) -> Vec<(Kind, Write)> {
    let id = format!("{dataset}_{}_{identity:032x}", ticker.unwrap_or("none"));
    let path = DocumentPath::new(origin.collection, &id);
    let stored = payload::store(&path, record, &Fields::new());
    let short = |reason: &String| reason.chars().take(REASON_CHARS_MAX).collect::<String>();
    let mut fields = fields([
        ("dataset", Value::string(dataset)),
        ("ticker", ticker.map_or(Value::NULL, Value::string)),
        ("reasons", Value::strings(reasons.iter().map(short))),
        ("job", Value::string(origin.job.name)),
        ("source", Value::string(origin.job.provider.name())),
        ("run_id", Value::string(origin.run_id)),
        ("rejected_at", Value::Timestamp(origin.now)),
    ]);
    fields.insert("record".to_owned(), Value::Map { fields: stored.fields });
    Kind::Rejected.of([Write::overwrite(path, fields)]).chain(Kind::Part.of(stored.parts)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalogue::{self, find_dataset};

    fn stored(record: Json, run_id: &str) -> Write {
        let ticker = Ticker::parse("AAPL").unwrap();
        let reasons = vec!["date is missing".into()];
        let rejected = Rejected::new(find_dataset("daily_prices").unwrap(), Some(&ticker), reasons, record);
        let origin = Origin {
            collection: "rejected_records",
            job: catalogue::find("tiingo-daily-prices").unwrap(),
            run_id,
            now: DateTime::UNIX_EPOCH,
        };
        writes(&rejected, &origin).remove(0).1
    }

    #[test]
    fn a_rejected_record_is_kept_whole_under_the_same_name_in_every_run() {
        let record = |time: &str| json!({"close": [[1]], "ingested_at": time});
        let first = stored(record("2026-11-23T10:00:00.000001"), "a");
        assert_eq!(first.document, stored(record("2026-11-24T10:00:00.000002"), "b").document);
        assert_ne!(first.document, stored(json!({"close": [[2]]}), "a").document);
        let Value::Map { fields } = &first.fields["record"] else { panic!() };
        assert_eq!(
            fields["data"],
            Value::string(r#"{"close":[[1]],"ingested_at":"2026-11-23T10:00:00.000001"}"#)
        );
    }

    #[test]
    fn what_is_no_text_is_kept_byte_for_byte() {
        let rejected =
            Rejected::raw(find_dataset("quotes").unwrap(), None, "x".repeat(9_000), b"{\"a\":\"\xff\"}");
        let origin = Origin {
            collection: "rejected_records",
            job: catalogue::find("finnhub-quote-portfolio").unwrap(),
            run_id: "r",
            now: DateTime::UNIX_EPOCH,
        };
        let writes = writes(&rejected, &origin);
        assert_eq!([writes[0].0, writes[1].0], [Kind::Rejected, Kind::Part]);
        let Value::Map { fields } = &writes[0].1.fields["record"] else { panic!() };
        assert_eq!(fields["encoding"], Value::string("gzip_parts"));
        let Value::Bytes(part) = &writes[1].1.fields["data"] else { panic!() };
        assert_eq!(payload::join(std::slice::from_ref(part), 99).unwrap(), b"{\"a\":\"\xff\"}");
        assert!(writes[0].1.stored_bytes() < 2_000);
    }
}
