//! Configurations and complaints, for people.
#![no_main]

#[path = "../checks/parser.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| check::anything("texts", octets));
