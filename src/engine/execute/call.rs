//! One provider call: send it, read the response, write its raw log.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::StatusCode;
use http::header::AUTHORIZATION;

use super::queue::{Batch, Origin};
use crate::base::ports::{BoxFuture, InboundResponse, OutboundRequest, TransportError, millis};
use crate::base::redact;
use crate::base::world::World;
use crate::catalogue::{Dataset, Job, Provider, Scope, Ticker, Trouble};
use crate::engine::Engine;
use crate::firestore::Write;
use crate::google::{Token, TokenError};
use crate::intake::answer::{Harvest, harvest};
use crate::intake::blame;
use crate::intake::call_log::log_id;
use crate::intake::envelope::{Envelope, check_values, failure_words};
use crate::intake::kind::Kind;
use crate::intake::raw_log::RawLog;
use crate::intake::record::Context;
use crate::provider::Call;
use crate::resilience::class::Class;
use crate::resilience::retry_after;

/// What operators are told about a redirect.
const REDIRECT: &str = "redirects are not followed";

/// What stays the same for a whole run.
#[derive(Clone, Debug)]
pub(super) struct RunContext {
    pub job: &'static Job,
    pub scope: Scope,
    pub run_id: String,
    pub run_attempt: u32,
    pub run_time: String,
}

impl RunContext {
    pub(super) fn provider(&self) -> Provider {
        self.job.provider
    }
}

/// A finished call.
pub(super) struct Called {
    /// Number of the call within the attempt, from 1.
    pub number: u64,
    pub batch: Batch,
    requested_at: DateTime<Utc>,
    latency: Duration,
    /// The ID token it carried.
    pub token: Option<Arc<Token>>,
    answer: Result<InboundResponse, CallError>,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("cannot get an ID token: {0}")]
    Token(TokenError),
    #[error(transparent)]
    Transport(TransportError),
}

/// A failed call.
#[derive(Debug)]
pub(super) struct Fault {
    pub class: Class,
    pub words: String,
    pub retry_after: Option<Duration>,
    /// Tickers that a refusal names.
    pub named: Vec<Ticker>,
}

impl Fault {
    pub(super) fn new(class: Class, words: String) -> Self {
        Self { class, words, retry_after: None, named: Vec::new() }
    }
}

/// The class of a failure, judged by its message alone.
fn class_of_words(provider: Provider, words: &str) -> Class {
    match provider.trouble(words) {
        Trouble::Limited(_) | Trouble::Nothing(_) => Class::RateLimited,
        Trouble::Permanent => Class::BadBatch,
        Trouble::Transient | Trouble::Unknown => Class::Unavailable,
    }
}

/// Sends the call of a batch.
pub(super) fn send(
    engine: &Engine,
    run: &RunContext,
    number: u64,
    batch: Batch,
) -> BoxFuture<'static, Called> {
    let call = Call {
        job: run.job,
        endpoint: batch.endpoint,
        scope: run.scope,
        tickers: &batch.tickers,
        parts: &batch.parts,
        run_time: &run.run_time,
    };
    let mut request = call.request(engine.settings.provider(run.provider()), &engine.settings.call);
    request.timeout =
        time_limit(engine.settings.call.timeout, &batch, engine.settings.provider(run.provider()).batch_size);
    let (world, google) = (engine.world.clone(), engine.google.clone());
    let audience =
        engine.settings.call.id_token.then(|| engine.settings.provider(run.provider()).base_url.clone());
    let in_flight = engine.activity.started(run.provider());
    Box::pin(async move {
        let _in_flight = in_flight;
        let requested_at = world.clock.now();
        let start = world.clock.instant();
        let token = match &audience {
            Some(audience) => google.identity_token(audience).await.map(Some),
            None => Ok(None),
        };
        let (token, answer) = match token {
            Ok(token) => (token.clone(), exchange(&world, token.as_deref(), request).await),
            Err(error) => (None, Err(CallError::Token(error))),
        };
        Called { number, batch, requested_at, latency: world.clock.instant().since(start), token, answer }
    })
}

/// Timeout of a call. The limit is meant for a whole batch; a piece of a failed batch gets its share, at least a
/// fifth. Otherwise one ticker that the service hangs on would use up the time of the whole run.
fn time_limit(whole: Duration, batch: &Batch, size: usize) -> Duration {
    const SHARE_MIN: u32 = 5;
    if batch.origin == Origin::Planned {
        return whole;
    }
    let tickers = u32::try_from(batch.tickers.len().max(1)).unwrap_or(u32::MAX);
    let size = u32::try_from(size.max(1)).unwrap_or(u32::MAX);
    (whole / size).saturating_mul(tickers).max(whole / SHARE_MIN).min(whole)
}

/// Sends a request within its timeout, with an ID token if the provider requires one. Our token, which a service may
/// echo, and the service's own credentials are redacted here, before anything is read, stored or reported.
async fn exchange(
    world: &World,
    token: Option<&Token>,
    mut request: OutboundRequest,
) -> Result<InboundResponse, CallError> {
    if let Some(token) = token {
        request.headers.insert(AUTHORIZATION, token.header());
    }
    let mut answer = world.send(request).await;
    let arrived = answer.as_mut().map_or_else(TransportError::partial_mut, Some);
    if let Some(arrived) = arrived {
        let body = std::mem::take(&mut arrived.body);
        let ours = token.map_or("", |token| token.secret.expose());
        arrived.body = redact::credentials(redact::secret(body, ours));
    }
    answer.map_err(CallError::Transport)
}

