//! The admin stream's messages and silences.

use super::{
    Link, Live, Restart,
    stream::{Heard, Held, Stream},
};
use leptos::prelude::*;
use std::{sync::Arc, time::Duration};
use streamgauge_core::page::board::{LiveUpdate, Origin};
use web_sys::js_sys;

/// Figures come every second: five missed ones are no jitter.
const STALE_AFTER_MS: i64 = 5_000;

const URL: &str = "/api/admin/sse-metrics/stream?sessions=1";

/// Unix milliseconds on the browser's clock.
pub fn now() -> i64 {
    js_sys::Date::now() as i64
}

/// Begins once the page is hydrated (an effect), so that the first render is the server's.
pub fn start(live: Live) {
    let held = StoredValue::new_local(None);
    let last = StoredValue::new(now());
    let first = StoredValue::new(None::<Origin>);
    Effect::new(move || {
        let wanted = live.wanted.get();
        // From one page to the next it is wanted no more and then again: the open stream stays.
        if wanted != held.with_value(Option::is_some) {
            held.set_value(wanted.then(|| Held(listen(live, last, first))));
        }
    });
    let tick = move || live.mind_the_silence(now() - last.get_value());
    if let Ok(clock) = set_interval_with_handle(tick, Duration::from_secs(1)) {
        on_cleanup(move || clock.clear());
    }
}

fn listen(live: Live, last: StoredValue<i64>, first: StoredValue<Option<Origin>>) -> Stream {
    live.link.set(Link::Connecting);
    Stream::open(URL.into(), &["message", "sessions"], move |_, heard| match heard {
        // Open is not yet live: a proxy may answer and hold the figures back.
        Heard::Opened => {}
        Heard::Retrying | Heard::Closed => live.link.set(Link::Lost),
        Heard::Event { name: "sessions", data } => {
            if let Ok(list) = serde_json::from_str(&data) {
                live.sessions.set(Some(Arc::new(list)));
            }
        }
        Heard::Event { data, .. } => {
            let Ok(metrics) = serde_json::from_str::<LiveUpdate>(&data) else { return };
            last.set_value(now());
            live.note_restart(first, &metrics.origin);
            live.metrics.set(Some(Arc::new(metrics)));
            live.figures_came();
        }
    })
}

impl Live {
    fn figures_came(self) {
        let before = self.link.get_untracked();
        if before != Link::Live {
            self.link.set(Link::Live);
        }
        if matches!(before, Link::Stale(_) | Link::Lost) {
            self.past.update(|past| past.resumed += 1);
        }
    }

    fn mind_the_silence(self, silent_ms: i64) {
        let link = self.link.get_untracked();
        if matches!(link, Link::Live | Link::Stale(_)) && silent_ms > STALE_AFTER_MS {
            self.link.set(Link::Stale(silent_ms / 1_000));
        }
    }

    fn note_restart(self, first: StoredValue<Option<Origin>>, now: &Origin) {
        let Some(first) = first.get_value() else {
            first.set_value(Some(now.clone()));
            return;
        };
        if first.started_at == now.started_at {
            return;
        }
        let version = (first.version != now.version).then(|| now.version.clone());
        let restart = Some(Restart { at: now.started_at, version });
        if self.past.with_untracked(|past| past.restart != restart) {
            self.past.update(|past| past.restart = restart);
        }
    }
}
