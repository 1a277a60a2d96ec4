//! A made-up past for the demo: what a server with this traffic would have measured, computed from the time alone. The same
//! seed gives the same past, and a coarse row is exactly what its fine rows come to.
//!
//! Traffic follows the hour and the day of the week, grows slowly, and has three bad spells that a reader can find.

use super::{
    counters::{Counter, Counters},
    packed::{Compressed, Packed},
    sample::{Histograms, Measure, Sample},
};
use std::collections::HashMap;

const DAY: i64 = 86_400;

/// Where followers are, their share of all in thousandths, and by how many hours their day is earlier than UTC's.
pub const REGIONS: [(&str, u64, i64); 6] = [
    ("eu-central", 340, 1),
    ("eu-west", 200, 0),
    ("us-east", 200, -5),
    ("us-west", 100, -8),
    ("ap-south", 100, 5),
    ("sa-east", 60, -3),
];

/// Open streams on an average working day around noon, at the end of the past.
const STREAMS: f64 = 64.0;
/// A stream lasts so many seconds on average.
const LASTS: f64 = 900.0;
/// Status events that a follower gets a second.
const EVENTS: f64 = 0.6;
/// One session in ten is in the polling control group.
const CONTROL: f64 = 0.1;
const POLL_SECONDS: f64 = 3.0;

/// A time at which something was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// Unix seconds.
    pub from: i64,
    pub to: i64,
    pub kind: Trouble,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Slow followers lose events, from a deploy on.
    Errors,
    /// ap-south has lost its network: most streams there cannot be opened, and browsers try again and again.
    Connects,
    /// Everything is delivered late.
    Slow,
}

/// Made up from `seed`, and ending at `until` (Unix seconds).
#[derive(Clone, Debug)]
pub struct Past {
    seed: u64,
    until: i64,
}

/// What happened in `[start, start + step)`, of all followers or of those of one region.
#[derive(Clone, Debug)]
pub struct Moment {
    pub start: i64,
    pub step: i64,
    counters: Counters,
    values: Vec<Values>,
}

/// So many values, spread around a typical one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Values {
    measure: Measure,
    typical: u64,
    count: u64,
}

impl Past {
    pub fn new(seed: u64, until: i64) -> Past {
        Past { seed, until }
    }

    /// The bad spells, newest first.
    pub fn spells(&self) -> [Spell; 3] {
        let day = self.until - self.until.rem_euclid(DAY);
        let at = |days: i64, second: i64, minutes: i64, kind| {
            let from = day - days * DAY + second;
            Spell { from, to: from + minutes * 60, kind }
        };
        [
            at(3, 11 * 3_600 + 60, 24, Trouble::Errors),
            at(6, 3 * 3_600, 50, Trouble::Slow),
            at(20, 14 * 3_600 + 600, 42, Trouble::Connects),
        ]
    }

    /// When a new version was rolled out: every two weeks, at eleven.
    pub fn deploys(&self, days: i64) -> impl Iterator<Item = i64> {
        let day = self.until - self.until.rem_euclid(DAY);
        (0..days).filter(|ago| ago % 14 == 3).map(move |ago| day - ago * DAY + 11 * 3_600)
    }

    /// Of all followers, and then of each region in the order of [`REGIONS`].
    pub fn moments(&self, start: i64, step: i64) -> Vec<Moment> {
        let regions = (0..REGIONS.len()).map(|region| self.of_region(region, start, step));
        let mut moments: Vec<Moment> = regions.collect();
        moments.insert(0, Moment::of_all(start, step, &moments));
        moments
    }

