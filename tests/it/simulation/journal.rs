//! What has happened in a world, recorded independently of the component.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use orchestrator::base::ports::{InboundResponse, TransportError};

use super::instance::Answered;
use super::provider::Fetch;
use crate::world::executor::{Owner, TaskId};

/// The records of one world.
#[derive(Default)]
pub(super) struct Journal {
    story: Vec<String>,
    pub(super) violations: Vec<String>,
    owners: Owner,
    pub(super) calls: Vec<Call>,
    pub(super) alarms: super::alarms::Record,
    pub(super) requests: BTreeMap<TaskId, Handled>,
    /// The owner of each ledger entry, by path.
    pub(super) ledger: BTreeMap<String, super::ledger_watch::View>,
    /// Runs that somebody has asked to resume.
    pub(super) resumed: BTreeSet<String>,
    /// Runs that were skipped because their job was paused.
    pub(super) paused: BTreeSet<String>,
    /// The records as they were last written, by path.
    pub(super) records: BTreeMap<String, sim::firestore::memory::Fields>,
    pub(super) holds: super::order_watch::Holds,
    /// Attempts that should have stopped by now, by path.
    pub(super) overdue: BTreeMap<String, u32>,
    /// What each instance knows of a provider's breaker.
    pub(super) breakers: BTreeMap<(Owner, String), super::breaker_watch::Known>,
}

/// One provider call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// The request that made it.
    pub(super) request: TaskId,
    pub(super) begun_at: DateTime<Utc>,
    pub(super) fetch: Fetch,
    /// Whether the instance has stopped waiting for it.
    pub(super) is_dropped: bool,
    /// None until the instance has seen its end.
    pub(super) end: Option<End>,
}

/// How a call ended, as its caller saw it.
#[derive(Clone, Debug)]
pub(super) struct End {
    /// None if there was no response.
    pub(super) status: Option<u16>,
    pub(super) body: Bytes,
}

/// A request that an instance took.
#[derive(Clone, Debug)]
pub(super) struct Handled {
    pub(super) owner: Owner,
    pub(super) ending: Option<Ending>,
}

/// How a request ended.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    Answered(Answered),
    /// The caller hung up, and that ended it.
    Abandoned,
    /// The instance died.
    Died,
}

impl Journal {
    pub(super) fn tell(&mut self, now: Duration, what: &str) {
        self.story.push(format!("{:>12.6} {what}", now.as_secs_f64()));
    }

    pub(super) fn accuse(&mut self, now: Duration, what: &str) {
        self.tell(now, &format!("VIOLATION {what}"));
        self.violations.push(what.to_owned());
    }

    /// What happened, one line per event.
    pub(super) fn story(&self) -> &[String] {
        &self.story
    }

    pub(super) fn next_owner(&mut self) -> Owner {
        self.owners += 1;
        self.owners
    }

    pub(super) fn begin_call(&mut self, request: TaskId, fetch: &Fetch, begun_at: DateTime<Utc>) -> usize {
        self.calls.push(Call { request, begun_at, fetch: fetch.clone(), is_dropped: false, end: None });
        self.calls.len() - 1
    }

    pub(super) fn end_call(&mut self, call: usize, answer: &Result<InboundResponse, TransportError>) {
        let arrived = match answer {
            Ok(answer) => Some(answer),
            Err(error) => error.partial(),
        };
        self.calls[call].end = Some(End {
            status: arrived.map(|answer| answer.status.as_u16()),
            body: arrived.map(|answer| answer.body.clone()).unwrap_or_default(),
        });
    }

    /// The instance has cancelled a call.
    pub(super) fn drop_call(&mut self, call: usize) {
        self.calls[call].is_dropped = true;
    }

    pub(super) fn begin_request(&mut self, task: TaskId, owner: Owner) {
        self.requests.insert(task, Handled { owner, ending: None });
    }

    pub(super) fn end_request(&mut self, task: TaskId, answered: &Answered) {
        self.close_request(task, Ending::Answered(answered.clone()));
    }

    pub(super) fn abandon_request(&mut self, task: TaskId) {
        self.close_request(task, Ending::Abandoned);
    }

    /// Closes everything that an instance was working on when it died.
    pub(super) fn bury(&mut self, owner: Owner) {
        let open = self.requests.values_mut().filter(|request| request.owner == owner);
        for request in open.filter(|request| request.ending.is_none()) {
            request.ending = Some(Ending::Died);
        }
    }

    pub(super) fn is_open(&self, task: TaskId) -> bool {
        self.requests.get(&task).is_some_and(|request| request.ending.is_none())
    }

    pub(super) fn has_open_requests(&self) -> bool {
        !self.open_requests().is_empty()
    }

    /// Requests that have not ended, with their owners.
    pub(super) fn open_requests(&self) -> Vec<(TaskId, Owner)> {
        let open = self.requests.iter().filter(|(_, request)| request.ending.is_none());
        open.map(|(task, request)| (*task, request.owner)).collect()
    }

    fn close_request(&mut self, task: TaskId, ending: Ending) {
        if let Some(request) = self.requests.get_mut(&task).filter(|request| request.ending.is_none()) {
            request.ending = Some(ending);
        }
    }
}
