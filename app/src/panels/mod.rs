//! The Overview's quieter panels: rendered on the server, replaced as a whole, and no part of the WASM.

mod fallback; // why clients left the stream, in counts and in words
mod flags; // what happened around the sessions
mod health; // the world map and its table
mod levels; // service levels, budgets, burn rates, the uptime strip
mod numbers; // all metrics of the range, with samples and formula
mod savings; // what it saves, and what users say
mod sources; // one number from several sources, and every delivery accounted for
mod tools; // range, comparison, whose figures, exports

use crate::api::Failure;
use leptos::{prelude::*, tachys::view::RenderHtml};
use streamgauge_core::page::panels::Panels;

/// The panels as HTML, by the name of their slot.
pub type Slots = [(&'static str, String); 7];

pub const NAMES: [&str; 7] = ["tools", "levels", "health", "fallback", "savings", "sources", "flags"];

/// What could not be read says so in each place.
pub fn slots(panels: Result<Panels, Failure>) -> Slots {
    let panels = match panels {
        Ok(panels) => panels,
        Err(failure) => {
            let words = format!("{} {}", failure.title(), failure.detail());
            return NAMES.map(|name| {
                let html = if name == "levels" {
                    view! { <section class="panel"><p class="mut">{words.clone()}</p></section> }.to_html()
                } else {
                    String::new()
                };
                (name, html)
            });
        }
    };
    NAMES.map(|name| {
        let view = match name {
            "tools" => tools::tools(&panels),
            "levels" => levels::levels(&panels),
            "health" => health::health(&panels),
            "fallback" => fallback::fallback(&panels),
            "savings" => savings::savings(&panels),
            "sources" => sources::sources(&panels),
            // Below everything, since they explain the rest.
            _ => (numbers::numbers(&panels), flags::flags(&panels)).into_any(),
        };
        (name, view.to_html())
    })
}

/// All slots as one piece of HTML, for the script that puts them in.
pub fn fragment(panels: Result<Panels, Failure>) -> String {
    let mut html = String::new();
    for (name, slot) in slots(panels) {
        html.push_str(&format!("<div data-slot=\"{name}\">{slot}</div>"));
    }
    html
}
