//! What routers show at a command line, and what they say of themselves.
#![no_main]

#[path = "../checks/parser.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| check::anything("terminal", octets));
