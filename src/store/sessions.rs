//! Rows of `sessions`.

use super::{SessionNote, Store, StoreError, millis, traces};
use crate::clock;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool, types::Json};
use streamgauge_core::{
    metric::beacon::FallbackReason,
    page::view::{Found, PAGE, Search, SessionList, SessionRow},
    session::{
        cohort::Cohort,
        ids::SessionId,
        status::{State, StatusEvent},
        timeline::Timeline,
    },
};

/// Writes the state of sessions. An older note never overwrites a newer row, whichever node wrote it. A session that its
/// publisher ended stays ended, even if a node accepted an event for it while PostgreSQL was unreachable.
pub(super) async fn write(connection: &mut PgConnection, notes: &[SessionNote]) -> sqlx::Result<()> {
    let ids: Vec<String> = notes.iter().map(|note| note.id.to_string()).collect();
    let kinds: Vec<Option<String>> = notes.iter().map(|note| note.kind.clone()).collect();
    let regions: Vec<Option<String>> = notes.iter().map(|note| note.region.clone()).collect();
    let users: Vec<Option<String>> = notes.iter().map(|note| note.user.clone()).collect();
    let cohorts: Vec<String> = notes.iter().map(|note| note.cohort.as_str().to_owned()).collect();
    let states: Vec<String> = notes.iter().map(|note| note.state().as_str().to_owned()).collect();
    let started: Vec<DateTime<Utc>> = notes.iter().map(|note| millis(note.started_at)).collect();
    let last: Vec<DateTime<Utc>> = notes.iter().map(|note| millis(note.at)).collect();
    let ended: Vec<Option<DateTime<Utc>>> =
        notes.iter().map(|note| note.state().has_ended().then(|| millis(note.at))).collect();
    let count = |note: &SessionNote| note.event.as_ref().map_or(0, |event| event.id.seq);
    let events: Vec<i64> = notes.iter().map(|note| i64::try_from(count(note)).unwrap_or(i64::MAX)).collect();
    // A number may be larger than any that is stored: then its event is kept without its data.
    let stored = |event: &StatusEvent| {
        let bare = || serde_json::to_value(StatusEvent { data: None, ..event.clone() });
        serde_json::to_value(event).or_else(|_| bare()).ok()
    };
    let last_events: Vec<Option<serde_json::Value>> =
        notes.iter().map(|note| note.event.as_deref().and_then(stored)).collect();
    sqlx::query!(
        r#"INSERT INTO sessions AS row (id, kind, region, "user", cohort, state, started_at, last_event_at, ended_at,
                                       events, last_event)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                                $7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::bigint[], $11::jsonb[])
           ON CONFLICT (id) DO UPDATE
           SET kind = coalesce(excluded.kind, row.kind),
               region = coalesce(excluded.region, row.region),
               "user" = coalesce(excluded."user", row."user"),
               started_at = least(excluded.started_at, row.started_at),
               cohort = excluded.cohort,
               state = excluded.state,
               last_event_at = excluded.last_event_at,
               ended_at = excluded.ended_at,
               events = excluded.events,
               last_event = coalesce(excluded.last_event, row.last_event)
           WHERE excluded.last_event_at >= row.last_event_at AND row.state NOT IN ('completed', 'failed')"#,
        &ids,
        &kinds as &[Option<String>],
        &regions as &[Option<String>],
        &users as &[Option<String>],
        &cohorts,
        &states,
        &started,
        &last,
        &ended as &[Option<DateTime<Utc>>],
        &events,
        &last_events as &[Option<serde_json::Value>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Rows of the list of running sessions.
const LISTED: i64 = 200;

/// Sessions as they are stored.
pub struct Sessions<'a>(&'a Store);

impl Store {
    pub fn sessions(&self) -> Sessions<'_> {
        Sessions(self)
    }
}

