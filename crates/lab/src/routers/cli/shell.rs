//! The command line itself: octets in, octets out.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use super::{Fault, Kind, Options, Seen, locked};

/// What happens beside what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The session goes on.
    Continue,
    /// Nothing is said and read any more.
    Silence,
    /// The connection ends.
    End,
    /// Lines follow without an end.
    Endless,
}

/// What is typed now.
enum Typing {
    Command,
    /// For `enable`, for the so-manieth time.
    Password(usize),
    /// A key, at the end of a page; these lines follow.
    Page(VecDeque<String>),
}

pub(super) struct Shell {
    options: Arc<Options>,
    seen: Arc<Mutex<Seen>>,
    privileged: bool,
    typing: Typing,
    line: Vec<u8>,
    length: usize,
    width: usize,
    out: Vec<u8>,
    then: Then,
}

impl Shell {
    pub fn new(options: Arc<Options>, seen: Arc<Mutex<Seen>>, width: usize) -> Self {
        let privileged = options.privileged || options.kind == Kind::Nxos;
        Self {
            options,
            seen,
            privileged,
            typing: Typing::Command,
            line: Vec::new(),
            length: 24,
            width,
            out: Vec::new(),
            then: Then::Continue,
        }
    }

    /// The banner and the first prompt.
    pub fn begin(&mut self) -> Vec<u8> {
        if self.options.fault == Fault::SilentAfterLogin {
            return Vec::new();
        }
        let banner = self.options.banner.replace('\n', "\r\n");
        self.say(&banner);
        self.prompt();
        std::mem::take(&mut self.out)
    }

    /// What is shown for what is typed.
    pub fn input(&mut self, octets: &[u8]) -> (Vec<u8>, Then) {
        let mut rest = octets;
        while let Some((&octet, after)) = rest.split_first() {
            rest = after;
            if self.then != Then::Continue {
                break;
            }
            let ended = self.key(octet, rest);
            if ended && self.options.forgetful {
                rest = &[];
            }
        }
        (std::mem::take(&mut self.out), self.then)
    }

    fn name(&self) -> String {
        let sign = match (self.options.kind, self.privileged) {
            (Kind::Nxos, _) => "# ",
            (Kind::Ios, true) => "#",
            (Kind::Ios, false) => ">",
        };
        format!("{}{sign}", self.options.hostname)
    }

