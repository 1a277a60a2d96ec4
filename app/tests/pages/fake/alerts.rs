//! The night of the drawings: a deploy of fra-2 at 14:21:37 explains all that is open at 14:42:07.

use super::NOW;
use streamgauge_app::api::{
    alerts::{Alerts, IncidentFilter, IncidentValues, Judged},
    backend::{Answer, Unavailable},
};
use streamgauge_core::{
    metric::notice::Severity,
    page::alerts::{
        AlertSummary, Alerts as Overview, AtThreshold, Backtest, BacktestValue, Fired, Incident,
        IncidentList, IncidentState, Maintenance, MaintenanceList, MutedBy, NotUsed, Outcome, Precision,
        RuleHistory, RuleState, RuleVersion, RuleView, Silence, SilenceList, Span, SpanKind, TimelineEntry,
        TimelineKind,
    },
};

#[derive(Clone, Default)]
pub struct FakeAlerts {
    /// No rule has fired yet.
    pub fresh: bool,
    /// Nothing fires.
    pub quiet: bool,
    /// Nothing can be read.
    pub down: bool,
    /// Nobody evaluates.
    pub stale: bool,
    /// A file rules.
    pub file: bool,
    /// Every draft is faulty.
    pub faulty: bool,
}

pub const NOW_MS: i64 = NOW * 1_000;

fn ago(seconds: i64) -> i64 {
    NOW_MS - seconds * 1_000
}

fn span(from: i64, to: Option<i64>, kind: SpanKind) -> Span {
    Span { from: ago(from), to: to.map(ago), kind, incident: None }
}

fn rule(name: &str, title: &str, yaml: &str) -> RuleView {
    RuleView {
        name: name.into(),
        severity: Severity::Warning,
        metric: "error_rate".into(),
        title: title.into(),
        unit: "%".into(),
        state: RuleState::Ok,
        blind: None,
        muted_by: None,
        not_used: None,
        since: Some(ago(86_400)),
        value: None,
        worst: None,
        threshold: None,
        recover: None,
        below: false,
        reason: String::new(),
        node: None,
        incident: None,
        acknowledged_by: None,
        duration: "5 min".into(),
        notification: vec!["email".into(), "slack".into()],
        depends_on: None,
        runbook: None,
        description: None,
        yaml: format!("- name: {name}\n{yaml}"),
        version: 3,
        spans: Vec::new(),
    }
}

