//! Any answer, in all of NAPALM's shapes.
#![no_main]

#[path = "../checks/parser.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| check::anything("shapes", octets));
