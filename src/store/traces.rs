//! Rows of `fallbacks`, `pages_seen`, `annotations` and `session_marks`.

use super::{
    Store, StoreError, Traces, Whose, audit,
    commit_check::{Failed, commit},
    millis, seconds,
};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{Connection, PgConnection, PgPool};
use streamgauge_core::{
    access::{
        Actor,
        audit::{Action, Change},
    },
    metric::{
        beacon::FallbackReason,
        fallback::{Fallbacks, Seen},
    },
    page::annotation::{Annotation, AnnotationKind},
    session::{
        ids::SessionId,
        timeline::{MOST, Mark, MarkKind},
    },
};

/// All or nothing.
pub(super) async fn write(connection: &mut PgConnection, node: &str, traces: &Traces) -> Result<(), Failed> {
    let mut transaction = connection.begin().await?;
    if !traces.fallbacks.is_empty() {
        let fallen = &traces.fallbacks;
        let text = |read: fn(&super::Fallen) -> String| fallen.iter().map(read).collect::<Vec<String>>();
        let at: Vec<DateTime<Utc>> = fallen.iter().map(|fallen| millis(fallen.at)).collect();
        sqlx::query!(
            "INSERT INTO fallbacks (at, session, reason, browser, region, route, node)
             SELECT *, $7 FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])",
            &at,
            &text(|fallen| fallen.session.to_string()),
            &text(|fallen| fallen.reason.as_str().to_owned()),
            &text(|fallen| fallen.place.browser.clone()),
            &text(|fallen| fallen.place.region.clone()),
            &text(|fallen| fallen.place.route.clone()),
            node,
        )
        .execute(&mut *transaction)
        .await?;
    }
    for ((bucket, place), pages) in &traces.pages {
        sqlx::query!(
            "INSERT INTO pages_seen AS seen (bucket_start, node, browser, region, route, pages)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (bucket_start, node, browser, region, route)
             DO UPDATE SET pages = seen.pages + excluded.pages",
            seconds(*bucket),
            node,
            place.browser,
            place.region,
            place.route,
            pages,
        )
        .execute(&mut *transaction)
        .await?;
    }
    for annotation in &traces.annotations {
        insert_annotation(&mut transaction, annotation).await?;
    }
    for entry in &traces.audit {
        audit::write_entry(&mut transaction, entry).await?;
    }
    commit(transaction).await
}

/// Records beside the samples: fallbacks, kinds of pages, annotations.
pub struct TraceRows<'a>(&'a Store);

impl Store {
    pub fn traces(&self) -> TraceRows<'_> {
        TraceRows(self)
    }
}

impl TraceRows<'_> {
    /// Fallbacks in `[from, to)`, the commonest kinds first.
    pub async fn fallbacks(&self, window: (i64, i64), whose: &Whose) -> Result<Vec<Fallbacks>, StoreError> {
        self.0.ask("read fallbacks", fallbacks(self.0.pool(), window, whose)).await
    }

    /// How many there were in each step of `[from, to)` that had some, by the step's start.
    pub async fn fallbacks_over_time(
        &self,
        steps: (i64, i64, i64),
        whose: &Whose,
    ) -> Result<Vec<(i64, u64)>, StoreError> {
        self.0.ask("count fallbacks", fallbacks_over_time(self.0.pool(), steps, whose)).await
    }

    /// Pages seen in `[from, to)`, the commonest kinds first.
    pub async fn pages_seen(&self, window: (i64, i64), whose: &Whose) -> Result<Vec<Seen>, StoreError> {
        self.0.ask("read pages", pages_seen(self.0.pool(), window, whose)).await
    }

    /// Annotations in `[from, to)`, oldest first; the newest 200. `node`: empty for all.
    pub async fn annotations(&self, from: i64, to: i64, node: &str) -> Result<Vec<Annotation>, StoreError> {
        self.0.ask("read annotations", annotations(self.0.pool(), from, to, node)).await
    }

    /// Answers its id.
    pub async fn add_annotation(&self, annotation: &Annotation, actor: &Actor) -> Result<i64, StoreError> {
        self.0.ask("add annotation", add_annotation(self.0.pool(), annotation, actor)).await
    }

    /// `false`: there is no such annotation.
    pub async fn remove_annotation(&self, id: i64, actor: &Actor) -> Result<bool, StoreError> {
        self.0.ask("remove annotation", remove_annotation(self.0.pool(), id, actor)).await
    }

    /// Deletes rows beyond their retention. `now`: Unix seconds.
    pub async fn retain(&self, now: i64) -> Result<(), StoreError> {
        self.0.try_anyway("drop timelines", retain(self.0.pool(), now)).await
    }
}

