//! Every counter, as a metric of `/metrics`.

use super::{Family, PREFIX, Point, Values};
use crate::metric::measure::counters::{Counter, Counters};

/// All counters, also those that are zero: a series that appears late has no rate.
pub fn counters(total: &Counters) -> impl Iterator<Item = Family> + '_ {
    Counter::FAMILIES.iter().map(|family| {
        let points = family.counters.iter().map(|&(value, counter)| Point {
            label: family.label.map(|label| (label, value.into())),
            value: total.get(counter) as f64,
        });
        let name = format!("{PREFIX}{}", family.name).into();
        Family { name, unit: family.unit, help: family.help, values: Values::Counter(points.collect()) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_with_its_unit() {
        for family in counters(&Counters::default()) {
            let ends = family.unit.as_str().is_none_or(|unit| family.name.ends_with(&format!("_{unit}")));
            assert!(ends && family.name.starts_with(PREFIX), "{}", family.name);
        }
    }

    #[test]
    fn each_counter_of_a_metric_has_a_label_value_of_its_own() {
        let mut total = Counters::default();
        total.add(Counter::ClosedSlow, 3);
        total.add(Counter::Gaps, 2);
        let families: Vec<Family> = counters(&total).collect();
        let of = |name: &str| {
            let found = families.iter().find(|family| family.name.ends_with(name)).expect("a metric");
            match &found.values {
                Values::Counter(points) => points.clone(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(of("_gaps"), [Point { label: None, value: 2.0 }]);
        let slow = Point { label: Some(("reason", "slow".into())), value: 3.0 };
        assert!(of("_streams_closed").contains(&slow));
        for family in Counter::FAMILIES {
            let mut values: Vec<&str> = family.counters.iter().map(|(value, _)| *value).collect();
            values.sort_unstable();
            values.dedup();
            assert_eq!(values.len(), family.counters.len(), "{}", family.name);
            assert_eq!(family.label.is_some(), !values.contains(&""), "{}", family.name);
            if let (None, [(_, counter)]) = (family.label, family.counters) {
                assert_eq!(family.name, counter.name(), "one name wherever it is seen");
            }
        }
    }
}
