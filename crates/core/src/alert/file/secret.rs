//! What no page, log or export shows: passwords, keys, and addresses whose path is a password.

use serde::{Serialize, Serializer};
use std::fmt::{self, Debug, Display};

const HIDDEN: &str = "[hidden]";

/// `Debug`, `Display` and `Serialize` hide it; [`Secret::reveal`] is for the one who sends it.
#[derive(Clone)]
pub struct Secret {
    value: String,
    /// As the file has it, before `${NAME}` was replaced.
    written: String,
}

impl Secret {
    pub fn new(value: impl Into<String>, written: impl Into<String>) -> Secret {
        Secret { value: value.into(), written: written.into() }
    }

    pub fn reveal(&self) -> &str {
        &self.value
    }

    /// What a file may say in its place. A text that is more than a `${NAME}` may hold a part of the secret.
    pub(super) fn variable(&self) -> Option<&str> {
        is_variable(&self.written).then_some(self.written.as_str())
    }

    pub(super) fn written(&self) -> &str {
        &self.written
    }
}

/// Exactly one `${NAME}`.
pub(super) fn is_variable(text: &str) -> bool {
    let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| !name.is_empty() && !name.contains(['$', '{', '}']))
}

/// By what it is, not by how it was written.
impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.value == other.value
    }
}

impl Eq for Secret {}

impl Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_to_nobody() {
        let secret = Secret::new("hunter2", "hunter2");
        let json = serde_json::to_string(&secret).expect("JSON");
        let shown = format!("{secret} {secret:?} {secret:#?} {json} {:?}", secret.variable());
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn only_a_whole_variable_may_stand_in_its_place() {
        let check = |written: &str, variable| {
            assert_eq!(Secret::new("x", written).variable(), variable, "{written}");
        };
        check("${SLACK_URL}", Some("${SLACK_URL}"));
        check("x", None);
        check("https://${HOST}/token", None);
        check("${A}token${B}", None);
        check("${}", None);
    }
}
