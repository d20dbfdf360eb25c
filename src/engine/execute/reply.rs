//! The reply to a call: what it says about the batch, and its raw log.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::StatusCode;

use super::queue::Batch;
use super::run_context::RunContext;
use crate::base::ports::{InboundResponse, TransportError, millis};
use crate::catalogue::{Provider, Ticker, Trouble};
use crate::engine::Engine;
use crate::firestore::Write;
use crate::google::{Token, TokenError};
use crate::intake::answer::{Intake, take_in};
use crate::intake::blame;
use crate::intake::call_log::log_id;
use crate::intake::envelope::{Envelope, check_values, failure_message};
use crate::intake::kind::Kind;
use crate::intake::raw_log::RawLog;
use crate::intake::record::{Asked, Context};
use crate::resilience::class::Class;
use crate::resilience::retry_after;

/// The message for operators about a redirect.
const REDIRECT: &str = "redirects are not followed";

/// The result of a call.
pub(super) struct Reply {
    /// Number of the call within the attempt, from 1.
    pub number: u64,
    pub batch: Batch,
    pub requested_at: DateTime<Utc>,
    pub latency: Duration,
    /// When the response arrived.
    pub received_at: DateTime<Utc>,
    /// The ID token it carried.
    pub token: Option<Arc<Token>>,
    pub answer: Result<InboundResponse, CallError>,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("cannot get an ID token: {0}")]
    Token(TokenError),
    #[error(transparent)]
    Transport(TransportError),
}

impl CallError {
    fn class(&self) -> Class {
        match self {
            Self::Token(TokenError::Refused(_)) => Class::Unauthorized,
            Self::Token(TokenError::Endpoint(_)) => Class::Token,
            Self::Transport(error) => Class::of_transport(error),
        }
    }

    /// The part of the response that arrived before the failure.
    fn partial(&self) -> Option<&InboundResponse> {
        match self {
            Self::Token(_) => None,
            Self::Transport(error) => error.partial(),
        }
    }
}

/// A failed call.
#[derive(Debug)]
pub(super) struct Fault {
    pub class: Class,
    pub message: String,
    pub retry_after: Option<Duration>,
    /// Tickers that a refusal names.
    pub named: Vec<Ticker>,
}

impl Fault {
    pub(super) fn new(class: Class, message: String) -> Self {
        Self { class, message, retry_after: None, named: Vec::new() }
    }
}

impl Reply {
    /// What the response says about the batch.
    pub(super) fn read(&self, engine: &Engine, run: &RunContext) -> Result<Intake, Fault> {
        let answer = self.answer.as_ref().map_err(|error| Fault::new(error.class(), error.to_string()))?;
        if let Some(class) = Class::of_status(answer.status) {
            let redirect = answer.status.is_redirection();
            let message = if redirect { REDIRECT.to_owned() } else { failure_message(&answer.body) };
            // An upstream limit can come with any status; the message identifies it.
            let limited = run.provider().trouble(&message).reset_time().is_some();
            let class = if limited { Class::RateLimited } else { class };
            let named = if class == Class::BadBatch {
                blame::named(&answer.body, &self.batch.tickers)
            } else {
                Vec::new()
            };
            return Err(Fault {
                class,
                message: format!("{}: {message}", answer.status.as_u16()),
                retry_after: retry_after::parse(&answer.headers, self.received_at),
                named,
            });
        }
        let malformed = |message: String| match run.provider().trouble(&message).reset_time() {
            Some(_) => Fault::new(Class::RateLimited, message),
            None => Fault::new(Class::Malformed, message),
        };
        // Half the tickers mean half the response.
        let too_much = |message| Fault::new(Class::BadBatch, message);
        check_values(&answer.body).map_err(too_much)?;
        let envelope = Envelope::parse(&answer.body).map_err(malformed)?;
        let context = Context {
            collections: &engine.settings.collections,
            source: run.provider().name(),
            run_id: &run.run_id,
            now: self.received_at,
            calendar: &engine.settings.ticks.calendar,
            tick: run.tick,
            asked: Asked {
                since: run.since.filter(|_| self.batch.window.is_none()),
                is_enlarged: self.batch.enlarged,
                parts: &self.batch.parts,
                outdated: &self.batch.outdated,
                window: run.window(self.batch.endpoint, self.batch.window),
            },
        };
        // The catalogue has every endpoint of the run's job.
        let Some(dataset) = run.dataset(self.batch.endpoint) else {
            return Err(malformed("endpoint does not belong to the job".to_owned()));
        };
        let intake = take_in(&envelope, dataset, &self.batch.tickers, &context).map_err(too_much)?;
        // If there is no ticker that could have failed, a message without a record is the failure of the call.
        let class = |message: &String| class_of_message(run.provider(), message);
        let limited = intake.remarks.iter().find(|message| class(message) == Class::RateLimited);
        match limited.or(intake.remarks.first()) {
            Some(message) if self.batch.tickers.is_empty() && intake.is_empty() => {
                Err(Fault::new(class(message), message.clone()))
            }
            _ => Ok(intake),
        }
    }

    /// The documents of the call's raw log.
    pub(super) fn raw_log(
        &self,
        engine: &Engine,
        run: &RunContext,
        read: &Result<Intake, Fault>,
    ) -> Vec<(Kind, Write)> {
        let (succeeded, failed): (Vec<Ticker>, Vec<Ticker>) = match read {
            Ok(intake) => (
                intake.answered().cloned().collect(),
                intake.failed.iter().map(|(ticker, _)| ticker.clone()).collect(),
            ),
            Err(_) => (Vec::new(), self.batch.tickers.clone()),
        };
        let (status, body) = self.arrived();
        RawLog {
            log_id: &log_id(&run.run_id, run.run_attempt, self.number),
            run_id: &run.run_id,
            job: run.job,
            scope: run.scope,
            url: &format!("{}{}", engine.settings.provider(run.provider()).base_url, self.batch.endpoint),
            endpoint: self.batch.endpoint,
            api_name: run
                .dataset(self.batch.endpoint)
                .map_or(self.batch.endpoint, |dataset| dataset.api_name),
            run_time: &run.run_time,
            larger: run.larger(&self.batch),
            asked: &self.batch.tickers,
            window: run.window(self.batch.endpoint, self.batch.window),
            succeeded: &succeeded,
            failed: &failed,
            has_data: read.as_ref().is_ok_and(|intake| !intake.records.is_empty()),
            requested_at: self.requested_at,
            latency_ms: self.latency_ms(),
            status,
            body: &body,
            error: read.as_ref().err().map(|fault| fault.message.as_str()),
            attempt: self.batch.attempt,
            is_check: self.batch.is_control(),
            now: self.received_at,
            retention: engine.settings.run.raw_log_retention,
        }
        .writes(&engine.settings.collections.raw_logs)
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

/// The class of a failure, judged by its message alone.
fn class_of_message(provider: Provider, message: &str) -> Class {
    match provider.trouble(message) {
        Trouble::Limited(_) | Trouble::Nothing(_) => Class::RateLimited,
        Trouble::Permanent => Class::BadBatch,
        Trouble::Transient | Trouble::Unknown => Class::Unavailable,
    }
}
