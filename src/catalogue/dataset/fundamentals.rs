//! Fundamentals, from Finnhub.

use super::{Kind, Schema, Shape, optional, required, text};
use crate::firestore::write::Mode;

pub(super) static SCHEMA: Schema = Schema {
    name: "fundamentals",
    collection: |collections| &collections.fundamentals,
    api_name: "fundamentals",
    mode: Mode::Merge,
    shape: Shape::One,
    fields: &[
        required("report_date", Kind::Text),
        optional("market_cap", Kind::Number),
        optional("shares_outstanding", Kind::Number),
        optional("pe_ratio", Kind::Number),
        optional("pb_ratio", Kind::Number),
        optional("roe", Kind::Number),
        optional("roa", Kind::Number),
        optional("debt_to_equity", Kind::Number),
        optional("current_ratio", Kind::Number),
    ],
    identify: |_| Ok(()),
    apart: |_| None,
    id: |fields| format!("{}_{}", text(fields, "ticker"), text(fields, "report_date")),
};
