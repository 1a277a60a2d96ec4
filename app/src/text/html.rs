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

/// The fields of a query, decoded as a form encodes them. Bytes that are not UTF-8 become a replacement character.
#[cfg(any(feature = "ssr", test))]
pub fn query_fields(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let bytes = text.as_bytes();
        let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
        while let Some(&byte) = bytes.get(at) {
            let hex = bytes.get(at + 1..at + 3).filter(|_| byte == b'%');
            let hex = hex.and_then(|hex| std::str::from_utf8(hex).ok());
            match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                Some(value) => {
                    decoded.push(value);
                    at += 2;
                }
                None => decoded.push(if byte == b'+' { b' ' } else { byte }),
            }
            at += 1;
        }
        String::from_utf8_lossy(&decoded).into_owned()
    };
    let pairs = query.trim_start_matches('?').split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, text)| (decode(name), decode(text))).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_query_is_read_as_a_form_wrote_it() {
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(
            super::query_fields("?a=1+%25&b&a=%C3%A9%2&c=%zz%"),
            [pair("a", "1 %"), pair("b", ""), pair("a", "\u{e9}%2"), pair("c", "%zz%")]
        );
    }

    #[test]
    fn a_query_keeps_its_value() {
        assert_eq!(super::query_value("a-1 b&c=\u{e9}"), "a-1%20b%26c%3D%C3%A9");
    }

    #[test]
    fn nothing_gets_out_of_its_place() {
        assert_eq!(super::escape("<b a=\"'&"), "&lt;b a=&quot;&#39;&amp;");
    }
}
