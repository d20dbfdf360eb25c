//! Instances that die while they take in stored answers once more.

use std::time::Duration;

use orchestrator::catalogue;
use orchestrator::engine::replay::Recalling;
use orchestrator::ledger::orders::{Action, Order};

use super::HOUR;
use super::backfill::run;
use super::plan::Plan;
use super::stored::stored;
use super::world::{JOB, Market};
use crate::world::dice::Dice;

/// An instance dies at any step of a replay; the watch finishes it, and everything is as it was.
#[test]
fn a_replay_survives_the_death_of_its_instance_at_any_step() {
    for seed in 0..24 {
        let plan = Plan { tickers: 6, ..Plan::quiet(seed) };
        Market::stage(Dice::new(seed), &plan, move |market| async move {
            let (app, owner) = market.instance();
            let source = run(&app, r#"{"from": "2025-01-02", "to": "2026-03-31"}"#).await;
            let (before, calls) = (stored(&market), market.calls().len());
            market.forget_prices();
            let order = Order {
                what: Action::Replay,
                subject: "all".to_owned(),
                who: "ann".to_owned(),
                why: None,
                details: None,
            };
            let order = app.engine.ledger.order(&order);
            let wanted = || Recalling {
                job: catalogue::find(JOB).expect("a job"),
                runs: vec![source.data.identity.run_id.clone()],
                asked: "all".to_owned(),
            };
            market.handle().kill_after(owner, 5 + seed * 13);
            let (first, again, same) = (wanted(), wanted(), order.clone());
            let replay = async move { drop(app.engine.replay("again".to_owned(), first, order).await) };
            market.handle().spawn(owner, replay);
            market.handle().sleep(HOUR / 4).await;
            let (other, _) = market.instance();
            // It may have died before its claim: then its caller comes again.
            drop(other.engine.replay("again".to_owned(), again, same).await);
            for _ in 0..4 {
                market.handle().sleep(Duration::from_secs(900)).await;
                let (watch, _) = market.instance();
                let start = watch.engine.world.clock.instant();
                watch.engine.watch(start).await.expect("Firestore answers");
            }
            let state = other.engine.ledger.get("again").await.expect("an answer").expect("a run");
            assert_eq!(state.status.name(), "succeeded", "seed {seed}: {state:?}");
            let after: std::collections::BTreeMap<_, _> =
                stored(&market).into_iter().filter(|(key, _)| before.contains_key(key)).collect();
            assert!(after == before, "seed {seed}: not everything is as it was");
            let all = market.calls();
            let filled = all[calls..]
                .iter()
                .filter(|call| call.days.is_some_and(|(from, _)| from.to_string().as_str() < "2026-04-01"));
            assert_eq!(filled.count(), 0, "seed {seed}: the provider was called for it");
        });
    }
}
