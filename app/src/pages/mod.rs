//! One file a page.

pub mod board; // the Overview's panels, once its figures are there
pub mod follow; // the browser following one session: stream or poll
pub mod missing; // no page at this address
pub mod overview; // `/`
pub mod session; // `/s/{id}`
pub mod sessions; // `/sessions`
