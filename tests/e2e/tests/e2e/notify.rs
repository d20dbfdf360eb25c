//! Notifications: the watch tells receivers on real sockets about alerts.
//!
//! On a fresh database no job has ever run, so each of the eleven is overdue.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use e2e::runtime::builder;
use e2e::stored::{ALERTS, list};
use e2e::system::{PATIENCE, another, get, now, post, start_with};
use serde_json::{Value, json};
use sim::orchestrator::Orchestrator;
use sim::receivers::{Kind, Message, ROUTING_KEY, Receivers, SECRET};
use sim::scheduler::{JOBS, Reply, Tick};
use sim::stack::{Parts, Stack};
use sim::watchlist::Watchlist;

const TARGETS: [Kind; 3] = [Kind::Webhook, Kind::Slack, Kind::PagerDuty];

async fn start(settings: &[(&str, &str)]) -> (Receivers, Stack) {
    let receivers = Receivers::start().await.expect("receivers");
    let parts = Parts { watchlist: Some(Watchlist::new(5, 5).without_indices()), ..Parts::default() };
    let builder = builder().variables(receivers.variables()).variables(settings.iter().copied());
    let stack = start_with(parts, builder).await;
    (receivers, stack)
}

/// Another instance that tells the same receivers.
async fn another_told(stack: &Stack, receivers: &Receivers, settings: &[(&str, &str)]) -> Orchestrator {
    let mut all = receivers.variables();
    all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let all: Vec<_> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    another(stack, &all).await
}

async fn watch(orchestrator: &Orchestrator) -> Reply {
    let tick = Tick::of_watch(now()).deadline(PATIENCE);
    tick.send(orchestrator.url()).await.expect("an answer")
}

async fn told(orchestrator: &Orchestrator) -> Value {
    let reply = watch(orchestrator).await;
    assert_eq!(reply.status, 200, "{:#}\n{}", reply.body, orchestrator.log().tail());
    reply.body
}

fn ids(messages: &[Message]) -> BTreeSet<String> {
    messages.iter().map(|message| message.id.clone()).collect()
}

/// Makes alerts that no longer hold count as gone for long.
async fn let_time_pass(stack: &Stack) {
    let before = (now() - TimeDelta::minutes(6)).to_rfc3339();
    for doc in list(&stack.db, ALERTS).await {
        if !doc.raw["quiet_since"].is_null() {
            let path = format!("{ALERTS}/{}", doc.id);
            stack.db.set_time(&path, "quiet_since", &before).await.expect("written");
        }
    }
}

