//! Commits: preconditions, atomicity, transforms.

use orchestrator::firestore::value::fields;
use orchestrator::firestore::{Code, Firestore, Precondition, Value, Write};

use super::{code, number, path, write};

pub(super) async fn a_document_is_created_once(db: Firestore) {
    let create = |value| [write("a", value).only_if(Precondition::Missing)];
    let times = db.commit(&create(1)).await.expect("created");
    assert_eq!(code(db.commit(&create(2)).await), Some(Code::AlreadyExists));
    let stored = db.get(&path("a")).await.expect("read").expect("there");
    assert_eq!((stored.fields, vec![stored.update_time]), (number(1), times));
}

pub(super) async fn a_change_needs_the_time_of_the_latest_one(db: Firestore) {
    let first = db.commit(&[write("a", 1)]).await.expect("written")[0];
    let change = |value, time| [write("a", value).only_if(Precondition::UnchangedSince(time))];
    let second = db.commit(&change(2, first)).await.expect("changed")[0];
    assert!(second > first);
    assert_eq!(code(db.commit(&change(3, first)).await), Some(Code::FailedPrecondition));
    assert_eq!(db.get(&path("a")).await.expect("read").expect("there").fields, number(2));
}

pub(super) async fn a_missing_document_has_no_time(db: Firestore) {
    let time = db.commit(&[write("a", 1)]).await.expect("written")[0];
    let change = write("b", 1).only_if(Precondition::UnchangedSince(time));
    assert_eq!(code(db.commit(&[change]).await), Some(Code::FailedPrecondition));
}

pub(super) async fn a_commit_is_all_or_nothing(db: Firestore) {
    db.commit(&[write("a", 1)]).await.expect("written");
    let writes = [write("b", 1), write("a", 2).only_if(Precondition::Missing), write("c", 1)];
    assert_eq!(code(db.commit(&writes).await), Some(Code::AlreadyExists));
    assert_eq!(db.get(&path("a")).await.expect("read").expect("there").fields, number(1));
    for id in ["b", "c"] {
        assert_eq!(db.get(&path(id)).await.expect("read"), None);
    }
}

pub(super) async fn a_write_that_changes_nothing_keeps_the_documents_time(db: Firestore) {
    let first = db.commit(&[write("a", 1)]).await.expect("written");
    assert_eq!(db.commit(&[write("a", 1)]).await.expect("written again"), first);
    let kept = write("a", 2).only_if(Precondition::UnchangedSince(first[0]));
    assert!(db.commit(&[kept]).await.is_ok());
}

pub(super) async fn increments_start_at_zero_and_add_up(db: Firestore) {
    let count = |whole, part, text: &str| {
        let increments =
            vec![("whole".to_owned(), Value::Integer(whole)), ("part".to_owned(), Value::Double(part))];
        [Write { increments, ..Write::merge(path("a"), fields([("text", Value::string(text))])) }]
    };
    db.commit(&count(2, 0.5, "x")).await.expect("counted");
    db.commit(&count(-5, 0.25, "y")).await.expect("counted");
    let expected = |text: &str, whole| {
        fields([("text", Value::string(text)), ("whole", whole), ("part", Value::Double(0.75))])
    };
    let read = async || db.get(&path("a")).await.expect("read").expect("there").fields;
    assert_eq!(read().await, expected("y", Value::Integer(-3)));
    // A value that is not a number counts as zero.
    db.commit(&[Write::merge(path("a"), fields([("whole", Value::string("?"))]))]).await.expect("written");
    db.commit(&count(4, 0.0, "z")).await.expect("counted");
    assert_eq!(read().await, expected("z", Value::Integer(4)));
}

pub(super) async fn a_commit_may_write_a_document_twice(db: Firestore) {
    let other = Write::merge(path("a"), fields([("other", Value::NULL)]));
    let times = db.commit(&[write("a", 1), other]).await.expect("written");
    assert_eq!(times[0], times[1]);
    let stored = db.get(&path("a")).await.expect("read").expect("there").fields;
    assert_eq!(stored, fields([("number", Value::Integer(1)), ("other", Value::NULL)]));
}