impl CallError {
    fn class(&self) -> Class {
        match self {
            Self::Token(TokenError::Refused(_)) => Class::Unauthorized,
            Self::Token(TokenError::Endpoint(_)) => Class::Token,
            Self::Transport(error) => Class::of_transport(error),
        }
    }

    /// What arrived before the failure.
    fn partial(&self) -> Option<&InboundResponse> {
        match self {
            Self::Token(_) => None,
            Self::Transport(error) => error.partial(),
        }
    }
}

impl Called {
    /// What the response says about the batch.
    pub(super) fn read(&self, engine: &Engine, run: &RunContext) -> Result<Harvest, Fault> {
        let answer = self.answer.as_ref().map_err(|error| Fault::new(error.class(), error.to_string()))?;
        let now = engine.world.clock.now();
        if let Some(class) = Class::of_status(answer.status) {
            let redirect = answer.status.is_redirection();
            let words = if redirect { REDIRECT.to_owned() } else { failure_words(&answer.body) };
            // An upstream limit can come with any status; the message identifies it.
            let limited = matches!(run.provider().trouble(&words), Trouble::Limited(_));
            let class = if limited { Class::RateLimited } else { class };
            let named = if class == Class::BadBatch {
                blame::named(&answer.body, &self.batch.tickers)
            } else {
                Vec::new()
            };
            return Err(Fault {
                class,
                words: format!("{}: {words}", answer.status.as_u16()),
                retry_after: retry_after::parse(&answer.headers, now),
                named,
            });
        }
        let malformed = |words: String| match run.provider().trouble(&words) {
            Trouble::Limited(_) => Fault::new(Class::RateLimited, words),
            _ => Fault::new(Class::Malformed, words),
        };
        // Half the tickers make half the response.
        let too_much = |words| Fault::new(Class::BadBatch, words);
        check_values(&answer.body).map_err(too_much)?;
        let envelope = Envelope::parse(&answer.body).map_err(malformed)?;
        let context = Context {
            collections: &engine.settings.collections,
            source: run.provider().name(),
            run_id: &run.run_id,
            now,
        };
        // The catalogue has every endpoint of the run's job.
        let Some(dataset) = self.dataset(run) else {
            return Err(malformed("endpoint does not belong to the job".to_owned()));
        };
        let harvest = harvest(&envelope, dataset, &self.batch.tickers, &context).map_err(too_much)?;
        // If there is no ticker that could have failed, a message without a record is the failure of the call.
        match harvest.remarks.first() {
            Some(words) if self.batch.tickers.is_empty() && harvest.is_empty() => {
                Err(Fault::new(class_of_words(run.provider(), words), words.clone()))
            }
            _ => Ok(harvest),
        }
    }

    fn dataset(&self, run: &RunContext) -> Option<&'static Dataset> {
        let endpoint = run.job.endpoints.iter().find(|endpoint| endpoint.path == self.batch.endpoint);
        endpoint.map(|endpoint| endpoint.dataset)
    }

    /// The documents of the call's raw log.
    pub(super) fn raw_log(
        &self,
        engine: &Engine,
        run: &RunContext,
        read: &Result<Harvest, Fault>,
    ) -> Vec<(Kind, Write)> {
        let (succeeded, failed): (&[Ticker], Vec<Ticker>) = match read {
            Ok(harvest) => {
                (&harvest.succeeded, harvest.failed.iter().map(|(ticker, _)| ticker.clone()).collect())
            }
            Err(_) => (&[], self.batch.tickers.clone()),
        };
        let (status, body) = self.arrived();
        RawLog {
            log_id: &log_id(&run.run_id, run.run_attempt, self.number),
            run_id: &run.run_id,
            job: run.job,
            scope: run.scope,
            url: &format!("{}{}", engine.settings.provider(run.provider()).base_url, self.batch.endpoint),
            endpoint: self.batch.endpoint,
            api_name: self.dataset(run).map_or(self.batch.endpoint, |dataset| dataset.api_name),
            run_time: &run.run_time,
            asked: &self.batch.tickers,
            succeeded,
            failed: &failed,
            requested_at: self.requested_at,
            latency_ms: self.latency_ms(),
            status,
            body: &body,
            error: read.as_ref().err().map(|fault| fault.words.as_str()),
            attempt: self.batch.attempt,
            now: engine.world.clock.now(),
            retention: engine.settings.run.raw_log_retention,
        }
        .writes(&engine.settings.collections.raw_logs)
    }

    pub(super) fn latency(&self) -> Duration {
        self.latency
    }

    pub(super) fn latency_ms(&self) -> u64 {
        millis(self.latency)
    }

    /// What arrived of the response, even if it was cut off.
    fn arrived(&self) -> (Option<StatusCode>, Bytes) {
        let arrived = match &self.answer {
            Ok(answer) => Some(answer),
            Err(error) => error.partial(),
        };
        arrived.map_or((None, Bytes::new()), |answer| (Some(answer.status), answer.body.clone()))
    }
}
