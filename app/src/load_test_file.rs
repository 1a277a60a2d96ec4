//! A load test's result as a file: what its page on the server shows, in one document that asks for nothing else.

use crate::components::load_test::{heading, result};
use leptos::{prelude::*, tachys::view::RenderHtml};
use streamgauge_core::load_test::{Outcome, Row};

/// The page's own style, as it is written: browsers read it without a build.
const STYLE: &str = concat!(
    include_str!("../../style/tokens.css"),
    include_str!("../../style/base.css"),
    include_str!("../../style/layout.css"),
    include_str!("../../style/panel.css"),
    include_str!("../../style/notice.css"),
    include_str!("../../style/kpi.css"),
    include_str!("../../style/chart.css"),
    include_str!("../../style/table.css"),
    include_str!("../../style/load-tests.css"),
);

/// The whole document, for `streamgauge loadtest --html`.
pub fn load_test_file(outcome: &Outcome) -> String {
    // No server has kept it.
    let row = Row::of(outcome, "", "");
    let none = || ().into_any();
    let head = view! {
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{format!("{} · Streamgauge", outcome.title)}</title>
    };
    let body = view! {
        <main class="file">
            {heading(&row, outcome, none(), none())}
            {result(outcome, none())}
        </main>
    };
    // Without the marks that the renderer leaves for a browser's app: none takes this document over.
    let (head, body) = (head.to_html().replace("<!>", ""), body.to_html().replace("<!>", ""));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head>{head}<style>{STYLE}</style></head><body>{body}</body></html>\n"
    )
}
