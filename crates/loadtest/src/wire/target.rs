//! Where the server is.

use std::net::{SocketAddr, ToSocketAddrs};

/// The end of the sentence "… must be …".
pub const ALLOWED: &str = "an http:// URL without a path, such as http://127.0.0.1:3000";

/// Where a server is, as given: `authority` goes into `Host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub authority: String,
    pub address: SocketAddr,
}

/// The authority of a URL, if it is one that this tool can speak to. TLS is not spoken: it would measure itself.
pub fn authority(url: &str) -> Option<&str> {
    let authority = url.strip_prefix("http://")?.trim_end_matches('/');
    let good = |c: char| c.is_ascii_alphanumeric() || "._-:[]".contains(c);
    (!authority.is_empty() && authority.chars().all(good)).then_some(authority)
}

/// Looks a name up. IPv4 first: that is where a server listens by default, and `localhost` is both.
pub fn resolve(authority: &str) -> std::io::Result<Target> {
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let full = if has_port { authority.to_owned() } else { format!("{authority}:80") };
    let mut found: Vec<SocketAddr> = full.to_socket_addrs()?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    let address = found.first().copied().ok_or(std::io::ErrorKind::NotFound)?;
    Ok(Target { authority: authority.to_owned(), address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_is_spoken() {
        let check = |url, expected| assert_eq!(authority(url), expected, "{url}");
        check("http://127.0.0.1:3000", Some("127.0.0.1:3000"));
        check("http://[::1]:3000/", Some("[::1]:3000"));
        check("http://example.org", Some("example.org"));
        for bad in
            ["https://example.org", "127.0.0.1:3000", "http://", "http://a/b", "http://a\r\nx", "http://u@h"]
        {
            check(bad, None);
        }
    }
}
