//! `POST /watch`, which the scheduler calls every minute, and test messages.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures::channel::oneshot;
use futures::future::{Either, join, select};
use http::StatusCode;
use serde::Serialize;

use super::answer::json;
use crate::app::App;
use crate::base::ports::{Instant, millis};
use crate::engine::Answer;
use crate::engine::watch::WatchedRuns;
use crate::firestore::FirestoreError;
use crate::notify::Notified;
use crate::notify::post::{Heartbeat, TestResult};

/// How often a watch looks at the alerts while it works on runs.
const AGAIN: Duration = Duration::from_secs(60);

/// What a watch has done, one part for each of its steps.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
pub(super) struct WatchReport {
    time: DateTime<Utc>,
    #[serde(flatten)]
    runs: WatchedRuns,
    /// What has changed, and who has been told.
    alerts: Notified,
    heartbeat: Heartbeat,
}

/// What became of test messages.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
pub(super) struct TestReport {
    /// Empty if no target is set.
    targets: Vec<TestResult>,
}

/// Tells what has changed and works on runs, at the same time: neither waits for the other. Without Firestore the answer is
/// 503, and the heartbeat is not sent.
pub(super) async fn watch(State(app): State<Arc<App>>) -> Response {
    let clock = &app.engine.world.clock;
    let start = clock.instant();
    let (done, is_done) = oneshot::channel();
    let work = async {
        let runs = app.engine.watch(start).await;
        // The other side may have failed.
        let _ = done.send(());
        runs
    };
    let (runs, told) = join(work, tell_until(&app, is_done, start)).await;
    match (runs, told) {
        (Ok(runs), Ok(told)) => {
            told.log(&runs, clock.instant().since(start));
            let (alerts, heartbeat) = (told.alerts, told.heartbeat);
            json(StatusCode::OK, &WatchReport { time: clock.now(), runs, alerts, heartbeat })
        }
        (Err(error), _) | (_, Err(error)) => Answer::Unavailable(error).into_response(),
    }
}

/// Looks at the alerts, and again every minute until the work on runs is done: the scheduler sends no second watch
/// meanwhile.
async fn tell_until(
    app: &App,
    mut is_done: oneshot::Receiver<()>,
    start: Instant,
) -> Result<Told, FirestoreError> {
    let mut told = tell(app).await?;
    let clock = &app.engine.world.clock;
    // A look takes less than a minute.
    let last = app.config.run.deadline.saturating_sub(AGAIN);
    while let Either::Right(_) = select(&mut is_done, clock.sleep(AGAIN)).await {
        if clock.instant().since(start) <= last {
            told = told.then(tell(app).await?);
        }
    }
    Ok(told)
}

/// What was told.
struct Told {
    alerts: Notified,
    heartbeat: Heartbeat,
}

async fn tell(app: &App) -> Result<Told, FirestoreError> {
    let alerts = app.notifier.watch(&app.ops).await?;
    // A watch that cannot make itself heard has not succeeded: the monitor outside is the last one to notice.
    let heartbeat = match alerts.failed {
        0 => app.notifier.heartbeat().await,
        _ => app.notifier.withheld(),
    };
    Ok(Told { alerts, heartbeat })
}

impl Told {
    /// Both together; what holds is what held at the later look.
    fn then(self, later: Self) -> Self {
        let alerts = Notified {
            fired: self.alerts.fired + later.alerts.fired,
            resolved: self.alerts.resolved + later.alerts.resolved,
            told: self.alerts.told + later.alerts.told,
            failed: self.alerts.failed + later.alerts.failed,
            ..later.alerts
        };
        Self { alerts, heartbeat: later.heartbeat }
    }

    fn log(&self, runs: &WatchedRuns, duration: Duration) {
        tracing::info!(
            runs.resumed = runs.resumed.len(),
            runs.healed = runs.healed.len(),
            alerts.firing = self.alerts.firing,
            alerts.fired = self.alerts.fired,
            alerts.resolved = self.alerts.resolved,
            notifications.told = self.alerts.told,
            notifications.failed = self.alerts.failed,
            heartbeat = self.heartbeat.outcome.name(),
            duration_ms = millis(duration),
            "watch ended"
        );
    }
}

/// Sends a test message to every target that is set.
pub(super) async fn test(State(app): State<Arc<App>>) -> Response {
    json(StatusCode::OK, &TestReport { targets: app.notifier.test().await })
}
