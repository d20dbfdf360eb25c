//! The current request, its trace and its run.
//!
//! Requests share an instance, so this cannot be one global value; and it must reach every log line and
//! every outgoing request without a parameter in each function between. [`within`] makes it current
//! whenever the request's own work is polled, and at no other time.

use std::cell::RefCell;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::trace::TraceContext;

thread_local! {
    static CURRENT: RefCell<Option<Arc<RequestContext>>> = const { RefCell::new(None) };
}

/// One request to this service.
#[derive(Debug)]
pub struct RequestContext {
    pub request_id: String,
    pub trace: TraceContext,
    pub traffic: Traffic,
    run: OnceLock<Run>,
}

/// Bytes of bodies that a request has sent and received, and documents that it has read and written in Firestore.
#[derive(Debug, Default)]
pub struct Traffic {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    documents_read: AtomicU64,
    documents_written: AtomicU64,
}

impl Traffic {
    pub fn sent(&self, bytes: usize) {
        self.bytes_out.fetch_add(u64::try_from(bytes).unwrap_or_default(), Ordering::Relaxed);
    }

    pub fn received(&self, bytes: usize) {
        self.bytes_in.fetch_add(u64::try_from(bytes).unwrap_or_default(), Ordering::Relaxed);
    }

    /// Bytes in, bytes out.
    pub fn bytes(&self) -> (u64, u64) {
        (self.bytes_in.load(Ordering::Relaxed), self.bytes_out.load(Ordering::Relaxed))
    }

    /// Documents read and documents written since this was last asked.
    pub fn take_documents(&self) -> (u64, u64) {
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        (take(&self.documents_read), take(&self.documents_written))
    }
}

/// The run that a request is working on.
#[derive(Clone, Debug)]
pub struct Run {
    pub job: String,
    pub run_id: String,
}

impl RequestContext {
    pub fn new(request_id: String, trace: TraceContext) -> Self {
        Self { request_id, trace, traffic: Traffic::default(), run: OnceLock::new() }
    }

    /// The run, once it is known.
    pub fn run(&self) -> Option<&Run> {
        self.run.get()
    }
}

/// The request being processed right now, if any.
pub fn current() -> Option<Arc<RequestContext>> {
    // Fails only while the thread ends, when nothing is worked on any more.
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// Sets the run that the current request is working on; the first one counts.
pub fn works_on(job: &str, run_id: &str) {
    if let Some(current) = current() {
        let _ = current.run.set(Run { job: job.to_owned(), run_id: run_id.to_owned() });
    }
}

/// Counts documents that the current request has read.
pub fn documents_read(documents: usize) {
    count(documents, |traffic| &traffic.documents_read);
}

/// Counts documents that the current request has written.
pub fn documents_written(documents: usize) {
    count(documents, |traffic| &traffic.documents_written);
}

fn count(documents: usize, counter: fn(&Traffic) -> &AtomicU64) {
    if let Some(current) = current() {
        let documents = u64::try_from(documents).unwrap_or_default();
        counter(&current.traffic).fetch_add(documents, Ordering::Relaxed);
    }
}

/// Runs `work` as part of this request.
pub async fn within<T>(context: Arc<RequestContext>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    std::future::poll_fn(move |task| {
        let _restore = Restore(swap(Some(context.clone())));
        work.as_mut().poll(task)
    })
    .await
}

fn swap(context: Option<Arc<RequestContext>>) -> Option<Arc<RequestContext>> {
    CURRENT.try_with(|current| current.replace(context)).ok().flatten()
}

/// Restores what was current before, even if the work panics.
struct Restore(Option<Arc<RequestContext>>);

impl Drop for Restore {
    fn drop(&mut self) {
        swap(self.0.take());
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures::future::join;
    use http::HeaderMap;

    use super::*;

    struct Count(AtomicU64);

    impl crate::base::ports::Entropy for Count {
        fn next_u64(&self) -> u64 {
            self.0.fetch_add(1, Ordering::Relaxed)
        }
    }

    #[test]
    fn requests_at_once_see_their_own_context_and_nobody_sees_any_in_between() {
        let dice = Count(1.into());
        let context = |id: &str| {
            let trace = TraceContext::of_request(&HeaderMap::new(), &dice);
            Arc::new(RequestContext::new(id.to_owned(), trace))
        };
        let work = |id: &'static str| async move {
            works_on("job", id);
            pause().await;
            let current = current().expect("a context");
            (current.request_id.clone(), current.run().expect("a run").run_id.clone())
        };
        let both = join(within(context("a"), work("a")), within(context("b"), work("b")));
        let mut both = pin!(both);
        let mut task = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(both.as_mut().poll(&mut task).is_pending());
        assert!(current().is_none());
        let Poll::Ready((a, b)) = both.as_mut().poll(&mut task) else { panic!("not done") };
        assert_eq!((a, b), (("a".into(), "a".into()), ("b".into(), "b".into())));
    }

    /// Pending once.
    async fn pause() {
        let mut polled = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
