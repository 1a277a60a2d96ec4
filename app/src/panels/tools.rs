//! Range, comparison, whose figures, exports: links and a form, so that everything lives in the address and works with
//! scripts off.

use crate::text::time;
use leptos::prelude::*;
use streamgauge_core::{
    metric::range::{Range, View},
    page::panels::Panels,
};

pub fn tools(panels: &Panels) -> AnyView {
    let view = &panels.view;
    let link = |each: Range| {
        let href = format!("/?{}", View { range: each, ..view.clone() }.query());
        view! {
            <a href=href aria-current=(view.range == each).then_some("true")>
                {each.as_str()}
                <span class="sr">", "{each.in_words()}</span>
            </a>
        }
    };
    let compare = format!("/?{}", View { compare: !view.compare, ..view.clone() }.query());
    let class = if view.compare { "button on" } else { "button" };
    let csv = format!("/api/admin/metrics?{}&format=csv", view.query());
    view! {
        <div class="tools">
            <nav class="seg" aria-label="Range">{Range::ALL.map(link).into_iter().collect_view()}</nav>
            <a
                class=class
                href=compare
                aria-current=view.compare.then_some("true")
            >
                "Compare"
                <span class="sr">" with the "{view.range.before_in_words()}</span>
            </a>
            {choose(panels)}
            <a class="button" href=csv rel="external" download="">"CSV"</a>
            <button class="button" data-act="wall" hidden="">"Full screen"</button>
            <button class="button" data-act="keys" hidden="" aria-label="Keyboard shortcuts">"?"</button>
        </div>
    }
    .into_any()
}

/// A range of one's own, one node, one region.
fn choose(panels: &Panels) -> impl IntoView + use<> {
    let view = panels.view.clone();
    let custom = !view.range.is_live();
    let whose = [view.node.as_str(), view.region.as_str()];
    let mut said: Vec<String> =
        whose.iter().filter(|name| !name.is_empty()).map(|name| (*name).to_owned()).collect();
    if custom {
        said.insert(0, dates(panels.from, panels.to));
    }
    let said = if said.is_empty() { "Range and filters".into() } else { said.join(", ") };
    let options = |chosen: &str, names: &[String], all: &'static str| {
        let mut names = names.to_vec();
        if !chosen.is_empty() && !names.iter().any(|name| name == chosen) {
            names.push(chosen.to_owned());
        }
        let option = |name: String| {
            let selected = name == chosen;
            view! { <option value=name.clone() selected=selected>{name.clone()}</option> }
        };
        view! {
            <option value="">{all}</option>
            {names.into_iter().map(option).collect_view()}
        }
    };
    let class = if custom || !view.is_whole() { "button on" } else { "button" };
    let way_back = match (custom, view.is_whole()) {
        (true, _) => Some("Back to live"),
        (false, false) => Some("Clear filters"),
        (false, true) => None,
    };
    // To the minute, as the field takes it.
    let field = |at: i64| time::iso(at)[..16].to_owned();
    view! {
        <details class="choose">
            <summary class=class>{said}</summary>
            <form method="get" action="/">
                <label>"From, UTC "<input type="datetime-local" name="from" value=field(panels.from) /></label>
                <label>"To, UTC "<input type="datetime-local" name="to" value=field(panels.to) /></label>
                <label>"Node "<select name="node">{options(&view.node, &panels.nodes, "all nodes")}</select></label>
                <label>
                    "Region "<select name="region">{options(&view.region, &panels.regions, "all regions")}</select>
                </label>
                {view.compare.then(|| view! { <input type="hidden" name="compare" value="1" /> })}
                <button class="button">"Apply"</button>
                {way_back.map(|words| view! { <a href="/">{words}</a> })}
            </form>
        </details>
    }
}

/// "2026-11-28 23:32 to 23:36 UTC"; the second day only where it is another one.
fn dates(from: i64, to: i64) -> String {
    let (from, to) = (time::iso(from), time::iso(to));
    let (day, next) = (&from[..10], &to[..10]);
    let next = if day == next { String::new() } else { format!("{next} ") };
    format!("{day} {} to {next}{} UTC", &from[11..16], &to[11..16])
}
