//! `/sessions/{id}`: what happened to one session, on one line of time. Rendered here and never hydrated: what happened
//! does not change while it is read.

use super::missing::answer_with;
use crate::{
    api,
    components::{
        bound::waiting,
        empty::{Loading, Unreadable},
        frame::Frame,
    },
    text::{
        html::escape,
        number::{brief, count},
        time::{self, Zone},
    },
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use std::fmt::Write;
use streamgauge_core::{
    metric::kpi::thousands,
    session::{
        ids::SessionId,
        timeline::{Mark, MarkKind, Timeline},
    },
};

#[component]
pub fn TimelinePage() -> impl IntoView {
    let id = use_params_map().with_untracked(|params| params.get("id")?.parse::<SessionId>().ok());
    let title = id.as_ref().map_or_else(|| "No such session".into(), SessionId::to_string);
    let page = waiting(move || {
        let read = id.clone().map(api::sessions::timeline);
        async move {
            let found = match read {
                Some(read) => read.await,
                None => Ok(None),
            };
            match found {
                Ok(Some(timeline)) => view! { <Whole timeline /> }.into_any(),
                Ok(None) => view! { <NoTimeline /> }.into_any(),
                Err(failure) => view! {
                    <header class="top"><h1>"Session"</h1></header>
                    <Unreadable failure />
                }
                .into_any(),
            }
        }
    });
    view! {
        <Title text=title />
        <Frame>
            <Suspense fallback=Loading>{page}</Suspense>
        </Frame>
    }
    .into_any()
}

#[component]
fn NoTimeline() -> impl IntoView {
    answer_with(http::StatusCode::NOT_FOUND);
    view! {
        <header class="top"><h1>"No such session"</h1></header>
        <p>"It has not begun, or its data was deleted. "<a href="/search">"All sessions"</a></p>
    }
    .into_any()
}

#[component]
fn Whole(timeline: Timeline) -> impl IntoView {
    let public = format!("/s/{}", timeline.id);
    let about = [
        ("Kind", timeline.kind.clone()),
        ("Region", timeline.region.clone()),
        ("User", timeline.user.clone()),
        ("Cohort", Some(timeline.cohort.as_str().to_owned())),
        ("Started, UTC", Some(Zone::Utc.moment(timeline.started_at / 1_000))),
        (
            if timeline.ended_at.is_some() { "Took" } else { "Running for" },
            Some(time::span(
                (timeline.ended_at.unwrap_or(timeline.last_event_at) - timeline.started_at) / 1_000,
            )),
        ),
        ("Events", Some(thousands(timeline.events))),
        ("Stage", timeline.last.as_ref().map(|event| event.stage.clone())),
    ];
    let fact = |(name, value): (&'static str, Option<String>)| {
        value.map(|value| view! { <div><dt>{name}</dt><dd>{value}</dd></div> })
    };
    let state = timeline.state.as_str();
    view! {
        <header class="top">
            <div>
                <h1 class="id">{timeline.id.to_string()}</h1>
                <p class="legend">
                    <span class=format!("outcome {state}")>{state}</span>
                    <a href=public>"Public page"</a>
                    <a href="/search">"All sessions"</a>
                </p>
            </div>
        </header>
        <dl class="panel facts">{about.map(fact).into_iter().collect_view()}</dl>
        {chart(&timeline)}
        {table(&timeline)}
    }
    .into_any()
}

/// Height of a lane, and of the drawing's foot.
const LANE: u32 = 34;
const FOOT: u32 = 20;

/// The lanes of the drawing, top to bottom.
const LANES: [(&str, &[MarkKind]); 5] = [
    ("Events", &[MarkKind::Event]),
    ("Streams", &[MarkKind::StreamOpened, MarkKind::StreamClosed]),
    ("Polls", &[MarkKind::Polls]),
    ("Fallbacks", &[MarkKind::Fallback, MarkKind::Gap]),
    ("Latency", &[MarkKind::Latency, MarkKind::FirstUpdate]),
];

fn chart(timeline: &Timeline) -> AnyView {
    if timeline.marks.is_empty() {
        return view! {
            <section class="panel"><p class="mut none">"No timeline. Timelines are kept for 35 days."</p></section>
        }
        .into_any();
    }
    let (from, to) = timeline.span();
    let x = |at: i64| (at - from) as f64 / (to - from) as f64 * 100.0;
    let mut svg = String::new();
    let bottom = LANE * LANES.len() as u32;
    for (index, (_, kinds)) in LANES.iter().enumerate() {
        let middle = index as u32 * LANE + LANE / 2;
        let _ = write!(svg, "<line class=\"lane\" x1=\"0\" x2=\"100%\" y1=\"{middle}\" y2=\"{middle}\"/>");
        if kinds.contains(&MarkKind::StreamOpened) {
            for opened in timeline.open_streams() {
                draw_open(&mut svg, opened, x(opened), middle);
            }
        }
        let marks = timeline.marks.iter().filter(|mark| kinds.contains(&mark.kind));
        for mark in marks {
            draw(&mut svg, mark, x(mark.at), middle, timeline, &x);
        }
    }
    for step in 0..=4 {
        let at = from + (to - from) * step / 4;
        let anchor = ["start", "middle", "middle", "middle", "end"][step as usize];
        let class = if step % 2 == 1 { " class=\"minor\"" } else { "" };
        let _ = write!(
            svg,
            "<text{class} x=\"{}%\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            step * 25,
            bottom + FOOT - 5,
            Zone::Utc.clock(at / 1_000)
        );
    }
    let streams = timeline.marks.iter().filter(|mark| mark.kind == MarkKind::StreamOpened).count() as u64;
    let open = match timeline.open_streams().len() {
        0 => String::new(),
        open => format!(" ({open} still open)"),
    };
    let falls = timeline.marks.iter().filter(|mark| mark.kind == MarkKind::Fallback).count() as u64;
    let said = format!(
        "In {}: {}{open}, {}, {}.",
        time::span((to - from) / 1_000),
        count(streams, "stream opened", "streams opened"),
        count(falls, "fallback", "fallbacks"),
        count(timeline.events, "event", "events"),
    );
    let names = LANES.map(|(name, _)| view! { <li>{name}</li> });
    view! {
        <section class="panel timeline" aria-labelledby="timeline">
            <header>
                <h2 id="timeline">"Timeline"</h2>
                <p class="legend">"UTC"</p>
            </header>
            <div class="lanes">
                <ul aria-hidden="true">{names.into_iter().collect_view()}</ul>
                <svg width="100%" height=bottom + FOOT role="img" aria-label=said.clone() inner_html=svg></svg>
            </div>
            <p class="mut cap">{said}</p>
        </section>
    }
    .into_any()
}

/// A stream that goes on.
fn draw_open(svg: &mut String, opened: i64, x: f64, middle: u32) {
    let _ = write!(
        svg,
        "<rect class=\"stream_open\" x=\"{x:.2}%\" width=\"{:.2}%\" y=\"{}\" height=\"8\"><title>Stream open since {}</title></rect>",
        100.0 - x,
        middle - 4,
        Zone::Utc.clock(opened / 1_000),
    );
}

fn draw(
    svg: &mut String,
    mark: &Mark,
    x: f64,
    middle: u32,
    timeline: &Timeline,
    place: &impl Fn(i64) -> f64,
) {
    let title = escape(&words(mark));
    let class = mark.kind.as_str();
    let _ = match mark.kind {
        MarkKind::StreamClosed => {
            // Its beginning is so far back as it lived.
            let began = mark.at - mark.value.unwrap_or(0.0) as i64;
            let left = place(began.max(timeline.started_at)).max(0.0);
            write!(
                svg,
                "<rect class=\"{class}\" x=\"{left:.2}%\" width=\"{:.2}%\" y=\"{}\" height=\"8\" rx=\"2\"><title>{title}</title></rect>",
                (x - left).max(0.15),
                middle - 4,
            )
        }
        MarkKind::Latency | MarkKind::FirstUpdate => {
            // A millisecond lies at the lane's foot, ten seconds at its head.
            let share = (mark.value.unwrap_or(1.0).max(1.0).log10() / 4.0).clamp(0.0, 1.0);
            let y = f64::from(middle) + 12.0 - share * 24.0;
            write!(
                svg,
                "<circle class=\"{class}\" cx=\"{x:.2}%\" cy=\"{y:.1}\" r=\"2.5\"><title>{title}</title></circle>"
            )
        }
        MarkKind::Event => {
            let share = (mark.value.unwrap_or(0.0) / 100.0).clamp(0.0, 1.0);
            let y = f64::from(middle) + 12.0 - share * 24.0;
            write!(
                svg,
                "<circle class=\"{class}\" cx=\"{x:.2}%\" cy=\"{y:.1}\" r=\"2.5\"><title>{title}</title></circle>"
            )
        }
        _ => write!(
            svg,
            "<circle class=\"{class}\" cx=\"{x:.2}%\" cy=\"{middle}\" r=\"3.5\"><title>{title}</title></circle>"
        ),
    };
}

/// "Stream closed: by client, lived 12 s".
fn words(mark: &Mark) -> String {
    let value = mark.value.map(|value| match mark.kind {
        MarkKind::Event => format!("{} %", brief(value)),
        MarkKind::StreamClosed => format!("lived {}", time::span((value / 1_000.0) as i64)),
        MarkKind::Polls => count(value as u64, "poll within a minute", "polls within a minute"),
        MarkKind::Latency => format!("median {} ms", brief(value)),
        MarkKind::FirstUpdate => format!("after {} ms", brief(value)),
        MarkKind::StreamOpened | MarkKind::Gap | MarkKind::Fallback => brief(value),
    });
    let parts = [Some(mark.detail.clone()).filter(|detail| !detail.is_empty()), value];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let title = mark.kind.title();
    if parts.is_empty() { title.into() } else { format!("{title}: {}", parts.join(", ")) }
}

fn table(timeline: &Timeline) -> impl IntoView + use<> {
    let row = |mark: &Mark| {
        let at = mark.at / 1_000;
        view! {
            <tr>
                <th scope="row"><time datetime=time::iso(at)>{Zone::Utc.clock(at)}</time></th>
                <td>{words(mark)}</td>
                <td>{mark.node.clone()}</td>
            </tr>
        }
    };
    let more = timeline.more.then(|| view! { <p class="mut">"Older events are left out."</p> });
    view! {
        <section class="panel" aria-labelledby="marks">
            <header>
                <h2 id="marks">"Events"</h2>
                <p class="legend">"newest first; progress at most every ten seconds"</p>
            </header>
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Time, UTC"</th>
                        <th scope="col">"What"</th>
                        <th scope="col">"Node"</th>
                    </tr>
                </thead>
                <tbody>{timeline.marks.iter().rev().map(row).collect_view()}</tbody>
            </table>
            {more}
        </section>
    }
}
