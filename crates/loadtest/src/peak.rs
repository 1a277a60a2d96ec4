//! Response times while the load is at its peak: the busiest ten seconds of a run.

use crate::tally::{Tally, Times};
use std::collections::BTreeMap;

/// As long as the server's CPU peak.
pub const PEAK_SECONDS: u64 = 10;
/// Threads report a second when it is over, so seconds of two spans come mixed.
const OPEN: usize = 2;

/// Spans of ten seconds, of which only the busiest and those that still grow are held.
#[derive(Default)]
pub struct Peak {
    growing: BTreeMap<u64, Span>,
    busiest: Span,
}

#[derive(Default)]
struct Span {
    /// Deliveries and answers: what the server did.
    load: u64,
    response: Times,
}

impl Peak {
    pub fn second(&mut self, second: u64, tally: &Tally) {
        let span = self.growing.entry(second / PEAK_SECONDS).or_default();
        span.load += tally.counts.delivered + tally.response.count();
        span.response.merge(&tally.response);
        while self.growing.len() > OPEN {
            self.close_first();
        }
    }

    fn close_first(&mut self) {
        if let Some((_, span)) = self.growing.pop_first()
            && span.load > self.busiest.load
        {
            self.busiest = span;
        }
    }

    /// Of the busiest span.
    pub fn response(mut self) -> Times {
        while !self.growing.is_empty() {
            self.close_first();
        }
        self.busiest.response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(delivered: u64, response_us: u64) -> Tally {
        let mut tally = Tally::default();
        tally.counts.delivered = delivered;
        tally.response.record(response_us);
        tally
    }

    #[test]
    fn the_busiest_ten_seconds_count_whatever_the_order_of_the_threads() {
        let mut peak = Peak::default();
        for second in 0..60 {
            let is_busy = (20..30).contains(&second);
            let (delivered, us) = if is_busy { (1_000, 80_000) } else { (10, 500_000) };
            peak.second(second, &tally(delivered, us));
            // A second thread reports one second later.
            peak.second(second.saturating_sub(1), &tally(0, us));
        }
        let response = peak.response();
        assert_eq!(response.count(), 20);
        assert!(response.ms(50.0).is_some_and(|ms| (79.0..81.0).contains(&ms)));
    }

    #[test]
    fn a_run_without_answers_has_none() {
        assert_eq!(Peak::default().response().count(), 0);
    }
}
