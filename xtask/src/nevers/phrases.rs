//! Phrases that make a sentence hard to read: they are refused in every text file, code and docs alike.

/// Each with its plain replacement.
const PHRASES: &[(&[&str], &str)] = &[
    (&["whoever"], "name who it is: the client, the follower, the thread that …"),
    (&["whence"], "write `where … from`"),
    (&["of", "late"], "write `recent` or `recently`"),
    (&["for", "want", "of"], "name the cause: `because the buffer was full`"),
    (&["is", "none", "of"], "write `is not a …`"),
    (&["none", "of", "ours"], "write `unknown` or `not a …`"),
    (&["let", "go", "of"], "write `dropped`, `released` or `closed`"),
    (&["lets", "go", "of"], "write `drops`, `releases` or `closes`"),
];

/// This file names what it refuses. Of a migration that was applied somewhere, no byte may change: databases hold its
/// checksum. New migrations are checked.
const EXCEPT: &[&str] = &[
    "xtask/src/nevers/phrases.rs",
    "migrations/0001_sessions.sql",
    "migrations/0003_access.sql",
    "migrations/0005_load_tests.sql",
    "migrations/0006_history.sql",
    "migrations/0007_traces.sql",
    "migrations/0009_dropped.sql",
];

/// One sentence for each place.
pub fn violations(name: &str, text: &str) -> Vec<String> {
    if EXCEPT.contains(&name) {
        return Vec::new();
    }
    let words = words(text);
    let mut found = Vec::new();
    for (index, (line, _)) in words.iter().enumerate() {
        for (phrase, instead) in PHRASES.iter().filter(|(phrase, _)| starts_with(&words[index..], phrase)) {
            found.push(format!("{name}:{line}: `{}` is hard to read: {instead}.", phrase.join(" ")));
        }
    }
    found
}

fn starts_with(words: &[(usize, &str)], phrase: &[&str]) -> bool {
    words.len() >= phrase.len() && words.iter().zip(phrase).all(|((_, word), p)| word.eq_ignore_ascii_case(p))
}

/// The words of a text with their lines. Punctuation and empty lines are words of their own, so that no phrase is found
/// across them. Spaces, `_`, `-` and the break of a line within a paragraph are not: test names are sentences too, and
/// comments are wrapped.
fn words(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut rest = content(line);
        if rest.is_empty() {
            found.push((index + 1, "\n"));
        }
        while let Some(first) = rest.chars().next() {
            let length = match rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len()) {
                0 => first.len_utf8(),
                letters => letters,
            };
            let (word, after) = rest.split_at(length);
            rest = after;
            if !matches!(first, ' ' | '\t' | '_' | '-') {
                found.push((index + 1, word));
            }
        }
    }
    found
}

/// A line without the marks of a comment, a quote or a list.
fn content(line: &str) -> &str {
    line.trim().trim_start_matches(['/', '!', '#', '*', '>', '-']).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> usize {
        violations("src/somewhere.rs", text).len()
    }

    #[test]
    fn each_phrase_is_refused_also_across_a_line_break_and_in_a_test_name() {
        for (phrase, _) in PHRASES {
            for text in [
                format!("// A key that {} them.\n", phrase.join(" ")),
                format!("{} then.\n", phrase.join(" ").to_uppercase()),
                format!("    /// The one\n    /// {}\n    /// them.\n", phrase.join("\n    /// ")),
                format!("-- The one {} them.\n", phrase.join("\n-- ")),
                format!("async fn and_{}_them() {{\n", phrase.join("_")),
                format!("The text ends with {}", phrase.join(" ")),
            ] {
                assert!(count(&text) >= 1, "{text}");
            }
        }
        let found = violations("docs/a.md", "First.\n\nThe key is unknown, or\nis none of them.\n");
        assert_eq!(found, ["docs/a.md:4: `is none of` is hard to read: write `is not a …`."]);
    }

    #[test]
    fn other_words_and_other_sentences_pass() {
        for text in [
            "fn latency_of_latest() {}",
            "It speaks of\n\nLate rows come after it.",
            "What is it made of? Late rows.",
            "let go = of(ours);",
            "There is none. Of these, two.",
            "whoevers",
        ] {
            assert_eq!(count(text), 0, "{text}");
        }
    }

    #[test]
    fn a_new_migration_is_checked() {
        assert_eq!(violations(EXCEPT[1], "-- Whoever").len(), 0);
        assert_eq!(violations("migrations/0999_new.sql", "-- Whoever").len(), 1);
    }
}
