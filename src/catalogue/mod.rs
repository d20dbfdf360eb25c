//! What can be run: the catalogue of jobs, the scopes they cover, the tickers they are run for.

pub mod dataset;
pub mod job;
pub mod scope;
pub mod ticker;
pub mod trouble;

pub use job::{CATALOGUE, Endpoint, Job, Provider, find};
pub use scope::Scope;
pub use ticker::Ticker;
pub use trouble::Trouble;
