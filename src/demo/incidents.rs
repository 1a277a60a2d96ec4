//! The demo's incidents: what the shipped rules make of the bad spells of the made-up past, and what people would have done
//! about them.
//!
//! The evaluator's own code judges the made-up minutes, so incidents and charts agree. People, their notes and what they
//! judged are made up too.

use super::past::SEEDED;
use crate::{
    alerting::{Book, Watched},
    store::alerts::{Effect, MadeUpIncident, Said, Step},
};
use streamgauge_core::{
    metric::measure::past::{Packer, Past, Spell, Trouble},
    page::alerts::Outcome,
};

const MINUTE: i64 = 60;
/// Seconds that are judged before a spell, so that windows are full, and after it, until the incident is resolved.
const BEFORE: i64 = 3 * 3_600;
const AFTER: i64 = 2 * 3_600;
/// The rest of the epic's rules find nothing in the past.
const RULES: [&str; 3] = ["SSE_High_Error_Rate", "SSE_High_Latency", "SSE_Connection_Failure"];

/// Oldest first.
pub fn of(past: &Past) -> Vec<MadeUpIncident> {
    let book = Book::shipped();
    let mut packer = Packer::default();
    let mut spells = past.spells();
    spells.sort_unstable_by_key(|spell| spell.from);
    let mut incidents = Vec::new();
    for spell in spells {
        let first = (spell.from - BEFORE).div_euclid(MINUTE);
        let minutes: Vec<_> = (first..(spell.to + AFTER).div_euclid(MINUTE))
            .map(|minute| {
                let moments = past.moments(minute * MINUTE, MINUTE);
                let all = moments.first();
                (minute, all.map(|moment| packer.pack(moment, SEEDED, "")).into_iter().collect::<Vec<_>>())
            })
            .collect();
        for entry in RULES.iter().filter_map(|name| book.find(name)) {
            let Ok(mut watched) = Watched::over_minutes(entry) else { continue };
            let (mut steps, mut peak) = (Vec::new(), None);
            for (minute, rows) in &minutes {
                steps.extend(watched.judge(*minute, rows));
                peak = watched.peak().map(|(_, peak)| peak).or(peak);
            }
            incidents.extend(incident(spell, steps, peak));
        }
    }
    incidents
}

/// The first one that a rule opened, if it was resolved.
fn incident(spell: Spell, steps: Vec<Step>, peak: Option<f64>) -> Option<MadeUpIncident> {
    let fired = steps.iter().position(|step| matches!(step.effect, Effect::Open(_)))?;
    let mut steps: Vec<Step> = steps.into_iter().skip(fired).collect();
    let resolved = steps.iter().position(|step| matches!(step.effect, Effect::Resolve(_)))?;
    steps.truncate(resolved + 1);
    let (opened_at, resolved_at) = (steps.first()?.at, steps.last()?.at);
    let story = Story::of(spell.kind);
    let said =
        |after: i64, kind, text: &str| Said { at: opened_at + after * 1_000, kind, text: text.to_owned() };
    let mut people = vec![said(story.seconds, "acknowledged", "")];
    people.extend(story.notes.iter().map(|(after, note)| said(*after, "note", note)));
    let judged = Said { at: resolved_at + 3_600_000, kind: "outcome", text: story.judged.to_owned() };
    people.push(judged);
    Some(MadeUpIncident { steps, peak, person: story.person, said: people, outcome: story.outcome })
}

struct Story {
    person: &'static str,
    /// From the fire to the acknowledgement.
    seconds: i64,
    /// Seconds from the fire, and what they wrote.
    notes: &'static [(i64, &'static str)],
    outcome: Outcome,
    judged: &'static str,
}

impl Story {
    fn of(trouble: Trouble) -> Story {
        match trouble {
            Trouble::Errors => Story {
                person: "Mara Lindqvist",
                seconds: 136,
                notes: &[
                    (
                        273,
                        "It began with the deploy. The new version holds updates back until browsers are too slow.",
                    ),
                    (660, "Rolled back to the version before."),
                ],
                outcome: Outcome::Real,
                judged: "Judged real.",
            },
            Trouble::Slow => Story {
                person: "Jonas Weber",
                seconds: 420,
                notes: &[(
                    540,
                    "The archive import runs each quarter at this hour. Nobody waits for these sessions.",
                )],
                outcome: Outcome::False,
                judged: "Judged a false alarm.",
            },
            Trouble::Connects => Story {
                person: "Mara Lindqvist",
                seconds: 95,
                notes: &[
                    (310, "Only ap-south. Its provider reports a broken line."),
                    (2_100, "The line is back. Browsers connect again."),
                ],
                outcome: Outcome::Real,
                judged: "Judged real.",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_bad_spell_opens_an_incident_and_a_false_alarm_is_among_them() {
        // Sunday, 29 November 2026, 11:00 UTC, and other times of day.
        for until in [1_795_950_000, 1_795_914_000, 1_795_993_140] {
            let past = Past::new(20_261_129, until);
            let incidents = of(&past);
            let rules: BTreeSet<&str> = incidents.iter().filter_map(MadeUpIncident::rule).collect();
            assert_eq!(rules, RULES.into_iter().collect(), "{until}");
            let outcomes: Vec<Outcome> = incidents.iter().map(|incident| incident.outcome).collect();
            assert!(outcomes.contains(&Outcome::False) && outcomes.contains(&Outcome::Real));
            let opened: Vec<i64> = incidents.iter().filter_map(MadeUpIncident::opened_at).collect();
            assert!(opened.is_sorted(), "oldest first, as numbers grow");
            for (incident, at) in incidents.iter().zip(opened) {
                let at = at / 1_000;
                assert!(past.spells().iter().any(|spell| (spell.from..spell.to + 600).contains(&at)));
                assert!(incident.said.is_sorted_by_key(|said| said.at), "in the order of time");
            }
        }
    }
}
