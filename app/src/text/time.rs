//! Clock times and dates out of Unix seconds, by hand: a formatting library would be a tenth of the WASM.

const DAY: i64 = 86_400;

/// In which times are written.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(
    not(any(feature = "hydrate", test)),
    expect(dead_code, reason = "the server cannot know the reader's clock")
)]
pub enum Zone {
    /// As the server writes, which cannot know the reader's clock; the text then says "UTC".
    #[default]
    Utc,
    /// Minutes east of UTC at a moment (Unix seconds): summer and winter differ, and a range may hold both.
    Local(fn(i64) -> i32),
}

impl Zone {
    fn shift(self, seconds: i64) -> i64 {
        match self {
            Zone::Utc => seconds,
            Zone::Local(minutes) => seconds + i64::from(minutes(seconds)) * 60,
        }
    }

    /// ` UTC`, or nothing where it is the reader's own time.
    pub fn suffix(self) -> &'static str {
        if matches!(self, Zone::Utc) { " UTC" } else { "" }
    }

    /// `14:42:07`
    pub fn clock(self, seconds: i64) -> String {
        let of_day = self.shift(seconds).rem_euclid(DAY);
        format!("{:02}:{:02}:{:02}", of_day / 3_600, of_day / 60 % 60, of_day % 60)
    }

    /// `14:42`
    pub fn minute(self, seconds: i64) -> String {
        let mut text = self.clock(seconds);
        text.truncate(5);
        text
    }

    /// `Mon 23 Nov`
    pub fn day(self, seconds: i64) -> String {
        let days = self.shift(seconds).div_euclid(DAY);
        // 1 January 1970 was a Thursday.
        let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][days.rem_euclid(7) as usize];
        let (_, month, day) = civil(days);
        format!("{weekday} {day} {}", MONTHS[month - 1])
    }

    /// `23 Nov`
    pub fn date(self, seconds: i64) -> String {
        self.day(seconds).split_off(4)
    }

    /// `23 Nov 2026, 14:42:07`
    #[cfg(any(feature = "ssr", test))]
    pub fn moment(self, seconds: i64) -> String {
        let (year, month, day) = civil(self.shift(seconds).div_euclid(DAY));
        format!("{day} {} {year}, {}", MONTHS[month - 1], self.clock(seconds))
    }

    /// The first moment from `seconds` on that is a multiple of `step` on this zone's clock, so that ticks stand at whole hours and midnights.
    pub fn next_multiple(self, seconds: i64, step: i64) -> i64 {
        let shifted = self.shift(seconds);
        seconds + (-shifted).rem_euclid(step)
    }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Year, month 1 to 12, day of the month, from days since 1970. Howard Hinnant's `civil_from_days`.
fn civil(days: i64) -> (i64, usize, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as usize, day)
}

/// `2026-11-23T14:42:07Z`, for `<time datetime>`.
pub fn iso(seconds: i64) -> String {
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02}T{}Z", Zone::Utc.clock(seconds))
}

/// How long: `42 s`, `7 min`, `3 h 05 min`, `2 d 4 h`.
pub fn span(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3_600 => format!("{} min", s / 60),
        s @ 3_600..DAY => format!("{} h {:02} min", s / 3_600, s / 60 % 60),
        s => format!("{} d {} h", s / DAY, s / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 23 November 2026, 14:42:07 UTC.
    const NOW: i64 = 1_795_444_927;

    #[test]
    fn times_are_written_out() {
        let check = |got: String, expected: &str| assert_eq!(got, expected);
        check(Zone::Utc.moment(NOW), "23 Nov 2026, 14:42:07");
        check(Zone::Utc.day(NOW), "Mon 23 Nov");
        check(Zone::Utc.date(NOW), "23 Nov");
        check(Zone::Local(|_| 60).minute(NOW), "15:42");
        // The clocks were put back in between.
        let berlin = Zone::Local(|at| if at < NOW - 2_000_000 { 120 } else { 60 });
        check(berlin.minute(NOW - 30 * DAY), "16:42");
        check(berlin.minute(NOW), "15:42");
        check(Zone::Local(|_| -15 * 60).day(NOW), "Sun 22 Nov");
        check(Zone::Utc.moment(951_782_400), "29 Feb 2000, 00:00:00");
        check(Zone::Utc.moment(-1), "31 Dec 1969, 23:59:59");
        check(iso(NOW), "2026-11-23T14:42:07Z");
        check(span(3_720), "1 h 02 min");
        check(span(-5), "0 s");
        check(span(2 * DAY + 4 * 3_600), "2 d 4 h");
    }

    #[test]
    fn ticks_stand_at_whole_hours_of_the_zone() {
        assert_eq!(Zone::Utc.clock(Zone::Utc.next_multiple(NOW, 600)), "14:50:00");
        let zone = Zone::Local(|_| 330);
        assert_eq!(zone.clock(zone.next_multiple(NOW, DAY)), "00:00:00");
    }
}
