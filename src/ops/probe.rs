//! Probes of a provider's own `/health`, on an operator's request.
//!
//! A probe costs the provider one upstream request, from a quota that may be five a minute or 25 a day, and may take
//! longer than ten seconds. So nothing triggers a probe automatically: no status request, no open page. A requested
//! probe runs at most every few minutes, in one instance only, and not while a run needs the provider. Its result is
//! stored for all instances.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, SubsecRound, Utc};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use serde::Serialize;

use super::Ops;
use crate::base::ports::{OutboundRequest, millis};
use crate::base::redact;
use crate::catalogue::Provider;
use crate::firestore::document::Document;
use crate::firestore::value::fields;
use crate::firestore::{Code, DocumentPath, Fields, FirestoreError, Precondition, Value, Write};
use crate::intake::envelope::failure_message;
use crate::ledger::summary::RunSummary;
use crate::run::Status;

/// AlphaVantage's service takes ten seconds or more even when it is healthy.
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Number of latest runs of each job that are checked for a running one.
const RUNS: usize = 5;

/// What is stored about a provider's probes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredProbe {
    /// When a probe was last requested, whether or not there was a response.
    pub asked_at: Option<DateTime<Utc>>,
    pub result: Option<ProbeResult>,
}

/// Result of a health probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
pub struct ProbeResult {
    pub probed_at: DateTime<Utc>,
    pub latency_ms: u64,
    /// Null if there was no response.
    pub status_code: Option<u16>,
    /// Null if the service is healthy, or if only its limit is exhausted.
    pub error: Option<String>,
}

/// The outcome of a request for a probe.
#[derive(Debug)]
pub enum Probed {
    Done(ProbeResult),
    /// Not now, with the reason.
    Refused {
        reason: String,
        retry_after: Duration,
    },
}

/// Where a provider's probes are stored: next to its breaker.
pub fn document(ops: &Ops, provider: Provider) -> DocumentPath {
    DocumentPath::new(&ops.settings.collections.breakers, &document_id(provider))
}

pub fn document_id(provider: Provider) -> String {
    format!("{}_probe", provider.name())
}

impl StoredProbe {
    pub fn from_document(document: &Document) -> Self {
        let time = |name| document.fields.get(name).and_then(Value::as_timestamp);
        let number = |name| document.fields.get(name).and_then(Value::as_i64);
        let result = time("probed_at").map(|probed_at| ProbeResult {
            probed_at,
            latency_ms: number("latency_ms").and_then(|ms| ms.try_into().ok()).unwrap_or_default(),
            status_code: number("status_code").and_then(|code| code.try_into().ok()),
            error: document.text("error").map(ToOwned::to_owned),
        });
        Self { asked_at: time("asked_at"), result }
    }
}

/// Probes a service, unless it was probed recently or a run needs it.
pub async fn probe(ops: &Ops, provider: Provider) -> Result<Probed, FirestoreError> {
    let path = document(ops, provider);
    let stored = ops.firestore.get(&path).await?;
    let known = stored.as_ref().map(StoredProbe::from_document).unwrap_or_default();
    let jobs = provider.spec().jobs.iter();
    let lists = futures::future::try_join_all(jobs.map(|job| ops.ledger.recent(job.name, RUNS)));
    let runs: Vec<RunSummary> = lists.await?.into_iter().flatten().collect();
    let now = ops.world.clock.now();
    let rules = Rules { interval: ops.settings.probe_interval, attempt: ops.settings.run.deadline };
    if let Err((reason, retry_after)) = rules.allow(&known, &runs, now) {
        return Ok(Probed::Refused { reason, retry_after });
    }
    let precondition = match &stored {
        Some(document) => Precondition::UnchangedSince(document.update_time),
        None => Precondition::Missing,
    };
    let claim = fields([("asked_at", Value::Timestamp(now))]);
    match ops.firestore.commit(&[Write::merge(path.clone(), claim).only_if(precondition)]).await {
        Ok(_) => {}
        Err(error)
            if matches!(
                error.code(),
                Some(Code::AlreadyExists | Code::FailedPrecondition | Code::NotFound)
            ) =>
        {
            let reason = format!("{} is being probed by another request", provider.name());
            return Ok(Probed::Refused { reason, retry_after: rules.interval });
        }
        Err(error) => return Err(error),
    }
    let result = ask(ops, provider).await;
    ops.firestore.commit(&[Write::merge(path, to_fields(provider, &result))]).await?;
    Ok(Probed::Done(result))
}

