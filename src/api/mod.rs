//! The HTTP interface: the catalogue's routes and the operators' routes.

mod answer;
mod backfills;
mod boundary;
mod calendar;
mod coverage;
mod day;
mod jobs;
#[cfg(not(target_family = "wasm"))]
pub mod openapi;
mod ops;
mod orders;
mod pages;
pub mod problem;
mod records;
mod refusal;
mod replays;
pub mod request;
mod runs;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::api::problem::Problem;
use crate::api::request::{BODY_BYTES_MAX, parse_job, parse_manual};
use crate::app::App;
use crate::auth::Caller;
use crate::base::world::World;
use crate::catalogue::{self, Job};
use crate::run::Trigger;
use crate::settings::ConfigErrors;
use boundary::Boundary;

/// Longest wait for a request's body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// All routes of a configured service.
pub fn router(app: Arc<App>) -> Router {
    let mut protected = Router::new();
    let operators = [
        ("/calendar", get(calendar::list)),
        ("/coverage", get(coverage::grid)),
        ("/coverage/{dataset}/{date}", get(coverage::day)),
        ("/coverage/{dataset}/{date}/verify", post(coverage::verify)),
        ("/flags", get(coverage::flags)),
        ("/tickers/{ticker}", get(coverage::ticker::show)),
        ("/jobs", get(jobs::list)),
        ("/jobs/{job}/pause", post(orders::pause)),
        ("/jobs/{job}/unpause", post(orders::unpause)),
        ("/orders", get(orders::list)),
        ("/metrics", get(ops::metrics)),
        ("/status", get(ops::status)),
        ("/manual/trigger-job", post(manual)),
        ("/notify/test", post(watch::test)),
        ("/records/{collection}/{id}", get(records::show)),
        ("/records/{collection}/{id}/revisions", get(records::revisions)),
        ("/runs", get(runs::list)),
        ("/runs/{run_id}", get(runs::show)),
        ("/runs/{run_id}/calls", get(runs::calls)),
        ("/runs/{run_id}/cancel", post(orders::cancel)),
        ("/runs/{run_id}/replay", post(replays::replay)),
        ("/replays", post(replays::replays)),
        ("/runs/{run_id}/resume", post(orders::resume)),
        ("/runs/resume", post(orders::resume_runs)),
        ("/providers/{provider}/probe", post(ops::probe)),
        ("/watch", post(watch::watch)),
        ("/breakers", get(runs::breakers)),
        ("/breakers/{provider}/reset", post(orders::reset_breaker)),
    ];
    for (path, route) in operators {
        protected = at(protected, path, route);
    }
    for asset in pages::ASSETS {
        let answer = async move |headers: HeaderMap| asset.answer(&headers);
        protected = protected.route(asset.route, get(answer));
    }
    for job in catalogue::jobs() {
        let run = |State(app): State<Arc<App>>,
                   Extension(caller): Extension<Caller>,
                   headers: HeaderMap,
                   body: Body| run_job(app, job, caller, headers, body);
        protected = at(protected, job.route, post(run));
    }
    let protected = protected.route_layer(middleware::from_fn_with_state(app.clone(), guard));
    let boundary =
        Boundary { world: app.engine.world.clone(), in_flight: app.ops.instance.requests_in_flight.clone() };
    let cors = boundary::cors(&app.config.auth.allowed_origins);
    let routes = open_routes().merge(protected).method_not_allowed_fallback(wrong_method).with_state(app);
    let routes = match cors {
        Some(cors) => routes.layer(cors),
        None => routes,
    };
    routes.layer(middleware::from_fn_with_state(boundary, boundary::cross))
}

/// All routes of a service with an invalid configuration: they report its errors.
pub fn misconfigured(errors: ConfigErrors, world: World) -> Router {
    let boundary = Boundary { world, in_flight: Arc::default() };
    let health = errors.clone();
    Router::new()
        .route("/health", get(move || async move { answer::health(&health.0) }))
        .fallback(move || async move { Problem::misconfigured(&errors.0).into_response() })
        .layer(middleware::from_fn_with_state(boundary, boundary::cross))
}

fn open_routes() -> Router<Arc<App>> {
    at(Router::new(), "/health", get(async || answer::health(&[]))).fallback(not_found)
}

/// A route at its path, and with a trailing slash: Cloud Scheduler would treat a redirect as a failure.
fn at(router: Router<Arc<App>>, path: &str, route: MethodRouter<Arc<App>>) -> Router<Arc<App>> {
    router.route(path, route.clone()).route(&format!("{path}/"), route)
}

async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    match app.auth.authenticate(&head).await {
        Ok(caller) => {
            head.extensions.insert(caller);
            next.run(Request::from_parts(head, body)).await
        }
        Err(refusal) => refusal::tell(&refusal, head.uri.path()).into_response(),
    }
}

async fn not_found(uri: Uri) -> Problem {
    Problem::not_found(format!("no route {}; GET /jobs lists the jobs and their routes", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::method_not_allowed(format!("{} does not support {method}; see the Allow header", uri.path()))
}

async fn run_job(
    app: Arc<App>,
    job: &'static Job,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let trigger = match read(&app, body).await {
        Ok(body) => parse_job(job, &headers, &body, &app.engine.world),
        Err(problem) => Err(problem),
    };
    match trigger {
        Ok(trigger) => start(&app, trigger, caller).await,
        Err(problem) => problem.into_response(),
    }
}

async fn start(app: &App, trigger: Trigger, caller: Caller) -> Response {
    match trigger.backfill {
        Some(backfill) if trigger.dry_run => backfills::preview(app, &trigger, backfill).await,
        Some(backfill) => backfills::start(app, trigger, backfill, &caller).await,
        None => app.engine.run(trigger).await.into_response(),
    }
}

async fn manual(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let trigger = match read(&app, body).await {
        Ok(body) => parse_manual(&headers, &body, &app.engine.world),
        Err(problem) => Err(problem),
    };
    match trigger {
        Ok(trigger) => start(&app, trigger, caller).await,
        Err(problem) => problem.into_response(),
    }
}

/// Reads a body within its size and time limits.
async fn read(app: &App, body: Body) -> Result<Bytes, Problem> {
    let collected = Limited::new(body, BODY_BYTES_MAX).collect();
    let late = app.engine.world.clock.sleep(BODY_TIMEOUT);
    match futures::future::select(std::pin::pin!(collected), late).await {
        futures::future::Either::Left((Ok(body), _)) => Ok(body.to_bytes()),
        futures::future::Either::Left((Err(error), _)) if error.is::<LengthLimitError>() => {
            Err(Problem::body_too_long(BODY_BYTES_MAX))
        }
        futures::future::Either::Left((Err(error), _)) => Err(Problem::body_broken(&error.to_string())),
        futures::future::Either::Right(_) => Err(Problem::body_late(BODY_TIMEOUT)),
    }
}
