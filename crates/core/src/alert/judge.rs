//! The windows of a rule, and the judgement that ratio and mean rules share.
//!
//! A rule of duration D looks at the newest D, 3 D and 12 D buckets. A window with *evidence* (the breach is no chance)
//! that is also *recent* is live: pending. With *spread* (the breach lasted all the while) it fires. Evidence and spread
//! are apart, because a short total failure is evidence of a breach but is no breach "for 5m".

use super::buckets::{History, MOST, SECONDS, Tally};
use super::reason::Reason;

/// The lengths of a rule's windows, in buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    duration: usize,
    all: Vec<usize>,
    /// Seconds of a bucket.
    step: i64,
}

/// What one closed bucket means for a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The smallest window that fires, in buckets.
    pub fire: Option<usize>,
    /// Evidence in any window: pending at least, and no recovery.
    pub live: bool,
    pub recovery: Recovery,
    /// Whether the newest bucket by itself lies above the threshold.
    pub above: bool,
    /// Whether anything happened in the newest D buckets.
    pub traffic: bool,
    pub reason: Reason,
}

/// What the judgement says to a rule that fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// The breach goes on.
    No,
    /// Good: counts once towards the hold.
    Counts,
    /// The newest bucket is good, and the hold is a window by itself: `over` says whether all of it was.
    Window { over: bool },
}

impl Windows {
    /// `seconds` is the rule's duration. It is rounded up to whole buckets of 10 s.
    pub fn new(seconds: u64) -> Self {
        Self::of_step(seconds, SECONDS)
    }

    /// The same over buckets of `step` seconds.
    pub fn of_step(seconds: u64, step: i64) -> Self {
        let step = step.max(1);
        let most = (MOST as i64 * SECONDS / step).max(1) as usize;
        let duration = (seconds.div_ceil(step as u64) as usize).clamp(1, most);
        let mut all: Vec<usize> = [1, 3, 12].iter().map(|times| (times * duration).min(most)).collect();
        all.dedup();
        Self { duration, all, step }
    }

    /// How many seconds so many buckets are.
    pub fn seconds(&self, buckets: usize) -> i64 {
        buckets as i64 * self.step
    }

    /// Buckets of a minute, at least one.
    fn minute(&self) -> usize {
        (60 / self.step).max(1) as usize
    }

    pub fn duration(&self) -> usize {
        self.duration
    }

    /// How many present buckets a judgement may look at.
    pub fn keep(&self) -> usize {
        let longest = self.all.last().copied().unwrap_or(self.duration);
        longest.max(self.needed(self.duration))
    }

    /// How long a breach must be over before the rule resolves, in judgements: the duration, at least five minutes.
    pub fn hold(&self) -> u32 {
        (self.duration.max((300 / self.step) as usize)) as u32
    }

    /// Parts of each window, at most five.
    fn parts(&self) -> usize {
        self.duration.min(5)
    }

    /// The ages of one part, the newest part first.
    fn part(&self, window: usize, part: usize) -> (usize, usize) {
        (part * window / self.parts(), (part + 1) * window / self.parts())
    }

    /// The window of the duration also looks at the part that ended D ago.
    fn needed(&self, window: usize) -> usize {
        if window == self.duration { window + (window / self.parts()).max(1) } else { window }
    }

    fn complete<T: Tally>(&self, history: &History<T>, window: usize) -> bool {
        // In tenths of the window: 2.4 for D, of which there is a fifth more, else 2.
        let most = if window == self.duration { 24 } else { 20 };
        history
            .span(self.needed(window))
            .is_some_and(|span| span.saturating_mul(10) <= (most * window) as i64)
    }
}

/// One kind of rule, as far as it differs.
pub trait Test {
    type Bucket: Tally;
    /// The newest buckets lie above the threshold, without regard to chance.
    fn point(&self, sum: &Self::Bucket) -> bool;
    /// A part of a window lies above it.
    fn above(&self, sum: &Self::Bucket) -> bool;
    /// A whole window lies above it, and that is no chance.
    fn evidence(&self, sum: &Self::Bucket) -> bool;
    /// At or under the level of recovery. True without events.
    fn recovered(&self, sum: &Self::Bucket) -> bool;
    fn events(&self, sum: &Self::Bucket) -> u64;
    fn reason(&self, sum: &Self::Bucket, finding: Finding, seconds: i64) -> Reason;
}

/// Which step decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// No window has evidence.
    Quiet,
    /// Evidence, but the newest buckets are good.
    Over,
    /// Live, but not above for the whole duration.
    Short,
    Fires,
}

