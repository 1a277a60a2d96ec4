//! Alerts as the API answers and the pages show them. All times are Unix milliseconds, UTC.

use crate::metric::notice::Severity;
use serde::{Deserialize, Serialize};

/// `GET /api/admin/alerts`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Alerts {
    /// The end of the last evaluation. `None`: none yet.
    pub evaluated_at: Option<i64>,
    /// The node that evaluates. `None`: nobody does.
    pub evaluator: Option<String>,
    /// The file that holds the rules, which are read-only then. `None`: they are in PostgreSQL.
    pub file: Option<String>,
    pub rules: Vec<RuleView>,
    /// Channels that rules name and that are not set up: nobody is notified there.
    pub not_set_up: Vec<String>,
    pub precision: Precision,
}

/// One rule with its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleView {
    pub name: String,
    pub severity: Severity,
    /// The metric's name, such as `error_rate`; a burn rule has its objective's metric.
    pub metric: String,
    /// "Error rate is above 1 %", for a heading.
    pub title: String,
    /// "%", "ms", "MB" or nothing.
    pub unit: String,
    pub state: RuleState,
    /// Since when there are no data to judge, while it is so.
    pub blind: Option<i64>,
    /// Why it sends nothing, while it is so.
    pub muted_by: Option<MutedBy>,
    /// Why it is not judged at all.
    pub not_used: Option<NotUsed>,
    /// Since when the state is what it is.
    pub since: Option<i64>,
    /// The newest value over the rule's duration, in `unit`.
    pub value: Option<f64>,
    /// The worst value of the last 24 hours.
    pub worst: Option<f64>,
    pub threshold: Option<f64>,
    /// The value from which on it is clear again.
    pub recover: Option<f64>,
    /// True: it fires below the threshold.
    pub below: bool,
    /// Why it fires, or why it does not, with the counts.
    pub reason: String,
    /// The worst node, where nodes are judged one by one.
    pub node: Option<String>,
    /// The open incident's number.
    pub incident: Option<i64>,
    pub acknowledged_by: Option<String>,
    /// In words: "5 min".
    pub duration: String,
    pub notification: Vec<String>,
    pub depends_on: Option<String>,
    pub runbook: Option<String>,
    pub description: Option<String>,
    /// The rule as it stands in a file: one item of `alerts:`.
    pub yaml: String,
    /// Of the database; 0 where a file holds the rules. `PUT` may send it as `If-Match`.
    pub version: i64,
    /// What it was in the last 24 hours, oldest first; `ok` is left out.
    pub spans: Vec<Span>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleState {
    #[default]
    Ok,
    Pending,
    Firing,
    Recovering,
}

impl RuleState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Recovering => "recovering",
        }
    }
}

/// Why a rule that fires sends nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MutedBy {
    Silence {
        id: i64,
        /// `None`: until it is resolved.
        ends_at: Option<i64>,
        author: String,
        reason: String,
    },
    Maintenance {
        id: i64,
        ends_at: i64,
        reason: String,
    },
    /// The rule that it depends on fires.
    Dependency {
        rule: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotUsed {
    Disabled,
    NoRedis,
}

/// A stretch of time in which a rule was in one state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub from: i64,
    /// `None`: it still is.
    pub to: Option<i64>,
    pub kind: SpanKind,
    pub incident: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpanKind {
    Pending,
    Firing,
    Recovering,
    Blind,
    /// It fired, and sent nothing.
    Muted,
}

/// How many of the incidents that people judged were real. `test` and `expected` ones are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Precision {
    pub real: u64,
    pub r#false: u64,
    pub expected: u64,
    /// Resolved, and judged by nobody yet.
    pub unjudged: u64,
    /// 0 to 1, with both ends of its exact 95 % interval. `None`: nothing was judged.
    pub share: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// Days that were looked at.
    pub days: u32,
}

/// `GET /api/admin/incidents`: newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IncidentList {
    pub rows: Vec<Incident>,
    /// For `before`, if there are older ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number.
    pub id: i64,
    pub rule: String,
    pub severity: Severity,
    pub metric: String,
    /// "Error rate is above 1 %".
    pub title: String,
    pub unit: String,
    pub threshold: Option<f64>,
    pub recover: Option<f64>,
    pub below: bool,
    pub state: IncidentState,
    /// While it is not resolved: the rule's.
    pub rule_state: RuleState,
    pub node: Option<String>,
    pub region: Option<String>,
    pub opened_at: i64,
    /// When the breach became evident, before it fired.
    pub pending_at: Option<i64>,
    pub acknowledged_by: Option<String>,
    pub acknowledged_at: Option<i64>,
    /// When the one who acknowledged is reminded.
    pub remind_at: Option<i64>,
    pub resolved_at: Option<i64>,
    /// How it ended, in words.
    pub resolution: Option<String>,
    pub outcome: Option<Outcome>,
    /// When it fired, and the furthest beyond the threshold.
    pub value: Option<f64>,
    pub peak: Option<f64>,
    /// The counts that made it fire.
    pub reason: String,
    /// Nothing was sent: why.
    pub muted_by: Option<MutedBy>,
    /// Text on the public status page.
    pub published: Option<String>,
    /// An earlier incident of the same rule that had ended less than an hour before.
    pub again: Option<i64>,
    /// Written by the demo, not measured.
    #[serde(default)]
    pub seeded: bool,
    /// Newest last. Only of one incident; lists leave it empty.
    #[serde(default)]
    pub timeline: Vec<TimelineEntry>,
    /// Filled by the outbox of notifications.
    #[serde(default)]
    pub deliveries: Vec<DeliveryAttempt>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentState {
    Open,
    Acknowledged,
    Resolved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Real,
    False,
    Expected,
    /// Of the test button.
    Test,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::False => "false",
            Self::Expected => "expected",
            Self::Test => "test",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    pub at: i64,
    pub kind: TimelineKind,
    /// A person's or key's name. Empty: the server itself.
    #[serde(default)]
    pub actor: String,
    pub text: String,
    pub value: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimelineKind {
    Pending,
    Fired,
    Recovering,
    /// Bad again before the hold was over.
    Relapsed,
    Resolved,
    /// No data: the state stands still.
    Blind,
    /// Data again.
    Seeing,
    Peak,
    Acknowledged,
    Note,
    Outcome,
    /// A silence began or ended.
    Silence,
    Maintenance,
    /// The rule was edited while the incident was open.
    Rule,
    /// A deploy, restart or changed setting near it: an annotation.
    Deploy,
    Restart,
    Change,
    Published,
}

/// One attempt to deliver one notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryAttempt {
    pub channel: String,
    pub transition: String,
    pub attempt: u32,
    pub at: i64,
    pub status: String,
    pub answer: String,
}

