//! Whether errors come in bursts. Phi is the variance of the errors of a minute over that of independent errors; the
//! evidence divides its counts by it.
//!
//! Around each hour's own rate, because a slow drift is no burst; without incidents and outage minutes, because a fault
//! must not blunt the rule that is to find the next one.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::tables::Critical;

/// Phi in hundredths, from 1 to 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct Phi(u64);

impl Phi {
    /// Independent errors.
    pub const ONE: Self = Self(100);
    /// Until enough bad events were seen.
    pub const PRIOR: Self = Self(200);

    pub fn new(hundredths: u64) -> Self {
        Self(hundredths.clamp(100, 1000))
    }

    pub fn hundredths(self) -> u64 {
        self.0
    }

    /// How many independent events so many are worth, rounded down.
    pub fn thin(self, count: u64) -> u64 {
        (u128::from(count) * 100 / u128::from(self.0)) as u64
    }

    /// The least count that is worth so many.
    pub fn thick(self, count: u64) -> u64 {
        u64::try_from((u128::from(count) * u128::from(self.0)).div_ceil(100)).unwrap_or(u64::MAX)
    }
}

impl From<u64> for Phi {
    fn from(hundredths: u64) -> Self {
        Self::new(hundredths)
    }
}

impl From<Phi> for u64 {
    fn from(phi: Phi) -> Self {
        phi.0
    }
}

/// What a minute's present buckets hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minute {
    /// Since 1970.
    pub minute: i64,
    pub n: u64,
    pub bad: u64,
}

/// Buckets of an incident that counts as a fault: neither labelled false nor expected. From the first bucket of the
/// window that fired (see [`incident_start`]) to the resolve, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: i64,
    pub to: i64,
}

/// The age, in present buckets, at which an incident begins whose window of so many fired.
pub fn incident_start(window: usize) -> usize {
    window + window / 5
}

const MINUTES: i64 = 60;
const BUCKETS_A_MINUTE: i64 = 6;
/// A minute that would be evidence even at a phi of five is an outage, not a burst.
const OUTAGE: u64 = 5;
/// Fewer bad events say nothing about bursts.
const LEAST_BAD: u64 = 50;

/// Phi at the start of the hour `hour` (since 1970), over the week of hours before it but the newest two full ones. A
/// fault that has just begun must not raise it.
pub fn measure(
    hour: i64,
    minutes: impl IntoIterator<Item = Minute>,
    faults: &[Span],
    critical: &Critical,
) -> Phi {
    let mut hours: BTreeMap<i64, Vec<Minute>> = BTreeMap::new();
    for minute in minutes {
        hours.entry(minute.minute.div_euclid(MINUTES)).or_default().push(minute);
    }
    let mut all = Sums::default();
    for (_, minutes) in hours.range_mut(hour - OLDEST..=hour - NEWEST) {
        // So that the order of rows does not change the sum.
        minutes.sort_unstable_by_key(|minute| minute.minute);
        all.add(Sums::of_hour(minutes, faults, critical));
    }
    all.phi()
}

/// Hours back from the present one that count.
const OLDEST: i64 = 170;
const NEWEST: i64 = 3;

/// What one hour adds to phi.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    observed: f64,
    expected: f64,
    bad: u64,
}

impl Sums {
    /// Of minutes in their order.
    fn of_hour(minutes: &[Minute], faults: &[Span], critical: &Critical) -> Self {
        let minutes: Vec<&Minute> =
            minutes.iter().filter(|minute| counts(minute, faults, critical)).collect();
        let n: u64 = minutes.iter().map(|minute| minute.n).sum();
        let bad: u64 = minutes.iter().map(|minute| minute.bad).sum();
        if minutes.len() < 2 || bad == 0 {
            return Self::default();
        }
        let (total, share) = (n as f64, bad as f64 / n as f64);
        let deviation = |minute: &&Minute| (minute.bad as f64 - share * minute.n as f64).powi(2);
        let observed = minutes.iter().map(deviation).sum();
        let squares: f64 = minutes.iter().map(|minute| (minute.n as f64).powi(2)).sum();
        let expected = share * (1.0 - share) * (total - squares / total);
        Self { observed, expected, bad }
    }

    fn add(&mut self, other: Self) {
        self.observed += other.observed;
        self.expected += other.expected;
        self.bad += other.bad;
    }

    fn phi(self) -> Phi {
        if self.bad >= LEAST_BAD && self.expected > 0.0 {
            Phi::new((100.0 * self.observed / self.expected).ceil() as u64)
        } else {
            Phi::PRIOR
        }
    }
}

