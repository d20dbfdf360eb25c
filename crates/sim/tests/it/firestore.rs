//! Both Firestores and the client that reads them back.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use sim::firestore::memory::Strictness;
use sim::firestore::{Db, Embedded, Firestore, Kind, unique_project};
use sim::scheduler::Job;
use sim::watchlist::{ACTIVE, Scope, UNIVERSE, Watchlist};
use tokio::sync::OnceCell;

/// Makes two tests of each case.
macro_rules! both {
    ($($case:ident)*) => {
        mod embedded {
            $(#[tokio::test]
            async fn $case() {
                super::$case(&super::embedded().await).await;
            })*
        }
        mod emulator {
            $(#[tokio::test]
            async fn $case() {
                if let Some(emulator) = super::emulator().await {
                    super::$case(&emulator).await;
                }
            })*
        }
    };
}

both! {
    documents_come_back_as_they_were_written
    collections_of_many_pages_are_read_whole
    projects_and_databases_are_separate
    a_refused_write_is_an_error_with_firestores_message
}

async fn embedded() -> Firestore {
    Firestore::start(Kind::Embedded, None, Strictness::Cloud).await.expect("starts")
}

/// The emulator that these tests share. None, and a note, on a machine without one.
async fn emulator() -> Option<Arc<Firestore>> {
    static SHARED: OnceCell<Arc<Firestore>> = OnceCell::const_new();
    let start = async || Arc::new(another_emulator().await);
    if is_without_emulator() { None } else { Some(SHARED.get_or_init(start).await.clone()) }
}

async fn another_emulator() -> Firestore {
    Firestore::start(Kind::Emulator, None, Strictness::Emulator).await.expect("starts")
}

fn is_without_emulator() -> bool {
    let is_left_out = Kind::leaves_out_emulator().expect("a Firestore");
    if is_left_out {
        println!("skipped: there is no Firestore emulator here");
    }
    is_left_out
}

async fn documents_come_back_as_they_were_written(firestore: &Firestore) {
    let db = firestore.db(&unique_project());
    let fields = json!({"int": 3, "decimal": 3.0, "text": "日本", "map": {"list": [null, true]}});
    db.seed(vec![("things/a b".to_owned(), fields.clone())]).await.expect("written");
    let doc = db.get("things/a b").await.expect("read").expect("there");
    assert_eq!((doc.id.as_str(), &doc.fields), ("a b", &fields));
    assert_eq!(doc.raw["int"], json!({"integerValue": "3"}));
    assert_eq!(db.get("things/other").await.expect("read"), None);
    assert_eq!(db.collections().await.expect("listed"), ["things"]);
    db.delete("things/a b").await.expect("deleted");
    assert_eq!(db.count("things").await.expect("counted"), 0);
}

async fn collections_of_many_pages_are_read_whole(firestore: &Firestore) {
    let db = firestore.db(&unique_project());
    let watchlist = Watchlist::new(2_500, 60);
    watchlist.seed(&db).await.expect("seeded");
    assert_eq!(db.count(UNIVERSE).await.expect("counted"), 2_500 + 8 + 2);
    assert_eq!(db.ids(UNIVERSE).await.expect("listed").len(), 2_500 + 8 + 2);
    let mut active: Vec<String> = db
        .list(ACTIVE)
        .await
        .expect("listed")
        .into_iter()
        .filter(|doc| doc.fields["isActive"] != false)
        .map(|doc| {
            let named = doc.fields.get("symbol").or(doc.fields.get("ticker"));
            named.and_then(|name| name.as_str()).unwrap_or(&doc.id).to_owned()
        })
        .collect();
    active.sort();
    assert_eq!(active, watchlist.tickers(Scope::ActiveSymbols));
    db.delete_all().await.expect("emptied");
    assert_eq!(db.collections().await.expect("listed"), Vec::<String>::new());
}

async fn projects_and_databases_are_separate(firestore: &Firestore) {
    let project = unique_project();
    let one = Db::new(&firestore.host(), &project, "one");
    one.seed(vec![("c/x".to_owned(), json!({}))]).await.expect("written");
    assert_eq!(one.count("c").await.expect("counted"), 1);
    assert_eq!(firestore.db(&project).count("c").await.expect("counted"), 0);
}

async fn a_refused_write_is_an_error_with_firestores_message(firestore: &Firestore) {
    let error = firestore
        .db(&unique_project())
        .seed(vec![("c/__x__".to_owned(), json!({}))])
        .await
        .expect_err("reserved");
    assert!(error.to_string().contains("reserved"), "{error}");
}

