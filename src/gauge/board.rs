//! The last two hours in memory: figures and charts of the last hour, and the hour before it to compare with.
//!
//! Closed buckets are kept packed; what is read every second (the merged last hour) is kept ready and changed
//! only by what enters and leaves the window.

use crate::stream::LiveLimits;
use parking_lot::{Mutex, MutexGuard};
use std::collections::{BTreeMap, BTreeSet};
use streamgauge_core::{
    metric::{
        measure::{
            counters::Counter,
            history::{Headline, all_nodes, point},
            packed::Packed,
            sample::{Measure, Sample},
        },
        notice::Notice,
        numbers,
        point::{DURATION_BOUNDS_S, HISTOGRAM_BOUNDS_MS, Point},
        range::{Range, View},
    },
    page::{
        alerts::AlertSummary,
        board::{Origin, Overview, SsePerformanceMetrics},
    },
    settings::limits::Limit,
};

/// What does not change while the server runs.
#[derive(Clone)]
pub struct Facts {
    pub node: String,
    pub version: &'static str,
    /// Unix milliseconds.
    pub started_at: i64,
    pub demo: bool,
    /// Unix seconds.
    pub seeded_until: Option<i64>,
    pub poll_interval_ms: u32,
    /// How many streams the node allows is among them.
    pub limits: LiveLimits,
}

/// Levels of this second, which are no sums.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    /// Unix milliseconds.
    pub now: i64,
    pub streams: u64,
    pub pollers: u64,
    /// Bytes.
    pub memory: u64,
    /// Percent of one core in the last second.
    pub cpu: f64,
    /// Bytes; `None` without Redis or without an answer.
    pub redis_memory: Option<u64>,
    pub notices: Vec<Notice>,
}

pub struct Board {
    facts: Facts,
    state: Mutex<State>,
}

/// Seconds of a bucket, and of the two windows.
const STEP: i64 = Range::Hour.step();
const HOUR: i64 = Range::Hour.seconds();
/// What the board keeps, seconds.
pub const KEPT: i64 = 2 * HOUR;
/// By more than this, a clock was wrong before, and buckets are opened anew: seconds.
const SET_BACK: i64 = 60;
/// Other nodes' rows come up to two buckets after this node's own. A node of which none came for so long is not waited
/// for, seconds.
const LATE: i64 = 4 * STEP;
/// What each message tells anew, where there are other nodes: seconds.
const MINUTE: i64 = 6 * STEP;

/// What is open now, of all nodes: this node's own, and what each other had in its newest bucket, which comes a while
/// after this node's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub streams: u64,
    pub pollers: u64,
    /// Streams that the nodes allow.
    pub max_connections: u64,
}

struct State {
    /// Closed buckets of all nodes by start, for two hours.
    rows: BTreeMap<i64, Vec<Packed>>,
    /// Chart points of the closed buckets of the last hour. Boxed: the tree's nodes stay half empty.
    points: BTreeMap<i64, Box<Point>>,
    /// The bucket that is filling.
    open: Sample,
    /// The last hour's closed buckets, merged.
    window: Sample,
    /// The hour before, merged.
    before: Sample,
    levels: Levels,
}

