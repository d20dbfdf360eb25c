//! The Spin side: the entry point and the implementation of the domain's ports. The only place that names the SDK.

mod outgoing;
mod transport;
mod world;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;
use tower::ServiceExt as _;

use crate::api;
use crate::app::App;
use crate::base::instance::Instance;
use crate::base::log::{JsonLog, Origin};
use crate::config::keys::keys;
use crate::settings::{Config, ConfigErrors};

/// The routes, built at the instance's first request and shared by all later ones.
static ROUTER: OnceLock<Router> = OnceLock::new();

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let router = match ROUTER.get() {
        Some(router) => router,
        None => {
            // Requests that arrive together may each read the settings; one result is kept.
            let router = start().await;
            ROUTER.get_or_init(|| router)
        }
    };
    match router.clone().oneshot(request.map(Body::new)).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Reads all settings and builds the routes, or routes that say what is wrong with the settings.
async fn start() -> Router {
    let world = world::world();
    let config = settings().await.and_then(|values| Ok(Config::parse(|name| values.get(name).cloned())?));
    let level = config.as_ref().map_or(tracing::Level::INFO, |config| config.log_level);
    let instance = Instance::new(&world);
    let origin = Origin {
        project: config.as_ref().map(|config| config.firestore.project.clone()).unwrap_or_default(),
        instance: instance.id.clone(),
    };
    let log = JsonLog::new(level, world.clock.clone(), origin, Box::new(write_line));
    // Fails if a concurrent request was faster: then the log is already set up.
    let _ = tracing::subscriber::set_global_default(log);
    match config {
        Ok(config) => {
            tracing::info!(
                inbound_auth = ?config.auth.inbound,
                credentials = config.credentials.name(),
                firestore = config.firestore.endpoint,
                "instance started"
            );
            api::router(Arc::new(App::new(config, world, instance)))
        }
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the service cannot start");
            // Either settings are invalid, each with its own error, or they could not be read at all.
            let errors = error.downcast().unwrap_or_else(|error| ConfigErrors(vec![format!("{error:#}")]));
            api::misconfigured(errors, world)
        }
    }
}

/// One write for a line and its line break: the runtime merges the output of its instances, and would mix the pieces of
/// two lines.
fn write_line(line: &str) {
    // If the log cannot be written, there is nowhere to report it.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// The text of every setting.
async fn settings() -> anyhow::Result<BTreeMap<&'static str, String>> {
    let mut values = BTreeMap::new();
    for key in keys() {
        let value = spin_sdk::variables::get(key.name).await;
        values.insert(key.name, value.with_context(|| format!("{} cannot be read", key.name))?);
    }
    Ok(values)
}
