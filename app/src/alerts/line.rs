//! What every page says of all alerts above its title, as HTML: the admin stream's messages carry it as it is.

use crate::text::html::escape;
use streamgauge_core::page::alerts::AlertSummary;

const SQUARE: &str = "<rect x=\"1.2\" y=\"1.2\" width=\"11.6\" height=\"11.6\" rx=\"1.6\"/>";
const TRIANGLE: &str = "<path d=\"M7 1.4L13.2 12.6H.8z\"/>";
const CIRCLE: &str = "<circle cx=\"7\" cy=\"7\" r=\"5.8\"/>";

/// The worst alert and how many there are, in a line that leads to it.
pub fn line(alarm: &AlertSummary) -> String {
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
