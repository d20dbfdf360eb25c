//! The datasets: one file each, all of the same shape.
//!
//! A dataset says where its records go, how an entry's `data` holds them, which fields they must have
//! and what identifies them. [`crate::intake::record`] does the rest.

mod article;
mod daily_prices;
mod earnings;
mod finnhub_news;
mod fundamentals;
mod market_news;
mod polygon_news;
mod quotes;
mod technical_indicators;

use crate::base::id::fnv1a_128;
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
    /// What raw logs call the calls for it.
    pub api_name: &'static str,
    pub mode: Mode,
    pub shape: Shape,
    pub fields: &'static [Field],
    /// Gives a record whose fields have been checked what its id is made of, where the provider did not, or says
    /// what is missing.
    pub identify: fn(&mut Fields) -> Result<(), String>,
    /// What tells records apart that have the same id, where anything does.
    pub apart: fn(&Fields) -> Option<String>,
    /// The document id of a record that is identified.
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
    /// A day, or a day and a time of it.
    Moment,
    /// Seconds since 1970, above zero; milliseconds are converted. Zero stands for none where none is needed.
    UnixTime,
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

/// What a record says, in few bytes: without when and by whom it was asked for.
pub fn content(fields: &Fields) -> u128 {
    let is_of_the_call = |name: &str| matches!(name, "ingested_at" | "run_id" | "schema_version");
    hash(&fields.iter().filter(|(name, _)| !is_of_the_call(name)).collect::<Vec<_>>())
}

fn hash(content: &impl serde::Serialize) -> u128 {
    // Texts and plain numbers cannot fail to encode.
    fnv1a_128(&serde_json::to_vec(content).unwrap_or_default())
}
