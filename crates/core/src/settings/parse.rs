//! What a setting's text means. `None`: it is not allowed.

use crate::metric::region::Network;
use std::{net::SocketAddr, path::PathBuf};

/// Whole numbers within the bounds, both included.
pub(super) fn whole<T: TryFrom<u64>>(least: u64, most: u64) -> impl Fn(&str) -> Option<T> {
    move |text| {
        let number: u64 = text.parse().ok()?;
        (least..=most).contains(&number).then(|| T::try_from(number).ok())?
    }
}

/// The same, or 0 for off, which is `None` inside.
pub(super) fn off_or_whole<T: TryFrom<u64>>(least: u64, most: u64) -> impl Fn(&str) -> Option<Option<T>> {
    let whole = whole(least, most);
    move |text| if text.parse() == Ok(0_u64) { Some(None) } else { whole(text).map(Some) }
}

pub(super) fn number(least: u32, most: u32) -> impl Fn(&str) -> Option<f64> {
    let bounds = f64::from(least)..=f64::from(most);
    move |text| text.parse().ok().filter(|number| bounds.contains(number))
}

pub(super) fn switch(text: &str) -> Option<bool> {
    text.parse().ok()
}

pub(super) fn address(text: &str) -> Option<SocketAddr> {
    let text = text.strip_prefix("localhost:").map_or(text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse().ok()
}

pub(super) fn postgres_url(text: &str) -> Option<String> {
    let schemes = ["postgres://", "postgresql://"];
    schemes.iter().any(|scheme| text.starts_with(scheme)).then(|| text.to_owned())
}

/// The scheme says which it is, so that one address of a cluster is never taken for a Redis that stands alone.
pub(super) fn redis_url(text: &str) -> Option<String> {
    let hosts = |rest: &str| {
        rest.rsplit('@').next().unwrap_or_default().split('/').next().unwrap_or_default().to_owned()
    };
    let several = |hosts: String| hosts.split(',').all(|host| !host.is_empty());
    let good = if let Some(rest) = text.strip_prefix("redis-cluster://") {
        several(hosts(rest))
    } else if let Some(rest) = text.strip_prefix("redis-sentinel://") {
        let rest = rest.split_once("?sentinel_auth=").map_or(rest, |(rest, _)| rest);
        several(hosts(rest)) && names_a_primary(rest)
    } else if let Some(rest) = text.strip_prefix("redis://") {
        !hosts(rest).contains(',')
    } else {
        text.starts_with("unix:///")
    };
    good.then(|| text.to_owned())
}

/// `HOSTS/NAME[/DATABASE]`: the name of what Sentinels allow in one.
fn names_a_primary(rest: &str) -> bool {
    let parts: Vec<&str> = rest.rsplit('@').next().unwrap_or_default().split('/').skip(1).collect();
    let (name, database) = match parts.as_slice() {
        [name] => (*name, "0"),
        [name, database] => (*name, *database),
        _ => return false,
    };
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !name.is_empty() && name.bytes().all(good) && database.parse::<u32>().is_ok()
}

pub(super) fn networks(text: &str) -> Option<Vec<Network>> {
    text.split(',').map(|network| Network::parse(network.trim())).collect()
}

/// In small letters.
pub(super) fn header_name(text: &str) -> Option<String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    ((1..=64).contains(&text.len()) && text.bytes().all(good)).then(|| text.to_ascii_lowercase())
}

/// Without TLS, which is the collector's business beside the server.
pub(super) fn http_url(text: &str) -> Option<String> {
    let rest = text.strip_prefix("http://")?.trim_end_matches('/');
    let good = !rest.is_empty() && !rest.contains(['?', '#', ' ']);
    good.then(|| format!("http://{rest}"))
}

pub(super) fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| text.into())
}

pub(super) fn node_name(text: &str) -> Option<String> {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    ((1..=64).contains(&text.len()) && text.chars().all(good)).then(|| text.to_owned())
}
