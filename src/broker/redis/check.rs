//! Whether the other end of a connection is what it should be: a primary, loaded, that answers.

use super::{commands::PATIENCE, listener::Shared, sentinel};
use ::redis::{ConnectionInfo, Value, aio::MultiplexedConnection, from_redis_value};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// How often a connection is checked. A Redis that hangs never closes its sockets, so only a request shows it.
pub const EVERY: Duration = Duration::from_secs(5);
/// Between two checks, when commands fail meanwhile.
const LEAST: Duration = Duration::from_millis(200);

/// Why a connection must be replaced.
pub type Lost = String;

/// What is wrong at the other end.
pub async fn check(mut connection: MultiplexedConnection, in_cluster: bool) -> Result<(), Lost> {
    let mut ask = ::redis::pipe();
    // HELLO tells the role, and unlike ROLE and INFO it is open to every user.
    ask.cmd("HELLO").arg(3).cmd("PING");
    if in_cluster {
        ask.cmd("CLUSTER").arg("INFO");
    }
    let answer = tokio::time::timeout(PATIENCE, ask.query_async::<Vec<Value>>(&mut connection)).await;
    let answer = answer.map_err(|_| "it does not answer".to_owned())?.map_err(|error| error.to_string())?;
    let mut answer = answer.into_iter();
    let hello = answer.next().and_then(|hello| from_redis_value::<HashMap<String, Value>>(hello).ok());
    let told = |key: &str| {
        let value = hello.as_ref().and_then(|hello| hello.get(key)).cloned();
        value.and_then(|value| from_redis_value::<String>(value).ok()).unwrap_or_default()
    };
    let cluster_info = answer.nth(1).and_then(|info| from_redis_value::<String>(info).ok());
    judge(&told("mode"), &told("role"), in_cluster, cluster_info.as_deref())
}

/// Checks the other end while messages arrive, and returns when an answer is bad or missing.
pub struct Watchdog {
    pub lost: oneshot::Receiver<Lost>,
    task: tokio::task::AbortHandle,
}

impl Watchdog {
    pub fn start(connection: MultiplexedConnection, shared: Arc<Shared>, info: ConnectionInfo) -> Watchdog {
        let (bark, lost) = oneshot::channel();
        let every = if shared.sentinels.is_some() { sentinel::EVERY } else { EVERY };
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(LEAST).await;
                let _ = tokio::time::timeout(every, shared.health().suspicion()).await;
                let mut found = check(connection.clone(), shared.in_cluster).await;
                // An old primary may be cut off from its Sentinels alone, and still accept writes.
                if let (Ok(()), Some(sentinels)) = (&found, &shared.sentinels)
                    && let Some(primary) = sentinels.moved_from(info.addr()).await
                {
                    // It is heard for longer than it is told anything: what it took last shows the gap.
                    shared.hearing.store.commands.lead_to(&primary);
                    tokio::time::sleep(sentinel::LAST_WORDS).await;
                    found = Err("the Sentinels name another primary".into());
                }
                if let Err(why) = found {
                    let _ = bark.send(why);
                    return;
                }
            }
        });
        Watchdog { lost, task: task.abort_handle() }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn judge(mode: &str, role: &str, in_cluster: bool, cluster_info: Option<&str>) -> Result<(), String> {
    match (mode, in_cluster) {
        ("cluster", false) => Err("it is part of a cluster, so redis_url must start with redis-cluster://")?,
        ("standalone", true) => Err("it is no cluster, so redis_url must start with redis://")?,
        ("sentinel", _) => Err("it is a Sentinel, so redis_url must start with redis-sentinel://")?,
        _ => {}
    }
    if role == "replica" || role == "slave" {
        Err("it is a replica, to which nothing can be written")?;
    }
    if cluster_info.is_some_and(|info| info.contains("cluster_state:fail")) {
        Err("the cluster does not serve all of its slots")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_primary_of_the_right_kind_will_do() {
        let check = |mode, role, in_cluster, info, expected: &str| {
            let got = judge(mode, role, in_cluster, info).err().unwrap_or_default();
            assert!(got.contains(expected) && got.is_empty() == expected.is_empty(), "{got}");
        };
        check("standalone", "master", false, None, "");
        check("standalone", "replica", false, None, "a replica");
        check("cluster", "master", false, None, "redis-cluster://");
        check("standalone", "master", true, None, "redis://");
        check("sentinel", "", false, None, "redis-sentinel://");
        check("cluster", "master", true, Some("cluster_state:ok\r\n"), "");
        check("cluster", "master", true, Some("cluster_state:fail\r\n"), "slots");
        check("cluster", "slave", true, Some("cluster_state:ok\r\n"), "a replica");
        // A proxy that does not answer with a role.
        check("", "", false, None, "");
    }
}
