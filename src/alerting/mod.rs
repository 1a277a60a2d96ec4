//! Alerting: rules that are judged every ten seconds on the elected node, and what every node shows of them.
//!
//! Decisions are in `streamgauge_core::alert`; rows are in `store::alerts`. Here they meet.

mod backtest; // a rule over stored history
mod book; // the rules as they are in force
mod evaluator; // judges each closed bucket, and stores what came of it
mod fill; // histories of rules out of stored samples
mod past; // a rule's metric around an incident
mod quiet; // whether a rule is muted, and by what
mod shown; // the view that pages and the API answer from
mod spans; // what a rule was in the last 24 hours
mod watched; // one rule while it is judged
pub mod words; // sentences of timelines and exports

pub use backtest::Unfit;
pub use book::{BadRules, Book, Entry, checked, item};
pub use evaluator::Evaluator;
pub use quiet::{Quiet, local, window};
pub use shown::Shown;
pub use watched::Watched;

use crate::store::{Store, StoreError};
use std::sync::{Arc, Mutex, PoisonError};

/// Backtests at a time.
const BACKTESTS: usize = 2;

/// What routes, pages and jobs share of alerting.
pub struct Alerting {
    /// The rules of `--alerts FILE`. `None`: they are in PostgreSQL.
    file: Option<Arc<Book>>,
    /// Whether Redis is configured: rules about it are not used otherwise.
    pub redis: bool,
    shown: Mutex<Arc<Shown>>,
    /// Backtests that run: a long one reads a month.
    backtests: tokio::sync::Semaphore,
}

impl Alerting {
    /// `since`: the node's start, Unix milliseconds.
    pub fn new(file: Option<Book>, redis: bool, since: i64) -> Alerting {
        let file = file.map(Arc::new);
        let shown = Shown::first(file.clone(), redis, since);
        Alerting {
            file,
            redis,
            shown: Mutex::new(Arc::new(shown)),
            backtests: tokio::sync::Semaphore::new(BACKTESTS),
        }
    }

    /// The file that holds the rules.
    pub fn file(&self) -> Option<&Arc<Book>> {
        self.file.as_ref()
    }

    /// As it was last read; from memory.
    pub fn shown(&self) -> Arc<Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the view anew if anything changed. `now`: Unix milliseconds.
    pub async fn refresh(&self, store: &Store, now: i64) -> Result<(), StoreError> {
        let fresh = self.shown().fresh(store, self.redis, now).await?;
        if let Some(fresh) = fresh {
            *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        }
        Ok(())
    }
}
