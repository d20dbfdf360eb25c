//! The proxy between the orchestrator and Firestore.

use serde_json::json;
use sim::firestore::proxy::{Fault, Proxy};
use sim::firestore::{Db, Firestore, unique_project};

async fn both() -> (Proxy, Db, Db) {
    let firestore = Firestore::shared().await.expect("Firestore starts");
    let proxy = Proxy::start(&firestore.host()).await.expect("the proxy starts");
    let project = unique_project();
    let through = Db::new(&proxy.host(), &project, "(default)");
    (proxy, through, firestore.db(&project))
}

fn doc(id: &str) -> Vec<(String, serde_json::Value)> {
    vec![(format!("things/{id}"), json!({"n": 1}))]
}

#[tokio::test]
async fn without_faults_everything_passes() {
    let (proxy, through, direct) = both().await;
    through.seed(doc("a b")).await.expect("written");
    assert_eq!(direct.ids("things").await.expect("listed"), ["a b"]);
    assert_eq!(through.list("things").await.expect("listed").len(), 1);
    assert_eq!(through.get("things/none").await.expect("read"), None);
    assert_eq!(proxy.struck(), 0);
}

#[tokio::test]
async fn a_status_fault_replaces_the_request_as_often_as_scripted() {
    let (proxy, through, direct) = both().await;
    proxy.fault(Fault::status(503).operation(":batchWrite").after(1).times(1));
    through.seed(doc("a")).await.expect("spared");
    let error = through.seed(doc("b")).await.expect_err("struck");
    assert!(error.to_string().contains("UNAVAILABLE"), "{error}");
    through.seed(doc("c")).await.expect("spent");
    assert_eq!(direct.ids("things").await.expect("listed"), ["a", "c"]);
    assert_eq!(proxy.struck(), 1);
}

#[tokio::test]
async fn a_request_is_carried_out_although_its_answer_is_lost() {
    let (proxy, through, direct) = both().await;
    proxy.fault(Fault::lose_answer().containing("things/a").lacking("things/b"));
    through.seed([doc("a"), doc("b")].concat()).await.expect("does not meet the conditions");
    through.seed(doc("a")).await.expect_err("no answer");
    assert_eq!(direct.count("things").await.expect("counted"), 2);
    proxy.clear();
    proxy.fault(Fault::reset().operation("/things").times(1));
    through.list("things").await.expect_err("no answer");
    assert_eq!(through.list("things").await.expect("spent").len(), 2);
}

#[tokio::test]
async fn single_writes_of_a_batch_can_be_refused() {
    let (proxy, through, direct) = both().await;
    proxy.fault(Fault::refuse_writes(14, "things/b").times(1));
    let error = through.seed([doc("a"), doc("b"), doc("c")].concat()).await.expect_err("one is refused");
    assert!(error.to_string().contains("simulated code 14"), "{error}");
    assert_eq!(direct.ids("things").await.expect("listed"), ["a", "c"]);
    through.seed(doc("b")).await.expect("spent");
}
