//! What a request for a stream asks, in its header and its query, and how much its client may say afterwards.
//!
//! Anybody can send it: whatever it is, it has one meaning here, and costs no more than its own length.

use crate::session::{
    history::Ask,
    ids::{BadSessionId, Epoch, EventId, SessionId},
};
use serde::Deserialize;

/// Sessions over one connection.
pub const MOST_SESSIONS: usize = 16;
/// Bytes that a follower may say after its request: a pipelined one, which it can repeat elsewhere.
pub const FORGIVEN: u32 = 8 * 1024;

/// The query.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Following {
    #[serde(rename = "last-event-id", alias = "lastEventId", alias = "last_event_id")]
    pub last_event_id: Option<String>,
    /// Whose streams are counted together, while access is open. A ticket says it otherwise.
    pub user: Option<String>,
    /// Lets in, where access is closed. EventSource sends no header of one's own.
    pub ticket: Option<String>,
}

/// The headers, as they were sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    pub last_event_id: Option<&'a [u8]>,
    pub accept: Option<&'a [u8]>,
}

/// The position in each of `count` sessions: the header's, as EventSource sends it, or the query's. As [`positions`] writes
/// them: nothing between two commas is said by who has been told nothing of that session yet.
pub fn asks(headers: Headers<'_>, query: Option<&str>, count: usize) -> Vec<Ask> {
    let id = headers.last_event_id.or(query.map(str::as_bytes));
    // EventSource sends no header for an empty id, and neither is one taken for a position.
    let accept = headers.accept.and_then(|accept| std::str::from_utf8(accept).ok());
    let newcomer =
        Ask::Newcomer { insists: accept.is_some_and(|accept| accept.contains("text/event-stream")) };
    let Some(ids) = id.filter(|id| !id.is_empty()) else { return vec![newcomer; count] };
    let parse = |id: &[u8]| std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
    let ask = |id: &[u8]| {
        if id.is_empty() { newcomer } else { parse(id).map_or(Ask::Unreadable, Ask::Resume) }
    };
    let asks = ids.split(|&byte| byte == b',').map(ask);
    // One more than is wanted tells that it is too many.
    let asks: Vec<Ask> = asks.take(count + 1).collect();
    if asks.len() == count { asks } else { vec![Ask::Unreadable; count] }
}

/// What a follower knows before it is told anything. Who came with an id that nobody gave is not taken for a newcomer: if it
/// is cut before it is told of the gap, it is told the next time.
pub fn known(ask: Ask) -> Option<EventId> {
    match ask {
        Ask::Newcomer { .. } => None,
        Ask::Unreadable => Some(EventId { epoch: Epoch(0), seq: 0 }),
        Ask::Resume(id) => Some(id),
    }
}

/// Positions in several sessions as one id, in the order in which the client named the sessions.
pub fn positions(positions: &[Option<EventId>]) -> String {
    let words: Vec<String> =
        positions.iter().map(|position| position.map_or(String::new(), |id| id.to_string())).collect();
    words.join(",")
}

/// What is wrong with the sessions of a query.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSessions {
    #[error(transparent)]
    Id(#[from] BadSessionId),
    #[error("name the sessions in the query: ?session=a&session=b")]
    Missing,
    #[error("session may stand in the query {MOST_SESSIONS} times, each time another one")]
    TooMany,
}

/// The sessions that `?session=a&session=b` names. Their ids need no decoding.
pub fn sessions(query: &str) -> Result<Vec<SessionId>, BadSessions> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut sessions = Vec::new();
    for (_, id) in pairs.filter(|(name, _)| *name == "session") {
        let id: SessionId = id.parse()?;
        if sessions.len() == MOST_SESSIONS || sessions.contains(&id) {
            return Err(BadSessions::TooMany);
        }
        sessions.push(id);
    }
    if sessions.is_empty() { Err(BadSessions::Missing) } else { Ok(sessions) }
}

/// What a follower has said since its request. Nobody reads it as HTTP any more, so it is only counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said(u16);

impl Said {
    /// `bytes` more. Answers whether it is forgiven.
    pub fn more(&mut self, bytes: usize) -> bool {
        self.0 = self.0.saturating_add(u16::try_from(bytes).unwrap_or(u16::MAX));
        u32::from(self.0) <= FORGIVEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(header: Option<&str>, query: Option<&str>, count: usize, expected: &str) {
        let accept = Some(&b"text/html, text/event-stream"[..]);
        let headers = Headers { last_event_id: header.map(str::as_bytes), accept };
        let words: Vec<String> = asks(headers, query, count)
            .into_iter()
            .map(|ask| match ask {
                Ask::Newcomer { insists } => format!("new {insists}"),
                Ask::Resume(id) => id.to_string(),
                Ask::Unreadable => "?".into(),
            })
            .collect();
        assert_eq!(words.join(" "), expected, "{header:?} {query:?}");
    }

    #[test]
    fn the_header_says_the_position_or_else_the_query() {
        check(None, None, 1, "new true");
        check(Some("a1-3"), None, 1, "a1-3");
        check(Some("a1-3"), Some("a1-4"), 1, "a1-3");
        check(None, Some("a1-4"), 1, "a1-4");
        check(Some(""), Some("a1-4"), 1, "new true");
        check(Some("né"), None, 1, "?");
        check(Some("a1-3,a1-4"), None, 1, "?");
        check(Some("a1-3,x"), None, 2, "a1-3 ?");
        check(Some("a1-3"), None, 2, "? ?");
        check(Some("a1-3,"), None, 2, "a1-3 new true");
        check(Some(&",".repeat(10_000)), None, 2, "? ?");
        assert_eq!(asks(Headers::default(), None, 1), [Ask::Newcomer { insists: false }]);
        let id = EventId { epoch: Epoch(0xa1), seq: 3 };
        let headers = Headers { last_event_id: Some(b"a1-3"), accept: None };
        assert_eq!(asks(headers, None, 1), [Ask::Resume(id)]);
    }

    #[test]
    fn sessions_are_named_each_once() {
        let check = |query: &str, expected: Result<&str, BadSessions>| {
            let got =
                sessions(query).map(|ids| ids.iter().map(SessionId::as_str).collect::<Vec<_>>().join(" "));
            assert_eq!(got, expected.map(str::to_owned), "{query}");
        };
        check("session=a&x=1&session=b&session", Ok("a b"));
        check("", Err(BadSessions::Missing));
        check("session=a&session=a", Err(BadSessions::TooMany));
        check("session=a%20b", Err(BadSessions::Id(BadSessionId)));
        let many: Vec<String> = (0..=MOST_SESSIONS).map(|n| format!("session={n}")).collect();
        check(&many.join("&"), Err(BadSessions::TooMany));
    }

    proptest! {
        #[test]
        fn in_whatever_portions_so_much_is_forgiven(portions in prop::collection::vec(0usize..3_000, 0..60)) {
            let (mut said, mut sum) = (Said::default(), 0);
            for portion in portions {
                sum += portion;
                prop_assert_eq!(said.more(portion), sum <= FORGIVEN as usize);
            }
        }
    }
}
