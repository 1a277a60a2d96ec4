//! What a publisher adds to an event of its own: any JSON, which is passed on and never looked into.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::value::{RawValue, Value, to_raw_value};

/// As its publisher wrote it: names in their order, numbers to the last digit. Only spaces between its parts are gone, and
/// with them line breaks, which would end a line of an event.
#[derive(Clone, Debug, Serialize)]
pub struct Data(Box<RawValue>);

impl Data {
    /// `None`: never, since what is a value can be written.
    pub fn of(value: &Value) -> Option<Data> {
        to_raw_value(value).ok().map(Data)
    }

    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// For people to read, a line a value.
    pub fn laid_out(&self) -> String {
        let (mut page, mut depth) = (String::new(), 0);
        let begin_line = |page: &mut String, depth| {
            page.push('\n');
            page.push_str(&"  ".repeat(depth));
        };
        let mut letters = letters(self.as_str()).peekable();
        while let Some((letter, is_text)) = letters.next() {
            if is_text {
                page.push(letter);
                continue;
            }
            if matches!(letter, ']' | '}') {
                depth -= 1;
                if !page.ends_with(['[', '{']) {
                    begin_line(&mut page, depth);
                }
            }
            page.push(letter);
            match letter {
                '[' | '{' => {
                    depth += 1;
                    if !matches!(letters.peek(), Some((']' | '}', _))) {
                        begin_line(&mut page, depth);
                    }
                }
                ',' => begin_line(&mut page, depth),
                ':' => page.push(' '),
                _ => {}
            }
        }
        page
    }

    /// Whether all of it is text to everybody. JSON may name NUL and half a surrogate pair by escapes, and then PostgreSQL,
    /// among others, cannot take it in.
    pub fn is_text(&self) -> bool {
        let mut rest = self.as_str();
        while let Some((_, escape)) = rest.split_once('\\') {
            let Some(unit) = unit(escape) else {
                rest = escape.get(1..).unwrap_or_default();
                continue;
            };
            rest = &escape[5..];
            match unit {
                0 | 0xdc00..=0xdfff => return false,
                0xd800..=0xdbff => {
                    let second = rest.strip_prefix('\\').and_then(self::unit);
                    if !second.is_some_and(|unit| (0xdc00..=0xdfff).contains(&unit)) {
                        return false;
                    }
                    rest = &rest[6..];
                }
                _ => {}
            }
        }
        true
    }

    /// How many arrays and objects stand in each other at most.
    pub fn depth(&self) -> usize {
        let (mut depth, mut deepest) = (0_usize, 0);
        for (letter, is_text) in letters(self.as_str()) {
            match letter {
                '[' | '{' if !is_text => depth += 1,
                ']' | '}' if !is_text => depth = depth.saturating_sub(1),
                _ => {}
            }
            deepest = deepest.max(depth);
        }
        deepest
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Data) -> bool {
        self.as_str() == other.as_str()
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Data, D::Error> {
        let raw = Box::<RawValue>::deserialize(input)?;
        let is_space = |&(letter, is_text): &(char, bool)| letter.is_ascii_whitespace() && !is_text;
        if !letters(raw.get()).any(|letter| is_space(&letter)) {
            return Ok(Data(raw));
        }
        let tight = letters(raw.get()).filter(|letter| !is_space(letter)).map(|(letter, _)| letter).collect();
        RawValue::from_string(tight).map(Data).map_err(D::Error::custom)
    }
}

/// What the escape stands for: `u` and four digits.
fn unit(escape: &str) -> Option<u16> {
    u16::from_str_radix(escape.strip_prefix('u')?.get(..4)?, 16).ok()
}

/// The letters of JSON, and whether each is part of a text.
fn letters(json: &str) -> impl Iterator<Item = (char, bool)> {
    let (mut in_text, mut escaped) = (false, false);
    json.chars().map(move |letter| {
        let was_in_text = in_text;
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_text = !in_text,
            _ => {}
        }
        (letter, was_in_text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(written: &str, expected: &str, depth: usize) {
        let data: Data = serde_json::from_str(written).expect(written);
        assert_eq!((data.as_str(), data.depth()), (expected, depth), "{written}");
        assert_eq!(serde_json::to_string(&data).expect("JSON"), expected);
    }

    #[test]
    fn it_is_kept_as_it_was_written_but_for_spaces_between() {
        check("null", "null", 0);
        check(" 1.50e+02 ", "1.50e+02", 0);
        check("123456789012345678901234567890", "123456789012345678901234567890", 0);
        check("{\"b\": 1,\r\n\t\"a\": [ ]}", r#"{"b":1,"a":[]}"#, 2);
        check(r#""a  b [ { \" [ \\""#, r#""a  b [ { \" [ \\""#, 0);
        check(r#"[ "\\" , [[]], " \" ]", {} ]"#, r#"["\\",[[]]," \" ]",{}]"#, 3);
        check("\"\u{2003}\u{e9}\"", "\"\u{2003}\u{e9}\"", 0);
        for broken in ["", "[1", "1 2", "{a:1}", "\"\n\"", "[1,]"] {
            assert!(serde_json::from_str::<Data>(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_recognised() {
        for (written, expected) in [
            (r#"["a", 1, "\u00e9\n\\", "\ud83d\ude00"]"#, true),
            (r#""\\u0000 \\ud800""#, true),
            (r#""a\u0000""#, false),
            (r#"{"\u0000":1}"#, false),
            (r#""\\\u0000""#, false),
            (r#""\ud83d""#, false),
            (r#""\ud83d\n""#, false),
            (r#""\ud83d\ud83d\ude00""#, false),
            (r#""\ude00\ud83d""#, false),
        ] {
            assert_eq!(serde_json::from_str::<Data>(written).expect("JSON").is_text(), expected, "{written}");
        }
    }

    #[test]
    fn it_is_laid_out_as_it_was_written() {
        let written =
            r#"{"b":[7,1.50],"a":{"x, y":"[{:\""},"n":[],"o":{},"big":12345678901234567890123,"t":[[""]]}"#;
        let data: Data = serde_json::from_str(written).expect("JSON");
        let page = "{\n  \"b\": [\n    7,\n    1.50\n  ],\n  \"a\": {\n    \"x, y\": \"[{:\\\"\"\n  },\n  \"n\": [],\n  \
                    \"o\": {},\n  \"big\": 12345678901234567890123,\n  \"t\": [\n    [\n      \"\"\n    ]\n  ]\n}";
        assert_eq!(data.laid_out(), page);
        assert_eq!(serde_json::from_str::<Data>(&data.laid_out()).expect("JSON"), data);
        for plain in ["7", "\"a\"", "[]", "null"] {
            assert_eq!(serde_json::from_str::<Data>(plain).expect("JSON").laid_out(), plain);
        }
    }
}
