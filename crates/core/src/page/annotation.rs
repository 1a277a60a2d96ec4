//! Flags on the charts: what happened around the sessions, so that a step in a line has a reason beside it.

use crate::text::is_label;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnnotationKind {
    Deploy,
    /// A node began.
    Restart,
    /// A limit was turned.
    Change,
    Note,
}

impl AnnotationKind {
    pub const ALL: [AnnotationKind; 4] =
        [AnnotationKind::Deploy, AnnotationKind::Restart, AnnotationKind::Change, AnnotationKind::Note];

    pub fn as_str(self) -> &'static str {
        match self {
            AnnotationKind::Deploy => "deploy",
            AnnotationKind::Restart => "restart",
            AnnotationKind::Change => "change",
            AnnotationKind::Note => "note",
        }
    }

    pub fn parse(text: &str) -> Option<AnnotationKind> {
        AnnotationKind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Longest text, characters.
pub const LONGEST: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// 0 until it is stored.
    #[serde(default)]
    pub id: i64,
    /// Unix seconds.
    pub at: i64,
    pub kind: AnnotationKind,
    /// Empty: about all nodes.
    #[serde(default)]
    pub node: String,
    pub text: String,
    /// Who set it, by name. Empty: the server itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
}

/// What somebody posts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAnnotation {
    /// Unix seconds; now, if it is not given.
    pub at: Option<i64>,
    pub kind: Option<String>,
    #[serde(default)]
    pub node: String,
    pub text: String,
}

/// The field at fault, and what is allowed.
pub type Bad = (&'static str, &'static str);

impl Annotation {
    /// `author`: by name. `now`: Unix seconds.
    pub fn check(wish: NewAnnotation, author: &str, now: i64) -> Result<Annotation, Bad> {
        let kind = wish.kind.as_deref().unwrap_or("note");
        let kind = AnnotationKind::parse(kind)
            .filter(|kind| matches!(kind, AnnotationKind::Deploy | AnnotationKind::Note))
            .ok_or(("kind", "kind must be deploy or note."))?;
        let at = wish.at.unwrap_or(now);
        // A year back and a day ahead: what is farther off is a mistake in the unit.
        if !(now - 31_622_400..=now + 86_400).contains(&at) {
            return Err(("at", "at must be Unix seconds from a year ago to tomorrow."));
        }
        if !is_label(&wish.text, LONGEST) {
            return Err((
                "text",
                "text must have 1 to 200 characters and no control or invisible formatting characters.",
            ));
        }
        if !wish.node.is_empty() && !is_label(&wish.node, 64) {
            return Err((
                "node",
                "node must have at most 64 characters and no control or invisible formatting characters.",
            ));
        }
        Ok(Annotation { id: 0, at, kind, node: wish.node, text: wish.text, author: author.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_posted_is_checked() {
        let now = 1_795_444_927;
        let check = |json: &str, expected: Result<AnnotationKind, &str>| {
            let wish: NewAnnotation = serde_json::from_str(json).expect("a wish");
            let found =
                Annotation::check(wish, "ci", now).map(|annotation| annotation.kind).map_err(|bad| bad.0);
            assert_eq!(found, expected, "{json}");
        };
        check(r#"{"text":"v2.3"}"#, Ok(AnnotationKind::Note));
        check(r#"{"text":"v2.3","kind":"deploy","at":1795444000}"#, Ok(AnnotationKind::Deploy));
        check(r#"{"text":"v2.3","kind":"restart"}"#, Err("kind"));
        check(r#"{"text":"v2.3","at":1795444927000}"#, Err("at"));
        check(r#"{"text":""}"#, Err("text"));
        check(r#"{"text":"a\nb"}"#, Err("text"));
        check(r#"{"text":"v2.3 \u202ednuora"}"#, Err("text"));
        check(r#"{"text":"v2.3","node":"a\u2066b"}"#, Err("node"));
        let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(201));
        check(&long, Err("text"));
    }
}
