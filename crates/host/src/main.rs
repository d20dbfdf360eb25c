//! The command line of the host.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use host::{Host, Reuse};
use tokio::signal::unix::{SignalKind, signal};

/// Serves the component of a Spin application on an embedded Wasmtime.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGINT or SIGTERM, then finish the requests in progress and exit.
    Serve(Serve),
}

#[derive(Args)]
struct Serve {
    /// The application's manifest.
    #[arg(long, value_name = "FILE", default_value = "spin.toml")]
    manifest: PathBuf,
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// The component to serve, if the manifest has several.
    #[arg(long, value_name = "ID")]
    component: Option<String>,
    /// Run this file instead of the component's source.
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// Set a variable; overrides the environment.
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = parse_variable)]
    variables: Vec<(String, String)>,
    /// The runtime configuration.
    #[arg(long, value_name = "FILE")]
    runtime_config: Option<PathBuf>,
    /// Cache the compiled component in this folder, for a faster start next time.
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Concurrent requests per instance.
    #[arg(long, value_name = "N", default_value_t = Reuse::default().concurrency)]
    reuse_concurrency: usize,
    /// Total requests per instance.
    #[arg(long, value_name = "N", default_value_t = Reuse::default().total)]
    reuse_total: usize,
    /// How long an idle instance is kept.
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    idle_timeout_ms: u64,
    /// Print statistics to standard error at exit.
    #[arg(long)]
    stats: bool,
}

fn parse_variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The process environment, without values that are not UTF-8, which no variable can have.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn main() -> ExitCode {
    let Command::Serve(options) = Cli::parse().command;
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("host: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Serve) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let result = runtime.block_on(serve(options));
    // Do not wait for its threads: a component in an endless loop would block one forever.
    runtime.shutdown_background();
    result
}

async fn serve(options: Serve) -> anyhow::Result<()> {
    // Before starting anything that a signal must be able to stop.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;

    let mut host = Host::builder(options.manifest)
        .component(options.component)
        .wasm(options.wasm)
        .listen(options.listen)
        .environment(environment())
        .runtime_config(options.runtime_config)
        .cache(options.cache)
        .reuse(Reuse {
            concurrency: options.reuse_concurrency,
            total: options.reuse_total,
            idle_timeout: Duration::from_millis(options.idle_timeout_ms),
        });
    for (name, value) in options.variables {
        host = host.variable(name, value);
    }
    let running = host.start().await?;
    println!("listening on {}", running.url());

    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    let stats = tokio::select! {
        stats = running.stop() => stats?,
        _ = interrupt.recv() => anyhow::bail!("interrupted again: requests in progress were aborted"),
    };
    if options.stats {
        eprintln!("host: {stats}");
    }
    Ok(())
}
