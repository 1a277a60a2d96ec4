//! Exact decimals and durations, as people write them.

use std::fmt::{self, Display};

/// A decimal of at most twelve digits before and six after the point, in millionths: 0.1 % must be one in a thousand
/// exactly, or counts at the limit would fall to either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(u128);

const ONE: u128 = 1_000_000;

impl Number {
    pub const fn whole(number: u64) -> Number {
        Number(number as u128 * ONE)
    }

    pub const fn millionths(number: u64) -> Number {
        Number(number as u128)
    }

    pub fn parse(text: &str) -> Option<Number> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str, most| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(whole, 12) || !digits(part, 6) {
            return None;
        }
        let part: u128 = format!("{part:0<6}").parse().ok()?;
        Some(Number(whole.parse::<u128>().ok()? * ONE + part))
    }

    /// Units of a thing count at most 2^30.
    pub(super) fn times(self, factor: u32) -> Number {
        Number(self.0.saturating_mul(factor.into()))
    }

    pub fn less(self, other: Number) -> Option<Number> {
        Some(Number(self.0.checked_sub(other.0)?))
    }

    /// Rounded to a millionth.
    pub fn percent(self, percent: u32) -> Number {
        Number((self.0.saturating_mul(percent.into()) + 50) / 100)
    }

    pub fn in_millionths(self) -> u128 {
        self.0
    }

    pub fn value(self) -> f64 {
        self.0 as f64 / ONE as f64
    }

    /// Of a number in percent: a reduced fraction of 1.
    pub fn share(self) -> (u128, u128) {
        reduced(self.0, 100 * ONE)
    }

    /// What is missing to 100 %, as [`Number::share`].
    pub fn rest(self) -> (u128, u128) {
        reduced((100 * ONE).saturating_sub(self.0), 100 * ONE)
    }
}

fn reduced(part: u128, whole: u128) -> (u128, u128) {
    let (mut a, mut b) = (part, whole);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    (part / a.max(1), whole / a.max(1))
}

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / ONE, self.0 % ONE);
        match format!("{part:06}").trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            part => write!(f, "{whole}.{part}"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(pub u32);

const UNITS: [(char, u32); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl Seconds {
    /// `5m`, `90s`, `1h30m`: larger units first, each once.
    pub fn parse(text: &str) -> Option<Seconds> {
        let mut rest = text;
        let mut units = UNITS.iter();
        let mut sum: u32 = 0;
        while !rest.is_empty() {
            let end = rest.find(|letter: char| !letter.is_ascii_digit()).filter(|&end| end > 0)?;
            let (number, tail) = rest.split_at(end);
            let unit = tail.chars().next()?;
            let &(_, seconds) = units.find(|(letter, _)| *letter == unit)?;
            sum = sum.checked_add(number.parse::<u32>().ok()?.checked_mul(seconds)?)?;
            rest = &tail[unit.len_utf8()..];
        }
        (!text.is_empty()).then_some(Seconds(sum))
    }
}

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        for (letter, seconds) in UNITS {
            if rest >= seconds {
                write!(f, "{}{letter}", rest / seconds)?;
                rest %= seconds;
            }
        }
        if self.0 == 0 { f.write_str("0s") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_decimal_is_kept_exactly() {
        let check = |text: &str, number: Option<&str>| {
            assert_eq!(Number::parse(text).map(|number| number.to_string()).as_deref(), number, "{text}");
        };
        check("1", Some("1"));
        check("0.10", Some("0.1"));
        check("014.4", Some("14.4"));
        check("99.999999", Some("99.999999"));
        for bad in
            ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,000", "1_000", "1.0000001", "1234567890123", "NaN"]
        {
            check(bad, None);
        }
        let percent = |text: &str| Number::parse(text).expect("a number");
        assert_eq!(percent("0.1").share(), (1, 1_000));
        assert_eq!(percent("95").rest(), (1, 20));
        assert_eq!(percent("0").share(), (0, 1));
        assert_eq!(percent("100").rest(), (0, 1));
    }

    #[test]
    fn a_duration_names_its_units_from_the_largest_on() {
        let check = |text: &str, seconds| assert_eq!(Seconds::parse(text).map(|it| it.0), seconds, "{text}");
        check("5m", Some(300));
        check("1h30m", Some(5_400));
        check("90s", Some(90));
        check("3d", Some(259_200));
        check("0s", Some(0));
        for bad in
            ["", "5", "m", "5 m", "5min", "30m1h", "1m1m", "5ms", "1.5h", "-5m", "99999999999s", "9999999d"]
        {
            check(bad, None);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(millionths: u64, seconds: u32) {
            let number = Number::millionths(millionths % 1_000_000_000_000_000_000);
            prop_assert_eq!(Number::parse(&number.to_string()), Some(number));
            prop_assert_eq!(Seconds::parse(&Seconds(seconds).to_string()), Some(Seconds(seconds)));
        }
    }
}