/// Kinds of fallbacks and of pages that are read: the commonest, of a few thousand that there can be.
const KINDS: i64 = 10_000;

async fn fallbacks(pool: &PgPool, (from, to): (i64, i64), whose: &Whose) -> sqlx::Result<Vec<Fallbacks>> {
    let rows = sqlx::query!(
        r#"SELECT reason, browser, region, route, count(*) AS "count!", min(at) AS "since!" FROM fallbacks
           WHERE at >= $1 AND at < $2 AND ($3 = '' OR region = $3) AND ($4 = '' OR node = $4)
           GROUP BY reason, browser, region, route ORDER BY 5 DESC, 1, 2, 3, 4 LIMIT $5"#,
        seconds(from),
        seconds(to),
        whose.region,
        whose.node,
        KINDS,
    )
    .fetch_all(pool)
    .await?;
    let fallbacks = rows.into_iter().filter_map(|row| {
        Some(Fallbacks {
            reason: FallbackReason::parse(&row.reason)?,
            browser: row.browser,
            region: row.region,
            route: row.route,
            count: whole(row.count),
            since: row.since.timestamp(),
        })
    });
    Ok(fallbacks.collect())
}

async fn fallbacks_over_time(
    pool: &PgPool,
    (from, to, step): (i64, i64, i64),
    whose: &Whose,
) -> sqlx::Result<Vec<(i64, u64)>> {
    let rows = sqlx::query!(
        r#"SELECT floor((extract(epoch FROM at)::float8 - $5) / $6)::bigint AS "nth!", count(*) AS "count!" FROM fallbacks
           WHERE at >= $1 AND at < $2 AND ($3 = '' OR region = $3) AND ($4 = '' OR node = $4)
           GROUP BY 1 ORDER BY 1"#,
        seconds(from),
        seconds(to),
        whose.region,
        whose.node,
        from as f64,
        step as f64,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (from + row.nth * step, whole(row.count))).collect())
}

async fn pages_seen(pool: &PgPool, (from, to): (i64, i64), whose: &Whose) -> sqlx::Result<Vec<Seen>> {
    let rows = sqlx::query!(
        r#"SELECT browser, region, route, sum(pages)::bigint AS "pages!" FROM pages_seen
           WHERE bucket_start >= $1 AND bucket_start < $2 AND ($3 = '' OR region = $3) AND ($4 = '' OR node = $4)
           GROUP BY browser, region, route ORDER BY 4 DESC, 1, 2, 3 LIMIT $5"#,
        // The ten minutes that the range begins in.
        seconds(from - 600),
        seconds(to),
        whose.region,
        whose.node,
        KINDS,
    )
    .fetch_all(pool)
    .await?;
    let seen = rows.into_iter().map(|row| Seen {
        browser: row.browser,
        region: row.region,
        route: row.route,
        pages: whole(row.pages),
    });
    Ok(seen.collect())
}

fn whole(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

async fn annotations(pool: &PgPool, from: i64, to: i64, node: &str) -> sqlx::Result<Vec<Annotation>> {
    let rows = sqlx::query!(
        "SELECT id, at, kind, node, text, author FROM annotations
         WHERE at >= $1 AND at < $2 AND ($3 = '' OR node = '' OR node = $3) ORDER BY at DESC LIMIT 200",
        seconds(from),
        seconds(to),
        node,
    )
    .fetch_all(pool)
    .await?;
    let annotations = rows.into_iter().rev().filter_map(|row| {
        let kind = AnnotationKind::parse(&row.kind)?;
        let (id, at) = (row.id, row.at.timestamp());
        Some(Annotation { id, at, kind, node: row.node, text: row.text, author: row.author })
    });
    Ok(annotations.collect())
}

async fn insert_annotation(connection: &mut PgConnection, annotation: &Annotation) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        "INSERT INTO annotations (at, kind, node, text, author) VALUES ($1, $2, $3, $4, $5) RETURNING id",
        seconds(annotation.at),
        annotation.kind.as_str(),
        annotation.node,
        annotation.text,
        annotation.author,
    )
    .fetch_one(connection)
    .await
}

