//! Where the followers are and how they are served: a map that works offline, and the same as a table.

use crate::text::{
    html::{escape, query_value},
    number::{brief, count},
};
use leptos::prelude::*;
use std::fmt::Write;
use streamgauge_core::{
    metric::{
        kpi::thousands,
        range::View,
        region::{Place, place, shown_name},
        table::Metric,
    },
    page::panels::{Health, Panels, RegionHealth},
};

/// The map's box; `public/world.svg` is drawn in the same.
const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 372.0;
/// Degrees north at its upper and lower edge.
const TOP: f64 = 78.0;
const BOTTOM: f64 = -56.0;
/// Radius of the largest region.
const LARGEST: f64 = 26.0;

fn class(health: Health) -> &'static str {
    match health {
        Health::Good => "good",
        Health::Warning => "warning",
        Health::Bad => "critical",
        Health::Unknown => "unknown",
    }
}

fn words(health: Health) -> &'static str {
    match health {
        Health::Good => "good",
        Health::Warning => "over target",
        Health::Bad => "bad",
        Health::Unknown => "not enough data",
    }
}

pub fn health(panels: &Panels) -> AnyView {
    let body = if panels.health.is_empty() { none(panels).into_any() } else { shown(panels).into_any() };
    let words = |metric: Metric| metric.target_in_words().unwrap_or_default();
    let good = format!("p95 {}, errors {}", words(Metric::DeliveryLatencyP95), words(Metric::ErrorRate));
    view! {
        <section class="panel health" id="regions" aria-labelledby="health-title">
            <header>
                <h2 id="health-title">"Connection health"</h2>
                <p class="legend">
                    <span class="state">{good}</span>
                    <span class="state warning">{format!("< {}, < {}", RegionHealth::BAD_MS, RegionHealth::BAD_PERCENT)}</span>
                    <span class="state critical">"worse"</span>
                </p>
            </header>
            {body}
        </section>
    }
    .into_any()
}

fn none(panels: &Panels) -> impl IntoView + use<> {
    let known = !panels.regions.is_empty();
    let words = if known {
        "No followers from a known region in this range."
    } else {
        "The server does not know its followers' regions. Set region_header to the header in which your proxy names the \
         region (such as cf-ipcountry), or geoip_file to a GeoIP file, and restart the server."
    };
    view! { <p class="mut none">{words}</p> }
}

fn shown(panels: &Panels) -> impl IntoView + use<> {
    let rows = panels.health.iter().map(|region| row(region, &panels.view)).collect_view();
    let total: f64 = panels.health.iter().map(|region| region.streams).sum();
    let caption = format!(
        "Streams open on average, {}; {}, {} streams.",
        panels.view.range.in_words(),
        count(panels.health.len() as u64, "region", "regions"),
        brief(total)
    );
    view! {
        <div class="world">
            <div class="map" aria-hidden="true">
                <svg viewBox=format!("0 0 {WIDTH} {HEIGHT}") inner_html=marks(&panels.health)></svg>
            </div>
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Region"</th>
                        <th scope="col" class="num">"Streams"</th>
                        <th scope="col" class="num">"p95"</th>
                        <th scope="col" class="num">"Errors"</th>
                        <th scope="col" class="num">"Fallbacks"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        <p class="mut cap">{caption}</p>
    }
}

fn row(region: &RegionHealth, view: &View) -> impl IntoView + use<> {
    let name = shown_name(&region.region);
    let href = format!("/?{}", View { region: region.region.clone(), ..view.clone() }.query());
    let fallbacks = if region.fallbacks > 0 {
        let sessions = format!("/search?fallback=any&fell_in={}", query_value(&region.region));
        let said = format!(", sessions that fell back in {name}");
        view! { <a href=sessions rel="external">{thousands(region.fallbacks)}<span class="sr">{said}</span></a> }
            .into_any()
    } else {
        "0".into_any()
    };
    let errors = region.error_rate.map_or_else(|| "\u{2013}".into(), |rate| format!("{} %", brief(rate)));
    let (speed, reliability) = (region.speed(), region.reliability());
    let p95 = region.p95.map_or_else(|| "\u{2013}".into(), |ms| format!("{} ms", brief(ms)));
    view! {
        <tr>
            <th scope="row"><a href=href>{name}</a></th>
            <td class="num">{brief(region.streams)}</td>
            <td class=format!("num {}", class(speed))>{p95}<span class="sr">", "{words(speed)}</span></td>
            <td class=format!("num {}", class(reliability))>{errors}<span class="sr">", "{words(reliability)}</span></td>
            <td class="num">{fallbacks}</td>
        </tr>
    }
}

/// A circle a region whose place its name says: the area is the number of streams.
fn marks(regions: &[RegionHealth]) -> String {
    let most = regions.iter().map(|region| region.streams).fold(0.0, f64::max);
    let mut svg = String::new();
    for region in regions {
        let Some(Place { north, east }) = place(&region.region) else { continue };
        let x = (east + 180.0) / 360.0 * WIDTH;
        let y = (TOP - north) / (TOP - BOTTOM) * HEIGHT;
        let radius = if most > 0.0 { (region.streams / most).sqrt() * LARGEST } else { 0.0 };
        let class = class(region.health());
        let _ = write!(
            svg,
            "<g class=\"{class}\"><circle cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"{:.1}\"/>\
             <circle class=\"core\" cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"3\"/><title>{}: {} streams</title></g>",
            radius.max(6.0),
            escape(&region.region),
            brief(region.streams),
        );
    }
    svg
}
