//! How Redis stands, as this node sees it: with commands and with what it hears.

use crate::{broker::Health, clock};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

#[derive(Clone, Copy)]
pub enum Part {
    /// The latest answer to a command.
    Commands,
    /// The connection that hears messages. While it is away no stream may begin, so the node is not ready.
    Hearing,
}

#[derive(Clone)]
pub struct Outlook(Arc<Inner>);

struct Inner {
    troubles: Mutex<Troubles>,
    /// Commands came to grief: look what it is.
    suspicion: Notify,
}

struct Troubles {
    parts: [Option<String>; 2],
    /// Unix milliseconds; of the first trouble since all was good.
    since: i64,
}

impl Troubles {
    /// What came to grief with the connection that hears was looked into, and so says more.
    fn why(&self) -> Option<&String> {
        self.parts.iter().flatten().next_back()
    }
}

impl Outlook {
    /// At the start nothing is heard yet, which is no news for the log.
    pub fn new() -> Outlook {
        let parts = [None, Some("it is being connected to".to_owned())];
        let troubles = Mutex::new(Troubles { parts, since: clock::now_ms() });
        Outlook(Arc::new(Inner { troubles, suspicion: Notify::new() }))
    }

    pub fn note(&self, part: Part, trouble: Option<String>) {
        let mut troubles = self.0.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!((part, &trouble), (Part::Commands, Some(_))) {
            self.0.suspicion.notify_waiters();
        }
        let was_good = troubles.why().is_none();
        if trouble.is_none() && troubles.parts[part as usize].is_none() {
            return;
        }
        troubles.parts[part as usize] = trouble;
        match (was_good, troubles.why()) {
            (true, Some(why)) => {
                tracing::warn!(
                    why,
                    "Redis is away: open streams stay, publishing is refused until it is back"
                );
                troubles.since = clock::now_ms();
            }
            (false, None) => tracing::info!("Redis answers"),
            _ => {}
        }
    }

    /// Waits for the next command that fails.
    pub async fn suspicion(&self) {
        self.0.suspicion.notified().await;
    }

    pub fn is_troubled(&self, part: Part) -> bool {
        self.0.troubles.lock().unwrap_or_else(PoisonError::into_inner).parts[part as usize].is_some()
    }

    pub fn health(&self) -> Health {
        let troubles = self.0.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        match troubles.why() {
            None => Health::Good,
            Some(why) => Health::Away { why: why.clone(), since: troubles.since },
        }
    }
}
