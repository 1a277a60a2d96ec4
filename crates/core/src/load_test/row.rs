//! One line of the list of runs, and the runs of one load in a row.

use super::{Change, Outcome, change};
use crate::metric::numbers::PERCENTILE_FLOOR;
use serde::{Deserialize, Serialize};

/// A run as the list shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub id: i64,
    pub scenario: String,
    /// What made it differ from the scenario as it stands: [`Outcome::options`].
    pub options: String,
    pub title: String,
    /// Unix ms.
    pub started_at: i64,
    /// The node that kept it, and its version.
    pub node: String,
    pub server_version: String,
    pub time_scale: f64,
    pub passed: bool,
    pub interrupted: bool,
    /// Targets that were missed, and those that nothing can be said of.
    pub missed: u32,
    pub unjudged: u32,
    pub peak_streams: u32,
    /// How many values the two percentiles rest on.
    pub deliveries: u64,
    pub delivery_p95_ms: Option<f64>,
    pub delivery_p99_ms: Option<f64>,
    pub connects: u64,
    pub connect_p95_ms: Option<f64>,
    pub lost: u64,
    pub repeated: u64,
    pub memory_mb_per_100_streams: Option<f64>,
    /// Busiest 10 s, percent of all cores of the machine.
    pub cpu_peak_percent: Option<f64>,
}

impl Row {
    /// Of a run that is not kept yet.
    pub fn of(outcome: &Outcome, node: &str, server_version: &str) -> Row {
        let (figures, server) = (&outcome.figures, outcome.figures.server.as_ref());
        let small = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Row {
            id: 0,
            scenario: outcome.scenario.clone(),
            options: outcome.options(),
            title: outcome.title.clone(),
            started_at: outcome.started_at,
            node: node.to_owned(),
            server_version: server_version.to_owned(),
            time_scale: outcome.time_scale,
            passed: outcome.passed,
            interrupted: outcome.interrupted,
            missed: small(outcome.missed()),
            unjudged: small(outcome.unjudged()),
            peak_streams: figures.peak_streams,
            deliveries: figures.latency.samples,
            delivery_p95_ms: figures.latency.p95_ms,
            delivery_p99_ms: figures.latency.p99_ms,
            connects: figures.connect.samples,
            connect_p95_ms: figures.connect.p95_ms,
            lost: figures.counts.lost,
            repeated: figures.counts.repeated,
            memory_mb_per_100_streams: server.and_then(|server| server.mb_per_100_streams),
            cpu_peak_percent: server.and_then(|server| server.cpu_peak_percent),
        }
    }

    /// A p95 that may be shown: of enough deliveries.
    pub fn p95(&self) -> Option<f64> {
        self.delivery_p95_ms.filter(|_| self.deliveries >= PERCENTILE_FLOOR)
    }

    /// Whether both did the same, so that they can be compared.
    fn is_like(&self, other: &Row) -> bool {
        self.scenario == other.scenario && self.options == other.options
    }
}

/// Runs as they are listed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptList {
    /// Newest first.
    pub rows: Vec<Row>,
    /// How many are kept of what was asked for.
    pub kept: u64,
}

/// One run with its whole document.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kept {
    pub row: Row,
    pub outcome: Outcome,
    /// The run of the same load before it.
    pub before: Option<Row>,
}

impl Kept {
    pub fn change(&self) -> Option<Change> {
        compared(&self.row, self.before.as_ref()?)
    }
}

/// The runs of one load.
#[derive(Clone, Debug, PartialEq)]
pub struct Trend {
    /// Oldest first, at least one.
    pub rows: Vec<Row>,
    /// The newest against the one before.
    pub change: Option<Change>,
}

impl Trend {
    /// A trend for each load that was run twice or more, the one that ran last first. `rows`: newest first.
    pub fn of_all(rows: &[Row]) -> Vec<Trend> {
        let mut loads: Vec<Vec<Row>> = Vec::new();
        // What was broken off says nothing of the whole.
        for row in rows.iter().filter(|row| !row.interrupted) {
            match loads.iter_mut().find(|load| load[0].is_like(row)) {
                Some(load) => load.push(row.clone()),
                None => loads.push(vec![row.clone()]),
            }
        }
        let trend = |mut rows: Vec<Row>| {
            let change = compared(&rows[0], &rows[1]);
            rows.reverse();
            Trend { rows, change }
        };
        loads.into_iter().filter(|load| load.len() > 1).map(trend).collect()
    }
}

fn compared(now: &Row, before: &Row) -> Option<Change> {
    if now.interrupted || before.interrupted {
        return None;
    }
    change((now.delivery_p95_ms, now.deliveries), (before.delivery_p95_ms, before.deliveries))
}

#[cfg(test)]
mod tests {
    use super::{super::check::tests::whole, *};

    fn row(id: i64, options: &str, p95: f64) -> Row {
        let row = Row::of(&whole(), "a", "1");
        Row { id, options: options.into(), delivery_p95_ms: Some(p95), ..row }
    }

    #[test]
    fn only_like_is_compared_with_like() {
        let rows = [row(5, "", 9.0), row(4, "--streams 5", 3.0), row(3, "", 30.0), row(2, "", 20.0)];
        let trends = Trend::of_all(&rows);
        let ids: Vec<i64> = trends[0].rows.iter().map(|row| row.id).collect();
        assert_eq!((trends.len(), ids), (1, vec![2, 3, 5]));
        assert_eq!(trends[0].change, Some(Change::Better(21.0)));
        assert_eq!(Trend::of_all(&[]), []);
    }

    #[test]
    fn what_was_broken_off_is_not_compared() {
        let broken = Row { interrupted: true, ..row(3, "", 90.0) };
        let trends = Trend::of_all(&[broken.clone(), row(2, "", 20.0), row(1, "", 20.0)]);
        assert_eq!(trends[0].change, Some(Change::Same));
        let kept = Kept { row: broken, outcome: whole(), before: Some(row(2, "", 20.0)) };
        assert_eq!(kept.change(), None);
    }
}
