//! What somebody could come to see, and that no secret is in it.

use std::fmt::Debug;

use pm_router::Error;
use serde_json::Value as Json;

/// What somebody could come to see.
#[derive(Default)]
pub struct Seen(Vec<(String, String)>);

impl Seen {
    pub fn text(&mut self, what: &str, text: impl Into<String>) {
        self.0.push((what.to_owned(), text.into()));
    }

    pub fn debug(&mut self, what: &str, value: &impl Debug) {
        self.text(what, format!("{value:?} {value:#?}"));
    }

    pub fn error(&mut self, what: &str, error: &Error) {
        self.debug(what, error);
        self.text(what, error.to_string());
    }

    pub fn outcome<T: Debug>(&mut self, what: &str, outcome: &Result<T, Error>) {
        match outcome {
            Ok(value) => self.debug(what, value),
            Err(error) => self.error(what, error),
        }
    }

    /// That no secret is among it, and that there is as much as should be.
    pub fn check(&self, who: &str, least: usize) {
        for (what, text) in &self.0 {
            assert!(!text.contains("Planted"), "{who}, {what}: {text}");
        }
        let masked = self.0.iter().filter(|(_, text)| text.contains("******")).count();
        assert!(
            masked >= least,
            "{who}: only {masked} of {} texts had a secret: {:#?}",
            self.0.len(),
            self.0
        );
    }
}
/// What the table above looks for is found where it is.
#[test]
#[should_panic(expected = "Planted")]
fn a_secret_that_shows_is_found() {
    let mut seen = Seen::default();
    seen.debug("x", &Json::from("password Planted"));
    seen.check("nobody", 0);
}
