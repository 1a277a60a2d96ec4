//! The state as a shape and a word, the same in rows, strip and timeline. The outline is the severity: square critical,
//! triangle warning, circle information or nothing. The filling is the state. Colour only agrees.

use leptos::prelude::*;
use streamgauge_core::{
    metric::notice::Severity,
    page::alerts::{Incident, IncidentState, NotUsed, RuleState, RuleView},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filling {
    /// Firing.
    Solid,
    /// Firing, and acknowledged.
    Ticked,
    /// Pending.
    Dashed,
    /// Recovering.
    Half,
    /// Blind, or not judged.
    Hollow,
}

/// The colour's class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Bad,
    Warn,
    Good,
    Mute,
}

impl Tone {
    pub fn class(self) -> &'static str {
        match self {
            Tone::Bad => "bad",
            Tone::Warn => "warn",
            Tone::Good => "good",
            Tone::Mute => "mute",
        }
    }

    pub fn of(severity: Severity) -> Tone {
        match severity {
            Severity::Critical => Tone::Bad,
            Severity::Warning => Tone::Warn,
            Severity::Info => Tone::Mute,
        }
    }
}

/// What a state looks like, and what it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub severity: Severity,
    pub filling: Filling,
    pub tone: Tone,
    pub word: &'static str,
    /// Said to those who do not see the shape.
    pub said: &'static str,
}

impl Look {
    /// A circle stands for "nothing": what is quiet has no severity.
    const QUIET: Look =
        Look { severity: Severity::Info, filling: Filling::Solid, tone: Tone::Good, word: "Quiet", said: "" };

    pub fn of_rule(rule: &RuleView) -> Look {
        match rule.not_used {
            Some(NotUsed::Disabled) => return Look { word: "Off", ..Look::NOT_JUDGED },
            Some(NotUsed::NoRedis) => return Look { word: "Not used", ..Look::NOT_JUDGED },
            None => {}
        }
        let look = Look::of_state(rule.state, rule.severity, rule.acknowledged_by.is_some());
        match (rule.blind, rule.state) {
            (None, _) => look,
            (Some(_), RuleState::Ok) => Look { word: "Blind", tone: Tone::Warn, ..Look::NOT_JUDGED },
            (Some(_), _) => Look { filling: Filling::Hollow, said: ", blind", ..look },
        }
    }

    const NOT_JUDGED: Look =
        Look { severity: Severity::Info, filling: Filling::Hollow, tone: Tone::Mute, word: "", said: "" };

    pub fn of_incident(incident: &Incident) -> Look {
        let acknowledged = incident.acknowledged_by.is_some();
        match incident.state {
            IncidentState::Resolved => Look { word: "Resolved", ..Look::QUIET },
            // A rule that is clear while its incident is open: it is resolved with the next evaluation.
            IncidentState::Open | IncidentState::Acknowledged if incident.rule_state == RuleState::Ok => {
                Look::of_state(RuleState::Firing, incident.severity, acknowledged)
            }
            IncidentState::Open | IncidentState::Acknowledged => {
                Look::of_state(incident.rule_state, incident.severity, acknowledged)
            }
        }
    }

    pub fn of_state(state: RuleState, severity: Severity, acknowledged: bool) -> Look {
        let look = Look { severity, ..Look::QUIET };
        match state {
            RuleState::Ok => Look::QUIET,
            RuleState::Pending => {
                Look { filling: Filling::Dashed, tone: Tone::Warn, word: "Pending", ..look }
            }
            RuleState::Firing => {
                let (filling, said) =
                    if acknowledged { (Filling::Ticked, ", acknowledged") } else { (Filling::Solid, "") };
                Look { filling, tone: Tone::of(severity), word: "Firing", said, ..look }
            }
            RuleState::Recovering => Look { filling: Filling::Half, word: "Recovering", ..look },
        }
    }

    /// Shape and word.
    pub fn view(self) -> AnyView {
        let said = (!self.said.is_empty()).then(|| view! { <span class="sr">{self.said}</span> });
        view! { <span class=format!("st {}", self.tone.class())>{self.mark()} <b>{self.word} {said}</b></span> }
            .into_any()
    }

    /// The shape alone: the word is beside it.
    pub fn mark(self) -> AnyView {
        let svg = drawing(self.severity, self.filling);
        view! { <svg class="mark" viewBox="0 0 14 14" aria-hidden="true" inner_html=svg></svg> }.into_any()
    }
}

fn drawing(severity: Severity, filling: Filling) -> String {
    let class = match filling {
        Filling::Solid | Filling::Ticked => "sh full",
        Filling::Dashed => "sh dash",
        Filling::Half | Filling::Hollow => "sh",
    };
    let outline = match severity {
        Severity::Critical => {
            format!("<rect class=\"{class}\" x=\"1.2\" y=\"1.2\" width=\"11.6\" height=\"11.6\" rx=\"1.6\"/>")
        }
        Severity::Warning => format!("<path class=\"{class}\" d=\"M7 1.4L13.2 12.6H.8z\"/>"),
        Severity::Info => format!("<circle class=\"{class}\" cx=\"7\" cy=\"7\" r=\"5.8\"/>"),
    };
    let inside = match (filling, severity) {
        // The triangle has its room further down.
        (Filling::Ticked, Severity::Warning) => "<path class=\"tick\" d=\"M4.8 9.3l1.6 1.6 2.8-3.3\"/>",
        (Filling::Ticked, _) => "<path class=\"tick\" d=\"M4.2 7.2l2 2 3.7-4.2\"/>",
        (Filling::Half, Severity::Critical) => {
            "<path class=\"half\" d=\"M1.2 7h11.6v4.4a1.4 1.4 0 0 1-1.4 1.4H2.6a1.4 1.4 0 0 1-1.4-1.4z\"/>"
        }
        (Filling::Half, Severity::Warning) => "<path class=\"half\" d=\"M3.6 7.6h6.8l2.8 5H.8z\"/>",
        (Filling::Half, Severity::Info) => "<path class=\"half\" d=\"M1.2 7a5.8 5.8 0 0 0 11.6 0z\"/>",
        _ => "",
    };
    outline + inside
}
