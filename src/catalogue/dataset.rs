//! A dataset as data: where its records go, how an entry's `data` holds them, which fields they have and what
//! identifies them. `src/intake/` interprets it.

use std::cmp::Ordering;
use std::fmt;

/// A kind of records.
pub struct Dataset {
    /// The name in rejected records, responses and messages.
    pub name: &'static str,
    pub collection: &'static Collection,
    /// The name of its calls in raw logs.
    pub api_name: &'static str,
    pub mode: Mode,
    pub shape: Shape,
    pub fields: &'static [Field],
    pub identify: Identify,
    pub apart: Apart,
    /// The parts of a record's document id, joined by `_`.
    pub id: &'static [IdPart],
    pub expects: Expects,
    /// What its values must satisfy, beyond their kinds.
    pub checks: &'static [Check],
    pub quality: Quality,
    /// Fields whose departure from these values means that the provider has changed earlier records, too.
    pub adjusts: &'static [(&'static str, f64)],
    /// Whether answers repeat records of earlier ones: these are compared with what is stored, and only what is new is
    /// written.
    pub repeats: bool,
}

/// What a ticker's answer must contain in order to be neither empty nor stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expects {
    /// A record of the latest session that had closed 90 minutes before the run's time; this field holds its day.
    Session(&'static str),
    /// A record from the last 20 minutes of trading before the run's time; this field holds its time, in Unix seconds.
    Trading(&'static str),
    /// At least one record.
    Record,
    /// Nothing: an answer without records is complete.
    Nothing,
}

impl Expects {
    /// Whether the dataset has a record for every trading day.
    pub fn follows_sessions(self) -> bool {
        matches!(self, Self::Session(_) | Self::Trading(_))
    }
}

/// What a record's values must satisfy; one that does not is rejected. Fields without a value are not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The number is above zero.
    Positive(&'static str),
    /// The number is not below zero.
    NotNegative(&'static str),
    /// The first number is not above the second.
    Ordered(&'static str, &'static str),
    /// The day is a trading day.
    TradingDay(&'static str),
    /// The day is not after the run's day in New York.
    NotAhead(&'static str),
    /// The time, in Unix seconds, is between 2000 and one day after the run's time.
    Plausible(&'static str),
}

/// The field of a record that holds the codes of its doubtful values.
pub const QUALITY_FIELD: &str = "quality";
/// The codes of doubtful values.
pub const DOUBTFUL: [&str; 5] =
    ["open_outside_range", "close_outside_range", "price_jump", "split_without_factor", "repeated_day"];

/// How doubtful records of a dataset are recognised; they are stored with a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// They are not.
    Unchecked,
    /// As bars: `open`, `high`, `low`, `close` and `volume` of consecutive days, with `div_cash` and `split_factor`.
    Bars,
    /// The provider sends at most so many records of a ticker: an answer with that many may be cut. It is requested
    /// once more with this parameter, which names a larger number, unless it reaches back to what was requested before;
    /// the field `dated` of a record says when it is from.
    Limited { records: usize, parameter: &'static str, larger: u16, dated: &'static str },
}

impl Quality {
    /// The parameter of a request that asks for more records than usual, if the provider takes one.
    pub fn larger(self) -> Option<(&'static str, u16)> {
        match self {
            Self::Limited { parameter, larger, .. } => Some((parameter, larger)),
            Self::Unchecked | Self::Bars => None,
        }
    }
}

impl PartialEq for Dataset {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Dataset {}

impl PartialOrd for Dataset {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Dataset {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(other.name)
    }
}

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
    /// `data` maps an indicator's name to its record, whose date and value may be in a nested `data`. The service has
    /// these if a request names none.
    Indicators(&'static [&'static str]),
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
