//! The server's own names and address, and what pages of other sites may not do.
//!
//! Two attacks come by way of a visitor's browser. With DNS rebinding a page makes its own name point to this server, so
//! that the browser takes both for one origin: `Host` still holds the foreign name. With a cross-site request a page sends
//! a form or a `fetch` along with the visitor's cookies: `Sec-Fetch-Site` or `Origin` says that it did.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The longest name that DNS allows.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// The address at which people reach the server: http or https, a host, perhaps a port and a path. In small letters up to
/// the path, without a default port, and without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    text: Box<str>,
    /// Where its origin ends, as browsers send that in `Origin`.
    origin: usize,
    host: Box<str>,
}

impl PublicUrl {
    /// `None`: it is no such address, or has a user, a query or a fragment.
    pub fn parse(text: &str) -> Option<PublicUrl> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = split(authority.as_bytes())?;
        let host = std::str::from_utf8(host).ok()?.to_ascii_lowercase();
        if port == Some(0)
            || !(is_address(host.as_bytes()) || is_name(&host))
            || !path.bytes().all(is_of_a_path)
        {
            return None;
        }
        let port =
            port.filter(|&port| port != default_port).map_or_else(String::new, |port| format!(":{port}"));
        let origin = format!("{scheme}://{host}{port}");
        let text = format!("{origin}{}", path.trim_end_matches('/'));
        Some(PublicUrl { text: text.into(), origin: origin.len(), host: host.into() })
    }

    /// For a server that only its own machine reaches.
    fn of_loopback(port: u16) -> PublicUrl {
        let text = format!("http://localhost:{port}");
        PublicUrl { origin: text.len(), text: text.into(), host: "localhost".into() }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn origin(&self) -> &str {
        &self.text[..self.origin]
    }
}

/// The names and the address of one server, as its settings have them.
#[derive(Clone, Debug)]
pub struct Site {
    public: Option<PublicUrl>,
    /// Without a `public_url`, while access is open.
    loopback: PublicUrl,
    /// The hosts of `public_url` and `allowed_hosts`, in small letters.
    names: Vec<Box<str>>,
}

impl Site {
    /// `port`: where the server listens.
    pub fn new(public: Option<PublicUrl>, allowed_hosts: &[String], port: u16) -> Site {
        let hosts = public.iter().map(|public| public.host.clone());
        let names = hosts.chain(allowed_hosts.iter().map(|name| name.as_str().into())).collect();
        Site { public, loopback: PublicUrl::of_loopback(port), names }
    }

    /// The address in every link that leaves the server. `None`: access is closed, and no setting names one.
    pub fn public_url(&self, is_open: bool) -> Option<&PublicUrl> {
        self.public.as_ref().or(is_open.then_some(&self.loopback))
    }

    /// Whether a request is served that names this host: `HOST`, or `HOST:PORT`, as it stands in `Host` or `:authority`.
    /// A page's own name, made to point here, gets nothing. Addresses are always served: they cannot be rebound.
    ///
    /// Closed without a setting, the server answers to every name: a foreign page has no key and no cookie of it.
    pub fn answers_to(&self, authority: &[u8], is_open: bool) -> bool {
        let is_checked = is_open || !self.names.is_empty();
        !is_checked || split(authority).is_some_and(|(host, _)| self.knows(host))
    }

    fn knows(&self, host: &[u8]) -> bool {
        // A name may end in the dot of the root.
        let name = host.strip_suffix(b".").unwrap_or(host);
        self.names.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name))
            || is_loopback_name(name)
            || is_address(name)
    }

    /// Whether another site's page sent it. What names no origin was not sent by a browser's page: a publisher sends so.
    pub fn is_foreign(&self, sender: Sender<'_>) -> bool {
        let is_public =
            |origin: &[u8]| self.public.as_ref().is_some_and(|own| own.origin().as_bytes() == origin);
        match (sender.fetch_site, sender.origin) {
            (_, Some(origin)) if is_public(origin) => false,
            // `same-site` is another origin of the same domain. `none` is the person's own doing.
            (Some(site), _) => site != b"same-origin" && site != b"none",
            (None, Some(origin)) => {
                !sender.authority.is_some_and(|authority| is_origin_of(origin, authority))
            }
            (None, None) => false,
        }
    }
}

/// What a request says about who sent it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sender<'a> {
    /// `Sec-Fetch-Site`. Browsers send it over TLS and to loopback, and no page can set it.
    pub fetch_site: Option<&'a [u8]>,
    /// `Origin`.
    pub origin: Option<&'a [u8]>,
    /// `Host` or `:authority`.
    pub authority: Option<&'a [u8]>,
}

/// The names in `allowed_hosts`, in small letters. `None`: one of them is no name.
pub fn host_names(text: &str) -> Option<Vec<String>> {
    let name = |name: &str| {
        let name = name.trim().to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        is_name(name).then(|| name.to_owned())
    };
    text.split(',').map(name).collect()
}