/// The minutes that phi is measured from: the newest 170 hours, in 120 kB. The sums of an hour are kept once they are
/// known, so that the measurement at each hour is cheap.
#[derive(Clone, Debug, Default)]
pub struct Bursts {
    hours: VecDeque<Hour>,
}

#[derive(Clone, Debug)]
struct Hour {
    hour: i64,
    /// The minute of the hour, and its counts.
    minutes: Vec<(u8, u32, u32)>,
    sums: Option<Sums>,
}

impl Bursts {
    /// How many minutes before the present hour are looked at.
    pub const MINUTES: i64 = OLDEST * MINUTES;

    /// Adds what a minute, or a part of it, holds. Minutes come in their order; older ones are left out.
    pub fn add(&mut self, add: Minute) {
        let (hour, minute) = (add.minute.div_euclid(MINUTES), add.minute.rem_euclid(MINUTES) as u8);
        let short = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        match self.hours.back() {
            Some(newest) if newest.hour > hour => return,
            Some(newest) if newest.hour == hour => {}
            _ => self.hours.push_back(Hour { hour, minutes: Vec::new(), sums: None }),
        }
        while self.hours.front().is_some_and(|oldest| oldest.hour < hour - OLDEST) {
            self.hours.pop_front();
        }
        let Some(newest) = self.hours.back_mut() else { return };
        newest.sums = None;
        match newest.minutes.last_mut() {
            Some((last, ..)) if *last > minute => {}
            Some((last, n, bad)) if *last == minute => {
                *n = n.saturating_add(short(add.n));
                *bad = bad.saturating_add(short(add.bad));
            }
            _ => newest.minutes.push((minute, short(add.n), short(add.bad))),
        }
    }

    /// The faults of these buckets changed: what they touch is summed anew.
    pub fn forget(&mut self, span: Span) {
        let of = |bucket: i64| bucket.div_euclid(MINUTES * BUCKETS_A_MINUTE);
        let touched = |hour: &&mut Hour| (of(span.from)..=of(span.to)).contains(&hour.hour);
        self.hours.iter_mut().filter(touched).for_each(|hour| hour.sums = None);
    }

    /// [`measure`] at the start of `hour`. `None` if no minute that counts is known: then the last phi is the best guess.
    pub fn phi(&mut self, hour: i64, faults: &[Span], critical: &Critical) -> Option<Phi> {
        let mut all = None;
        for each in &mut self.hours {
            if !(hour - OLDEST..=hour - NEWEST).contains(&each.hour) {
                continue;
            }
            let of = each.hour;
            let sums = each.sums.get_or_insert_with(|| {
                let minute = |&(minute, n, bad): &(u8, u32, u32)| Minute {
                    minute: of * MINUTES + i64::from(minute),
                    n: n.into(),
                    bad: bad.into(),
                };
                let minutes: Vec<Minute> = each.minutes.iter().map(minute).collect();
                Sums::of_hour(&minutes, faults, critical)
            });
            all.get_or_insert(Sums::default()).add(*sums);
        }
        all.map(Sums::phi)
    }
}

fn counts(minute: &Minute, faults: &[Span], critical: &Critical) -> bool {
    let first = minute.minute * BUCKETS_A_MINUTE;
    let in_fault = |fault: &Span| fault.from < first + BUCKETS_A_MINUTE && fault.to >= first;
    minute.n > 0 && !critical.reached(minute.n / OUTAGE, minute.bad / OUTAGE) && !faults.iter().any(in_fault)
}

#[cfg(test)]
mod tests {
    use super::super::threshold::Threshold;
    use super::*;

    const HOUR: i64 = 1000;

    fn critical() -> Critical {
        Critical::new(Threshold::new(1, 100).unwrap(), 1e-4 / 3.0)
    }

    /// 200 events a minute in the hours 5 and 6 before now; bad ones by minute.
    fn minutes(bad: impl Fn(i64) -> u64) -> Vec<Minute> {
        let first = (HOUR - 6) * 60;
        (0..120).map(|i| Minute { minute: first + i, n: 200, bad: bad(i) }).collect()
    }

    fn phi(minutes: Vec<Minute>, faults: &[Span]) -> u64 {
        measure(HOUR, minutes, faults, &critical()).hundredths()
    }

    #[test]
    fn fewer_than_fifty_bad_events_leave_the_prior() {
        assert_eq!(phi(minutes(|i| u64::from(i < 49)), &[]), 200);
        assert_eq!(phi(vec![], &[]), 200);
    }

    #[test]
    fn even_errors_have_a_phi_of_one() {
        assert_eq!(phi(minutes(|_| 1), &[]), 100);
    }

