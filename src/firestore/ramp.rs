//! The 500/50/5 rule: new collections take 500 writes a second at first, then 50 % more every five minutes
//! (<https://firebase.google.com/docs/firestore/best-practices#ramping_up_traffic>).

use std::time::Duration;

use crate::base::ports::Instant;
use crate::firestore::settings::RampConfig;

/// Spreads writes over time.
#[derive(Clone, Debug)]
pub struct Ramp {
    config: RampConfig,
    start: Option<Instant>,
    next_free: Option<Instant>,
}

/// Steps after which the rate is no longer a limit: 500 · 1.5^20 is over a million writes a second.
const STEPS_MAX: u32 = 20;

impl Ramp {
    pub fn new(config: RampConfig) -> Self {
        Self { config, start: None, next_free: None }
    }

    /// Time to wait before anything may be written.
    pub fn wait(&self, now: Instant) -> Duration {
        self.next_free.map_or(Duration::ZERO, |next_free| next_free.since(now))
    }

    /// Records that `writes` are sent now.
    pub fn spend(&mut self, writes: usize, now: Instant) {
        let start = *self.start.get_or_insert(now);
        let steps = now.since(start).as_secs() / self.config.step.as_secs().max(1);
        let steps = u32::try_from(steps).unwrap_or(STEPS_MAX).min(STEPS_MAX);
        let per_second = f64::from(self.config.writes_per_second) * 1.5f64.powi(steps.cast_signed());
        let cost = f64::from(u32::try_from(writes).unwrap_or(u32::MAX)) / per_second;
        let free = self.next_free.filter(|next_free| *next_free > now).unwrap_or(now);
        self.next_free = Some(free + Duration::from_secs_f64(cost));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    fn ramp() -> Ramp {
        Ramp::new(RampConfig { writes_per_second: 500, step: Duration::from_secs(300) })
    }

    #[test]
    fn five_hundred_writes_take_the_first_second() {
        let mut ramp = ramp();
        assert_eq!(ramp.wait(at(0)), Duration::ZERO);
        ramp.spend(500, at(0));
        assert_eq!(ramp.wait(at(0)), Duration::from_secs(1));
        assert_eq!(ramp.wait(at(2)), Duration::ZERO, "idle time is not saved up");
    }

    #[test]
    fn the_rate_grows_by_half_every_five_minutes() {
        let mut ramp = ramp();
        ramp.spend(1, at(0));
        ramp.spend(750, at(300));
        assert_eq!(ramp.wait(at(300)), Duration::from_secs(1));
        ramp.spend(1125, at(601));
        assert_eq!(ramp.wait(at(601)), Duration::from_secs(1));
    }
}
