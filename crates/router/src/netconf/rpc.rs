//! What a server answers: the errors of RFC 6241, section 4.3, in words.

use std::fmt::Write as _;

use super::xml::{self, Element, Foreign};
use crate::mask::{excerpt, mask_text};
use crate::{Error, Step};

/// Errors of one answer that are kept.
const MOST: usize = 50;

/// An `rpc-error`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RpcError {
    /// `transport`, `rpc`, `protocol` or `application`.
    pub kind: String,
    /// For example `lock-denied`.
    pub tag: String,
    /// The model's own word for it.
    pub app_tag: String,
    /// It says no more than that something is odd.
    pub is_warning: bool,
    /// Where in the configuration.
    pub path: String,
    /// What the server says of it, without secrets.
    pub message: String,
    /// The element that is wrong, if it says.
    pub element: String,
    /// Who holds the lock; 0 for somebody outside NETCONF.
    pub session: Option<u64>,
}

impl RpcError {
    fn read(element: &Element<'_>) -> Self {
        let text = |path: &[&str]| element.text_of(path).unwrap_or_default().to_owned();
        Self {
            kind: text(&["error-type"]),
            tag: text(&["error-tag"]),
            app_tag: text(&["error-app-tag"]),
            is_warning: text(&["error-severity"]) == "warning",
            path: mask_text(&text(&["error-path"])),
            message: mask_text(&text(&["error-message"])),
            element: mask_text(&text(&["error-info", "bad-element"])),
            session: element.text_of(&["error-info", "session-id"]).and_then(|id| id.parse().ok()),
        }
    }

    /// Whether somebody else holds what is needed.
    pub fn is_lock(&self) -> bool {
        let message = self.message.to_ascii_lowercase();
        matches!(self.tag.as_str(), "lock-denied" | "in-use")
            || message.contains("database locked by")
            || message.contains("database modified")
    }

    /// What it says, in one line, without secrets.
    pub fn text(&self) -> String {
        let mut text = if self.message.is_empty() { self.tag.clone() } else { excerpt(&self.message) };
        if text.is_empty() {
            "it refuses and does not say why".clone_into(&mut text);
        }
        for (name, value) in [("at", &self.element), ("in", &self.path)] {
            if !value.is_empty() {
                let _ = write!(text, " {name} {}", excerpt(value));
            }
        }
        if !self.tag.is_empty() && self.tag != "operation-failed" && !self.message.is_empty() {
            let _ = write!(text, " ({})", excerpt(&self.tag));
        }
        text
    }

    /// Who holds the lock, in words.
    pub fn holder(&self) -> String {
        match self.session {
            Some(0) => "somebody who is not on NETCONF holds the lock".to_owned(),
            Some(id) => format!("session {id} holds the lock"),
            None => self.text(),
        }
    }
}

/// The errors of an answer, wherever Junos puts them.
pub(crate) fn errors(document: &str) -> Result<Vec<RpcError>, String> {
    let mut found = Vec::new();
    // Data of a router may be large, and errors are rare.
    if memchr::memmem::find(document.as_bytes(), b"rpc-error").is_some() {
        xml::walk(
            document,
            Foreign::Shown,
            |path| path.last() == Some(&"rpc-error"),
            |_, element| {
                if found.len() < MOST {
                    found.push(RpcError::read(&element));
                }
                Ok(())
            },
        )?;
    }
    Ok(found)
}

/// The error of a step that these make; `None` if they are warnings.
pub(crate) fn judge(host: &str, step: Step, errors: &[RpcError]) -> Option<Error> {
    let host = host.to_owned();
    let severe: Vec<&RpcError> = errors.iter().filter(|one| !one.is_warning).collect();
    if let Some(lock) = severe.iter().find(|one| one.is_lock()) {
        return Some(Error::Busy { host, holder: lock.holder() });
    }
    let first = severe.first()?;
    let mut message = severe.iter().take(5).map(|one| one.text()).collect::<Vec<_>>().join("; ");
    if severe.len() > 5 {
        let _ = write!(message, "; and {} more", severe.len() - 5);
    }
    Some(match step {
        Step::Load | Step::Commit if !matches!(first.tag.as_str(), "access-denied" | "resource-denied") => {
            Error::Rejected { host, step, message }
        }
        _ => Error::Failed { host, step, message },
    })
}

#[cfg(test)]
mod tests {
    use super::{errors, judge};
    use crate::{Error, Step};

    const DENIED: &str = "<rpc-reply xmlns='urn:ietf:params:xml:ns:netconf:base:1.0' message-id='1'><rpc-error>\
        <error-type>protocol</error-type><error-tag>lock-denied</error-tag><error-severity>error</error-severity>\
        <error-message xml:lang='en'>Lock failed</error-message><error-info><session-id>454</session-id></error-info>\
        </rpc-error></rpc-reply>";

    #[test]
    fn a_lock_has_a_holder() {
        let found = errors(DENIED).unwrap();
        assert_eq!(found[0].session, Some(454));
        let error = judge("r1", Step::Load, &found).unwrap();
        assert!(
            matches!(&error, Error::Busy { holder, .. } if holder == "session 454 holds the lock"),
            "{error}"
        );
    }

    #[test]
    fn warnings_are_no_failure_and_secrets_do_not_show() {
        let warning = "<rpc-reply><load-configuration-results><rpc-error><error-severity>warning</error-severity>\
            <error-message>\\nstatement not found\\n</error-message></rpc-error><ok/></load-configuration-results></rpc-reply>";
        let found = errors(warning).unwrap();
        assert!(found[0].is_warning && judge("r1", Step::Load, &found).is_none());
        let error = warning
            .replace("warning", "error")
            .replace("statement not found", "syntax error: password hunter2");
        let error = judge("r1", Step::Load, &errors(&error).unwrap()).unwrap();
        assert!(matches!(error, Error::Rejected { .. }) && !error.to_string().contains("hunter2"), "{error}");
        assert!(errors("<rpc-reply><ok/></rpc-reply>").unwrap().is_empty());
    }
}
