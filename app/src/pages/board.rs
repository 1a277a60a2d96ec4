//! The Overview's panels, once its figures are there: kept live by the admin stream.

use crate::{
    api::{self, Failure},
    charts::{
        cursor::Cursor,
        figure::{Figure, Window},
        panels,
    },
    components::{
        bound::part,
        empty::Unreadable,
        kpi::KpiCard,
        notice::{DemoBanner, Notices},
        running::RunningSessions,
        slot::Slot,
    },
    live::Live,
};
use leptos::{prelude::*, task::spawn_local};
use std::{cell::Cell, time::Duration};
use streamgauge_core::{
    metric::kpi::Kpi,
    page::{board::Overview, view::SessionList},
};

#[component]
pub fn Board(
    board: Overview,
    sessions: Result<SessionList, Failure>,
    quiet: Quiet,
    /// As the address asks.
    asked: Memo<String>,
) -> impl IntoView {
    Cursor::provide();
    let (demo, seeded_until) = (board.origin.demo, board.origin.seeded_until);
    let board = RwSignal::new(board);
    let failure = RwSignal::new(None::<Failure>);
    keep_live(board, failure, asked);
    let mut quiet = quiet.into_iter();
    let mut slot = move |name: &'static str| {
        let html = quiet.next().map_or_else(String::new, |(_, html)| html);
        view! { <Slot name html /> }
    };
    let (tools, levels, health) = (slot("tools"), slot("levels"), slot("health"));
    let (fallback, savings, sources, flags) =
        (slot("fallback"), slot("savings"), slot("sources"), slot("flags"));
    // Slices: what did not change is not drawn again.
    let window = Memo::new(move |_| board.with(Window::of));
    let card = |(index, kpi): (usize, &Kpi)| view! { <KpiCard board index key=kpi.key window /> };
    let cards = board.with_untracked(|board| board.kpis.iter().enumerate().map(card).collect_view());
    view! {
        {tools}
        {demo.then(|| view! { <DemoBanner seeded_until /> })}
        {part(move || failure.get().map(|failure| view! { <Unreadable failure /> }).into_any())}
        <Notices board />
        <section class="kpis" aria-label="Key figures">{cards}</section>
        <div class="row two">
            <Figure chart=panels::latency() window />
            {levels}
        </div>
        <div class="row three">
            <Figure chart=panels::connections() window />
            <Figure chart=panels::throughput() window />
            <Figure chart=panels::resources() window />
        </div>
        <div class="row even">
            <Figure chart=panels::reduction() window />
            <Figure chart=panels::errors() window />
        </div>
        <div class="row two">{health} {fallback}</div>
        {savings}
        <div class="row two">{sources} <RunningSessions list=sessions /></div>
        {flags}
    }
    .into_any()
}

/// The panels that the server alone renders, by the name of their slot and in its order; nothing in the browser.
pub type Quiet = Vec<(&'static str, String)>;

/// Asked while the context is there.
pub fn quiet(asked: &str) -> impl Future<Output = Quiet> + Send + use<> {
    #[cfg(feature = "ssr")]
    let panels = api::dashboard::panels(streamgauge_core::metric::range::View::parse(asked));
    #[cfg(not(feature = "ssr"))]
    let _ = asked;
    async move {
        #[cfg(feature = "ssr")]
        return crate::panels::slots(panels.await).into();
        #[cfg(not(feature = "ssr"))]
        Quiet::new()
    }
}

/// Takes each message in, and reads again what no message brings: another range or node or region, what was missed while
/// the connection was lost, and every step of what the stream does not tell.
fn keep_live(board: RwSignal<Overview>, failure: RwSignal<Option<Failure>>, asked: Memo<String>) {
    let live = Live::of_app();
    Effect::new(move || {
        // What the stream said last may be from before these figures were read.
        let read = board.with_untracked(|board| board.as_of);
        if let Some(metrics) = live.metrics.get().filter(|metrics| metrics.as_of >= read) {
            board.update(|board| board.take(&metrics));
        }
    });
    let read_again = move |turned: bool| {
        spawn_local(async move {
            let wanted = asked.get_untracked();
            let newer = api::dashboard::overview(wanted.clone()).await;
            // The page may have turned to another view meanwhile, or away.
            if asked.try_get_untracked().as_ref() != Some(&wanted) {
                return;
            }
            match newer {
                Ok(newer) => {
                    failure.set(None);
                    board.set(newer.into());
                }
                // Figures of what is still shown grow old, and the page says how old; those of another view would be wrong.
                Err(error) if turned => failure.set(Some(error)),
                Err(_) => {}
            }
        });
    };
    Effect::new(move |before: Option<(u32, String)>| {
        let now = (live.past.get().resumed, asked.get());
        if let Some(before) = before.filter(|before| *before != now) {
            read_again(before.1 != now.1);
        }
        now
    });
    Effect::new(move || {
        let tens = Cell::new(0);
        let look = move || {
            tens.set(tens.get() + 1);
            let due = board.with_untracked(|board| {
                let view = &board.view;
                // The live stream tells the last hour of everything, but for flags and for rows that come very late. What is
                // over does not change.
                let told = view.is_live() && !view.compare;
                let every = if told { 60 } else { board.step.clamp(10, 60) };
                view.range.is_live() && tens.get() % (every / 10) == 0
            });
            if due {
                read_again(false);
            }
        };
        if let Ok(clock) = set_interval_with_handle(look, Duration::from_secs(10)) {
            on_cleanup(move || clock.clear());
        }
    });
}
