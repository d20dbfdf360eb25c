//! Whichever Firestore response is lost, an instance recognises what it has written, and a run counts once.

use std::time::Duration;

use chrono::TimeDelta;
use orchestrator::ledger::Claim;
use orchestrator::ledger::statistics::JobTotals;
use orchestrator::run::Status;

use super::world::{JOB, LEASE, Way, alone, play, reported, tick};

/// Loses the response of one commit only.
fn loses(number: usize) -> impl Fn(&str, usize) -> Way + Send + Sync {
    move |method, asked| if method == "commit" && asked == number { Way::Lost } else { Way::Usual }
}

#[test]
fn a_run_counts_once_whichever_commits_response_is_lost() {
    for lost in 0..4 {
        play(loses(lost), |world| async move {
            let app = world.instance(TimeDelta::zero());
            world.seed(&app, 3);
            let (kind, report, status) = reported(app.engine.run(tick(&app)).await);
            assert_eq!((kind, status), ("ended", 200), "{report:#}");
            assert_eq!(report["data"]["attempt"], 1);
            let (kind, again, _) = reported(app.engine.run(tick(&app)).await);
            assert_eq!(
                (kind, &again["data"]["records_stored"]),
                ("finished", &report["data"]["records_stored"])
            );
            let path = app.engine.ledger.statistics(JOB);
            let stored = app.engine.firestore.get(&path).await.expect("Firestore answers").expect("there");
            assert_eq!(JobTotals::from_document(&stored).statistics.jobs_processed, 1);
        });
    }
}

#[test]
fn a_resumed_run_is_owned_although_the_response_is_lost() {
    // The first commit claims the run, the second one takes it over.
    play(loses(1), |world| async move {
        let app = world.instance(TimeDelta::zero());
        let state = tick(&app).into_state(app.engine.world.clock.now());
        assert!(matches!(app.engine.ledger.claim(state.clone(), &alone).await, Ok(Claim::Owned(_))));
        world.handle.sleep(LEASE).await;
        let Ok(Some(Claim::Owned(owned))) = app.engine.ledger.resume(&state.identity.run_id, &alone).await
        else {
            panic!("not owned")
        };
        assert_eq!((owned.state.attempt.number, owned.state.status), (2, Status::Running));
        app.engine.ledger.checkpoint(owned.fence, owned.state).await.expect("still the owner");
    });
}

#[test]
fn a_renewal_with_a_lost_response_lasts_no_longer_than_in_firestore() {
    // The first commit claims; the responses to the next four, all attempts at one renewal, are lost.
    let script = |method: &str, asked: usize| {
        if method == "commit" && (1..=4).contains(&asked) { Way::Lost } else { Way::Usual }
    };
    play(script, |world| async move {
        let (owner, other) = (world.instance(TimeDelta::zero()), world.instance(TimeDelta::hours(1)));
        let state = tick(&owner).into_state(owner.engine.world.clock.now());
        let Ok(Claim::Owned(owned)) = owner.engine.ledger.claim(state.clone(), &alone).await else {
            panic!("not owned")
        };
        let saved = owner.engine.ledger.checkpoint(owned.fence.clone(), owned.state.clone()).await;
        // The first attempt was carried out. Another write of the same entry would not change its time.
        let fence = match saved {
            Ok(fence) => fence,
            Err(_) => {
                world.handle.sleep(Duration::from_secs(40)).await;
                owner.engine.ledger.checkpoint(owned.fence, owned.state).await.expect("still the owner")
            }
        };
        let left = fence.lease_until().since(owner.engine.world.clock.instant());
        world.handle.sleep(left.saturating_sub(Duration::from_millis(1))).await;
        let claim = other.engine.ledger.claim(state, &alone).await.expect("Firestore answers");
        assert!(
            matches!(claim, Claim::Running { .. }),
            "the owner believes that it owns the run for {left:?}"
        );
    });
}