fn quiet_rules() -> Vec<RuleView> {
    let condition = |metric: &str, level: &str, duration: &str, severity: &str| {
        format!(
            "  condition: {metric} {level}\n  duration: {duration}\n  severity: {severity}\n  notification: email, slack\n"
        )
    };
    let error = RuleView {
        severity: Severity::Critical,
        value: Some(0.04),
        worst: Some(0.31),
        threshold: Some(1.0),
        recover: Some(0.8),
        reason: "3 bad of 1,020 in 5 min, 0.3 %; it fires from 26 bad".into(),
        notification: vec!["email".into(), "slack".into(), "pagerduty".into()],
        ..rule(
            "SSE_High_Error_Rate",
            "Error rate is above 1 %",
            "  condition: error_rate > 1%\n  duration: 5m\n  recover: 0.8%\n  severity: critical\n  notification: email, slack, pagerduty\n",
        )
    };
    let connection = RuleView {
        severity: Severity::Critical,
        metric: "connection_success_rate".into(),
        value: Some(99.9),
        worst: Some(91.4),
        threshold: Some(95.0),
        recover: Some(95.0),
        below: true,
        duration: "2 min".into(),
        reason: "143 of 143 attempts succeeded in 2 min".into(),
        spans: vec![Span { incident: Some(215), ..span(71_000, Some(70_460), SpanKind::Firing) }],
        ..rule(
            "SSE_Connection_Failure",
            "Connection success is below 95 %",
            &condition("connection_success_rate", "< 95%", "2m", "critical"),
        )
    };
    let latency = RuleView {
        metric: "avg_latency".into(),
        unit: "ms".into(),
        value: Some(18.0),
        worst: Some(520.0),
        threshold: Some(500.0),
        recover: Some(500.0),
        duration: "3 min".into(),
        reason: "mean of 446 deliveries in 3 min".into(),
        spans: vec![span(62_000, Some(61_880), SpanKind::Pending)],
        ..rule(
            "SSE_High_Latency",
            "Average latency is above 500 ms",
            &condition("avg_latency", "> 500ms", "3m", "warning"),
        )
    };
    let redis = RuleView {
        metric: "redis_latency".into(),
        unit: "ms".into(),
        value: Some(6.0),
        worst: Some(22.0),
        threshold: Some(100.0),
        reason: "0 % of the probes of 5 min are above; it fires from 80 %".into(),
        ..rule(
            "Redis_Performance_Degradation",
            "Redis latency is above 100 ms",
            &condition("redis_latency", "> 100ms", "5m", "warning"),
        )
    };
    let memory = RuleView {
        metric: "memory_usage".into(),
        value: Some(61.0),
        worst: Some(83.0),
        threshold: Some(80.0),
        recover: Some(75.0),
        duration: "10 min".into(),
        node: Some("fra-1".into()),
        notification: vec!["slack".into()],
        reason: "no sample of 10 min is above, on each node".into(),
        spans: vec![span(40_000, Some(37_900), SpanKind::Muted)],
        ..rule(
            "Memory_Usage_High",
            "Memory usage is above 80 %",
            "  condition: memory_usage > 80%\n  duration: 10m\n  recover: 75%\n  severity: warning\n  notification: slack\n",
        )
    };
    let burn = RuleView {
        severity: Severity::Critical,
        metric: "delivery_latency_p95".into(),
        unit: "x".into(),
        threshold: Some(14.4),
        duration: "1 h".into(),
        reason: "burns 0.4 times the budget over 1 h".into(),
        ..rule(
            "Error_Budget_Fast_Burn",
            "Error rate burns its budget 14.4 times too fast",
            "  budget_burn: { objective: errors, factor: 14.4, long: 1h, short: 5m }\n  severity: critical\n  notification: email, slack\n",
        )
    };
    let blind = RuleView {
        blind: Some(ago(400)),
        depends_on: Some("Error_Budget_Fast_Burn".into()),
        reason: "no deliveries in 6 h".into(),
        ..rule(
            "Error_Budget_Slow_Burn",
            "Error rate burns its budget",
            "  budget_burn: { objective: errors, factor: 1, long: 3d, short: 6h }\n  severity: warning\n  notification: email, slack\n",
        )
    };
    let off = RuleView {
        not_used: Some(NotUsed::Disabled),
        ..rule("Old_Rule", "Published is above 5", &condition("published", "> 5", "1m", "info"))
    };
    vec![error, connection, latency, redis, memory, burn, blind, off]
}

fn rules() -> Vec<RuleView> {
    let mut rules = quiet_rules();
    let [error, connection, latency, redis, ..] = rules.as_mut_slice() else { return rules };
    *error = RuleView {
        state: RuleState::Firing,
        since: Some(ago(855)),
        value: Some(3.1),
        worst: Some(4.6),
        incident: Some(217),
        acknowledged_by: Some("Mara Lindqvist".into()),
        reason: "32 bad of 1,031 in 5 min, bound 2.0 % > 1 %; 5 of 5 minutes above".into(),
        spans: vec![span(1_167, Some(855), SpanKind::Pending), span(855, None, SpanKind::Firing)],
        ..error.clone()
    };
    connection.state = RuleState::Recovering;
    connection.since = Some(ago(150));
    connection.value = Some(97.2);
    connection.worst = Some(90.6);
    connection.incident = Some(216);
    connection.acknowledged_by = Some("Mara Lindqvist".into());
    connection.reason = "139 of 143 attempts succeeded in 2 min; resolves 14:47:10 if it stays so".into();
    connection.spans.extend([
        span(1_200, Some(1_100), SpanKind::Pending),
        span(1_100, Some(150), SpanKind::Firing),
        span(150, None, SpanKind::Recovering),
    ]);
    latency.state = RuleState::Firing;
    latency.since = Some(ago(575));
    latency.value = Some(742.0);
    latency.worst = Some(810.0);
    latency.incident = Some(218);
    latency.node = Some("fra-1".into());
    latency.reason = "mean of 446 deliveries in 3 min, at least 611 ms > 500 ms".into();
    latency.spans.extend([span(760, Some(575), SpanKind::Pending), span(575, None, SpanKind::Firing)]);
    redis.state = RuleState::Pending;
    redis.since = Some(ago(110));
    redis.value = Some(131.0);
    redis.worst = Some(131.0);
    redis.reason = "64 % of the probes of 5 min are above; it fires from 80 %".into();
    redis.spans.push(span(110, None, SpanKind::Pending));
    rules
}

