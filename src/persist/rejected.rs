//! Records that break their schema, or that Firestore refuses: kept whole, with the reasons.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use super::payload;
use super::record::Rejected;
use crate::firestore::path::fnv1a_128;
use crate::firestore::value::fields;
use crate::firestore::{DocumentPath, EncodedWrite, Fields, Value, Write};
use crate::job::Job;

/// Where a rejected record came from.
pub struct Origin<'a> {
    pub collection: &'a str,
    pub job: &'static Job,
    pub run_id: &'a str,
    pub now: DateTime<Utc>,
}

/// The documents of a record that broke its schema. The same record has the same documents in every run.
pub fn writes(rejected: &Rejected, origin: &Origin<'_>) -> Vec<Write> {
    let schema = rejected.dataset.schema();
    document(schema.name, rejected.ticker.as_deref(), &rejected.reasons, &rejected.record.to_string(), origin)
}

/// The documents of a record that Firestore refused.
pub fn writes_of_refused(write: &EncodedWrite, reason: &str, origin: &Origin<'_>) -> Vec<Write> {
    // What was sent is what is kept: the typed JSON of the document's fields.
    let sent: Json = serde_json::from_slice(&write.json).unwrap_or_default();
    let ticker = sent.pointer("/update/fields/ticker/stringValue").and_then(Json::as_str);
    let record = sent.pointer("/update/fields").unwrap_or(&Json::Null).to_string();
    let reason = format!("Firestore refuses {}: {reason}", write.document);
    document(write.document.collection(), ticker, &[reason], &record, origin)
}

fn document(
    dataset: &str,
    ticker: Option<&str>,
    reasons: &[String],
    record: &str,
    origin: &Origin<'_>,
) -> Vec<Write> {
    let id = format!("{dataset}_{}_{:032x}", ticker.unwrap_or("none"), fnv1a_128(record.as_bytes()));
    let path = DocumentPath::new(origin.collection, &id);
    let stored = payload::store(&path, &Bytes::copy_from_slice(record.as_bytes()), &Fields::new());
    let mut fields = fields([
        ("dataset", Value::string(dataset)),
        ("ticker", ticker.map_or(Value::NULL, Value::string)),
        ("reasons", Value::strings(reasons)),
        ("job", Value::string(origin.job.name)),
        ("source", Value::string(origin.job.provider.name())),
        ("run_id", Value::string(origin.run_id)),
        ("rejected_at", Value::Timestamp(origin.now)),
    ]);
    fields.insert("record".to_owned(), Value::Map { fields: stored.fields });
    std::iter::once(Write::overwrite(path, fields)).chain(stored.parts).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::job;
    use crate::persist::datasets::Dataset;

    #[test]
    fn a_rejected_record_is_kept_whole_under_the_same_name_in_every_run() {
        let rejected = Rejected {
            dataset: Dataset::DailyPrices,
            ticker: Some("AAPL".into()),
            reasons: vec!["date is missing".into()],
            record: json!({"close": [[1]]}),
        };
        let origin = |run_id| Origin {
            collection: "rejected_records",
            job: job::find("tiingo-daily-prices").unwrap(),
            run_id,
            now: DateTime::UNIX_EPOCH,
        };
        let first = writes(&rejected, &origin("a"));
        assert_eq!(first[0].document, writes(&rejected, &origin("b"))[0].document);
        let Value::Map { fields } = &first[0].fields["record"] else { panic!() };
        assert_eq!(fields["data"], Value::string(r#"{"close":[[1]]}"#));
    }
}
