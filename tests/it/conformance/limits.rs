//! Sizes.

use orchestrator::firestore::value::fields;
use orchestrator::firestore::write::DOCUMENT_BYTES_MAX;
use orchestrator::firestore::{Code, Firestore, Value, Write};

use super::{code, path, write};

/// A document of this size, made of two strings.
fn of_size(id: &str, bytes: usize) -> Write {
    let empty = Write::overwrite(path(id), fields([("a", Value::string("")), ("b", Value::string(""))]));
    let half = (bytes - empty.stored_bytes()) / 2;
    let text = || Value::String("x".repeat(half));
    Write::overwrite(path(id), fields([("a", text()), ("b", text())]))
}

pub(super) async fn a_document_just_below_the_limit_is_stored(db: Firestore) {
    db.commit(&[of_size("a", DOCUMENT_BYTES_MAX)]).await.expect("written");
}

pub(super) async fn a_document_above_the_limit_is_refused(db: Firestore) {
    let result = db.commit(&[write("b", 1), of_size("a", 1_048_576 + 2_000)]).await;
    assert_eq!(code(result), Some(Code::InvalidArgument));
    assert_eq!(db.get(&path("b")).await.expect("read"), None);
}

pub(super) async fn a_request_above_the_limit_is_refused(db: Firestore) {
    let writes: Vec<_> = (0..5).map(|n| of_size(&n.to_string(), 900_000).encode(db.database())).collect();
    assert_eq!(code(db.batch_write(&writes).await), Some(Code::ResourceExhausted));
    assert!(db.batch_write(&writes[..4]).await.is_ok());
}

pub(super) async fn nesting_is_limited(db: Firestore) {
    let nested = |levels| (0..levels).fold(Value::NULL, |inner, _| Value::map([("a", inner)]));
    let deep = |levels| [Write::overwrite(path("deep"), fields([("a", nested(levels))]))];
    db.commit(&deep(20)).await.expect("written");
    assert_eq!(code(db.commit(&deep(21)).await), Some(Code::InvalidArgument));
}
