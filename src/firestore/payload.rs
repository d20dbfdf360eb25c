//! Payloads of any size in documents of limited size.
//!
//! A small payload is one string field, which has one index entry whatever it holds. A larger one (or one that is not
//! UTF-8) is compressed with gzip and cut into part documents `…/parts/0000, 0001, …`, whose `data` joined in order is
//! the gzip stream; the parent has their number, the sizes and the CRC-32 of the payload.

use std::io::{Read, Write as _};

use bytes::Bytes;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use flate2::{Compression, Crc};

use crate::firestore::value::fields;
use crate::firestore::{DocumentPath, Fields, Value, Write};

/// Longest payload kept as text, in bytes.
pub const TEXT_BYTES_MAX: usize = 256 << 10;
/// Bytes of one part: base64 adds a third, and Firestore's limit is 1 MiB.
pub const PART_BYTES_MAX: usize = 700 << 10;
/// The collection of the parts, below the document that owns the payload.
pub const PARTS_COLLECTION: &str = "parts";

/// A payload ready to be stored.
#[derive(Debug)]
pub struct Stored {
    /// The payload's fields in the owning document: `data` and `encoding`, or where its parts are.
    pub fields: Fields,
    pub parts: Vec<Write>,
}

/// Prepares a payload for the document that owns it; `common` goes into each part (its expiry).
pub fn store(owner: &DocumentPath, payload: &Bytes, common: &Fields) -> Stored {
    if payload.len() <= TEXT_BYTES_MAX
        && let Ok(text) = std::str::from_utf8(payload)
    {
        let fields = fields([
            ("data", Value::string(text)),
            ("encoding", Value::string("text")),
            ("data_bytes", Value::count(payload.len())),
        ]);
        return Stored { fields, parts: Vec::new() };
    }
    let compressed = Bytes::from(compress(payload));
    let parts: Vec<_> = compressed
        .chunks(PART_BYTES_MAX)
        .enumerate()
        .map(|(at, chunk)| part(owner, at, compressed.slice_ref(chunk), common))
        .collect();
    let mut crc = Crc::new();
    crc.update(payload);
    let fields = fields([
        ("data", Value::NULL),
        ("encoding", Value::string("gzip_parts")),
        ("data_bytes", Value::count(payload.len())),
        ("data_crc32", Value::Integer(i64::from(crc.sum()))),
        ("parts", Value::count(parts.len())),
    ]);
    Stored { fields, parts }
}

fn part(owner: &DocumentPath, at: usize, data: Bytes, common: &Fields) -> Write {
    let mut fields = common.clone();
    fields.insert("data".to_owned(), Value::Bytes(data));
    fields.insert("part".to_owned(), Value::count(at));
    Write::overwrite(owner.child(PARTS_COLLECTION, &format!("{at:04}")), fields)
}

/// The gzip stream of a payload.
pub fn compress(payload: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(payload.len() / 4), Compression::fast());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(payload);
    encoder.finish().unwrap_or_default()
}

/// Joins parts, in order, back into the payload. A payload longer than the limit is an error: a megabyte of gzip can
/// expand to a gigabyte.
pub fn join(parts: &[Bytes], bytes_max: usize) -> std::io::Result<Vec<u8>> {
    let mut payload = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    GzDecoder::new(parts.concat().as_slice()).take(limit.saturating_add(1)).read_to_end(&mut payload)?;
    if payload.len() > bytes_max {
        return Err(std::io::Error::other(format!("payload longer than the limit of {bytes_max} bytes")));
    }
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> DocumentPath {
        DocumentPath::new("logs", "x")
    }

    #[test]
    fn a_small_text_is_kept_readable() {
        let stored = store(&owner(), &Bytes::from_static(b"{\"a\":1}"), &Fields::new());
        assert_eq!(stored.fields["data"], Value::string("{\"a\":1}"));
        assert!(stored.parts.is_empty());
    }

    #[test]
    fn a_big_payload_comes_back_from_its_parts_byte_for_byte() {
        // Bytes that gzip cannot shrink, so that there are several parts.
        let mut state = 1u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .take(5 << 20)
        .collect();
        let stored = store(&owner(), &Bytes::from(noise.clone()), &Fields::new());
        assert_eq!(stored.fields["parts"], Value::Integer(8));
        let parts: Vec<_> = stored
            .parts
            .iter()
            .map(|part| match &part.fields["data"] {
                Value::Bytes(data) => data.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(stored.parts.iter().all(|part| part.stored_bytes() < 1 << 20));
        assert_eq!(join(&parts, noise.len()).unwrap(), noise);
    }

    #[test]
    fn a_payload_that_unpacks_to_more_than_its_limit_is_an_error() {
        let bomb = Bytes::from(compress(&vec![b' '; 1 << 20]));
        assert!(bomb.len() < 10_000);
        assert_eq!(join(std::slice::from_ref(&bomb), 1 << 20).unwrap().len(), 1 << 20);
        let error = join(&[bomb], (1 << 20) - 1).unwrap_err();
        assert_eq!(error.to_string(), "payload longer than the limit of 1048575 bytes");
    }

    #[test]
    fn bytes_that_are_no_text_are_kept_in_parts() {
        let stored = store(&owner(), &Bytes::from_static(&[0xff, 0xfe]), &Fields::new());
        assert_eq!(stored.fields["encoding"], Value::string("gzip_parts"));
        assert_eq!(stored.parts[0].document.as_str(), "logs/x/parts/0000");
    }
}
