//! What a rule was in the last 24 hours, out of the changes of its state.

use crate::store::alerts::Changed;
use streamgauge_core::page::alerts::{RuleState, Span, SpanKind};

/// How a rule stands now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    pub state: RuleState,
    pub blind: bool,
    pub muted: bool,
    pub incident: Option<i64>,
}

/// The spans since `from` (Unix ms), oldest first. `changes`: of the one rule, oldest first. What a rule was before the
/// first of them follows from what it says, and without any it was all the while what it is.
pub fn spans(changes: &[Changed], now: Now, from: i64) -> Vec<Span> {
    let state = |change: &Changed| match change.kind.as_str() {
        "pending" => Some((None, Some(SpanKind::Pending))),
        "calm" => Some((Some(SpanKind::Pending), None)),
        "fired" => Some((Some(SpanKind::Pending), Some(SpanKind::Firing))),
        "recovering" => Some((Some(SpanKind::Firing), Some(SpanKind::Recovering))),
        "relapsed" => Some((Some(SpanKind::Recovering), Some(SpanKind::Firing))),
        "resolved" => Some((Some(SpanKind::Recovering), None)),
        _ => None,
    };
    let blind = |change: &Changed| match change.kind.as_str() {
        "blind" => Some((None, Some(SpanKind::Blind))),
        "seeing" => Some((Some(SpanKind::Blind), None)),
        _ => None,
    };
    let muted = |change: &Changed| match change.kind.as_str() {
        "muted" => Some((None, Some(SpanKind::Muted))),
        "unmuted" => Some((Some(SpanKind::Muted), None)),
        "resolved" => Some((None, None)),
        _ => None,
    };
    let present = match now.state {
        RuleState::Ok => None,
        RuleState::Pending => Some(SpanKind::Pending),
        RuleState::Firing => Some(SpanKind::Firing),
        RuleState::Recovering => Some(SpanKind::Recovering),
    };
    let mut spans = of_one(changes, state, (present, now.incident), from);
    spans.extend(of_one(changes, blind, (now.blind.then_some(SpanKind::Blind), now.incident), from));
    let is_muted = changes.iter().any(|change| change.kind == "muted" || change.kind == "unmuted");
    if is_muted || now.muted {
        spans.extend(of_one(changes, muted, (now.muted.then_some(SpanKind::Muted), now.incident), from));
    }
    spans.sort_by_key(|span| span.from);
    spans
}

type Kinds = (Option<SpanKind>, Option<SpanKind>);

/// Of one thing that a rule may be: what it was before and after each change.
fn of_one(
    changes: &[Changed],
    kinds: impl Fn(&Changed) -> Option<Kinds>,
    (now, incident): (Option<SpanKind>, Option<i64>),
    from: i64,
) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut open: Option<(i64, SpanKind, Option<i64>)> = None;
    let mut seen = false;
    for change in changes {
        let Some((before, after)) = kinds(change) else { continue };
        if !seen && open.is_none() {
            // It was so when the time began. A fire may come without a pending time before it.
            open = before.filter(|_| change.kind != "fired").map(|kind| (from, kind, change.incident));
        }
        seen = true;
        if let Some((since, kind, incident)) = open.take() {
            spans.push(Span {
                from: since,
                to: Some(change.at),
                kind,
                incident: incident.or(change.incident),
            });
        }
        open = after.map(|kind| (change.at, kind, change.incident));
    }
    if !seen {
        open = now.map(|kind| (from, kind, incident));
    }
    if let Some((since, kind, of)) = open {
        // A change that is not stored yet has ended it.
        if now == Some(kind) {
            spans.push(Span { from: since, to: None, kind, incident: of.or(incident) });
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(at: i64, kind: &str) -> Changed {
        Changed { rule: "A".into(), at, kind: kind.into(), incident: Some(7) }
    }

    fn check(changes: &[(i64, &str)], now: Now, expected: &[(i64, Option<i64>, SpanKind)]) {
        let changes: Vec<Changed> = changes.iter().map(|(at, kind)| changed(*at, kind)).collect();
        let found: Vec<_> =
            spans(&changes, now, 100).iter().map(|span| (span.from, span.to, span.kind)).collect();
        assert_eq!(found, expected, "{changes:?}");
    }

    #[test]
    fn a_rules_changes_become_the_spans_of_a_day() {
        let ok = Now::default();
        let firing = Now { state: RuleState::Firing, ..ok };
        check(&[], ok, &[]);
        check(&[], firing, &[(100, None, SpanKind::Firing)]);
        check(&[(200, "pending"), (300, "calm")], ok, &[(200, Some(300), SpanKind::Pending)]);
        check(
            &[(200, "pending"), (300, "fired")],
            firing,
            &[(200, Some(300), SpanKind::Pending), (300, None, SpanKind::Firing)],
        );
        // What was so when the day began, the first change says.
        check(&[(200, "calm")], ok, &[(100, Some(200), SpanKind::Pending)]);
        check(
            &[(200, "recovering"), (300, "resolved")],
            ok,
            &[(100, Some(200), SpanKind::Firing), (200, Some(300), SpanKind::Recovering)],
        );
    }

    #[test]
    fn blind_and_muted_times_lie_over_the_others() {
        let now = Now { state: RuleState::Firing, blind: true, ..Now::default() };
        check(
            &[(200, "fired"), (300, "blind")],
            now,
            &[(200, None, SpanKind::Firing), (300, None, SpanKind::Blind)],
        );
        check(
            &[(200, "fired"), (250, "muted"), (300, "unmuted")],
            Now { blind: false, ..now },
            &[(200, None, SpanKind::Firing), (250, Some(300), SpanKind::Muted)],
        );
    }
}
