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

    /// What a file may say in its place: `${NAME}` as it was written, or a `${NAME}` to be set, named after the field. A
    /// text that is more than a `${NAME}` may hold a part of the secret.
    pub(super) fn exported(&self, channel: &str, field: &str) -> String {
        if is_variable(&self.written) {
            return self.written.clone();
        }
        let name = format!("{channel}_{field}").to_uppercase();
        format!("${{{}}}", name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_"))
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
        let shown = format!("{secret} {secret:?} {secret:#?} {json} {}", secret.exported("ops-mail", "url"));
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn an_export_names_a_variable_in_its_place() {
        let check = |written: &str, exported: &str| {
            assert_eq!(Secret::new("x", written).exported("ops-mail", "url"), exported, "{written}");
        };
        check("${SLACK_URL}", "${SLACK_URL}");
        check("x", "${OPS_MAIL_URL}");
        check("https://${HOST}/token", "${OPS_MAIL_URL}");
        check("${A}token${B}", "${OPS_MAIL_URL}");
    }
}