fn entry(seconds: i64, kind: TimelineKind, actor: &str, text: &str, value: Option<f64>) -> TimelineEntry {
    TimelineEntry { at: ago(seconds), kind, actor: actor.into(), text: text.into(), value }
}

pub fn incident(id: i64) -> Incident {
    use TimelineKind as Kind;
    let timeline = vec![
        entry(1_230, Kind::Deploy, "CI", "fra-2 v0.2.0 to v0.2.1, run 4417", None),
        entry(1_167, Kind::Pending, "", "16 bad of 1,001. No notification yet", Some(1.6)),
        entry(
            855,
            Kind::Fired,
            "",
            "34 bad of 1,012 in 5 min; at least 1.3 % with 99.99 % certainty, threshold 1 %. Above in 5 of 5 minutes. Errors arrive in bursts (x 1.4)",
            Some(3.4),
        ),
        entry(719, Kind::Acknowledged, "Mara Lindqvist", "reminded in 1 h", None),
        entry(
            582,
            Kind::Note,
            "Mara Lindqvist",
            "Only fra-2 <script>. I drain it, then roll back to v0.2.0.",
            None,
        ),
        entry(297, Kind::Peak, "", "47 bad of 1,022", Some(4.6)),
    ];
    Incident {
        id,
        rule: "SSE_High_Error_Rate".into(),
        severity: Severity::Critical,
        metric: "error_rate".into(),
        title: "Error rate is above 1 %".into(),
        unit: "%".into(),
        threshold: Some(1.0),
        recover: Some(0.8),
        below: false,
        state: IncidentState::Acknowledged,
        rule_state: RuleState::Firing,
        node: Some("fra-2".into()),
        region: None,
        opened_at: ago(855),
        pending_at: Some(ago(1_167)),
        acknowledged_by: Some("Mara Lindqvist".into()),
        acknowledged_at: Some(ago(719)),
        remind_at: Some(NOW_MS + 2_881_000),
        resolved_at: None,
        resolution: None,
        outcome: None,
        value: Some(3.4),
        peak: Some(4.6),
        reason: "34 bad of 1,012 in 5 min, bound 1.3 % > 1 %".into(),
        muted_by: None,
        published: None,
        again: None,
        seeded: false,
        timeline,
        deliveries: Vec::new(),
    }
}

fn resolved(id: i64, days: i64, outcome: Option<Outcome>) -> Incident {
    let opened = days * 86_400 + 3_000;
    Incident {
        state: IncidentState::Resolved,
        rule_state: RuleState::Ok,
        opened_at: ago(opened),
        pending_at: Some(ago(opened + 310)),
        resolved_at: Some(ago(opened - 540)),
        resolution: Some("It was clear for 5 min.".into()),
        outcome,
        published: Some("Some updates were late.".into()),
        again: Some(id - 1),
        seeded: true,
        timeline: vec![
            entry(opened + 310, TimelineKind::Pending, "", "", Some(1.2)),
            entry(opened, TimelineKind::Fired, "", "31 bad of 1,020", Some(3.0)),
            entry(opened - 200, TimelineKind::Recovering, "", "", Some(0.7)),
            entry(opened - 540, TimelineKind::Resolved, "", "It was clear for 5 min.", Some(0.1)),
        ],
        ..incident(id)
    }
}

impl FakeAlerts {
    fn read<T: Send + 'static>(&self, answer: T) -> Answer<'_, T> {
        let down = self.down;
        Box::pin(async move {
            if down {
                return Err(Unavailable("Alerts are in PostgreSQL, which cannot be reached.".into()));
            }
            Ok(answer)
        })
    }

    fn past(&self) -> Vec<Incident> {
        if self.fresh {
            return Vec::new();
        }
        let open = Incident {
            id: 218,
            rule: "SSE_High_Latency".into(),
            title: "Average latency is above 500 ms".into(),
            severity: Severity::Warning,
            unit: "ms".into(),
            state: IncidentState::Open,
            acknowledged_by: None,
            peak: Some(810.0),
            ..incident(218)
        };
        let past = [
            resolved(215, 1, None),
            resolved(214, 3, Some(Outcome::Real)),
            resolved(213, 8, Some(Outcome::False)),
            resolved(212, 9, Some(Outcome::Expected)),
            resolved(211, 12, Some(Outcome::Test)),
        ];
        if self.quiet { past.to_vec() } else { [open, incident(217)].into_iter().chain(past).collect() }
    }
}

