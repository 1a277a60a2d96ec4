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
    // JavaScript counts minutes west of UTC.
    match -web_sys::js_sys::Date::new_0().get_timezone_offset() as i32 {
        0 => Zone::Utc,
        minutes => Zone::Local(minutes),
    }
}

#[cfg(not(feature = "hydrate"))]
fn local() -> Zone {
    Zone::Utc
}