    fn say(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn prompt(&mut self) {
        let name = self.name();
        self.say(&name);
        self.typing = Typing::Command;
    }

    /// A key, and what was typed after it. Whether that ran a command that shows something.
    fn key(&mut self, octet: u8, ahead: &[u8]) -> bool {
        if let Typing::Page(rest) = &mut self.typing {
            let rest = std::mem::take(rest);
            self.turn(octet, rest);
            return false;
        }
        let is_end = matches!(octet, b'\n' | b'\r');
        if is_end {
            self.say("\r\n");
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
            if let Typing::Password(times) = self.typing {
                self.password(&line, times);
                return false;
            }
            return self.run(&line, ahead);
        }
        self.line.push(octet);
        if matches!(self.typing, Typing::Command) {
            let shown = self.name().len() + self.line.len();
            if shown < self.width {
                self.out.push(octet);
            } else {
                // The line moves to the left, and its beginning is out of sight.
                let from = self.line.len().saturating_sub(10);
                let tail = String::from_utf8_lossy(&self.line[from..]).into_owned();
                let name = self.name();
                self.say(&format!("\r{name}${tail}"));
            }
        }
        false
    }

    fn run(&mut self, line: &str, ahead: &[u8]) -> bool {
        let command = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if command.is_empty() || command.starts_with('!') {
            self.prompt();
            return false;
        }
        locked(&self.seen).commands.push(command.clone());
        if self.options.kind == Kind::Nxos && !ahead.is_empty() {
            // Nobody reads while a command runs, so the terminal itself shows what is typed.
            let shown = String::from_utf8_lossy(ahead).replace('\n', "\r\n");
            self.say(&shown);
        }
        if !self.options.forbidden.contains(&command) && self.builtin(&command) {
            return false;
        }
        let hidden = command.starts_with("show run") && !self.privileged;
        let answer = if hidden { None } else { self.answer(&command) };
        let text = if self.options.forbidden.contains(&command) {
            match self.options.kind {
                Kind::Ios => "Command authorization failed.\n\n".to_owned(),
                Kind::Nxos => "% Permission denied for the role\n".to_owned(),
            }
        } else if let Some(answer) = answer {
            answer
        } else {
            self.refusal(&command)
        };
        self.show(&command, &text);
        true
    }

    /// What the system knows by itself; whether it was that.
    fn builtin(&mut self, command: &str) -> bool {
        let words: Vec<&str> = command.split(' ').collect();
        match words.as_slice() {
            ["terminal", what @ ("length" | "width"), number] => {
                let range = match (self.options.kind, *what) {
                    (Kind::Ios, _) => 0..=512,
                    (Kind::Nxos, "length") => 0..=511,
                    (Kind::Nxos, _) => 24..=511,
                };
                let Some(number) = number.parse().ok().filter(|number| range.contains(number)) else {
                    return false;
                };
                if *what == "length" {
                    self.length = number;
                } else {
                    self.width = if number == 0 { usize::MAX } else { number };
                }
                self.prompt();
            }
            ["enable"] if self.options.kind == Kind::Ios => match &self.options.secret {
                _ if self.privileged => self.prompt(),
                None => {
                    self.say("% No password set\r\n");
                    self.prompt();
                }
                Some(_) => {
                    self.say("Password: ");
                    self.typing = Typing::Password(1);
                }
            },
            ["exit" | "logout"] => self.then = Then::End,
            _ => return false,
        }
        true
    }

    fn password(&mut self, given: &str, times: usize) {
        if self.options.secret.as_deref() == Some(given) {
            self.privileged = true;
            self.prompt();
        } else if times < 3 {
            self.say("Password: ");
            self.typing = Typing::Password(times + 1);
        } else {
            self.say("% Bad secrets\r\n\r\n");
            self.prompt();
        }
    }

    fn answer(&self, command: &str) -> Option<String> {
        let name: String = command.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let answers = &self.options.answers;
        answers.get(command).or_else(|| answers.get(&name)).cloned()
    }

    /// Points at the first word that no command has at its place.
    fn refusal(&self, command: &str) -> String {
        let plain = |text: &str| {
            text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_owned).collect::<Vec<_>>()
        };
        let typed: Vec<&str> = command.split(' ').collect();
        let known = self.options.answers.keys().map(|one| plain(one)).max_by_key(|one| common(&typed, one));
        let count = known.as_ref().map_or(0, |one| common(&typed, one));
        let complete = count == typed.len();
        let at: usize = typed.iter().take(count).map(|word| word.len() + 1).sum();
        let marker = format!("{:>1$}", '^', self.name().len() + at + 1);
        match (self.options.kind, complete) {
            (Kind::Ios, true) => "% Incomplete command.\n\n".to_owned(),
            (Kind::Ios, false) => format!("{marker}\n% Invalid input detected at '^' marker.\n\n"),
            (Kind::Nxos, true) => format!("{marker}\n% Incomplete command at '^' marker.\n"),
            (Kind::Nxos, false) => format!("{marker}\n% Invalid command at '^' marker.\n"),
        }
    }

    fn show(&mut self, command: &str, text: &str) {
        let half = |text: &str| {
            let mut at = text.len() / 2;
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            text[..at].replace('\n', "\r\n")
        };
        let then = match &self.options.fault {
            Fault::Hang(of) if of == command => Then::Silence,
            Fault::Cut(of) if of == command => Then::End,
            Fault::Endless(of) if of == command => Then::Endless,
            _ => {
                let lines = text.trim_end_matches('\n').split('\n').map(str::to_owned).collect();
                let lines = if text.is_empty() { VecDeque::new() } else { lines };
                return self.page(lines, self.length.saturating_sub(1));
            }
        };
        self.then = then;
        let shown = half(text);
        self.say(&shown);
    }

