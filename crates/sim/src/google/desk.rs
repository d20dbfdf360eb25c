//! Handles one request: finds its endpoint, applies an outage, and answers.

use std::collections::BTreeMap;

use http::header::{CACHE_CONTROL, LOCATION};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;
use url::form_urlencoded;

use super::answer::Answer;
use super::asked::{Asked, Desk, Outage};
use super::oauth;
use super::state::Shared;
use crate::server::{Body, Handler, Reset};

const KEYS: &str = "/oauth2/v3/certs";
const TOKEN: &str = "/token";
const METADATA: &str = "/computeMetadata/v1/instance/service-accounts/default/";

impl Handler for Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Reset> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Reset)?.to_bytes();
        let path = head.uri.path().to_owned();
        let desk = desk(&head.method, &path);
        let mut fields = pairs(head.uri.query().unwrap_or_default().as_bytes());
        fields.extend(pairs(&body));
        let asked = Asked { desk, path: path.clone(), fields: fields.clone(), status: 0 };
        let (place, outage, latency) = self.with(|state| {
            state.journal.push(asked);
            let outage = desk.and_then(|desk| state.outages.get(&desk).cloned());
            let latency = desk.and_then(|desk| state.latencies.get(&desk).copied()).unwrap_or_default();
            (state.journal.len() - 1, outage, latency)
        });
        tokio::time::sleep(latency).await;
        let answer = match (outage, desk) {
            (Some(outage), _) => fail(outage).await,
            (None, Some(Desk::Keys)) => keys(self),
            (None, Some(Desk::Token)) => self.with(|state| oauth::exchange(state, &fields)),
            (None, Some(Desk::Metadata)) => {
                let flavor = head.headers.get("metadata-flavor").is_some_and(|value| value == "Google");
                metadata(self, path.trim_start_matches(METADATA), flavor, &fields)
            }
            (None, None) => Answer::text(404, "no such address"),
        };
        self.with(|state| state.journal[place].status = answer.status);
        Ok(answer.into_response())
    }
}

fn desk(method: &Method, path: &str) -> Option<Desk> {
    match (method, path) {
        (&Method::GET, KEYS) => Some(Desk::Keys),
        (&Method::POST, TOKEN) => Some(Desk::Token),
        (&Method::GET, path) if path.starts_with(METADATA) => Some(Desk::Metadata),
        _ => None,
    }
}

async fn fail(outage: Outage) -> Answer {
    match outage {
        Outage::Status(status) => Answer::text(status, format!("simulated status {status}")),
        Outage::Hang => std::future::pending().await,
        Outage::Redirect(to) => Answer { header: Some((LOCATION, to)), ..Answer::text(307, "") },
        Outage::Garbage => Answer::text(200, "<html>welcome to the hotel's network</html>"),
    }
}

fn keys(shared: &Shared) -> Answer {
    let (key, max_age) = shared.with(|state| (state.key(), state.keys_max_age));
    let control = format!("public, max-age={max_age}, must-revalidate, no-transform");
    let answer = Answer::json(200, &json!({"keys": [key.jwk()]}));
    Answer { header: Some((CACHE_CONTROL, control)), ..answer }
}

fn metadata(shared: &Shared, what: &str, flavor: bool, fields: &BTreeMap<String, String>) -> Answer {
    // The header proves that the program itself asks: one that is tricked into fetching an address does not send it.
    if !flavor {
        return Answer::text(403, "Missing Metadata-Flavor:Google header.");
    }
    match (what, fields.get("audience")) {
        ("token", _) => Answer::json(200, &shared.with(super::state::State::give_access_token)),
        ("identity", Some(audience)) => {
            // Without `full` the token has no e-mail.
            if fields.get("format").is_none_or(|format| format != "full") {
                return Answer::text(400, "format is not full");
            }
            Answer::text(200, shared.with(|state| state.give_id_token(audience)))
        }
        ("identity", None) => Answer::text(400, "non-empty audience parameter required"),
        _ => Answer::text(404, "not found"),
    }
}

fn pairs(text: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(text).into_owned().collect()
}
