//! Windows that recur: a cron expression, how long, and the time zone of both.

use super::Refused;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};

#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    zone: Tz,
    /// Milliseconds.
    duration: i64,
}

const LONGEST_CRON: usize = 200;

impl Schedule {
    /// `duration` in seconds.
    pub fn new(cron: &str, duration: i64, zone: &str) -> Result<Schedule, Refused> {
        let allowed =
            "five fields: minute, hour, day of the month, month, day of the week, such as `30 2 * * SUN`";
        let refused = |why: String| ("cron", format!("{why}; allowed: {allowed}"));
        // The parser reads nicknames such as `@daily` and further fields, too.
        if cron.len() > LONGEST_CRON || cron.split_whitespace().count() != 5 {
            return Err(refused("not five fields".into()));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron =
            parser.parse(cron).map_err(|error| refused(crate::text::said::plainly(error.to_string())))?;
        let zone = zone.parse().map_err(|_| {
            let shown = crate::text::said::plainly(zone);
            ("zone", format!("unknown time zone `{shown}`; allowed: an IANA name, such as `Europe/Berlin`"))
        })?;
        if !(60..=7 * 86_400).contains(&duration) {
            return Err(("duration", "allowed: 1m to 7d".into()));
        }
        let schedule = Schedule { cron, zone, duration: duration * 1_000 };
        match schedule.next(0) {
            Some(_) => Ok(schedule),
            None => Err(refused("no such day ever comes".into())),
        }
    }

    /// The window that holds `now`, or else the next one, in Unix milliseconds.
    pub fn next(&self, now: i64) -> Option<(i64, i64)> {
        let here = DateTime::<Utc>::from_timestamp_millis(now)?.with_timezone(&self.zone);
        let window = |start: DateTime<Tz>| {
            let from = start.timestamp_millis();
            (from, from + self.duration)
        };
        // Of windows that overlap the latest one holds longest.
        let last = self.cron.find_previous_occurrence(&here, true).ok().map(window);
        last.filter(|(from, to)| (*from..*to).contains(&now))
            .or_else(|| self.cron.find_next_occurrence(&here, false).ok().map(window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).expect("a time").timestamp_millis()
    }

    #[test]
    fn a_window_recurs_at_the_wall_clock_of_its_zone() {
        let schedule = Schedule::new("30 2 * * SUN", 5_400, "Europe/Berlin").expect("a schedule");
        let check = |now: &str, from: &str, to: &str| {
            assert_eq!(schedule.next(at(now)), Some((at(from), at(to))), "{now}");
        };
        // 2026-07-05 is a Sunday; Berlin is two hours ahead then, and one in winter.
        check("2026-07-03T12:00:00Z", "2026-07-05T00:30:00Z", "2026-07-05T02:00:00Z");
        check("2026-07-05T00:30:00Z", "2026-07-05T00:30:00Z", "2026-07-05T02:00:00Z");
        check("2026-07-05T01:59:59Z", "2026-07-05T00:30:00Z", "2026-07-05T02:00:00Z");
        check("2026-07-05T02:00:00Z", "2026-07-12T00:30:00Z", "2026-07-12T02:00:00Z");
        check("2026-12-31T00:00:00Z", "2027-01-03T01:30:00Z", "2027-01-03T03:00:00Z");
    }

    #[test]
    fn the_hour_that_summer_time_leaves_out_still_has_its_window() {
        let schedule = Schedule::new("30 2 * * *", 3_600, "Europe/Berlin").expect("a schedule");
        // On 2026-03-29 there is no half past two.
        let (from, _) = schedule.next(at("2026-03-29T00:00:00Z")).expect("a window");
        assert!((at("2026-03-29T00:30:00Z")..=at("2026-03-29T01:30:00Z")).contains(&from), "{from}");
    }

    #[test]
    fn a_wrong_schedule_says_what_is_allowed() {
        let check = |cron: &str, duration, zone: &str, field: &str, message: &str| {
            let (found, text) = Schedule::new(cron, duration, zone).expect_err(cron);
            assert_eq!(found, field, "{cron}");
            assert!(text.contains(message), "{cron}: {text}");
        };
        check("* * * *", 60, "UTC", "cron", "not five fields; allowed: five fields: minute, hour");
        check("0 0 0 * * *", 60, "UTC", "cron", "not five fields");
        check("@daily", 60, "UTC", "cron", "not five fields");
        check("99 0 * * *", 60, "UTC", "cron", "; allowed: five fields");
        check("0 0 31 2 *", 60, "UTC", "cron", "no such day ever comes");
        check(&"1,".repeat(200), 60, "UTC", "cron", "not five fields");
        check("0 0 * * *", 60, "Mars/Olympus", "zone", "unknown time zone `Mars/Olympus`");
        check("0 0 * * *", 59, "UTC", "duration", "1m to 7d");
        check("0 0 * * *", 700_000, "UTC", "duration", "1m to 7d");
    }
}
