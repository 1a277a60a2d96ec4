//! Pages as the server sends them, over made-up [`Areas`](streamgauge_app::api::backend::Areas).
#![allow(clippy::expect_used, reason = "a test that cannot go on should say where")]

mod alerts; // `/alerts` and what is below it
mod fake; // figures that never change: a fake for each area
mod load_tests; // `/load-tests` and `/load-tests/{id}`
mod navigation; // the groups of pages
mod overview; // `/`
mod panels; // what stands behind the figures, `/search`, `/sessions/{id}`
mod render; // one request through leptos_axum
mod sessions; // `/sessions` and `/s/{id}`