    /// `region`: its place in [`REGIONS`].
    fn of_region(&self, region: usize, start: i64, step: i64) -> Moment {
        let (_, share, hours) = REGIONS[region];
        let mut chance = Chance::of(self.seed, region as u64, start);
        let seconds = step as f64;
        let level = STREAMS * share as f64 / 1_000.0
            * self.traffic(start + step / 2, hours)
            * (0.9 + 0.2 * chance.unit());
        let trouble = self.spells().into_iter().find(|spell| (spell.from..spell.to).contains(&start));
        let trouble = trouble.map(|spell| spell.kind);

        let mut counters = Counters::default();
        let mut set = |counter, amount| counters.set(counter, amount);
        set(Counter::Seconds, step.unsigned_abs());
        set(Counter::CoveredSeconds, step.unsigned_abs());
        let stream_seconds = chance.whole(level * (1.0 - CONTROL) * seconds);
        let poller_seconds = chance.whole(level * CONTROL * seconds);
        set(Counter::StreamSeconds, stream_seconds);
        set(Counter::StreamCohortSeconds, stream_seconds);
        set(Counter::PollerSeconds, poller_seconds);
        set(Counter::PollCohortSeconds, poller_seconds);

        let sessions = chance.whole(level * seconds / LASTS);
        let failed = chance.share(sessions, 0.018);
        let abandoned = chance.share(sessions - failed, 0.012);
        set(Counter::SessionsStarted, sessions);
        set(Counter::SessionsFailed, failed);
        set(Counter::SessionsAbandoned, abandoned);
        set(Counter::SessionsCompleted, sessions - failed - abandoned);
        let streaming = sessions - chance.share(sessions, CONTROL);
        set(Counter::StreamCohortSessions, streaming);

        let cannot = trouble == Some(Trouble::Connects) && REGIONS[region].0 == "ap-south";
        let again = if cannot { 40 } else { 1 };
        let attempts = streaming * again + chance.share(streaming, 0.2);
        let not_opened = chance.share(attempts, if cannot { 0.95 } else { 0.000_3 });
        let opened = attempts - not_opened;
        set(Counter::ConnectAttempts, attempts);
        set(Counter::ConnectFailed, not_opened);
        set(Counter::ConnectEstablished, opened);
        set(Counter::StreamsClosed, opened);
        let by_client = chance.share(opened, 0.25);
        set(Counter::ClosedByClient, by_client);
        set(Counter::ClosedAtEnd, opened - by_client);

        let due = chance.whole(stream_seconds as f64 * EVENTS);
        let gone = chance.share(due, 0.000_4);
        let merged = chance.share(due - gone, 0.000_5);
        let slow_readers = if trouble == Some(Trouble::Errors) { 0.034 } else { 0.000_05 };
        let dropped = chance.share(due - gone - merged, slow_readers);
        let delivered = due - gone - merged - dropped;
        set(Counter::Published, chance.whole(due as f64 / 1.25));
        set(Counter::DeliveriesDue, due);
        set(Counter::DroppedGone, gone);
        set(Counter::Conflated, merged);
        set(Counter::DroppedSlow, dropped);
        set(Counter::Delivered, delivered);
        set(Counter::SocketWrites, delivered);

        let polls = chance.whole(poller_seconds as f64 / POLL_SECONDS);
        let unchanged = chance.share(polls, 0.3);
        let opening = opened * 1_150;
        let stream_out = opening + delivered * 236;
        let (stream_in, poll_in, poll_out) = (attempts * 640, polls * 590, polls * 410 - unchanged * 210);
        set(Counter::StreamRequests, attempts);
        set(Counter::StreamBytesIn, stream_in);
        set(Counter::StreamBytesOut, stream_out);
        set(Counter::OpeningBytes, opening);
        set(Counter::StreamCohortRequests, attempts);
        set(Counter::StreamCohortBytes, stream_in + stream_out);
        set(Counter::PollRequests, polls);
        set(Counter::PollsUnchanged, unchanged);
        set(Counter::PollBytesIn, poll_in);
        set(Counter::PollBytesOut, poll_out);
        set(Counter::PollCohortRequests, polls);
        set(Counter::PollCohortBytes, poll_in + poll_out);
        set(Counter::KernelBytesIn, stream_in + poll_in);
        set(Counter::KernelBytesOut, stream_out + poll_out);
        set(Counter::MeterBytesIn, stream_in + poll_in);
        set(Counter::MeterBytesOut, stream_out + poll_out);

        let fell_back = chance.share(streaming, if cannot { 0.3 } else { 0.022 });
        let buffered = chance.share(fell_back, 0.4);
        let watchdog = chance.share(fell_back - buffered, 0.4);
        set(Counter::SessionsFellBack, fell_back);
        set(Counter::FallbackBuffered, buffered);
        set(Counter::FallbackWatchdog, watchdog);
        set(Counter::FallbackConnectFailed, fell_back - buffered - watchdog);
        set(Counter::Beacons, sessions * 3);
        set(Counter::Refreshes, chance.share(sessions, 0.05));
        set(Counter::StatusChecks, chance.share(sessions, 0.03));
        if region == 0 {
            self.of_the_process(&mut counters, &mut chance, start, step, trouble);
        }

        let slow = if trouble == Some(Trouble::Slow) { 5_000 } else { 1 };
        let typical = |chance: &mut Chance, us: f64| (us * (0.85 + 0.3 * chance.unit())) as u64;
        let values = [
            (Measure::DeliveryLatency, typical(&mut chance, 260.0) * slow, delivered),
            (Measure::ConnectionEstablishment, typical(&mut chance, 900.0), opened),
            (Measure::ConnectionDuration, typical(&mut chance, LASTS * 1_000.0), opened),
            (Measure::PublishLag, 40, counters.get(Counter::Published)),
            (Measure::PollStaleness, typical(&mut chance, 1_500.0), polls - unchanged),
            (Measure::PollDuration, typical(&mut chance, 420.0), polls),
            (Measure::FirstUpdate, typical(&mut chance, 95.0), streaming),
            (Measure::ClientLatency, typical(&mut chance, 28.0) * slow.min(8), chance.share(delivered, 0.1)),
            (Measure::ProbeConnection, typical(&mut chance, 1_400.0), counters.get(Counter::ProbesGood)),
            (Measure::ProbePublish, typical(&mut chance, 600.0), counters.get(Counter::ProbesGood)),
            (Measure::ProbeDelivery, typical(&mut chance, 700.0) * slow, counters.get(Counter::ProbesGood)),
        ];
        let values = values.into_iter().filter(|(.., count)| *count > 0);
        let values = values
            .map(|(measure, typical, count)| Values { measure, typical: two_digits(typical), count })
            .collect();
        Moment { start, step, counters, values }
    }

