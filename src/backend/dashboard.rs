//! The dashboards' figures: the last hour from memory, everything else out of PostgreSQL, read once for all who look.

use super::unavailable;
use crate::{
    clock, gauge,
    node::Node,
    store::{Store, StoreError, Whose},
};
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};
use streamgauge_app::api::{
    backend::{Answer, Unavailable},
    dashboard::Dashboard,
};
use streamgauge_core::{
    metric::{
        fallback::Analysis,
        measure::{
            counters::Counter,
            history::{Headline, point},
            sample::Sample,
        },
        point::Point,
        range::View,
        sla::{Day, Level},
        sources::{Account, pairs},
        table::{Metric, entries},
    },
    page::{
        annotation::Annotation,
        board::Overview,
        panels::{Panels, RegionHealth},
    },
    savings::{Prices, Saved, break_even_seconds},
};

/// How long what was read serves everybody, ms. Its newest row is ten seconds old at best, and a month merges thousands
/// of histograms.
const KEEP_MS: i64 = 10_000;
/// Views that are kept: everybody's, of a morning.
const VIEWS: usize = 64;

pub struct Figures {
    node: Arc<Node>,
    overviews: Kept<View, Overview>,
    panels: Kept<View, Panels>,
    levels: Kept<(), (Vec<Level>, Vec<Day>)>,
    /// Of the last hour, for when they cannot be read.
    flags: Kept<(), Vec<Annotation>>,
}

/// Answers by what was asked, with the time at which they were read (Unix ms).
struct Kept<K, V>(Mutex<HashMap<K, (i64, V)>>);

impl<K: Eq + Hash + Clone, V: Clone> Kept<K, V> {
    fn new() -> Kept<K, V> {
        Kept(Mutex::default())
    }

    fn get(&self, key: &K, since: i64) -> Option<V> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(key).filter(|(at, _)| *at >= since).map(|(_, value)| value.clone())
    }

    fn put(&self, key: K, now: i64, value: V) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= VIEWS {
            kept.retain(|_, (at, _)| *at >= now - KEEP_MS);
        }
        if kept.len() < VIEWS {
            kept.insert(key, (now, value));
        }
    }
}

impl Figures {
    pub fn new(node: Arc<Node>) -> Figures {
        Figures { node, overviews: Kept::new(), panels: Kept::new(), levels: Kept::new(), flags: Kept::new() }
    }

    pub fn store(&self) -> &Store {
        &self.node.store
    }

    pub async fn overview(&self, view: View) -> Result<Overview, Unavailable> {
        let now = clock::now_ms();
        if view.is_live() && !view.compare {
            return Ok(self.live(view, now).await);
        }
        if let Some(kept) = self.overviews.get(&view, now - KEEP_MS) {
            return Ok(kept);
        }
        let what = format!("Figures of the {}", view.range.in_words());
        let read = self.stored(&view, now).await.map_err(|error| unavailable(&what, &error));
        match read {
            Ok(overview) => {
                self.overviews.put(view, now, overview.clone());
                Ok(overview)
            }
            Err(away) => {
                // Old figures with their date and today's notices say more than none.
                let notices = self.node.board.levels().notices;
                self.overviews.get(&view, 0).map(|kept| Overview { notices, ..kept }).ok_or(away)
            }
        }
    }

    /// The last hour of everything, which needs no database; what is told apart in it does.
    async fn live(&self, view: View, now: i64) -> Overview {
        let board = self.node.board.overview();
        let annotations = match self.store().traces().annotations(board.from, board.to, "").await {
            Ok(read) => {
                self.flags.put((), now, read.clone());
                read
            }
            // What happened stays on a chart that is drawn again while the database is away.
            Err(_) => self.flags.get(&(), 0).unwrap_or_default(),
        };
        Overview { view, annotations, as_of: board.as_of.max(now - KEEP_MS), ..board }
    }

    /// Those from which somebody followed this node since it began.
    fn regions(&self) -> Vec<String> {
        self.node.geo.regions.names()
    }

    async fn stored(&self, view: &View, now: i64) -> Result<Overview, StoreError> {
        let (history, traces) = (self.store().history(), self.store().traces());
        let node = &self.node;
        let whose = whose(view);
        let (from, to) = view.range.window(now / 1_000);
        // What is drawn one over the other has the same steps.
        let reach = if view.compare { from - (to - from) } else { from };
        let step = history.kept_step(view.range.step(), reach).await?;
        let (from, to) = view.range.window_in(step, now / 1_000);
        let each = |sample: &Sample| (point(sample.start, sample), sample.level(Counter::MaxConnectionsSum));
        let loaded = history.load((from, to, step), &whose, each).await?;
        let earlier = from - (to - from);
        let step_before = history.kept_step(step, earlier).await?;
        let aligned = |at: i64| at.div_euclid(step_before) * step_before;
        let window = (aligned(earlier), aligned(from), step_before);
        let before = history.load(window, &whose, |sample: &Sample| point(sample.start, sample)).await?;
        let nodes = history.nodes(from, to).await?;
        let annotations = traces.annotations(from, to, &view.node).await?;
        let levels = node.board.levels();
        let poll_interval_ms = node.settings.poll_interval_ms;
        let standing = if view.is_whole() && view.range.is_live() {
            let now = node.board.standing();
            (now.streams, Some(now.pollers), Some(now.max_connections))
        } else {
            // The last bucket's, of those that are shown. What measured nothing for longer has nothing open.
            let last = loaded.steps.range(to - 2 * step..).next_back();
            let whole = |level: f64| level.round() as u64;
            last.map_or((0, None, None), |(_, (point, max))| {
                // Rows of earlier versions do not tell it.
                let max = max.map(whole).filter(|max| *max > 0);
                let level = |metric| point.of(metric).map(whole);
                (level(Metric::ActiveConnections).unwrap_or(0), level(Metric::ActivePollers), max)
            })
        };
        let headline = Headline {
            window: &loaded.whole,
            before: (before.whole.counters.get(Counter::Seconds) > 0).then_some(&before.whole),
            poll_interval_ms,
            open_streams: standing.0,
            pollers: standing.1,
            max_connections: standing.2,
        };
        let starts = |from: i64, to: i64| (from..to).step_by(usize::try_from(step).unwrap_or(1));
        let points = starts(from, to)
            .map(|at| loaded.steps.get(&at).map_or_else(|| Point::hole(at), |(point, _)| *point));
        let points_before =
            starts(earlier, from).map(|at| before.steps.get(&at).copied().unwrap_or_else(|| Point::hole(at)));
        Ok(Overview {
            view: view.clone(),
            from,
            to,
            step,
            as_of: now,
            origin: node.board.origin(nodes),
            kpis: headline.kpis(),
            points: points.collect(),
            before: if view.compare { points_before.collect() } else { Vec::new() },
            annotations,
            notices: levels.notices,
            deliveries: loaded.whole.counters.get(Counter::Delivered),
            polling_baseline: loaded.whole.staleness(poll_interval_ms).0,
            watched: Vec::new(),
        })
    }

