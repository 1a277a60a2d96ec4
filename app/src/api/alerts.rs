//! Alerts: rules with their states, incidents, silences, maintenance, backtests. Rendered on the server alone.
//!
//! The pages' forms post to the API's own routes, which answer a form with 303 to the local path in its field `back`:
//!
//! | form | route | fields beside `back` |
//! |---|---|---|
//! | acknowledge | `POST /api/admin/incidents/{id}/acknowledge` | `note`, `remind_after` (seconds); both may be empty |
//! | note, publish | `…/note`, `…/publish` | `text` |
//! | outcome | `…/outcome` | `outcome`: `real`, `false`, `expected` |
//! | resolve | `…/resolve` | |
//! | silence | `POST /api/admin/silences` | `rule`, `reason`, `until`: Unix milliseconds of the end, or `resolved` |
//! | end of a silence | `POST /api/admin/silences/{id}/end` | |
//! | maintenance, once | `POST /api/admin/maintenance` | `rule`, `reason`, `from`, `to`: `2026-11-23T14:42`, in `zone` |
//! | maintenance, recurring | the same | `rule`, `reason`, `cron`, `duration`: `1h`, `zone` |
//! | end of a maintenance | `POST /api/admin/maintenance/{id}/end` | |
//! | save a rule | `POST /api/admin/alerts` | `version` (0: new), and `yaml`, or the fields of [`crate::rule_yaml`] |
//! | delete a rule | `POST /api/admin/alerts/{name}/end` | `version` |
//!
//! A rule that cannot be saved (a fault, another version meanwhile) is answered with 303 to `/alerts/rules/{name}` (or
//! `/alerts/rules/new`) and the form's fields as its query: the page shows the draft again and says what is wrong.

use super::{
    Failure,
    backend::{Answer, Areas},
    failure,
};
use leptos::prelude::use_context;
use std::pin::Pin;
use streamgauge_core::page::alerts::{
    AlertSummary, Alerts as Overview, Backtest, BacktestValue, Incident, IncidentList, MaintenanceList,
    Outcome, RuleHistory, SilenceList,
};

/// Which incidents a list shows; everything is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// A rule's name.
    pub rule: Option<String>,
    /// `Some(true)`: open and acknowledged ones; `Some(false)`: resolved ones.
    pub open: Option<bool>,
    pub outcome: Option<Judged>,
    /// Only those with a smaller number.
    pub before: Option<i64>,
    /// Rows; the server has a limit of its own.
    pub limit: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    As(Outcome),
    /// Resolved, and judged by nobody yet.
    NotYet,
}

/// An incident's metric around it, for its chart: from an hour before it was pending to its end, or to now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IncidentValues {
    /// `[from, to)`, Unix milliseconds, in steps of `step` milliseconds.
    pub from: i64,
    pub to: i64,
    pub step: i64,
    /// The metric over the rule's duration at the end of each step, in the incident's unit; at most 360.
    pub values: Vec<BacktestValue>,
    /// Events or samples that were looked at.
    pub n: u64,
}

pub trait Alerts: Send + Sync + 'static {
    fn overview(&self) -> Answer<'_, Overview>;
    fn incidents(&self, filter: IncidentFilter) -> Answer<'_, IncidentList>;
    /// With its timeline. `None`: no such incident.
    fn incident(&self, id: i64) -> Answer<'_, Option<Incident>>;
    fn values(&self, id: i64) -> Answer<'_, Option<IncidentValues>>;
    /// The newest versions of a rule. Empty for a name that no rule ever had.
    fn history(&self, name: String) -> Answer<'_, RuleHistory>;
    fn silences(&self) -> Answer<'_, SilenceList>;
    fn maintenance(&self) -> Answer<'_, MaintenanceList>;
    /// `rule`: one item of `alerts:` as YAML. `from` and `to`: Unix milliseconds. The faults say what is allowed.
    fn backtest(&self, rule: String, from: i64, to: i64) -> Answer<'_, Result<Backtest, Vec<String>>>;
    /// From memory: every page asks for it while it is rendered.
    fn summary(&self) -> AlertSummary;
    /// Unix milliseconds: what the pages' "ago" counts from.
    fn now(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

pub fn overview() -> impl Future<Output = Result<Overview, Failure>> + Send {
    let areas = failure::areas();
    async move { Ok(areas?.alerts.overview().await?) }
}

pub fn incidents(filter: IncidentFilter) -> impl Future<Output = Result<IncidentList, Failure>> + Send {
    let areas = failure::areas();
    async move { Ok(areas?.alerts.incidents(filter).await?) }
}

/// An incident and what its chart draws. A chart that cannot be read does not keep the incident from being shown.
pub fn incident(
    id: i64,
) -> impl Future<Output = Result<Option<(Incident, Option<IncidentValues>)>, Failure>> + Send {
    let areas = failure::areas();
    async move {
        let alerts = areas?.alerts;
        let Some(incident) = alerts.incident(id).await? else { return Ok(None) };
        let values = alerts.values(id).await.ok().flatten();
        Ok(Some((incident, values)))
    }
}

pub fn history(name: String) -> impl Future<Output = Result<RuleHistory, Failure>> + Send {
    let areas = failure::areas();
    async move { Ok(areas?.alerts.history(name).await?) }
}

/// What keeps alerts quiet: silences, and maintenance.
pub fn quiet() -> impl Future<Output = Result<(SilenceList, MaintenanceList), Failure>> + Send {
    let areas = failure::areas();
    async move {
        let alerts = areas?.alerts;
        Ok((alerts.silences().await?, alerts.maintenance().await?))
    }
}

/// To be asked once what shall be tested is known: the context is gone by then.
pub fn backtester() -> impl FnOnce(String, i64, i64) -> Tested + Send {
    let areas = failure::areas();
    move |rule, from, to| Box::pin(async move { Ok(areas?.alerts.backtest(rule, from, to).await?) })
}

pub type Tested = Pin<Box<dyn Future<Output = Result<Result<Backtest, Vec<String>>, Failure>> + Send>>;

/// Unix milliseconds, by the server's clock.
pub fn now() -> i64 {
    use_context::<Areas>().map_or(0, |areas| areas.alerts.now())
}

/// What the frame of each page says. `None`: the page is rendered without a server behind it.
pub fn summary() -> Option<AlertSummary> {
    use_context::<Areas>().map(|areas| areas.alerts.summary())
}
