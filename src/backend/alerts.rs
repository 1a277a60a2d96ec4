//! Alerts, as pages show them: the view of all rules from memory, everything else out of PostgreSQL.

use super::unavailable;
use crate::{
    alerting::{Unfit, window},
    clock,
    node::Node,
    store::{
        StoreError,
        alerts::{Filter, JudgedAs},
    },
};
use std::sync::Arc;
use streamgauge_app::api::{
    alerts::{Alerts, IncidentFilter, IncidentValues, Judged},
    backend::{Answer, Unavailable},
};
use streamgauge_core::{
    page::alerts::{
        AlertSummary, Alerts as Overview, Backtest, Incident, IncidentList, MaintenanceList, RuleHistory,
        SilenceList,
    },
    text::is_label,
};

/// Rows of a list.
const LISTED: u32 = 100;

pub struct Reader {
    node: Arc<Node>,
}

impl Reader {
    pub fn new(node: Arc<Node>) -> Reader {
        Reader { node }
    }
}

fn away(error: StoreError) -> Unavailable {
    unavailable("Alerts", &error)
}

impl Alerts for Reader {
    fn overview(&self) -> Answer<'_, Overview> {
        Box::pin(async move {
            let shown = self.node.alerting.shown();
            // Nothing was ever read: an empty page would say that there are no rules.
            if shown.was_never_read() {
                return Err(Unavailable("Alerts are in PostgreSQL, which cannot be reached.".to_owned()));
            }
            Ok((*shown.alerts).clone())
        })
    }

    fn incidents(&self, filter: IncidentFilter) -> Answer<'_, IncidentList> {
        Box::pin(async move {
            // What no rule can be called has no incidents, and is no text to PostgreSQL either.
            if filter.rule.as_deref().is_some_and(|rule| !is_label(rule, 64)) {
                return Ok(IncidentList::default());
            }
            let outcome = filter.outcome.map(|judged| match judged {
                Judged::As(outcome) => JudgedAs::As(outcome),
                Judged::NotYet => JudgedAs::NotYet,
            });
            let most = filter.limit.clamp(1, LISTED);
            let filter = Filter {
                rule: filter.rule,
                open: filter.open,
                acknowledged: None,
                outcome,
                before: filter.before,
            };
            self.node.store.alerts().incidents(&filter, most).await.map_err(away)
        })
    }

    fn incident(&self, id: i64) -> Answer<'_, Option<Incident>> {
        Box::pin(async move { self.node.store.alerts().incident(id).await.map_err(away) })
    }

    fn values(&self, id: i64) -> Answer<'_, Option<IncidentValues>> {
        Box::pin(async move {
            let found = self.node.alerting.values(&self.node.store, id, clock::now_ms()).await;
            let values = found.map_err(away)?;
            Ok(values.map(|values| IncidentValues {
                from: values.from,
                to: values.to,
                step: values.step,
                values: values.values,
                n: values.n,
            }))
        })
    }

    fn history(&self, name: String) -> Answer<'_, RuleHistory> {
        Box::pin(async move {
            if !is_label(&name, 64) {
                return Ok(RuleHistory::default());
            }
            self.node.store.alerts().rule_history(&name, None, LISTED).await.map_err(away)
        })
    }

    fn silences(&self) -> Answer<'_, SilenceList> {
        Box::pin(async move {
            let mut list = self.node.store.alerts().silences(false, None, LISTED).await.map_err(away)?;
            let shown = self.node.alerting.shown();
            for silence in &mut list.rows {
                silence.mutes = shown.muted_by_silence(silence.id);
            }
            Ok(list)
        })
    }

    fn maintenance(&self) -> Answer<'_, MaintenanceList> {
        Box::pin(async move {
            // One that is over has nothing to show.
            let mut list = self.node.store.alerts().maintenance(true, None, LISTED).await.map_err(away)?;
            let now = clock::now_ms();
            list.rows.iter_mut().for_each(|one| window(one, now));
            Ok(list)
        })
    }

    fn backtest(&self, rule: String, from: i64, to: i64) -> Answer<'_, Result<Backtest, Vec<String>>> {
        Box::pin(async move {
            match self.node.alerting.backtest(&self.node.store, &rule, (from, to), clock::now_ms()).await {
                Ok(found) => Ok(Ok(found)),
                Err(Unfit::Store(error)) => Err(away(error)),
                Err(unfit) => Ok(Err(unfit.faults())),
            }
        })
    }

    fn summary(&self) -> AlertSummary {
        self.node.alerting.shown().summary(clock::now_ms())
    }
}
