//! The real binary against a real PostgreSQL and a real Redis: what it promises, one test a promise.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test, a panic is the message")]

mod support; // servers, services and clients that the tests stand on

mod access; // keys, tickets, and nobody by accident
mod alerts; // rules fire, and nothing that fired is lost or doubled
mod audit; // who changed what
mod bad_input; // whatever is sent, a good answer, and the next request is served
mod broker; // the contract of a broker, through both of them
mod connections; // places for connections when a flood takes them
mod database_away; // PostgreSQL stops for a while
mod database_hangs; // PostgreSQL answers no more
mod demo_past; // history that the demo makes up
mod draining; // deploys
mod edge; // what holds for every request: names, sites, caches
mod exactness; // what is measured is what was on the wire
mod faults; // thousands at once, half-open peers, proxies
mod gauge; // the probe, regions, fallbacks, timelines, annotations
mod geo;
mod history; // several nodes, late rows, retention, who leads
mod killed; // kill -9
mod limits; // how many streams, for whom
mod load_tests; // results of load tests, kept and shown
mod metrics; // what Prometheus reads
mod nodes; // two nodes, one Redis
mod openapi; // the API's document says what the server does
mod operations; // what docs/operations names exists
mod otlp; // traces and metrics by OpenTelemetry
mod plain; // back ends that PUBLISH to Redis by themselves
mod recount; // one run, counted apart, and all ways out of the numbers
mod redis_away; // Redis stops for a while
mod redis_cluster; // through a Redis Cluster
mod redis_full; // Redis at its memory limit
mod redis_sentinel; // failover by Sentinel
mod rollups; // 10 s rows merged to minutes and hours
mod settings; // flags, environment, file, and bad values in them
mod several; // several sessions on one connection, and their user's places
mod slow_reader; // a follower that does not read
mod stalled; // a follower that stops reading for a minute
mod starting; // starts that are refused
mod stopping; // SIGTERM
mod stored_once; // a COMMIT that is not answered
mod storing; // what is written to PostgreSQL, and what it refuses
mod streams; // several sessions, batches, versions of HTTP
mod tiers; // rows in any order, dropped at any time, and every tier recounted
mod timing; // where an answer's time went, and who is told
mod turns; // whose turn it is on a processor
mod unread; // answers that nobody reads // regions by the operator's GeoIP file
