//! Alert rules, states, incidents, silences and maintenance.
//!
//! Every change locks the one row of `alert_evaluator` first. The evaluator's writes also ask there whether the fence is
//! still its own; see [`fence`].

mod fence; // who evaluates, and that nobody else writes
mod incidents; // lists, one incident, what people do to it
mod judged; // what an evaluation decided, stored in one transaction
mod made_up; // the demo's incidents
mod quiet; // silences and maintenance
mod rules; // the rules and their versions
mod samples; // what the evaluator and backtests read of the history
mod shown; // what every node shows: states, open incidents, changes of a day

pub use fence::{Evaluator, Fence};
pub use incidents::{Acted, Filter, Judged as JudgedAs, OpenIncident};
pub use judged::{Effect, NewIncident, StateRow, Step, Turn};
pub use made_up::{MadeUpIncident, Said};
pub use quiet::{NewMaintenance, NewSilence};
pub use rules::{Deleted, Put, StoredRule};
pub use samples::Wanted;
pub use shown::{Changed, StoredState};

use super::{Store, StoreError, millis, seconds};
use sqlx::{Postgres, Transaction};
use streamgauge_core::{
    access::Actor,
    page::alerts::{
        Incident, IncidentList, Maintenance, MaintenanceList, Outcome, RuleHistory, Silence, SilenceList,
    },
};

/// Rows of alerts.
pub struct AlertRows<'a>(&'a Store);

impl Store {
    pub fn alerts(&self) -> AlertRows<'_> {
        AlertRows(self)
    }
}

/// Begins a person's change: alone until it ends, and seen by every node afterwards. With `rules`, the evaluator reads the
/// rules and their states anew.
async fn change(store: &Store, rules: bool) -> sqlx::Result<Transaction<'static, Postgres>> {
    let mut transaction = store.pool().begin().await?;
    let by = i64::from(rules);
    sqlx::query!(
        "UPDATE alert_evaluator SET revision = revision + 1, rules_revision = rules_revision + $1",
        by
    )
    .execute(&mut *transaction)
    .await?;
    Ok(transaction)
}

