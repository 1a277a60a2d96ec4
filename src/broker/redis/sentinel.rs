//! Which Redis is the primary now, as its Sentinels have it.
//!
//! They are asked, not listened to: a Sentinel that is cut off tells of no failover, and asking would be needed beside
//! it all the same.

use super::{address::at, check::Lost, commands::PATIENCE};
use ::redis::{AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, RedisError, cmd};
use futures::{StreamExt, stream::FuturesUnordered};
use std::{collections::HashMap, time::Duration};
use tokio::time::{Instant, timeout_at};

/// How often it is asked whether the primary still is one. What an old one takes after a failover will be lost, so more
/// often than whether it answers.
pub const EVERY: Duration = Duration::from_secs(1);
/// For how long an old primary is still heard when nothing goes to it any more: what is under way is answered by then.
pub const LAST_WORDS: Duration = Duration::from_millis(200);
/// How long the others are waited for once one has answered.
const OTHERS: Duration = Duration::from_millis(200);

pub struct Sentinels {
    /// All are asked at once, so that one that hangs holds up nothing.
    pub addresses: Vec<ConnectionInfo>,
    /// As they call the primary.
    pub name: String,
    /// User, password and database at the primary.
    pub login: ConnectionInfo,
}

/// What one Sentinel says.
struct Word {
    /// Higher with each failover: one that is cut off believes in what was.
    epoch: u64,
    host: String,
    port: u16,
}

impl Sentinels {
    /// Where the primary is.
    pub async fn primary(&self) -> Result<ConnectionInfo, Lost> {
        let words = self.newest_words().await?;
        words.first().map(|word| at(&self.login, &word.host, word.port)).ok_or("no Sentinel answers".into())
    }

    /// Where it is instead, if not there. While no Sentinel answers, a primary that does is not left.
    pub async fn moved_from(&self, primary: &ConnectionAddr) -> Option<ConnectionInfo> {
        let words = self.newest_words().await.ok()?;
        let named: Vec<_> = words.iter().map(|word| at(&self.login, &word.host, word.port)).collect();
        let stays = named.iter().any(|one| one.addr() == primary);
        named.into_iter().next().filter(|_| !stays)
    }

    /// Of those that answer in time, what those say that know the latest failover.
    async fn newest_words(&self) -> Result<Vec<Word>, Lost> {
        let mut asked: FuturesUnordered<_> = self.addresses.iter().map(|one| self.ask(one)).collect();
        let mut end = Instant::now() + PATIENCE;
        let (mut words, mut why) = (Vec::new(), "no Sentinel answers".to_owned());
        while let Ok(Some(answer)) = timeout_at(end, asked.next()).await {
            match answer {
                Ok(word) => {
                    words.push(word);
                    end = end.min(Instant::now() + OTHERS);
                }
                Err(error) => {
                    let name = &self.name;
                    // Of several reasons the one of a Sentinel that was reached says most.
                    if !error.is_io_error() {
                        why = format!("no Sentinel names the primary `{name}`: {error}");
                    }
                    tracing::debug!(name, %error, "a Sentinel does not name the primary");
                }
            }
        }
        let newest = words.iter().map(|word| word.epoch).max().ok_or(why)?;
        words.retain(|word| word.epoch == newest);
        Ok(words)
    }

    async fn ask(&self, sentinel: &ConnectionInfo) -> Result<Word, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let client = Client::open(sentinel.clone())?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        // Its epoch first: after a failover in between, an old address must not come with the new epoch.
        let known: HashMap<String, String> =
            cmd("SENTINEL").arg("MASTER").arg(&self.name).query_async(&mut connection).await?;
        // While a failover is being finished, this names the new primary, and MASTER still the old one.
        let (host, port) = cmd("SENTINEL")
            .arg("GET-MASTER-ADDR-BY-NAME")
            .arg(&self.name)
            .query_async(&mut connection)
            .await?;
        let epoch = known.get("config-epoch").and_then(|epoch| epoch.parse().ok()).unwrap_or_default();
        Ok(Word { epoch, host, port })
    }
}
