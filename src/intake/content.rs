//! What a record says, apart from when it was stored, by which run, and how doubtful it looked.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::catalogue::dataset::QUALITY_FIELD;
use crate::firestore::{Fields, Value};

/// The field with the digest of a record's content.
pub const HASH_FIELD: &str = "content_hash";
/// The field that counts the forms a document had before; absent in its first form.
pub const REVISION_FIELD: &str = "content_revision";

/// Fields that say nothing about the content.
const APART: [&str; 5] = [HASH_FIELD, REVISION_FIELD, "ingested_at", QUALITY_FIELD, "run_id"];

/// The SHA-256 of a record's content in lower-case hexadecimal digits, over its fields in the order of their names.
pub fn hash(fields: &Fields) -> String {
    let mut bytes = Vec::with_capacity(512);
    put_fields(&mut bytes, fields.iter().filter(|(name, _)| !APART.contains(&name.as_str())));
    let mut digits = String::with_capacity(64);
    for byte in Sha256::digest(&bytes) {
        for digit in [byte >> 4, byte & 15] {
            digits.push(char::from_digit(u32::from(digit), 16).unwrap_or_default());
        }
    }
    digits
}

/// The fields in which the content differs. If the record is `merged` into the stored one, it leaves the other fields
/// as they are.
pub fn differences(stored: &Fields, new: &Fields, is_merged: bool) -> Vec<String> {
    let names: BTreeSet<&String> =
        if is_merged { new.keys().collect() } else { stored.keys().chain(new.keys()).collect() };
    let differs = |name: &&String| {
        !APART.contains(&name.as_str()) && bytes_of(stored.get(*name)) != bytes_of(new.get(*name))
    };
    names.into_iter().filter(differs).cloned().collect()
}

fn bytes_of(value: Option<&Value>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    put(&mut bytes, value?);
    Some(bytes)
}

fn put_fields<'a>(bytes: &mut Vec<u8>, fields: impl Iterator<Item = (&'a String, &'a Value)>) {
    for (name, value) in fields {
        put_text(bytes, name);
        put(bytes, value);
    }
}

/// A value with its type and, where it has one, its length: different values have different bytes.
fn put(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null(()) => bytes.push(b'0'),
        Value::Boolean(value) => bytes.extend([b'b', u8::from(*value)]),
        Value::Integer(number) => put_integer(bytes, *number),
        Value::Double(number) => put_double(bytes, *number),
        Value::Timestamp(time) => {
            bytes.push(b't');
            bytes.extend(time.timestamp_micros().to_be_bytes());
        }
        Value::String(text) => {
            bytes.push(b's');
            put_text(bytes, text);
        }
        Value::Bytes(data) => {
            bytes.push(b'x');
            put_length(bytes, data.len());
            bytes.extend_from_slice(data);
        }
        Value::Reference(name) => {
            bytes.push(b'r');
            put_text(bytes, name);
        }
        Value::GeoPoint { latitude, longitude } => {
            bytes.push(b'g');
            put_double(bytes, *latitude);
            put_double(bytes, *longitude);
        }
        Value::Array { values } => {
            bytes.push(b'a');
            put_length(bytes, values.len());
            for value in values {
                put(bytes, value);
            }
        }
        Value::Map { fields } => {
            bytes.push(b'm');
            put_length(bytes, fields.len());
            put_fields(bytes, fields.iter());
        }
    }
}

fn put_integer(bytes: &mut Vec<u8>, number: i64) {
    bytes.push(b'i');
    bytes.extend(number.to_be_bytes());
}

/// A provider may write one number as 1 and as 1.0.
fn put_double(bytes: &mut Vec<u8>, number: f64) {
    /// Up to here every integer is a double.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "it is an integer below 2^53")]
        return put_integer(bytes, number as i64);
    }
    bytes.push(b'd');
    bytes.extend(number.to_bits().to_be_bytes());
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_length(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

/// Seven bits a byte, the lowest first; all bytes but the last have the eighth bit (LEB128).
fn put_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length > 0x7f {
        bytes.push(0x80 | u8::try_from(length & 0x7f).unwrap_or_default());
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firestore::value::fields;

    fn price(close: Value) -> Fields {
        fields([("close", close), ("date", Value::string("2026-11-27")), ("run_id", Value::string("a"))])
    }

    #[test]
    fn the_hash_is_of_the_content_alone() {
        let mut other = price(Value::Integer(1));
        let hash_of_it = hash(&other);
        assert_eq!(hash_of_it.len(), 64);
        for (name, value) in [("run_id", "b"), ("ingested_at", "x"), (HASH_FIELD, "y"), (QUALITY_FIELD, "z")]
        {
            other.insert(name.to_owned(), Value::string(value));
        }
        assert_eq!(hash(&other), hash_of_it);
        assert_eq!(differences(&price(Value::Integer(1)), &other, false), Vec::<String>::new());
        other.insert("date".to_owned(), Value::string("2026-11-28"));
        assert_ne!(hash(&other), hash_of_it);
    }

    #[test]
    fn one_number_is_one_value_however_it_is_written() {
        let hash = |value| hash(&price(value));
        assert_eq!(hash(Value::Integer(1)), hash(Value::Double(1.0)));
        assert_eq!(hash(Value::Integer(0)), hash(Value::Double(-0.0)));
        let apart = [
            Value::Integer(1),
            Value::Double(1.5),
            Value::Double(1e300),
            Value::string("1"),
            Value::Boolean(true),
            Value::NULL,
            Value::strings(["1"]),
            Value::strings(["", "1"]),
            Value::Map { fields: fields([("1", Value::NULL)]) },
        ];
        let hashes: BTreeSet<_> = apart.into_iter().map(hash).collect();
        assert_eq!(hashes.len(), 9);
    }

    #[test]
    fn what_differs_is_named() {
        let stored = fields([("a", Value::Integer(1)), ("b", Value::Integer(2)), ("run_id", Value::NULL)]);
        let new = fields([("a", Value::Double(1.0)), ("c", Value::NULL), ("run_id", Value::Integer(1))]);
        assert_eq!(differences(&stored, &new, false), ["b", "c"]);
        assert_eq!(differences(&stored, &new, true), ["c"], "a merged record leaves the others");
    }
}
