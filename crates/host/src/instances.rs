//! The lifecycle of instances: when one is created, how many requests it takes, and when it is dropped.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;
use wasmtime::component::GuestTaskId;
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, Proxy, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::app::App;
use crate::client::Client;
use crate::guest::Guest;
use crate::log::Log;
use crate::stats::Counters;

/// Limits for reusing an instance. The defaults are Spin's.
#[derive(Clone, Copy, Debug)]
pub struct Reuse {
    /// Concurrent requests per instance.
    pub concurrency: usize,
    /// Total requests per instance.
    pub total: usize,
    /// How long an idle instance is kept.
    pub idle_timeout: Duration,
}

impl Default for Reuse {
    fn default() -> Self {
        Self { concurrency: 16, total: 128, idle_timeout: Duration::from_secs(1) }
    }
}

/// Creates the instances of one component.
pub(crate) struct Instances {
    pub(crate) component: ServicePre<Guest>,
    pub(crate) app: Arc<App>,
    pub(crate) client: Client,
    pub(crate) log: Log,
    pub(crate) counters: Arc<Counters>,
    pub(crate) reuse: Reuse,
    pub(crate) closed: Closed,
}

/// Whether the host has stopped, so that the end of an instance is not a failure.
#[derive(Clone, Default)]
pub(crate) struct Closed(Arc<AtomicBool>);

/// Sets [`Closed`] when it is dropped.
pub(crate) struct CloseOnDrop(pub(crate) Closed);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Relaxed);
    }
}

impl HandlerState for Instances {
    type StoreData = Guest;
    type WorkerExpiration = IdleTimer;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<Guest, IdleTimer, Worker>> {
        let guest = Guest::new(Arc::clone(&self.app), self.client.clone(), self.log.clone(), &self.counters);
        let mut store = Store::new(self.component.engine(), guest);
        store.limiter(|guest| &mut guest.memory);
        store.call_hook(|mut store, border| {
            store.data_mut().clock.crosses(border);
            Ok(())
        });
        let proxy = Proxy::P3(self.component.instantiate_async(&mut store).await?);
        self.counters.add_instance();
        Ok(Instance {
            store,
            proxy,
            view: Guest::http,
            expiration: IdleTimer::new(self.reuse.idle_timeout),
            state: Worker {
                reuse: self.reuse,
                log: self.log.clone(),
                counters: Arc::clone(&self.counters),
                closed: self.closed.clone(),
            },
        })
    }
}

/// Decides whether an instance accepts another request.
pub(crate) struct Worker {
    reuse: Reuse,
    log: Log,
    counters: Arc<Counters>,
    closed: Closed,
}

impl WorkerState for Worker {
    type StoreData = Guest;
    type RequestData = ();

    fn should_accept_request(&self, concurrent_count: usize, total_count: usize) -> ShouldAccept {
        if total_count >= self.reuse.total {
            ShouldAccept::Never
        } else if concurrent_count >= self.reuse.concurrency {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, Guest>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        self.counters.add_request();
        // As in Spin, a request has no time limit except the component's own.
        Box::pin(std::future::pending())
    }

    fn drop(&self, store: Store<Guest>, result: Result<(), wasmtime::Error>) {
        drop(store);
        if let Err(error) = result
            && !self.closed.0.load(Relaxed)
        {
            self.log.host(&format!("an instance failed, and every request in it: {error:?}"));
        }
    }
}

/// Ends an instance that has been idle for a while.
pub(crate) struct IdleTimer {
    timeout: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl IdleTimer {
    fn new(timeout: Duration) -> Self {
        Self { timeout, sleep: Box::pin(tokio::time::sleep(timeout)) }
    }
}

impl WorkerExpiration for IdleTimer {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        since: Instant,
    ) -> Poll<()> {
        match status {
            WorkerStatus::Requests | WorkerStatus::PostReturn => Poll::Pending,
            WorkerStatus::Idle => {
                let deadline = (since + self.timeout).into();
                if self.sleep.deadline() != deadline {
                    self.sleep.as_mut().reset(deadline);
                }
                self.sleep.as_mut().poll(cx)
            }
        }
    }
}
