//! What `redis_url` says: one Redis, the Sentinels that know which it is, or some nodes of a Redis Cluster.

use super::sentinel::Sentinels;
use ::redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisError};
use std::sync::Arc;

#[derive(Clone)]
pub enum Address {
    One(ConnectionInfo),
    /// The name of the primary that the Sentinels watch.
    Named(Arc<Sentinels>),
    /// Some of its nodes; they name the others.
    Cluster(Vec<ConnectionInfo>),
}

impl Address {
    pub fn parse(url: &str) -> Result<Address, RedisError> {
        if let Some(rest) = url.strip_prefix("redis-cluster://") {
            let (user, rest) = user_and_rest(rest);
            let hosts = rest.split('/').next().unwrap_or_default();
            Ok(Address::Cluster(all(user, hosts.split(','))?))
        } else if let Some(rest) = url.strip_prefix("redis-sentinel://") {
            Ok(Address::Named(Arc::new(sentinels(rest)?)))
        } else {
            Ok(Address::One(Client::open(url)?.get_connection_info().clone()))
        }
    }
}

/// `[USER:PASSWORD@]HOST[:PORT],…/NAME[/DATABASE][?sentinel_auth=USER:PASSWORD]`. The user in front is the primary's.
fn sentinels(rest: &str) -> Result<Sentinels, RedisError> {
    let (rest, sentinel_user) = rest.split_once("?sentinel_auth=").unwrap_or((rest, ""));
    let (user, rest) = user_and_rest(rest);
    let mut parts = rest.splitn(3, '/');
    let mut part = || parts.next().unwrap_or_default();
    let (hosts, name, database) = (part(), part().to_owned(), part());
    let port =
        |host: &str| if host.rsplit(']').next().is_some_and(|end| end.contains(':')) { "" } else { ":26379" };
    let hosts: Vec<String> = hosts.split(',').map(|host| format!("{host}{}", port(host))).collect();
    let addresses = all(sentinel_user, hosts.iter().map(String::as_str))?;
    // The host is filled in when the Sentinels have named it.
    let login = one(user, &format!("sentinels/{database}"))?;
    Ok(Sentinels { addresses, name, login })
}

fn user_and_rest(text: &str) -> (&str, &str) {
    text.rsplit_once('@').unwrap_or(("", text))
}

fn all<'a>(user: &str, hosts: impl Iterator<Item = &'a str>) -> Result<Vec<ConnectionInfo>, RedisError> {
    hosts.map(|host| one(user, host)).collect()
}

fn one(user: &str, host: &str) -> Result<ConnectionInfo, RedisError> {
    let at = if user.is_empty() { "" } else { "@" };
    format!("redis://{user}{at}{host}").into_connection_info()
}

/// The same user, password and database at another address.
pub fn at(seed: &ConnectionInfo, host: &str, port: u16) -> ConnectionInfo {
    seed.clone().set_addr(ConnectionAddr::Tcp(host.to_owned(), port))
}

/// A connection that receives messages beside answers: RESP3, in Redis since 6.0.
pub fn hearing(info: &ConnectionInfo) -> ConnectionInfo {
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    info.clone().set_redis_settings(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_nodes_of_a_cluster_have_the_same_user() {
        let Ok(Address::Cluster(seeds)) = Address::parse("redis-cluster://u:p@a:7000,b:7001") else {
            panic!("a cluster");
        };
        let told = seeds.iter().map(|seed| (seed.addr().to_string(), seed.redis_settings().username()));
        assert_eq!(told.collect::<Vec<_>>(), [("a:7000".into(), Some("u")), ("b:7001".into(), Some("u"))]);
        assert!(matches!(Address::parse("redis://a"), Ok(Address::One(_))));
        assert!(Address::parse("redis-cluster://a:x").is_err());
    }

    #[test]
    fn the_primary_and_its_sentinels_have_users_of_their_own() {
        let parse = |url: &str| match Address::parse(url) {
            Ok(Address::Named(sentinels)) => sentinels,
            _ => panic!("Sentinels: {url}"),
        };
        let told = |info: &ConnectionInfo| {
            let login = info.redis_settings();
            (login.username().map(str::to_owned), login.password().map(str::to_owned), login.db())
        };
        let user = |name: &str, password: &str, db| (Some(name.to_owned()), Some(password.to_owned()), db);
        let places = |sentinels: &Sentinels| {
            sentinels.addresses.iter().map(|one| one.addr().to_string()).collect::<Vec<_>>()
        };
        let all = parse("redis-sentinel://u:p%2F@a:1,b,[::1]:2/main/3?sentinel_auth=s:q");
        assert_eq!((all.name.as_str(), told(&all.login)), ("main", user("u", "p/", 3)));
        assert_eq!(places(&all), ["a:1", "b:26379", "::1:2"]);
        assert!(all.addresses.iter().all(|one| told(one) == user("s", "q", 0)));
        let least = parse("redis-sentinel://a/main");
        assert_eq!((least.name.as_str(), told(&least.login)), ("main", (None, None, 0)));
        assert!(least.addresses.iter().all(|one| told(one) == (None, None, 0)));
        for bad in ["redis-sentinel://a:x/main", "redis-sentinel://a/main/x"] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
