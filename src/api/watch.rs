//! `POST /watch`, which the scheduler calls every minute, and test messages.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures::future::{Either, select};
use http::StatusCode;
use serde::Serialize;

use super::answer::json;
use crate::app::App;
use crate::base::ports::millis;
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

/// Goes through the steps of a watch: it tells what has changed, then works on runs. While it does, it looks at the alerts
/// again every minute, because the scheduler sends no second watch meanwhile. Without Firestore the answer is 503, and the
/// heartbeat is not sent.
pub(super) async fn watch(State(app): State<Arc<App>>) -> Response {
    let start = app.engine.world.clock.instant();
    let mut told = match tell(&app).await {
        Ok(told) => told,
        Err(error) => return Answer::Unavailable(error).into_response(),
    };
    let mut work = pin!(app.engine.watch());
    let runs = loop {
        match select(work, app.engine.world.clock.sleep(AGAIN)).await {
            Either::Left((runs, _)) => break runs,
            Either::Right((_, unfinished)) => work = unfinished,
        }
        match tell(&app).await {
            Ok(more) => told = told.then(more),
            // What the runs do matters more; they notice themselves when Firestore does not answer.
            Err(error) => tracing::warn!(%error, "the alerts could not be looked at again"),
        }
    };
    match runs {
        Ok(runs) => {
            let duration = app.engine.world.clock.instant().since(start);
            told.log(&runs, duration);
            let (alerts, heartbeat) = (told.alerts, told.heartbeat);
            json(StatusCode::OK, &WatchReport { time: app.engine.world.clock.now(), runs, alerts, heartbeat })
        }
        Err(error) => Answer::Unavailable(error).into_response(),
    }
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
