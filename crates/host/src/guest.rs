//! What one instance of the component can use: the state in its store and the linked interfaces.

use std::future::Future;
use std::sync::Arc;

use ::http::{Request, Response, Uri};
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView, p2::bindings as p2, p3::bindings as p3};
use wasmtime_wasi_http::p3::bindings::http;
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttp, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use crate::app::App;
use crate::bindings::spin::variables::variables;
use crate::client::Client;
use crate::log::{GuestOutput, Log};
use crate::outbound::Refusal;
use crate::stats::{Counters, GuestClock, MemoryMeter};
use crate::variables::{HasVariables, Variables};

/// The state of one instance.
pub struct Guest {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
    pub(crate) memory: MemoryMeter,
    pub(crate) clock: GuestClock,
}

impl Guest {
    pub(crate) fn new(app: Arc<App>, client: Client, log: Log, counters: &Arc<Counters>) -> Self {
        let output = GuestOutput::new(log.clone());
        Self {
            table: ResourceTable::new(),
            // Nothing is inherited: no environment, no arguments, no files, no sockets.
            wasi: WasiCtx::builder().stdout(output.clone()).stderr(output).build(),
            http: WasiHttpCtx::new(),
            outbound: Outbound { app, client, log },
            memory: MemoryMeter::new(Arc::clone(counters)),
            clock: GuestClock::new(Arc::clone(counters)),
        }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.table, ctx: &mut self.http }
    }
}

/// Handles the requests that an instance sends.
struct Outbound {
    app: Arc<App>,
    client: Client,
    log: Log,
}

type BoxFuture<T> = Box<dyn Future<Output = T> + Send>;
type Sent = (Response<WasiBody>, BoxFuture<Result<(), Error>>);

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        // What the component reports about the response's body; the host has no use for it.
        _body_result: BoxFuture<Result<(), Error>>,
    ) -> BoxFuture<Result<Sent, Error>> {
        if let Err(reason) = self.app.outbound.check(request.uri()) {
            self.log.host(&refusal(&self.app.component, request.uri(), &reason));
            return Box::new(async { Err(Error::HttpRequestDenied) });
        }
        let client = self.client.clone();
        Box::new(async move {
            let response = client.send(request, options.unwrap_or_default()).await?;
            // The pool drives the connection, so its errors arrive through the response's body.
            let io: BoxFuture<_> = Box::new(async { Ok(()) });
            Ok((response, io))
        })
    }
}

/// Says which entry is missing or wrong, without the request's path, which may contain secrets.
fn refusal(component: &str, uri: &Uri, reason: &Refusal<'_>) -> String {
    let scheme = uri.scheme_str().unwrap_or("http");
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit('@').next().unwrap_or_default();
    let refused = format!("the component {component:?} may not send requests to {scheme}://{host}");
    match reason {
        Refusal::NotListed => {
            format!("{refused}: add \"{scheme}://{host}\" to its allowed_outbound_hosts in the manifest")
        }
        Refusal::Void(reason) => {
            format!("{refused}, nor any others: its allowed_outbound_hosts are invalid: {reason}")
        }
    }
}

/// Lends the table of resources to the `wasi:io` interfaces.
struct HasTable;

impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

/// Links exactly the imports of the world `orchestrator` in `wit/`.
pub fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let l = linker;
    variables::add_to_linker::<_, HasVariables>(l, |guest| Variables(&guest.outbound.app.variables))?;

    http::types::add_to_linker::<_, WasiHttp>(l, Guest::http)?;
    http::client::add_to_linker::<_, WasiHttp>(l, Guest::http)?;

    p3::clocks::types::add_to_linker::<_, WasiClocks>(l, Guest::clocks)?;
    p3::clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(l, Guest::clocks)?;
    p3::clocks::system_clock::add_to_linker::<_, WasiClocks>(l, Guest::clocks)?;
    p3::random::random::add_to_linker::<_, WasiRandom>(l, Guest::random)?;

    p2::cli::environment::add_to_linker::<_, WasiCli>(l, Guest::cli)?;
    p2::cli::exit::add_to_linker::<_, WasiCli>(l, Guest::cli)?;
    p2::cli::stdin::add_to_linker::<_, WasiCli>(l, Guest::cli)?;
    p2::cli::stdout::add_to_linker::<_, WasiCli>(l, Guest::cli)?;
    p2::cli::stderr::add_to_linker::<_, WasiCli>(l, Guest::cli)?;
    p2::cli::terminal_input::add_to_linker::<_, WasiCli>(l, Guest::cli)?;
    p2::cli::terminal_output::add_to_linker::<_, WasiCli>(l, Guest::cli)?;
    p2::cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, Guest::cli)?;
    p2::cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, Guest::cli)?;
    p2::cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, Guest::cli)?;
    p2::clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(l, Guest::clocks)?;
    p2::clocks::wall_clock::add_to_linker::<_, WasiClocks>(l, Guest::clocks)?;
    p2::io::error::add_to_linker::<_, HasTable>(l, |guest| &mut guest.table)?;
    p2::io::poll::add_to_linker::<_, HasTable>(l, |guest| &mut guest.table)?;
    p2::io::streams::add_to_linker::<_, HasTable>(l, |guest| &mut guest.table)?;
    p2::random::insecure_seed::add_to_linker::<_, WasiRandom>(l, Guest::random)
}
