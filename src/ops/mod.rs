//! For operators: what the service has done, how it is, what is wrong.

pub mod alerts;
pub mod exposition;
pub mod health;
pub mod metrics;
pub mod probe;
pub mod services;
pub mod snapshot;
pub mod status;