    /// What belongs to the process and not to its followers; told once.
    fn of_the_process(
        &self,
        counters: &mut Counters,
        chance: &mut Chance,
        start: i64,
        step: i64,
        trouble: Option<Trouble>,
    ) {
        let seconds = step.unsigned_abs();
        let level = STREAMS * self.traffic(start + step / 2, 0);
        let bad = if trouble == Some(Trouble::Slow) { chance.share(seconds / 10, 0.8) } else { 0 };
        counters.set(Counter::ProbesGood, (seconds / 10).saturating_sub(bad));
        counters.set(Counter::ProbesBad, bad);
        counters.set(Counter::MaxConnectionsSum, 10_000 * seconds);
        counters.set(Counter::CpuMicros, seconds * (4_500 + (level * 42.0) as u64));
        counters.set(Counter::MemorySum, seconds * (27_000_000 + (level * 9_000.0) as u64));
        counters.set(Counter::MemoryLimitSum, seconds * 512_000_000);
        counters.set(Counter::UnusedMemorySum, seconds * 26_000_000);
    }

    /// Traffic at a moment: 1 on a working day around noon at the end of the past.
    fn traffic(&self, at: i64, hours: i64) -> f64 {
        let local = at + hours * 3_600;
        let hour = local.rem_euclid(DAY) as f64 / 3_600.0;
        // The first of January 1970 was a Thursday.
        let is_weekend = matches!((local.div_euclid(DAY) + 4).rem_euclid(7), 0 | 6);
        let of_the_day = 0.18 + 0.82 * (0.5 - 0.5 * ((hour - 1.0) / 24.0 * std::f64::consts::TAU).cos());
        let ago = (self.until - at).max(0) as f64 / DAY as f64;
        let growth = 1.0 / (1.0 + ago / 150.0);
        of_the_day * growth * if is_weekend { 0.45 } else { 1.0 }
    }
}

