//! Listing documents page by page.

use orchestrator::firestore::value::fields;
use orchestrator::firestore::{Firestore, Value, Write};

use super::{number, path, write};

pub(super) async fn a_collection_of_many_pages_is_read_in_the_order_of_its_ids(db: Firestore) {
    const COUNT: usize = 2_403;
    let ids: Vec<String> = (0..COUNT).map(|n| format!("{:04}", n * 7 % COUNT)).collect();
    for chunk in ids.chunks(500) {
        let writes: Vec<_> = chunk.iter().map(|id| write(id, 1).encode(db.database())).collect();
        let statuses = db.batch_write(&writes).await.expect("answered");
        assert!(statuses.iter().all(Option::is_none));
    }
    let (mut read, mut pages, mut after) = (Vec::new(), 0, None);
    loop {
        let page = db.list("things", &[], after.as_deref()).await.expect("read");
        read.extend(page.documents.iter().map(|document| document.id.clone()));
        pages += 1;
        match page.next() {
            Some(last) => after = Some(last.id.clone()),
            None => break,
        }
    }
    let mut expected = ids;
    expected.sort();
    // Firestore marks the last page, so no further request is needed.
    assert_eq!(pages, COUNT.div_ceil(2_000));
    assert_eq!(read, expected);
}

pub(super) async fn only_the_fields_of_the_mask_are_returned(db: Firestore) {
    let all = fields([("number", Value::Integer(1)), ("other", Value::NULL)]);
    db.commit(&[Write::overwrite(path("a"), all)]).await.expect("written");
    let page = db.list("things", &["number", "missing"], None).await.expect("read");
    assert_eq!(page.documents[0].fields, number(1));
}

pub(super) async fn an_empty_collection_has_no_documents(db: Firestore) {
    let page = db.list("things", &[], None).await.expect("read");
    assert!(page.documents.is_empty() && page.is_last);
}

pub(super) async fn documents_below_documents_are_not_listed(db: Firestore) {
    let child = Write::overwrite(path("a").child("parts", "0"), number(1));
    db.commit(&[write("a", 1), child, write("b", 1)]).await.expect("written");
    let page = db.list("things", &[], None).await.expect("read");
    assert_eq!(page.documents.iter().map(|document| document.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}
