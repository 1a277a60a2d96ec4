//! The view that pages and the API answer from, on every node: read from PostgreSQL when it changed, and kept in memory, so
//! that it can be shown, with its age, while PostgreSQL is unreachable.

use super::{
    Book, Entry, Quiet,
    spans::{self, spans},
    watched::Live,
};
use crate::store::{
    Store, StoreError,
    alerts::{Changed, Evaluator, OpenIncident},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use streamgauge_core::{
    alert::{file::rule::NotUsed as Unused, machine::title, precision::precision},
    metric::notice::Severity,
    page::alerts::{AlertSummary, Alerts, MutedBy, NotUsed, Precision, RuleState, RuleView},
};

/// Spans and worst values are of so long, ms.
const DAY: i64 = 86_400_000;
/// Days of which incidents are judged for the precision.
const JUDGED: u32 = 90;
/// Rules that were evaluated so long ago say nothing of now, ms.
pub const STALE: i64 = 60_000;

/// What was read last.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    evaluator: Evaluator,
    book: Arc<Book>,
    /// The rules are those of a file, which do not change.
    is_file: bool,
    open: Vec<OpenIncident>,
    pub quiet: Quiet,
    pub alerts: Arc<Alerts>,
    /// The node's start, Unix milliseconds: alerting may need a while to begin.
    since: i64,
}

impl Shown {
    /// Before anything was read.
    pub fn first(file: Option<Arc<Book>>, redis: bool, since: i64) -> Shown {
        let is_file = file.is_some();
        let book = file.unwrap_or_default();
        let mut shown = Shown { book, is_file, since, ..Shown::default() };
        // No revision is that.
        shown.evaluator.revision = -1;
        shown.evaluator.rules_revision = -1;
        shown.alerts = Arc::new(shown.view(&BTreeMap::new(), &[], Precision::default(), redis, since));
        shown
    }

    /// Nothing was read yet, neither from PostgreSQL nor from a file.
    pub fn was_never_read(&self) -> bool {
        self.evaluator.revision < 0 && !self.is_file
    }

    pub fn book(&self) -> &Arc<Book> {
        &self.book
    }

    /// The view as it is now, if that is another one.
    pub async fn fresh(&self, store: &Store, redis: bool, now: i64) -> Result<Option<Shown>, StoreError> {
        let alerts = store.alerts();
        let evaluator = alerts.evaluator().await?;
        if evaluator.revision == self.evaluator.revision {
            return Ok(None);
        }
        let mut fresh = self.clone();
        if !self.is_file
            && (evaluator.rules_revision, evaluator.seeded)
                != (self.evaluator.rules_revision, self.evaluator.seeded)
        {
            fresh.book = Arc::new(Book::of_rows(&alerts.rules().await?));
        }
        fresh.evaluator = evaluator;
        fresh.open = alerts.open_incidents().await?;
        fresh.quiet = Quiet::read(store).await?;
        let states = alerts.states().await?;
        let live = states.iter().map(|state| (state.rule.clone(), Live::of(&state.view))).collect();
        let changes = alerts.changed_since(now - DAY).await?;
        let judged = precision(alerts.outcomes(JUDGED).await?, JUDGED);
        fresh.alerts = Arc::new(fresh.view(&live, &changes, judged, redis, now));
        Ok(Some(fresh))
    }

    fn view(
        &self,
        live: &BTreeMap<String, Live>,
        changes: &[Changed],
        precision: Precision,
        redis: bool,
        now: i64,
    ) -> Alerts {
        let firing: BTreeSet<&str> = live
            .iter()
            .filter(|(_, live)| matches!(live.state, RuleState::Firing | RuleState::Recovering))
            .map(|(rule, _)| rule.as_str())
            .collect();
        let rules = self.book.entries.iter().map(|entry| {
            let name = entry.rule.name.as_str();
            let of_it: Vec<Changed> = changes.iter().filter(|change| change.rule == name).cloned().collect();
            let parent = entry.rule.depends_on.as_deref().is_some_and(|parent| firing.contains(parent));
            let blank = Live::default();
            self.rule(entry, live.get(name).unwrap_or(&blank), (&of_it, parent), redis, now)
        });
        let node = &self.evaluator.node;
        Alerts {
            evaluated_at: self.evaluator.evaluated_at,
            evaluator: (!node.is_empty()).then(|| node.clone()),
            file: self.book.path.clone(),
            rules: rules.collect(),
            not_set_up: self.book.not_set_up.clone(),
            precision,
        }
    }

