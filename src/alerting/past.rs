//! A rule's metric around an incident, for its chart: out of stored samples, by the machine that runs live.

use super::{
    Alerting, book,
    fill::{by_bucket, pieces},
    watched::{BUCKET, MINUTE},
};
use crate::store::{Store, StoreError, alerts::Wanted};
use streamgauge_core::{
    alert::{
        file::Rule,
        machine::{Machine, Needs},
    },
    metric::measure::packed::Packed,
    page::alerts::BacktestValue,
};

/// Before an incident was pending, ms: what it was while all was well.
const BEFORE: i64 = 3_600_000;
/// The longest part of an incident that is drawn, ms.
const LONGEST: i64 = 7 * 86_400_000;
/// Longer parts are read as minutes, ms.
const BY_BUCKETS: i64 = 6 * 3_600_000;
/// Rows of 10 s are surely there for so long, ms.
const FRESH: i64 = 2 * 86_400_000;
/// Values of a chart.
const MOST: i64 = 360;

/// The metric over the rule's duration, at the end of each step.
pub struct Values {
    /// Unix milliseconds, as `to`.
    pub from: i64,
    pub to: i64,
    /// Milliseconds.
    pub step: i64,
    pub values: Vec<BacktestValue>,
    /// Events or samples that were looked at.
    pub n: u64,
}

/// What a rule needs of stored rows.
pub fn wanted(needs: &Needs) -> Wanted {
    Wanted {
        histograms: needs.measures.iter().map(|measure| measure.name().to_owned()).collect(),
        regions: needs.region.is_some(),
        nodes: needs.node.iter().cloned().collect(),
    }
}

/// The rows of each bucket in `[from, to)`, in buckets of `step` seconds, oldest first.
pub async fn rows(
    store: &Store,
    rule: &Rule,
    needs: &Needs,
    step: i64,
    (from, to): (i64, i64),
) -> Result<Vec<(i64, Vec<Packed>)>, StoreError> {
    let wanted = wanted(needs);
    let node = rule.node.as_deref().unwrap_or_default();
    let mut all = Vec::new();
    for (from, to) in pieces(from, to) {
        let window = (from * step, to * step);
        let mut rows = if step == MINUTE {
            store.alerts().minutes(window, &wanted).await?
        } else {
            store.alerts().samples(window, &wanted).await?
        };
        if step == MINUTE {
            // Those of all nodes together, or those of one.
            rows.retain(|row| row.node == node);
        }
        all.extend(by_bucket(rows).into_iter().map(|(start, rows)| (start.div_euclid(step), rows)));
    }
    Ok(all)
}

impl Alerting {
    /// `None`: no such incident, or one whose rule this version cannot read. `now`: Unix milliseconds.
    pub async fn values(&self, store: &Store, id: i64, now: i64) -> Result<Option<Values>, StoreError> {
        let Some(incident) = store.alerts().incident(id).await? else { return Ok(None) };
        let Some(yaml) = store.alerts().rule_of_incident(id).await? else { return Ok(None) };
        let Some(rule) = book::alone(&yaml) else { return Ok(None) };
        let begin = incident.pending_at.unwrap_or(incident.opened_at).min(incident.opened_at) - BEFORE;
        let end = incident.resolved_at.unwrap_or(now).min(begin + LONGEST);
        let fine = end - begin <= BY_BUCKETS && now - begin <= FRESH;
        let Ok(mut machine) = Machine::new(&rule, true, if fine { BUCKET } else { MINUTE }) else {
            return Ok(None);
        };
        let (step, needs) = (machine.step(), machine.needs());
        let (first, last) = (begin.div_euclid(step * 1_000), end.div_euclid(step * 1_000).max(1));
        let before = first - i64::try_from(needs.buckets).unwrap_or(0);
        let rows = rows(store, &rule, &needs, step, (before, last)).await?;
        // Buckets of one value.
        let each = (last - first).div_euclid(MOST) + 1;
        let values = tokio::task::spawn_blocking(move || {
            let mut values = Vec::new();
            let mut n = 0;
            let mut rows = rows.into_iter().peekable();
            while let Some((index, rows)) = rows.next_if(|(index, _)| *index < first) {
                machine.fill(index, &rows);
            }
            let mut newest = None;
            for index in first..last {
                if let Some((_, rows)) = rows.next_if(|(at, _)| *at == index) {
                    machine.judge(index, &rows);
                    let view = machine.view();
                    n = view.n.max(n);
                    newest = view.value;
                }
                if (index + 1 - first) % each == 0 || index + 1 == last {
                    values.push(BacktestValue { at: (index + 1) * step * 1_000, value: newest.take() });
                }
            }
            (values, n)
        })
        .await?;
        let (from, to) = (first * step * 1_000, last * step * 1_000);
        Ok(Some(Values { from, to, step: each * step * 1_000, values: values.0, n: values.1 }))
    }
}
