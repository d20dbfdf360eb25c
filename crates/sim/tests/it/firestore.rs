//! The real emulator and the client that reads it back.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use sim::firestore::{Db, Emulator, unique_project};
use sim::scheduler::Job;
use sim::watchlist::{ACTIVE, Scope, UNIVERSE, Watchlist};

async fn db() -> Db {
    Emulator::shared().await.expect("the emulator starts").db(&unique_project())
}

#[tokio::test]
async fn documents_come_back_as_they_were_written() {
    let db = db().await;
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

#[tokio::test]
async fn collections_of_many_pages_are_read_whole() {
    let db = db().await;
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

#[tokio::test]
async fn projects_and_databases_are_separate() {
    let emulator = Emulator::shared().await.expect("the emulator starts");
    let project = unique_project();
    let one = Db::new(&emulator.host(), &project, "one");
    one.seed(vec![("c/x".to_owned(), json!({}))]).await.expect("written");
    assert_eq!(one.count("c").await.expect("counted"), 1);
    assert_eq!(emulator.db(&project).count("c").await.expect("counted"), 0);
}

#[tokio::test]
async fn a_refused_write_is_an_error_with_firestores_message() {
    let error = db().await.seed(vec![("c/__x__".to_owned(), json!({}))]).await.expect_err("reserved");
    assert!(error.to_string().contains("reserved"), "{error}");
}

#[tokio::test]
async fn a_killed_emulator_is_gone_and_restarts_empty_on_its_port() {
    let emulator = Emulator::start(None).await.expect("starts");
    let (host, db) = (emulator.host(), emulator.db("p"));
    emulator.warm_up().await.expect("warm");
    db.seed(vec![("c/x".to_owned(), json!({}))]).await.expect("written");
    emulator.kill().await.expect("killed");
    assert!(db.count("c").await.is_err());
    emulator.restart().await.expect("restarts");
    assert_eq!(emulator.host(), host);
    assert_eq!(db.count("c").await.expect("counted"), 0);
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

#[test]
fn jobs_have_unique_names_and_routes() {
    for job in sim::scheduler::JOBS {
        assert_eq!(Job::find(job.name), Some(&job));
        assert_eq!(sim::scheduler::JOBS.iter().filter(|other| other.route == job.route).count(), 1);
    }
}
