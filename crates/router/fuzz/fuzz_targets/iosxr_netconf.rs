//! Neighbours of IOS-XR, in XML.
#![no_main]

#[path = "../checks/parser.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| check::anything("iosxr_netconf", octets));
