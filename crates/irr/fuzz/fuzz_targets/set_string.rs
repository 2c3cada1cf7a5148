//! Any text in PeeringDB's field for sets.
#![no_main]

#[path = "../checks/set_string.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|text: &str| check::set_string(text));
