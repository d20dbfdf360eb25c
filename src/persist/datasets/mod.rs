//! The datasets: one file each, all of the same shape.
//!
//! A dataset says where its records go, how an entry's `data` holds them, which fields they must have
//! and what identifies them. [`crate::persist::record`] does the rest.

mod daily_prices;
mod earnings;
mod finnhub_news;
mod fundamentals;
mod market_news;
mod polygon_news;
mod quotes;
mod technical_indicators;

use crate::config::Collections;
use crate::firestore::Fields;
use crate::firestore::write::Mode;

/// A kind of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dataset {
    DailyPrices,
    Quotes,
    FinnhubNews,
    PolygonNews,
    MarketNews,
    Fundamentals,
    Earnings,
    TechnicalIndicators,
}

impl Dataset {
    pub fn schema(self) -> &'static Schema {
        match self {
            Self::DailyPrices => &daily_prices::SCHEMA,
            Self::Quotes => &quotes::SCHEMA,
            Self::FinnhubNews => &finnhub_news::SCHEMA,
            Self::PolygonNews => &polygon_news::SCHEMA,
            Self::MarketNews => &market_news::SCHEMA,
            Self::Fundamentals => &fundamentals::SCHEMA,
            Self::Earnings => &earnings::SCHEMA,
            Self::TechnicalIndicators => &technical_indicators::SCHEMA,
        }
    }
}

/// What is known of a dataset.
pub struct Schema {
    pub name: &'static str,
    pub collection: fn(&Collections) -> &str,
    pub mode: Mode,
    pub shape: Shape,
    pub fields: &'static [Field],
    /// The document id of a record whose fields have been checked.
    pub id: fn(&Fields) -> String,
}

/// How an entry holds its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `data` is a list of records.
    List,
    /// `data` is one record.
    One,
    /// `data` maps an indicator's name to its record, whose date and value may lie in a `data` of its own.
    Indicators,
    /// The entry is the record.
    Bare,
}

/// One field of a record.
#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
    /// A record without it is rejected; null counts as missing.
    pub required: bool,
}

/// What a field may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text that is not empty.
    Text,
    /// A text, possibly empty.
    FreeText,
    /// `YYYY-MM-DD`, a day that exists.
    Date,
    /// A finite number.
    Number,
    /// A whole number.
    Integer,
    /// Seconds since 1970, above zero.
    UnixSeconds,
    /// A list of texts.
    Texts,
    /// A map.
    Map,
    /// A finite number or a map of finite numbers.
    NumberOrNumbers,
    /// Anything; stored as compact JSON text, whatever its shape.
    Json,
}

const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

/// A checked text field, for ids.
fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).and_then(crate::firestore::Value::as_str).unwrap_or_default()
}
