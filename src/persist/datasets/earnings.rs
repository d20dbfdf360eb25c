//! The earnings calendar, from Finnhub.

use super::{Kind, Schema, Shape, optional, required, text};
use crate::firestore::write::Mode;

pub(super) static SCHEMA: Schema = Schema {
    name: "earnings",
    collection: |collections| &collections.earnings,
    mode: Mode::Merge,
    shape: Shape::List,
    fields: &[
        required("earnings_date", Kind::Date),
        optional("quarter", Kind::Integer),
        optional("year", Kind::Integer),
        optional("eps_estimate", Kind::Number),
        optional("eps_actual", Kind::Number),
        optional("revenue_estimate", Kind::Number),
        optional("revenue_actual", Kind::Number),
    ],
    id: |fields| format!("{}_{}", text(fields, "ticker"), text(fields, "earnings_date")),
};
