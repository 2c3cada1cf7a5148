//! Answers in pieces of any size.

use std::path::Path;

use pm_irr::answer::{Frame, Limits, Parser};
use proptest::collection::vec;
use proptest::prelude::*;

#[path = "../../fuzz/checks/answer.rs"]
mod check;

const LIMITS: Limits = Limits { kept: 300, skipped: 2000 };

fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        vec(any::<u8>(), 0..299).prop_map(Frame::Data),
        "[ACDEF0-9\n]{0,299}".prop_map(|text| Frame::Data(text.into_bytes())),
        Just(Frame::Done),
        Just(Frame::NotFound),
        Just(Frame::Ambiguous),
        "([a-zA-Z.][a-zA-Z. ]{0,80}[a-zA-Z.])?".prop_map(Frame::Refused),
        (301..2000_u64).prop_map(Frame::TooBig),
    ]
}

fn written(frame: &Frame) -> Vec<u8> {
    let with_length = |data: &[u8]| [format!("A{}\n", data.len()).as_bytes(), data, b"C\n"].concat();
    match frame {
        Frame::Data(data) => with_length(&[data.as_slice(), b"\n"].concat()),
        Frame::Done => b"C\n".to_vec(),
        Frame::NotFound => b"D\n".to_vec(),
        Frame::Ambiguous => b"E\n".to_vec(),
        Frame::Refused(text) => format!("F {text}\n").into_bytes(),
        Frame::TooBig(bytes) => with_length(&vec![b'\n'; usize::try_from(*bytes).unwrap()]),
    }
}

/// What a parser makes of these bytes in pieces of these sizes, over and over.
fn read(bytes: &[u8], pieces: &[usize]) -> (Vec<Frame>, bool, usize) {
    let mut parser = Parser::new(LIMITS);
    let (mut frames, mut held) = (Vec::new(), 0);
    let (mut rest, mut sizes) = (bytes, pieces.iter().cycle());
    while !rest.is_empty() {
        let size = sizes.next().map_or(1, |size| *size).clamp(1, rest.len());
        let (mut piece, after) = rest.split_at(size);
        rest = after;
        loop {
            let next = parser.next(&mut piece);
            held = held.max(parser.held());
            match next {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, true, held),
            }
        }
    }
    (frames, !parser.is_between(), held)
}

proptest! {
    #[test]
    fn answers_are_the_same_in_any_pieces(frames in vec(frame(), 0..20), pieces in vec(1..700_usize, 1..20)) {
        let bytes: Vec<u8> = frames.iter().flat_map(written).collect();
        let (read, broken, _) = read(&bytes, &pieces);
        prop_assert!(!broken);
        prop_assert!(read == frames);
    }

    #[test]
    fn any_bytes_are_borne(bytes in vec(any::<u8>(), 0..3000), pieces in vec(1..100_usize, 1..5)) {
        let (_, _, held) = read(&bytes, &pieces);
        prop_assert!(held < 4096);
        check::pieces_make_no_difference(&bytes);
    }

    #[test]
    fn bytes_that_look_like_answers_are_borne(text in "([ACDEF][0-9]{0,4}\n?){0,400}", pieces in vec(1..100_usize, 1..5)) {
        let (_, _, held) = read(text.as_bytes(), &pieces);
        prop_assert!(held < 4096);
        check::pieces_make_no_difference(text.as_bytes());
    }

    #[test]
    fn a_damaged_byte_never_changes_the_answers_before_it(frames in vec(frame(), 1..8), place in any::<prop::sample::Index>(), byte: u8) {
        let sizes: Vec<usize> = frames.iter().map(|frame| written(frame).len()).collect();
        let mut bytes: Vec<u8> = frames.iter().flat_map(written).collect();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let mut end = 0;
        let sound = sizes.iter().take_while(|size| { end += **size; end <= place }).count();
        let (read, _, _) = read(&bytes, &[bytes.len()]);
        prop_assert!(read.len() >= sound && read[..sound] == frames[..sound]);
    }
}

#[test]
fn the_seeds_of_the_fuzzer_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/answer");
    let mut seeds = 0;
    for entry in folder.read_dir().unwrap() {
        check::pieces_make_no_difference(&std::fs::read(entry.unwrap().path()).unwrap());
        seeds += 1;
    }
    assert!(seeds >= 10, "{seeds} seeds in {}", folder.display());
}
