//! How long a request may take.

use std::time::Duration;

use super::Engine;
use crate::calendar::schedule::Schedule;
use crate::catalogue::Job;
use crate::resilience::deadline::length_of_tick;
use crate::run::Source;

impl Engine {
    /// How long a request that starts now may work on a run of the job. Nothing waits for a run that a person started;
    /// a tick's run must end before the next tick is due.
    pub fn deadline_of(&self, job: &Job, source: Source) -> Duration {
        let limit = self.settings.run.deadline;
        if source != Source::Scheduler {
            return limit;
        }
        let now = self.world.clock.now();
        let next = Schedule::parse(job.schedule).and_then(|schedule| schedule.next_after(now));
        let left = next.and_then(|next| (next - now).to_std().ok());
        left.map_or(limit, |left| length_of_tick(limit, left))
    }
}
