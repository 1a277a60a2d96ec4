//! What an edit changed, in words.

use super::rule::{Mode, Rule, Watch};
use std::fmt::Display;

impl Rule {
    /// "threshold 1% to 1.5%", one a field; nothing if both say the same.
    pub fn changes_to(&self, new: &Rule) -> Vec<String> {
        let mut out = Changes::default();
        out.field("name", &self.name, &new.name);
        match (self.watch, new.watch) {
            (
                Watch::Condition {
                    condition: old,
                    duration: old_duration,
                    recover: old_recover,
                    eager: old_eager,
                },
                Watch::Condition { condition, duration, recover, eager },
            ) => {
                if (old.subject, old.comparison) == (condition.subject, condition.comparison) {
                    out.field("threshold", old.threshold, condition.threshold);
                } else {
                    out.field("condition", old, condition);
                }
                out.field("duration", old_duration, duration);
                out.optional("recover", old_recover, recover);
                out.field("eager", old_eager, eager);
            }
            (Watch::Burn(old), Watch::Burn(new)) => {
                out.field("objective", old.objective_name(), new.objective_name());
                out.field("factor", old.factor, new.factor);
                out.field("long", old.long, new.long);
                out.field("short", old.short, new.short);
            }
            (Watch::Condition { condition, .. }, Watch::Burn(burn)) => {
                out.0.push(format!("condition {condition} to a burn of {}", burn.objective_name()));
            }
            (Watch::Burn(burn), Watch::Condition { condition, .. }) => {
                out.0.push(format!("a burn of {} to condition {condition}", burn.objective_name()));
            }
        }
        out.field("severity", super::export::severity(self.severity), super::export::severity(new.severity));
        let names = |rule: &Rule| match rule.notification.as_slice() {
            [] => "nobody".to_owned(),
            names => names.join(", "),
        };
        out.field("notification", names(self), names(new));
        out.optional("keep_firing_for", self.keep_firing_for, new.keep_firing_for);
        let mode = |rule: &Rule| if rule.mode == Mode::Literal { "literal" } else { "robust" };
        out.field("mode", mode(self), mode(new));
        out.field("confidence", format!("{}%", self.confidence), format!("{}%", new.confidence));
        out.optional("depends_on", self.depends_on.as_ref(), new.depends_on.as_ref());
        out.optional("runbook", self.runbook.as_ref(), new.runbook.as_ref());
        if self.description != new.description {
            out.0.push("description".to_owned());
        }
        out.optional("node", self.node.as_ref(), new.node.as_ref());
        out.optional("region", self.region.as_ref(), new.region.as_ref());
        if self.enabled != new.enabled {
            out.0.push(if new.enabled { "switched on" } else { "switched off" }.to_owned());
        }
        out.0
    }
}

#[derive(Default)]
struct Changes(Vec<String>);

impl Changes {
    fn field(&mut self, name: &str, old: impl Display, new: impl Display) {
        let (old, new) = (old.to_string(), new.to_string());
        if old != new {
            self.0.push(format!("{name} {old} to {new}"));
        }
    }

    fn optional(&mut self, name: &str, old: Option<impl Display>, new: Option<impl Display>) {
        let text = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
        self.field(name, text(old.map(|old| old.to_string())), text(new.map(|new| new.to_string())));
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse_rule;

    #[test]
    fn an_edit_is_told_field_by_field() {
        let rule = |fields: &str| {
            let fields = fields.to_owned();
            let rest = ["severity: critical", "notification: email"];
            let missing = rest.into_iter().filter(|rest| !fields.contains(&rest[..6]));
            let all: Vec<&str> = ["name: A", &fields].into_iter().chain(missing).collect();
            parse_rule(&format!("{{ {} }}", all.join(", "))).expect("a rule")
        };
        let check = |old: &str, new: &str, expected: &[&str]| {
            assert_eq!(rule(old).changes_to(&rule(new)), expected, "{old} -> {new}");
        };
        let errors = "condition: error_rate > 1%, duration: 5m";
        let burn = "budget_burn: { objective: errors, factor: 14.4, long: 1h, short: 5m }";
        check(errors, errors, &[]);
        check(errors, "condition: error_rate > 1.5%, duration: 5m", &["threshold 1% to 1.5%"]);
        check(
            errors,
            "condition: error_rate > 1%, duration: 10m, recover: 0.8%, enabled: false",
            &["duration 5m to 10m", "recover none to 0.8%", "switched off"],
        );
        check(
            errors,
            "condition: uptime < 99%, duration: 5m, severity: info, notification: []",
            &[
                "condition error_rate > 1% to uptime < 99%",
                "severity critical to info",
                "notification email to nobody",
            ],
        );
        check(errors, burn, &["condition error_rate > 1% to a burn of errors"]);
        check(burn, errors, &["a burn of errors to condition error_rate > 1%"]);
        check(
            burn,
            "budget_burn: { objective: uptime, factor: 6, long: 6h, short: 30m }",
            &["objective errors to uptime", "factor 14.4 to 6", "long 1h to 6h", "short 5m to 30m"],
        );
        check(
            errors,
            "condition: error_rate > 1%, duration: 5m, mode: literal, keep_firing_for: 1m, description: new, region: eu",
            &["keep_firing_for none to 1m", "mode robust to literal", "description", "region none to eu"],
        );
    }
}
