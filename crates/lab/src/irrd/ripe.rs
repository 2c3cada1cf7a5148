//! Questions in the manner of RIPE's server: flags and words. The answers end with two empty lines.

use super::query::Refusal;
use super::rpsl::as_number;
use super::session::Session;
use super::world::Class;

impl Session {
    /// The answer to a line that does not begin with `!`.
    pub(super) fn ripe(&mut self, line: &str) -> String {
        match self.obey_flags(line) {
            Ok(found) if found.is_empty() => {
                "%  No entries found for the selected source(s).\n\n\n".to_owned()
            }
            Ok(found) => format!("{found}\n\n\n"),
            Err(refusal) => format!("%% ERROR: {}\n\n\n", refusal.0),
        }
    }

    /// Of two words only the last is answered.
    fn obey_flags(&mut self, line: &str) -> Result<String, Refusal> {
        let mut found = String::new();
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix('-') else {
                found = self.look_for(word);
                continue;
            };
            let mut argument =
                || words.next().ok_or_else(|| Refusal(format!("Missing argument for flag/search: {flag}")));
            match flag {
                "k" => self.multiple = true,
                "s" => self.select(argument()?)?,
                "a" => self.select_default(),
                "T" => self.classes = Some(argument()?.split(',').map(str::to_owned).collect()),
                "V" => {
                    argument()?;
                }
                "F" | "r" => {}
                _ => return Err(Refusal(format!("Unrecognised flag/search: {flag}"))),
            }
        }
        Ok(found)
    }

    /// All objects of this name in all selected sources, an empty line between two. The classes asked for are
    /// forgotten then.
    fn look_for(&mut self, word: &str) -> String {
        let wanted = self.classes.take();
        let key = as_number(word).map_or_else(|| word.to_uppercase(), |asn| format!("AS{asn}"));
        let classes = Class::ALL.into_iter().filter(|class| {
            wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|name| name == class.as_str()))
        });
        let texts: Vec<&str> =
            classes.flat_map(|class| self.objects(class, &key)).map(|(_, text)| text).collect();
        texts.join("\n\n")
    }
}
