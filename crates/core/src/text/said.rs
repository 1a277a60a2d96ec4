//! A parser's words about what others wrote. It quotes them: an unknown name may be as long as the whole body, and hold
//! whatever a terminal obeys.

use crate::text::is_hidden;
use std::fmt::Display;

/// Characters of it at most.
const MOST: usize = 200;

/// The error as part of one sentence: one line, of bounded length.
pub fn plainly(error: impl Display) -> String {
    let words = error.to_string();
    let mut plain: String = words.chars().map(|c| if is_hidden(c) { ' ' } else { c }).take(MOST).collect();
    if words.chars().nth(MOST).is_some() {
        plain.push('…');
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_of_bounded_length() {
        assert_eq!(plainly("unknown variant `a\n\u{1b}[31m`"), "unknown variant `a  [31m`");
        assert_eq!(plainly("unknown field `a\u{202e}b`"), "unknown field `a b`");
        assert_eq!(plainly("é".repeat(MOST)), "é".repeat(MOST));
        assert_eq!(plainly("é".repeat(MOST + 1)), "é".repeat(MOST) + "…");
    }
}
