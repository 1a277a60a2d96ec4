//! 10 s rows merged to minutes, minutes to hours. Each node merges its own rows, so no two ever write the same one,
//! and merging again gives the same row.

use super::samples;
use sqlx::PgPool;
use std::collections::BTreeMap;
use streamgauge_core::measure::{history::merged, sample::Sample};

/// Finer tier, coarser tier, seconds.
const TIERS: [(i64, i64); 2] = [(10, 60), (60, 3_600)];
/// Coarse buckets merged in one go: bounds the memory after a long absence of the database.
const BUCKETS: i64 = 120;

/// Merges what has closed before `closed` (Unix seconds); nothing of this node before it may still be unwritten.
pub(super) async fn run(pool: &PgPool, node: &str, closed: i64) -> sqlx::Result<()> {
    for (fine, coarse) in TIERS {
        loop {
            let from = samples::end_of_tier(pool, coarse, node).await?.unwrap_or(0);
            let Some(first) = samples::first_from(pool, fine, node, from).await? else { break };
            let first = first.div_euclid(coarse) * coarse;
            let last = closed.div_euclid(coarse) * coarse;
            let to = last.min(first + BUCKETS * coarse);
            if first >= to {
                break;
            }
            let mut buckets: BTreeMap<i64, Vec<Sample>> = BTreeMap::new();
            for row in samples::read(pool, fine, first, to, Some(node), None).await? {
                buckets.entry(row.start.div_euclid(coarse) * coarse).or_default().push(row.unpack());
            }
            for (start, rows) in buckets {
                let whole = Sample { node: node.to_owned(), ..merged(start, coarse, &rows) };
                samples::write(pool, &whole.pack(), 0).await?;
            }
        }
    }
    Ok(())
}
