//! Technical indicators, from AlphaVantage.

use super::{Kind, Schema, Shape, optional, required, text};
use crate::firestore::Fields;
use crate::firestore::write::Mode;

pub(super) static SCHEMA: Schema = Schema {
    name: "technical_indicators",
    collection: |collections| &collections.indicators,
    api_name: "technical-indicators",
    mode: Mode::Merge,
    shape: Shape::Indicators,
    fields: &[
        required("indicator", Kind::Text),
        required("date", Kind::Moment),
        required("value", Kind::NumberOrNumbers),
        optional("interval", Kind::FreeText),
        optional("parameters", Kind::Map),
        // A whole time series of any shape: as a map its index entries alone could exceed a document's limit.
        optional("raw_data", Kind::Json),
    ],
    identify: |_| Ok(()),
    apart: |_| None,
    id: |fields| format!("{}_{}_{}", text(fields, "ticker"), text(fields, "indicator"), day(fields)),
};

/// The day of a value; the time as well where a day has several. What a provider says of a day that is not over
/// has the time at which it was made, and the next value of that day takes its place.
fn day(fields: &Fields) -> &str {
    let date = text(fields, "date");
    let is_of_minutes = text(fields, "interval").ends_with("min");
    if is_of_minutes { date } else { date.get(..10).unwrap_or(date) }
}