impl AlertRows<'_> {
    /// The row of the evaluator.
    pub async fn evaluator(&self) -> Result<Evaluator, StoreError> {
        self.0.ask("read alert evaluator", fence::read(self.0.pool())).await
    }

    /// Makes this node the evaluator. The one before writes nothing more.
    pub async fn take_over(&self, node: &str) -> Result<Evaluator, StoreError> {
        self.0.ask("become alert evaluator", fence::take_over(self.0.pool(), node)).await
    }

    /// Stores a turn's decisions, all or none. `false`: another node evaluates, rules were changed, or a part of it is
    /// stored already; then the caller reads everything anew.
    pub async fn write(&self, fence: Fence, turn: &Turn) -> Result<bool, StoreError> {
        self.0.ask("write alerts", judged::write(self.0.pool(), fence, turn)).await
    }

    /// Writes the demo's incidents, once.
    pub async fn write_made_up(&self, incidents: &[MadeUpIncident]) -> Result<(), StoreError> {
        self.0.try_anyway("write the demo's incidents", made_up::write(self.0.pool(), incidents)).await
    }

    /// Writes the shipped rules, once in the life of a database.
    pub async fn seed(&self, rules: &[(String, String, bool)]) -> Result<(), StoreError> {
        self.0.ask("write shipped alert rules", rules::seed(self.0.pool(), rules)).await
    }

    /// In the order in which they were made.
    pub async fn rules(&self) -> Result<Vec<StoredRule>, StoreError> {
        self.0.ask("read alert rules", rules::list(self.0.pool())).await
    }

    /// Creates or changes a rule. `expected`: its version, or 0 for a rule that must not exist; `None`: whatever it is.
    pub async fn put_rule(
        &self,
        rule: &StoredRule,
        expected: Option<i64>,
        actor: &Actor,
    ) -> Result<Put, StoreError> {
        self.0.ask("put alert rule", rules::put(self.0, rule, expected, actor)).await
    }

    pub async fn delete_rule(
        &self,
        name: &str,
        expected: Option<i64>,
        actor: &Actor,
    ) -> Result<Deleted, StoreError> {
        self.0.ask("delete alert rule", rules::delete(self.0, name, expected, actor)).await
    }

    /// The versions of a rule, newest first; those before version `before`.
    pub async fn rule_history(
        &self,
        name: &str,
        before: Option<i64>,
        most: u32,
    ) -> Result<RuleHistory, StoreError> {
        self.0.ask("read versions of an alert rule", rules::history(self.0.pool(), name, before, most)).await
    }

    /// What is stored of each rule's state.
    pub async fn states(&self) -> Result<Vec<StoredState>, StoreError> {
        self.0.ask("read alert states", shown::states(self.0.pool())).await
    }

    /// Changes of rules' states since `from` (Unix ms), oldest first; the newest 5,000.
    pub async fn changed_since(&self, from: i64) -> Result<Vec<Changed>, StoreError> {
        self.0.ask("read changes of alerts", shown::changed_since(self.0.pool(), from)).await
    }

    /// What people said of each resolved incident of the last `days`.
    pub async fn outcomes(&self, days: u32) -> Result<Vec<Option<Outcome>>, StoreError> {
        self.0.ask("read judged incidents", shown::outcomes(self.0.pool(), days)).await
    }

    /// Every incident that is not resolved.
    pub async fn open_incidents(&self) -> Result<Vec<OpenIncident>, StoreError> {
        self.0.ask("read open incidents", incidents::open(self.0.pool())).await
    }

    /// Resolves incidents and forgets states whose rule is not one of `names`.
    pub async fn forget_others(&self, fence: Fence, names: &[String]) -> Result<bool, StoreError> {
        self.0
            .ask("resolve incidents without a rule", judged::forget_others(self.0.pool(), fence, names))
            .await
    }

    /// What people judged since `from` (Unix ms): rule, when it fired, and whether it counts as a fault.
    pub async fn faults(&self, from: i64) -> Result<Vec<(String, i64, bool)>, StoreError> {
        self.0.ask("read what was judged", incidents::faults(self.0.pool(), from)).await
    }

    /// Newest first, without timelines.
    pub async fn incidents(&self, filter: &Filter, most: u32) -> Result<IncidentList, StoreError> {
        self.0.ask("list incidents", incidents::list(self.0.pool(), filter, most)).await
    }

    /// With its timeline, annotations of its time included.
    pub async fn incident(&self, id: i64) -> Result<Option<Incident>, StoreError> {
        self.0.ask("find incident", incidents::find(self.0.pool(), id)).await
    }

    /// The rule as it was when the incident was opened.
    pub async fn rule_of_incident(&self, id: i64) -> Result<Option<String>, StoreError> {
        self.0.ask("find the rule of an incident", incidents::rule_of(self.0.pool(), id)).await
    }

    /// Spans of a rule's incidents in `[from, to)` (Unix ms), with how people judged them.
    pub async fn incident_spans(
        &self,
        rule: &str,
        from: i64,
        to: i64,
    ) -> Result<Vec<(i64, i64, Option<i64>, Option<Outcome>)>, StoreError> {
        self.0.ask("read spans of incidents", incidents::spans(self.0.pool(), rule, from, to)).await
    }

    /// `remind_after`: seconds.
    pub async fn acknowledge(
        &self,
        id: i64,
        note: Option<&str>,
        remind_after: Option<i64>,
        actor: &Actor,
    ) -> Result<Acted, StoreError> {
        self.0
            .ask("acknowledge incident", incidents::acknowledge(self.0, id, note, remind_after, actor))
            .await
    }

    pub async fn note(&self, id: i64, text: &str, actor: &Actor) -> Result<Acted, StoreError> {
        self.0.ask("note on incident", incidents::note(self.0, id, text, actor)).await
    }

    pub async fn judge_incident(
        &self,
        id: i64,
        outcome: Outcome,
        actor: &Actor,
    ) -> Result<Acted, StoreError> {
        self.0.ask("judge incident", incidents::judge(self.0, id, outcome, actor)).await
    }

    pub async fn resolve(&self, id: i64, actor: &Actor) -> Result<Acted, StoreError> {
        self.0.ask("resolve incident", incidents::resolve(self.0, id, actor)).await
    }

    /// An empty text takes it off the status page.
    pub async fn publish(&self, id: i64, text: &str, actor: &Actor) -> Result<Acted, StoreError> {
        self.0.ask("publish incident", incidents::publish(self.0, id, text, actor)).await
    }

    /// Newest first. `active`: only those that have not ended.
    pub async fn silences(
        &self,
        active: bool,
        before: Option<i64>,
        most: u32,
    ) -> Result<SilenceList, StoreError> {
        self.0.ask("list silences", quiet::silences(self.0.pool(), active, before, most)).await
    }

    /// `None`: it is to last until the rule is resolved, and nothing fires.
    pub async fn silence(&self, silence: &NewSilence, actor: &Actor) -> Result<Option<Silence>, StoreError> {
        self.0.ask("add silence", quiet::silence(self.0, silence, actor)).await
    }

    /// `false`: there is no such silence, or it has ended.
    pub async fn end_silence(&self, id: i64, actor: &Actor) -> Result<bool, StoreError> {
        self.0.ask("end silence", quiet::end_silence(self.0, id, actor)).await
    }

    /// Newest first. `active`: only those that have not ended.
    pub async fn maintenance(
        &self,
        active: bool,
        before: Option<i64>,
        most: u32,
    ) -> Result<MaintenanceList, StoreError> {
        self.0.ask("list maintenance", quiet::maintenance(self.0.pool(), active, before, most)).await
    }

    pub async fn add_maintenance(
        &self,
        maintenance: &NewMaintenance,
        actor: &Actor,
    ) -> Result<Maintenance, StoreError> {
        self.0.ask("add maintenance", quiet::add_maintenance(self.0, maintenance, actor)).await
    }

    /// `false`: there is no such maintenance, or it has ended.
    pub async fn end_maintenance(&self, id: i64, actor: &Actor) -> Result<bool, StoreError> {
        self.0.ask("end maintenance", quiet::end_maintenance(self.0, id, actor)).await
    }

    /// Deletes changes of states that are older than they are kept. `now`: Unix seconds.
    pub async fn retain(&self, now: i64) -> Result<(), StoreError> {
        self.0.try_anyway("drop changes of alerts", shown::retain(self.0.pool(), now)).await
    }
}
