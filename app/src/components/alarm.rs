//! What every page says of all alerts: a line above its title, a badge in the navigation, a count before the tab's title.
//! As text: the browser builds it anew with each change, and text takes a tenth of the code that elements take.

use crate::{live::Live, text::html::escape};
use leptos::prelude::*;
use streamgauge_core::page::alerts::AlertSummary;

/// In the context of the whole app.
#[derive(Clone, Copy)]
pub struct Alarm(Memo<Option<AlertSummary>>);

impl Alarm {
    /// As the server knew it while it rendered; in the browser as the admin stream's last message has it.
    pub fn provide() -> Alarm {
        let live = Live::of_app();
        #[cfg(feature = "ssr")]
        let served = crate::api::alerts::summary();
        #[cfg(not(feature = "ssr"))]
        let served = None::<AlertSummary>;
        let newest =
            move || live.metrics.with(|metrics| metrics.as_ref().map(|metrics| metrics.alerts.clone()));
        let alarm = Alarm(Memo::new(move |_| newest().or_else(|| served.clone())));
        provide_context(alarm);
        alarm
    }

    /// As [`Alarm::provide`] provided it.
    pub fn of_app() -> Alarm {
        expect_context()
    }

    pub fn firing(self) -> u32 {
        self.0.with(|alarm| alarm.as_ref().map_or(0, |alarm| alarm.firing))
    }

    /// The line. Nothing where nothing is known, so that the browser finds what the server wrote until its stream speaks.
    pub fn line(self) -> String {
        self.0.with(|alarm| alarm.as_ref().map_or_else(String::new, line))
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

const SQUARE: &str = "<rect x=\"1.2\" y=\"1.2\" width=\"11.6\" height=\"11.6\" rx=\"1.6\"/>";
const TRIANGLE: &str = "<path d=\"M7 1.4L13.2 12.6H.8z\"/>";
const CIRCLE: &str = "<circle cx=\"7\" cy=\"7\" r=\"5.8\"/>";

fn line(alarm: &AlertSummary) -> String {
    let (mut class, mut shape) = ("good", CIRCLE);
    let mut words = "No alert is firing".to_owned();
    if alarm.firing > 0 {
        (class, shape) = if alarm.critical { ("bad", SQUARE) } else { ("warn", TRIANGLE) };
        let be = if alarm.firing == 1 { " alert is firing" } else { " alerts are firing" };
        words = [&alarm.firing.to_string(), be].concat();
        words += match alarm.unacknowledged {
            0 => ", acknowledged",
            _ if alarm.unacknowledged == alarm.firing => ", not acknowledged",
            _ => ", not all acknowledged",
        };
    }
    if alarm.pending > 0 {
        words += &[", ", &alarm.pending.to_string(), " pending"].concat();
    }
    if alarm.muted > 0 {
        words += &[", ", &alarm.muted.to_string(), " muted"].concat();
    }
    if alarm.stale {
        (class, shape) = ("bad", SQUARE);
        words = "Alerts are not being evaluated".to_owned();
    }
    let worst = match &alarm.worst {
        Some((id, title)) if !alarm.stale => {
            ["/incidents/", &id.to_string(), "\" rel=\"external\">", &escape(title)].concat()
        }
        _ => "\" rel=\"external\">Alerts".to_owned(),
    };
    [
        "<p class=\"alarm ",
        class,
        "\"><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\">",
        shape,
        "</svg><span>",
        &words,
        ". <a href=\"/alerts",
        &worst,
        "</a></span></p>",
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(alarm: AlertSummary) -> String {
        let html = line(&alarm);
        html.split('<').skip(1).map(|part| part.split_once('>').map_or("", |(_, text)| text)).collect()
    }

    #[test]
    fn the_line_says_what_fires_and_who_has_it() {
        let quiet = AlertSummary::default();
        assert_eq!(words(quiet.clone()), "No alert is firing. Alerts");
        let pending = AlertSummary { pending: 1, muted: 2, ..quiet.clone() };
        assert_eq!(words(pending), "No alert is firing, 1 pending, 2 muted. Alerts");
        let worst = Some((217, "Error rate is above 1 % for <14 min>".into()));
        let firing = AlertSummary { firing: 2, unacknowledged: 1, critical: true, worst, ..quiet.clone() };
        assert_eq!(
            words(firing.clone()),
            "2 alerts are firing, not all acknowledged. Error rate is above 1 % for &lt;14 min&gt;"
        );
        assert!(
            line(&firing).contains("href=\"/alerts/incidents/217\"") && line(&firing).contains("alarm bad")
        );
        assert_eq!(words(AlertSummary { stale: true, ..firing }), "Alerts are not being evaluated. Alerts");
        assert_eq!(
            words(AlertSummary { firing: 1, unacknowledged: 1, ..quiet }),
            "1 alert is firing, not acknowledged. Alerts"
        );
    }
}
