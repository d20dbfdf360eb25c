//! Bindings generated from `wit/`: the world of the component.
//!
//! Wasmtime's own crates implement the WASI interfaces, so their bindings are used instead of generated ones; an
//! unimplemented interface would appear here as a trait without an implementation.

use wasmtime_wasi::{p2::bindings as p2, p3::bindings as p3};
use wasmtime_wasi_http::p3::bindings::http;

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "orchestrator",
    with: {
        "wasi:cli/environment@0.2.6": p2::cli::environment,
        "wasi:cli/exit@0.2.6": p2::cli::exit,
        "wasi:cli/stderr@0.2.6": p2::cli::stderr,
        "wasi:cli/stdin@0.2.6": p2::cli::stdin,
        "wasi:cli/stdout@0.2.6": p2::cli::stdout,
        "wasi:cli/terminal-input@0.2.6": p2::cli::terminal_input,
        "wasi:cli/terminal-output@0.2.6": p2::cli::terminal_output,
        "wasi:cli/terminal-stderr@0.2.6": p2::cli::terminal_stderr,
        "wasi:cli/terminal-stdin@0.2.6": p2::cli::terminal_stdin,
        "wasi:cli/terminal-stdout@0.2.6": p2::cli::terminal_stdout,
        "wasi:clocks/monotonic-clock@0.2.6": p2::clocks::monotonic_clock,
        "wasi:clocks/monotonic-clock@0.3.0": p3::clocks::monotonic_clock,
        "wasi:clocks/system-clock@0.3.0": p3::clocks::system_clock,
        "wasi:clocks/types@0.3.0": p3::clocks::types,
        "wasi:clocks/wall-clock@0.2.6": p2::clocks::wall_clock,
        "wasi:http/client@0.3.0": http::client,
        "wasi:http/types@0.3.0": http::types,
        "wasi:io/error@0.2.6": p2::io::error,
        "wasi:io/poll@0.2.6": p2::io::poll,
        "wasi:io/streams@0.2.6": p2::io::streams,
        "wasi:random/insecure-seed@0.2.6": p2::random::insecure_seed,
        "wasi:random/random@0.3.0": p3::random::random,
    },
});
