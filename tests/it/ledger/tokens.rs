//! Without a token for calls, the failure is the token endpoint's, not the provider's.

use chrono::TimeDelta;
use orchestrator::catalogue::Provider;
use orchestrator::resilience::breaker::Admission;
use serde_json::json;

use super::world::{Way, play, reported, tick};

#[test]
fn an_outage_of_the_token_endpoint_is_not_a_failure_of_the_provider() {
    const DOWN_FOR: usize = 200;
    let script =
        |method: &str, asked| if method == "identity" && asked < DOWN_FOR { Way::Lost } else { Way::Usual };
    play(script, |world| async move {
        let app = world.instance_with(TimeDelta::zero(), |name| match name {
            "provider_auth" => Some("id_token"),
            "batch_size_tiingo" => Some("1"),
            _ => None,
        });
        world.seed(&app, 30);
        let mut attempts = 0;
        let report = loop {
            attempts += 1;
            let (_, report, status) = reported(app.engine.run(tick(&app)).await);
            let tiingo = Provider::parse("tiingo").expect("known");
            assert_eq!(app.engine.breakers.admit(tiingo, "/fetch"), Admission::Pass, "{report:#}");
            assert_eq!(report["data"]["tickers_failed"], json!([]), "no ticker is the cause");
            if status == 200 {
                break report;
            }
            assert_eq!(world.asked("call"), 0);
            assert!(attempts < 100, "{report:#}");
        };
        assert!(attempts > 1, "the outage lasts longer than a request");
        assert_eq!(report["data"]["tickers_processed"], 30);
    });
}
