//! Sharing an instance with its other requests.

use std::future::poll_fn;
use std::task::Poll;

/// Yields to the runtime and the instance's other requests. Reading a response takes milliseconds in which nothing
/// arrives and nothing is sent: reading several in a row would hold up all writes, and every `/health`.
pub async fn yield_now() {
    let mut given = false;
    poll_fn(|task| {
        if std::mem::replace(&mut given, true) {
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
