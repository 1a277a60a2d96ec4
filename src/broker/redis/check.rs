//! Whether the other end of a connection is what it should be: a primary, loaded, that answers.

use super::{commands::PATIENCE, outlook::Outlook};
use ::redis::{Value, aio::MultiplexedConnection, from_redis_value};
use std::{collections::HashMap, time::Duration};
use tokio::sync::oneshot;

/// How often a connection is checked. A Redis that hangs never closes its sockets: only asking shows it.
pub const EVERY: Duration = Duration::from_secs(5);
/// Between two checks, when commands fail meanwhile.
const LEAST: Duration = Duration::from_millis(200);

/// Why a connection is of no use any more.
pub type Lost = String;

/// Why nothing good comes of this connection.
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

/// Asks the other end, beside all that comes from it, and says when there is no good answer.
pub struct Watchdog {
    pub lost: oneshot::Receiver<Lost>,
    task: tokio::task::AbortHandle,
}

impl Watchdog {
    pub fn start(connection: MultiplexedConnection, in_cluster: bool, outlook: &Outlook) -> Watchdog {
        let ((bark, lost), outlook) = (oneshot::channel(), outlook.clone());
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(LEAST).await;
                let _ = tokio::time::timeout(EVERY, outlook.suspicion()).await;
                if let Err(why) = check(connection.clone(), in_cluster).await {
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
        ("sentinel", _) => Err("it is a Sentinel: redis_url must lead to the primary itself")?,
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
        check("sentinel", "", false, None, "Sentinel");
        check("cluster", "master", true, Some("cluster_state:ok\r\n"), "");
        check("cluster", "master", true, Some("cluster_state:fail\r\n"), "slots");
        check("cluster", "slave", true, Some("cluster_state:ok\r\n"), "a replica");
        // A proxy that tells nothing of itself.
        check("", "", false, None, "");
    }
}