/// Host and port. `None`: what stands behind the host is no port.
fn split(authority: &[u8]) -> Option<(&[u8], Option<u16>)> {
    let from =
        if authority.first() == Some(&b'[') { authority.iter().position(|&byte| byte == b']')? } else { 0 };
    let Some(colon) = authority[from..].iter().position(|&byte| byte == b':') else {
        return Some((authority, None));
    };
    let (host, port) = (&authority[..from + colon], &authority[from + colon + 1..]);
    let digits = port.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(port).ok())??;
    if digits.is_empty() { Some((host, None)) } else { Some((host, Some(digits.parse().ok()?))) }
}

/// An IPv4 address, or one of IPv6 in brackets.
fn is_address(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok()),
        None => host.parse::<Ipv4Addr>().is_ok(),
    }
}

/// `localhost` and every name below it, which browsers resolve to loopback themselves.
fn is_loopback_name(name: &[u8]) -> bool {
    const LOCALHOST: &[u8] = b"localhost";
    let Some(below) = name.len().checked_sub(LOCALHOST.len()) else { return false };
    let (labels, last) = name.split_at(below);
    last.eq_ignore_ascii_case(LOCALHOST)
        && match labels.strip_suffix(b".") {
            Some(labels) => std::str::from_utf8(labels).is_ok_and(is_name),
            None => labels.is_empty(),
        }
}

/// As DNS has them, with the underscore that Docker and others use.
fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let label = |label: &str| (1..=LONGEST_LABEL).contains(&label.len()) && label.bytes().all(good);
    name.len() <= LONGEST_NAME && name.split('.').all(label)
}

fn is_of_a_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:@".contains(&byte)
}

