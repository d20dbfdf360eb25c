//! `cargo xtask up`: the whole system until Ctrl-C.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};
use sim::firestore::{Firestore, Kind};
use sim::orchestrator::Orchestrator;
use sim::providers::Ports;
use sim::scheduler::{Tick, WATCH_INTERVAL};
use sim::stack::{Parts, Stack};
use sim::watchlist::Watchlist;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::UpArgs;
use crate::firestore::{self, Choice};
use crate::{build, environment, progress, setup, system};

/// The well-known port of the Firestore emulator.
const FIRESTORE_PORT: u16 = 8080;

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
    let kind = choose(args)?;
    setup::target()?;
    if kind == Kind::Emulator {
        setup::emulator()?;
    }
    let program = args.runtime.program()?;
    build::all(args.runtime)?;
    let (firestore_port, ports, component_port) = if args.mission_ports {
        (Some(FIRESTORE_PORT), Ports::standard(), COMPONENT_PORT)
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

    progress::step("starting Firestore, the simulated providers and the component");
    let firestore = match &args.data {
        Some(file) => firestore::with_data(file.clone(), firestore_port).await?,
        None => firestore::start(kind, firestore_port).await?,
    };
    // Kept data has a watchlist, which may have been changed since.
    let is_kept = matches!(&firestore, Firestore::Embedded(embedded) if !embedded.is_empty());
    let watchlist = (!is_kept).then(|| Watchlist::new(WATCHLIST.0, WATCHLIST.1));
    let parts = Parts {
        firestore: Some(Arc::new(firestore)),
        ports,
        project: Some(project),
        watchlist,
        pace: Some(args.pace()),
        ..Parts::default()
    };
    let stack = Stack::start(parts, builder).await?;
    // Before it says how to stop it: whoever has read that may stop it at once.
    let stops = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    show(&stack, args, is_kept);
    let ended = wait_for_the_end(&stack.orchestrator, stops).await;
    progress::step("stopping everything");
    let terminated = match ended {
        Ok(()) => stack.orchestrator.terminate(END_LIMIT).await.map(drop),
        exited => exited,
    };
    if let Firestore::Embedded(embedded) = &*stack.firestore {
        embedded.close().await?;
    }
    terminated
}

/// Only the embedded Firestore keeps its data.
fn choose(args: &UpArgs) -> Result<Kind> {
    match (&args.data, args.firestore) {
        (Some(_), Some(Choice::Emulator)) => {
            bail!("--data needs --firestore embedded: the emulator keeps no data")
        }
        (Some(_), _) => Ok(Kind::Embedded),
        (None, choice) => Ok(firestore::kind(choice)),
    }
}

/// Whether this command sets the variable itself, to connect the parts.
fn is_wiring(variable: &str) -> bool {
    variable.ends_with("_service_url")
        || ["firestore_emulator_host", "google_cloud_project"].contains(&variable)
}

fn show(stack: &Stack, args: &UpArgs, is_kept: bool) {
    let url = stack.orchestrator.url();
    let mut table = progress::table(["part", "address"]);
    table.add_row(["component", url]);
    for (service, url) in stack.providers.urls() {
        table.add_row([&format!("{service}, simulated"), &url]);
    }
    table.add_row([&format!("Firestore, {}", stack.firestore.kind().name()), &stack.firestore.host()]);
    table.add_row(["project", &stack.project]);
    if let Some(file) = &args.data {
        table.add_row(["data", &file.display().to_string()]);
    }
    println!("\nThe dashboard: {url}/\n\n{table}");
    println!("\n  curl {url}/jobs");
    println!("  cargo xtask trigger finnhub-quote-portfolio --url {url}");
    let watchlist = if is_kept {
        "The data is that of the last time.".to_owned()
    } else {
        format!("The watchlist has {} symbols, {} of them active.", WATCHLIST.0, WATCHLIST.1)
    };
    println!("\n{watchlist} Press Ctrl-C to stop.");
}

/// Returns when this process is told to stop; fails if the component exits on its own. Until then it calls the watch
/// every minute, as Cloud Scheduler does. The jobs' ticks are left to whoever tries the system out.
async fn wait_for_the_end(orchestrator: &Orchestrator, stops: [Signal; 2]) -> Result<()> {
    let [mut terminate, mut interrupt] = stops;
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
