//! What a terminal would show of the octets that a router sends: lines, without control sequences.

/// A line at a time; whole lines are handed out and forgotten.
#[derive(Default)]
pub(super) struct Screen {
    line: Vec<u8>,
    /// Where the next character goes.
    column: usize,
    /// Something was written over, so that blanks at the end may be what is left of it.
    over: bool,
    sequence: Sequence,
}

/// Where in a control sequence (ECMA-48) the octets are.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Sequence {
    #[default]
    None,
    Escape,
    /// With the last octet of its parameters.
    Control(u8),
    /// A text for the terminal itself, such as its title.
    Text,
}

impl Screen {
    /// Takes octets in, and gives each line that they end.
    pub fn push(&mut self, octets: &[u8], mut whole: impl FnMut(&[u8])) {
        let mut rest = octets;
        while let Some((&octet, after)) = rest.split_first() {
            if self.sequence != Sequence::None {
                self.follow(octet);
                rest = after;
                continue;
            }
            let plain = rest.iter().position(|&octet| is_control(octet)).unwrap_or(rest.len());
            if plain > 0 {
                self.write(&rest[..plain]);
                rest = &rest[plain..];
                continue;
            }
            match octet {
                b'\n' => {
                    whole(if self.over { self.line.trim_ascii_end() } else { &self.line });
                    self.line.clear();
                    self.column = 0;
                    self.over = false;
                }
                b'\r' => self.column = 0,
                8 => self.column = self.column.saturating_sub(1),
                27 => self.sequence = Sequence::Escape,
                _ => {}
            }
            rest = after;
        }
    }

    /// The line that has not ended yet.
    pub fn current(&self) -> &[u8] {
        &self.line
    }

    fn write(&mut self, text: &[u8]) {
        let over = text.len().min(self.line.len() - self.column);
        self.over |= over > 0;
        self.line[self.column..self.column + over].copy_from_slice(&text[..over]);
        self.line.extend_from_slice(&text[over..]);
        self.column += text.len();
    }

    fn follow(&mut self, octet: u8) {
        self.sequence = match (self.sequence, octet) {
            (Sequence::Escape, b'[') => Sequence::Control(0),
            (Sequence::Escape, b']') | (Sequence::Text, 0..=6 | 8..=26 | 28..) => Sequence::Text,
            // Those that have further octets before the last one.
            (Sequence::Escape, 0x20..=0x2f) | (Sequence::Text, 27) => Sequence::Escape,
            (Sequence::Control(parameter), 0x40..=0x7e) => {
                if matches!(octet, b'J' | b'K') {
                    let from = if parameter == b'2' { 0 } else { self.column };
                    self.line.truncate(from);
                    self.column = self.column.min(from);
                }
                Sequence::None
            }
            (Sequence::Control(_), _) => Sequence::Control(octet),
            _ => Sequence::None,
        };
    }
}

fn is_control(octet: u8) -> bool {
    (octet < b' ' && octet != b'\t') || octet == 127
}

#[cfg(test)]
mod tests {
    use super::Screen;

    /// The whole lines and the one that has not ended, when the octets come in pieces of this size.
    fn shown(octets: &[u8], size: usize) -> Vec<String> {
        let mut screen = Screen::default();
        let mut lines = Vec::new();
        for piece in octets.chunks(size) {
            screen.push(piece, |line| lines.push(String::from_utf8_lossy(line).into_owned()));
        }
        lines.push(String::from_utf8_lossy(screen.current()).into_owned());
        lines
    }

    #[test]
    fn control_sequences_do_what_a_terminal_does() {
        let more = b" --More-- \x08\x08\x08\x08\x08\x08\x08\x08\x08\x08          \
            \x08\x08\x08\x08\x08\x08\x08\x08\x08\x08next line here\r\n";
        for (octets, lines) in [
            (&b"a\r\nb\r\r\nc"[..], &["a", "b", "c"][..]),
            (b"r1#sho\x08 \x08\x08w", &["r1#sw "]),
            (b"\x1b[7m--More--\x1b[27m\r\x1b[Ktext\n", &["text", ""]),
            (more, &["next line here", ""]),
            (&[&more[..40], b"\r\n"].concat(), &["", ""]),
            (b"\x1b]0;title\x07r1# \x1b(B\x1b[2Kx\x00\x07", &["x"]),
            ("é\u{1b}[31mü\n".as_bytes(), &["éü", ""]),
            (b"abc\rX\r\n", &["Xbc", ""]),
        ] {
            for size in [1, 2, 3, octets.len()] {
                assert_eq!(shown(octets, size), lines, "{octets:?} by {size}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_octets_do_no_harm(octets in proptest::collection::vec(proptest::num::u8::ANY, 0..200), size in 1..50_usize) {
            let whole = shown(&octets, octets.len().max(1));
            proptest::prop_assert_eq!(shown(&octets, size), whole);
        }
    }
}
