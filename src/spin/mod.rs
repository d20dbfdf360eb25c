//! Spin's side: the entry point and what the domain's ports mean there. The only place that names the SDK.

mod transport;
mod world;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;
use tower::ServiceExt as _;

use crate::app::App;
use crate::config::Config;
use crate::config::keys::KEYS;
use crate::http_api;
use crate::telemetry::JsonLog;

/// The routes, made at the instance's first request and shared by all that follow.
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
    let mut values = std::collections::HashMap::new();
    let mut errors = Vec::new();
    for key in KEYS {
        match spin_sdk::variables::get(key.name).await {
            Ok(value) => drop(values.insert(key.name, value)),
            Err(error) => errors.push(format!("{} cannot be read: {error}", key.name)),
        }
    }
    let world = world::world();
    let config = Config::parse(|name| values.get(name).cloned());
    let level = config.as_ref().map_or(tracing::Level::INFO, |config| config.log_level);
    let log = JsonLog::new(level, world.clock.clone(), Box::new(|line| eprintln!("{line}")));
    // Fails where a request that arrived together was faster: then the log is set up already.
    let _ = tracing::subscriber::set_global_default(log);
    match config {
        Ok(config) if errors.is_empty() => {
            tracing::info!(inbound_auth = ?config.inbound_auth, firestore = config.firestore.endpoint, "instance starts");
            http_api::router(Arc::new(App::new(config, world)))
        }
        config => {
            let mut all = config.err().unwrap_or_else(|| crate::config::ConfigErrors(Vec::new()));
            all.0.append(&mut errors);
            tracing::error!(errors = ?all.0, "the configuration is not valid");
            http_api::misconfigured(all)
        }
    }
}
