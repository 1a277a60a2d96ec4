//! Text that a person reads: what it may hold, so that it reads as it is.
//!
//! Some characters have no look of their own and change how the rest looks: they turn the reading direction round, or
//! hide words between others. A deploy note or a session's user could so seem to say something else than it does.

/// Invisible formatting characters that a text needs for nothing but to deceive, in rising order.
///
/// The zero width joiners (U+200C, U+200D) are not here: Persian and emoji need them. Nor are variation selectors and
/// combining marks, which only change the character before them.
const HIDDEN: [(char, char); 11] = [
    ('\u{ad}', '\u{ad}'),       // soft hyphen
    ('\u{61c}', '\u{61c}'),     // Arabic letter mark
    ('\u{200b}', '\u{200b}'),   // zero width space
    ('\u{200e}', '\u{200f}'),   // left-to-right and right-to-left mark
    ('\u{2028}', '\u{202e}'),   // line and paragraph separator, embeddings, overrides
    ('\u{2060}', '\u{206f}'),   // word joiner, invisible operators, isolates, deprecated controls
    ('\u{feff}', '\u{feff}'),   // byte order mark
    ('\u{fff9}', '\u{fffb}'),   // annotations between the lines
    ('\u{1bca0}', '\u{1bca3}'), // of shorthand
    ('\u{1d173}', '\u{1d17a}'), // of musical scores
    ('\u{e0000}', '\u{e007f}'), // tags: a whole ASCII text that nobody sees
];

/// Marks that Arabic and Hebrew sentences need beside digits and punctuation. They set no direction for other letters.
const MARKS: [char; 3] = ['\u{61c}', '\u{200e}', '\u{200f}'];

/// A control or invisible formatting character.
pub fn is_hidden(c: char) -> bool {
    // Almost all text ends here.
    if c < '\u{ad}' {
        return c.is_control();
    }
    HIDDEN.iter().any(|&(first, last)| (first..=last).contains(&c))
}

/// A short text that goes into a label: kind, region, stage, user. 1 to `max` characters.
pub fn is_label(text: &str, max: usize) -> bool {
    !text.is_empty() && text.chars().count() <= max && !text.chars().any(is_hidden)
}

/// Sentences in any language: at most `max` characters, with line breaks and direction marks.
pub fn is_prose(text: &str, max: usize) -> bool {
    let refused = |c: char| is_hidden(c) && c != '\n' && !MARKS.contains(&c);
    text.chars().count() <= max && !text.chars().any(refused)
}

/// The same as a regular expression, for the API's document. It bounds no length.
pub fn label_pattern() -> String {
    pattern("\\u0000-\\u001f", |_| true)
}

pub fn prose_pattern() -> String {
    pattern("\\u0000-\\u0009\\u000b-\\u001f", |first| !MARKS.contains(&first))
}

/// Each of [`MARKS`] is a range of its own or begins one that holds marks only.
fn pattern(controls: &str, refuses: impl Fn(char) -> bool) -> String {
    let mut classes = format!("{controls}\\u007f-\\u009f");
    for &(first, last) in HIDDEN.iter().filter(|(first, _)| refuses(*first)) {
        for (index, c) in [first, last].into_iter().enumerate().take(1 + usize::from(first != last)) {
            classes.push_str(["", "-"][index]);
            // Regular expressions have no common escape for what is beyond four digits: it stands there itself.
            match u32::from(c) {
                code @ ..=0xffff => classes.push_str(&format!("\\u{code:04x}")),
                _ => classes.push(c),
            }
        }
    }
    format!("^[^{classes}]*$")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_that_reads_otherwise_than_it_is_is_no_label() {
        let check = |text: &str, label: bool, prose: bool| {
            assert_eq!((is_label(text, 64), is_prose(text, 64)), (label, prose), "{}", text.escape_unicode());
        };
        check("v2.3 für Köln", true, true);
        check("", false, true);
        check("two\nlines", false, true);
        check("bell\u{7}", false, false);
        check("c1\u{85}", false, false);
        check("harmless \u{202e}gpj.exe", false, false);
        check("an isolate \u{2067}abc\u{2069}", false, false);
        check("hid\u{200b}den", false, false);
        check("soft\u{ad}hyphen", false, false);
        check("\u{feff}text", false, false);
        check("line\u{2028}break", false, false);
        check("tag\u{e0041}\u{e0042}", false, false);
        check("שלום C++\u{200f}", false, true);
        check("Arabic mark \u{61c}", false, true);
        check("می\u{200c}خواهم", true, true);
        check("👩\u{200d}💻 ❤\u{fe0f}", true, true);
        check("𝔘𝔫𝔦𝔠𝔬𝔡𝔢", true, true);
    }

    #[test]
    fn length_is_in_characters() {
        assert!(is_label(&"é".repeat(64), 64) && !is_label(&"é".repeat(65), 64));
        assert!(is_prose(&"é".repeat(500), 500) && !is_prose(&"é".repeat(501), 500));
    }

    #[test]
    fn every_bidirectional_control_is_hidden() {
        let controls =
            "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        assert!(controls.chars().all(is_hidden));
        assert!(('\0'..='\u{9f}').all(|c| is_hidden(c) == c.is_control()));
        assert!(HIDDEN.is_sorted());
    }

    #[test]
    fn the_patterns_say_the_same() {
        assert_eq!(
            prose_pattern(),
            "^[^\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f\\u00ad\\u200b\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e007f}]*$"
        );
        assert!(label_pattern().contains("\\u00ad\\u061c\\u200b\\u200e-\\u200f\\u2028-\\u202e"));
    }

    proptest! {
        /// Wherever it stands, one hidden character makes a text no label, and without it the text is one.
        #[test]
        fn one_hidden_character_is_enough(
            before in "[a-z א-ת]{0,20}", hidden in 0..HIDDEN.len(), within in 0_u32..128, after in "[a-z 中]{1,20}",
        ) {
            let (first, last) = HIDDEN[hidden];
            let span = u32::from(last) - u32::from(first) + 1;
            let c = char::from_u32(u32::from(first) + within % span).expect("a character");
            let plain = before.clone() + &after;
            let hiding = format!("{before}{c}{after}");
            prop_assert!(is_label(&plain, 64) && !is_label(&hiding, 64));
            prop_assert_eq!(is_prose(&hiding, 64), MARKS.contains(&c));
        }
    }
}