    /// Shows so many lines, and asks for a key if there are more.
    fn page(&mut self, mut lines: VecDeque<String>, count: usize) {
        let all = self.length == 0;
        let mut text = String::new();
        for _ in 0..if all { lines.len() } else { count } {
            let Some(line) = lines.pop_front() else { break };
            let _ = write!(text, "{line}\r\n");
        }
        self.say(&text);
        if lines.is_empty() {
            return self.prompt();
        }
        self.say(match self.options.kind {
            Kind::Ios => " --More-- ",
            Kind::Nxos => "\u{1b}[7m--More--\u{1b}[27m",
        });
        self.typing = Typing::Page(lines);
    }

    fn turn(&mut self, key: u8, lines: VecDeque<String>) {
        match self.options.kind {
            Kind::Ios => {
                let back = "\u{8}".repeat(10);
                self.say(&format!("{back}          {back}"));
            }
            Kind::Nxos => self.say("\r\u{1b}[K"),
        }
        match key {
            b' ' => self.page(lines, self.length.saturating_sub(1)),
            b'\n' | b'\r' => self.page(lines, 1),
            _ => self.prompt(),
        }
    }
}

/// How many words both begin with.
fn common(typed: &[&str], known: &[String]) -> usize {
    typed.iter().zip(known).take_while(|(one, other)| *one == *other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(kind: Kind, answers: &[(&str, &str)]) -> Shell {
        let answers = answers.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let options = Options {
            kind,
            hostname: "r1".into(),
            secret: Some("s3cret".into()),
            answers,
            ..Options::default()
        };
        let mut shell = Shell::new(Arc::new(options), Arc::default(), 80);
        shell.begin();
        shell
    }

    fn typed(shell: &mut Shell, text: &str) -> String {
        String::from_utf8(shell.input(text.as_bytes()).0).unwrap()
    }

    #[test]
    fn what_is_not_known_is_refused_at_its_place() {
        let mut ios = shell(Kind::Ios, &[("show bgp all summary", "x")]);
        assert_eq!(
            typed(&mut ios, "show bgp foo\n"),
            "show bgp foo\r\n            ^\r\n% Invalid input detected at '^' marker.\r\nr1>"
        );
        assert_eq!(typed(&mut ios, "show bgp\n"), "show bgp\r\n% Incomplete command.\r\nr1>");
        assert_eq!(
            typed(&mut ios, "show bgp all summary\n!x\n"),
            "show bgp all summary\r\nx\r\nr1>!x\r\nr1>"
        );
        let mut nxos = shell(Kind::Nxos, &[("show_bgp_all", "x")]);
        assert!(typed(&mut nxos, "show foo\n").contains("% Invalid command at '^' marker."));
        assert_eq!(typed(&mut nxos, "show bgp all\n!a\n"), "show bgp all\r\n!a\r\nx\r\nr1# !a\r\nr1# ");
    }

    #[test]
    fn pages_widths_and_modes() {
        let long = (0..30).map(|number| format!("line {number}")).collect::<Vec<_>>().join("\n") + "\n";
        let mut ios = shell(Kind::Ios, &[("show long", &long), ("show running-config", "x")]);
        let first = typed(&mut ios, "show long\n");
        assert!(first.contains("line 22\r\n --More-- ") && !first.contains("line 23"));
        assert!(typed(&mut ios, " ").ends_with("line 29\r\nr1>"));
        typed(&mut ios, "terminal length 0\n");
        assert!(typed(&mut ios, "show long\n").contains("line 29"));
        assert!(typed(&mut ios, "terminal length 513\n").contains("% Invalid input"));
        let wide = "!".repeat(90);
        assert!(typed(&mut ios, &format!("{wide}\n")).contains("\rr1>$!!"));
        typed(&mut ios, "terminal width 511\n");
        assert!(typed(&mut ios, &format!("{wide}\n")).starts_with(&wide));

        assert!(typed(&mut ios, "show running-config\n").contains("% Invalid input"));
        assert_eq!(typed(&mut ios, "enable\n"), "enable\r\nPassword: ");
        assert_eq!(typed(&mut ios, "wrong\n"), "\r\nPassword: ");
        assert_eq!(typed(&mut ios, "s3cret\n"), "\r\nr1#");
        assert!(typed(&mut ios, "show running-config\n").contains("\r\nx\r\n"));
    }
}
