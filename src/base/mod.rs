//! The base of everything else: the world as the domain sees it, traces, the log, text, IDs.

pub mod cached;
pub mod context;
pub mod id;
pub mod instance;
pub mod log;
pub mod ports;
pub mod redact;
pub mod text;
pub mod time;
pub mod trace;
pub mod turns;
pub mod world;