/// `GET /api/admin/alerts/{name}/history`: newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleHistory {
    pub rows: Vec<RuleVersion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleVersion {
    pub version: i64,
    pub at: i64,
    pub actor: String,
    /// `None`: it was created, or deleted.
    pub old: Option<String>,
    pub new: Option<String>,
}

/// `GET /api/admin/silences`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceList {
    pub rows: Vec<Silence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    pub id: i64,
    /// A rule's name, or `*`.
    pub rule: String,
    pub starts_at: i64,
    /// At most seven days later. `None`: until the rule is resolved.
    pub ends_at: Option<i64>,
    pub until_resolved: bool,
    pub reason: String,
    pub author: String,
    /// When it ended: by time, by hand, or because the rule was resolved.
    pub ended_at: Option<i64>,
    /// Rules that it keeps quiet now.
    pub mutes: Vec<String>,
}

/// `GET /api/admin/maintenance`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceList {
    pub rows: Vec<Maintenance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    pub id: i64,
    /// A rule's name, or `*`.
    pub rule: String,
    pub reason: String,
    pub author: String,
    /// Once: from and to. `None` for a recurring one.
    pub starts_at: Option<i64>,
    pub ends_at: Option<i64>,
    /// Recurring: a cron expression of five fields, how long, and the time zone.
    pub cron: Option<String>,
    /// Seconds.
    pub duration: Option<i64>,
    pub zone: Option<String>,
    /// It is now.
    pub active: bool,
    /// The next window, or the present one.
    pub next_from: Option<i64>,
    pub next_to: Option<i64>,
}

/// What `POST /api/admin/alerts/backtest` answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Backtest {
    pub incidents: Vec<Fired>,
    /// 0 to 1: the part of the time of which samples are stored.
    pub covered: f64,
    /// How often it would have fired.
    pub fires: u64,
    /// How long in all, seconds.
    pub firing_seconds: i64,
    /// The same for the saved rule, where the edited one has the name of a saved one.
    pub saved: Option<Vec<Fired>>,
    /// Fires at other thresholds, in ascending order; empty for rules without one.
    pub thresholds: Vec<AtThreshold>,
    /// The highest (or, below, lowest) value of each step, for the chart.
    pub values: Vec<BacktestValue>,
    pub unit: String,
    pub threshold: Option<f64>,
    pub below: bool,
    /// Events or samples that were looked at.
    pub n: u64,
    /// What the stored resolution cannot tell, in sentences.
    pub cannot_tell: Vec<String>,
    /// How many bad events of the usual number fire it, and where events are too few; in sentences.
    pub hints: Vec<String>,
    pub from: i64,
    pub to: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fired {
    pub from: i64,
    /// `None`: it would still be firing.
    pub to: Option<i64>,
    pub peak: Option<f64>,
    pub node: Option<String>,
    /// What people judged of a stored incident in this time.
    pub outcome: Option<Outcome>,
    pub incident: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtThreshold {
    pub threshold: f64,
    pub fires: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BacktestValue {
    pub at: i64,
    /// `None`: no data.
    pub value: Option<f64>,
}

/// What each page says of all alerts: the badge, the title, the verdict line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertSummary {
    /// Firing and recovering ones, muted ones left out.
    pub firing: u32,
    pub unacknowledged: u32,
    pub pending: u32,
    pub muted: u32,
    pub critical: bool,
    /// The worst open one, for the verdict line: its number and a sentence. `None`: nothing fires.
    pub worst: Option<(i64, String)>,
    /// Rules were not evaluated for so long that silence means nothing.
    pub stale: bool,
    /// The same in words, as the HTML that every page shows. Empty where no page reads it.
    #[serde(default)]
    pub line: String,
}

/// What the browser takes from an [`AlertSummary`]: code that reads and words the rest would be 2 kB of the WASM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertLine {
    pub firing: u32,
    pub line: String,
}
