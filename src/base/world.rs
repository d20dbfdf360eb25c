//! The world: everything that the domain needs from the outside, shared by all of it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};

use super::context;
use super::ports::{Clock, Entropy, InboundResponse, Machine, OutboundRequest, Transport, TransportError};
use super::trace::TRACEPARENT;

/// The whole outside world, shared.
#[derive(Clone)]
pub struct World {
    pub transport: Arc<dyn Transport>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub machine: Arc<dyn Machine>,
}

/// Time beyond a request's limit in which the transport may enforce the limit itself and report what arrived.
const TRANSPORT_SLACK: Duration = Duration::from_millis(500);

impl World {
    /// Sends a request as a span of the current trace and enforces its timeout, whatever the
    /// transport does.
    pub async fn send(&self, mut request: OutboundRequest) -> Result<InboundResponse, TransportError> {
        let context = context::current();
        if let Some(context) = &context {
            request.headers.insert(TRACEPARENT, context.trace.child(&*self.entropy).header());
            context.traffic.sent(request.body.len());
        }
        let timeout = request.timeout;
        let late = self.clock.sleep(timeout + TRANSPORT_SLACK);
        let answer = match select(self.transport.send(request), late).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(TransportError::Timeout(timeout)),
        };
        let arrived = answer.as_ref().map_or_else(TransportError::partial, Some);
        if let (Some(context), Some(arrived)) = (&context, arrived) {
            context.traffic.received(arrived.body.len());
        }
        answer
    }
}
