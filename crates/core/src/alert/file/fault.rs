//! What is wrong with a file, in a sentence that says what to write instead.

use crate::text::said::plainly;
use std::fmt::{self, Display};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// From 1.
    pub line: u32,
    /// As the file calls it, such as `duration`; empty for faults of the YAML itself.
    pub field: String,
    /// What was found and what is allowed. It never holds a secret.
    pub message: String,
}

impl Fault {
    pub fn new(line: u32, field: &str, message: impl Into<String>) -> Fault {
        Fault { line, field: plainly(field), message: message.into() }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => write!(f, "line {}: {}", self.line, self.message),
            field => write!(f, "line {}: {field}: {}", self.line, self.message),
        }
    }
}

/// "unknown metric `eror_rate`; did you mean `error_rate`?", or else everything that is known.
pub fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let shown = plainly(name);
    match nearest(name, known) {
        Some(near) => format!("unknown {what} `{shown}`; did you mean `{near}`?"),
        None if known.is_empty() => format!("unknown {what} `{shown}`; there is none"),
        None => format!("unknown {what} `{shown}`; known: {}", known.join(", ")),
    }
}

/// Longer names are compared with nothing: the work grows with the square of the length.
const LONGEST: usize = 64;

/// The known name with the fewest edits, if a third of its letters, rounded up, or fewer differ: two letters that
/// changed places are two edits.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name: Vec<char> = name.chars().take(LONGEST + 1).flat_map(char::to_lowercase).collect();
    if name.len() > LONGEST {
        return None;
    }
    let edits = known.iter().map(|&known| (edits(&name, &known.to_lowercase()), known));
    let (edits, near) = edits.min_by_key(|&(edits, _)| edits)?;
    (edits <= near.chars().count().div_ceil(3)).then_some(near)
}

/// Levenshtein's distance.
fn edits(from: &[char], to: &str) -> usize {
    let mut row: Vec<usize> = (0..=from.len()).collect();
    for (index, to) in to.chars().enumerate() {
        let mut left = index + 1;
        let mut diagonal = index;
        for (column, &from) in from.iter().enumerate() {
            let up = row[column + 1];
            row[column] = left;
            left = (diagonal + usize::from(from != to)).min(up + 1).min(left + 1);
            diagonal = up;
        }
        row[from.len()] = left;
    }
    row[from.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_gets_its_nearest() {
        let known = ["error_rate", "avg_latency", "cpu"];
        let check = |name: &str, near| assert_eq!(nearest(name, &known), near, "{name}");
        check("eror_rate", Some("error_rate"));
        check("ERROR_RATE", Some("error_rate"));
        check("latency_avg", None);
        check("avg-latency", Some("avg_latency"));
        check("cpus", Some("cpu"));
        check("", None);
        check(&"x".repeat(1_000), None);
    }

    #[test]
    fn edits_are_counted_as_levenshtein_does() {
        let check = |a: &str, b: &str, n| assert_eq!(edits(&a.chars().collect::<Vec<_>>(), b), n, "{a} {b}");
        check("kitten", "sitting", 3);
        check("", "abc", 3);
        check("abc", "", 3);
        check("abc", "abc", 0);
        check("flaw", "lawn", 2);
    }

    #[test]
    fn a_sentence_lists_what_is_known_where_nothing_is_near() {
        assert_eq!(
            unknown("mode", "fast", &["robust", "literal"]),
            "unknown mode `fast`; known: robust, literal"
        );
        assert_eq!(unknown("rule", "A", &[]), "unknown rule `A`; there is none");
    }
}
