//! `POST /watch`, which the scheduler calls every minute, and test messages.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::Serialize;

use super::answer::json;
use crate::app::App;
use crate::base::ports::millis;
use crate::engine::Answer;
use crate::notify::Notified;
use crate::notify::post::{Heartbeat, TestResult};

/// What a watch has done, one part for each of its steps.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
pub(super) struct WatchReport {
    time: DateTime<Utc>,
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

/// Goes through the steps of a watch. Without Firestore the answer is 503, and the heartbeat is not sent.
pub(super) async fn watch(State(app): State<Arc<App>>) -> Response {
    let clock = &app.engine.world.clock;
    let start = clock.instant();
    let alerts = match app.notifier.watch(&app.ops).await {
        Ok(alerts) => alerts,
        Err(error) => return Answer::Unavailable(error).into_response(),
    };
    // A watch that cannot make itself heard has not succeeded: the monitor outside is the last one to notice.
    let heartbeat = match alerts.failed {
        0 => app.notifier.heartbeat().await,
        _ => app.notifier.withheld(),
    };
    tracing::info!(
        alerts.firing = alerts.firing,
        alerts.fired = alerts.fired,
        alerts.resolved = alerts.resolved,
        notifications.told = alerts.told,
        notifications.failed = alerts.failed,
        heartbeat = heartbeat.outcome.name(),
        duration_ms = millis(clock.instant().since(start)),
        "watch ended"
    );
    json(StatusCode::OK, &WatchReport { time: clock.now(), alerts, heartbeat })
}

/// Sends a test message to every target that is set.
pub(super) async fn test(State(app): State<Arc<App>>) -> Response {
    json(StatusCode::OK, &TestReport { targets: app.notifier.test().await })
}
