//! Intraday quotes, from Finnhub.

use chrono::DateTime;

use super::{Kind, Schema, Shape, optional, required, text};
use crate::firestore::write::Mode;
use crate::firestore::{Fields, Value};

pub(super) static SCHEMA: Schema = Schema {
    name: "quotes",
    collection: |collections| &collections.prices_intraday,
    api_name: "quote",
    mode: Mode::Overwrite,
    shape: Shape::One,
    fields: &[
        required("current_price", Kind::Number),
        required("timestamp", Kind::UnixTime),
        optional("change", Kind::Number),
        optional("percent_change", Kind::Number),
        optional("high", Kind::Number),
        optional("low", Kind::Number),
        optional("open", Kind::Number),
        optional("previous_close", Kind::Number),
    ],
    identify: |_| Ok(()),
    apart: |_| None,
    id: |fields| format!("{}_{}", text(fields, "ticker"), quote_time(fields)),
};

/// The quote's time as `YYYY-MM-DDTHH:MM:SS`, UTC; readers know the ids without a zone.
fn quote_time(fields: &Fields) -> String {
    let seconds = fields.get("timestamp").and_then(Value::as_i64).unwrap_or_default();
    DateTime::from_timestamp(seconds, 0).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S").to_string()
}
