//! The points of `PARITY.md`: behaviour that an application can notice, and that is the same on Spin and on this host.
//!
//! Each is tested on the host and, if the environment variable SPIN names a `spin` binary, on Spin itself:
//! `SPIN=/path/to/spin cargo test -p host parity`.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::subject::{Running, Subject, points, serve};
use crate::support::{Upstream, exchange, fetch, get, manifest};
use crate::together;

const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

points![
    a_header_that_is_not_utf8_is_answered_with_500,
    a_request_without_a_clear_host_is_not_answered,
    the_called_address_is_passed_after_the_callers_own_headers,
    the_runtime_answers_its_own_health_path,
    a_trap_is_answered_with_500_and_the_next_request_is_served,
    a_component_can_read_only_its_own_variables,
    the_components_output_is_passed_on,
    a_request_continues_when_its_caller_has_gone,
    a_host_that_is_not_listed_is_refused_and_named,
    an_address_with_a_path_invalidates_only_the_list,
    an_empty_address_is_left_out,
    a_mistake_in_the_defaults_keeps_the_application_from_starting,
    connection_failures_have_only_three_codes,
    a_connection_that_ends_too_early_is_a_protocol_error,
    timeouts_of_a_request_apply,
    connections_are_reused,
];

/// The list names all points, and no test that does not exist.
#[test]
fn the_list_of_points_is_the_list_of_tests() {
    let list = include_str!("../../PARITY.md");
    let points: Vec<_> = NAMES.iter().chain(together::NAMES).copied().collect();
    for point in NAMES {
        assert!(list.contains(&format!("`{point}`")), "PARITY.md does not name {point}");
    }
    let others = [include_str!("serve.rs"), include_str!("../../src/outbound/entry.rs")];
    // A name with this many underscores must be that of a test.
    for name in list.split('`').skip(1).step_by(2).filter(|name| name.matches('_').count() > 3) {
        let exists =
            points.contains(&name) || others.iter().any(|text| text.contains(&format!("fn {name}(")));
        assert!(exists, "PARITY.md names the test {name}, which does not exist");
    }
}

