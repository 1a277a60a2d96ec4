//! Stream or poll: which way a session's clients are told to follow it.

use crate::session::ids::SessionId;
use serde::{Deserialize, Serialize};

/// The cohort of a session. `Poll` is the control group that keeps the comparison honest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cohort {
    Stream,
    Poll,
}

impl Cohort {
    pub const ALL: [Cohort; 2] = [Cohort::Stream, Cohort::Poll];

    pub fn as_str(self) -> &'static str {
        match self {
            Cohort::Stream => "stream",
            Cohort::Poll => "poll",
        }
    }

    /// Assigns by a stable hash of the id: every node agrees, nothing is stored, and a restart moves nobody.
    ///
    /// `control_percent` is 0 to 100; 0 turns the control group off.
    pub fn of(session: &SessionId, control_percent: u8) -> Cohort {
        if stable_hash(session.as_str()) % 10_000 < u64::from(control_percent) * 100 {
            Cohort::Poll
        } else {
            Cohort::Stream
        }
    }
}

/// For how long, ms, a session is followed by a poll at `now`, beyond what earlier polls stand for: each stands for the
/// interval after it, and for the time before it if it comes less than an interval late. So however many poll a session,
/// on however many nodes, its time counts once.
///
/// `until`: to when earlier polls stand for it. The poll stands for it to `now + interval_ms`.
pub fn followed_by_poll(until: Option<i64>, now: i64, interval_ms: u32) -> u64 {
    let interval = i64::from(interval_ms);
    let from = until.filter(|until| now - until <= interval).unwrap_or(now);
    u64::try_from(now + interval - from).unwrap_or(0)
}

/// 64-bit FNV-1a with a finishing mix. Written out because the assignment must never change with a
/// dependency's version, and FNV alone leaves short similar ids (`job-1`, `job-2`) unevenly spread.
fn stable_hash(text: &str) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_group_has_its_share_and_is_stable() {
        let ids: Vec<SessionId> = (0..20_000).filter_map(|n| format!("job-{n}").parse().ok()).collect();
        let share = |percent| {
            let polls = ids.iter().filter(|id| Cohort::of(id, percent) == Cohort::Poll).count();
            polls as f64 / ids.len() as f64
        };
        assert_eq!(share(0), 0.0);
        assert_eq!(share(100), 1.0);
        assert!((share(5) - 0.05).abs() < 0.006, "{}", share(5));
        // Frozen: a changed assignment would mix the cohorts of running experiments.
        let frozen = ["job-1", "job-2", "9f3a", "ä"].map(|id| stable_hash(id) % 10_000);
        assert_eq!(frozen, [6_677, 1_998, 3_866, 8_871]);
    }

    #[test]
    fn a_polled_sessions_time_counts_once() {
        let check = |polls: &[i64], expected: u64| {
            let (mut until, mut followed) = (None, 0);
            for &now in polls {
                followed += followed_by_poll(until, now, 3_000);
                until = Some(now + 3_000);
            }
            assert_eq!(followed, expected, "{polls:?}");
        };
        check(&[5_000], 3_000);
        check(&[0, 3_000, 6_000], 9_000);
        // Late by less than an interval, and by more.
        check(&[0, 3_500, 9_500], 12_500);
        check(&[0, 6_001], 6_000);
        // Two pages by turns, and at once.
        check(&[0, 1_000, 3_000, 4_000], 7_000);
        check(&[0, 0], 3_000);
        // Clocks that disagree take nothing away.
        assert_eq!(followed_by_poll(Some(9_000), 0, 3_000), 0);
    }

    #[test]
    fn raising_the_share_only_adds_sessions() {
        for n in 0..2_000 {
            let Ok(id) = format!("s{n}").parse() else { continue };
            if Cohort::of(&id, 5) == Cohort::Poll {
                assert_eq!(Cohort::of(&id, 20), Cohort::Poll);
            }
        }
    }
}
