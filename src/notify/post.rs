//! One request to a receiver. Its address or key is a secret: no error repeats either, nor what the receiver answers.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde_json::Value as Json;

use super::alert::State;
use super::message::{CLOUD_EVENT, News};
use super::target::{Sent, Target};
use super::{MESSAGE_MAX, Notifier};
use crate::base::id::new_uuid;
use crate::base::ports::{OutboundRequest, TransportError};
use crate::config::Secret;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Receivers answer a few words.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Part of a watch within which a heartbeat must be answered.
const HEARTBEAT_PART: u32 = 10;

/// What became of the heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
pub struct Heartbeat {
    pub outcome: Beat,
    /// Why it failed.
    pub error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Beat {
    /// `heartbeat_url` is empty.
    Off,
    Called,
    Failed,
    /// The watch itself has not succeeded.
    Withheld,
}

impl Beat {
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Called => "called",
            Self::Failed => "failed",
            Self::Withheld => "withheld",
        }
    }
}

/// What became of a test message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
pub struct TestResult {
    pub target: Target,
    pub delivered: bool,
    /// Null if there was no answer.
    pub status_code: Option<u16>,
    pub error: Option<String>,
}

impl Notifier {
    /// Tells a target about a change.
    pub(super) async fn tell(&self, target: Target, news: &News<'_>, limit: Duration) -> Sent {
        match target {
            Target::Webhook => self.to_webhook(&self.sender.cloud_event(news), limit).await,
            Target::Slack => self.to_slack(&self.sender.slack(news), limit).await,
            Target::PagerDuty => self.to_pagerduty(|key| self.sender.pagerduty(news, key), limit).await,
        }
    }

    /// Sends a test message to every target that is set.
    pub async fn test(&self) -> Vec<TestResult> {
        let targets = self.config.targets();
        futures::future::join_all(targets.into_iter().map(|target| self.test_one(target))).await
    }

    async fn test_one(&self, target: Target) -> TestResult {
        let (id, now) = (new_uuid(&self.world), self.world.clock.now());
        let sent = match target {
            Target::Webhook => self.to_webhook(&self.sender.test_event(&id, now), MESSAGE_MAX).await,
            Target::Slack => self.to_slack(&self.sender.test_slack(&id), MESSAGE_MAX).await,
            Target::PagerDuty => {
                let event = |state, key: &str| self.sender.test_incident(&id, state, key);
                match self.to_pagerduty(|key| event(State::Firing, key), MESSAGE_MAX).await {
                    Sent::Taken { .. } => {
                        self.to_pagerduty(|key| event(State::Resolved, key), MESSAGE_MAX).await
                    }
                    failed => failed,
                }
            }
        };
        log(target, "test", &sent);
        TestResult {
            target,
            delivered: sent.error().is_none(),
            status_code: sent.status(),
            error: sent.error().map(ToOwned::to_owned),
        }
    }

    /// Tells the monitor outside that the watch works.
    pub async fn heartbeat(&self) -> Heartbeat {
        let Some(url) = &self.config.heartbeat else { return Heartbeat { outcome: Beat::Off, error: None } };
        let limit = MESSAGE_MAX.min(self.length / HEARTBEAT_PART);
        let sent =
            self.send(Method::GET, url.expose().to_owned(), HeaderMap::new(), Bytes::new(), limit).await;
        let error = sent.error().map(ToOwned::to_owned);
        if let Some(error) = &error {
            tracing::warn!(reason = error, "heartbeat failed");
        }
        Heartbeat { outcome: if error.is_none() { Beat::Called } else { Beat::Failed }, error }
    }

    /// The heartbeat of a watch that has not succeeded.
    pub fn withheld(&self) -> Heartbeat {
        let outcome = if self.config.heartbeat.is_some() { Beat::Withheld } else { Beat::Off };
        Heartbeat { outcome, error: None }
    }

    async fn to_webhook(&self, event: &Json, limit: Duration) -> Sent {
        self.post(self.config.webhook.as_ref(), CLOUD_EVENT, event, limit).await
    }

    async fn to_slack(&self, message: &Json, limit: Duration) -> Sent {
        self.post(self.config.slack.as_ref(), "application/json", message, limit).await
    }

    async fn to_pagerduty(&self, event: impl FnOnce(&str) -> Json, limit: Duration) -> Sent {
        let Some(known) = &self.config.pagerduty else { return off() };
        let event = event(known.routing_key.expose());
        self.post(Some(&Secret::new(known.url.clone())), "application/json", &event, limit).await
    }

    async fn post(&self, url: Option<&Secret>, kind: &'static str, body: &Json, limit: Duration) -> Sent {
        let Some(url) = url else { return off() };
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        let body = Bytes::from(body.to_string());
        self.send(Method::POST, url.expose().to_owned(), headers, body, limit).await
    }

    async fn send(
        &self,
        method: Method,
        url: String,
        headers: HeaderMap,
        body: Bytes,
        limit: Duration,
    ) -> Sent {
        let request = OutboundRequest {
            method,
            url,
            headers,
            body,
            connect_timeout: CONNECT_TIMEOUT,
            timeout: limit,
            body_bytes_max: ANSWER_BYTES_MAX,
        };
        judge(self.world.send(request).await.map(|answer| answer.status))
    }
}

/// A target that was switched off.
fn off() -> Sent {
    Sent::Down { status: None, error: "it is not set".to_owned() }
}

/// What an answer means. A status alone is told: the body may repeat the key.
fn judge(answer: Result<StatusCode, TransportError>) -> Sent {
    let status = match answer {
        Ok(status) => status,
        // The head says that the message has been taken, whatever became of the body.
        Err(error) => match error.partial() {
            Some(arrived) => arrived.status,
            None => return Sent::Down { status: None, error: error.to_string() },
        },
    };
    let code = status.as_u16();
    let error = || format!("it answered {code}");
    match code {
        200..=299 => Sent::Taken { status: code },
        // The message itself is at fault: the next one may be fine.
        400 | 413 | 422 => Sent::Refused { status: code, error: error() },
        _ => Sent::Down { status: Some(code), error: error() },
    }
}

/// Writes what became of a message to the log.
pub(super) fn log(target: Target, key: &str, sent: &Sent) {
    match sent.error() {
        None => tracing::info!(target = target.name(), alert.key = key, "notification sent"),
        Some(reason) => {
            tracing::warn!(target = target.name(), alert.key = key, reason, "notification failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_success_counts_as_told_and_only_the_messages_own_fault_lets_others_pass() {
        let sent = |code| judge(Ok(StatusCode::from_u16(code).unwrap()));
        for code in [200, 202, 204] {
            assert_eq!(sent(code), Sent::Taken { status: code });
        }
        assert_eq!(sent(400), Sent::Refused { status: 400, error: "it answered 400".into() });
        for code in [302, 401, 403, 404, 410, 429, 500, 503] {
            let error = format!("it answered {code}");
            assert_eq!(sent(code), Sent::Down { status: Some(code), error });
        }
        let error = judge(Err(TransportError::Timeout(Duration::from_secs(10))));
        assert_eq!(error.error(), Some("no complete response within 10 s"));
    }
}