/// Waits for a log line that contains all of these.
async fn said(running: &Running, parts: &[&str]) {
    for _ in 0..1_000 {
        let text = running.lines.text();
        if text.lines().any(|line| parts.iter().all(|part| line.contains(part))) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no line with {parts:?} in: {}", running.lines.text());
}

async fn a_header_that_is_not_utf8_is_answered_with_500(subject: &Subject) {
    let running = serve(subject, &[]).await;
    let mut stream = TcpStream::connect(running.addr).await.unwrap();
    stream
        .write_all(b"GET /seen HTTP/1.1\r\nhost: a\r\nx-latin: caf\xe9\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    let utf8 = get(running.addr, "/seen", &[("x-utf8", "café")]).await;
    assert_eq!(utf8.0, 200, "{utf8:?}");
}

async fn a_request_without_a_clear_host_is_not_answered(subject: &Subject) {
    let running = serve(subject, &[]).await;
    for request in ["GET / HTTP/1.0\r\n\r\n", "GET http://a/ HTTP/1.0\r\nhost: b\r\n\r\n"] {
        assert_eq!(exchange(running.addr, request).await, "", "{request:?}");
    }
}

async fn the_called_address_is_passed_after_the_callers_own_headers(subject: &Subject) {
    let running = serve(subject, &[]).await;
    let url = format!("http://{}/seen?a=1", running.addr);
    let request = format!(
        "GET /seen?a=1 HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nx-mine: m\r\nspin-full-url: forged\r\n\r\n",
        running.addr
    );
    let seen = exchange(running.addr, &request).await;
    for part in [
        format!("{url} "),
        // The runtime's header comes last.
        "\"spin-full-url\": \"forged\"".to_owned(),
        format!("\"spin-full-url\": \"{url}\""),
        "\"spin-path-info\": \"/seen\"".to_owned(),
        "\"spin-matched-route\": \"/...\"".to_owned(),
        "\"spin-base-path\": \"/\"".to_owned(),
        "\"spin-raw-component-route\": \"/...\"".to_owned(),
        "\"spin-component-route\": \"\"".to_owned(),
        "\"spin-client-addr\": \"127.0.0.1:".to_owned(),
        "\"x-mine\": \"m\"".to_owned(),
    ] {
        assert!(seen.contains(&part), "{part} in {seen}");
    }
    let (_, headers) = seen.split_once("\r\n\r\n").unwrap();
    assert!(!headers.contains("connection"), "{seen}");
    assert!(headers.find("forged") < headers.find(&format!("\"{url}\"")), "{seen}");
}

async fn the_runtime_answers_its_own_health_path(subject: &Subject) {
    let running = serve(subject, &[]).await;
    assert_eq!(get(running.addr, "/.well-known/spin/health", &[]).await, (200, "OK".into()));
    assert_eq!(get(running.addr, "/.well-known/spin/other", &[]).await.0, 404);
    assert!(!running.lines.text().contains("GET /"), "the component was called: {}", running.lines.text());
}

async fn a_trap_is_answered_with_500_and_the_next_request_is_served(subject: &Subject) {
    let running = serve(subject, &[]).await;
    assert_eq!(get(running.addr, "/trap", &[]).await, (500, String::new()));
    assert_eq!(get(running.addr, "/", &[]).await, (200, "hello".into()));
    said(&running, &["asked to trap"]).await;
}

async fn a_component_can_read_only_its_own_variables(subject: &Subject) {
    let running = subject.start(&manifest(&[]), &[("name", "you")]).await.unwrap();
    assert_eq!(get(running.addr, "/variable/greeting", &[]).await.1, "Ok(\"hello you\")");
    assert!(get(running.addr, "/variable/name", &[]).await.1.contains("Undefined"));
    assert!(get(running.addr, "/variable/No", &[]).await.1.contains("InvalidName"));
}

async fn the_components_output_is_passed_on(subject: &Subject) {
    let running = serve(subject, &[]).await;
    get(running.addr, "/a", &[]).await;
    said(&running, &["GET /a"]).await;
}

async fn a_request_continues_when_its_caller_has_gone(subject: &Subject) {
    let running = serve(subject, &[]).await;
    let mut stream = TcpStream::connect(running.addr).await.unwrap();
    stream
        .write_all(format!("GET /sleep/300 HTTP/1.1\r\nhost: {}\r\n\r\n", running.addr).as_bytes())
        .await
        .unwrap();
    said(&running, &["GET /sleep/300"]).await;
    drop(stream);
    said(&running, &["slept 300"]).await;
}

async fn a_host_that_is_not_listed_is_refused_and_named(subject: &Subject) {
    let upstream = Upstream::start(GOOD, false).await;
    let running = serve(subject, &["http://127.0.0.1:1"]).await;
    let found = fetch(running.addr, &format!("{}/path?key=secret", upstream.url()), &[]).await;
    assert_eq!(found, "failed: ErrorCode::HttpRequestDenied");
    assert_eq!(upstream.connections(), 0);
    said(&running, &["allowed_outbound_hosts", &upstream.url()]).await;
    assert!(!running.lines.text().contains("secret"), "{}", running.lines.text());
}

async fn an_address_with_a_path_invalidates_only_the_list(subject: &Subject) {
    let upstream = Upstream::start(GOOD, false).await;
    let manifest = manifest(&[upstream.url(), "http://{{ name }}".to_owned()]);
    let running = subject.start(&manifest, &[("name", "gateway/base")]).await.expect("starts in spite of it");
    assert_eq!(get(running.addr, "/", &[]).await, (200, "hello".into()));
    assert_eq!(fetch(running.addr, &upstream.url(), &[]).await, "failed: ErrorCode::HttpRequestDenied");
    assert_eq!(upstream.connections(), 0);
    // Spin names the entry; this host also gives the reason.
    said(&running, &["gateway/base"]).await;
}

async fn an_empty_address_is_left_out(subject: &Subject) {
    let upstream = Upstream::start(GOOD, false).await;
    let manifest = manifest(&[upstream.url(), "http://{{ name }}".to_owned()]);
    let running = subject.start(&manifest, &[("name", "")]).await.unwrap();
    assert_eq!(fetch(running.addr, &upstream.url(), &[]).await, "200 OK: ok");
}

async fn a_mistake_in_the_defaults_keeps_the_application_from_starting(subject: &Subject) {
    for entry in ["http://gateway/base", "{{ name }}"] {
        let manifest = manifest(&[entry.to_owned()]);
        // The value is valid, but the default is not.
        let started = subject.start(&manifest, &[("name", "http://gateway")]).await;
        let error = started.map(|running| running.lines.text()).expect_err("must not start");
        assert!(error.contains("allowed_outbound_hosts"), "{entry}: {error}");
    }
}

async fn connection_failures_have_only_three_codes(subject: &Subject) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let running = serve(subject, &[&closed, "http://nowhere.invalid"]).await;
    assert_eq!(fetch(running.addr, &closed, &[]).await, "failed: ErrorCode::ConnectionRefused");
    let unknown = fetch(running.addr, "http://nowhere.invalid", &[]).await;
    assert!(unknown.starts_with("failed: ErrorCode::DnsError"), "{unknown}");
}

async fn a_connection_that_ends_too_early_is_a_protocol_error(subject: &Subject) {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
        "HTTP/1.1 200 OK\r\ncont",
        "",
        "not http at all\r\n\r\n",
    ] {
        let upstream = Upstream::start(answer, true).await;
        let running = serve(subject, &[&upstream.url()]).await;
        let found = fetch(running.addr, &upstream.url(), &[]).await;
        assert_eq!(found, "failed: ErrorCode::HttpProtocolError", "{answer:?}");
    }
}

async fn timeouts_of_a_request_apply(subject: &Subject) {
    let late = "failed: ErrorCode::ConnectionReadTimeout";
    for (answer, limit) in
        [("", "x-first-byte-ms"), ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", "x-between-bytes-ms")]
    {
        let upstream = Upstream::start(answer, false).await;
        let running = serve(subject, &[&upstream.url()]).await;
        assert_eq!(fetch(running.addr, &upstream.url(), &[(limit, "50")]).await, late);
    }
    // A listener with a full queue leaves further connections waiting.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let addr = listener.local_addr().unwrap();
    let waiting: Vec<_> = (0..4).map(|_| tokio::spawn(TcpStream::connect(addr))).collect();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let url = format!("http://{addr}");
    let running = serve(subject, &[&url]).await;
    let found = fetch(running.addr, &url, &[("x-connect-ms", "50")]).await;
    assert_eq!(found, "failed: ErrorCode::ConnectionTimeout");
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

async fn connections_are_reused(subject: &Subject) {
    let upstream = Upstream::start(GOOD, false).await;
    let running = serve(subject, &[&upstream.url()]).await;
    for _ in 0..3 {
        assert_eq!(fetch(running.addr, &upstream.url(), &[]).await, "200 OK: ok");
    }
    assert_eq!(upstream.connections(), 1);
}
