use super::*;

const KEY: &str = "JobFailing_tiingo-daily-prices";

fn sender() -> Sender {
    Sender {
        database: "projects/p/databases/(default)".to_owned(),
        dashboard: Some("https://orchestrator.test".to_owned()),
    }
}

fn told<T>(state: State, message: &str, tell: impl FnOnce(&Sender, &News<'_>) -> T) -> T {
    let subject = Subject {
        alert: "JobFailing".to_owned(),
        job: Some("tiingo-daily-prices".to_owned()),
        provider: Some("tiingo".to_owned()),
        dataset: None,
    };
    let change = Change {
        id: "0190-c".to_owned(),
        state,
        at: "2026-11-26T18:00:00Z".parse().unwrap(),
        severity: Severity::Critical,
        message: message.to_owned(),
        since: Some("2026-11-26T17:30:00.5Z".parse().unwrap()),
        pending: Vec::new(),
    };
    tell(&sender(), &News { key: KEY, subject: &subject, change: &change })
}

#[test]
fn a_cloud_event_says_everything() {
    let event = told(State::Firing, "3 of 3 failed", Sender::cloud_event);
    let expect = json!({
        "specversion": "1.0",
        "id": "0190-c",
        "source": "/orchestrator/projects/p/databases/(default)",
        "type": "orchestrator.alert.firing",
        "subject": KEY,
        "time": "2026-11-26T18:00:00Z",
        "datacontenttype": "application/json",
        "data": {
            "alert": "JobFailing",
            "state": "firing",
            "job": "tiingo-daily-prices",
            "provider": "tiingo",
            "dataset": null,
            "severity": "critical",
            "message": "3 of 3 failed",
            "since": "2026-11-26T17:30:00.500Z",
            "action": "Open the failed run that the message names, mend what it says, and resume it.",
            "runbook": "docs/operations.md#jobfailing",
            "dashboard": "https://orchestrator.test/",
        },
    });
    assert_eq!(event, expect);
    let event = told(State::Resolved, "m", Sender::cloud_event);
    assert_eq!(
        (&event["type"], &event["data"]["state"]),
        (&"orchestrator.alert.resolved".into(), &"resolved".into())
    );
}

#[test]
fn slack_gets_text_and_blocks_that_mention_nobody() {
    let message = told(State::Firing, "<!channel> & <https://x.test|click>", Sender::slack);
    assert_eq!(
        message["text"],
        "JobFailing: tiingo-daily-prices, critical: &lt;!channel&gt; &amp; &lt;https://x.test|click&gt;"
    );
    let text = message["blocks"][0]["text"]["text"].as_str().unwrap();
    assert!(
        text.starts_with(":rotating_light: *JobFailing: tiingo-daily-prices*, critical\n&lt;!channel&gt;"),
        "{text}"
    );
    assert!(text.contains("*What to do:* Open the failed run"), "{text}");
    assert_eq!(message["blocks"][0]["block_id"], "0190-c");
    assert_eq!(
        message["blocks"][1]["elements"][0]["text"],
        "since 2026-11-26T17:30:00.500Z | runbook: docs/operations.md#jobfailing | <https://orchestrator.test/|dashboard>"
    );
    let message = told(State::Resolved, "m", Sender::slack);
    assert_eq!(message["text"], "Resolved: JobFailing: tiingo-daily-prices: m");
}

#[test]
fn no_message_exceeds_its_receivers_limits() {
    let long = "&".repeat(10_000);
    let message = told(State::Firing, &long, Sender::slack);
    assert!(message["blocks"][0]["text"]["text"].as_str().unwrap().chars().count() <= 3_000);
    let event = told(State::Firing, &long, |sender, news| sender.pagerduty(news, "key"));
    assert_eq!(event["payload"]["summary"].as_str().unwrap().chars().count(), 1_024);
}

#[test]
fn pagerduty_gets_one_incident_an_alert() {
    let firing = told(State::Firing, "3 of 3 failed", |sender, news| sender.pagerduty(news, "key"));
    assert_eq!(firing["routing_key"], "key");
    assert_eq!(firing["event_action"], "trigger");
    assert_eq!(firing["payload"]["summary"], "JobFailing: tiingo-daily-prices: 3 of 3 failed");
    assert_eq!(firing["payload"]["severity"], "critical");
    assert_eq!(firing["payload"]["custom_details"]["event_id"], "0190-c");
    assert_eq!(firing["links"], json!([{"href": "https://orchestrator.test/", "text": "Dashboard"}]));
    let resolved = told(State::Resolved, "m", |sender, news| sender.pagerduty(news, "key"));
    assert_eq!(resolved["event_action"], "resolve");
    assert_eq!(resolved["dedup_key"], firing["dedup_key"]);
    assert_eq!(firing["dedup_key"], format!("projects/p/databases/(default)/{KEY}"));
}

#[test]
fn every_alert_has_its_advice() {
    let runbook = include_str!("../../../docs/operations.md");
    let alerts = include_str!("../../../deploy/monitoring/alerts.yaml");
    let mut known = 0;
    for line in alerts.lines() {
        let Some((_, name)) = line.split_once("- alert: ") else { continue };
        assert_ne!(advice(name), advice(""), "{name}");
        assert!(runbook.contains(&format!("\n## {name}\n")), "{name}");
        known += 1;
    }
    assert!(known >= 8, "{known}");
}
