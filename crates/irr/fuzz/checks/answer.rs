//! What must hold for whatever a server sends. The fuzzer runs it, and so does an ordinary test over the seeds.

use pm_irr::answer::{Frame, Limits, Parser};

const LIMITS: Limits = Limits { kept: 1000, skipped: 5000 };
/// More than a parser may hold: its data, and its longest line in a vector that doubles.
const HELD: usize = 1000 + 2048;

/// In one piece, byte by byte, and in pieces of seven, the bytes are the same answers.
pub fn pieces_make_no_difference(bytes: &[u8]) {
    let whole = read(bytes, bytes.len().max(1));
    for size in [1, 7] {
        assert!(read(bytes, size) == whole, "differs in pieces of {size}");
    }
}

/// All answers, and whether an error ended them.
fn read(bytes: &[u8], size: usize) -> (Vec<Frame>, bool) {
    let mut parser = Parser::new(LIMITS);
    let mut frames = Vec::new();
    for mut piece in bytes.chunks(size) {
        loop {
            let next = parser.next(&mut piece);
            assert!(parser.held() <= HELD, "holds {} bytes", parser.held());
            match next {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, true),
            }
        }
        assert!(piece.is_empty(), "bytes are left over");
    }
    (frames, parser.is_lost())
}
