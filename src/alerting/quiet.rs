//! What keeps rules quiet, as it is stored: silences and maintenance. Whether a rule is muted by it, core decides.

use crate::store::{Store, StoreError};
use chrono::{NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use streamgauge_core::{
    alert::{
        file::Rule,
        mute::{self, Upkeep},
    },
    page::alerts::{Maintenance, MutedBy, Silence},
};

/// Silences and maintenance that count: more than that, nobody keeps in view.
const MOST: u32 = 500;

/// What has not ended.
#[derive(Clone, Debug, Default)]
pub struct Quiet {
    silences: Vec<Silence>,
    maintenance: Vec<Upkeep>,
}

impl Quiet {
    pub async fn read(store: &Store) -> Result<Quiet, StoreError> {
        let silences = store.alerts().silences(true, None, MOST).await?.rows;
        let maintenance = store.alerts().maintenance(true, None, MOST).await?.rows;
        Ok(Quiet { silences, maintenance: maintenance.iter().filter_map(Upkeep::stored).collect() })
    }

    /// `parent_fires`: the rule that this one depends on. `now`: Unix milliseconds.
    pub fn muted_by(&self, rule: &Rule, parent_fires: bool, now: i64) -> Option<MutedBy> {
        let depends_on = rule.depends_on.as_deref();
        mute::muted_by(&rule.name, depends_on, now, &self.silences, &self.maintenance, |_| parent_fires)
    }
}

/// Says whether a maintenance is now, and when its present or next window is. `now`: Unix milliseconds.
pub fn window(maintenance: &mut Maintenance, now: i64) {
    let found = Upkeep::stored(maintenance).and_then(|upkeep| upkeep.next(now));
    maintenance.active = found.is_some_and(|(from, to)| (from..to).contains(&now));
    (maintenance.next_from, maintenance.next_to) = found.unzip();
}

/// A local time of a form, such as `2026-11-29T14:00`, in its zone: Unix milliseconds. One that comes twice, because clocks
/// are set back, is the first of them; one that never comes, because they are set forward, is refused.
pub fn local(text: &str, zone: &str) -> Result<i64, mute::Refused> {
    let bad_zone = || ("zone", "allowed: an IANA name, such as `Europe/Berlin`".to_owned());
    let zone: Tz = zone.parse().map_err(|_| bad_zone())?;
    let bad_time = || ("from", "allowed: a time that exists, as 2026-11-29T14:00".to_owned());
    let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let mut read =
        formats.iter().filter_map(|format| NaiveDateTime::parse_from_str(text.trim(), format).ok());
    let local = read.next().ok_or_else(bad_time)?;
    zone.from_local_datetime(&local).earliest().map(|at| at.timestamp_millis()).ok_or_else(bad_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_time_is_read_in_its_zone() {
        let check = |text: &str, zone: &str, expected: Option<i64>| {
            assert_eq!(local(text, zone).ok(), expected, "{text} {zone}");
        };
        check("2026-11-29T14:00", "UTC", Some(1_795_960_800_000));
        check("2026-11-29T14:00", "Europe/Berlin", Some(1_795_957_200_000));
        check("2026-03-29T02:30", "Europe/Berlin", None);
        check("2026-10-25T02:30", "Europe/Berlin", Some(1_792_888_200_000));
        check("tomorrow", "UTC", None);
        check("2026-11-29T14:00", "Mars/Base", None);
    }
}