impl Sessions<'_> {
    /// The running sessions. `streams`: how many streams of a session are open on this node.
    pub async fn list(&self, streams: impl Fn(&SessionId) -> u64 + Send) -> Result<SessionList, StoreError> {
        let (running, mut rows) = self.0.ask("list sessions", running(self.0.pool(), LISTED)).await?;
        for row in &mut rows {
            row.streams = u32::try_from(streams(&row.id)).unwrap_or(u32::MAX);
        }
        Ok(SessionList { as_of: clock::now_ms(), running, rows, complete: true })
    }

    /// One page of the sessions that are asked for, newest first. The next page begins behind its last row, so that it is
    /// as quick as the first, and new sessions move nothing. `now`: Unix milliseconds.
    pub async fn search(&self, wanted: &Search, now: i64) -> Result<Found, StoreError> {
        self.0.ask("search sessions", search(self.0.pool(), wanted, now)).await
    }

    /// One session's latest event. `None`: there is no such session; `Some(None)`: it has no event yet.
    pub async fn find(&self, id: &SessionId) -> Result<Option<Option<StatusEvent>>, StoreError> {
        self.0.try_anyway("find session", find(self.0.pool(), id)).await
    }

    /// Everything that is stored of one session.
    pub async fn timeline(&self, id: &SessionId) -> Result<Option<Timeline>, StoreError> {
        let read = async {
            let Some(timeline) = timeline(self.0.pool(), id).await? else { return Ok(None) };
            let (marks, more) = traces::marks(self.0.pool(), id).await?;
            Ok::<_, sqlx::Error>(Some(Timeline { marks, more, ..timeline }))
        };
        self.0.ask("read timeline", read).await
    }

    /// Sessions that a node without Redis restores after a restart: those that run, and those whose end a follower may
    /// still ask for. `running_since`, `ended_since`: Unix milliseconds.
    pub async fn restorable(
        &self,
        running_since: i64,
        ended_since: i64,
    ) -> Result<Vec<(SessionId, Option<StatusEvent>)>, StoreError> {
        let rows = restorable(self.0.pool(), running_since, ended_since);
        self.0.try_anyway("restore sessions", rows).await
    }

    /// Marks running sessions as abandoned that were silent since `before` (Unix milliseconds). Answers how many.
    pub async fn abandon(&self, before: i64) -> Result<u64, StoreError> {
        self.0.ask("abandon sessions", abandon(self.0.pool(), before)).await
    }
}

/// The running sessions, newest first, and how many there are in all.
async fn running(pool: &PgPool, most: i64) -> sqlx::Result<(u64, Vec<SessionRow>)> {
    let rows = sqlx::query!(
        r#"SELECT id, kind, region, cohort, started_at, last_event_at, events,
                  last_event AS "last_event: Json<StatusEvent>", count(*) OVER () AS "running!"
           FROM sessions WHERE state = 'running' ORDER BY started_at DESC, id LIMIT $1"#,
        most,
    )
    .fetch_all(pool)
    .await?;
    let running = rows.first().map_or(0, |row| u64::try_from(row.running).unwrap_or(0));
    let rows = rows.into_iter().filter_map(|row| {
        let event = row.last_event.map(|Json(event)| event);
        Some(SessionRow {
            id: row.id.parse().ok()?,
            kind: row.kind,
            region: row.region,
            cohort: if row.cohort == Cohort::Poll.as_str() { Cohort::Poll } else { Cohort::Stream },
            state: State::Running,
            stage: event.as_ref().map_or_else(|| "waiting".to_owned(), |event| event.stage.clone()),
            progress: event.as_ref().map_or(0, |event| event.progress),
            message: event.and_then(|event| event.message),
            started_at: row.started_at.timestamp_millis(),
            last_event_at: row.last_event_at.timestamp_millis(),
            events: u64::try_from(row.events).unwrap_or(0),
            streams: 0,
        })
    });
    Ok((running, rows.collect()))
}

pub(super) async fn find(pool: &PgPool, id: &SessionId) -> sqlx::Result<Option<Option<StatusEvent>>> {
    let row = sqlx::query!(
        r#"SELECT state, last_event AS "last_event: Json<StatusEvent>" FROM sessions WHERE id = $1"#,
        id.as_str(),
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| {
        let state = State::parse(&row.state);
        // An abandoned session has no event that says so.
        row.last_event.map(|Json(event)| StatusEvent { state: state.unwrap_or(event.state), ..event })
    }))
}

/// The sessions that their publishers ended.
pub(super) async fn ended(pool: &PgPool, sessions: &[SessionId]) -> sqlx::Result<Vec<SessionId>> {
    let ids: Vec<String> = sessions.iter().map(SessionId::to_string).collect();
    let query = sqlx::query_scalar!(
        "SELECT id FROM sessions WHERE id = ANY($1) AND state IN ('completed', 'failed')",
        &ids,
    );
    Ok(query.fetch_all(pool).await?.iter().filter_map(|id| id.parse().ok()).collect())
}

