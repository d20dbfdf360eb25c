//! Firestore over its REST API (v1).
//!
//! [`value`] is the codec, [`path`] names documents, [`write`] encodes writes once, [`client`] sends single requests,
//! `stream` reads streamed responses, [`error`] says what a failure means, and [`bulk`] writes many documents by the
//! rules of the official BulkWriter.

pub mod bulk;
pub mod client;
pub mod document;
pub mod error;
pub mod path;
pub mod payload;
pub mod query;
pub mod ramp;
pub mod settings;
mod stream;
pub mod value;
pub mod write;

pub use client::Firestore;
pub use error::{Code, FirestoreError};
pub use path::DocumentPath;
pub use value::{Fields, Value};
pub use write::{EncodedWrite, Precondition, Write};