fn to_fields(provider: Provider, result: &ProbeResult) -> Fields {
    fields([
        ("provider", Value::string(provider.name())),
        ("probed_at", Value::Timestamp(result.probed_at)),
        ("latency_ms", Value::Integer(result.latency_ms.cast_signed())),
        ("status_code", result.status_code.map_or(Value::NULL, |code| Value::Integer(code.into()))),
        ("error", result.error.as_ref().map_or(Value::NULL, Value::string)),
    ])
}

/// When a probe may run.
struct Rules {
    /// Minimum time between two probes.
    interval: Duration,
    /// The longest time that a request works on a run: one that started earlier and has not ended is dead.
    attempt: Duration,
}

impl Rules {
    /// The reason why there can be no probe now, and for how long.
    fn allow(
        &self,
        known: &StoredProbe,
        runs: &[RunSummary],
        now: DateTime<Utc>,
    ) -> Result<(), (String, Duration)> {
        let age = known.asked_at.and_then(|asked_at| (now - asked_at).to_std().ok());
        if let Some(age) = age.filter(|age| *age < self.interval) {
            let reason = format!(
                "the last probe was requested {} s ago; probe_interval_seconds is {}",
                age.as_secs(),
                self.interval.as_secs()
            );
            return Err((reason, self.interval.saturating_sub(age)));
        }
        let works = |run: &&RunSummary| {
            let begun = run.started_at.and_then(|started_at| (now - started_at).to_std().ok());
            run.run_status == Status::Running && begun.is_none_or(|begun| begun < self.attempt)
        };
        if let Some(run) = runs.iter().find(works) {
            let reason =
                format!("run {} is calling the provider: its calls show how healthy it is", run.run_id);
            return Err((reason, Duration::from_secs(60)));
        }
        Ok(())
    }
}

/// Requests `GET {base}/health`.
async fn ask(ops: &Ops, provider: Provider) -> ProbeResult {
    let start = ops.world.clock.instant();
    let answered = exchange(ops, provider).await;
    let (status_code, error) = match answered {
        Ok((status, error)) => (Some(status), error),
        Err(error) => (None, Some(error)),
    };
    ProbeResult {
        // Firestore keeps no nanoseconds, and the response should match what is stored.
        probed_at: ops.world.clock.now().trunc_subsecs(3),
        latency_ms: millis(ops.world.clock.instant().since(start)),
        status_code,
        error,
    }
}

/// The status and, if it is not healthy, the service's message. A service whose limit is exhausted is healthy.
async fn exchange(ops: &Ops, provider: Provider) -> Result<(u16, Option<String>), String> {
    let base_url = &ops.settings.provider(provider).base_url;
    let (mut headers, mut secret) = (HeaderMap::new(), None);
    if ops.settings.call.id_token {
        let token = ops
            .google
            .identity_token(base_url)
            .await
            .map_err(|error| format!("cannot get an ID token: {error}"))?;
        headers.insert(AUTHORIZATION, token.header());
        secret = Some(token);
    }
    let request = OutboundRequest {
        method: Method::GET,
        url: format!("{base_url}/health"),
        headers,
        body: Bytes::new(),
        connect_timeout: CONNECT_TIMEOUT,
        timeout: TIMEOUT,
        body_bytes_max: ANSWER_BYTES_MAX,
    };
    let answer = ops.world.send(request).await.map_err(|error| error.to_string())?;
    let status = answer.status.as_u16();
    let body = secret.map_or(answer.body.clone(), |token| redact::secret(answer.body, token.secret.expose()));
    if answer.status.is_success() {
        return Ok((status, None));
    }
    let words = failure_message(&body);
    let limited = provider.trouble(&words).reset_time().is_some();
    Ok((status, (!limited).then(|| format!("{status}: {words}"))))
}

#[cfg(test)]
mod tests;
