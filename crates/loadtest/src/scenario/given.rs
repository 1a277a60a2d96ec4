//! What the command line changes in a scenario, for tests of one's own.

use super::{Life, Scenario, file};
use std::time::Duration;
use streamgauge_core::load_test::Changes;

/// `None`: as the scenario says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    pub streams: Option<u32>,
    pub sessions: Option<u32>,
    /// Messages a second for each session.
    pub rate: Option<f64>,
    /// Streams a second while they open.
    pub arrivals: Option<f64>,
    pub duration: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOverride {
    #[error("--{0} cannot be given for a scenario whose followers arrive by phases; write a scenario file.")]
    Phases(&'static str),
    #[error("--sessions is {sessions}, but must be at most the number of streams, {streams}.")]
    Sessions { sessions: u32, streams: u32 },
}

impl Given {
    /// As the outcome's document says it.
    pub fn changes(&self) -> Changes {
        Changes {
            streams: self.streams,
            sessions: self.sessions,
            rate: self.rate,
            arrivals: self.arrivals,
            duration_s: self.duration.map(|duration| duration.as_secs_f64()),
            ..Changes::default()
        }
    }

    pub fn apply(&self, mut scenario: Scenario) -> Result<Scenario, BadOverride> {
        if matches!(scenario.life, Life::Each(_)) {
            let refused = [
                ("streams", self.streams.is_some()),
                ("sessions", self.sessions.is_some()),
                ("arrivals", self.arrivals.is_some()),
                ("duration", self.duration.is_some()),
            ];
            if let Some((name, _)) = refused.into_iter().find(|(_, given)| *given) {
                return Err(BadOverride::Phases(name));
            }
        } else {
            let arrivals = self.arrivals.unwrap_or_else(|| scenario.phases.first().map_or(100.0, |p| p.rate));
            scenario.streams = self.streams.unwrap_or(scenario.streams);
            // Fewer streams than the scenario has sessions: then each has a session of its own.
            scenario.sessions = self.sessions.unwrap_or(scenario.sessions.min(scenario.streams));
            scenario.phases = vec![file::opening(scenario.streams, arrivals)];
            scenario.life = self.duration.map_or(scenario.life, Life::Together);
        }
        if let Some(rate) = self.rate {
            scenario.message_every = Duration::from_secs_f64(1.0 / rate);
        }
        let (sessions, streams) = (scenario.sessions, scenario.streams);
        if sessions > streams { Err(BadOverride::Sessions { sessions, streams }) } else { Ok(scenario) }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{EMBEDDED, read},
        *,
    };

    #[test]
    fn overrides_are_applied_or_refused() {
        let scenario = |index: usize| read("x", EMBEDDED[index].1, "x").expect("good");
        let given = Given { streams: Some(500), rate: Some(10.0), ..Given::default() };
        let burst = given.apply(scenario(1)).expect("good");
        assert_eq!((burst.streams, burst.sessions, burst.message_rate()), (500, 50, 500.0));
        let few = Given { streams: Some(10), ..Given::default() }.apply(scenario(1)).expect("good");
        assert_eq!(few.sessions, 10);
        assert_eq!(given.apply(scenario(0)), Err(BadOverride::Phases("streams")));
        let bad = Given { sessions: Some(51), ..Given::default() };
        assert_eq!(bad.apply(scenario(1)), Err(BadOverride::Sessions { sessions: 51, streams: 50 }));
    }
}
