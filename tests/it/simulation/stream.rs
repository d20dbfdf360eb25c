//! Streamed Firestore responses that fail after their beginning.

use orchestrator::base::ports::InboundResponse;
use serde_json::{Value as Json, json};

use super::storm::Break;
use crate::world::dice::Dice;
use sim::firestore::memory::Reply;

/// Whether the response to a request is a stream.
pub(super) fn is_stream(path: &str) -> bool {
    path.ends_with(":runQuery") || path.ends_with(":batchGet")
}

/// Damages the elements of a response.
pub(super) fn spoil(mut reply: Reply, how: Break, dice: &Dice) -> Reply {
    let Some(elements) = reply.body.as_array_mut() else { return reply };
    let at = dice.below(elements.len() + 1);
    match how {
        Break::Error => {
            elements.truncate(at);
            let status = dice.pick(&["UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED", "ABORTED"]);
            elements.push(json!({"error": {"code": 503, "message": "simulated", "status": status}}));
        }
        // An empty response would mean that nothing exists.
        Break::Short if elements.iter().any(|element| element.get("document").is_some()) => {
            elements.truncate(at.max(1));
            elements.iter_mut().filter_map(Json::as_object_mut).for_each(|element| {
                element.remove("done");
            });
        }
        // A document missing from the middle of a query's response cannot be detected.
        Break::Missing if elements.iter().all(|element| element.get("document").is_none()) => {
            elements.pop();
        }
        Break::Short | Break::Missing | Break::Truncated => {}
    }
    reply
}

/// Truncates a body.
pub(super) fn truncate(response: InboundResponse, dice: &Dice) -> InboundResponse {
    let body = response.body.slice(..dice.below(response.body.len()));
    InboundResponse { body, ..response }
}
