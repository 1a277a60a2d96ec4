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

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_gets_out_of_its_place() {
        assert_eq!(super::escape("<b a=\"'&"), "&lt;b a=&quot;&#39;&amp;");
    }
}
