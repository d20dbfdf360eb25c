//! What the loop does about an event.

use super::call::{Called, Fault};
use super::queue::Batch;
use super::storing::Group;
use super::{Execution, Turn};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::stop::Stop;
use crate::firestore::{FirestoreError, Write};
use crate::google::Token;
use crate::job::Ticker;
use crate::ledger::{Fence, SaveError};
use crate::persist::rejected::{self, Origin};
use crate::ports::{Instant, millis};
use crate::provider::answer::Harvest;
use crate::resilience::class::Class;
use crate::resilience::retry::{Decision, Failure as Failed, decide};
use crate::run::Failure;
use crate::run::counts::CALL_BOUNDS_MS;

/// Attempts of a run in which a single ticker may be put off.
const TRIES_MAX: u32 = 5;

/// Calls that a half of a batch may have when the whole one was tried often enough already.
const SPLIT_ATTEMPTS_MAX: u32 = 2;

impl Execution<'_> {
    pub(super) fn on_called(&mut self, called: Called) {
        self.calling.retain(|(number, _)| *number != called.number);
        let read = called.read(self.app, &self.run);
        self.log_call(&called, &read);
        self.count_call(&called, &read);
        let probed = self.probing;
        self.tell_breaker(&called, &read);
        let raw_log = called.raw_log(self.app, &self.run, &read);
        match read {
            Ok(harvest) => {
                self.answered += 1;
                self.store(called, harvest, raw_log);
            }
            Err(fault) => {
                let group = self.storing.open(Group::default());
                self.push(group, &raw_log);
                self.on_fault(called.batch, called.token, fault, probed);
            }
        }
    }

    fn count_call(&mut self, called: &Called, read: &Result<Harvest, Fault>) {
        let counts = &mut self.state.counts;
        *counts.classes.entry(class_name(read).to_owned()).or_default() += 1;
        counts.latency.observe(CALL_BOUNDS_MS, called.latency_ms());
        // Without a token nothing went out: it says nothing of the provider.
        if read.as_ref().is_err_and(|fault| fault.class == Class::Token) {
            return;
        }
        let error = read.as_ref().err().map(|fault| fault.words.as_str());
        self.app.connections.ended(self.run.provider(), error, self.app.world.clock.now());
    }

    fn log_call(&self, called: &Called, read: &Result<Harvest, Fault>) {
        let (run, batch) = (&self.run, &called.batch);
        let words = read.as_ref().err().map_or("", |fault| fault.words.as_str());
        tracing::debug!(
            provider.name = run.provider().name(),
            provider.endpoint = batch.endpoint,
            call.number = called.number,
            call.attempt = batch.attempt,
            call.tickers = batch.tickers.len(),
            call.class = class_name(read),
            duration_ms = called.latency_ms(),
            words,
            "provider call"
        );
    }

    /// Sends an answer's documents on their way.
    fn store(&mut self, called: Called, harvest: Harvest, raw_log: Vec<Write>) {
        for remark in harvest.remarks {
            self.state.remark(remark);
        }
        let mut writes = raw_log;
        let origin = self.origin();
        writes.extend(harvest.rejected.iter().flat_map(|rejected| rejected::writes(rejected, &origin)));
        let mut rejected = BTreeMap::new();
        if !harvest.rejected.is_empty() {
            let count = u64::try_from(harvest.rejected.len()).unwrap_or(u64::MAX);
            rejected.insert(called.collection(self.app, &self.run).to_owned(), count);
        }
        writes.extend(harvest.records);
        let work = Some(called.batch.into_work(None));
        let group = self.storing.open(Group { work, failed: harvest.failed, rejected, ..Group::default() });
        self.push(group, &writes);
    }

    /// Where rejected records of this run come from.
    pub(super) fn origin(&self) -> Origin<'_> {
        Origin {
            collection: &self.app.config.collections.rejected,
            job: self.run.job,
            run_id: &self.run.run_id,
            now: self.app.world.clock.now(),
        }
    }

    pub(super) fn push(&mut self, group: u64, writes: &[Write]) {
        let database = self.app.firestore.database();
        self.writer.push(group, writes.iter().map(|write| write.encode(database)).collect());
    }

    fn on_fault(&mut self, batch: Batch, token: Option<Arc<Token>>, fault: Fault, probed: bool) {
        let now = self.app.world.clock.instant();
        if self.stop.is_some() {
            return self.put_off.push(batch.into_work(Some(fault.words)));
        }
        if probed && fault.class.is_provider_failure() {
            return self.postpone(batch, fault);
        }
        let failure = Failed {
            class: fault.class,
            attempt: batch.attempt,
            attempts_max: batch.attempts_max,
            tickers: batch.tickers.len(),
            retry_after: fault.retry_after,
            provider_answers_others: self.answered
                > batch.whole_answered_before.unwrap_or(batch.answered_before),
            is_proven: batch.suspect && self.answered > batch.answered_before,
            may_split: self.queue.may_split(),
            jitter: self.app.world.entropy.next_u64(),
        };
        let decision = decide(&failure, &self.app.config.call.backoff);
        match decision {
            Decision::Retry { after, pause } => {
                if pause {
                    self.app.breakers.pause(self.run.provider(), now + after);
                }
                let waits = &mut self.state.resources.waits_ms;
                *(if pause { &mut waits.limit } else { &mut waits.retry }) += millis(after);
                self.queue.retry(batch, now + after);
            }
            Decision::Split => {
                let exhausted = batch.attempt >= batch.attempts_max.min(SPLIT_ATTEMPTS_MAX);
                let attempts_max =
                    if exhausted { SPLIT_ATTEMPTS_MAX.min(batch.attempts_max) } else { batch.attempts_max };
                self.queue.split(batch, attempts_max, self.app.config.call.max_attempts);
            }
            Decision::Fail => self.fail(&batch.tickers, batch.endpoint, &fault),
            Decision::Postpone => self.postpone(batch, fault),
            Decision::Stop if token.is_some_and(|token| self.renews(token)) => self.queue.retry(batch, now),
            Decision::Stop => {
                self.stop = Some(Stop::Unauthorized { words: fault.words.clone() });
                self.put_off.push(batch.into_work(Some(fault.words)));
            }
        }
    }

    /// Whether a call whose ID token was not accepted is worth another try: the token may have lost its worth
    /// early, so a new one is asked for once in an attempt. Calls that went out beside the first refused one
    /// carry the same token.
    fn renews(&mut self, token: Arc<Token>) -> bool {
        match &self.refused_token {
            Some(refused) => Arc::ptr_eq(refused, &token),
            None => {
                let audience = &self.app.config.provider(self.run.provider()).base_url;
                self.app.google.reject_identity(audience, &token);
                self.refused_token = Some(token);
                true
            }
        }
    }

    /// Leaves a batch to the next attempt. A single ticker on which the provider has failed in attempt
    /// after attempt of a run that it answered otherwise has failed for good.
    fn postpone(&mut self, mut batch: Batch, fault: Fault) {
        // A call that did not go out says nothing of its tickers.
        batch.tries += u32::from(fault.class != Class::Token);
        // A ticker that was refused proves as well that the provider is up.
        let answers = self.state.counts.batches > 0 || !self.state.failed.is_empty();
        if answers
            && batch.tickers.len() == 1
            && batch.tries >= TRIES_MAX
            && !matches!(fault.class, Class::RateLimited | Class::Token)
        {
            self.fail(&batch.tickers, batch.endpoint, &fault);
        } else {
            self.put_off.push(batch.into_work(Some(fault.words)));
        }
    }

    fn fail(&mut self, tickers: &[Ticker], endpoint: &str, fault: &Fault) {
        let failure = |ticker| Failure {
            ticker,
            endpoint: endpoint.to_owned(),
            class: Some(fault.class),
            reason: fault.words.clone(),
        };
        if tickers.is_empty() {
            self.state.failed.push(failure(None));
        }
        self.state.failed.extend(tickers.iter().cloned().map(|ticker| failure(Some(ticker))));
        self.changed = true;
    }

    /// Notes how a call ended and changes the breaker's position where that is due.
    fn tell_breaker(&mut self, called: &Called, read: &Result<Harvest, Fault>) {
        if read.as_ref().is_err_and(|fault| fault.class == Class::Token) {
            // Nothing is learnt of the provider; a probe stays claimed until its time is up.
            self.probing = false;
            return;
        }
        let provider = self.run.provider();
        let fault = read.as_ref().err().filter(|fault| fault.class.is_provider_failure());
        // While the provider answers others, a piece of a failed batch fails by itself: counted, the search
        // for one poisonous ticker would close the provider to all jobs.
        let counts = fault.is_none() || !called.batch.suspect || self.answered == 0;
        let opens = counts && self.app.breakers.record(provider, fault.is_some());
        let breakers = self.app.breakers.clone();
        match fault {
            Some(fault) if opens || self.probing => {
                let reason = format!("{}: {}", fault.class.name(), fault.words);
                self.breaker_turn = Some(Box::pin(async move {
                    breakers.open(provider, &reason).await?;
                    Ok(Turn::Opened)
                }));
            }
            None if self.probing => {
                self.breaker_turn = Some(Box::pin(async move {
                    breakers.close(provider).await?;
                    Ok(Turn::Closed)
                }));
            }
            _ => {}
        }
        self.probing = false;
    }

    pub(super) fn on_breaker_turned(&mut self, turned: Result<Turn, FirestoreError>) {
        self.breaker_turn = None;
        match turned {
            Ok(Turn::Probe(won)) => self.probing = won,
            Ok(Turn::Refreshed | Turn::Opened | Turn::Closed) => {}
            Err(error) => {
                let provider = self.run.provider();
                tracing::warn!(provider.name = provider.name(), %error, "the breaker's shared state is out of reach");
            }
        }
    }

    pub(super) fn on_saved(&mut self, started: Instant, saved: Result<Fence, SaveError>) {
        self.saving = None;
        match saved {
            Ok(fence) => {
                self.fence = fence;
                self.lease_until = started + self.app.config.run.lease;
            }
            Err(SaveError::Lost) => self.stop = Some(Stop::Lost),
            // Tried again with the next checkpoint; the lease says how long that may go on.
            Err(SaveError::Firestore(error)) => {
                tracing::warn!(run.id = self.run.run_id, %error, "the checkpoint could not be written");
                self.changed = true;
            }
        }
    }
}

/// How a call ended, as metrics and the log name it.
fn class_name(read: &Result<Harvest, Fault>) -> &'static str {
    read.as_ref().err().map_or("ok", |fault| fault.class.name())
}
