//! How long a small run waits for others: for responses, one after the other, and for its turn to call.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join;
use orchestrator::app::App;
use orchestrator::run::Trigger;

use super::world::{Way, World, play, reported, tick, tick_at, usual};

/// Every request of this world takes a millisecond, so a run's time tells how many follow one another.
#[test]
fn a_run_of_one_batch_takes_six_round_trips_and_one_to_compare() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 50);
        let took = async |tick: Trigger| {
            let start = world.handle.now();
            let (_, report, status) = reported(app.engine.run(tick).await);
            assert_eq!(status, 200, "{report:#}");
            (world.handle.now() - start).as_millis()
        };
        assert_eq!(took(tick_at(&app, "2026-11-20T23:00:00Z")).await, 7);
        assert_eq!(took(tick(&app)).await, 6, "of a session whose coverage is known already");
    });
}

fn one_call_at_once(name: &str) -> Option<&'static str> {
    (name == "max_concurrency_tiingo").then_some("1")
}

fn stores_slowly(method: &str, _: usize) -> Way {
    if method == "batchWrite" { Way::Slow(Duration::from_secs(5)) } else { Way::Usual }
}

/// A run that begins `late`.
async fn begin(world: &World, app: &Arc<App>, tick: &'static str, late: Duration) {
    world.handle.sleep(late).await;
    let (_, report, status) = reported(app.engine.run(tick_at(app, tick)).await);
    assert_eq!(status, 200, "{report:#}");
}

#[test]
fn a_run_makes_room_in_its_instance_as_soon_as_it_has_called() {
    play(stores_slowly, |world| async move {
        let app = world.instance_with(TimeDelta::zero(), one_call_at_once);
        world.seed(&app, 3);
        let first = begin(&world, &app, "2026-11-20T23:00:00Z", Duration::ZERO);
        let second = begin(&world, &app, "2026-11-20T23:05:00Z", Duration::from_millis(1));
        let look = async {
            world.handle.sleep(Duration::from_secs(1)).await;
            assert_eq!(world.asked("call"), 2, "the documents of the first are not stored yet");
        };
        Box::pin(join(join(first, second), look)).await;
    });
}

#[test]
fn a_run_makes_room_for_other_instances_as_soon_as_it_has_called() {
    play(stores_slowly, |world| async move {
        let apps = [(); 3].map(|()| world.instance_with(TimeDelta::zero(), one_call_at_once));
        world.seed(&apps[0], 3);
        let first = begin(&world, &apps[0], "2026-11-20T23:00:00Z", Duration::ZERO);
        let second = begin(&world, &apps[1], "2026-11-20T23:05:00Z", Duration::from_millis(1));
        let third = begin(&world, &apps[2], "2026-11-20T23:10:00Z", Duration::from_millis(2));
        let look = async {
            // The first did not know that anybody waits, so the second has waited for its end.
            world.handle.sleep(Duration::from_secs(8)).await;
            assert_eq!(world.asked("call"), 3, "the documents of the second are not stored yet");
        };
        Box::pin(join(join(first, join(second, third)), look)).await;
    });
}
