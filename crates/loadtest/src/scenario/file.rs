//! A scenario out of TOML. A bad value earns one sentence: the key, the value, what is allowed.

use super::{Life, Limit, Phase, Scenario, arriving, span};
use serde::Deserialize;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadScenario {
    #[error("{key} is {value:?} in {from}, but must be {allowed}.")]
    Value { key: String, value: String, from: String, allowed: &'static str },
    #[error("{from} is no scenario: {why}.")]
    Syntax { from: String, why: String },
}

/// As it is written. Unknown keys are refused: a misspelt one would silently test something else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    title: String,
    description: Option<String>,
    sessions: toml::Value,
    streams: Option<i64>,
    arrivals_per_second: Option<f64>,
    #[serde(default)]
    phases: Vec<RawPhase>,
    stay: Option<String>,
    duration: Option<String>,
    message_every: Option<String>,
    messages_per_second: Option<f64>,
    limit: Option<RawLimit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPhase {
    label: String,
    duration: String,
    arrivals_per_second: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimit {
    step: String,
    factor: f64,
}

pub const COUNT: &str = "a whole number from 1 to 1000000";
pub const ARRIVALS: &str = "a number above 0, up to 100000";
pub const RATE: &str = "a number above 0, up to 10000";
pub const FACTOR: &str = "a number above 1, up to 10";
const SESSIONS: &str = "a whole number from 1 to 1000000, or \"one a stream\"";

/// `from`: the file's name, for the sentence; `name`: the scenario's.
pub fn read(name: &str, text: &str, from: &str) -> Result<Scenario, BadScenario> {
    let syntax = |why: String| BadScenario::Syntax { from: from.to_owned(), why };
    let raw: Raw = toml::from_str(text).map_err(|error| syntax(error.message().to_owned()))?;
    let at = From(from);
    let message_every = match (&raw.message_every, raw.messages_per_second) {
        (Some(every), None) => at.span("message_every", every)?,
        (None, Some(rate)) => {
            Duration::from_secs_f64(1.0 / at.within("messages_per_second", rate, 10_000.0, RATE)?)
        }
        _ => return Err(syntax("it needs either message_every or messages_per_second".into())),
    };
    let (life, phases, sessions, streams) = match (&raw.stay, &raw.duration) {
        (Some(stay), None) => {
            if raw.sessions.as_str() != Some("one a stream") {
                return Err(at.bad(
                    "sessions",
                    &raw.sessions,
                    "\"one a stream\" where followers stay each for a while",
                ));
            }
            let phases = raw.phases.iter().map(|phase| at.phase(phase)).collect::<Result<Vec<_>, _>>()?;
            if phases.is_empty() || raw.streams.is_some() || raw.arrivals_per_second.is_some() {
                return Err(syntax(
                    "with stay it needs phases, and neither streams nor arrivals_per_second".into(),
                ));
            }
            let streams = arriving(&phases);
            (Life::Each(at.span("stay", stay)?), phases, streams, streams)
        }
        (None, Some(duration)) => {
            let streams = at.count("streams", raw.streams.unwrap_or(0))?;
            let sessions = match (raw.sessions.as_integer(), raw.sessions.as_str()) {
                (Some(number), _) => at.count("sessions", number)?,
                (None, Some("one a stream")) => streams,
                _ => return Err(at.bad("sessions", &raw.sessions, SESSIONS)),
            };
            let rate =
                at.within("arrivals_per_second", raw.arrivals_per_second.unwrap_or(0.0), 1e5, ARRIVALS)?;
            if !raw.phases.is_empty() {
                return Err(syntax("with duration it needs arrivals_per_second, and no phases".into()));
            }
            (Life::Together(at.span("duration", duration)?), vec![opening(streams, rate)], sessions, streams)
        }
        _ => return Err(syntax("it needs either stay or duration".into())),
    };
    if sessions > streams {
        return Err(at.bad(
            "sessions",
            &sessions,
            "at most as many as streams: a session without a follower shows nothing",
        ));
    }
    let limit = match &raw.limit {
        Some(limit) if limit.factor > 1.0 && limit.factor <= 10.0 => {
            let step = at.span("limit.step", &limit.step)?;
            if step < super::LEAST_STEP {
                return Err(at.bad("limit.step", &limit.step, "at least 4s"));
            }
            Some(Limit { step, factor: limit.factor })
        }
        Some(limit) => return Err(at.bad("limit.factor", &limit.factor, FACTOR)),
        None => None,
    };
    Ok(Scenario {
        name: name.to_owned(),
        title: raw.title,
        description: raw.description.unwrap_or_default(),
        streams,
        sessions,
        phases,
        life,
        message_every,
        limit,
    })
}

/// The one phase in which so many streams arrive at this rate.
pub fn opening(streams: u32, rate: f64) -> Phase {
    Phase { label: "Opening".into(), duration: Duration::from_secs_f64(f64::from(streams) / rate), rate }
}

/// Where a value stood.
struct From<'a>(&'a str);

impl From<'_> {
    fn bad(&self, key: &str, value: &impl ToString, allowed: &'static str) -> BadScenario {
        let value = value.to_string().trim_matches('"').to_owned();
        BadScenario::Value { key: key.to_owned(), value, from: self.0.to_owned(), allowed }
    }

    fn span(&self, key: &str, text: &str) -> Result<Duration, BadScenario> {
        span::parse(text).ok_or_else(|| self.bad(key, &text, span::ALLOWED))
    }

    fn count(&self, key: &str, number: i64) -> Result<u32, BadScenario> {
        u32::try_from(number)
            .ok()
            .filter(|number| (1..=1_000_000).contains(number))
            .ok_or_else(|| self.bad(key, &number, COUNT))
    }

    fn within(&self, key: &str, number: f64, most: f64, allowed: &'static str) -> Result<f64, BadScenario> {
        (number > 0.0 && number <= most).then_some(number).ok_or_else(|| self.bad(key, &number, allowed))
    }

    fn phase(&self, raw: &RawPhase) -> Result<Phase, BadScenario> {
        Ok(Phase {
            label: raw.label.clone(),
            duration: self.span("phases.duration", &raw.duration)?,
            rate: self.within("phases.arrivals_per_second", raw.arrivals_per_second, 1e5, ARRIVALS)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::EMBEDDED, *};

    fn embedded(name: &str) -> Scenario {
        let text = EMBEDDED.iter().find(|(known, _)| *known == name).expect("embedded").1;
        read(name, text, name).expect("a good scenario")
    }

    #[test]
    fn the_epics_numbers_are_verbatim() {
        let ramp = embedded("ramp");
        let phases: Vec<_> = ramp.phases.iter().map(|p| (p.duration.as_secs(), p.rate)).collect();
        assert_eq!(phases, [(30, 5.0), (60, 20.0), (60, 50.0), (60, 100.0), (30, 5.0)]);
        assert_eq!((ramp.streams, ramp.sessions), (10_500, 10_500));
        let burst = embedded("burst");
        assert_eq!((burst.sessions, burst.message_rate()), (50, 5_000.0));
        assert_eq!(burst.life, Life::Together(Duration::from_secs(300)));
        let extended = embedded("extended");
        assert_eq!((extended.sessions, extended.message_every), (200, Duration::from_secs(30)));
        assert_eq!(extended.life, Life::Together(Duration::from_secs(7_200)));
        assert_eq!(embedded("idle").streams, 10_000);
        assert!(embedded("limit").limit.is_some());
    }

    #[test]
    fn a_bad_value_earns_one_sentence() {
        const GOOD: &str = "title = \"t\"\nsessions = 2\nstreams = 4\narrivals_per_second = 10\nduration = \"5s\"\nmessage_every = \"1s\"\n";
        let check = |from: &str, to: &str, expected: &str| {
            let error = read("x", &GOOD.replace(from, to), "x.toml").expect_err(expected).to_string();
            assert!(error.contains(expected) && error.contains("x.toml") && error.ends_with('.'), "{error}");
        };
        assert!(read("x", GOOD, "x.toml").is_ok());
        check("\"5s\"", "\"5\"", "duration is \"5\" in x.toml, but must be a time");
        check("streams = 4", "streams = 0", "streams is \"0\"");
        check("streams = 4", "streams = 1", "at most as many as streams");
        check("sessions = 2", "sessions = \"two\"", "or \"one a stream\"");
        check("arrivals_per_second = 10", "arrivals_per_second = -1", "a number above 0");
        check("message_every", "mesage_every", "unknown field `mesage_every`");
        check("message_every = \"1s\"", "", "either message_every or messages_per_second");
        check("duration = \"5s\"", "stay = \"5s\"", "one a stream");
        check("title", "[", "x.toml is no scenario");
    }

    #[test]
    fn shorter_keeps_the_rates() {
        let ramp = embedded("ramp").scaled(0.1);
        assert_eq!((ramp.streams, ramp.phases[3].rate), (1_050, 100.0));
        let burst = embedded("burst").scaled(0.1);
        assert_eq!((burst.streams, burst.message_rate()), (50, 5_000.0));
        assert_eq!(burst.life, Life::Together(Duration::from_secs(30)));
    }
}
