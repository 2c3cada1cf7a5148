//! Reading what routers send takes less memory than three times its size, the answer included.

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
    for parser in PARSERS {
        let is_other = ["netconf", "rpc_json", "shapes", "terminal", "texts"].contains(&parser.name);
        let is_measured = many::GOALS.iter().any(|goal| goal.name == parser.name && goal.speed >= 50);
        assert!(is_other != is_measured, "{} has no goal", parser.name);
    }
    for many::Goal { name, .. } in many::GOALS {
        let parser = Parser::named(name).unwrap();
        for count in [2000, 3000] {
            let parts = many::many(name, count);
            let octets: usize = parts.values().map(String::len).sum();
            let held = peak(|| {
                let all = (parser.read)(&parts).unwrap();
                assert_eq!(all.left_out.len(), 0, "{name}: {:?}", all.left_out.first());
                assert!(matches!(all.neighbors.len(), 0 | 2000..), "{name}: {}", all.neighbors.len());
            });
            println!("{name}: {held} for {octets} octets");
            assert!(held < many::MEMORY as usize * octets, "{name}: {held} for {octets} octets");
        }
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
