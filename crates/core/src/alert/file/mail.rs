//! Addresses of mail, and of servers that take it.

use super::secret::{Secret, is_variable};

pub const SERVER: &str = "smtps://USER:PASSWORD@HOST:PORT, smtp://HOST:PORT, smtp://HOST:PORT?tls=required";

/// `name@host`, and nothing that a header would read as more than that.
pub fn is_address(text: &str) -> bool {
    let plain =
        |letter: char| !letter.is_whitespace() && !letter.is_control() && !"<>,;:\"()[]\\".contains(letter);
    match text.split_once('@') {
        Some((name, host)) => {
            !name.is_empty()
                && !host.is_empty()
                && !host.contains('@')
                && text.len() <= 254
                && text.chars().all(plain)
        }
        None => false,
    }
}

pub fn is_server(url: &str) -> bool {
    let (rest, may_ask_for_tls) = match (url.strip_prefix("smtps://"), url.strip_prefix("smtp://")) {
        (Some(rest), _) => (rest, false),
        (_, Some(rest)) => (rest, true),
        _ => return false,
    };
    let rest = rest.strip_suffix("?tls=required").filter(|_| may_ask_for_tls).unwrap_or(rest);
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let (host, port) = host.rsplit_once(':').filter(|(host, _)| !host.ends_with(':')).unwrap_or((host, "25"));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-[]:".contains(&byte);
    !host.is_empty()
        && host.bytes().all(plain)
        && port.parse::<u16>().is_ok_and(|port| port > 0)
        && !url.contains(|letter: char| letter.is_control() || letter.is_whitespace())
}

/// What a file may say in its place: a server's address without a password, or with `${NAME}` for it.
pub fn without_secret(smtp: &Secret) -> Option<&str> {
    let written = smtp.written();
    let Some((user, _)) = written.rsplit_once('@') else {
        return is_server(written).then_some(written).or_else(|| smtp.variable());
    };
    let (name, password) = user.split_once("://")?.1.split_once(':')?;
    (is_variable(password) && !name.contains('$')).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_name_at_one_host() {
        for good in ["ops@example.com", "a+b@x", "jürgen@köln.example"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["", "ops", "@x", "a@", "a@b@c", "a b@c", "<a@b>", "a@b, c@d", "a@b\r\nBcc: c@d"] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn a_server_has_a_scheme_and_a_host() {
        for good in [
            "smtps://user:p@ss/w:rd@mail.example.com:465",
            "smtp://mail:25",
            "smtp://mail:587?tls=required",
            "smtp://[::1]:25",
            "smtps://mail.example.com",
        ] {
            assert!(is_server(good), "{good}");
        }
        for bad in [
            "",
            "mail:25",
            "http://mail",
            "smtp://",
            "smtp://mail:0",
            "smtp://mail:x",
            "smtp://mail:25?tls=off",
            "smtps://mail?tls=required",
            "smtp://a b",
        ] {
            assert!(!is_server(bad), "{bad}");
        }
    }

    #[test]
    fn an_export_holds_no_password() {
        let check = |written: &str, found| {
            assert_eq!(without_secret(&Secret::new("", written)), found, "{written}");
        };
        check("smtp://mail:25", Some("smtp://mail:25"));
        check("smtps://user:${PASSWORD}@mail:465", Some("smtps://user:${PASSWORD}@mail:465"));
        check("smtps://user:hunter2@mail:465", None);
        check("smtps://user:hunter${N}@mail:465", None);
        check("${SMTP}", Some("${SMTP}"));
    }
}
