//! Technical indicators, from AlphaVantage.

use super::{Kind, Schema, Shape, optional, required, text};
use crate::firestore::write::Mode;

pub(super) static SCHEMA: Schema = Schema {
    name: "technical_indicators",
    collection: |collections| &collections.indicators,
    mode: Mode::Merge,
    shape: Shape::Indicators,
    fields: &[
        required("indicator", Kind::Text),
        required("date", Kind::Date),
        required("value", Kind::NumberOrNumbers),
        optional("interval", Kind::FreeText),
        optional("parameters", Kind::Map),
        // A whole time series of any shape: as a map its index entries alone could exceed a document's limit.
        optional("raw_data", Kind::Json),
    ],
    id: |fields| format!("{}_{}_{}", text(fields, "ticker"), text(fields, "indicator"), text(fields, "date")),
};
