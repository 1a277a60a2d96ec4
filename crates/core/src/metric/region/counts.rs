//! How many of something are of each region, counted within one fan-out.

use super::Region;

/// Cheap where few of the regions occur, as among the followers of one session.
#[derive(Clone, Debug)]
pub struct Counts {
    each: [u64; Region::COUNT],
    /// A bit for each region that occurs.
    present: u64,
    sum: u64,
}

const _: () = assert!(Region::COUNT <= u64::BITS as usize, "a bit for each region");

impl Default for Counts {
    fn default() -> Self {
        Counts { each: [0; Region::COUNT], present: 0, sum: 0 }
    }
}

impl Counts {
    pub fn add(&mut self, region: Region, count: u64) {
        self.each[region.index()] += count;
        self.present |= 1 << region.index();
        self.sum += count;
    }

    /// Of all, those included of which nobody knows where they are.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The known regions that occur.
    pub fn known(&self) -> impl Iterator<Item = (Region, u64)> {
        let unknown = 1 << Region::UNKNOWN.index();
        let mut left = self.present & !unknown;
        std::iter::from_fn(move || {
            let index = (left != 0).then_some(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some((Region::at(index), self.each[index]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_is_counted_in_its_region(indices in prop::collection::vec(0..Region::COUNT, 0..100)) {
            let mut counts = Counts::default();
            indices.iter().for_each(|&index| counts.add(Region::at(index), 2));
            prop_assert_eq!(counts.sum(), 2 * indices.len() as u64);
            let expected: Vec<_> = (1..Region::COUNT)
                .map(|at| (Region::at(at), 2 * indices.iter().filter(|&&index| index == at).count() as u64))
                .filter(|(_, count)| *count > 0)
                .collect();
            prop_assert_eq!(counts.known().collect::<Vec<_>>(), expected);
        }
    }
}
