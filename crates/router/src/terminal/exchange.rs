//! Which line of what a router shows belongs to which command.

use std::collections::VecDeque;

/// Commands that are typed, and the answers that are there.
pub(super) struct Exchange<'a> {
    prompt: Vec<u8>,
    commands: &'a [String],
    answers: Vec<String>,
    /// The answer that comes in.
    open: Option<Vec<u8>>,
    /// What was typed: for each command from the first without an answer on, its mark, and whether that was typed too.
    typed: VecDeque<(String, bool)>,
    /// Something was typed twice, so that an answer may begin twice.
    again: bool,
}

impl<'a> Exchange<'a> {
    pub fn new(prompt: Vec<u8>, commands: &'a [String]) -> Self {
        Self { prompt, commands, answers: Vec::new(), open: None, typed: VecDeque::new(), again: false }
    }

    /// The next command to type: always one, more as long as no more than `ahead` octets wait for their answers.
    pub fn next(&self, ahead: usize) -> Option<&'a str> {
        let command = self.commands.get(self.answers.len() + self.typed.len())?;
        // A mark is about ten octets.
        (self.typed.is_empty() || self.waiting() + command.len() + 12 <= ahead).then_some(command)
    }

    /// How many octets were typed whose answers are not there yet.
    pub fn waiting(&self) -> usize {
        let commands = self.commands.iter().skip(self.answers.len());
        commands.zip(&self.typed).map(|(command, (mark, _))| command.len() + mark.len() + 2).sum()
    }

    /// What to type for the command that is next, with its mark or, if that has to wait for the answer, without.
    pub fn typed(&mut self, command: &str, mark: String, with_mark: bool) -> String {
        let text = if with_mark { format!("{command}\n{mark}\n") } else { format!("{command}\n") };
        self.typed.push_back((mark, with_mark));
        text
    }

    /// Whether the mark of the command that is being answered has still to be typed.
    pub fn owes_mark(&self) -> bool {
        self.open.is_some() && self.typed.front().is_some_and(|(_, was_typed)| !was_typed)
    }

    /// What to type now that the router shows its prompt: the mark of a command that is being answered, or nothing.
    pub fn late_mark(&mut self) -> String {
        match self.typed.front_mut() {
            Some((mark, was_typed @ false)) if self.open.is_some() => {
                *was_typed = true;
                format!("{mark}\n")
            }
            _ => String::new(),
        }
    }

    /// What was typed ahead is lost; it is typed once more.
    pub fn forget(&mut self) {
        self.again = true;
        self.typed.truncate(usize::from(self.open.is_some()));
        for (_, was_typed) in &mut self.typed {
            *was_typed = false;
        }
    }

    /// A line that the router showed.
    pub fn line(&mut self, line: &[u8]) {
        let Some((mark, _)) = self.typed.front() else { return };
        let after_prompt = line.trim_ascii_end().strip_prefix(self.prompt.as_slice());
        let is = |text: &str| after_prompt == Some(text.as_bytes());
        let begins = self.commands.get(self.answers.len()).is_some_and(|command| is(command));
        match &mut self.open {
            None if begins => self.open = Some(Vec::new()),
            None => {}
            Some(answer) if begins && self.again => answer.clear(),
            Some(answer) if is(mark) => {
                self.answers.push(String::from_utf8_lossy(answer).into_owned());
                self.open = None;
                self.typed.pop_front();
            }
            Some(answer) => {
                answer.extend_from_slice(line);
                answer.push(b'\n');
            }
        }
    }

    /// How many answers are there.
    pub fn count(&self) -> usize {
        self.answers.len()
    }

    pub fn is_done(&self) -> bool {
        self.answers.len() == self.commands.len()
    }

    pub fn answers(self) -> Vec<String> {
        self.answers
    }
}

/// Whether a line that has not ended looks like a prompt: a name, and `>` or `#`.
pub(super) fn is_prompt(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let Some((end, name)) = line.split_last() else { return false };
    matches!(end, b'>' | b'#')
        && name.len() <= 100
        && name.first().is_some_and(|&octet| octet.is_ascii_alphanumeric() || octet >= 128)
        && !name.iter().any(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::{Exchange, is_prompt};

    #[test]
    fn prompts() {
        for (line, is) in [
            ("r1>", true),
            ("edge-1.example#", true),
            ("switch# ", true),
            ("###", false),
            ("# Go away #", false),
            ("Password: ", false),
            ("", false),
        ] {
            assert_eq!(is_prompt(line.as_bytes()), is, "{line}");
        }
    }

    #[test]
    fn answers_stand_between_the_command_and_its_mark() {
        let commands = ["show a".to_owned(), "show b".to_owned(), "show a".to_owned()];
        let mut exchange = Exchange::new(b"r1#".to_vec(), &commands);
        let mut typed = String::new();
        for mark in ["!m1", "!m2", "!m3"] {
            let command = exchange.next(60).unwrap();
            typed += &exchange.typed(command, mark.to_owned(), true);
            // There is room for two.
            if mark == "!m2" {
                assert!(exchange.next(39).is_none() && exchange.next(60).is_some());
            }
        }
        assert_eq!(typed, "show a\n!m1\nshow b\n!m2\nshow a\n!m3\n");
        let shown = "banner r1#show b\nr1#show a\none\nr1#\nr1#!m2\n r1#!m1\nr1#show a\nr1#!m1 \n% odd\nr1#show b\n\
            r1#!m2\nr1#show a\ntwo";
        for line in shown.lines() {
            exchange.line(line.as_bytes());
        }
        assert_eq!(exchange.count(), 2);
        exchange.line(b"r1#!m3");
        assert!(exchange.is_done());
        assert_eq!(exchange.answers(), ["one\nr1#\nr1#!m2\n r1#!m1\nr1#show a\n", "", "two\n"]);
    }

    #[test]
    fn what_is_lost_is_typed_again() {
        let commands = ["show a".to_owned(), "show b".to_owned()];
        let mut exchange = Exchange::new(b"r1#".to_vec(), &commands);
        for mark in ["!m1", "!m2"] {
            let command = exchange.next(100).unwrap();
            exchange.typed(command, mark.to_owned(), true);
        }
        assert_eq!(exchange.late_mark(), "");
        exchange.line(b"r1#show a");
        exchange.line(b"one");
        exchange.forget();
        assert_eq!(exchange.late_mark(), "!m1\n");
        assert_eq!(exchange.next(0), None);
        exchange.line(b"r1#!m1");
        assert_eq!(exchange.next(0), Some("show b"));
        assert_eq!(exchange.typed("show b", "!m4".to_owned(), false), "show b\n");
        assert_eq!(exchange.late_mark(), "");
        exchange.line(b"r1#show b");
        assert_eq!(exchange.late_mark(), "!m4\n");
        exchange.line(b"r1#!m4");
        assert_eq!(exchange.answers(), ["one\n", ""]);
    }
}
