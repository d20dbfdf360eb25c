//! A dataset as data: where its records go, how an entry's `data` holds them, which fields they have and what
//! identifies them. `src/intake/` interprets it.

use std::fmt;

/// A kind of records.
pub struct Dataset {
    /// The name in rejected records, responses and messages.
    pub name: &'static str,
    pub collection: &'static Collection,
    /// The name of its calls in raw logs.
    pub api_name: &'static str,
    pub follows: Follows,
    pub mode: Mode,
    pub shape: Shape,
    pub fields: &'static [Field],
    pub identify: Identify,
    pub apart: Apart,
    /// The parts of a record's document id, joined by `_`.
    pub id: &'static [IdPart],
}

impl PartialEq for Dataset {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Dataset {}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The collection that holds a dataset's records; several datasets may share one.
#[derive(Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its setting is `collection_{key}`.
    pub key: &'static str,
    /// Its default name.
    pub default: &'static str,
    /// What it holds, for people.
    pub holds: &'static str,
}

/// Articles of all providers.
pub(super) static NEWS: Collection =
    Collection { key: "news", default: "news_articles", holds: "news articles" };

/// When there is something new to collect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// On any day.
    Days,
    /// Once a session has closed.
    Sessions,
    /// While a session is open.
    Trading,
}

/// What happens to a document that already exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The record replaces it.
    Overwrite,
    /// The record's fields replace its fields of the same names; the others stay.
    Merge,
}

/// How an entry holds its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `data` is a list of records.
    List,
    /// `data` is one record.
    One,
    /// `data` maps an indicator's name to its record, whose date and value may be in a nested `data`.
    Indicators,
    /// The entry is the record.
    Bare,
}

/// Where the parts of a record's ID come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identify {
    /// The provider always sends them.
    AsSent,
    /// An article with a meaningless `article_id` gets one derived from its content: `{prefix}_hash_…`.
    Article {
        prefix: &'static str,
        /// Fields that stay the same each time the article is sent.
        stable: &'static [&'static str],
    },
}

/// What distinguishes records with the same ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    /// Nothing: one of them is stored.
    Nothing,
    /// Their content.
    Content,
    /// Their `year` and `quarter`: a company that was late may report two on one day.
    Quarter,
}

/// A part of a document's ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdPart {
    /// This word.
    Word(&'static str),
    /// The string in a field.
    Field(&'static str),
    /// A field in Unix seconds, as `YYYY-MM-DDTHH:MM:SS`, UTC; readers expect IDs without a zone.
    Second(&'static str),
    /// The day of a field, with its time if `interval` is in minutes. A provider's value for a day that is not over has
    /// the time at which it was computed, and the next value for that day replaces it.
    Day(&'static str),
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
    /// A non-empty string.
    Text,
    /// A string, possibly empty.
    FreeText,
    /// `YYYY-MM-DD`, an existing day.
    Date,
    /// A finite number.
    Number,
    /// A whole number.
    Integer,
    /// A day, or a day with a time.
    Moment,
    /// Seconds since 1970, above zero; milliseconds are converted. Zero means none if the field is optional.
    UnixTime,
    /// A list of strings.
    Texts,
    /// A map.
    Map,
    /// A finite number or a map of finite numbers.
    NumberOrNumbers,
    /// Anything; stored as a compact JSON string, whatever its shape.
    Json,
}

pub(super) const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

pub(super) const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}
