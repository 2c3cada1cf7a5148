//! Looking a template over without rendering it.

use std::rc::Rc;

use crate::context::Cx;
use crate::environment::Source;
use crate::lexer::Tok;
use crate::names;

/// Something to tell a template's author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Line from 1.
    pub line: usize,
    /// What is wrong and what may have been meant.
    pub message: String,
}

/// Names that are there without being set.
const CONTEXT: &[&str] = &[
    "router",
    "local_as",
    "autonomous_systems",
    "bgp_groups",
    "internet_exchange_points",
    "communities",
    "routing_policies",
    "autonomous_system",
    "affiliated_autonomous_systems",
    "dataset",
];

pub(crate) fn check(cx: &Cx, source: &Source) -> Vec<Finding> {
    let name: Rc<str> = source.name.as_str().into();
    let mut findings = Vec::new();
    let text = crate::lexer::normalise(&source.text);
    if let Ok(tokens) = crate::lexer::tokenize(&text, &name, source.trim, source.lstrip) {
        for window in tokens.windows(3) {
            let Tok::Name(word) = &window[1].tok else { continue };
            let known: (&str, Vec<&str>) = match &window[0].tok {
                Tok::Op("|") if !names::exists(names::Kind::Filter, word) => {
                    ("filter", [names::OWN_FILTERS, names::FILTERS].concat())
                }
                Tok::Name(is)
                    if &**is == "is" && &**word != "not" && !names::exists(names::Kind::Test, word) =>
                {
                    ("test", names::TESTS.to_vec())
                }
                Tok::Op(".") if !window[2].tok.eq(&Tok::Op("(")) && !attribute_known(cx, word) => {
                    let Some(near) = nearest(word, attributes(cx)) else { continue };
                    let message = format!("nothing has an attribute `{word}`, did you mean `{near}`?");
                    findings.push(Finding { line: window[1].line, message });
                    continue;
                }
                _ => continue,
            };
            let hint =
                nearest(word, known.1).map_or(String::new(), |near| format!(", did you mean `{near}`?"));
            findings
                .push(Finding { line: window[1].line, message: format!("no {} `{word}`{hint}", known.0) });
        }
    }
    if let Err(fault) = crate::parser::parse(&name, &source.text, cx.flags) {
        let line = fault.0.frames.first().map_or(0, |(_, line)| *line);
        if !findings.iter().any(|finding| finding.line == line) {
            findings.push(Finding { line, message: fault.0.message });
        }
    }
    findings
}

fn attributes(cx: &Cx) -> Vec<&str> {
    let models = crate::model::Models::get().all();
    let mut all: Vec<&str> =
        models.iter().flat_map(|model| model.fields.iter().map(|field| &*field.name)).collect();
    all.extend(models.iter().flat_map(|model| model.reverse.iter().map(|reverse| &*reverse.name)));
    all.extend(CONTEXT);
    let _ = cx;
    all
}

/// Fields and whatever else may stand behind a dot.
fn attribute_known(cx: &Cx, word: &str) -> bool {
    attributes(cx).contains(&word)
}

/// The known name that is nearest, if it is near.
fn nearest<'a>(word: &str, known: Vec<&'a str>) -> Option<&'a str> {
    let near = known.into_iter().map(|name| (strsim::damerau_levenshtein(word, name), name)).min()?;
    (near.0 > 0 && near.0 <= 2 && near.0 * 4 <= word.len()).then_some(near.1)
}
