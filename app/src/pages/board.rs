//! The Overview's panels, once its figures are there: kept live by the admin stream.

use crate::{
    api::{self, Failure},
    charts::{
        cursor::Cursor,
        figure::Window,
        panels::{ConnectionsChart, LatencyChart, ResourcesChart, ThroughputChart},
    },
    components::{
        kpi::KpiCard,
        notice::{DemoBanner, Notices},
        running::RunningSessions,
    },
    live::Live,
};
use leptos::{prelude::*, task::spawn_local};
use std::time::Duration;
use streamgauge_core::{board::Overview, kpi::Kpi, range::Range, view::SessionList};

#[component]
pub fn Board(board: Overview, sessions: Result<SessionList, Failure>) -> impl IntoView {
    Cursor::provide();
    let (demo, range) = (board.origin.demo, board.range);
    let board = RwSignal::new(board);
    keep_live(board, range);
    // Slices: what did not change is not drawn again.
    let window = Memo::new(move |_| board.with(Window::of));
    let card = |(index, kpi): (usize, &Kpi)| view! { <KpiCard board index key=kpi.key window /> };
    let cards = board.with_untracked(|board| board.kpis.iter().enumerate().map(card).collect_view());
    view! {
        {demo.then(|| view! { <DemoBanner /> })}
        <Notices board />
        <section class="kpis" aria-label="Key figures">{cards}</section>
        <div class="row two">
            <LatencyChart window />
            <RunningSessions list=sessions />
        </div>
        <div class="row three">
            <ConnectionsChart window />
            <ThroughputChart window />
            <ResourcesChart window />
        </div>
    }
    .into_any()
}

/// Takes each message in, and reads again what no message brings: what was missed while the connection was lost,
/// and every step of a range that is longer than the stream's hour.
fn keep_live(board: RwSignal<Overview>, range: Range) {
    let live = Live::of_app();
    Effect::new(move || {
        // What the stream said last may be from before these figures were read.
        let read = board.with_untracked(|board| board.as_of);
        if let Some(metrics) = live.metrics.get().filter(|metrics| metrics.as_of >= read) {
            board.update(|board| board.take(&metrics));
        }
    });
    let read_again = move || {
        spawn_local(async move {
            if let Ok(newer) = api::overview(range).await {
                // The page may have turned to another range meanwhile.
                let _ = board.try_set(newer.into());
            }
        });
    };
    Effect::new(move |before: Option<u32>| {
        let now = live.past.get().resumed;
        if before.is_some_and(|before| before != now) {
            read_again();
        }
        now
    });
    Effect::new(move || {
        if range == Range::Hour {
            return;
        }
        let every = Duration::from_secs(range.step().clamp(1, 60) as u64);
        if let Ok(clock) = set_interval_with_handle(read_again, every) {
            on_cleanup(move || clock.clear());
        }
    });
}