/// How values spread around the typical one: factor in thousandths, and share of all in percent.
const SPREAD: [(u64, u64); 5] = [(550, 22), (800, 30), (1_000, 26), (1_400, 16), (2_600, 6)];

impl Moment {
    /// All followers, out of those of each region at the same time.
    fn of_all(start: i64, step: i64, regions: &[Moment]) -> Moment {
        let (mut counters, mut values) = (Counters::default(), Vec::new());
        for region in regions {
            counters.merge(&region.counters);
            values.extend(&region.values);
        }
        // One server measured, and not one a region.
        counters.set(Counter::Seconds, step.unsigned_abs());
        counters.set(Counter::CoveredSeconds, step.unsigned_abs());
        let values = Measure::ALL.iter().filter_map(|&measure| together(measure, &values)).collect();
        Moment { start, step, counters, values }
    }

    pub fn count(&self, counter: Counter) -> u64 {
        self.counters.get(counter)
    }

    /// The time of both, which follow each other, and what happened in it.
    pub fn then(mut self, next: &Moment) -> Moment {
        self.step += next.step;
        self.counters.merge(&next.counters);
        self.values.extend(&next.values);
        self
    }

    /// As a row. Of a region only what is kept by region.
    pub fn sample(&self, node: &str, region: &str) -> Sample {
        let mut sample = Sample { region: region.to_owned(), ..Sample::new(node, self.start, self.step) };
        sample.counters = self.counters_of(region);
        let kept = self.values.iter().filter(|values| region.is_empty() || values.measure.is_by_region());
        kept.for_each(|values| values.record(&mut sample.histograms));
        sample
    }

    fn counters_of(&self, region: &str) -> Counters {
        let mut counters = Counters::default();
        let kept = self.counters.counted().filter(|(counter, _)| region.is_empty() || counter.is_by_region());
        kept.for_each(|(counter, amount)| counters.set(counter, amount));
        counters
    }
}

impl Values {
    fn record(&self, histograms: &mut Histograms) {
        for (factor, count) in spread(self.count) {
            histograms.record_n(self.measure, self.typical * factor / 1_000, count);
        }
    }
}

/// One measure's values of several regions as one: around the mean of what is typical.
fn together(measure: Measure, values: &[Values]) -> Option<Values> {
    let of_it = || values.iter().filter(|values| values.measure == measure);
    let count = of_it().map(|values| values.count).sum::<u64>();
    let sum = of_it().map(|values| values.typical * values.count).sum::<u64>();
    Some(Values { measure, typical: two_digits(sum.checked_div(count)?), count })
}

/// So many values by their factors; all of them, and few at the median.
fn spread(count: u64) -> impl Iterator<Item = (u64, u64)> {
    let mut left = count;
    SPREAD.into_iter().rev().enumerate().filter_map(move |(place, (factor, percent))| {
        let amount = if place + 1 == SPREAD.len() { left } else { (count * percent + 50) / 100 };
        let amount = amount.min(left);
        left -= amount;
        (amount > 0).then_some((factor, amount))
    })
}

/// Numbers between 0 and 1 that look like chance, the same for the same seed, region and time.
struct Chance(u64);

impl Chance {
    fn of(seed: u64, region: u64, start: i64) -> Chance {
        Chance(seed ^ region.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ start.cast_unsigned().rotate_left(17))
    }

    /// splitmix64.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A whole number whose mean is the given one.
    fn whole(&mut self, mean: f64) -> u64 {
        (mean + self.unit()).floor() as u64
    }

    /// So large a share of a count, at most all of it.
    fn share(&mut self, count: u64, share: f64) -> u64 {
        self.whole(count as f64 * share).min(count)
    }
}

/// Packs rows of single moments, and remembers compressed histograms: compressing costs more than all the rest, and many
/// are alike.
#[derive(Default)]
pub struct Packer {
    known: HashMap<Values, Vec<u8>>,
}

/// Compressed histograms that are remembered at the most, about a hundred bytes each.
const KNOWN: usize = 50_000;

