//! Who may call, and as whom the component calls.

mod callers;
mod firestore;
mod hostile;
mod keys;
mod providers;
mod redirects;
mod secrets;
