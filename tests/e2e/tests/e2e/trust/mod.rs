//! Authentication, of callers and of the component's own calls.

mod callers;
mod firestore;
mod hostile;
mod keys;
mod providers;
mod redirects;
mod secrets;
