//! The samples of a range, from the tiers that fit.

use super::{
    rollup,
    samples::{self, Whose},
};
use sqlx::PgPool;
use std::collections::BTreeMap;
use streamgauge_core::metric::measure::{
    history::Together,
    packed::Packed,
    sample::Sample,
    tiers::{self, Stretch},
};

/// Buckets of a tier that are read at once. They are dropped before more are read, so a long range in short steps takes
/// no more memory than its answer.
const PIECE: i64 = 200;

/// What a range held.
pub struct Loaded<T> {
    /// By the start of their step; steps in which nothing was measured are missing.
    pub steps: BTreeMap<i64, T>,
    /// Everything in the range, merged.
    pub whole: Sample,
}

/// Reads `[from, to)`, both multiples of `step`. `each`: what is wanted of a step's sample, which is 50 kB.
pub async fn load<T: Send + 'static>(
    pool: &PgPool,
    (from, to, step): (i64, i64, i64),
    whose: &Whose,
    each: impl Fn(&Sample) -> T + Send + 'static,
) -> sqlx::Result<Loaded<T>> {
    let due = rollup::due(pool, from, to).await?;
    let whole = Sample { region: whose.region.clone(), ..Sample::new("", from, to - from) };
    let mut merging = Merging { step, each, open: None, loaded: Loaded { steps: BTreeMap::new(), whole } };
    for stretch in tiers::stretches(from, to, step, &due) {
        for piece in pieces(stretch) {
            let rows = samples::read(pool, piece, whose).await?;
            // Unpacking thousands of histograms takes milliseconds of pure computing: aside.
            merging = aside(move || merging.add(&rows)).await?;
        }
    }
    Ok(merging.close())
}

/// The step in which what begins at `from` can be told whole; see [`tiers::kept_step`].
pub async fn kept_step(pool: &PgPool, step: i64, from: i64) -> sqlx::Result<i64> {
    Ok(tiers::kept_step(step, from, &rollup::dropped(pool).await?))
}

fn pieces(stretch: Stretch) -> impl Iterator<Item = Stretch> {
    let length = PIECE * stretch.tier;
    let starts = (stretch.from..stretch.to).step_by(usize::try_from(length).unwrap_or(1));
    starts.map(move |from| Stretch { from, to: (from + length).min(stretch.to), ..stretch })
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> sqlx::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))
}

/// Rows come in the order of their time, so one step at a time is open.
struct Merging<T, F> {
    step: i64,
    each: F,
    open: Option<(i64, Together)>,
    loaded: Loaded<T>,
}

impl<T, F: Fn(&Sample) -> T> Merging<T, F> {
    fn add(mut self, rows: &[Packed]) -> Self {
        for row in rows {
            let start = row.start.div_euclid(self.step) * self.step;
            if self.open.as_ref().is_some_and(|(open, _)| *open != start) {
                self.close_step();
            }
            let (_, together) = self.open.get_or_insert_with(|| (start, Together::new(start, self.step)));
            together.add(&row.unpack());
        }
        self
    }

    fn close_step(&mut self) {
        if let Some((start, together)) = self.open.take() {
            let sample = Sample { region: self.loaded.whole.region.clone(), ..together.whole() };
            self.loaded.whole.merge(&sample);
            self.loaded.steps.insert(start, (self.each)(&sample));
        }
    }

    fn close(mut self) -> Loaded<T> {
        self.close_step();
        self.loaded
    }
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
    let mut regions: BTreeMap<String, Together> = BTreeMap::new();
    for stretch in tiers::stretches(from, to, step, &due) {
        for piece in pieces(stretch) {
            let rows = samples::read_regions(pool, piece, node).await?;
            regions = aside(move || {
                for row in rows {
                    let together = regions.entry(row.region.clone());
                    together.or_insert_with(|| Together::new(from, to - from)).add(&row.unpack());
                }
                regions
            })
            .await?;
        }
    }
    Ok(regions.into_iter().map(|(region, together)| Sample { region, ..together.whole() }).collect())
}
