//! The publishers' side: making sessions, reporting status, ending.

use super::{
    admission::{Admission, Publisher, admit},
    body::{self, Checked},
    extract::Named,
    problem::Problem,
};
use crate::{
    broker::{BrokerError, Publication, Published},
    clock,
    node::Node,
    store::SessionNote,
    stream::Caller,
};
use axum::{
    Json,
    extract::{FromRequestParts, Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, StatusCode, header, request::Parts};
use serde::{Deserialize, Serialize};
use std::{collections::HashSet, sync::Arc};
use streamgauge_core::{
    access::Claims,
    metric::measure::counters::Counter,
    session::{
        cohort::Cohort,
        ids::{EventId, SessionId},
        status::{Draft, RawDraft, RawLine, State as SessionState},
    },
    text::is_label,
};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Create {
    id: Option<String>,
    user: Option<String>,
    kind: Option<String>,
    region: Option<String>,
}

#[derive(Serialize)]
struct Created {
    id: SessionId,
    cohort: Cohort,
    stream_url: String,
    poll_url: String,
    poll_interval_ms: u32,
    page_url: String,
    /// For followers. `null` while access is open.
    ticket: Option<String>,
}

pub async fn create(
    State(node): State<Arc<Node>>,
    publisher: Publisher,
    Checked(create): Checked<Create>,
) -> Result<Response, Problem> {
    for (field, value) in [("user", &create.user), ("kind", &create.kind), ("region", &create.region)] {
        if value.as_deref().is_some_and(|text| !is_label(text, Draft::MAX_STAGE)) {
            let detail = format!(
                "{field} must have 1 to 64 characters and no control or invisible formatting characters."
            );
            return Err(Problem::field(field, detail));
        }
    }
    let id: SessionId = match &create.id {
        Some(id) => id.parse()?,
        None => fresh_id()?,
    };
    publisher.may(&id)?;
    if create.id.is_some() && node.store.endings().has(&id).await {
        let detail = format!("There was a session {id}, which has ended. Choose another id.");
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    if !node.streams.broker.create(&id).await? {
        let detail = format!("There is a session {id} already.");
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    node.began(&id);
    let (cohort, now) = (node.cohort(&id), clock::now_ms());
    node.store.write_behind().session(SessionNote {
        id: id.clone(),
        kind: create.kind,
        region: create.region,
        user: create.user.clone(),
        cohort,
        at: now,
        event: None,
        started_at: now,
    });
    let poll_url = format!("/api/v1/sessions/{id}/status");
    let created = Created {
        cohort,
        stream_url: format!("{poll_url}/stream"),
        page_url: format!("/s/{id}"),
        poll_interval_ms: node.settings.poll_interval_ms,
        ticket: ticket_for(&node, vec![id.clone()], create.user, node.settings.ticket_ms)
            .map(|issued| issued.ticket),
        poll_url,
        id,
    };
    let location = created.poll_url.clone();
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(created)).into_response())
}

/// 128 bits from the operating system: an id that nobody guesses.
fn fresh_id() -> Result<SessionId, Problem> {
    let mut bytes = [0u8; 16];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    let unavailable =
        || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "No random id could be made; send one.");
    if filled != Ok(bytes.len()) {
        return Err(unavailable());
    }
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.parse().map_err(|_| unavailable())
}

#[derive(Serialize)]
struct Accepted {
    id: EventId,
    subscribers: u64,
}

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header by which a publisher may repeat a request without publishing twice: 1 to 128 visible characters.
pub struct IdempotencyKey(Option<Box<str>>);

