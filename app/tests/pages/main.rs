//! Pages as the server sends them, over a made-up [`Backend`](streamgauge_app::api::backend::Backend).
#![allow(clippy::expect_used, reason = "a test that cannot go on should say where")]

mod fake; // figures that never change, and a backend that serves them
mod load_tests; // `/load-tests` and `/load-tests/{id}`
mod overview; // `/`
mod panels; // what stands behind the figures, `/search`, `/sessions/{id}`
mod render; // one request through leptos_axum
mod sessions; // `/sessions` and `/s/{id}`
