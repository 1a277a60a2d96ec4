//! Slows down clients that guess: beyond a number of wrong keys and tickets an address and minute, none is checked.

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::{
    collections::HashMap,
    net::IpAddr,
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use streamgauge_core::settings::limits::network;

/// Wrong ones that an address may send at once, and again within each minute.
const MISTAKES: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);
/// Addresses that are remembered. More at once is no forgetful client but an attack from everywhere, and then no more are
/// counted: memory is bounded before guessing is.
const ADDRESSES: usize = 10_000;

pub struct Throttle {
    wrong: DefaultKeyedRateLimiter<IpAddr>,
    /// Addresses that have used up what they had, until they may try again.
    spent: Mutex<HashMap<IpAddr, Instant>>,
    swept: Mutex<Option<Instant>>,
}

impl Default for Throttle {
    fn default() -> Throttle {
        Throttle {
            wrong: RateLimiter::keyed(Quota::per_minute(MISTAKES)),
            spent: Mutex::default(),
            swept: Mutex::default(),
        }
    }
}

impl Throttle {
    pub fn is_spent(&self, address: Option<IpAddr>) -> bool {
        let Some(address) = address.map(network) else { return false };
        let mut spent = self.spent();
        match spent.get(&address) {
            Some(&until) if Instant::now() < until => true,
            Some(_) => {
                spent.remove(&address);
                false
            }
            None => false,
        }
    }

    fn spent(&self) -> MutexGuard<'_, HashMap<IpAddr, Instant>> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a wrong one.
    pub fn count(&self, address: Option<IpAddr>) {
        let Some(address) = address.map(network) else { return };
        if self.wrong.len() >= ADDRESSES && !self.sweep() {
            return;
        }
        if let Err(not_until) = self.wrong.check_key(&address) {
            let wait = not_until.wait_time_from(governor::clock::Clock::now(self.wrong.clock()));
            let mut spent = self.spent();
            if spent.len() >= ADDRESSES {
                spent.clear();
            }
            spent.insert(address, Instant::now() + wait);
        }
    }

    /// Forgets addresses without recent mistakes, at most once a second: it visits all of them. `false`: no room.
    fn sweep(&self) -> bool {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.is_some_and(|at| at.elapsed() < Duration::from_secs(1)) {
            return false;
        }
        *swept = Some(Instant::now());
        self.wrong.retain_recent();
        self.wrong.len() < ADDRESSES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_forgiven_and_guessing_is_not() {
        let throttle = Throttle::default();
        let guesser = Some("192.0.2.1".parse().expect("an address"));
        for _ in 0..MISTAKES.get() {
            throttle.count(guesser);
            assert!(!throttle.is_spent(guesser));
        }
        throttle.count(guesser);
        assert!(throttle.is_spent(guesser));
        assert!(!throttle.is_spent(Some("192.0.2.2".parse().expect("an address"))));
        assert!(!throttle.is_spent(None));
        let network = |host: u16| Some(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]));
        (0..=MISTAKES.get()).for_each(|host| throttle.count(network(host as u16)));
        assert!(throttle.is_spent(network(99)), "one network is one guesser");
    }
}
