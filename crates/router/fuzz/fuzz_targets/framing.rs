//! How messages are told apart on a NETCONF session.
#![no_main]

#[path = "../checks/framing.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| check::pieces_make_no_difference(octets));
