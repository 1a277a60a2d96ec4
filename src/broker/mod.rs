//! Connects publishers with followers: numbers the events, keeps a bounded history, reaches every node.

mod local; // one node, in process
mod redis; // several nodes, through Redis
mod traced; // either of them, seen in traces

pub use self::redis::{RedisBroker, RedisError as RedisUrlError};
pub use local::LocalBroker;
pub use traced::TracedBroker;

use std::{future::Future, pin::Pin, sync::Arc};
use streamgauge_core::session::{
    history::SessionHistory,
    ids::{EventId, SessionId},
    status::{BadDraft, Draft, State, StatusEvent},
};

pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, BrokerError>> + Send + 'a>>;

#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    #[error("the session has ended")]
    Ended,
    #[error("there is no such session")]
    Unknown,
    /// The session does not exist. The draft is returned: the session may have ended long ago, so the caller checks that and
    /// then publishes again as [`Publication::First`].
    #[error("there is no such session yet")]
    NotBegun(Box<Draft>),
    #[error("as many sessions are held as there is room for")]
    Full,
    #[error(transparent)]
    Bad(#[from] BadDraft),
    /// Redis refuses writes because of its memory limit. Reads still work.
    #[error("Redis is at its memory limit")]
    OutOfMemory,
    /// The message is for the log; followers and publishers get an answer that says to retry.
    #[error("the broker cannot be reached: {0}")]
    Away(String),
}

/// What a publisher sends.
#[derive(Clone, Debug)]
pub enum Publication {
    /// To an existing session. Without one, the draft is returned: [`BrokerError::NotBegun`].
    Status(Draft),
    /// Creates the session if there is none.
    First(Draft),
    /// Ends the session at its present stage and progress.
    End { outcome: State, message: Option<String> },
}

impl Publication {
    /// The answer where there is no session.
    fn has_no_session(self) -> BrokerError {
        match self {
            Publication::Status(draft) | Publication::First(draft) => BrokerError::NotBegun(Box::new(draft)),
            Publication::End { .. } => BrokerError::Unknown,
        }
    }
}

/// What became of an accepted event.
#[derive(Clone, Debug)]
pub struct Published {
    pub event: Arc<StatusEvent>,
    /// Followers that are known: those of this node, and one for each other node that has some.
    pub subscribers: u64,
    /// The idempotency key was seen before: this is the first answer again, and nothing was published.
    pub repeated: bool,
    /// This event created the session.
    pub created: bool,
}

/// What is known of a session without its history: enough for a poll.
#[derive(Clone, Debug)]
pub struct Current {
    /// The latest event's id; `seq` is 0 before the first.
    pub id: EventId,
    pub event: Option<Arc<StatusEvent>>,
}

/// What a poll finds, and how much followed time it counts for.
#[derive(Clone, Debug)]
pub struct Poll {
    pub current: Current,
    /// Followed time that this poll adds to that of earlier polls of all nodes, ms.
    pub followed_ms: u64,
    /// Other nodes have streams of the session, which count that time already.
    pub is_streamed_elsewhere: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Health {
    Good,
    /// Why, and since when (Unix milliseconds).
    Away {
        why: String,
        since: i64,
    },
}

/// A place among a user's streams to a session. Released on drop.
pub struct Lease(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Lease {
    fn new(give_back: impl FnOnce() + Send + Sync + 'static) -> Lease {
        Lease(Some(Box::new(give_back)))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(give_back) = self.0.take() {
            give_back();
        }
    }
}

/// What a broker must do; `tests/server/broker` is this contract as a program, run against both.
pub trait Broker: Send + Sync + 'static {
    /// Makes a session without an event. `false`: it exists already.
    fn create<'a>(&'a self, session: &'a SessionId) -> Answer<'a, bool>;

    /// Gives the event its number, keeps it and delivers it to the hub of every node that watches the session.
    /// `key`: the publisher's `Idempotency-Key`.
    fn publish<'a>(
        &'a self,
        session: &'a SessionId,
        say: Publication,
        key: Option<&'a str>,
    ) -> Answer<'a, Published>;

    /// From here on this node's hub gets the session's events, without a gap after the returned history. For a session that
    /// has not begun that is [`SessionHistory::not_begun`], and its first event reaches the hub like any other. Each call that
    /// returns `Ok` needs one [`Broker::unwatch`].
    fn watch<'a>(&'a self, session: &'a SessionId) -> Answer<'a, SessionHistory>;

    fn unwatch(&self, session: &SessionId);

    /// A place for one more stream of the user to the session, among `most` over all nodes. `None`: all are taken.
    fn lease<'a>(&'a self, session: &'a SessionId, user: &'a str, most: u32) -> Answer<'a, Option<Lease>>;

    /// `None`: unknown session.
    fn current<'a>(&'a self, session: &'a SessionId) -> Answer<'a, Option<Current>>;

    /// The same for a poller that asks every `interval_ms`. `None`: unknown session.
    fn poll<'a>(&'a self, session: &'a SessionId, interval_ms: u32) -> Answer<'a, Option<Poll>>;

    /// A page of the session fell back. `true`: it is the first of all pages on all nodes.
    fn falls_back<'a>(&'a self, session: &'a SessionId) -> Answer<'a, bool>;

    fn health(&self) -> Health;
}
