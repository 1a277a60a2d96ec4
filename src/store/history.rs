//! The samples of a range, from the tiers that fit.

use super::{
    Store, StoreError, nodes, rollup,
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
) -> Result<Loaded<T>, StoreError> {
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

/// Samples as they are stored.
pub struct History<'a>(&'a Store);

impl Store {
    pub fn history(&self) -> History<'_> {
        History(self)
    }
}

impl History<'_> {
    /// Reads `[from, to)`, both multiples of `step`. `each`: what is wanted of a step's sample, which is 50 kB.
    pub async fn load<T: Send + 'static>(
        &self,
        window: (i64, i64, i64),
        whose: &Whose,
        each: impl Fn(&Sample) -> T + Send + 'static,
    ) -> Result<Loaded<T>, StoreError> {
        self.0.ask("read history", load(self.0.pool(), window, whose, each)).await
    }

    /// What each region held in `[from, to)`, both multiples of `step`, by name.
    pub async fn load_regions(
        &self,
        (from, to, step): (i64, i64, i64),
        node: &str,
    ) -> Result<Vec<Sample>, StoreError> {
        self.0.ask("read regions", load_regions(self.0.pool(), from, to, step, node)).await
    }

    /// The step in which everything from `from` on is still kept; see [`tiers::kept_step`].
    pub async fn kept_step(&self, step: i64, from: i64) -> Result<i64, StoreError> {
        let dropped = self.0.ask("read what was dropped", rollup::dropped(self.0.pool())).await?;
        Ok(tiers::kept_step(step, from, &dropped))
    }

    /// 10 s rows of all nodes, about all followers, that start in `[from, to)`.
    pub async fn recent(&self, from: i64, to: i64) -> Result<Vec<Packed>, StoreError> {
        self.0.try_anyway("read recent samples", samples::recent(self.0.pool(), from, to)).await
    }

    /// Those of them that nodes other than `node` stored within the last `seconds`, also long after their time.
    pub async fn of_others(
        &self,
        node: &str,
        window: (i64, i64),
        seconds: f64,
    ) -> Result<Vec<Packed>, StoreError> {
        let rows = samples::of_others(self.0.pool(), node, window, seconds);
        self.0.ask("read other nodes' samples", rows).await
    }

    /// Nodes that may have measured in `[from, to)`, by name.
    pub async fn nodes(&self, from: i64, to: i64) -> Result<Vec<String>, StoreError> {
        self.0.ask("list nodes", nodes::between(self.0.pool(), from, to)).await
    }
}

fn pieces(stretch: Stretch) -> impl Iterator<Item = Stretch> {
    let length = PIECE * stretch.tier;
    let starts = (stretch.from..stretch.to).step_by(usize::try_from(length).unwrap_or(1));
    starts.map(move |from| Stretch { from, to: (from + length).min(stretch.to), ..stretch })
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    Ok(tokio::task::spawn_blocking(work).await?)
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
) -> Result<Vec<Sample>, StoreError> {
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
