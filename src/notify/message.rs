//! The messages, in the form of each receiver.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value as Json, json};

use super::alert::{Change, State, Subject};
use super::document::severity;
use crate::base::text::excerpt;
use crate::ops::alerts::{Severity, runbook};

/// PagerDuty's limit on a summary.
const SUMMARY_CHARS_MAX: usize = 1024;
/// Slack's limit on a text is 3,000; escaping may make it five times as long.
const SLACK_CHARS_MAX: usize = 500;
/// The content type of CloudEvents in structured form.
pub const CLOUD_EVENT: &str = "application/cloudevents+json; charset=utf-8";

/// What a message is about.
#[derive(Clone, Copy, Debug)]
pub struct News<'a> {
    pub key: &'a str,
    pub subject: &'a Subject,
    pub change: &'a Change,
}

/// Who tells it.
#[derive(Clone, Debug)]
pub struct Sender {
    /// `projects/{project}/databases/{database}`: tells deployments apart.
    pub database: String,
    /// Where people open the dashboard.
    pub dashboard: Option<String>,
}

/// What to do about an alert, in a sentence; its runbook says more.
pub fn advice(alert: &str) -> &'static str {
    match alert {
        "FirestoreUnreachable" => {
            "Check Firestore's status, the service account's role and the quota; runs wait until it answers."
        }
        "JobFailing" => "Open the failed run that the message names, mend what it says, and resume it.",
        "JobOverdue" => "Check whether the scheduler calls, then run the job now.",
        "JobSlow" => "Open the run: its steps and waits show whether the provider or a limit is slow.",
        "RecordsFlagged" => "Compare the doubtful records with another source before you rely on them.",
        "RecordsRestated" => {
            "Look at the revisions of some of the run's records: what was computed from their earlier forms may be wrong."
        }
        "BreakerOpen" => {
            "Check the provider's service; the breaker closes by itself when a probe is answered."
        }
        "ProviderUnhealthy" => "Check the provider's service and its upstream, then probe it.",
        "CoverageLow" => "Open the session's coverage and run the job again for the tickers that it names.",
        "JobPaused" => "Unpause the job if the reason is gone; else leave it, and this alert, as it is.",
        _ => "See the runbook.",
    }
}

