//! Incoming requests.

use std::path::Path;
use std::time::Duration;

use host::{Host, Reuse};

use crate::support::{Lines, folder, get, host, manifest};

/// Spin's limits, but with instances that are kept even in a slow test.
const PATIENT: Reuse = Reuse { concurrency: 16, total: 128, idle_timeout: Duration::from_mins(1) };

#[tokio::test]
async fn two_apps_in_one_process_are_separate() {
    let one = host().variable("name", "one").start().await.unwrap();
    let two = host().variable("name", "two").start().await.unwrap();
    assert_eq!(get(one.addr, "/variable/greeting", &[]).await.1, "Ok(\"hello one\")");
    assert_eq!(get(two.addr, "/variable/greeting", &[]).await.1, "Ok(\"hello two\")");
    assert_eq!(one.stop().await.unwrap().requests_served, 1);
    assert_eq!(get(two.addr, "/variable/greeting", &[]).await.1, "Ok(\"hello two\")");
    assert_eq!(two.stop().await.unwrap().requests_served, 2);
}

#[tokio::test]
async fn trap_answers_500_and_the_instance_is_replaced() {
    let lines = Lines::default();
    let host = host().log(lines.log()).start().await.unwrap();
    assert_eq!(get(host.addr, "/trap", &[]).await.0, 500);
    assert_eq!(get(host.addr, "/", &[]).await, (200, "hello".into()));
    assert_eq!(host.stop().await.unwrap().instances_created, 2);
    let text = lines.text();
    assert!(text.contains("asked to trap") && text.contains("an instance failed"), "{text}");
}

#[tokio::test]
async fn output_of_the_component_goes_to_the_log_unchanged() {
    let lines = Lines::default();
    let host = host().log(lines.log()).start().await.unwrap();
    get(host.addr, "/a", &[]).await;
    assert_eq!(lines.text(), "GET /a\n");
}

#[tokio::test]
async fn one_instance_takes_many_requests() {
    let host = host().reuse(PATIENT).start().await.unwrap();
    for _ in 0..5 {
        get(host.addr, "/", &[]).await;
    }
    let stats = host.stop().await.unwrap();
    assert_eq!((stats.instances_created, stats.requests_served), (1, 5));
    assert!(stats.memory_bytes_peak >= 1024 * 1024, "{stats}");
}

#[tokio::test]
async fn the_components_cpu_time_excludes_waiting() {
    const SLEEP_MS: u64 = 200;
    let host = host().start().await.unwrap();
    get(host.addr, &format!("/sleep/{SLEEP_MS}"), &[]).await;
    let stats = host.stop().await.unwrap();
    assert!((1..SLEEP_MS * 1000 / 2).contains(&stats.guest_cpu_us), "{stats}");
}

#[tokio::test]
async fn reuse_stays_within_its_limits() {
    let reuse = Reuse { concurrency: 1, total: 2, ..PATIENT };
    let host = host().reuse(reuse).start().await.unwrap();
    for _ in 0..3 {
        get(host.addr, "/", &[]).await;
    }
    assert_eq!(host.stats().instances_created, 2);
    tokio::join!(get(host.addr, "/sleep/200", &[]), get(host.addr, "/sleep/200", &[]));
    assert_eq!(host.stats().instances_created, 3);
}

#[tokio::test]
async fn stop_finishes_what_is_in_progress() {
    let host = host().start().await.unwrap();
    let addr = host.addr;
    let request = tokio::spawn(async move { get(addr, "/sleep/300", &[]).await });
    while host.stats().requests_served == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    host.stop().await.unwrap();
    assert_eq!(request.await.unwrap(), (200, "slept".into()));
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn host_answers_the_well_known_paths_itself() {
    let host = host().start().await.unwrap();
    assert_eq!(get(host.addr, "/.well-known/spin/health", &[]).await, (200, "OK".into()));
    assert_eq!(get(host.addr, "/.well-known/spin/other", &[]).await.0, 404);
    assert_eq!(host.stats().instances_created, 0);
}

#[tokio::test]
async fn compiled_component_is_loaded_from_the_cache() {
    let cache = folder();
    let entry = || std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let start = || host().cache(Some(cache.clone())).start();
    start().await.unwrap();
    let [compiled] = entry().try_into().unwrap();
    let written = || std::fs::metadata(&compiled).unwrap().modified().unwrap();
    let first = written();
    start().await.unwrap();
    assert_eq!(written(), first);

    // Not overwritten in place: a component of this process may still run from the old file.
    std::fs::remove_file(&compiled).unwrap();
    std::fs::write(&compiled, "damaged").unwrap();
    let host = start().await.unwrap();
    assert_eq!(get(host.addr, "/", &[]).await.0, 200);
    assert!(std::fs::metadata(&compiled).unwrap().len() > 1000);
}

#[tokio::test]
async fn start_reports_what_is_missing() {
    let error = |host: Host| async { format!("{:#}", host.start().await.err().expect("must not start")) };
    let missing = host().wasm(Some("/nowhere/app.wasm".into()));
    assert!(error(missing).await.starts_with("cannot read the component /nowhere/app.wasm: build it first"));
    assert!(error(host().variable("nmae", "x")).await.ends_with(
        "is invalid: no variable \"nmae\" to override: the manifest's [variables] does not declare it"
    ));
    assert!(error(host().wasm(Some(manifest(&[])))).await.contains("is not a component this host can run"));
    let unread = Host::builder(Path::new("/nowhere/spin.toml"));
    assert!(error(unread).await.starts_with("cannot read the manifest /nowhere/spin.toml"));
}
