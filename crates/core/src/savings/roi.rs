//! What streaming is worth against what it cost: total savings, ROI, payback. Money is whole micro-dollars.
//!
//! Source of the formulas and prices: the product's epic, "Cost Savings Tracker".

use crate::savings::MicroUsd;
use serde::{Deserialize, Serialize};

/// USD 25 a support ticket.
const PER_TICKET: i64 = 25_000_000;

/// Support tickets about status updates, before - after, over times of the same length. Negative where there are more.
pub fn tickets_saved(before: u32, after: u32) -> i64 {
    i64::from(before) - i64::from(after)
}

pub fn worth_of_tickets(saved: i64) -> MicroUsd {
    MicroUsd(saved.saturating_mul(PER_TICKET))
}

/// What is saved in a month; each part is negative where streaming costs more.
///
/// The epic calls `monitoring` a change of cost and adds it to the savings, by which dearer monitoring would pay. Here
/// it is what is saved, like the others, so that the sum means what it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MonthlySavings {
    pub bandwidth: MicroUsd,
    pub requests: MicroUsd,
    pub server: MicroUsd,
    pub database: MicroUsd,
    pub cdn: MicroUsd,
    pub tickets: MicroUsd,
    pub monitoring: MicroUsd,
}

impl MonthlySavings {
    /// Sum of all parts. The epic prices requests and then leaves them out of its total: they belong to it.
    pub fn total(self) -> MicroUsd {
        let MonthlySavings { bandwidth, requests, server, database, cdn, tickets, monitoring } = self;
        let parts = [bandwidth, requests, server, database, cdn, tickets, monitoring];
        bounded(parts.iter().map(|part| i128::from(part.0)).sum())
    }
}

/// What streaming costs: its implementation once, and so much a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    once: MicroUsd,
    monthly: MicroUsd,
}

impl Cost {
    /// `None`: less than nothing was spent.
    pub fn new(once: MicroUsd, monthly: MicroUsd) -> Option<Cost> {
        (once >= MicroUsd(0) && monthly >= MicroUsd(0)).then_some(Cost { once, monthly })
    }
}

/// When what was spent once has come back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Payback {
    Months(f64),
    /// A month leaves nothing over, so it is not a matter of time; dividing would say infinity, or less than nothing.
    Never,
}

/// The epic's ROI report.
///
/// The epic takes the monthly cost off for the ROI alone, so that one report could show a loss every month and its
/// payback too. Here it is taken off for ROI, payback and three-year value alike; without a monthly cost all three are
/// the epic's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoiReport {
    pub implementation_cost: MicroUsd,
    pub monthly_savings: MicroUsd,
    /// (savings - monthly cost) / implementation cost, percent a month; `None` where nothing was spent once.
    #[serde(rename = "monthlyROI")]
    pub monthly_roi: Option<f64>,
    /// Implementation cost / (savings - monthly cost), months.
    pub payback_period: Payback,
    /// Savings x 12, before any cost.
    pub annual_savings: MicroUsd,
    /// (savings - monthly cost) x 36 - implementation cost.
    pub three_year_value: MicroUsd,
}

impl RoiReport {
    /// `monthly_savings` as [`MonthlySavings::total`] has it.
    pub fn of(cost: Cost, monthly_savings: MicroUsd) -> RoiReport {
        let (savings, once) = (i128::from(monthly_savings.0), i128::from(cost.once.0));
        let net = savings - i128::from(cost.monthly.0);
        RoiReport {
            implementation_cost: cost.once,
            monthly_savings,
            monthly_roi: (once > 0).then(|| net as f64 / once as f64 * 100.0),
            payback_period: if net > 0 { Payback::Months(once as f64 / net as f64) } else { Payback::Never },
            annual_savings: bounded(savings * 12),
            three_year_value: bounded(net * 36 - once),
        }
    }
}

fn bounded(micro_usd: i128) -> MicroUsd {
    MicroUsd(micro_usd.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn usd(dollars: i64) -> MicroUsd {
        MicroUsd(dollars * 1_000_000)
    }

    #[test]
    fn a_ticket_is_worth_25_dollars() {
        for (before, after, saved, worth) in [(120, 80, 40, 1_000), (0, 0, 0, 0), (80, 82, -2, -50)] {
            assert_eq!(tickets_saved(before, after), saved);
            assert_eq!(worth_of_tickets(saved), usd(worth));
        }
    }

    #[test]
    fn every_part_counts_and_losses_count_against() {
        let traffic = MonthlySavings { bandwidth: usd(1), requests: usd(20), ..MonthlySavings::default() };
        let infrastructure =
            MonthlySavings { server: usd(300), database: usd(4_000), cdn: usd(50_000), ..traffic };
        let all = MonthlySavings { tickets: usd(600_000), monitoring: usd(-7), ..infrastructure };
        assert_eq!(all.total(), usd(654_314));
        let huge = MicroUsd(i64::MAX);
        assert_eq!(MonthlySavings { bandwidth: huge, cdn: huge, ..all }.total(), huge);
    }

    #[test]
    fn a_report_never_divides_by_nothing() {
        let check = |once, monthly, savings, roi, payback, three_years| {
            let cost = Cost::new(usd(once), usd(monthly)).expect("a cost");
            let report = RoiReport::of(cost, usd(savings));
            assert_eq!((report.monthly_roi, report.payback_period), (roi, payback));
            assert_eq!(
                (report.annual_savings, report.three_year_value),
                (usd(savings * 12), usd(three_years))
            );
        };
        check(12_000, 0, 1_500, Some(12.5), Payback::Months(8.0), 42_000);
        check(12_000, 300, 1_500, Some(10.0), Payback::Months(10.0), 31_200);
        check(12_000, 300, 300, Some(0.0), Payback::Never, -12_000);
        check(12_000, 300, 180, Some(-1.0), Payback::Never, -16_320);
        check(12_000, 0, 0, Some(0.0), Payback::Never, -12_000);
        check(0, 0, 1_500, None, Payback::Months(0.0), 54_000);
        check(0, 0, 0, None, Payback::Never, 0);
        assert_eq!((Cost::new(usd(-1), usd(1)), Cost::new(usd(1), usd(-1))), (None, None));
    }

    proptest! {
        /// What has paid for itself within three years is worth something by then, and the other way round.
        #[test]
        fn payback_and_value_agree(once in 0..4_000_000_000i64, monthly in 0..1_000_000_000i64, savings: i32) {
            let cost = Cost::new(MicroUsd(once), MicroUsd(monthly)).expect("a cost");
            let report = RoiReport::of(cost, MicroUsd(savings.into()));
            match report.payback_period {
                Payback::Months(months) => {
                    prop_assert!(months.is_finite() && months >= 0.0);
                    prop_assert_eq!(months <= 36.0, report.three_year_value >= MicroUsd(0));
                }
                Payback::Never => prop_assert!(report.three_year_value <= MicroUsd(0)),
            }
        }
    }
}