/// What the alert concerns, for people.
fn concerns(subject: &Subject) -> Option<&str> {
    subject.job.as_deref().or(subject.dataset.as_deref()).or(subject.provider.as_deref())
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn title(news: &News<'_>) -> String {
    let alert = &news.subject.alert;
    let name = concerns(news.subject).map_or_else(|| alert.clone(), |of| format!("{alert}: {of}"));
    match news.change.state {
        State::Firing => name,
        State::Resolved => format!("Resolved: {name}"),
    }
}

impl Sender {
    fn link(&self) -> Option<String> {
        self.dashboard.as_ref().map(|address| format!("{address}/"))
    }

    /// A CloudEvent (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>).
    pub fn cloud_event(&self, news: &News<'_>) -> Json {
        let News { key, subject, change } = *news;
        let data = json!({
            "alert": subject.alert,
            "state": change.state.name(),
            "job": subject.job,
            "provider": subject.provider,
            "dataset": subject.dataset,
            "severity": severity(change.severity),
            "message": change.message,
            "since": change.since.map(rfc3339),
            "action": advice(&subject.alert),
            "runbook": runbook(&subject.alert),
            "dashboard": self.link(),
        });
        let kind = format!("orchestrator.alert.{}", change.state.name());
        self.event(&change.id, &kind, key, change.at, &data)
    }

    fn event(&self, id: &str, kind: &str, subject: &str, at: DateTime<Utc>, data: &Json) -> Json {
        json!({
            "specversion": "1.0",
            "id": id,
            "source": format!("/orchestrator/{}", self.database),
            "type": kind,
            "subject": subject,
            "time": rfc3339(at),
            "datacontenttype": "application/json",
            "data": data,
        })
    }

    /// The body for an incoming webhook of Slack (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).
    pub fn slack(&self, news: &News<'_>) -> Json {
        let change = news.change;
        let title = escaped(&title(news));
        let (icon, severity) = match (change.state, change.severity) {
            (State::Resolved, _) => (":white_check_mark:", ""),
            (_, Severity::Critical) => (":rotating_light:", ", critical"),
            (_, Severity::Warning) => (":warning:", ", warning"),
        };
        let message = escaped(&excerpt(&change.message, SLACK_CHARS_MAX));
        let mut text = format!("{icon} *{title}*{severity}\n{message}");
        if change.state == State::Firing {
            text.push_str("\n*What to do:* ");
            text.push_str(advice(&news.subject.alert));
        }
        let since = change.since.map(|since| format!("since {}", rfc3339(since)));
        let runbook = Some(format!("runbook: {}", runbook(&news.subject.alert)));
        let dashboard = self.link().map(|link| format!("<{link}|dashboard>"));
        let notes: Vec<_> = [since, runbook, dashboard].into_iter().flatten().collect();
        json!({
            "text": format!("{title}{severity}: {message}"),
            "blocks": [
                // The change's id: a message that comes twice can be recognised by it.
                {"type": "section", "block_id": change.id, "text": {"type": "mrkdwn", "text": text}},
                {"type": "context", "elements": [{"type": "mrkdwn", "text": notes.join(" | ")}]},
            ],
        })
    }

    /// An event for PagerDuty (<https://developer.pagerduty.com/docs/send-alert-event>). An alert's events belong to one
    /// incident, whatever its severity and message.
    pub fn pagerduty(&self, news: &News<'_>, routing_key: &str) -> Json {
        let News { key, subject, change } = *news;
        let details = json!({
            "event_id": change.id,
            "job": subject.job,
            "provider": subject.provider,
            "dataset": subject.dataset,
            "message": change.message,
            "since": change.since.map(rfc3339),
            "action": advice(&subject.alert),
            "runbook": runbook(&subject.alert),
        });
        let summary = format!("{}: {}", title(news), change.message);
        let payload = json!({
            "summary": excerpt(&summary, SUMMARY_CHARS_MAX - 1),
            "source": self.database,
            "severity": severity(change.severity),
            "timestamp": rfc3339(change.at),
            "component": concerns(subject).unwrap_or("firestore"),
            "class": subject.alert,
            "custom_details": details,
        });
        self.incident(change.state, &format!("{}/{key}", self.database), &payload, routing_key)
    }

    fn incident(&self, state: State, dedup_key: &str, payload: &Json, routing_key: &str) -> Json {
        let action = match state {
            State::Firing => "trigger",
            State::Resolved => "resolve",
        };
        let mut event = json!({
            "routing_key": routing_key,
            "event_action": action,
            "dedup_key": dedup_key,
            "payload": payload,
            "client": "orchestrator",
        });
        if let (Some(link), Json::Object(event)) = (self.link(), &mut event) {
            event.insert("client_url".to_owned(), link.as_str().into());
            event.insert("links".to_owned(), json!([{"href": link, "text": "Dashboard"}]));
        }
        event
    }

    /// Test messages: a CloudEvent.
    pub fn test_event(&self, id: &str, at: DateTime<Utc>) -> Json {
        let data = json!({"message": TEST, "dashboard": self.link()});
        self.event(id, "orchestrator.notification.test", "test", at, &data)
    }

    pub fn test_slack(&self, id: &str) -> Json {
        let section = json!({"type": "section", "block_id": id, "text": {"type": "mrkdwn", "text": TEST}});
        json!({"text": TEST, "blocks": [section]})
    }

    /// An incident of the lowest severity, or its end.
    pub fn test_incident(&self, id: &str, state: State, routing_key: &str) -> Json {
        let payload = json!({"summary": TEST, "source": self.database, "severity": "info"});
        self.incident(state, &format!("{}/test/{id}", self.database), &payload, routing_key)
    }
}

/// The text of test messages.
const TEST: &str = "Test message of the orchestrator: notifications reach this place. Nothing is wrong.";

/// Slack's control characters are escaped, so that no text can mention people or make links.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
