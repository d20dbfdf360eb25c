//! Hostile input: whatever comes in, nothing panics and nothing grows beyond its limit.
//!
//! In the component a panic is a trap, which ends every request of the instance. `PROPTEST_CASES` sets the number of
//! cases; `fuzz/` runs the same functions with a coverage-guided fuzzer.

pub(crate) mod deaf;
mod mutate;
mod samples;
mod secrets;
pub(crate) mod service;
mod targets;
mod worst;

use proptest::test_runner::{Config, TestRunner};

use mutate::hostile;
use targets::TARGETS;

/// Default number of cases for each target.
const CASES: u32 = 100;

fn check(name: &str) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    let samples = samples::of(name);
    for sample in &samples {
        target(sample.as_bytes());
    }
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { CASES };
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    runner
        .run(&hostile(samples), |bytes| {
            target(&bytes.0);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{name}: {error}"));
}

#[test]
fn no_request_panics() {
    check("request");
}

#[test]
fn no_provider_response_panics() {
    check("provider");
}

#[test]
fn no_firestore_response_panics() {
    check("firestore");
}

#[test]
fn no_token_or_key_set_panics_or_is_accepted() {
    check("tokens");
}

#[test]
fn no_response_of_googles_endpoints_panics() {
    check("google");
}

#[test]
fn no_retry_after_panics() {
    check("retry_after");
}

#[test]
fn no_id_panics_or_leaves_its_collection() {
    check("ids");
}

#[test]
fn no_key_file_panics_or_is_repeated() {
    check("key_file");
}

#[test]
fn no_setting_panics() {
    check("settings");
}
