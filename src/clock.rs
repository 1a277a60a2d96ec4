//! The server's one look at the clock; everything below it takes the time as an argument.

use std::{
    sync::LazyLock,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// Unix microseconds: the unit in which deliveries are timed, also between nodes.
pub fn now_us() -> i64 {
    // Before 1970 and after 292,277 there is no sensible answer; 0 keeps the process alive.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(0))
}

/// Unix milliseconds: the unit in which events are dated.
pub fn now_ms() -> i64 {
    now_us() / 1_000
}

/// Milliseconds since this process first asked, by a clock that nobody sets: the unit in which ages are measured.
pub fn steady_ms() -> i64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    i64::try_from(START.elapsed().as_millis()).unwrap_or(i64::MAX)
}
