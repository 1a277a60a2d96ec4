//! What a load test does: who arrives when, what is said to whom, for how long.

mod file; // a scenario out of TOML, with the sentence that a bad value earns
mod given; // what the command line changes in it
pub mod span; // 30s, 5m, 2h

pub use file::{BadScenario, read};
pub use given::{BadOverride, Given};

use std::time::Duration;

/// The scenarios that come with the program, by name.
pub const EMBEDDED: &[(&str, &str)] = &[
    ("ramp", include_str!("../../scenarios/ramp.toml")),
    ("burst", include_str!("../../scenarios/burst.toml")),
    ("extended", include_str!("../../scenarios/extended.toml")),
    ("idle", include_str!("../../scenarios/idle.toml")),
    ("limit", include_str!("../../scenarios/limit.toml")),
];

#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    pub name: String,
    pub title: String,
    pub description: String,
    pub streams: u32,
    /// Streams are dealt to sessions in turn, so that each has as many as any other, give or take one.
    pub sessions: u32,
    /// How fast streams arrive; together they bring exactly `streams`.
    pub phases: Vec<Phase>,
    pub life: Life,
    /// Between two messages of one session.
    pub message_every: Duration,
    pub limit: Option<Limit>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    pub label: String,
    pub duration: Duration,
    /// Streams a second.
    pub rate: f64,
}

/// How long a session lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// From its own follower's arrival.
    Each(Duration),
    /// All of them speak from the moment that all have arrived, for as long as this.
    Together(Duration),
}

/// Raising the rate step by step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    pub step: Duration,
    /// A step's rate over that of the one before.
    pub factor: f64,
}

/// A shorter step would have too few whole seconds of its own.
const LEAST_STEP: Duration = Duration::from_secs(4);

impl Scenario {
    /// Shorter or longer, with the same counts of sessions and the same rates. A ramp brings fewer streams then.
    pub fn scaled(mut self, scale: f64) -> Scenario {
        let scaled = |span: Duration| span.mul_f64(scale);
        match self.life {
            Life::Each(stay) => {
                for phase in &mut self.phases {
                    phase.duration = scaled(phase.duration);
                }
                self.life = Life::Each(scaled(stay));
                self.streams = arriving(&self.phases);
                self.sessions = self.streams;
            }
            // Opening the streams is no part of what is shortened: it would only be faster.
            Life::Together(span) => self.life = Life::Together(scaled(span)),
        }
        if let Some(limit) = &mut self.limit {
            limit.step = scaled(limit.step).max(LEAST_STEP);
        }
        self
    }

    /// Messages a second, all sessions together, at the start of a step-wise test.
    pub fn message_rate(&self) -> f64 {
        f64::from(self.sessions) / self.message_every.as_secs_f64()
    }
}

/// How many streams the phases bring.
pub fn arriving(phases: &[Phase]) -> u32 {
    phases.iter().map(|phase| phase.rate * phase.duration.as_secs_f64()).sum::<f64>().round().max(1.0) as u32
}
