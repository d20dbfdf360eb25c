//! `cargo xtask up`: the whole system until Ctrl-C.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};
use sim::firestore::Emulator;
use sim::orchestrator::Orchestrator;
use sim::providers::Ports;
use sim::scheduler::{Tick, WATCH_INTERVAL};
use sim::stack::{Parts, Stack};
use sim::watchlist::Watchlist;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::UpArgs;
use crate::{build, environment, progress, setup, system};

/// The well-known port of the Firestore emulator.
const EMULATOR_PORT: u16 = 8080;

/// The well-known port of the component.
const COMPONENT_PORT: u16 = 8000;

/// The default project: that of `runtime-config.toml`, so that a separate `spin up` finds the same watchlist.
const PROJECT: &str = "local";

/// Symbols in the watchlist and how many of them are active positions.
const WATCHLIST: (usize, usize) = (500, 50);

/// Interval at which to check that the component is still running.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// The component finishes its requests for up to 30 s.
const END_LIMIT: Duration = Duration::from_secs(35);

/// Starts all parts, prints their addresses and stops them together.
pub async fn run(args: &UpArgs) -> Result<()> {
    setup::everything()?;
    let program = args.runtime.program()?;
    build::all(args.runtime)?;
    let (emulator_port, ports, component_port) = if args.mission_ports {
        (Some(EMULATOR_PORT), Ports::standard(), COMPONENT_PORT)
    } else {
        (None, Ports::default(), 0)
    };
    let settings = environment::settings(|name| std::env::var(name).ok());
    let project = settings.iter().find(|(name, _)| *name == "google_cloud_project");
    let project = project.map_or_else(|| PROJECT.to_owned(), |(_, value)| value.clone());
    let builder = system::builder(args.runtime, program)
        .listen(SocketAddr::from((Ipv4Addr::LOCALHOST, component_port)))
        .variables(settings.into_iter().filter(|(name, _)| !is_wiring(name)))
        .echo(true);

    progress::step("starting the Firestore emulator, the simulated providers and the component");
    let parts = Parts {
        emulator: Some(Arc::new(Emulator::start(emulator_port).await?)),
        ports,
        project: Some(project),
        watchlist: Some(Watchlist::new(WATCHLIST.0, WATCHLIST.1)),
        pace: Some(args.pace()),
        ..Parts::default()
    };
    let stack = Stack::start(parts, builder).await?;
    show(&stack);
    wait_for_the_end(&stack.orchestrator).await?;
    progress::step("stopping everything");
    stack.orchestrator.terminate(END_LIMIT).await?;
    Ok(())
}

/// Whether this command sets the variable itself, to connect the parts.
fn is_wiring(variable: &str) -> bool {
    variable.ends_with("_service_url")
        || ["firestore_emulator_host", "google_cloud_project"].contains(&variable)
}

fn show(stack: &Stack) {
    let url = stack.orchestrator.url();
    let mut table = progress::table(["part", "address"]);
    table.add_row(["component", url]);
    for (service, url) in stack.providers.urls() {
        table.add_row([&format!("{service}, simulated"), &url]);
    }
    table.add_row(["Firestore emulator", &stack.emulator.host()]);
    table.add_row(["project", &stack.project]);
    println!("{table}");
    println!("\n  curl {url}/jobs");
    println!("  cargo xtask trigger finnhub-quote-portfolio --url {url}");
    println!(
        "\nThe watchlist has {} symbols, {} of them active. Press Ctrl-C to stop.",
        WATCHLIST.0, WATCHLIST.1
    );
}

/// Returns when this process is told to stop; fails if the component exits on its own. Until then it calls the watch
/// every minute, as Cloud Scheduler does. The jobs' ticks are left to whoever tries the system out.
async fn wait_for_the_end(orchestrator: &Orchestrator) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut looks = tokio::time::interval(LOOK_INTERVAL);
    let watches = watches(orchestrator.url());
    tokio::pin!(watches);
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            () = &mut watches => {}
            _ = looks.tick() => if let Some(status) = orchestrator.exited() {
                bail!("the component exited on its own: {status}");
            },
        }
    }
}

/// Calls the watch every minute, for ever.
async fn watches(url: &str) {
    let mut ticks = tokio::time::interval(WATCH_INTERVAL);
    loop {
        ticks.tick().await;
        match Tick::of_watch(SystemTime::now().into()).send(url).await {
            Ok(reply) if reply.is_success() => {}
            Ok(reply) => progress::note(&format!("the watch answers {}: {}", reply.status, reply.body)),
            Err(error) => progress::note(&format!("the watch: {error:#}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn a_separate_spin_up_uses_the_same_project() {
        let path = workspace::root().join("runtime-config.toml");
        let config = std::fs::read_to_string(path).unwrap();
        let project = config.lines().find_map(|line| line.strip_prefix("google_cloud_project = "));
        assert_eq!(project, Some(format!("\"{PROJECT}\"").as_str()));
    }
}
