//! End-of-day prices, from Tiingo.

use super::{Kind, Schema, Shape, optional, required, text};
use crate::firestore::write::Mode;

pub(super) static SCHEMA: Schema = Schema {
    name: "daily_prices",
    collection: |collections| &collections.prices_daily,
    api_name: "daily-prices",
    mode: Mode::Overwrite,
    shape: Shape::List,
    fields: &[
        required("date", Kind::Date),
        required("open", Kind::Number),
        required("high", Kind::Number),
        required("low", Kind::Number),
        required("close", Kind::Number),
        required("volume", Kind::Number),
        optional("adj_open", Kind::Number),
        optional("adj_high", Kind::Number),
        optional("adj_low", Kind::Number),
        optional("adj_close", Kind::Number),
        optional("adj_volume", Kind::Number),
        optional("div_cash", Kind::Number),
        optional("split_factor", Kind::Number),
    ],
    identify: |_| Ok(()),
    apart: |_| None,
    id: |fields| format!("{}_{}", text(fields, "ticker"), text(fields, "date")),
};