impl Packer {
    pub fn pack(&mut self, moment: &Moment, node: &str, region: &str) -> Packed {
        // More than one value of a measure: several moments in a row, which no other is like.
        if moment.values.len() > Measure::ALL.len() {
            return moment.sample(node, region).pack();
        }
        let mut histograms: Compressed<Vec<u8>> = Default::default();
        for values in &moment.values {
            if !region.is_empty() && !values.measure.is_by_region() {
                continue;
            }
            if self.known.len() >= KNOWN {
                self.known.clear();
            }
            let bytes = self.known.entry(*values).or_insert_with(|| {
                let mut alone = Histograms::default();
                values.record(&mut alone);
                alone.encode(values.measure).unwrap_or_default()
            });
            histograms[values.measure as usize] = Some(bytes.clone());
        }
        let when = (moment.start, moment.step);
        Packed::new(node.to_owned(), region.to_owned(), when, &moment.counters_of(region), histograms)
    }
}

fn two_digits(value: u64) -> u64 {
    let mut unit = 1;
    while value / unit >= 100 {
        unit *= 10;
    }
    value / unit * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sunday, 29 November 2026, 11:00 UTC.
    const UNTIL: i64 = 1_795_950_000;

    fn past() -> Past {
        Past::new(7, UNTIL)
    }

    impl Past {
        fn all(&self, start: i64, step: i64) -> Moment {
            self.moments(start, step).swap_remove(0)
        }
    }

    /// Moments of ten seconds, one after the other.
    fn tens(past: &Past, start: i64, count: i64) -> Vec<Moment> {
        (0..count).map(|n| past.all(start + n * 10, 10)).collect()
    }

    fn merged(moments: Vec<Moment>) -> Moment {
        moments.into_iter().reduce(|sum, next| sum.then(&next)).expect("moments")
    }

    #[test]
    fn the_same_seed_gives_the_same_past_and_another_seed_another() {
        let pack = |seed| Packer::default().pack(&Past::new(seed, UNTIL).all(UNTIL - 600, 10), "n", "");
        assert_eq!(pack(7), pack(7));
        assert_ne!(pack(7), pack(8));
    }

    #[test]
    fn a_minute_is_what_its_tens_of_seconds_come_to() {
        let (past, mut packer) = (past(), Packer::default());
        let tens = tens(&past, UNTIL - 3_600, 6);
        let mut expected = Sample::new("n", UNTIL - 3_600, 60);
        for ten in &tens {
            // Twice, so that the second is from memory.
            packer.pack(ten, "n", "");
            expected.merge(&packer.pack(ten, "n", "").unpack());
        }
        let merged = merged(tens);
        assert_eq!(packer.pack(&merged, "n", "").unpack().counters, expected.counters);
        let minute = merged.sample("n", "");
        assert_eq!((minute.start, minute.step), (expected.start, 60));
        assert_eq!(minute.counters, expected.counters);
        for measure in Measure::ALL {
            assert_eq!(minute.histograms.get(measure), expected.histograms.get(measure), "{measure:?}");
        }
    }

    #[test]
    fn all_followers_are_those_of_the_regions() {
        let past = past();
        for start in [UNTIL - 3_600, UNTIL - 40 * DAY] {
            let all = past.all(start, 60).sample("n", "");
            let mut sum = Counters::default();
            for ((name, ..), part) in REGIONS.into_iter().zip(&past.moments(start, 60)[1..]) {
                let part = part.sample("n", name);
                assert!(part.counters.counted().all(|(counter, _)| counter.is_by_region()));
                assert!(part.histograms.get(Measure::ConnectionDuration).is_empty());
                sum.merge(&part.counters);
            }
            for counter in [Counter::Delivered, Counter::StreamSeconds, Counter::ConnectEstablished] {
                assert_eq!(all.counters.get(counter), sum.get(counter), "{counter:?}");
            }
            assert_eq!(all.counters.get(Counter::Seconds), 60);
            assert_eq!(
                all.histograms.get(Measure::DeliveryLatency).len(),
                all.counters.get(Counter::Delivered),
                "each delivery has its value"
            );
        }
    }

    #[test]
    fn counts_agree_with_each_other() {
        let past = past();
        for day in 0..90 {
            let counters = past.all(UNTIL - day * DAY - 3_600, 3_600).counters;
            let get = |counter| counters.get(counter);
            let lost = get(Counter::DroppedGone) + get(Counter::Conflated) + get(Counter::DroppedSlow);
            assert_eq!(get(Counter::DeliveriesDue), get(Counter::Delivered) + lost);
            assert_eq!(
                get(Counter::ConnectAttempts),
                get(Counter::ConnectEstablished) + get(Counter::ConnectFailed)
            );
            let closed = get(Counter::ClosedByClient) + get(Counter::ClosedAtEnd);
            assert_eq!(get(Counter::StreamsClosed), closed);
            let ended = get(Counter::SessionsCompleted)
                + get(Counter::SessionsFailed)
                + get(Counter::SessionsAbandoned);
            assert_eq!(get(Counter::SessionsStarted), ended);
            let reasons = get(Counter::FallbackBuffered)
                + get(Counter::FallbackWatchdog)
                + get(Counter::FallbackConnectFailed);
            assert_eq!(get(Counter::SessionsFellBack), reasons);
            assert!(get(Counter::PollsUnchanged) <= get(Counter::PollRequests));
        }
    }

    #[test]
    fn days_are_busier_than_nights_and_working_days_than_sundays() {
        let past = past();
        let streams =
            |at: i64| past.all(at, 3_600).sample("n", "").level(Counter::StreamSeconds).unwrap_or(0.0);
        // UNTIL is a Sunday: two days before is a Friday.
        let friday = UNTIL - 2 * DAY;
        assert!(streams(friday) > 2.0 * streams(friday - 9 * 3_600), "eleven o'clock against two");
        assert!(streams(friday) > 1.5 * streams(UNTIL));
        assert!(streams(friday) > 1.2 * streams(friday - 84 * DAY), "it grew");
    }

    #[test]
    fn the_bad_spells_can_be_seen_and_the_rest_is_good() {
        let past = past();
        let [errors, slow, connects] = past.spells();
        let rate = |at| past.all(at, 600).sample("n", "").error_rate().unwrap_or(0.0);
        assert!(rate(errors.from) > 2.0 && rate(errors.from - 600) < 0.1 && rate(errors.to) < 0.1);
        let p95 = |at| {
            past.all(at, 600).sample("n", "").percentile(Measure::DeliveryLatency, 95.0, 20).unwrap_or(0.0)
        };
        assert!(p95(slow.from) > 100_000.0 && p95(slow.from - 600) < 2_000.0 && p95(slow.to) < 2_000.0);
        let failed = |at| past.all(at, 2_400).counters.get(Counter::ConnectFailed);
        assert!(failed(connects.from) >= 4 && failed(connects.from - 2_400) <= 1);
        let success = past.all(connects.from, 2_400).sample("n", "").connection_success_rate();
        assert!(success.is_some_and(|rate| rate < 80.0), "one region's browsers try again and again");
        let good = past.all(UNTIL - 10 * DAY, DAY).sample("n", "");
        assert!(good.error_rate().is_some_and(|rate| rate < 0.1));
    }

    #[test]
    fn deploys_are_within_the_days() {
        let deploys: Vec<i64> = past().deploys(90).collect();
        assert_eq!(deploys.len(), 7);
        assert!(deploys.iter().all(|at| (UNTIL - 90 * DAY..UNTIL).contains(at)));
    }

    #[test]
    fn values_are_rounded_to_two_digits_and_spread_without_a_loss() {
        assert_eq!([0, 7, 99, 100, 1_234, 98_765].map(two_digits), [0, 7, 99, 100, 1_200, 98_000]);
        for count in [1, 2, 3, 7, 50, 99, 12_345] {
            assert_eq!(spread(count).map(|(_, amount)| amount).sum::<u64>(), count);
        }
        assert_eq!(spread(100).collect::<Vec<_>>()[0], (2_600, 6));
    }
}
