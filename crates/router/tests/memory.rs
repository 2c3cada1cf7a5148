//! Reading what routers send takes less memory than three times its size, or than the neighbours in it.

#![expect(clippy::unwrap_used, reason = "for tests")]

#[path = "../examples/parsers/many.rs"]
mod many;

use peak_alloc::PeakAlloc;
use pm_router::{PARSERS, Parser};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// How much more is held while this is done.
fn peak(does: impl FnOnce()) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    does();
    MEMORY.peak_usage().saturating_sub(before)
}

/// One test, because what others hold would count.
#[test]
fn memory_grows_with_the_answer_and_no_more() {
    for (name, _) in many::GOALS {
        let parser = Parser::named(name).unwrap();
        let parts = many::many(name, 2000);
        let octets: usize = parts.values().map(String::len).sum();
        let held = peak(|| {
            let all = (parser.read)(&parts).unwrap();
            assert_eq!(all.left_out.len(), 0, "{name}: {:?}", all.left_out.first());
            assert!(matches!(all.neighbors.len(), 0 | 2000..), "{name}: {}", all.neighbors.len());
        });
        // A neighbour as it is given takes more than the line that a table has for it.
        // What NAPALM gives is taken apart field by field.
        let each = if name == "napalm" { 4096 } else { 1536 };
        assert!(held < (3 * octets).max(2000 * each), "{name}: {held} for {octets} octets");
    }
    // What looks like very many small things.
    for parser in PARSERS {
        for piece in [
            "<a/>",
            "<a>",
            "<bgp-peer/>",
            "<neighbor/>",
            "[",
            "[1,",
            "{\"a\":1,",
            "\n",
            "a ",
            "192.0.2.1\n",
            " a\n",
            "=\n",
        ] {
            let text = piece.repeat(100_000 / piece.len());
            let parts = parser.parts_of(&text);
            let held = peak(|| drop((parser.read)(&parts)));
            // An element of a document is forty octets and more, however short its name is.
            assert!(
                held < 100 * text.len(),
                "{} with {piece:?}: {held} for {} octets",
                parser.name,
                text.len()
            );
        }
    }
}