/// Whether that origin is where the request went to. Of the scheme a server behind a proxy knows nothing.
fn is_origin_of(origin: &[u8], authority: &[u8]) -> bool {
    let (host, port): (&[u8], &[u8]) = if let Some(host) = origin.strip_prefix(b"https://") {
        (host, b":443")
    } else if let Some(host) = origin.strip_prefix(b"http://") {
        (host, b":80")
    } else {
        return false;
    };
    // Proxies may name the default port, browsers never do.
    host.eq_ignore_ascii_case(authority.strip_suffix(port).unwrap_or(authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(public: &str, allowed: &str) -> Site {
        let allowed = if allowed.is_empty() { Vec::new() } else { host_names(allowed).expect("names") };
        let public = (!public.is_empty()).then(|| PublicUrl::parse(public).expect("an address"));
        Site::new(public, &allowed, 3000)
    }

    #[test]
    fn an_open_server_answers_to_loopback_names_and_addresses_only() {
        let site = site("", "");
        for own in [
            "localhost",
            "localhost:3000",
            "LocalHost:3000",
            "localhost.",
            "localhost.:3000",
            "localhost:",
            "app.localhost",
            "a.b.localhost.:1",
            "127.0.0.1",
            "127.0.0.1:3000",
            "127.0.0.1.",
            "192.0.2.7:80",
            "[::1]",
            "[::1]:3000",
            "[2001:DB8::7]",
            "[::ffff:192.0.2.7]:3000",
        ] {
            assert!(site.answers_to(own.as_bytes(), true), "{own}");
        }
        for foreign in [
            "",
            ".",
            ":3000",
            "evil.example",
            "evil.example:3000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evillocalhost",
            ".localhost",
            "a..localhost",
            "localhost..",
            "localhost@evil.example",
            "localhost:3000@evil.example",
            "evil@localhost",
            "localhost:evil",
            "localhost:3000:3000",
            "localhost:-1",
            "localhost:65536",
            "localhost,evil.example",
            "localhost evil.example",
            "local\u{130}host",
            "\u{ff4c}ocalhost",
            "localhost\u{3002}",
            "\u{fc}.localhost",
            "127.1",
            "0x7f000001",
            "2130706433",
            "::1",
            "[::1",
            "[::1]x",
            "[::1]evil.example",
            "[::1%25lo]:3000",
            "[localhost]",
            "[127.0.0.1]",
            "http://localhost",
            "status.example.com",
        ] {
            assert!(!site.answers_to(foreign.as_bytes(), true), "{foreign}");
        }
        assert!(!site.answers_to(b"\xff", true));
        assert!(site.answers_to(b"evil.example", false), "closed, and no setting: any name, as ever");
    }

    #[test]
    fn the_settings_names_are_answered_to_and_close_the_server_to_all_others() {
        let site = site("https://Status.Example.com/gauge/", "upstream, alias.example.com.");
        for is_open in [true, false] {
            for (host, expected) in [
                ("status.example.com", true),
                ("STATUS.example.com:8443", true),
                ("status.example.com.", true),
                ("alias.example.com", true),
                ("upstream:3000", true),
                ("10.0.0.7:3000", true),
                ("localhost", true),
                ("example.com", false),
                ("a.status.example.com", false),
                ("status.example.com.evil.example", false),
            ] {
                assert_eq!(site.answers_to(host.as_bytes(), is_open), expected, "{host}, open: {is_open}");
            }
        }
    }

    #[test]
    fn another_sites_page_is_told_from_our_own_and_from_what_is_no_page() {
        let check = |site: &Site, fetch_site: &str, origin: &str, authority: &str, expected: bool| {
            let [fetch_site, origin, authority] =
                [fetch_site, origin, authority].map(|text| (!text.is_empty()).then_some(text.as_bytes()));
            let said = format!("{fetch_site:?}, {origin:?}, {authority:?}");
            assert_eq!(site.is_foreign(Sender { fetch_site, origin, authority }), expected, "{said}");
        };
        let plain = site("", "");
        for (fetch_site, origin, authority, expected) in [
            ("", "", "localhost:3000", false),
            ("same-origin", "http://localhost:3000", "localhost:3000", false),
            ("none", "", "localhost:3000", false),
            // A proxy changed `Host`; the browser knows.
            ("same-origin", "https://sg.example", "127.0.0.1:3000", false),
            ("same-site", "https://app.sg.example", "sg.example", true),
            ("cross-site", "https://evil.example", "sg.example", true),
            ("cross-site", "", "sg.example", true),
            ("cross-site", "https://sg.example", "sg.example", true),
            ("Same-Origin", "", "sg.example", true),
            ("", "http://sg.example", "sg.example", false),
            ("", "https://sg.example", "sg.example:443", false),
            ("", "http://sg.example", "sg.example:80", false),
            ("", "http://SG.example:8080", "sg.example:8080", false),
            ("", "http://sg.example:8080", "sg.example", true),
            ("", "http://evil.example", "sg.example", true),
            ("", "http://sg.example.evil.example", "sg.example", true),
            ("", "http://evil.example", "", true),
            ("", "null", "sg.example", true),
            ("", "null", "null", true),
            ("", "chrome-extension://sg.example", "sg.example", true),
        ] {
            check(&plain, fetch_site, origin, authority, expected);
        }
        let named = site("https://sg.example/gauge", "");
        // Plain HTTP behind a proxy that changes `Host`: the setting says which origin is ours.
        check(&named, "", "https://sg.example", "10.0.0.7:3000", false);
        check(&named, "", "http://sg.example", "10.0.0.7:3000", true);
        check(&named, "", "https://sg.example.evil.example", "10.0.0.7:3000", true);
    }

    #[test]
    fn a_public_url_is_an_address_that_a_link_can_begin_with() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let url = PublicUrl::parse(text);
            assert_eq!(url.as_ref().map(|url| (url.as_str(), url.origin())), expected, "{text}");
        };
        check("https://sg.example", Some(("https://sg.example", "https://sg.example")));
        check("HTTPS://SG.Example:443/", Some(("https://sg.example", "https://sg.example")));
        check("http://sg.example:80", Some(("http://sg.example", "http://sg.example")));
        check("http://sg.example:8080/a/B/", Some(("http://sg.example:8080/a/B", "http://sg.example:8080")));
        check("http://[::1]:3000", Some(("http://[::1]:3000", "http://[::1]:3000")));
        check("http://10.0.0.7", Some(("http://10.0.0.7", "http://10.0.0.7")));
        for bad in [
            "",
            "sg.example",
            "//sg.example",
            "ftp://sg.example",
            "https://",
            "https:///a",
            "https://:443",
            "https://me@sg.example",
            "https://me:secret@sg.example",
            "https://sg.example?a=1",
            "https://sg.example/?a=1",
            "https://sg.example/#a",
            "https://sg.example#a",
            "https://sg.example:0",
            "https://sg.example:65536",
            "https://sg.example:x",
            "https://sg..example",
            "https://sg.example.",
            "https://sg exam",
            "https://sg.example/a b",
            "https://sg.example/\"",
            "https://s\u{fc}.example",
            "https://[::1",
            "https://[sg.example]",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn links_of_an_open_server_lead_to_this_machine_unless_a_setting_says_otherwise() {
        let plain = site("", "");
        assert_eq!(plain.public_url(true).map(PublicUrl::as_str), Some("http://localhost:3000"));
        assert_eq!(plain.public_url(false), None);
        let named = site("https://sg.example", "");
        assert_eq!(named.public_url(true).map(PublicUrl::as_str), Some("https://sg.example"));
    }

    #[test]
    fn allowed_hosts_are_names() {
        assert_eq!(host_names("A.example, b_1."), Some(vec!["a.example".into(), "b_1".into()]));
        for bad in ["", "a,", "a:80", "*.a", "http://a", "[::1]", "a b", "a..b", "\u{fc}"] {
            assert_eq!(host_names(bad), None, "{bad}");
        }
    }
}
