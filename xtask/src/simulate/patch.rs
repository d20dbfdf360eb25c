//! The mutants: each is one small, typical mistake.

/// A change at one place in the sources.
pub(super) struct Mutant {
    /// What is broken.
    pub(super) name: &'static str,
    pub(super) file: &'static str,
    /// Must occur exactly once.
    pub(super) old: &'static str,
    pub(super) new: &'static str,
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "a claim does not ask whether the run exists",
        file: "src/ledger/mod.rs",
        old: "let write = self.write(&entry, precondition);",
        new: "let write = Write { precondition: None, ..self.write(&entry, precondition) };",
    },
    Mutant {
        name: "a checkpoint does not ask who owns the run",
        file: "src/ledger/mod.rs",
        old: "vec![self.write(&entry, Precondition::UnchangedSince(fence.update_time))];",
        new: "vec![Write { precondition: None, ..self.write(&entry, Precondition::UnchangedSince(fence.update_time)) }];",
    },
    Mutant {
        name: "a takeover does not wait for the lease",
        file: "src/ledger/verdict.rs",
        old: "Status::Running if lease_left.is_zero() => Verdict::Free,",
        new: "Status::Running if lease_left >= Duration::ZERO => Verdict::Free,",
    },
    Mutant {
        name: "a closing commit whose answer was lost is repeated",
        file: "src/ledger/mod.rs",
        old: "if closing && stored.state.status == status {",
        new: "if closing && stored.state.status == status && stored.owner.is_empty() {",
    },
    Mutant {
        name: "statistics change outside the closing commit",
        file: "src/ledger/mod.rs",
        old: "let others = std::iter::once(statistics).chain(beside.clone()).collect();",
        new: "self.commit(&[statistics]).await?;\n            let others = beside.clone().into_iter().collect();",
    },
    Mutant {
        name: "a request waits for Firestore beyond its deadline",
        file: "src/engine/mod.rs",
        old: "match select(pin!(work), self.world.clock.sleep(deadline)).await {",
        new: "match select(pin!(work), self.world.clock.sleep(deadline * 10)).await {",
    },
    Mutant {
        name: "tickers that an answer reports as failed are forgotten",
        file: "src/engine/execute/delivered.rs",
        old: "self.state.shortfalls.extend(delivery.shortfalls);",
        new: "drop(delivery.shortfalls);",
    },
    Mutant {
        name: "tickers without current data count as stored",
        file: "src/intake/answer.rs",
        old: "intake.lacking.push(Lacking { ticker: ticker.clone(), outcome, reason });",
        new: "drop((outcome, reason));\n            intake.succeeded.push(ticker.clone());",
    },
    Mutant {
        name: "a run that waits for its data is due at once",
        file: "src/ledger/verdict.rs",
        old: "Status::Failed if !wait_left.is_zero() =>",
        new: "Status::Failed if wait_left > Duration::MAX / 2 =>",
    },
    Mutant {
        name: "records of stale tickers that come again count again",
        file: "src/run/publication.rs",
        old: "*count = count.saturating_sub(stale.records);",
        new: "*count = count.saturating_sub(stale.records / u64::MAX);",
    },
    Mutant {
        name: "no run waits for data that is not published",
        file: "src/engine/mod.rs",
        old: "let waits = is_tick && stop.is_none() && fence.cancelled().is_none() && state.replay.is_none();",
        new: "let waits = is_tick && stop.is_some() && fence.cancelled().is_none() && state.replay.is_none();",
    },
    Mutant {
        name: "a batch counts as done before its documents are stored",
        file: "src/engine/execute/backlog.rs",
        old: "calling.chain(self.deliveries.open_work()).chain(queued)",
        new: "calling.chain(queued)",
    },
    Mutant {
        name: "batches that wait for their retry are not pending",
        file: "src/engine/execute/queue.rs",
        old: "self.ready.iter().chain(self.delayed.iter().map(|(_, batch)| batch))",
        new: "self.ready.iter()",
    },
    Mutant {
        name: "writes that failed too often count as settled",
        file: "src/firestore/bulk/response.rs",
        old: "self.settle(item, |outcome, item| outcome.failed.push(item.unwritten(error.to_string())));",
        new: "self.settle(item, |_, _| {});",
    },
    Mutant {
        name: "an open breaker lets calls through",
        file: "src/provider/breakers/mod.rs",
        old: "self.with(provider, |cell| cell.state.endpoint(endpoint).admit(now))",
        new: "self.with(provider, |cell| if cell.state.endpoint(endpoint).admit(now) == Admission::Probe { Admission::Probe } else { Admission::Pass })",
    },
    Mutant {
        name: "the breaker's state is never read again",
        file: "src/engine/execute/upkeep.rs",
        old: "if breakers.is_stale(provider, now, is_waiting) {",
        new: "if is_waiting && breakers.is_stale(provider, now, is_waiting) {",
    },
    Mutant {
        name: "calls that fail have no raw log",
        file: "src/engine/execute/reaction.rs",
        old: "self.push_alone(raw_log);\n                self.on_fault(reply, fault);",
        new: "self.on_fault(reply, fault);",
    },
    Mutant {
        name: "a ticker that fails once alone is bad",
        file: "src/engine/execute/suspects.rs",
        old: "if self.batch.origin != Origin::Recheck {\n            return false;",
        new: "if self.batch.origin != Origin::Recheck {\n            return true;",
    },
    Mutant {
        name: "the search for bad tickers counts as an outage",
        file: "src/engine/execute/lane.rs",
        old: "if is_explained || self.is_held() {",
        new: "if self.is_held() {",
    },
    Mutant {
        name: "a run takes the calls of those before it",
        file: "src/resilience/slots.rs",
        old: "let calls = mine.calls.min(limit.saturating_sub(before));",
        new: "let calls = mine.calls.min(limit.saturating_sub(before).max(1));",
    },
    Mutant {
        name: "a provider's pause holds back no calls",
        file: "src/engine/execute/dispatch.rs",
        old: "            && self.engine.breakers.paused(self.run.provider()).is_zero()\n",
        new: "",
    },
    Mutant {
        name: "a ticker without data is bad even if others have none either",
        file: "src/engine/execute/complaints.rs",
        old: "Trouble::Nothing(window) => sorted.nothing.add_limited(ticker, reason, window),",
        new: "Trouble::Nothing(_) => sorted.failed.push((ticker, reason)),",
    },
    Mutant {
        name: "work counts as done before the coverage says so",
        file: "src/engine/execute/delivered.rs",
        old: "self.backlog.deliveries.cover(delivery);",
        new: "self.settle(delivery);",
    },
    Mutant {
        name: "a message that was not taken counts as told",
        file: "src/notify/alert.rs",
        old: "                        *latest = Some(error.clone());",
        new: "                        drop((latest, error));\n                        change.pending.retain(|(pending, _)| pending != target);",
    },
    Mutant {
        name: "whoever changes an alert last wins",
        file: "src/notify/document.rs",
        old: "Write { times, ..Write::overwrite(path, stored).only_if(precondition) }",
        new: "drop(precondition);\n    Write { times, ..Write::overwrite(path, stored) }",
    },
    Mutant {
        name: "the owner of a run ignores an order to stop it",
        file: "src/engine/execute/upkeep.rs",
        old: "if stops || !self.lease.is_cancelled() {",
        new: "if stops || self.calls.len() < 1_000 || !self.lease.is_cancelled() {",
    },
    Mutant {
        name: "a cancelled run is taken up for its tick",
        file: "src/ledger/verdict.rs",
        old: "Status::Skipped | Status::Cancelled if digest.is_none() => Verdict::Free,",
        new: "Status::Skipped if digest.is_none() => Verdict::Free,\n        Status::Cancelled => Verdict::Free,",
    },
    Mutant {
        name: "ticks of a paused job are run",
        file: "src/engine/prepare.rs",
        old: "Ok(Some(pause)) if is_first || pause.window.since <= created_at => {",
        new: "Ok(Some(pause)) if !is_first && pause.window.since <= created_at => {",
    },
    Mutant {
        name: "whoever writes the coverage last wins",
        file: "src/ledger/coverage/save.rs",
        old: "Write::overwrite(self.document(*day), fields).only_if(precondition);",
        new: "Write { precondition: None, ..Write::overwrite(self.document(*day), fields).only_if(precondition) };",
    },
    Mutant {
        name: "a later write of a document overtakes one that is retried",
        file: "src/firestore/bulk/response.rs",
        old: "                self.delayed.push((self.world.clock.instant() + delay, item));",
        new: "                item.is_begun = !self.busy.remove(&item.write.document);\n                self.delayed.push((self.world.clock.instant() + delay, item));",
    },
    Mutant {
        name: "the renewal of a place waits longer than the place lasts",
        file: "src/provider/breakers/mod.rs",
        old: "let (firestore, cells) = (firestore.with_timeout(lease / 3), Mutex::default());",
        new: "let (firestore, cells) = (firestore.clone(), Mutex::default());",
    },
    Mutant {
        name: "what a record said is overwritten",
        file: "src/intake/revision.rs",
        old: "Verdict::Revise { before, write: write.with_field(REVISION_FIELD, &number) }",
        new: "drop(before);\n                Verdict::Write(write.with_field(REVISION_FIELD, &number))",
    },
    Mutant {
        name: "what says nothing new is written",
        file: "src/intake/revision.rs",
        old: "if is_marked_alike && !self.rules.is_forced {",
        new: "if is_marked_alike && self.rules.is_forced {",
    },
    Mutant {
        name: "a revision is written after its record",
        file: "src/firestore/bulk.rs",
        old: "self.before.as_ref().unwrap_or(&self.write)",
        new: "self.before.as_ref().filter(|_| self.attempt > 1).unwrap_or(&self.write)",
    },
    Mutant {
        name: "a replay overwrites what is newer",
        file: "src/intake/replayed.rs",
        old: "if stored != own => stored > own,",
        new: "if stored != own => stored < own,",
    },
    Mutant {
        name: "a replay leaves out the last answer of a run",
        file: "src/intake/call_log.rs",
        old: "    answers.sort_unstable_by_key(|answer| answer.order);",
        new: "    answers.sort_unstable_by_key(|answer| answer.order);\n    answers.pop();",
    },
];
