//! HTTP: one list of routes, one shape of errors, then a file a resource.

mod admin; // the dashboards' stream
mod admission; // who may publish, and to which session
mod alerts; // rules, incidents, silences, maintenance
mod assets; // WASM, CSS, icons out of the binary
mod audit; // who changed what
mod auth; // who is let in
mod beacons; // what browsers report, and their self-test
mod body; // what a request brings as its body
mod edge; // what holds for every request
mod export; // the history for others: JSON, CSV, SVG, annotations
mod extract; // sessions and parameters that an address names
mod follow; // the stream and the poll
mod load_tests; // results that the load tool posts
mod metrics; // for Prometheus and people who read its texts
mod offload; // what may take its time, out of the way of streams
mod openapi; // the API as a document
mod ops; // alive and ready
mod pages; // the Leptos app
mod problem; // RFC 9457
mod publish; // sessions and their events
mod router; // the only list of routes
mod timing; // where an answer's time went
mod traced; // a span a request
mod unsent; // answers that wait for clients that do not read

pub use edge::front;
pub use router::{Group, ROUTES, Route, Routes, Who};
