//! What happens to the server and by people while series run: `at: 3m, do: down 10m`.

use crate::{
    alert::{
        file::{fault::unknown, number::Seconds, rule::Rule},
        mute::ALL,
    },
    text::said::plainly,
};

#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Seconds from the start. It happens before the evaluation of that time.
    pub at: i64,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Stopped and started between two evaluations.
    Restart,
    /// The next evaluation is judged, killed before it is committed, and judged again after the restart.
    KillBeforeCommit,
    /// Nothing is evaluated or recorded for so many seconds.
    Down(i64),
    /// The clock is set forward or back by so many seconds.
    Clock(i64),
    /// So many seconds; `None`: until it is resolved.
    Silence {
        rule: String,
        seconds: Option<i64>,
    },
    Maintenance {
        rule: String,
        seconds: i64,
    },
    Acknowledge(String),
    /// The rule of the same name is replaced.
    Edit(Box<Rule>),
}

pub const ALLOWED: &str = "restart, kill_before_commit, down 10m, clock -1h, silence RULE 1h, silence RULE until_resolved, maintenance RULE 1h, ack RULE, edit (with `rule:`); `*` stands for every rule";
/// Seconds. Each evaluation of a longer gap would have to be gone through.
const LONGEST: i64 = 7 * 86_400;

/// All but `edit`, whose rule is a field of its own. `rules`: the names of all.
pub fn what(text: &str, rules: &[&str]) -> Result<What, String> {
    let wrong = || format!("`{}` is not allowed; allowed: {ALLOWED}", plainly(text));
    let seconds = |text: &str| {
        let found = Seconds::parse(text).map(|seconds| i64::from(seconds.0));
        found.filter(|seconds| (1..=LONGEST).contains(seconds)).ok_or_else(wrong)
    };
    let named = |rule: &str| match rule {
        ALL => Ok(ALL.to_owned()),
        rule if rules.contains(&rule) => Ok(rule.to_owned()),
        rule => Err(unknown("rule", rule, rules)),
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    Ok(match words.as_slice() {
        ["restart"] => What::Restart,
        ["kill_before_commit"] => What::KillBeforeCommit,
        ["down", length] => What::Down(seconds(length)?),
        ["clock", jump] => match jump.strip_prefix('-') {
            Some(back) => What::Clock(-seconds(back)?),
            None => What::Clock(seconds(jump.strip_prefix('+').unwrap_or(jump))?),
        },
        ["silence", rule, "until_resolved"] if *rule != ALL => {
            What::Silence { rule: named(rule)?, seconds: None }
        }
        ["silence", rule, length] => What::Silence { rule: named(rule)?, seconds: Some(seconds(length)?) },
        ["maintenance", rule, length] => What::Maintenance { rule: named(rule)?, seconds: seconds(length)? },
        ["ack", rule] => What::Acknowledge(named(rule)?),
        _ => return Err(wrong()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_few_words() {
        let check = |text: &str, expected| assert_eq!(what(text, &["A"]), Ok(expected), "{text}");
        check("restart", What::Restart);
        check("kill_before_commit", What::KillBeforeCommit);
        check("down 10m", What::Down(600));
        check("clock -1h", What::Clock(-3_600));
        check("clock +1h", What::Clock(3_600));
        check("silence A 1h", What::Silence { rule: "A".into(), seconds: Some(3_600) });
        check("silence A until_resolved", What::Silence { rule: "A".into(), seconds: None });
        check("maintenance * 30m", What::Maintenance { rule: "*".into(), seconds: 1_800 });
        check("ack A", What::Acknowledge("A".into()));
        for wrong in
            ["", "reboot", "down", "down 0s", "down 8d", "silence * until_resolved", "clock", "silence B 1h"]
        {
            assert!(what(wrong, &["A"]).is_err(), "{wrong}");
        }
        assert_eq!(what("ack B", &["A"]), Err("unknown rule `B`; did you mean `A`?".into()));
    }
}
