//! What the command line changed in a load, and the command that repeats a run.

use super::Outcome;
use serde::{Deserialize, Serialize};

/// `None`: as the scenario says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Changes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub streams: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u32>,
    /// Messages a second for each session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Streams a second while they open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<f64>,
    /// Seconds for which messages are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<f64>,
    /// The node that followers were sent to, where it was another than the publishers'.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow_url: Option<String>,
    /// Milliseconds for which messages were collected before they were published in one request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_ms: Option<f64>,
}

impl Outcome {
    /// The options that made the load what it was: `--streams 500 --time-scale 0.1`; empty for a scenario as it stands.
    /// Runs of one scenario with the same options did the same, and only those are compared.
    pub fn options(&self) -> String {
        let Changes { streams, sessions, rate, arrivals, duration_s, follow_url, batch_ms } = &self.changes;
        let scale = (self.time_scale != 1.0).then_some(self.time_scale);
        let given = [
            ("streams", streams.map(|n| n.to_string())),
            ("sessions", sessions.map(|n| n.to_string())),
            ("rate", rate.map(|n| n.to_string())),
            ("arrivals", arrivals.map(|n| n.to_string())),
            ("duration", duration_s.map(|n| format!("{n}s"))),
            ("time-scale", scale.map(|n| n.to_string())),
            ("follow-url", follow_url.as_deref().map(shell_word)),
            ("batch", batch_ms.map(|n| format!("{n}ms"))),
        ];
        let words = given.into_iter().filter_map(|(name, value)| Some(format!("--{name} {}", value?)));
        words.collect::<Vec<_>>().join(" ")
    }

    /// The server, or both nodes, in words.
    pub fn against(&self) -> String {
        let followed = self.changes.follow_url.as_ref().map(|url| format!(", followed at {url}"));
        self.url.clone() + &followed.unwrap_or_default()
    }

    /// What to type to run it again.
    pub fn command(&self) -> String {
        let words = ["streamgauge loadtest".into(), shell_word(&self.scenario), self.options()];
        let words = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        format!("{words} --url {}", shell_word(&self.url))
    }
}

/// Quoted where a shell would read more into it: names and addresses come from outside, and commands are copied.
fn shell_word(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte);
    if word.bytes().all(plain) && !word.starts_with('-') {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::check::tests::whole, *};

    fn check(change: impl Fn(&mut Outcome), expected: &str) {
        let mut outcome = whole();
        change(&mut outcome);
        assert_eq!(outcome.command(), expected);
    }

    #[test]
    fn a_run_can_be_repeated() {
        let url = "--url http://127.0.0.1:3000";
        check(|_| (), &format!("streamgauge loadtest burst {url}"));
        check(
            |o| {
                o.changes = Changes {
                    streams: Some(500),
                    rate: Some(0.5),
                    duration_s: Some(30.0),
                    ..Changes::default()
                };
                o.time_scale = 0.1;
            },
            &format!(
                "streamgauge loadtest burst --streams 500 --rate 0.5 --duration 30s --time-scale 0.1 {url}"
            ),
        );
        check(
            |o| o.changes.follow_url = Some("http://[::1]:3001".into()),
            &format!("streamgauge loadtest burst --follow-url 'http://[::1]:3001' {url}"),
        );
        check(|o| o.changes.batch_ms = Some(10.0), &format!("streamgauge loadtest burst --batch 10ms {url}"));
        check(
            |o| o.scenario = "it's; rm -rf ~".into(),
            &format!(r"streamgauge loadtest 'it'\''s; rm -rf ~' {url}"),
        );
    }

    #[test]
    fn two_nodes_are_both_named() {
        let mut outcome = whole();
        assert_eq!(outcome.against(), "http://127.0.0.1:3000");
        outcome.changes.follow_url = Some("http://b:1".into());
        assert_eq!(outcome.against(), "http://127.0.0.1:3000, followed at http://b:1");
    }
}
