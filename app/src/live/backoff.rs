//! How long to wait before asking again.

/// Doubles from one second to half a minute; `chance` (0 to 1) spreads it over the upper half, so that the
/// pages of one server that went away do not come back in the same instant.
pub fn wait_ms(attempt: u32, chance: f64) -> u64 {
    let full = 1_000u64 << attempt.min(5);
    let full = full.min(30_000) as f64;
    (full * (0.5 + chance.clamp(0.0, 1.0) / 2.0)) as u64
}

#[cfg(test)]
mod tests {
    use super::wait_ms;

    #[test]
    fn waits_grow_and_are_bounded() {
        let check = |attempt, chance, expected| assert_eq!(wait_ms(attempt, chance), expected);
        check(0, 0.0, 500);
        check(0, 1.0, 1_000);
        check(3, 0.0, 4_000);
        check(30, 1.0, 30_000);
    }
}