#[tokio::test]
async fn each_change_of_an_alert_is_told_once_to_every_target() {
    let (receivers, stack) = start(&[]).await;
    let other = another_told(&stack, &receivers, &[]).await;
    let first = told(&stack.orchestrator).await;
    let jobs = JOBS.len();
    assert_eq!(
        (&first["alerts"]["firing"], &first["alerts"]["told"]),
        (&json!(jobs), &json!(3 * jobs)),
        "{first:#}"
    );
    assert_eq!(first["heartbeat"]["outcome"], "called");
    // Neither another instance nor two at once tell anything again.
    let (one, two) = tokio::join!(watch(&stack.orchestrator), watch(&other));
    assert_eq!((one.status, two.status), (200, 200));
    for kind in TARGETS {
        let receiver = receivers.of(kind);
        assert_eq!(receiver.refused(), [], "{kind:?}");
        let taken = receiver.taken();
        assert_eq!((taken.len(), ids(&taken).len()), (jobs, jobs), "{kind:?}");
        assert!(taken.iter().all(|message| message.state == "firing"));
    }
    assert_eq!(receivers.of(Kind::Heartbeat).taken().len(), 3);
    let event = receivers.of(Kind::Webhook).taken().remove(0);
    assert!(event.key.starts_with("JobOverdue_"), "{event:?}");
    assert_eq!(event.body["data"]["alert"], "JobOverdue");

    // A job that runs is no longer overdue.
    let job = sim::scheduler::Job::find("polygon-news-market").expect("a job");
    let reply = Tick::new(job, now()).send(stack.orchestrator.url()).await.expect("an answer");
    assert_eq!(reply.status, 200, "{:#}", reply.body);
    let quiet = told(&stack.orchestrator).await;
    assert_eq!(
        (&quiet["alerts"]["told"], &quiet["alerts"]["resolved"]),
        (&json!(0), &json!(0)),
        "it may come back"
    );
    let_time_pass(&stack).await;
    let resolved = told(&other).await;
    assert_eq!(
        (&resolved["alerts"]["told"], &resolved["alerts"]["resolved"]),
        (&json!(3), &json!(1)),
        "{resolved:#}"
    );
    let key = "JobOverdue_polygon-news-market";
    let of = |kind: Kind| receivers.of(kind).taken().pop().expect("a message");
    for kind in TARGETS {
        assert_eq!(of(kind).state, "resolved", "{kind:?}");
    }
    assert_eq!(of(Kind::Webhook).key, key);
    assert_eq!(of(Kind::Webhook).body["type"], "orchestrator.alert.resolved");
    assert_eq!(of(Kind::PagerDuty).body["event_action"], "resolve");
    let dedup = format!("projects/{}/databases/(default)/{key}", stack.project);
    let incidents = receivers.of(Kind::PagerDuty).taken().into_iter().filter(|message| message.key == dedup);
    assert_eq!(incidents.map(|message| message.state).collect::<Vec<_>>(), ["firing", "resolved"]);

    let metrics = get(&stack.orchestrator, "/metrics").await.body;
    let line = format!("orchestrator_notifications_total{{target=\"slack\",outcome=\"told\"}} {}", jobs + 1);
    assert!(metrics.as_str().expect("text").lines().any(|found| found == line), "{line}");
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_comes_again_under_the_same_id() {
    let (receivers, stack) = start(&[]).await;
    for kind in TARGETS {
        receivers.of(kind).lose(1);
    }
    let first = told(&stack.orchestrator).await;
    assert_eq!(first["alerts"]["failed"], 3, "{first:#}");
    assert_eq!(first["heartbeat"]["outcome"], "withheld", "a watch that is not heard has not succeeded");
    let again = told(&stack.orchestrator).await;
    assert_eq!((&again["alerts"]["failed"], &again["alerts"]["told"]), (&json!(0), &json!(3 * JOBS.len())));
    assert_eq!(again["heartbeat"]["outcome"], "called");
    for kind in TARGETS {
        let taken = receivers.of(kind).taken();
        assert_eq!((taken.len(), ids(&taken).len()), (JOBS.len() + 1, JOBS.len()), "{kind:?}");
        let twice: Vec<_> = taken.iter().filter(|message| message.id == taken[0].id).collect();
        assert_eq!(twice.len(), 2, "{kind:?}: the first one comes again");
        assert_eq!(twice[0].body, twice[1].body, "{kind:?}");
    }
}

#[tokio::test]
async fn a_broken_target_is_told_later_and_the_others_only_once() {
    let (receivers, stack) = start(&[]).await;
    receivers.of(Kind::Slack).refuse(503, 2);
    for _ in 0..2 {
        let reply = told(&stack.orchestrator).await;
        // The first failure of a watch is the last message that it sends there.
        let targets = reply["alerts"]["targets"].as_array().expect("targets");
        let slack = json!({"target": "slack", "told": 0, "failed": 1, "error": "it answered 503"});
        assert!(targets.contains(&slack), "{targets:?}");
    }
    let stored = list(&stack.db, ALERTS).await;
    let waiting = stored.iter().filter(|doc| doc.fields["changes"][0]["pending"].get("slack").is_some());
    assert_eq!(waiting.count(), JOBS.len());
    told(&stack.orchestrator).await;
    for kind in TARGETS {
        assert_eq!(receivers.of(kind).taken().len(), JOBS.len(), "{kind:?}");
    }
}

#[tokio::test]
async fn without_firestore_the_watch_fails_and_the_heartbeat_stops() {
    let (receivers, stack) = start(&[]).await;
    let nowhere = format!("127.0.0.1:{}", sim_port());
    let cut_off = another_told(&stack, &receivers, &[("firestore_emulator_host", &nowhere)]).await;
    let reply = watch(&cut_off).await;
    assert_eq!(reply.status, 503, "{:#}", reply.body);
    assert_eq!(receivers.of(Kind::Heartbeat).taken(), []);
}

/// A port at which nobody listens.
fn sim_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[tokio::test]
async fn a_test_message_reaches_every_target_and_says_what_happened() {
    let (receivers, stack) = start(&[]).await;
    let reply = post(&stack.orchestrator, "/notify/test").await;
    let result = |target: &str, status: u16| json!({"target": target, "delivered": true, "status_code": status, "error": null});
    let expect = json!({"targets": [result("webhook", 204), result("slack", 200), result("pagerduty", 202)]});
    assert_eq!((reply.status, &reply.body), (200, &expect));
    for kind in TARGETS {
        assert_eq!(receivers.of(kind).refused(), [], "{kind:?}");
    }
    assert_eq!(receivers.of(Kind::Webhook).taken()[0].state, "test");
    assert_eq!(receivers.of(Kind::Slack).taken()[0].state, "test");
    let incident: Vec<_> =
        receivers.of(Kind::PagerDuty).taken().into_iter().map(|message| message.state).collect();
    assert_eq!(incident, ["firing", "resolved"], "no incident stays open");

    receivers.of(Kind::Slack).refuse(403, 1);
    receivers.of(Kind::PagerDuty).lose(1);
    let reply = post(&stack.orchestrator, "/notify/test").await.body;
    assert_eq!(
        reply["targets"][1],
        json!({"target": "slack", "delivered": false, "status_code": 403, "error": "it answered 403"})
    );
    let lost = &reply["targets"][2];
    assert_eq!((&lost["delivered"], &lost["status_code"]), (&json!(false), &Value::Null), "{lost}");
    assert!(
        lost["error"].as_str().is_some_and(|error| error.starts_with("connection failed: 127.0.0.1:")),
        "{lost}"
    );
    assert_eq!(list(&stack.db, ALERTS).await.len(), 0, "a test leaves nothing behind");
}

#[tokio::test]
async fn no_secret_of_a_receiver_is_shown_stored_or_logged() {
    let (receivers, stack) = start(&[("log_level", "debug")]).await;
    let mut shown = String::new();
    for kind in Kind::ALL {
        receivers.of(kind).refuse(500, 1);
        receivers.of(kind).lose(1);
    }
    for _ in 0..3 {
        shown += &watch(&stack.orchestrator).await.body.to_string();
        shown += &post(&stack.orchestrator, "/notify/test").await.body.to_string();
    }
    // Once more with an instance whose settings are wrong, which must name them without their values.
    let origin = ("notify_slack_origin", "https://hooks.slack.com");
    let wrong = another_told(&stack, &receivers, &[origin]).await;
    let health = get(&wrong, "/health").await;
    assert_eq!(health.status, 503);
    assert!(
        health
            .body
            .to_string()
            .contains("notify_slack does not have the origin that notify_slack_origin allows")
    );
    for path in ["/health", "/status", "/metrics", "/runs"] {
        shown += &get(&stack.orchestrator, path).await.body.to_string();
        shown += &get(&wrong, path).await.body.to_string();
    }
    for doc in list(&stack.db, ALERTS).await {
        shown += &doc.raw.to_string();
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    for orchestrator in [&stack.orchestrator, &wrong] {
        shown += &orchestrator.log().lines().join("\n");
    }
    assert!(shown.contains("watch ended") && shown.contains("notification failed"), "{shown}");
    for secret in [SECRET, ROUTING_KEY] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
