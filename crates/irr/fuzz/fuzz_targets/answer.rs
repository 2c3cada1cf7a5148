//! Whatever a server sends: no panic, no more memory than the limit, and pieces make no difference.
#![no_main]

#[path = "../checks/answer.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check::pieces_make_no_difference(bytes));