impl Alerts for FakeAlerts {
    fn overview(&self) -> Answer<'_, Overview> {
        let judged = Precision {
            real: 18,
            r#false: 1,
            expected: 1,
            unjudged: 3,
            share: Some(18.0 / 19.0),
            low: Some(0.74),
            high: Some(0.99),
            days: 30,
        };
        self.read(Overview {
            evaluated_at: Some(ago(if self.stale { 300 } else { 2 })),
            evaluator: (!self.stale).then(|| "fra-1".into()),
            file: self.file.then(|| "/etc/streamgauge/alerts.yml".into()),
            rules: if self.quiet || self.fresh { quiet_rules() } else { rules() },
            not_set_up: vec!["pagerduty".into()],
            precision: if self.fresh { Precision { days: 30, ..Precision::default() } } else { judged },
        })
    }

    fn incidents(&self, filter: IncidentFilter) -> Answer<'_, IncidentList> {
        let fits = |incident: &Incident| {
            let open = incident.state != IncidentState::Resolved;
            let judged = match filter.outcome {
                Some(Judged::As(outcome)) => incident.outcome == Some(outcome),
                Some(Judged::NotYet) => !open && incident.outcome.is_none(),
                None => true,
            };
            judged
                && filter.rule.as_ref().is_none_or(|rule| *rule == incident.rule)
                && filter.open.is_none_or(|wanted| wanted == open)
                && filter.before.is_none_or(|before| incident.id < before)
        };
        let rows: Vec<Incident> = self.past().into_iter().filter(fits).collect();
        let next = filter.before.is_none().then_some(211).filter(|_| rows.len() > 3);
        self.read(IncidentList { rows, next })
    }

    fn incident(&self, id: i64) -> Answer<'_, Option<Incident>> {
        let found = match id {
            217 => Some(incident(id)),
            218 => Some(Incident {
                state: IncidentState::Open,
                acknowledged_by: None,
                acknowledged_at: None,
                muted_by: Some(MutedBy::Silence {
                    id: 4,
                    ends_at: Some(NOW_MS + 3_000_000),
                    author: "Jonas Weber".into(),
                    reason: "bulk import".into(),
                }),
                ..incident(id)
            }),
            215 => Some(resolved(id, 1, None)),
            _ => None,
        };
        self.read(found)
    }

    fn values(&self, id: i64) -> Answer<'_, Option<IncidentValues>> {
        let from = if id == 215 { ago(86_400 + 6_900) } else { ago(4_760) };
        let value = |n: i64| {
            let high = (n - 357).max(0) as f64;
            let noise = ((n * 37) % 13) as f64 / 100.0;
            let wave = 4.6 * (1.0 - (-high / 40.0).exp()) - (high - 90.0).max(0.0) * 0.05;
            BacktestValue { at: from + n * 10_000, value: (n % 97 != 40).then_some((wave + noise).max(0.0)) }
        };
        let values = (0..476).map(value).collect();
        self.read((id == 217 || id == 215).then_some(IncidentValues {
            from,
            to: from + 4_760_000,
            step: 10_000,
            values,
            n: 96_420,
        }))
    }

    fn history(&self, name: String) -> Answer<'_, RuleHistory> {
        let yaml = |recover: &str, channels: &str| {
            Some(format!(
                "- name: {name}\n  condition: error_rate > 1%\n  duration: 5m\n{recover}  severity: critical\n  notification: {channels}\n"
            ))
        };
        let row = |version, days: i64, actor: &str, old, new| RuleVersion {
            version,
            at: ago(days * 86_400),
            actor: actor.into(),
            old,
            new,
        };
        let rows = vec![
            row(
                3,
                46,
                "Jonas Weber",
                yaml("", "email, slack, pagerduty"),
                yaml("  recover: 0.8%\n", "email, slack, pagerduty"),
            ),
            row(2, 81, "Jonas Weber", yaml("", "email, slack"), yaml("", "email, slack, pagerduty")),
            row(1, 82, "streamgauge", None, yaml("", "email, slack")),
        ];
        self.read(RuleHistory { rows, next: None })
    }

    fn silences(&self) -> Answer<'_, SilenceList> {
        let silence = |id, rule: &str, mutes: &[&str], ended_at| Silence {
            id,
            rule: rule.into(),
            starts_at: ago(600),
            ends_at: Some(NOW_MS + 3_000_000),
            until_resolved: false,
            reason: "bulk import".into(),
            author: "Jonas Weber".into(),
            ended_at,
            mutes: mutes.iter().map(|name| (*name).into()).collect(),
        };
        let until_resolved = Silence {
            ends_at: None,
            until_resolved: true,
            ..silence(3, "SSE_High_Latency", &["SSE_High_Latency"], None)
        };
        let rows = vec![
            silence(4, "*", &[], None),
            until_resolved,
            silence(2, "Memory_Usage_High", &[], Some(ago(90))),
        ];
        self.read(SilenceList { rows: if self.fresh { Vec::new() } else { rows }, next: None })
    }

    fn maintenance(&self) -> Answer<'_, MaintenanceList> {
        let backup = Maintenance {
            id: 1,
            rule: "Memory_Usage_High".into(),
            reason: "database backup".into(),
            author: "Jonas Weber".into(),
            starts_at: None,
            ends_at: None,
            cron: Some("0 14 * * 4".into()),
            duration: Some(3_600),
            zone: Some("Europe/Berlin".into()),
            active: false,
            next_from: Some(NOW_MS + 200_000_000),
            next_to: Some(NOW_MS + 203_600_000),
        };
        let rows = if self.fresh { Vec::new() } else { vec![backup] };
        self.read(MaintenanceList { rows, next: None })
    }

    fn backtest(&self, rule: String, from: i64, to: i64) -> Answer<'_, Result<Backtest, Vec<String>>> {
        if self.faulty {
            let fault = "line 2: condition: unknown metric `eror_rate`; did you mean `error_rate`?";
            return self.read(Err(vec![fault.into()]));
        }
        let day = 86_400_000;
        let fired = |days: f64, minutes: i64, outcome, incident| {
            let from = to - (days * day as f64) as i64;
            Fired { from, to: Some(from + minutes * 60_000), peak: Some(4.0), node: None, outcome, incident }
        };
        let both = [
            fired(18.1, 14, Some(Outcome::Real), Some(198)),
            fired(9.7, 14, Some(Outcome::Real), Some(206)),
            fired(0.01, 13, None, Some(217)),
        ];
        let only = fired(6.4, 9, Some(Outcome::False), Some(210));
        let value = |n: i64| {
            let at = from + n * 10_800_000;
            let noise = 0.03 + ((n * 53) % 17) as f64 / 100.0;
            let peak = both.iter().chain([&only]).any(|fired| (fired.from - at).abs() < 5_400_000);
            BacktestValue { at, value: Some(if peak { 4.0 + noise } else { noise }) }
        };
        let threshold = if rule.contains("1.5%") { 1.5 } else { 1.0 };
        let at = |threshold, fires| AtThreshold { threshold, fires };
        self.read(Ok(Backtest {
            incidents: both.to_vec(),
            covered: 0.9997,
            fires: 3,
            firing_seconds: 41 * 60,
            saved: Some(vec![both[0].clone(), both[1].clone(), only.clone(), both[2].clone()]),
            thresholds: vec![at(0.5, 9), at(1.0, 4), at(1.5, 3), at(2.0, 3), at(2.5, 2), at(3.0, 2)],
            values: (0..240).map(value).collect(),
            unit: "%".into(),
            threshold: Some(threshold),
            below: false,
            n: 8_600_000,
            cannot_tell: vec!["Samples older than 3 days are kept by the minute: when it fired is known to the minute.".into()],
            hints: vec![
                "With the usual 1,000 operations in 5 min it fires from 38 bad (3.8 %).".into(),
                "Too few events at night: about 100 in 5 min, where fewer than 12 bad cannot be told from chance.".into(),
            ],
            from,
            to,
        }))
    }

    fn summary(&self) -> AlertSummary {
        if self.quiet || self.fresh {
            return AlertSummary::default();
        }
        AlertSummary {
            firing: 3,
            unacknowledged: 1,
            pending: 1,
            muted: 0,
            critical: true,
            worst: Some((217, "Error rate is above 1 %".into())),
            stale: self.stale,
            line: String::new(),
        }
    }

    fn now(&self) -> i64 {
        NOW_MS
    }
}
