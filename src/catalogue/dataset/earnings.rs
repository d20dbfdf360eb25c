//! The earnings calendar, from Finnhub.

use super::{Kind, Schema, Shape, optional, required, text};
use crate::firestore::write::Mode;
use crate::firestore::{Fields, Value};

pub(super) static SCHEMA: Schema = Schema {
    name: "earnings",
    collection: |collections| &collections.earnings,
    api_name: "earnings",
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
    identify: |_| Ok(()),
    apart: period,
    id: |fields| format!("{}_{}", text(fields, "ticker"), text(fields, "earnings_date")),
};

/// The quarter of a report: two may be told on one day, of a company that was late.
fn period(fields: &Fields) -> Option<String> {
    let number = |name| fields.get(name).and_then(Value::as_i64);
    Some(format!("{}-Q{}", number("year")?, number("quarter")?))
}
