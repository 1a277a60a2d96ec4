//! UTC in the first render, the reader's own time afterwards.

use super::time::Zone;
use leptos::prelude::*;

/// Starts at UTC, in which the server wrote: hydration must find the same text. Effects run in browsers only.
pub fn provide() {
    let zone = RwSignal::new(Zone::Utc);
    provide_context(zone);
    Effect::new(move || zone.set(local()));
}

/// The zone to write in, from the context.
pub fn reader() -> RwSignal<Zone> {
    use_context().unwrap_or_else(|| RwSignal::new(Zone::Utc))
}

#[cfg(feature = "hydrate")]
fn local() -> Zone {
    use web_sys::js_sys::Date;
    // JavaScript counts minutes west of UTC.
    let east = |at: i64| -Date::new(&(at as f64 * 1_000.0).into()).get_timezone_offset() as i32;
    let now = (Date::now() / 1_000.0) as i64;
    // London is at UTC in winter only.
    let half_a_year = 182 * 86_400;
    if [now, now - half_a_year].map(east) == [0, 0] { Zone::Utc } else { Zone::Local(east) }
}

#[cfg(not(feature = "hydrate"))]
fn local() -> Zone {
    Zone::Utc
}
