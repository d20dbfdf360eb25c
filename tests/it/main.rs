//! Native tests of the component: house rules, Firestore's behaviour, simulation.

mod calendar;
mod conformance;
mod defects;
mod deploy;
mod hostile;
mod intake;
mod ledger;
mod logging;
mod market;
mod next_tick;
mod simulation;
mod tidy;
mod turns;
mod world;
