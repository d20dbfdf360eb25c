//! Which of a provider's scripted faults apply to a request.

use super::faults::{Effect, Fault};
use crate::dice::Dice;

/// A provider's script and how often each fault has matched.
#[derive(Debug, Default)]
pub(super) struct Script(Vec<Scripted>);

#[derive(Debug)]
struct Scripted {
    fault: Fault,
    seen: u64,
    struck: u64,
}

impl Script {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(Scripted { fault, seen: 0, struck: 0 });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The effects on this request, in script order.
    pub(super) fn draw(&mut self, path: &str, tickers: &[String]) -> Vec<Effect> {
        let mut effects: Vec<Effect> = Vec::new();
        for (place, scripted) in self.0.iter_mut().enumerate() {
            let superseded = scripted.fault.effect.is_final() && effects.iter().any(Effect::is_final);
            if !superseded && scripted.fault.concerns(path, tickers) && scripted.strikes(place) {
                effects.push(scripted.fault.effect.clone());
            }
        }
        effects
    }
}

impl Scripted {
    fn strikes(&mut self, place: usize) -> bool {
        self.seen += 1;
        let throw = Dice::new(self.seen, &["fault", &place.to_string()]).between(1, 10_000);
        let strikes = self.seen > self.fault.after
            && self.fault.times.is_none_or(|times| self.struck < times)
            && f64::from(throw) <= self.fault.probability * 10_000.0;
        self.struck += u64::from(strikes);
        strikes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(faults: impl IntoIterator<Item = Fault>) -> Script {
        let mut script = Script::default();
        faults.into_iter().for_each(|fault| script.add(fault));
        script
    }

    fn codes(script: &mut Script, requests: usize) -> Vec<u16> {
        let code = |effects: Vec<Effect>| match effects.first() {
            Some(Effect::Status { code, .. }) => *code,
            _ => 200,
        };
        (0..requests).map(|_| code(script.draw("/fetch", &["AAPL".to_owned()]))).collect()
    }

    #[test]
    fn final_faults_follow_one_another() {
        let mut script = script([Fault::status(503).times(2), Fault::status(429).times(1)]);
        assert_eq!(codes(&mut script, 4), [503, 503, 429, 200]);
    }

    #[test]
    fn after_skips_the_first_requests() {
        assert_eq!(codes(&mut script([Fault::status(500).after(2).times(1)]), 4), [200, 200, 500, 200]);
    }

    #[test]
    fn conditions_must_all_hold() {
        let mut script = script([Fault::status(400).path("/fetch").ticker("MSFT").min_tickers(2)]);
        let ask = |tickers: &[&str]| tickers.iter().map(|ticker| (*ticker).to_owned()).collect::<Vec<_>>();
        assert!(script.draw("/fetch", &ask(&["MSFT"])).is_empty());
        assert!(script.draw("/fetch", &ask(&["AAPL", "IBM"])).is_empty());
        assert!(script.draw("/fetch/news", &ask(&["AAPL", "MSFT"])).is_empty());
        assert_eq!(script.draw("/fetch", &ask(&["AAPL", "MSFT"])).len(), 1);
    }

    #[test]
    fn probability_applies_to_its_fraction_of_the_requests() {
        let mut script = script([Fault::status(503).probability(0.3)]);
        let struck = codes(&mut script, 1_000).iter().filter(|code| **code == 503).count();
        assert!((250..350).contains(&struck), "{struck}");
    }

    #[test]
    fn health_is_skipped_unless_named() {
        assert!(script([Fault::hang()]).draw("/health", &[]).is_empty());
        assert_eq!(script([Fault::hang().path("/health")]).draw("/health", &[]), [Effect::Hang]);
    }
}
