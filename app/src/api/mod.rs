//! How pages read: a file an area, with the trait that the server implements and the functions that pages call. Server
//! functions run in the server during the first render and are fetched afterwards.
//!
//! Their paths are written out, because the ones made up by the macro hash the folder that the crate was built in.

#[cfg(feature = "ssr")]
pub mod alerts; // rules, incidents, silences, backtests
#[cfg(feature = "ssr")]
pub mod backend; // what the server gives: each area's implementation, and what the document needs
mod carried; // an Overview on its way to the browser
pub mod dashboard; // the Overview's figures and panels
mod failure; // why a page could not read
#[cfg(feature = "ssr")]
pub mod load_tests; // runs of the load tool
pub mod sessions; // running sessions, all sessions, one session
mod wire; // how answers travel

pub use carried::Carried;
pub use failure::Failure;

/// Makes the functions known to the handler of `/api/app/{name}`.
///
/// They also register themselves as the binary starts; said aloud, no linker can drop them.
#[cfg(feature = "ssr")]
pub fn register() {
    dashboard::register();
    sessions::register();
}
