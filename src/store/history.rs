//! The samples of a range, from the tier that fits: coarse rows where they exist, finer ones for what is not merged yet.

use super::samples;
use sqlx::PgPool;
use std::collections::BTreeMap;
use streamgauge_core::{
    board::Point,
    measure::{
        history::{merged, point},
        sample::{Packed, Sample},
    },
};

const TIERS: [i64; 3] = [3_600, 60, 10];

/// What a range held.
pub struct Loaded {
    /// One entry each `step` seconds, holes included.
    pub points: Vec<Point>,
    /// Everything in the range, merged.
    pub whole: Sample,
    /// Nodes that measured in it.
    pub nodes: Vec<String>,
}

/// Reads `[from, to)`, both multiples of `step`.
pub async fn load(pool: &PgPool, from: i64, to: i64, step: i64) -> sqlx::Result<Loaded> {
    let rows = rows(pool, from, to, step).await?;
    // Unpacking thousands of histograms takes milliseconds of pure computing: not on a thread that serves streams.
    let loaded = tokio::task::spawn_blocking(move || merge(&rows, from, to, step)).await;
    loaded.map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))
}

fn merge(rows: &[Packed], from: i64, to: i64, step: i64) -> Loaded {
    let mut buckets: BTreeMap<i64, Vec<Sample>> = BTreeMap::new();
    for row in rows {
        buckets.entry(row.start.div_euclid(step) * step).or_default().push(row.unpack());
    }
    let mut whole = Sample::new("", from, to - from);
    for samples in buckets.values() {
        whole.merge(&merged(from, step, samples));
    }
    let starts = (from..to).step_by(usize::try_from(step).unwrap_or(1));
    let points = starts.map(|at| point(at, buckets.get(&at).map_or(&[], Vec::as_slice))).collect();
    let mut nodes: Vec<String> = rows.iter().map(|row| row.node.clone()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    Loaded { points, whole, nodes }
}

/// The coarsest rows, then of each finer tier what no coarser row covers: every second of a node once.
async fn rows(pool: &PgPool, from: i64, to: i64, step: i64) -> sqlx::Result<Vec<Packed>> {
    let mut rows = Vec::new();
    let mut coarser = None;
    for tier in TIERS.into_iter().filter(|&tier| tier <= step) {
        rows.append(&mut samples::read(pool, tier, from, to, None, coarser).await?);
        coarser = Some(tier);
    }
    Ok(rows)
}