impl IdempotencyKey {
    fn of(headers: &HeaderMap) -> Result<IdempotencyKey, Problem> {
        let Some(value) = headers.get(&IDEMPOTENCY_KEY) else { return Ok(IdempotencyKey(None)) };
        let key = value.to_str().ok().filter(|key| (1..=128).contains(&key.len()));
        key.map(|key| IdempotencyKey(Some(key.into()))).ok_or_else(|| {
            let detail = "Idempotency-Key must have 1 to 128 visible ASCII characters.";
            Problem::new(StatusCode::BAD_REQUEST, detail)
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        IdempotencyKey::of(&parts.headers)
    }
}

async fn publish(
    node: &Node,
    admission: &Admission,
    say: Publication,
    key: Option<&str>,
    ended: &mut Ended<'_>,
) -> Result<Published, Problem> {
    let id = admission.session();
    // A backlog of deliveries slows publishers, and never grows without bound.
    node.streams.hub.room(id).await;
    let published = match node.streams.broker.publish(id, say, key).await {
        // Boxed, so that an event of a known session does not carry the room for it.
        Err(unknown @ (BrokerError::NotBegun(_) | BrokerError::Unknown)) => {
            Box::pin(publish_first(node, id, unknown, key, ended)).await
        }
        published => published,
    };
    let published = published.inspect_err(|error| {
        if matches!(error, BrokerError::Away(_) | BrokerError::OutOfMemory) {
            node.recorder.add(Counter::PublishFailed, 1);
        }
    })?;
    node.published(&published);
    Ok(published)
}

/// The broker knows no such session: its event makes it, unless it ended a while ago.
async fn publish_first(
    node: &Node,
    id: &SessionId,
    unknown: BrokerError,
    key: Option<&str>,
    ended: &mut Ended<'_>,
) -> Result<Published, BrokerError> {
    if ended.has(node, id).await {
        return Err(BrokerError::Ended);
    }
    match unknown {
        BrokerError::NotBegun(draft) => {
            node.streams.broker.publish(id, Publication::First(*draft), key).await
        }
        unknown => Err(unknown),
    }
}

/// Which of the sessions that the broker does not know have ended.
enum Ended<'a> {
    /// Asked for one.
    One,
    /// Asked for all sessions of a batch together, once one of them is not known.
    Batch { body: &'a [u8], ended: Option<HashSet<SessionId>> },
}

/// What of a line says whose event it is.
#[derive(Deserialize)]
struct Line {
    session: SessionId,
}

impl Ended<'_> {
    async fn has(&mut self, node: &Node, id: &SessionId) -> bool {
        let endings = node.store.endings();
        let (body, known) = match self {
            Ended::One => return endings.has(id).await,
            Ended::Batch { body, ended } => (*body, ended),
        };
        if known.is_none() {
            // At most as many as a batch has lines.
            let lines =
                body.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
            let sessions: HashSet<SessionId> = lines.map(|Line { session }| session).collect();
            let sessions: Vec<SessionId> = sessions.into_iter().collect();
            *known = Some(endings.among(&sessions).await);
        }
        known.as_ref().is_some_and(|ended| ended.contains(id))
    }
}

pub async fn status(
    State(node): State<Arc<Node>>,
    named: Result<Named, Problem>,
    request: Request,
) -> Result<Response, Problem> {
    let caller = request.extensions().get::<Arc<Caller>>().cloned();
    match named {
        Ok(Named(id)) => status_of(node, id, request, caller.as_deref()).await,
        Err(problem) => {
            // A client without a key learns that first, whatever the path names.
            Publisher::admit(&node, request.headers(), caller.as_deref())?;
            Err(problem)
        }
    }
}

/// The same, when it is known already which session is meant.
pub fn status_of(
    node: Arc<Node>,
    session: SessionId,
    request: Request,
    caller: Option<&Caller>,
) -> impl Future<Output = Result<Response, Problem>> + use<> {
    let admitted = admit(&node, session, request.headers(), caller);
    let reported = admitted.map(|admission| report(node, admission, request));
    async move { reported?.await }
}

/// What the head says is done with before the body is waited for: the request is not kept for that time.
fn report(
    node: Arc<Node>,
    admission: Admission,
    request: Request,
) -> impl Future<Output = Result<Response, Problem>> {
    let key = IdempotencyKey::of(request.headers());
    let body = body::json(request);
    async move {
        let IdempotencyKey(key) = key?;
        let raw: RawDraft = body::read(&body::whole(body?, body::MAX_JSON).await?, "body")?;
        let say = Publication::Status(Draft::check(raw)?);
        let published = publish(&node, &admission, say, key.as_deref(), &mut Ended::One).await?;
        let accepted = Accepted { id: published.event.id, subscribers: published.subscribers };
        Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketWish {
    user: Option<String>,
    /// How long it is to open the session, ms.
    lives_ms: Option<u64>,
    /// Further sessions that it opens: a follower of several over one connection sends one ticket.
    #[serde(default)]
    sessions: Vec<SessionId>,
}

#[derive(Serialize)]
struct Issued {
    ticket: String,
    /// Unix milliseconds.
    expires_at: i64,
}

/// `None`: access is open, and no ticket is needed.
fn ticket_for(node: &Node, sessions: Vec<SessionId>, user: Option<String>, lives_ms: u64) -> Option<Issued> {
    let lives = i64::try_from(lives_ms / 1_000).unwrap_or(Claims::LIVES).clamp(1, Claims::LIVES);
    let exp = clock::now_ms() / 1_000 + lives;
    let ticket = node.access.ticket(&Claims { sub: user, sessions, exp })?;
    Some(Issued { ticket, expires_at: exp * 1_000 })
}

/// A ticket for one more follower, or a new one for one whose ticket expired.
pub async fn ticket(
    State(node): State<Arc<Node>>,
    _: Publisher,
    Named(id): Named,
    Checked(wish): Checked<TicketWish>,
) -> Result<Response, Problem> {
    if wish.user.as_deref().is_some_and(|user| !is_label(user, Draft::MAX_STAGE)) {
        return Err(Problem::field(
            "user",
            "user must have 1 to 64 characters and no control or invisible formatting characters.",
        ));
    }
    let longest = Claims::LIVES.unsigned_abs() * 1_000;
    let lives_ms = wish.lives_ms.unwrap_or(node.settings.ticket_ms);
    if !(1_000..=longest).contains(&lives_ms) {
        return Err(Problem::field("lives_ms", format!("lives_ms must be from 1000 to {longest}.")));
    }
    let mut sessions = wish.sessions;
    sessions.push(id);
    sessions.sort();
    sessions.dedup();
    if sessions.len() > Claims::SESSIONS {
        let detail = format!("A ticket is for {} sessions at most.", Claims::SESSIONS);
        return Err(Problem::field("sessions", detail));
    }
    let open = || Problem::new(StatusCode::CONFLICT, "Access is open: followers need no ticket.");
    let issued = ticket_for(&node, sessions, wish.user, lives_ms).ok_or_else(open)?;
    Ok((StatusCode::CREATED, Json(issued)).into_response())
}

/// One batch: lines of a status event each.
const MOST_LINES: usize = 1_000;
const MAX_BATCH: usize = 1024 * 1024;
/// Lines that are published in one go.
const AT_ONCE: usize = 16;

/// What became of one line.
#[derive(Serialize)]
struct Fate {
    line: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<EventId>,
    /// As the same event alone would have been answered.
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Many events, one a line; each has its own fate. One that the broker could not take ends the batch, since those
/// after it would be out of order: they answer 503 and are to be sent again.
pub async fn batch(
    State(node): State<Arc<Node>>,
    publisher: Publisher,
    request: Request,
) -> Result<Response, Problem> {
    if !body::says(request.headers(), "application/x-ndjson") {
        let detail = "Send one JSON object a line, with the header Content-Type: application/x-ndjson.";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let body = body::whole(request.into_body(), MAX_BATCH).await?;
    let lines =
        || body.split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
    if lines().nth(MOST_LINES).is_some() {
        let detail = format!("A batch may have at most {MOST_LINES} lines.");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    let mut fates = Vec::new();
    let mut away = false;
    let mut ended = Ended::Batch { body: &body, ended: None };
    for (number, (index, line)) in lines().enumerate() {
        if number % AT_ONCE == AT_ONCE - 1 {
            // Followers whose streams this thread serves have their turn.
            tokio::task::yield_now().await;
        }
        let result = if away {
            Err(Problem::away("An earlier line could not be published."))
        } else {
            publish_line(&node, &publisher, line, &mut ended).await
        };
        let line = index + 1;
        fates.push(match result {
            Ok(published) => Fate {
                line,
                id: Some(published.event.id),
                status: StatusCode::ACCEPTED.as_u16(),
                detail: None,
            },
            Err(problem) => {
                away |= problem.is_away();
                Fate {
                    line,
                    id: None,
                    status: problem.status().as_u16(),
                    detail: Some(problem.detail().to_owned()),
                }
            }
        });
    }
    Ok((StatusCode::MULTI_STATUS, Json(fates)).into_response())
}

async fn publish_line(
    node: &Node,
    publisher: &Publisher,
    line: &[u8],
    ended: &mut Ended<'_>,
) -> Result<Published, Problem> {
    let line: RawLine = body::read(line, "line")?;
    let admission = Admission::to(line.session.parse()?, publisher)?;
    publish(node, &admission, Publication::Status(Draft::check(line.into())?), None, ended).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Complete {
    outcome: String,
    message: Option<String>,
}

pub async fn complete(
    State(node): State<Arc<Node>>,
    publisher: Publisher,
    Named(id): Named,
    IdempotencyKey(key): IdempotencyKey,
    Checked(complete): Checked<Complete>,
) -> Result<Response, Problem> {
    let admission = Admission::to(id, &publisher)?;
    let outcome = match complete.outcome.as_str() {
        "completed" => SessionState::Completed,
        "failed" => SessionState::Failed,
        _ => return Err(Problem::field("outcome", "outcome must be completed or failed.")),
    };
    let say = Publication::End { outcome, message: complete.message };
    let published = publish(&node, &admission, say, key.as_deref(), &mut Ended::One).await?;
    let accepted = Accepted { id: published.event.id, subscribers: published.subscribers };
    Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
}
