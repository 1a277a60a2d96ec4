//! What every page says of all alerts: a line above its title, a badge in the navigation, a count before the tab's title.
//!
//! The server words the line, for the page and for each message of the admin stream: the browser puts it in as it is.

use crate::{components::bound::text, live::Live};
use leptos::prelude::*;
use streamgauge_core::page::alerts::AlertLine;

/// In the context of the whole app.
#[derive(Clone, Copy)]
pub struct Alarm {
    live: Live,
    /// How many fired while the server rendered the page.
    served: u32,
    line: Signal<String>,
}

impl Alarm {
    /// As the server knew it while it rendered; in the browser as the admin stream's last message has it.
    pub fn provide() -> Alarm {
        let live = Live::of_app();
        let AlertLine { firing: served, line } = served();
        // Nothing where nothing is known, so that the browser finds what the server wrote until its stream speaks.
        let line = text(move || {
            live.metrics.with(|newest| {
                newest.as_ref().map_or_else(|| line.clone(), |newest| newest.alerts.line.clone())
            })
        });
        let alarm = Alarm { live, served, line };
        provide_context(alarm);
        alarm
    }

    /// As [`Alarm::provide`] provided it.
    pub fn of_app() -> Alarm {
        expect_context()
    }

    pub fn firing(self) -> u32 {
        // The server words the title when the page's signals are gone already, and no stream ever changes them there.
        if cfg!(feature = "ssr") {
            return self.served;
        }
        self.live.metrics.with(|newest| newest.as_ref().map_or(self.served, |newest| newest.alerts.firing))
    }

    pub fn line(self) -> Signal<String> {
        self.line
    }

    /// The badge behind a link's text. A number without a word would mean anything.
    pub fn badge(self) -> String {
        match self.firing() {
            0 => String::new(),
            many => ["<span class=\"badge\">", &many.to_string(), "<span class=\"sr\"> firing</span></span>"]
                .concat(),
        }
    }
}

fn served() -> AlertLine {
    #[cfg(feature = "ssr")]
    if let Some(summary) = crate::api::alerts::summary() {
        return AlertLine { firing: summary.firing, line: crate::alerts::line::line(&summary) };
    }
    AlertLine::default()
}
