//! One provider call: what is sent, with which token and for how long.

use std::time::Duration;

use http::header::AUTHORIZATION;

use super::queue::{Batch, Origin};
use super::reply::{CallError, Reply};
use super::run_context::RunContext;
use crate::base::ports::{BoxFuture, InboundResponse, OutboundRequest, TransportError};
use crate::base::redact;
use crate::base::world::World;
use crate::engine::Engine;
use crate::google::Token;
use crate::provider::Call;

/// Sends the call of a batch.
pub(super) fn send(
    engine: &Engine,
    run: &RunContext,
    number: u64,
    batch: Batch,
) -> BoxFuture<'static, Reply> {
    let call = Call {
        job: run.job,
        endpoint: batch.endpoint,
        scope: run.scope,
        tickers: &batch.tickers,
        parts: &batch.parts,
        run_time: &run.run_time,
        window: run.window(batch.endpoint, batch.window),
        larger: run.larger(&batch),
    };
    let mut request = call.request(engine.settings.provider(run.provider()), &engine.settings.call);
    request.timeout =
        time_limit(engine.settings.call.timeout, &batch, engine.settings.provider(run.provider()).batch_size);
    let (world, google) = (engine.world.clone(), engine.google.clone());
    let audience =
        engine.settings.call.id_token.then(|| engine.settings.provider(run.provider()).base_url.clone());
    let in_flight = engine.activity.started(run.provider());
    Box::pin(async move {
        let _in_flight = in_flight;
        let requested_at = world.clock.now();
        let start = world.clock.instant();
        let token = match &audience {
            Some(audience) => google.identity_token(audience).await.map(Some),
            None => Ok(None),
        };
        let (token, answer) = match token {
            Ok(token) => (token.clone(), exchange(&world, token.as_deref(), request).await),
            Err(error) => (None, Err(CallError::Token(error))),
        };
        let latency = world.clock.instant().since(start);
        let received_at = world.clock.now();
        Reply { number, batch, requested_at, latency, received_at, token, answer }
    })
}

/// Timeout of a call. The limit is meant for a whole batch; a piece of a failed batch gets its share, at least a
/// fifth. Otherwise one ticker that the service hangs on would use up the time of the whole run.
fn time_limit(whole: Duration, batch: &Batch, size: usize) -> Duration {
    const SHARE_MIN: u32 = 5;
    if batch.origin == Origin::Planned {
        return whole;
    }
    let tickers = u32::try_from(batch.tickers.len().max(1)).unwrap_or(u32::MAX);
    let size = u32::try_from(size.max(1)).unwrap_or(u32::MAX);
    (whole / size).saturating_mul(tickers).max(whole / SHARE_MIN).min(whole)
}

/// Sends a request within its timeout, with an ID token if the provider requires one. Our token, which a service may
/// echo, and the service's own credentials are redacted here, before anything is read, stored or reported.
async fn exchange(
    world: &World,
    token: Option<&Token>,
    mut request: OutboundRequest,
) -> Result<InboundResponse, CallError> {
    if let Some(token) = token {
        request.headers.insert(AUTHORIZATION, token.header());
    }
    let mut answer = world.send(request).await;
    let arrived = answer.as_mut().map_or_else(TransportError::partial_mut, Some);
    if let Some(arrived) = arrived {
        let body = std::mem::take(&mut arrived.body);
        let ours = token.map_or("", |token| token.secret.expose());
        arrived.body = redact::credentials(redact::secret(body, ours));
    }
    answer.map_err(CallError::Transport)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::work;

    #[test]
    fn a_piece_of_a_failed_batch_has_its_share_of_the_time() {
        let whole = Duration::from_secs(100);
        let limit = |origin, tickers: &[&str]| {
            let batch = Batch { origin, ..Batch::new("/a", work("/a", tickers).tickers, 4) };
            time_limit(whole, &batch, 4).as_secs()
        };
        assert_eq!(limit(Origin::Planned, &["A"]), 100);
        assert_eq!(limit(Origin::Piece, &["A", "B"]), 50);
        assert_eq!(limit(Origin::Control, &["A"]), 25);
        assert_eq!(limit(Origin::Piece, &["A", "B", "C", "D", "E"]), 100, "never more than the whole");
        let batch = Batch { origin: Origin::Piece, ..Batch::new("/a", work("/a", &["A"]).tickers, 4) };
        assert_eq!(time_limit(whole, &batch, 50).as_secs(), 20, "and never less than a fifth");
    }
}
