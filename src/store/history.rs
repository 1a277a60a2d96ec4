//! The samples of a range, from the tiers that fit.

use super::{
    rollup,
    samples::{self, Whose},
};
use sqlx::PgPool;
use std::collections::BTreeMap;
use streamgauge_core::measure::{
    history::{all_nodes, merged},
    sample::{Packed, Sample},
    tiers,
};

/// What a range held.
pub struct Loaded {
    /// By the start of their step; steps in which nothing was measured are missing.
    pub steps: BTreeMap<i64, Sample>,
    /// Everything in the range, merged.
    pub whole: Sample,
}

/// Reads `[from, to)`, both multiples of `step`.
pub async fn load(pool: &PgPool, from: i64, to: i64, step: i64, whose: &Whose) -> sqlx::Result<Loaded> {
    let due = rollup::due(pool, from, to).await?;
    let mut rows = Vec::new();
    for stretch in tiers::stretches(from, to, step, &due) {
        rows.append(&mut samples::read(pool, stretch, whose).await?);
    }
    // Unpacking thousands of histograms takes milliseconds of pure computing: not on a thread that serves streams.
    let region = whose.region.clone();
    let loaded = tokio::task::spawn_blocking(move || merge(&rows, from, to, step, &region)).await;
    loaded.map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))
}

fn merge(rows: &[Packed], from: i64, to: i64, step: i64, region: &str) -> Loaded {
    let mut buckets: BTreeMap<i64, Vec<Sample>> = BTreeMap::new();
    for row in rows {
        buckets.entry(row.start.div_euclid(step) * step).or_default().push(row.unpack());
    }
    let mut steps = BTreeMap::new();
    for (start, rows) in buckets {
        let together = Sample { region: region.to_owned(), ..all_nodes(start, step, &rows) };
        steps.insert(start, together);
    }
    let whole = Sample { region: region.to_owned(), ..merged(from, to - from, steps.values()) };
    Loaded { steps, whole }
}

/// What each region held in `[from, to)`, both multiples of `step`, by name.
pub async fn load_regions(
    pool: &PgPool,
    from: i64,
    to: i64,
    step: i64,
    node: &str,
) -> sqlx::Result<Vec<Sample>> {
    let due = rollup::due(pool, from, to).await?;
    let mut rows = Vec::new();
    for stretch in tiers::stretches(from, to, step, &due) {
        rows.append(&mut samples::read_regions(pool, stretch, node).await?);
    }
    let merged = tokio::task::spawn_blocking(move || {
        let mut regions: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
        for row in rows {
            regions.entry(row.region.clone()).or_default().push(row.unpack());
        }
        let whole =
            |(region, rows): (String, Vec<Sample>)| Sample { region, ..all_nodes(from, to - from, &rows) };
        regions.into_iter().map(whole).collect()
    });
    merged.await.map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))
}