    /// By hand: an hour of 60 minutes of 200 events, 6 bad in every sixth minute. p = 60 / 12,000 = 0.005;
    /// observed = 10 x 25 + 50 x 1 = 300; expected = 0.005 x 0.995 x (12,000 - 200) = 58.705; 100 x 5.1103 rounded up.
    #[test]
    fn bursts_raise_phi_by_the_formula() {
        assert_eq!(phi(minutes(|i| if i % 6 == 0 { 6 } else { 0 }), &[]), 512);
    }

    #[test]
    fn a_rate_that_changes_from_hour_to_hour_is_no_burst() {
        assert_eq!(phi(minutes(|i| if i < 60 { 1 } else { 4 }), &[]), 100);
    }

    #[test]
    fn outage_minutes_do_not_count() {
        // 200 / 5 = 40 events, of which 5 are evidence at 1 %: 25 bad are an outage.
        let outage = (1..=40).find(|bad| critical().reached(40, bad / 5)).unwrap();
        assert_eq!(phi(minutes(|i| if i == 7 { outage } else { 1 }), &[]), 100);
        assert!(phi(minutes(|i| if i == 7 { outage - 5 } else { 1 }), &[]) > 100);
    }

    #[test]
    fn minutes_of_incidents_do_not_count_and_a_minute_is_in_it_by_one_bucket() {
        let bursts = |i: i64| if i == 7 { 20 } else { 1 };
        let burst = ((HOUR - 6) * 60 + 7) * 6;
        assert_eq!(phi(minutes(bursts), &[Span { from: burst + 5, to: burst + 5 }]), 100);
        assert!(phi(minutes(bursts), &[Span { from: burst + 6, to: burst + 99 }]) > 100);
        assert!(phi(minutes(bursts), &[Span { from: 0, to: burst - 1 }]) > 100);
    }

    #[test]
    fn only_the_week_before_the_newest_two_hours_counts() {
        for (of, counted) in [(-2, false), (-3, true), (-170, true), (-171, false)] {
            let first = (HOUR + of) * 60;
            let hour: Vec<_> = (0..60).map(|i| Minute { minute: first + i, n: 200, bad: 1 }).collect();
            assert_eq!(phi(hour, &[]) == 100, counted, "{of}");
        }
    }

    #[test]
    fn minutes_that_are_kept_give_the_same_phi() {
        let mut bursts = Bursts::default();
        assert_eq!(bursts.phi(HOUR, &[], &critical()), None, "nothing is known");
        let minutes = minutes(|i| if i % 6 == 0 { 6 } else { 0 });
        for minute in &minutes {
            // In two parts, as buckets bring them.
            bursts.add(Minute { n: 150, bad: 0, ..*minute });
            bursts.add(Minute { n: 50, ..*minute });
        }
        bursts.add(Minute { minute: (HOUR - 100) * 60, n: 9999, bad: 9999 });
        assert_eq!(bursts.phi(HOUR, &[], &critical()), Some(Phi::new(512)));
        // A fault that becomes known changes it once it is forgotten.
        let first = (HOUR - 6) * 360;
        let faults = [Span { from: first, to: first + 359 }];
        assert_eq!(bursts.phi(HOUR, &faults, &critical()), Some(Phi::new(512)));
        bursts.forget(faults[0]);
        assert_eq!(bursts.phi(HOUR, &faults, &critical()), Some(Phi::new(phi(minutes, &faults))));
        // What is older than 170 hours goes.
        bursts.add(Minute { minute: (HOUR + 165) * 60, n: 1, bad: 0 });
        assert_eq!(bursts.hours.len(), 2);
    }

    #[test]
    fn phi_has_bounds_and_the_order_of_minutes_does_not_matter() {
        let wild = minutes(|i| if i % 60 == 0 { 20 } else { u64::from(i % 60 < 30) * 2 });
        let mut turned = wild.clone();
        turned.reverse();
        assert_eq!(phi(wild, &[]), phi(turned, &[]));
        assert_eq!(phi(minutes(|i| if i % 30 == 0 { 24 } else { 0 }), &[]), 1000);
        assert_eq!((Phi::new(1), Phi::new(9999)), (Phi::ONE, Phi::new(1000)));
    }

    #[test]
    fn counts_are_thinned_down_and_thickened_up() {
        let phi = Phi::new(497);
        assert_eq!((phi.thin(3000), phi.thin(101), phi.thick(19)), (603, 20, 95));
        assert_eq!(Phi::ONE.thin(u64::MAX), u64::MAX);
    }
}
