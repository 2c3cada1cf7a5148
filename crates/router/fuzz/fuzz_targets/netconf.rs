//! An answer over NETCONF: greeting, errors, difference, commits, clock.
#![no_main]

#[path = "../checks/parser.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| check::anything("netconf", octets));
