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

/// What a template is for, which says what names it has without setting them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A router's configuration.
    Configuration,
    /// An e-mail.
    Mail,
    /// An export of a model's objects.
    Export(String),
    /// It is not known, or it is included by several.
    Anything,
}

pub(crate) fn check(cx: &Cx, source: &Source, about: &About) -> Vec<Finding> {
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
                _ => continue,
            };
            let hint =
                nearest(word, known.1).map_or(String::new(), |near| format!(", did you mean `{near}`?"));
            findings
                .push(Finding { line: window[1].line, message: format!("no {} `{word}`{hint}", known.0) });
        }
    }
    if let Err(word) = crate::environment::Undefined::declared(&source.text) {
        let message = format!("`undefined: {word}` is neither `strict` nor `lenient`");
        findings.push(Finding { line: 1, message });
    }
    match crate::parser::parse_lax(&name, &source.text, cx.flags) {
        Ok(template) => findings.extend(crate::typed::check(&template.body, about)),
        Err(fault) => {
            let line = fault.0.frames.first().map_or(0, |(_, line)| *line);
            if !findings.iter().any(|finding| finding.line == line) {
                findings.push(Finding { line, message: fault.0.message });
            }
        }
    }
    findings.sort_by_key(|finding| finding.line);
    findings
}

/// The known name that is nearest, if it is near.
pub(crate) fn nearest<'a>(word: &str, known: Vec<&'a str>) -> Option<&'a str> {
    let near = known.into_iter().map(|name| (strsim::damerau_levenshtein(word, name), name)).min()?;
    (near.0 > 0 && near.0 <= 2 && near.0 * 4 <= word.len()).then_some(near.1)
}
