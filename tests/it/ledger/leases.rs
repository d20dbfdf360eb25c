//! Leases depend only on Firestore's times: a wrong clock of an instance can neither lock a run nor steal it.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use orchestrator::app::App;
use orchestrator::ledger::{Claim, Kept};

use super::world::{LEASE, alone, play, tick, usual};

async fn claim(app: &Arc<App>) -> Claim {
    app.engine
        .ledger
        .claim(tick(app).into_state(app.engine.world.clock.now()), &alone)
        .await
        .expect("Firestore answers")
}

/// An instance with a wrong clock claims a run and dies; another one, whose clock is wrong too, takes it over.
fn check(first: TimeDelta, second: TimeDelta) {
    play(usual, move |world| async move {
        let (first, second) = (world.instance(first), world.instance(second));
        assert!(matches!(claim(&first).await, Claim::Owned(_)));
        let start = world.handle.now();
        for second_of_lease in [1, 30, 59] {
            world.until(start + Duration::from_secs(second_of_lease)).await;
            let Claim::Running { retry_after, .. } = claim(&second).await else { panic!("it is stolen") };
            let left = LEASE.saturating_sub(Duration::from_secs(second_of_lease));
            assert!(retry_after <= left && retry_after + Duration::from_secs(1) > left, "{retry_after:?}");
        }
        world.until(start + LEASE).await;
        let Claim::Owned(owned) = claim(&second).await else { panic!("it is locked") };
        assert_eq!(owned.state.attempt.number, 2);
    });
}

#[test]
fn a_run_of_an_instance_an_hour_ahead_is_free_when_its_lease_has_expired() {
    check(TimeDelta::hours(1), TimeDelta::zero());
}

#[test]
fn an_instance_an_hour_ahead_does_not_steal_a_living_lease() {
    check(TimeDelta::zero(), TimeDelta::hours(1));
}

#[test]
fn an_instance_an_hour_behind_takes_over_exactly_when_the_lease_expires() {
    check(TimeDelta::hours(1), TimeDelta::hours(-1));
    check(TimeDelta::hours(-1), TimeDelta::zero());
}

#[test]
fn a_lease_is_kept_while_other_work_is_done_for_the_run() {
    play(usual, |world| async move {
        let (owner, other) = (world.instance(TimeDelta::zero()), world.instance(TimeDelta::zero()));
        let Claim::Owned(mut owned) = claim(&owner).await else { panic!("there is no other instance") };
        let asks = async {
            for _ in 0..50 {
                world.handle.sleep(Duration::from_secs(10)).await;
                assert!(matches!(claim(&other).await, Claim::Running { .. }));
            }
        };
        let kept = Box::pin(owner.engine.ledger.keeping(&mut owned, asks)).await;
        assert!(matches!(kept, Kept::Done(())));
        assert!(owned.fence.lease_until() > owner.engine.world.clock.instant());
        owner.engine.ledger.checkpoint(owned.fence, owned.state).await.expect("still the owner");
    });
}

#[test]
fn work_for_a_run_ends_when_the_run_is_taken_over() {
    play(usual, |world| async move {
        let (owner, other) = (world.instance(TimeDelta::zero()), world.instance(TimeDelta::zero()));
        let Claim::Owned(mut owned) = claim(&owner).await else { panic!("there is no other instance") };
        world.handle.sleep(LEASE).await;
        assert!(matches!(claim(&other).await, Claim::Owned(_)));
        let kept = owner.engine.ledger.keeping(&mut owned, std::future::pending::<()>()).await;
        // Its lease has expired, and it may not know the new owner yet.
        assert!(matches!(kept, Kept::Lost | Kept::Expired));
    });
}
