//! A dataset as data: where its records go, how an entry's `data` holds them, which fields they have and what
//! identifies them. `src/intake/` interprets it.

use std::fmt;

/// A kind of records.
pub struct Dataset {
    /// The name in rejected records, in answers and in messages.
    pub name: &'static str,
    pub collection: &'static Collection,
    /// What raw logs call the calls for it.
    pub api_name: &'static str,
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
    /// Its name unless the setting says otherwise.
    pub default: &'static str,
    /// What is in it, for people.
    pub holds: &'static str,
}

/// Articles of all providers.
pub(super) static NEWS: Collection =
    Collection { key: "news", default: "news_articles", holds: "news articles" };

/// What becomes of a document that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The record takes its place.
    Overwrite,
    /// The record's fields take the place of theirs; the others stay.
    Merge,
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

/// How a record gets what its id is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identify {
    /// The provider always sends it.
    AsSent,
    /// An article whose `article_id` says nothing gets one made of its content: `{prefix}_hash_…`.
    Article {
        prefix: &'static str,
        /// Fields that are the same however often the article is sent.
        stable: &'static [&'static str],
    },
}

/// What tells records apart that have the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    /// Nothing: one of them is stored.
    Nothing,
    /// Their content.
    Content,
    /// Their `year` and `quarter`: a company that was late may report two on one day.
    Quarter,
}

/// A part of a document's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdPart {
    /// This word.
    Word(&'static str),
    /// The text of a field.
    Field(&'static str),
    /// A field in Unix seconds, as `YYYY-MM-DDTHH:MM:SS`, UTC; readers know the ids without a zone.
    Second(&'static str),
    /// The day of a field; its time as well where `interval` is one of minutes. What a provider says of a day that is
    /// not over has the time at which it was made, and the next value of that day takes its place.
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

pub(super) const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

pub(super) const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}
