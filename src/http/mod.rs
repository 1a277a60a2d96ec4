//! HTTP: one list of routes, one shape of errors, then a file a resource.

mod admin; // the dashboards' stream
mod aside; // what may take its time, out of the way of streams
mod asked; // sessions and parameters that an address names
mod assets; // WASM, CSS, icons out of the binary
mod beacons; // what browsers report, and their self-test
mod follow; // the stream and the poll
mod front; // what holds for every request
mod gate; // who is let in
mod history; // the history for others: JSON, CSV, SVG, annotations
mod load_tests; // results that the load tool posts
mod metrics; // for Prometheus and people who read its texts
mod openapi; // the API as a document
mod ops; // alive and ready
mod pages; // the Leptos app
mod problem; // RFC 9457
mod publish; // sessions and their events
mod router; // the only list of routes
mod sent; // what a request brings as its body
mod timing; // where an answer's time went
mod traced; // a span a request
mod unsent; // answers that wait for clients that do not read

pub use front::front;
pub use router::{Group, ROUTES, Route, Routes, Who};
