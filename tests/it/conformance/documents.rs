//! Writing and reading documents.

use bytes::Bytes;
use orchestrator::firestore::value::fields;
use orchestrator::firestore::{DocumentPath, Firestore, Value, Write};

use super::{number, path, write};

pub(super) async fn a_missing_document_is_none(db: Firestore) {
    assert_eq!(db.get(&path("none")).await.expect("read"), None);
}

pub(super) async fn every_requested_document_is_found_or_missing_once(db: Firestore) {
    db.commit(&[write("a", 1), write("b/c", 2)]).await.expect("written");
    let asked = [path("a"), path("none"), path("b/c"), path("a"), path("50%")];
    let mut found: Vec<_> = db.get_all(&asked).await.expect("read").into_iter().map(|d| d.id).collect();
    found.sort();
    assert_eq!(found, ["a", path("b/c").id()]);
}

pub(super) async fn a_document_has_the_time_since_its_last_change(db: Firestore) {
    let times = db.commit(&[write("a", 1)]).await.expect("written");
    let first = db.get(&path("a")).await.expect("read").expect("there");
    assert!(first.update_time == times[0] && first.read_time >= first.update_time);
    let again = db.get(&path("a")).await.expect("read").expect("there");
    assert_eq!(again.update_time, first.update_time);
    assert!(again.read_time > first.read_time && again.age() > first.age());
}

pub(super) async fn every_kind_of_value_comes_back(db: Firestore) {
    let all = fields([
        ("null", Value::NULL),
        ("yes", Value::Boolean(true)),
        ("least", Value::Integer(i64::MIN)),
        ("most", Value::Integer(i64::MAX)),
        ("decimal", Value::Double(0.1)),
        ("whole decimal", Value::Double(3.0)),
        ("not a number", Value::string("NaN")),
        ("time", Value::Timestamp("2026-11-23T10:00:00.123456Z".parse().expect("a time"))),
        ("text", Value::string("日本 \"quoted\" \\ \u{1F600}")),
        ("empty", Value::string("")),
        ("bytes", Value::Bytes(Bytes::from_static(&[0, 255, 128]))),
        ("point", Value::GeoPoint { latitude: 1.5, longitude: -2.25 }),
        ("list", Value::Array { values: vec![Value::NULL, Value::map([("a", Value::strings(["b"]))])] }),
        ("no list", Value::Array { values: Vec::new() }),
        ("no map", Value::map([])),
        ("a.b`c\\", Value::Integer(1)),
    ]);
    db.commit(&[Write::overwrite(path("all"), all.clone())]).await.expect("written");
    let read = db.get(&path("all")).await.expect("read").expect("there");
    assert_eq!((read.id.as_str(), read.fields), ("all", all.clone()));
    // A merge names its fields, so each name must survive as a field path.
    db.commit(&[Write::merge(path("merged"), all.clone())]).await.expect("merged");
    assert_eq!(db.get(&path("merged")).await.expect("read").expect("there").fields, all);
}

pub(super) async fn every_id_comes_back(db: Firestore) {
    let long = "x".repeat(1_500);
    let too_long = "ü".repeat(2_000);
    let ids = [
        "a b", "a/b", "a%2Fb", "50%", ".", "..", "__x__", "a:b", "^GSPC", "日本", "", "?#&=+", &long,
        &too_long,
    ];
    for (at, id) in (0..).zip(ids) {
        db.commit(&[write(id, at)]).await.unwrap_or_else(|error| panic!("{id}: {error}"));
    }
    for (at, id) in (0..).zip(ids) {
        let read = db.get(&path(id)).await.expect("read").unwrap_or_else(|| panic!("{id} is there"));
        assert_eq!((read.id.as_str(), read.fields), (path(id).id(), number(at)));
    }
    let child = DocumentPath::new("things", "a/b").child("parts", "0:0");
    db.commit(&[Write::overwrite(child.clone(), number(7))]).await.expect("written");
    assert_eq!(db.get(&child).await.expect("read").expect("there").fields, number(7));
}

pub(super) async fn an_overwrite_removes_what_it_does_not_name(db: Firestore) {
    db.commit(&[Write::overwrite(path("a"), fields([("old", Value::NULL)]))]).await.expect("written");
    db.commit(&[write("a", 1)]).await.expect("written");
    assert_eq!(db.get(&path("a")).await.expect("read").expect("there").fields, number(1));
}

pub(super) async fn a_merge_keeps_what_it_does_not_name(db: Firestore) {
    db.commit(&[write("a", 1)]).await.expect("written");
    db.commit(&[Write::merge(path("a"), fields([("other", Value::Integer(2))]))]).await.expect("written");
    let expected = fields([("number", Value::Integer(1)), ("other", Value::Integer(2))]);
    assert_eq!(db.get(&path("a")).await.expect("read").expect("there").fields, expected);
}
