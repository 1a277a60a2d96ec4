//! One file a page.

pub mod board; // the Overview's panels, once its figures are there
#[cfg(feature = "ssr")]
pub mod load_test; // `/load-tests/{id}`, which no WASM knows
#[cfg(feature = "ssr")]
pub mod load_tests; // `/load-tests`, which no WASM knows
#[cfg(feature = "ssr")]
pub mod login; // `/login`, which no WASM knows
pub mod missing; // no page at this address
pub mod overview; // `/`
#[cfg(feature = "ssr")]
pub mod search; // `/search`, which no WASM knows
#[cfg(feature = "ssr")]
pub mod session; // `/s/{id}`, which no WASM knows
pub mod sessions; // `/sessions`
#[cfg(feature = "ssr")]
pub mod story; // `/sessions/{id}`, which no WASM knows
