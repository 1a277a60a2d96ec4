//! Everything of Streamgauge that a person sees: one Leptos app, rendered by the server and hydrated in the browser.
//!
//! `ssr` and `hydrate` are two builds of it. Cargo would unify them in one, and neither would work.

#[cfg(all(feature = "ssr", feature = "hydrate"))]
compile_error!("`ssr` and `hydrate` must not meet in one build: build the hydrate crate for wasm32 alone");

#[cfg(feature = "ssr")]
mod alerts; // what the pages of alerts are put together from
pub mod api; // server functions, and the one trait behind them
mod app; // the app around its pages
mod charts; // plots, sparklines, gauges, as SVG whose looks CSS decides
mod components; // what several pages are put together from
mod live; // the admin stream in the browser, and the state of its connection
#[cfg(feature = "ssr")]
mod load_test_file; // a load test's result as a file, for the tool
mod pages; // one file a page, and the list of them
#[cfg(feature = "ssr")]
mod panels; // the Overview's quieter panels, rendered on the server alone
#[cfg(feature = "ssr")]
mod shell; // the document around the app: head, assets, content security policy
mod text; // numbers and times in words, the same on the server and in the browser

#[cfg(feature = "ssr")]
pub use alerts::{draft::rule_yaml, line::line as alarm_line};
pub use app::App;
#[cfg(feature = "ssr")]
pub use charts::export::chart_svg;
#[cfg(feature = "ssr")]
pub use load_test_file::load_test_file;
#[cfg(feature = "ssr")]
pub use pages::{Audience, PAGES, Page, Place};
#[cfg(feature = "ssr")]
pub use panels::fragment;
#[cfg(feature = "ssr")]
pub use shell::shell;
