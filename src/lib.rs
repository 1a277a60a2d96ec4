//! The Streamgauge server: everything that does IO.

mod access; // who may do what: keys, tickets
mod alerting; // rules judged every ten seconds, and what is shown of them
pub mod alerts; // `streamgauge alerts`
mod backend; // what the pages ask the server, a file an area
mod broker; // joins publishers to followers, in process or through Redis
mod chance; // random bytes of the operating system
mod clock; // the one look at the clock
pub mod config; // settings: file < environment < flags
mod demo; // real traffic for a first look
mod files; // how many of them may be open
mod gauge; // what the dashboards make of what is measured
mod geo;
mod http; // routes
mod jobs; // what runs beside the requests
pub mod keys; // `streamgauge key`
mod measure; // counts and times on the paths that everything else calls
mod node; // what routes and jobs share
mod server; // start, serve, drain, stop
mod stop; // being told to stop
mod store; // PostgreSQL
mod stream; // connections and streams
mod telemetry; // traces and metrics to an OpenTelemetry collector // where followers are

pub use demo::remove as remove_demo;
pub use server::{StartError, run};

#[doc(hidden)]
pub mod testing {
    //! The list of routes, to hold against the server; the brokers, for their contract tests; the history, for its recount; streams, for what measuring them costs.
    pub use crate::broker::{Broker, BrokerError, LocalBroker, Publication, RedisBroker};
    pub use crate::http::{Group, ROUTES, Route, Who};
    pub use crate::measure::Recorder;
    pub use crate::store::{Store, Whose};
    pub use crate::stream::{Arrival, Hub, LiveLimits, Place};
    pub use crate::telemetry::Telemetry;
}