async fn assert_restarts_empty_on_its_port(firestore: &Firestore) {
    let (host, db) = (firestore.host(), firestore.db("p"));
    db.seed(vec![("c/x".to_owned(), json!({}))]).await.expect("written");
    firestore.kill().await.expect("killed");
    assert!(db.count("c").await.is_err());
    firestore.restart().await.expect("restarts");
    assert_eq!(firestore.host(), host);
    assert_eq!(db.count("c").await.expect("counted"), 0);
}

#[tokio::test]
async fn a_killed_embedded_firestore_restarts_empty_on_its_port() {
    assert_restarts_empty_on_its_port(&embedded().await).await;
}

#[tokio::test]
async fn a_killed_emulator_is_gone_and_restarts_empty_on_its_port() {
    if is_without_emulator() {
        return;
    }
    let firestore = another_emulator().await;
    assert_restarts_empty_on_its_port(&firestore).await;
    let Firestore::Emulator(emulator) = firestore else { unreachable!("it is the emulator") };
    let host = emulator.host();
    emulator.warm_up().await.expect("warm");
    let log = emulator.log_path().to_owned();
    assert!(log.is_file());
    drop(emulator);
    // The kernel takes a moment to end a killed JVM.
    let start = Instant::now();
    while (log.exists() || TcpStream::connect(&host).is_ok()) && start.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!log.exists() && TcpStream::connect(host).is_err());
}

#[tokio::test]
async fn data_in_a_file_outlives_the_process() {
    let file = std::env::temp_dir().join(format!("{}.data", unique_project()));
    let open = async || Embedded::with_data(None, Strictness::Emulator, file.clone()).await;
    let first = open().await.expect("a new file");
    first.db("p").seed(vec![("c/x".to_owned(), json!({"price": 0.1}))]).await.expect("written");
    let error = open().await.expect_err("in use").to_string();
    assert!(error.contains("in use by another process"), "{error}");
    first.close().await.expect("saved");
    drop(first);
    let second = open().await.expect("the same file");
    assert!(!second.is_empty());
    let doc = second.db("p").get("c/x").await.expect("read").expect("there");
    assert_eq!(doc.fields, json!({"price": 0.1}));
    drop(second);
    std::fs::write(&file, "{}").expect("broken");
    let error = open().await.expect_err("broken").to_string();
    assert!(error.contains("line 1 ") && error.contains("Move the file away"), "{error}");
    std::fs::remove_file(&file).expect("removed");
}

#[tokio::test]
async fn only_the_owner_writes_batches_and_lists_collections() {
    let firestore = embedded().await;
    for method in ["batchWrite", "listCollectionIds"] {
        let url = format!("http://{}/v1/projects/p/databases/(default)/documents:{method}", firestore.host());
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let status = async |token: &str| {
            let request = client.post(&url).header("authorization", token).body("{}");
            request.send().await.expect("an answer").status().as_u16()
        };
        assert_eq!((status("Bearer other").await, status("Bearer owner").await), (403, 200), "{method}");
    }
}

#[tokio::test]
async fn single_documents_are_patched_created_and_deleted() {
    let firestore = embedded().await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let root = format!("http://{}/v1/projects/p/databases/(default)/documents", firestore.host());
    let (url, body) =
        (format!("{root}/c/a%2Fb"), json!({"fields": {"n": {"integerValue": "1"}}}).to_string());
    let patch = async |query: &str| {
        let answer =
            client.patch(format!("{root}/c/x?{query}")).body(body.clone()).send().await.expect("an answer");
        answer.status().as_u16()
    };
    assert_eq!(patch("currentDocument.exists=true").await, 404);
    assert_eq!(patch("updateMask.fieldPaths=n").await, 200);
    let create =
        client.post(format!("{root}/c?documentId=x")).body(body.clone()).send().await.expect("an answer");
    assert_eq!(create.status().as_u16(), 409);
    assert_eq!(client.get(&url).send().await.expect("an answer").status().as_u16(), 404);
    let deleted = client.delete(format!("{root}/c/x")).send().await.expect("an answer");
    assert_eq!(deleted.status().as_u16(), 200);
    assert_eq!(firestore.db("p").count("c").await.expect("counted"), 0);
}

#[test]
fn jobs_have_unique_names_and_routes() {
    for job in sim::scheduler::JOBS {
        assert_eq!(Job::find(job.name), Some(&job));
        assert_eq!(sim::scheduler::JOBS.iter().filter(|other| other.route == job.route).count(), 1);
    }
}
