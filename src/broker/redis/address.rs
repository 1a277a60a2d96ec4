//! What `redis_url` says: one Redis, or some nodes of a Redis Cluster.

use ::redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisError};

#[derive(Clone)]
pub enum Address {
    One(ConnectionInfo),
    /// Some of its nodes; the others are learnt from them.
    Cluster(Vec<ConnectionInfo>),
}

impl Address {
    pub fn parse(url: &str) -> Result<Address, RedisError> {
        let Some(rest) = url.strip_prefix("redis-cluster://") else {
            return Ok(Address::One(Client::open(url)?.get_connection_info().clone()));
        };
        let (user, rest) = rest.rsplit_once('@').map_or(("", rest), |(user, rest)| (user, rest));
        let at = if user.is_empty() { "" } else { "@" };
        let hosts = rest.split('/').next().unwrap_or_default();
        let seeds = hosts.split(',').map(|host| format!("redis://{user}{at}{host}").into_connection_info());
        seeds.collect::<Result<_, _>>().map(Address::Cluster)
    }
}

/// The same user and password, at another node of the cluster.
pub fn at(seed: &ConnectionInfo, host: &str, port: u16) -> ConnectionInfo {
    seed.clone().set_addr(ConnectionAddr::Tcp(host.to_owned(), port))
}

/// A connection that hears messages beside answers: RESP3, which Redis has since 6.0.
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
}
