#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| orchestrator_fuzz::targets::settings(bytes));
