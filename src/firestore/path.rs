//! Names of documents.

use crate::base::id::fnv1a_128;
use std::fmt::{self, Write as _};
use std::sync::Arc;

/// Longest document id Firestore accepts.
pub const ID_BYTES_MAX: usize = 1_500;

/// The path of a document below the database's root: `collection/id`, or deeper.
///
/// IDs are escaped so that every string is a legal ID and different strings stay different: `%` and `/` become `%25`
/// and `%2F`, the IDs `.` and `..` become `%2E` and `%2E%2E`, `__x__` becomes `%5F_x__`, and a string that is too long
/// ends in its hash.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentPath {
    path: Arc<str>,
}

impl DocumentPath {
    /// The document `id` of a top-level collection.
    pub fn new(collection: &str, id: &str) -> Self {
        Self { path: format!("{collection}/{}", escape_id(id)).into() }
    }

    /// The document `id` of a collection below this document.
    #[must_use]
    pub fn child(&self, collection: &str, id: &str) -> Self {
        Self { path: format!("{}/{collection}/{}", self.path, escape_id(id)).into() }
    }

    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// The id of the collection that holds the document.
    pub fn collection(&self) -> &str {
        let mut segments = self.path.rsplit('/');
        segments.next();
        segments.next().unwrap_or_default()
    }

    /// The document's ID as stored.
    pub fn id(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Bytes of the name that count towards the document's limit.
    pub fn stored_bytes(&self) -> usize {
        self.path.len() + 1 + 16
    }
}

impl fmt::Display for DocumentPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// Percent-encodes everything but unreserved characters (RFC 3986, section 2.3).
pub fn encode_segment(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn escape_id(id: &str) -> String {
    let mut escaped = match id {
        "" => "%".to_owned(),
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => id.replace('%', "%25").replace('/', "%2F"),
    };
    if escaped.len() >= 4 && escaped.starts_with("__") && escaped.ends_with("__") {
        escaped.replace_range(..1, "%5F");
    }
    if escaped.len() > ID_BYTES_MAX {
        let tail = format!("%~{:032x}", fnv1a_128(id.as_bytes()));
        let mut end = ID_BYTES_MAX - tail.len();
        while !escaped.is_char_boundary(end) {
            end -= 1;
        }
        escaped.truncate(end);
        escaped.push_str(&tail);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(id: &str, expect: &str) {
        assert_eq!(DocumentPath::new("c", id).as_str(), format!("c/{expect}"));
    }

    #[test]
    fn ordinary_ids_stay_as_they_are() {
        check("AAPL_2026-11-23", "AAPL_2026-11-23");
        check("^GSPC_2026-11-23T10:00:00Z", "^GSPC_2026-11-23T10:00:00Z");
    }

    #[test]
    fn forbidden_ids_are_escaped() {
        check("BRK/B_2026-11-23", "BRK%2FB_2026-11-23");
        check("50%", "50%25");
        check(".", "%2E");
        check("..", "%2E%2E");
        check("__id__", "%5F_id__");
        check("____", "%5F___");
        check("", "%");
    }

    #[test]
    fn urls_encode_all_but_unreserved_characters() {
        assert_eq!(encode_segment("A/B:x y%é-._~"), "A%2FB%3Ax%20y%25%C3%A9-._~");
    }

    #[test]
    fn parents_and_children_know_their_collection() {
        let child = DocumentPath::new("logs", "a/b").child("parts", "0001");
        assert_eq!((child.collection(), child.id()), ("parts", "0001"));
        assert_eq!(child.as_str(), "logs/a%2Fb/parts/0001");
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a_128(b""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(fnv1a_128(b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
    }

    proptest! {
        #[test]
        fn every_text_is_a_legal_id(id in "(\\PC|[/._%]){0,40}|__.{0,5}__|.{1490,1520}") {
            let path = DocumentPath::new("c", &id);
            let escaped = path.id();
            prop_assert!(!escaped.is_empty() && escaped.len() <= ID_BYTES_MAX);
            prop_assert!(escaped != "." && escaped != "..");
            prop_assert!(!(escaped.starts_with("__") && escaped.ends_with("__") && escaped.len() >= 4));
            prop_assert_eq!(path.as_str().matches('/').count(), 1);
        }

        #[test]
        fn different_texts_stay_different(a in "[a/%._]{0,6}", b in "[a/%._]{0,6}") {
            prop_assert_eq!(a == b, DocumentPath::new("c", &a) == DocumentPath::new("c", &b));
        }
    }
}