async fn add_annotation(pool: &PgPool, annotation: &Annotation, actor: &Actor) -> sqlx::Result<i64> {
    let mut transaction = pool.begin().await?;
    let id = insert_annotation(&mut transaction, annotation).await?;
    let Annotation { at, kind, node, text, .. } = annotation;
    let change = Change {
        action: Action::AddAnnotation,
        object: format!("annotation/{id}"),
        old: None,
        new: Some(json!({ "at": at, "kind": kind, "node": node, "text": text })),
    };
    audit::write(&mut transaction, actor, &change).await?;
    transaction.commit().await?;
    Ok(id)
}

async fn remove_annotation(pool: &PgPool, id: i64, actor: &Actor) -> sqlx::Result<bool> {
    let mut transaction = pool.begin().await?;
    let row =
        sqlx::query!("DELETE FROM annotations WHERE id = $1 RETURNING at, kind, node, text, author", id);
    let Some(row) = row.fetch_optional(&mut *transaction).await? else { return Ok(false) };
    let at = row.at.timestamp();
    let old = json!({ "at": at, "kind": row.kind, "node": row.node, "text": row.text, "author": row.author });
    let change = Change {
        action: Action::RemoveAnnotation,
        object: format!("annotation/{id}"),
        old: Some(old),
        new: None,
    };
    audit::write(&mut transaction, actor, &change).await?;
    transaction.commit().await?;
    Ok(true)
}

/// All or nothing.
pub(super) async fn write_marks(
    connection: &mut PgConnection,
    marks: &[(SessionId, Mark)],
) -> Result<(), Failed> {
    let days = marks.iter().map(|(_, mark)| mark.at.div_euclid(86_400_000));
    for day in days.collect::<std::collections::BTreeSet<_>>() {
        sqlx::query!("SELECT session_marks_partition($1)", millis(day * 86_400_000))
            .execute(&mut *connection)
            .await?;
    }
    let mut transaction = connection.begin().await?;
    let text = |read: fn(&(SessionId, Mark)) -> String| marks.iter().map(read).collect::<Vec<String>>();
    let at: Vec<DateTime<Utc>> = marks.iter().map(|(_, mark)| millis(mark.at)).collect();
    let values: Vec<Option<f64>> = marks.iter().map(|(_, mark)| mark.value).collect();
    sqlx::query!(
        "INSERT INTO session_marks (session, at, kind, node, detail, value)
         SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::float8[])",
        &text(|(session, _)| session.to_string()),
        &at,
        &text(|(_, mark)| mark.kind.as_str().to_owned()),
        &text(|(_, mark)| mark.node.clone()),
        &text(|(_, mark)| mark.detail.clone()),
        &values as &[Option<f64>],
    )
    .execute(&mut *transaction)
    .await?;
    commit(transaction).await
}

/// A session's newest marks, oldest first, and whether there are more.
pub(super) async fn marks(pool: &PgPool, session: &SessionId) -> sqlx::Result<(Vec<Mark>, bool)> {
    let rows = sqlx::query!(
        "SELECT at, kind, node, detail, value FROM session_marks WHERE session = $1 ORDER BY at DESC LIMIT $2",
        session.as_str(),
        MOST + 1,
    )
    .fetch_all(pool)
    .await?;
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    let more = rows.len() > most;
    let mut marks: Vec<Mark> = rows
        .into_iter()
        .take(most)
        .filter_map(|row| {
            let kind = MarkKind::parse(&row.kind)?;
            Some(Mark {
                at: row.at.timestamp_millis(),
                kind,
                node: row.node,
                detail: row.detail,
                value: row.value,
            })
        })
        .collect();
    marks.reverse();
    Ok((marks, more))
}

/// Retention of all these rows, days.
const KEPT: i64 = 35;

async fn retain(pool: &PgPool, now: i64) -> sqlx::Result<()> {
    sqlx::query!("SELECT traces_drop($1)", seconds(now - KEPT * 86_400)).execute(pool).await?;
    Ok(())
}