    pub async fn panels(&self, view: View) -> Result<Panels, Unavailable> {
        let now = clock::now_ms();
        if let Some(kept) = self.panels.get(&view, now - KEEP_MS) {
            return Ok(kept);
        }
        let what = "Service levels, regions and fallbacks";
        let read = self.read_panels(&view, now).await.map_err(|error| unavailable(what, &error));
        match read {
            Ok(panels) => {
                self.panels.put(view, now, panels.clone());
                Ok(panels)
            }
            Err(away) => self.panels.get(&view, 0).ok_or(away),
        }
    }

    async fn read_panels(&self, view: &View, now: i64) -> Result<Panels, StoreError> {
        let (history, traces) = (self.store().history(), self.store().traces());
        let whose = whose(view);
        let (from, to) = view.range.window(now / 1_000);
        // A minute at least: a panel has no points that ten seconds would serve.
        let step = history.kept_step(view.range.step().max(60), from).await?;
        let (wide_from, wide_to) = (from.div_euclid(step) * step, (to + step - 1).div_euclid(step) * step);
        let whole = history.load((wide_from, wide_to, step), &whose, |_| ()).await?.whole;
        let (levels, strip) = match self.levels.get(&(), now - KEEP_MS) {
            Some(kept) => kept,
            None => {
                let read = gauge::levels(self.store(), now / 1_000).await?;
                self.levels.put((), now, read.clone());
                read
            }
        };
        let by_region = history.load_regions((wide_from, wide_to, step), &view.node).await?;
        let mut regions = self.regions();
        regions.extend(by_region.iter().map(|sample| sample.region.clone()));
        regions.sort_unstable();
        regions.dedup();
        let mut health: Vec<RegionHealth> = by_region
            .iter()
            .filter(|sample| view.region.is_empty() || sample.region == view.region)
            .map(RegionHealth::of)
            .collect();
        health.sort_by(|a, b| b.streams.total_cmp(&a.streams).then_with(|| a.region.cmp(&b.region)));
        let fallbacks = traces.fallbacks((from, to), &whose).await?;
        let seen = traces.pages_seen((from, to), &whose).await?;
        let steps = (from, to, view.range.step());
        let over_time = traces.fallbacks_over_time(steps, &whose).await?;
        let interval = self.node.settings.poll_interval_ms;
        let count = |counter| whole.counters.get(counter);
        let (requests, bytes) = (whole.request_reduction(interval), whole.bandwidth_reduction(interval));
        Ok(Panels {
            view: view.clone(),
            from,
            to,
            as_of: now,
            nodes: history.nodes(from, to).await?,
            regions,
            levels,
            strip,
            health,
            fallback: Analysis {
                fell_back: count(Counter::SessionsFellBack),
                sessions: count(Counter::StreamCohortSessions),
                ..Analysis::of(&fallbacks, &seen, &over_time, steps)
            },
            saved: requests.zip(bytes).map(|(requests, bytes)| {
                Saved::of(requests, bytes, count(Counter::StreamCohortSeconds), Prices::EPIC)
            }),
            break_even: bytes.and_then(|bytes| break_even(&whole, bytes.polling)),
            pairs: pairs(&whole),
            account: Account::of(&whole),
            numbers: entries(&whole, interval),
            annotations: traces.annotations(from, to, &view.node).await?,
        })
    }
}

impl Dashboard for Figures {
    fn overview(&self, view: View) -> Answer<'_, Overview> {
        Box::pin(self.overview(view))
    }

    fn panels(&self, view: View) -> Answer<'_, Panels> {
        Box::pin(self.panels(view))
    }
}

fn whose(view: &View) -> Whose {
    Whose { node: view.node.clone(), region: view.region.clone() }
}

/// From what opening a stream took and what the stream took from then on.
fn break_even(whole: &Sample, poll_bytes_per_hour: f64) -> Option<f64> {
    let count = |counter| whole.counters.get(counter) as f64;
    let (opened, hours) = (count(Counter::ConnectEstablished), count(Counter::StreamCohortSeconds) / 3_600.0);
    let opening = count(Counter::OpeningBytes);
    if opened == 0.0 || hours == 0.0 {
        return None;
    }
    let going = (count(Counter::StreamCohortBytes) - opening).max(0.0) / hours;
    break_even_seconds(opening / opened, going, poll_bytes_per_hour)
}