/// `fired`: the window that fired, while the rule fires. `eager`: do not ask that the breach began D ago.
pub fn judge<T: Test>(
    test: &T,
    windows: &Windows,
    eager: bool,
    history: &History<T::Bucket>,
    fired: Option<usize>,
) -> Verdict {
    let (mut fire, mut shown) = (None, None);
    let (mut live, mut complete) = (false, false);
    for &window in &windows.all {
        if !windows.complete(history, window) {
            continue;
        }
        complete = true;
        if !test.evidence(&history.sum(0, window)) {
            continue;
        }
        if !recent(test, windows, history, window) {
            shown.get_or_insert((window, Finding::Over));
            continue;
        }
        live = true;
        if fire.is_none() && spread(test, windows, eager, history, window) {
            fire = Some(window);
            shown = Some((window, Finding::Fires));
        } else if !matches!(shown, Some((_, Finding::Fires | Finding::Short))) {
            shown = Some((window, Finding::Short));
        }
    }
    let newest = history.sum(0, windows.duration);
    let clear = !live && test.recovered(&newest) && fired.is_none_or(|w| test.recovered(&history.sum(0, w)));
    let traffic = test.events(&newest) > 0;
    let reason = match shown {
        _ if !complete => Reason::Learning {
            seen: windows.seconds(history.len()),
            needed: windows.seconds(windows.needed(windows.duration)),
        },
        None if !traffic => Reason::NoTraffic { seconds: windows.seconds(windows.duration) },
        None => test.reason(&newest, Finding::Quiet, windows.seconds(windows.duration)),
        Some((window, finding)) => test.reason(&history.sum(0, window), finding, windows.seconds(window)),
    };
    let recovery = if clear { Recovery::Counts } else { Recovery::No };
    Verdict { fire, live, recovery, above: test.point(&history.sum(0, 1)), traffic, reason }
}

/// A minute at least, so that a single good bucket does not end a breach of few events.
fn recent<T: Test>(test: &T, windows: &Windows, history: &History<T::Bucket>, window: usize) -> bool {
    test.point(&history.sum(0, (window / 6).max(window.min(windows.minute()))))
}

/// This is the operator's "for 5m": at least four of five parts are above, and for D itself also the newest and the one
/// that ended D ago. One burst never fires.
fn spread<T: Test>(
    test: &T,
    windows: &Windows,
    eager: bool,
    history: &History<T::Bucket>,
    window: usize,
) -> bool {
    let (parts, duration) = (windows.parts(), windows.duration);
    let above = |(from, to): (usize, usize)| test.above(&history.sum(from, to));
    let count = (0..parts).filter(|part| above(windows.part(window, *part))).count();
    let needed = if parts == 5 { 4 } else { parts };
    let part = (duration / parts).max(1);
    count >= needed
        && (eager || window != duration || (above((0, part)) && above((duration, duration + part))))
}

#[cfg(test)]
mod tests {
    use super::super::ratio::Counts;
    use super::*;

    #[test]
    fn windows_are_the_duration_and_three_and_twelve_times_it_up_to_seven_days() {
        let check =
            |seconds, expected: &[usize]| assert_eq!(Windows::new(seconds).all, expected, "{seconds} s");
        check(300, &[30, 90, 360]);
        check(1, &[1, 3, 12]);
        check(121, &[13, 39, 156]);
        check(86_400, &[8640, 25_920, 60_480]);
    }

    #[test]
    fn parts_of_a_window_differ_by_one_bucket_at_most() {
        let parts = |seconds, window| -> Vec<usize> {
            let windows = Windows::new(seconds);
            let length = |part| windows.part(window, part).1 - windows.part(window, part).0;
            (0..windows.parts()).map(length).collect()
        };
        assert_eq!(parts(120, 12), [2, 2, 3, 2, 3]);
        assert_eq!(parts(300, 90), [18; 5]);
        assert_eq!(parts(10, 3), [3]);
        assert_eq!(Windows::new(120).needed(12), 14);
    }

    #[test]
    fn a_window_that_spans_too_much_time_is_not_judged() {
        let windows = Windows::new(300);
        let with_gap = |gap: i64| {
            let mut history = History::new(windows.keep());
            for index in 0..36 {
                history.push(if index < 18 { index } else { index + gap }, Counts::new(1, 0));
            }
            windows.complete(&history, 30)
        };
        assert!(with_gap(0));
        assert!(with_gap(36)); // 72 buckets: 24 x 30 s
        assert!(!with_gap(37));
    }
}
