//! What can be run: the providers with their jobs and datasets, the scopes that jobs cover, and the tickers they run
//! for.

pub mod dataset;
pub mod job;
pub mod provider;
mod providers;
pub mod scope;
pub mod ticker;
pub mod ticks;
pub mod trouble;

pub use dataset::{Collection, Dataset};
pub use job::{Endpoint, Job, WindowParameters, collections, datasets, find, find_dataset, jobs};
pub use provider::{PerProvider, Provider, ProviderSpec};
pub use scope::Scope;
pub use ticker::Ticker;
pub use ticks::Ticks;
pub use trouble::Trouble;
