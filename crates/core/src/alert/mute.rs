//! Why a rule that fires sends nothing: a silence, maintenance, or the rule that it depends on. The rule is judged all the
//! while, and its incident is on the page.

mod schedule; // windows that recur

pub use schedule::Schedule;

use crate::{
    page::alerts::{Maintenance, MutedBy, Silence},
    text::is_prose,
};

/// Milliseconds. A longer silence is a rule that nobody wants.
const LONGEST_SILENCE: i64 = 7 * 86_400_000;
/// Milliseconds: of one maintenance.
const LONGEST_MAINTENANCE: i64 = 30 * 86_400_000;
/// Stands for every rule.
pub const ALL: &str = "*";

/// A field, and what is allowed there.
pub type Refused = (&'static str, String);

/// Maintenance, ready to be asked often.
#[derive(Clone, Debug)]
pub struct Upkeep {
    pub id: i64,
    /// A rule's name, or [`ALL`].
    pub rule: String,
    pub reason: String,
    when: When,
}

#[derive(Clone, Debug)]
enum When {
    Once { from: i64, to: i64 },
    Recurring(Box<Schedule>),
}

impl Upkeep {
    /// Says what is wrong with each field of a form or a request. `rules`: the names of all.
    pub fn new(of: &Maintenance, rules: &[&str]) -> Result<Upkeep, Vec<Refused>> {
        let mut faults = said_of(&of.rule, &of.reason, rules);
        let when = when(of).map_err(|fault| faults.push(fault));
        match when {
            Ok(when) if faults.is_empty() => {
                Ok(Upkeep { id: of.id, rule: of.rule.clone(), reason: of.reason.clone(), when })
            }
            _ => Err(faults),
        }
    }

    /// A stored one. `None`: it was written by another version and cannot be read.
    pub fn stored(of: &Maintenance) -> Option<Upkeep> {
        let when = when(of).ok()?;
        Some(Upkeep { id: of.id, rule: of.rule.clone(), reason: of.reason.clone(), when })
    }

    /// The window that holds `now`, or else the next one, in Unix milliseconds.
    pub fn next(&self, now: i64) -> Option<(i64, i64)> {
        match &self.when {
            When::Once { from, to } => (now < *to).then_some((*from, *to)),
            When::Recurring(schedule) => schedule.next(now),
        }
    }

    /// The window that holds `now`.
    pub fn present(&self, now: i64) -> Option<(i64, i64)> {
        self.next(now).filter(|(from, _)| *from <= now)
    }

    fn covers(&self, rule: &str) -> bool {
        self.rule == ALL || self.rule == rule
    }
}

fn when(of: &Maintenance) -> Result<When, Refused> {
    match (of.starts_at, of.ends_at, &of.cron) {
        (Some(from), Some(to), None) if from < to && to - from <= LONGEST_MAINTENANCE => {
            Ok(When::Once { from, to })
        }
        (Some(from), Some(to), None) if from < to => Err(("ends_at", "allowed: at most 30 days".into())),
        (Some(_), Some(_), None) => Err(("ends_at", "allowed: a time after the start".into())),
        (None, None, Some(cron)) => {
            let zone = of.zone.as_deref().unwrap_or("UTC");
            Ok(When::Recurring(Box::new(Schedule::new(cron, of.duration.unwrap_or_default(), zone)?)))
        }
        _ => Err(("starts_at", "allowed: a start and an end, or else `cron`, `duration` and `zone`".into())),
    }
}

/// What a new silence may be. `now` in Unix milliseconds.
pub fn check_silence(silence: &Silence, rules: &[&str], now: i64) -> Result<(), Vec<Refused>> {
    let mut faults = said_of(&silence.rule, &silence.reason, rules);
    match (silence.ends_at, silence.until_resolved) {
        (Some(end), false) if end <= now.max(silence.starts_at) => {
            faults.push(("ends_at", "allowed: a time after the start and in the future".into()));
        }
        (Some(end), false) if end - silence.starts_at > LONGEST_SILENCE => {
            faults.push(("ends_at", "allowed: at most 7 days after the start".into()));
        }
        (Some(_), false) => {}
        (None, true) if silence.rule == ALL => {
            let allowed = "allowed for one rule only; a silence of all rules needs an end";
            faults.push(("until_resolved", allowed.into()));
        }
        (None, true) => {}
        _ => faults.push(("ends_at", "allowed: an end, or else `until_resolved`".into())),
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn said_of(rule: &str, reason: &str, rules: &[&str]) -> Vec<Refused> {
    let mut faults = Vec::new();
    if rule != ALL && !rules.contains(&rule) {
        let message = super::file::fault::unknown("rule", rule, rules);
        faults.push(("rule", format!("{message}; `*` stands for all")));
    }
    if reason.trim().is_empty() || !is_prose(reason, 500) {
        faults.push(("reason", "allowed: 1 to 500 characters".into()));
    }
    faults
}

/// Whether a silence holds at `now`, in Unix milliseconds.
fn is_silent(silence: &Silence, now: i64) -> bool {
    let begun = silence.starts_at <= now && silence.ended_at.is_none_or(|end| now < end);
    begun && (silence.until_resolved || silence.ends_at.is_some_and(|end| now < end))
}

/// Why the rule sends nothing at `now`, in Unix milliseconds: the silence that lasts longest, else maintenance, else the
/// rule that it depends on, if that one fires.
pub fn muted_by(
    rule: &str,
    depends_on: Option<&str>,
    now: i64,
    silences: &[Silence],
    upkeep: &[Upkeep],
    fires: impl Fn(&str) -> bool,
) -> Option<MutedBy> {
    let of_rule = |silence: &&Silence| silence.rule == ALL || silence.rule == rule;
    let silences = silences.iter().filter(of_rule).filter(|silence| is_silent(silence, now));
    if let Some(silence) = silences.max_by_key(|silence| (silence.ends_at.unwrap_or(i64::MAX), silence.id)) {
        return Some(MutedBy::Silence {
            id: silence.id,
            ends_at: silence.ends_at,
            author: silence.author.clone(),
            reason: silence.reason.clone(),
        });
    }
    let windows = upkeep.iter().filter(|each| each.covers(rule));
    let present = windows.filter_map(|each| Some((each.present(now)?.1, each)));
    if let Some((ends_at, each)) = present.max_by_key(|(end, each)| (*end, each.id)) {
        return Some(MutedBy::Maintenance { id: each.id, ends_at, reason: each.reason.clone() });
    }
    let parent = depends_on.filter(|parent| fires(parent))?;
    Some(MutedBy::Dependency { rule: parent.to_owned() })
}

/// What is owed to a channel of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owed {
    Nothing,
    Trigger,
    Resolve,
}

/// A trigger is owed once the rule fires and nothing mutes it, also when a mute ends while it still fires. A resolve is owed
/// if its trigger was, muted or not: nobody may be left with an alarm that is over.
pub fn owed(fires: bool, muted: bool, trigger_owed: bool, resolve_owed: bool) -> Owed {
    match (fires, trigger_owed) {
        (true, false) if !muted => Owed::Trigger,
        (false, true) if !resolve_owed => Owed::Resolve,
        _ => Owed::Nothing,
    }
}

#[cfg(test)]
mod tests;