impl Board {
    pub fn new(facts: Facts, now: i64) -> Board {
        let open = Sample::new(facts.node.clone(), bucket(now), STEP);
        let state = State {
            rows: BTreeMap::new(),
            points: BTreeMap::new(),
            open,
            window: Sample::new("", 0, HOUR),
            before: Sample::new("", 0, HOUR),
            levels: Levels::default(),
        };
        Board { facts, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Takes one second in. Answers the bucket that this closed.
    pub fn tick(&self, tick: &Sample, levels: Levels) -> Option<Packed> {
        let mut state = self.state();
        let start = bucket(levels.now / 1_000);
        // A clock that was set back a little goes on in the bucket that is open: one that is closed is stored already.
        let set_back = start < state.open.start && state.open.start - start <= SET_BACK;
        let closed = (start != state.open.start && !set_back).then(|| {
            let next = Sample::new(self.facts.node.clone(), start, STEP);
            std::mem::replace(&mut state.open, next).pack()
        });
        if let Some(packed) = &closed {
            state.insert(packed.clone());
        }
        state.open.merge(tick);
        state.levels = levels;
        closed
    }

    /// The bucket that is filling, for a server that stops before it is full.
    pub fn close(&self) -> Packed {
        self.state().open.pack()
    }

    /// Takes in rows from PostgreSQL: of before a restart, and of other nodes.
    pub fn absorb(&self, rows: Vec<Packed>) {
        let mut state = self.state();
        for row in rows {
            state.insert(row);
        }
    }

    /// Start of the bucket that is filling, Unix seconds.
    pub fn open_bucket(&self) -> i64 {
        self.state().open.start
    }

    pub fn levels(&self) -> Levels {
        self.state().levels.clone()
    }

    /// Of the process, Unix milliseconds.
    pub fn started_at(&self) -> i64 {
        self.facts.started_at
    }

    pub fn origin(&self, nodes: impl IntoIterator<Item = String>) -> Origin {
        let mut nodes: BTreeSet<String> = nodes.into_iter().collect();
        nodes.insert(self.facts.node.clone());
        Origin {
            node: self.facts.node.clone(),
            nodes: nodes.into_iter().collect(),
            started_at: self.facts.started_at,
            version: self.facts.version.to_owned(),
            demo: self.facts.demo,
            seeded_until: self.facts.seeded_until,
        }
    }

    /// The page for the last hour.
    pub fn overview(&self) -> Overview {
        let state = self.state();
        let whole = state.whole();
        let (from, to) = (state.open.start + STEP - HOUR, state.open.start + STEP);
        let starts = (from..to).step_by(STEP.unsigned_abs() as usize);
        let others = state.others();
        let points = starts.map(|at| state.told(at, &others).unwrap_or(Point::hole(at)));
        Overview {
            view: View::default(),
            from,
            to,
            step: STEP,
            as_of: state.levels.now,
            origin: self.origin(state.nodes()),
            kpis: self.headline(&state, &whole).kpis(),
            points: points.collect(),
            before: Vec::new(),
            annotations: Vec::new(),
            notices: state.levels.notices.clone(),
            deliveries: whole.counters.get(Counter::Delivered),
            polling_baseline: whole.staleness(self.facts.poll_interval_ms).0,
            watched: Vec::new(),
        }
    }

    /// The message of the admin stream. `alerts`: as they stand now.
    pub fn metrics(&self, alerts: AlertSummary) -> SsePerformanceMetrics {
        let state = self.state();
        let whole = state.whole();
        let count = |counter| whole.counters.get(counter);
        let interval = self.facts.poll_interval_ms;
        let reduction =
            |reduction: Option<numbers::Reduction>| reduction.and_then(numbers::Reduction::percent);
        SsePerformanceMetrics {
            as_of: state.levels.now,
            total_connections: count(Counter::ConnectEstablished),
            active_connections: self.standing_in(&state).streams,
            connection_establishment_time: whole.buckets_ms(Measure::ConnectionEstablishment),
            connection_duration: whole.buckets_duration(),
            messages_delivered: count(Counter::Delivered),
            message_delivery_latency: whole.buckets_ms(Measure::DeliveryLatency),
            message_delivery_failures: count(Counter::DroppedSlow),
            memory_usage: state.levels.memory,
            cpu_usage: state.levels.cpu,
            redis_memory_usage: state.levels.redis_memory,
            user_satisfaction_score: None,
            session_completion_rate: whole.session_completion_rate(),
            fallback_activation_rate: whole.fallback_activation_rate(),
            request_reduction: reduction(whole.request_reduction(interval)),
            bandwidth_reduction: reduction(whole.bandwidth_reduction(interval)),
            latency_improvement: whole.latency_improvement(interval),
            request_reduction_basis: whole.request_reduction(interval).map(|reduction| reduction.basis),
            bandwidth_reduction_basis: whole.bandwidth_reduction(interval).map(|reduction| reduction.basis),
            latency_improvement_basis: whole.staleness(interval).1,
            average_latency: whole.mean_delivery_ms(),
            error_rate: whole.error_rate(),
            histogram_bounds_ms: HISTOGRAM_BOUNDS_MS.to_vec(),
            duration_bounds_s: DURATION_BOUNDS_S.to_vec(),
            kpis: self.headline(&state, &whole).kpis(),
            newest: state.newest(),
            origin: self.origin(state.nodes()),
            notices: state.levels.notices.clone(),
            alerts,
        }
    }

    /// Of all nodes.
    pub fn standing(&self) -> Standing {
        self.standing_in(&self.state())
    }

    fn standing_in(&self, state: &State) -> Standing {
        let own = Standing {
            streams: state.levels.streams,
            pollers: state.levels.pollers,
            max_connections: self.facts.limits.get(Limit::MaxConnections).into(),
        };
        state.newest_of_others().into_iter().fold(own, |sum, row| {
            let counters = row.counters();
            let level =
                |counter| counters.get(counter).checked_div(counters.get(Counter::Seconds)).unwrap_or(0);
            Standing {
                streams: sum.streams + level(Counter::StreamSeconds),
                pollers: sum.pollers + level(Counter::PollerSeconds),
                max_connections: sum.max_connections + level(Counter::MaxConnectionsSum),
            }
        })
    }

    fn headline<'a>(&self, state: &'a State, window: &'a Sample) -> Headline<'a> {
        let standing = self.standing_in(state);
        Headline {
            window,
            before: (state.before.counters.get(Counter::Seconds) > 0).then_some(&state.before),
            poll_interval_ms: self.facts.poll_interval_ms,
            open_streams: standing.streams,
            pollers: Some(standing.pollers),
            max_connections: Some(standing.max_connections),
        }
    }
}

impl State {
    /// Takes a closed bucket in, unless it is known already or older than two hours.
    fn insert(&mut self, row: Packed) {
        let window_from = self.open.start + STEP - HOUR;
        self.slide(window_from);
        let known = self.rows.get(&row.start).is_some_and(|rows| rows.contains(&row));
        if known || row.start < window_from - HOUR {
            return;
        }
        let start = row.start;
        let rows = self.rows.entry(start).or_default();
        let before = together(start, rows);
        // Mostly one node's, and kept for two hours: without room for three more.
        rows.reserve_exact(1);
        rows.push(row);
        let now = together(start, rows);
        let window = if start < window_from { &mut self.before } else { &mut self.window };
        window.unmerge(&before);
        window.merge(&now);
        if start >= window_from {
            self.points.insert(start, Box::new(point(start, &now)));
        }
    }

    /// Moves what left the last hour to the hour before, and what left that out of memory. A bucket has a chart point
    /// exactly as long as it is in `window`.
    fn slide(&mut self, window_from: i64) {
        while let Some((&start, _)) = self.points.first_key_value().filter(|(start, _)| **start < window_from)
        {
            self.points.remove(&start);
            let rows = together(start, self.rows.get(&start).map_or(&[], Vec::as_slice));
            self.window.unmerge(&rows);
            self.before.merge(&rows);
        }
        while let Some((&start, _)) =
            self.rows.first_key_value().filter(|(start, _)| **start < window_from - HOUR)
        {
            let rows = together(start, &self.rows.remove(&start).unwrap_or_default());
            self.before.unmerge(&rows);
        }
    }

    fn whole(&self) -> Sample {
        let mut whole = self.window.clone();
        whole.merge(&self.open);
        whole
    }

    /// Other nodes of which a row came lately.
    fn others(&self) -> BTreeSet<&str> {
        let recent = self.rows.range(self.open.start - MINUTE..).flat_map(|(_, rows)| rows);
        recent.map(|row| row.node.as_str()).filter(|node| *node != self.open.node).collect()
    }

    /// A bucket's point, of all nodes or not at all: `None` while it waits for the rows of `others`.
    fn told(&self, at: i64, others: &BTreeSet<&str>) -> Option<Point> {
        if at == self.open.start {
            return others.is_empty().then(|| point(at, &self.open));
        }
        let rows = self.rows.get(&at)?;
        let waits = at >= self.open.start - LATE
            && others.iter().any(|node| !rows.iter().any(|row| row.node == *node));
        self.points.get(&at).filter(|_| !waits).map(|point| **point)
    }

    fn newest(&self) -> Vec<Point> {
        let others = self.others();
        let from = if others.is_empty() { self.open.start } else { self.open.start - MINUTE };
        (from..=self.open.start)
            .step_by(STEP.unsigned_abs() as usize)
            .filter_map(|at| self.told(at, &others))
            .collect()
    }

    fn nodes(&self) -> BTreeSet<String> {
        let recent = self.rows.range(self.open.start - HOUR..);
        recent.flat_map(|(_, rows)| rows.iter().map(|row| row.node.clone())).collect()
    }

    fn newest_of_others(&self) -> Vec<&Packed> {
        let recent = self.rows.range(self.open.start - 3 * STEP..).flat_map(|(_, rows)| rows);
        let others = recent.filter(|row| row.node != self.open.node);
        // In the order of their time, so that the newest stays.
        let newest: BTreeMap<&str, &Packed> = others.map(|row| (row.node.as_str(), row)).collect();
        newest.into_values().collect()
    }
}

/// The rows of one bucket, of all nodes.
fn together(start: i64, rows: &[Packed]) -> Sample {
    all_nodes(start, STEP, &rows.iter().map(Packed::unpack).collect::<Vec<_>>())
}

fn bucket(now: i64) -> i64 {
    now.div_euclid(STEP) * STEP
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamgauge_core::{metric::table::Metric, settings::limits::Limits};

    fn board(now: i64) -> Board {
        let facts = Facts {
            node: "a".into(),
            version: "1",
            started_at: 0,
            demo: false,
            seeded_until: None,
            poll_interval_ms: 3_000,
            limits: LiveLimits::new(&Limits { max_connections: 100, ..Limits::default() }),
        };
        Board::new(facts, now)
    }

    fn second(board: &Board, at: i64, delivered: u64) -> Option<Packed> {
        let mut tick = Sample::new("a", at, 1);
        tick.counters.add(Counter::Seconds, 1);
        tick.counters.add(Counter::CoveredSeconds, 1);
        tick.counters.add(Counter::Delivered, delivered);
        tick.histograms.record_n(Measure::DeliveryLatency, 2_000, delivered);
        board.tick(&tick, Levels { now: at * 1_000, ..Levels::default() })
    }

    #[test]
    fn the_window_holds_the_last_hour_and_no_more() {
        let start = 1_000_000;
        let board = board(start);
        let mut closed = 0;
        for at in start..start + 3 * HOUR {
            closed += i64::from(second(&board, at, 1).is_some());
        }
        assert_eq!(closed, 3 * HOUR / STEP - 1);
        let overview = board.overview();
        assert_eq!(overview.deliveries, HOUR as u64);
        assert_eq!(overview.points.len() as i64, HOUR / STEP);
        assert!(overview.points.iter().all(|point| point.of(Metric::Delivered) == Some(1.0)));
        assert_eq!(board.state().before.counters.get(Counter::Delivered), HOUR as u64);
        assert_eq!(board.state().rows.len() as i64, 2 * HOUR / STEP - 1);
    }

    #[test]
    fn what_was_not_measured_is_a_hole() {
        let board = board(1_000_000);
        second(&board, 1_000_000, 5);
        second(&board, 1_000_100, 5);
        let holes =
            board.overview().points.iter().filter(|point| point.of(Metric::Delivered).is_none()).count();
        assert_eq!(holes, 358);
    }

    #[test]
    fn a_row_that_comes_twice_counts_once() {
        let board = board(1_000_000);
        let mut other = Sample::new("b", 999_990, 10);
        other.counters.add(Counter::Seconds, 10);
        other.counters.add(Counter::StreamSeconds, 70);
        let rows = vec![other.pack()];
        board.absorb(rows.clone());
        board.absorb(rows);
        assert_eq!(board.metrics(AlertSummary::default()).active_connections, 7);
        assert_eq!(board.metrics(AlertSummary::default()).origin.nodes, ["a", "b"]);
        // An own bucket is there at once, and the other node's only later.
        second(&board, 1_000_000, 1);
        assert!(second(&board, 1_000_010, 1).is_some());
        assert_eq!(board.metrics(AlertSummary::default()).active_connections, 7);
        // Long silent, it has none any more.
        second(&board, 1_000_060, 1);
        assert_eq!(board.metrics(AlertSummary::default()).active_connections, 0);
    }

    #[test]
    fn a_point_is_of_all_nodes_or_waits() {
        let board = board(1_000_000);
        let of_b = |start| {
            let mut row = Sample::new("b", start, 10);
            for counter in [Counter::Seconds, Counter::CoveredSeconds] {
                row.counters.add(counter, 10);
            }
            row.counters.add(Counter::Delivered, 90);
            row.counters.add(Counter::MaxConnectionsSum, 500);
            row.pack()
        };
        let newest = |board: &Board| -> Vec<(i64, Option<f64>)> {
            board
                .metrics(AlertSummary::default())
                .newest
                .iter()
                .map(|point| (point.at, point.of(Metric::Delivered)))
                .collect()
        };
        let run = |board: &Board, from, to| (from..to).for_each(|at| _ = second(board, at, 1));
        run(&board, 1_000_000, 1_000_015);
        assert_eq!(newest(&board), [(1_000_010, Some(1.0))], "alone: the bucket that is filling");
        // Another node is there now: its row of the bucket that is over comes a while later.
        board.absorb(vec![of_b(1_000_000)]);
        assert_eq!(newest(&board), [(1_000_000, Some(10.0))]);
        assert_eq!(board.standing().max_connections, 150);
        run(&board, 1_000_015, 1_000_025);
        assert_eq!(newest(&board), [(1_000_000, Some(10.0))], "half of a bucket is not drawn");
        let points = board.overview().points;
        assert!(points[points.len() - 2..].iter().all(|point| point.of(Metric::Delivered).is_none()));
        board.absorb(vec![of_b(1_000_010)]);
        assert_eq!(newest(&board), [(1_000_000, Some(10.0)), (1_000_010, Some(10.0))]);
        // It dies: what it never tells is waited for no longer.
        run(&board, 1_000_025, 1_000_065);
        assert_eq!(newest(&board).last(), Some(&(1_000_010, Some(10.0))));
        run(&board, 1_000_065, 1_000_072);
        assert_eq!(newest(&board).last(), Some(&(1_000_020, Some(1.0))));
        run(&board, 1_000_072, 1_000_085);
        assert_eq!(newest(&board), [(1_000_080, Some(1.0))], "alone again");
        // A row that comes long after its time is taken in.
        board.absorb(vec![of_b(1_000_030)]);
        let late = board.overview().points.into_iter().find(|point| point.at == 1_000_030);
        assert_eq!(late.and_then(|point| point.of(Metric::Delivered)), Some(10.0));
    }

    #[test]
    fn a_clock_that_is_set_back_closes_nothing_twice() {
        let board = board(1_000_000);
        second(&board, 1_000_005, 1);
        assert!(second(&board, 1_000_012, 1).is_some());
        assert!(second(&board, 1_000_003, 1).is_none());
        let closed = second(&board, 1_000_020, 1).expect("the one that was open");
        assert_eq!((closed.start, closed.counters().get(Counter::Delivered)), (1_000_010, 2));
    }
}
