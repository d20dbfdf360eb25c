//! Asking a provider service how it is.

use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};

use crate::app::App;
use crate::job::Provider;
use crate::ports::{OutboundRequest, millis};
use crate::provider::envelope::failure_words;
use crate::redact;

/// Who looks must learn soon that a service does not answer.
const TIMEOUT: Duration = Duration::from_secs(4);
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// What a service answered.
#[derive(Clone, Debug)]
pub struct Health {
    pub healthy: bool,
    pub latency_ms: u64,
    pub status_code: Option<u16>,
    pub error: Option<String>,
}

/// Asks `GET {base}/health`.
pub async fn health(app: &App, provider: Provider) -> Health {
    let start = app.world.clock.instant();
    let asked = ask(app, provider).await;
    let latency_ms = millis(app.world.clock.instant().since(start));
    match asked {
        Ok((status, error)) => {
            Health { healthy: error.is_none(), latency_ms, status_code: Some(status), error }
        }
        Err(error) => Health { healthy: false, latency_ms, status_code: None, error: Some(error) },
    }
}

/// The status and, where it is not good, the service's words.
async fn ask(app: &App, provider: Provider) -> Result<(u16, Option<String>), String> {
    let base_url = &app.config.provider(provider).base_url;
    let (mut headers, mut secret) = (HeaderMap::new(), None);
    if app.config.call.id_token {
        let token =
            app.google.identity_token(base_url).await.map_err(|error| format!("no ID token: {error}"))?;
        headers.insert(AUTHORIZATION, token.header());
        secret = Some(token);
    }
    let request = OutboundRequest {
        method: Method::GET,
        url: format!("{base_url}/health"),
        headers,
        body: Bytes::new(),
        connect_timeout: TIMEOUT,
        timeout: TIMEOUT,
        body_bytes_max: ANSWER_BYTES_MAX,
    };
    let answer = app.world.send(request).await.map_err(|error| error.to_string())?;
    let status = answer.status.as_u16();
    let body = secret.map_or(answer.body.clone(), |token| redact::secret(answer.body, token.secret.expose()));
    let error = (!answer.status.is_success()).then(|| format!("{status}: {}", failure_words(&body)));
    Ok((status, error))
}
