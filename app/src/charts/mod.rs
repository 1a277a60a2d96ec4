//! Plots, sparklines and gauges as SVG. plotters keeps scales, meshes and series; what they look like is CSS's.
//!
//! Nothing here knows a width: lines live in a stretched box of [`canvas::WIDTH`] units, whose strokes do not stretch,
//! and texts stand beside it at percentages. One drawing, made once on the server, fits a phone and a wall.

pub mod axis; // where ticks stand and what they say
mod canvas; // plotters' backend that writes SVG paths with classes
pub mod cursor; // the one cursor over all charts
#[cfg(feature = "ssr")]
pub mod export; // a chart as a picture that stands alone
pub mod figure; // a chart with title, legend, plot, caption and table
pub mod gauge; // rail, good range, target, polling, value
pub mod ink; // what a stroke or a surface means
pub mod panels; // the Overview's charts
pub mod plot; // layers over a time axis, drawn
#[cfg(feature = "ssr")]
pub mod run; // a load test over time
pub mod spark; // the shape of the last hour beside a figure
mod table; // the figures under a chart, as text
#[cfg(feature = "ssr")]
pub mod trend; // one load's p95 from run to run