    fn rule(
        &self,
        entry: &Entry,
        live: &Live,
        (changes, parent_fires): (&[Changed], bool),
        redis: bool,
        now: i64,
    ) -> RuleView {
        let rule = &entry.rule;
        let not_used = rule.test(redis).err().map(|why| match why {
            Unused::Disabled => NotUsed::Disabled,
            Unused::NoRedis => NotUsed::NoRedis,
        });
        let open = self.open.iter().find(|open| open.rule == rule.name);
        let muted_by = self.quiet.muted_by(rule, parent_fires, now);
        let about = entry.about.as_ref();
        let below = about.is_some_and(|about| about.below);
        let stands = spans::Now {
            state: live.state,
            blind: live.blind.is_some(),
            muted: muted_by.is_some() && open.is_some(),
            incident: open.map(|open| open.id),
        };
        RuleView {
            name: rule.name.clone(),
            severity: rule.severity,
            state: live.state,
            blind: live.blind,
            not_used,
            since: live.since,
            value: live.value,
            worst: live.worst(below),
            metric: about.map(|about| about.metric.clone()).unwrap_or_default(),
            title: title(rule),
            unit: about.map(|about| about.unit.to_owned()).unwrap_or_default(),
            threshold: about.and_then(|about| about.threshold),
            recover: about.and_then(|about| about.recover),
            below,
            reason: live.reason.clone(),
            node: live.node.clone(),
            incident: open.map(|open| open.id),
            acknowledged_by: open.and_then(|open| open.acknowledged_by.clone()),
            duration: about.map(|about| about.duration.clone()).unwrap_or_default(),
            notification: rule.notification.clone(),
            depends_on: rule.depends_on.clone(),
            runbook: rule.runbook.clone(),
            description: rule.description.clone(),
            yaml: entry.yaml.clone(),
            version: entry.version,
            spans: spans(changes, stands, now - DAY),
            muted_by,
        }
    }

    /// Whether rules have not been evaluated for so long that silence means nothing. `now`: Unix milliseconds.
    pub fn is_stale(&self, now: i64) -> bool {
        // A node that has just begun has seen nothing yet.
        now - self.evaluator.evaluated_at.unwrap_or(0).max(self.since) > STALE
    }

    /// What each page says of all alerts.
    pub fn summary(&self, now: i64) -> AlertSummary {
        let mut summary = AlertSummary { stale: self.is_stale(now), ..AlertSummary::default() };
        let mut worst: Option<(&RuleView, i64)> = None;
        for rule in &self.alerts.rules {
            match rule.state {
                RuleState::Pending => summary.pending += 1,
                RuleState::Firing | RuleState::Recovering if rule.muted_by.is_some() => summary.muted += 1,
                RuleState::Firing | RuleState::Recovering => {
                    summary.firing += 1;
                    summary.unacknowledged += u32::from(rule.acknowledged_by.is_none());
                    summary.critical |= rule.severity == Severity::Critical;
                    let rank = |rule: &RuleView| (rule.acknowledged_by.is_none(), rank(rule.severity));
                    if let Some(id) = rule.incident
                        && worst.is_none_or(|(before, _)| rank(rule) > rank(before))
                    {
                        worst = Some((rule, id));
                    }
                }
                RuleState::Ok => {}
            }
        }
        summary.worst = worst.map(|(rule, id)| (id, format!("{}.", rule.title)));
        summary
    }

    /// Rules that fire, and that a silence keeps quiet.
    pub fn muted_by_silence(&self, silence: i64) -> Vec<String> {
        let is_it = |by: &MutedBy| matches!(by, MutedBy::Silence { id, .. } if *id == silence);
        let rules = self.alerts.rules.iter().filter(|rule| rule.muted_by.as_ref().is_some_and(is_it));
        let firing = rules.filter(|rule| matches!(rule.state, RuleState::Firing | RuleState::Recovering));
        firing.map(|rule| rule.name.clone()).collect()
    }
}

fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 0,
        Severity::Warning => 1,
        Severity::Critical => 2,
    }
}
