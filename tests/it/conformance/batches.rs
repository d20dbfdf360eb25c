//! Batches of independent writes.

use orchestrator::firestore::value::fields;
use orchestrator::firestore::{Code, EncodedWrite, Firestore, FirestoreError, Precondition, Value, Write};

use super::{code, number, path, write};

async fn batch(db: &Firestore, writes: &[Write]) -> Result<Vec<Option<Code>>, FirestoreError> {
    let writes: Vec<EncodedWrite> = writes.iter().map(|write| write.encode(db.database())).collect();
    let statuses = db.batch_write(&writes).await?;
    Ok(statuses.into_iter().map(|status| status.map(|(code, _)| code)).collect())
}

pub(super) async fn each_write_has_its_own_status(db: Firestore) {
    let time = db.commit(&[write("a", 1)]).await.expect("written")[0];
    let writes = [
        write("b", 1),
        write("a", 2).only_if(Precondition::Missing),
        write("c", 3).only_if(Precondition::UnchangedSince(time)),
        write("d", 4),
    ];
    let statuses = batch(&db, &writes).await.expect("answered");
    assert_eq!(statuses, [None, Some(Code::AlreadyExists), Some(Code::FailedPrecondition), None]);
    assert_eq!(db.get(&path("a")).await.expect("read").expect("there").fields, number(1));
    assert_eq!(db.get(&path("c")).await.expect("read"), None);
    assert_eq!(db.get(&path("d")).await.expect("read").expect("there").fields, number(4));
}

pub(super) async fn a_document_may_be_in_a_batch_only_once(db: Firestore) {
    let twice = [write("a", 1), write("b", 1), write("a", 2)];
    assert_eq!(code(batch(&db, &twice).await), Some(Code::InvalidArgument));
    assert_eq!(db.get(&path("b")).await.expect("read"), None);
}

pub(super) async fn a_malformed_write_refuses_the_whole_batch(db: Firestore) {
    let nested = Value::Array { values: vec![Value::Array { values: Vec::new() }] };
    let malformed = [("__reserved__", Value::NULL), ("", Value::NULL), ("nested", nested)];
    for (name, value) in malformed {
        let writes = [write("a", 1), Write::overwrite(path("b"), fields([(name, value)]))];
        assert_eq!(code(batch(&db, &writes).await), Some(Code::InvalidArgument), "{name}");
        assert_eq!(db.get(&path("a")).await.expect("read"), None, "{name}");
    }
}

pub(super) async fn an_empty_batch_is_accepted(db: Firestore) {
    assert_eq!(batch(&db, &[]).await.expect("answered"), []);
}
