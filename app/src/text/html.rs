//! Small pieces of HTML put together as text, where the browser has nothing to hold on to in them.

/// Text as text: fit between tags and inside a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// Text as a value in a query: all but RFC 3986's unreserved characters are escaped.
#[cfg(any(feature = "ssr", test))]
pub fn query_value(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            safe.push(char::from(byte));
        } else {
            safe.push_str(&format!("%{byte:02X}"));
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_query_keeps_its_value() {
        assert_eq!(super::query_value("a-1 b&c=\u{e9}"), "a-1%20b%26c%3D%C3%A9");
    }

    #[test]
    fn nothing_gets_out_of_its_place() {
        assert_eq!(super::escape("<b a=\"'&"), "&lt;b a=&quot;&#39;&amp;");
    }
}
