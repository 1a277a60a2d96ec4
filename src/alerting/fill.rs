//! Histories of rules out of stored samples: after a restart, after another node evaluated, and when rules changed.

use super::watched::{BUCKET, MINUTE, PER_MINUTE, Watched};
use crate::store::{Store, StoreError, alerts::Wanted};
use std::collections::BTreeMap;
use streamgauge_core::metric::measure::packed::Packed;

/// Buckets that are read at once. They are dropped before more are read.
const PIECE: i64 = 360;

/// What all of these rules need of a row.
pub fn wanted<'a>(watched: impl IntoIterator<Item = &'a Watched>) -> Wanted {
    let mut wanted = Wanted::default();
    for needs in watched.into_iter().map(Watched::needs) {
        wanted.histograms.extend(needs.measures.iter().map(|measure| measure.name().to_owned()));
        wanted.regions |= needs.region.is_some();
        wanted.nodes.extend(needs.node);
    }
    for names in [&mut wanted.histograms, &mut wanted.nodes] {
        names.sort_unstable();
        names.dedup();
    }
    wanted
}

/// The rows of each bucket, by its start.
pub fn by_bucket(rows: Vec<Packed>) -> BTreeMap<i64, Vec<Packed>> {
    let mut buckets: BTreeMap<i64, Vec<Packed>> = BTreeMap::new();
    for row in rows {
        buckets.entry(row.start).or_default().push(row);
    }
    buckets
}

/// Fills the histories up to and with the bucket `cursor`.
pub async fn fill(store: &Store, mut watched: Vec<Watched>, cursor: i64) -> Result<Vec<Watched>, StoreError> {
    let wanted = wanted(&watched);
    let signed = |count: usize| i64::try_from(count).unwrap_or(0);
    // The newest whole minute.
    let minute = (cursor + 1).div_euclid(PER_MINUTE) - 1;
    let minutes = watched.iter().map(|rule| {
        let needs = rule.needs();
        needs.minutes.max(if rule.by_minutes() { needs.buckets } else { 0 })
    });
    let first = minute + 1 - signed(minutes.max().unwrap_or(0));
    for (from, to) in pieces(first, minute + 1) {
        let rows = store.alerts().minutes((from * MINUTE, to * MINUTE), &wanted).await?;
        watched = aside(watched, move |watched| {
            for (start, rows) in by_bucket(rows) {
                let at = start.div_euclid(MINUTE);
                for rule in watched.iter_mut() {
                    let (needs, rows) = (rule.needs(), rule.of_minutes(&rows));
                    if at > minute - signed(needs.minutes) {
                        rule.machine().fill_minute(at, &rows);
                    }
                    if rule.by_minutes() && at > minute - signed(needs.buckets) {
                        rule.machine().fill(at, &rows);
                    }
                }
            }
        })
        .await?;
    }
    let buckets = watched.iter().filter(|rule| !rule.by_minutes()).map(|rule| rule.needs().buckets);
    let first = cursor + 1 - signed(buckets.max().unwrap_or(0));
    for (from, to) in pieces(first, cursor + 1) {
        let rows = store.alerts().samples((from * BUCKET, to * BUCKET), &wanted).await?;
        watched = aside(watched, move |watched| {
            for (start, rows) in by_bucket(rows) {
                for rule in watched.iter_mut().filter(|rule| !rule.by_minutes()) {
                    rule.machine().fill(start.div_euclid(BUCKET), &rows);
                }
            }
        })
        .await?;
    }
    Ok(watched)
}

pub fn pieces(from: i64, to: i64) -> impl Iterator<Item = (i64, i64)> {
    (from..to).step_by(usize::try_from(PIECE).unwrap_or(1)).map(move |at| (at, (at + PIECE).min(to)))
}

/// Pure computing, on a thread of its own.
async fn aside(
    mut watched: Vec<Watched>,
    work: impl FnOnce(&mut Vec<Watched>) + Send + 'static,
) -> Result<Vec<Watched>, StoreError> {
    let done = tokio::task::spawn_blocking(move || {
        work(&mut watched);
        watched
    });
    Ok(done.await?)
}
