//! Stream or poll: which way a session's clients are told to follow it.

use crate::ids::SessionId;
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
    fn raising_the_share_only_adds_sessions() {
        for n in 0..2_000 {
            let Ok(id) = format!("s{n}").parse() else { continue };
            if Cohort::of(&id, 5) == Cohort::Poll {
                assert_eq!(Cohort::of(&id, 20), Cohort::Poll);
            }
        }
    }
}
