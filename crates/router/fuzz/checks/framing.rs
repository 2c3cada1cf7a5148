//! What must hold for whatever comes over a NETCONF session. The fuzzer runs it, and so does an ordinary test over the seeds.

use pm_router::netconf::{Decoder, Framing};

const LIMIT: usize = 1000;
/// The longest message with a part of the mark behind it, and what was pushed last with the head of a chunk before it.
const HELD: usize = LIMIT + 6;

/// In one piece, octet by octet, and in pieces of seven, the octets are the same messages; and no more is held than there may
/// be.
pub fn pieces_make_no_difference(octets: &[u8]) {
    for framing in [Framing::Mark, Framing::Chunks] {
        let whole = read(framing, octets, octets.len().max(1));
        for size in [1, 7] {
            assert!(read(framing, octets, size) == whole, "{framing:?} differs in pieces of {size}");
        }
    }
}

/// All messages, and whether an error ended them.
fn read(framing: Framing, octets: &[u8], size: usize) -> (Vec<Vec<u8>>, bool) {
    let mut decoder = Decoder::new(LIMIT);
    decoder.set_framing(framing);
    let mut messages = Vec::new();
    for piece in octets.chunks(size) {
        decoder.push(piece);
        loop {
            match decoder.message() {
                Ok(Some(message)) => {
                    assert!(message.len() <= LIMIT, "a message of {} octets", message.len());
                    messages.push(message);
                }
                Ok(None) => break,
                Err(_) => return (messages, true),
            }
        }
        assert!(decoder.held() <= HELD + size + 14, "holds {} octets", decoder.held());
    }
    (messages, false)
}