async fn restorable(
    pool: &PgPool,
    running_since: i64,
    ended_since: i64,
) -> sqlx::Result<Vec<(SessionId, Option<StatusEvent>)>> {
    let rows = sqlx::query!(
        r#"SELECT id, last_event AS "last_event: Json<StatusEvent>" FROM sessions
           WHERE (state = 'running' AND last_event_at >= $1)
              OR (state IN ('completed', 'failed') AND ended_at >= $2)
           ORDER BY last_event_at DESC LIMIT 100000"#,
        millis(running_since),
        millis(ended_since),
    )
    .fetch_all(pool)
    .await?;
    let known =
        rows.into_iter().filter_map(|row| Some((row.id.parse().ok()?, row.last_event.map(|Json(e)| e))));
    Ok(known.collect())
}

async fn abandon(pool: &PgPool, before: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "UPDATE sessions SET state = 'abandoned', ended_at = now() WHERE state = 'running' AND last_event_at < $1",
        millis(before),
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

struct Listed {
    id: String,
    kind: Option<String>,
    region: Option<String>,
    cohort: String,
    state: String,
    started_at: DateTime<Utc>,
    last_event_at: DateTime<Utc>,
    events: i64,
    last_event: Option<Json<StatusEvent>>,
}

impl Listed {
    fn row(self) -> Option<SessionRow> {
        let event = self.last_event.map(|Json(event)| event);
        Some(SessionRow {
            id: self.id.parse().ok()?,
            kind: self.kind,
            region: self.region,
            cohort: if self.cohort == Cohort::Poll.as_str() { Cohort::Poll } else { Cohort::Stream },
            state: State::parse(&self.state)?,
            stage: event.as_ref().map_or_else(|| "waiting".to_owned(), |event| event.stage.clone()),
            progress: event.as_ref().map_or(0, |event| event.progress),
            message: event.and_then(|event| event.message),
            started_at: self.started_at.timestamp_millis(),
            last_event_at: self.last_event_at.timestamp_millis(),
            events: u64::try_from(self.events).unwrap_or(0),
            streams: 0,
        })
    }
}

async fn search(pool: &PgPool, search: &Search, now: i64) -> sqlx::Result<Found> {
    // Escape what LIKE would read as a pattern.
    let prefix = search.text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_") + "%";
    let after = search.after.as_ref();
    let rows = sqlx::query_as!(
        Listed,
        r#"SELECT id, kind, region, cohort, state, started_at, last_event_at, events,
                  last_event AS "last_event: Json<StatusEvent>"
           FROM sessions
           WHERE ($1 = '%' OR id LIKE $1 OR kind LIKE $1 OR "user" LIKE $1)
             AND ($2::text IS NULL OR state = $2)
             AND ($3 = '' OR region = $3)
             AND ($4::timestamptz IS NULL OR (started_at, id) < ($4, $5))
             AND (NOT $7 OR id IN (SELECT session FROM fallbacks AS fell
                                   WHERE ($8::text IS NULL OR fell.reason = $8) AND ($9 = '' OR fell.region = $9)))
           ORDER BY started_at DESC, id DESC LIMIT $6"#,
        prefix,
        search.state.map(State::as_str),
        search.region,
        after.map(|(at, _)| millis(*at)),
        after.map_or("", |(_, id)| id.as_str()),
        PAGE as i64 + 1,
        search.fallback.is_some(),
        search.fallback.flatten().map(FallbackReason::as_str),
        search.fell_in,
    )
    .fetch_all(pool)
    .await?;
    let more = rows.len() > PAGE;
    let rows: Vec<SessionRow> = rows.into_iter().take(PAGE).filter_map(Listed::row).collect();
    let next = rows.last().filter(|_| more).map(|row| (row.started_at, row.id.to_string()));
    Ok(Found { search: search.clone(), rows, next, as_of: now })
}

/// Everything that is stored of one session, without its marks.
async fn timeline(pool: &PgPool, id: &SessionId) -> sqlx::Result<Option<Timeline>> {
    let row = sqlx::query!(
        r#"SELECT kind, region, "user", cohort, state, started_at, last_event_at, ended_at, events,
                  last_event AS "last_event: Json<StatusEvent>"
           FROM sessions WHERE id = $1"#,
        id.as_str(),
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| Timeline {
        id: id.clone(),
        kind: row.kind,
        region: row.region,
        user: row.user,
        cohort: if row.cohort == Cohort::Poll.as_str() { Cohort::Poll } else { Cohort::Stream },
        state: State::parse(&row.state).unwrap_or_default(),
        started_at: row.started_at.timestamp_millis(),
        last_event_at: row.last_event_at.timestamp_millis(),
        ended_at: row.ended_at.map(|at| at.timestamp_millis()),
        events: u64::try_from(row.events).unwrap_or(0),
        last: row.last_event.map(|Json(event)| event),
        marks: Vec::new(),
        more: false,
    }))
}
