//! The HTML file: everything in one page that asks for nothing else, light and dark, readable without scripts.

use super::chart::{Chart, Line};
use std::fmt::Write;
use streamgauge_core::{
    load_test::{self, Outcome, Point, Verdict},
    metric::kpi::thousands,
};

pub fn page(outcome: &Outcome) -> String {
    let title = escaped(&outcome.title);
    let scale =
        if outcome.time_scale == 1.0 { String::new() } else { format!(", times × {}", outcome.time_scale) };
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{title} – Streamgauge</title><style>{}</style></head><body>\
         <header class=\"top\"><div><h1>{title}</h1><p>{} against {}, {}, {} s{scale}</p></div>\
         <p class=\"verdict\"><span class=\"state {}\">{}</span></p></header>",
        include_str!("page.css"),
        escaped(&outcome.scenario),
        escaped(&outcome.against()),
        when(outcome.started_at),
        outcome.figures.seconds,
        if outcome.passed { "pass" } else { "fail" },
        load_test::verdict(outcome),
    );
    for warning in outcome.warnings() {
        let _ = write!(html, "<p class=\"note\">{}</p>", escaped(&warning));
    }
    findings(outcome, &mut html);
    html.push_str("<div class=\"charts\">");
    for chart in charts(&outcome.timeline).iter().filter(|chart| chart.has_data()) {
        let legend: String = chart
            .lines
            .iter()
            .map(|line| format!("<span class=\"{}\">{}</span>", line.class, line.name))
            .collect();
        let _ = write!(
            html,
            "<section class=\"panel{}\"><header><h2>{}</h2><p class=\"legend\">{legend}</p></header>{}<p class=\"caption\">{}</p></section>",
            if chart.is_wide { " row" } else { "" },
            chart.title,
            chart.svg(),
            chart.unit
        );
    }
    html.push_str("</div>");
    steps(outcome, &mut html);
    figures(outcome, &mut html);
    over_time(&outcome.timeline, &mut html);
    html + "</body></html>\n"
}

fn charts(points: &[Point]) -> Vec<Chart<'_>> {
    let line = |name, class, value: &dyn Fn(&Point) -> Option<f64>| Line {
        name,
        class,
        points: points.iter().map(|point| (point.at_s as f64, value(point))).collect(),
    };
    let chart = |title, unit, lines| Chart { title, unit, lines, target: None, is_wide: false };
    // It is not read each second: what lies between two readings is no hole.
    let mut pss = line("PSS", "main", &|point| point.pss_mb);
    pss.points.retain(|(_, value)| value.is_some());
    vec![
        Chart {
            is_wide: true,
            target: Some((crate::judge::DELIVERY_P95_MS, "target p95 100 ms")),
            ..chart(
                "Latency",
                "ms, from when a message was due to its arrival",
                vec![
                    line("p50", "soft", &|point| point.p50_ms),
                    line("p95", "main", &|point| point.p95_ms),
                    line("p99", "other", &|point| point.p99_ms),
                ],
            )
        },
        chart(
            "Streams",
            "open at once",
            vec![line("streams", "main", &|point| Some(f64::from(point.streams)))],
        ),
        chart(
            "Rate",
            "a second",
            vec![
                line("deliveries", "main", &|point| Some(point.deliveries_per_second)),
                line("messages", "other", &|point| Some(point.messages_per_second)),
            ],
        ),
        chart(
            "Server memory",
            "MB, the server's process without its database",
            vec![pss, line("RSS", "other", &|point| point.rss_mb)],
        ),
        chart("Server CPU", "% of one core", vec![line("CPU", "main", &|point| point.cpu_percent)]),
    ]
}

fn findings(outcome: &Outcome, html: &mut String) {
    html.push_str(
        "<section class=\"panel\"><header><h2>Benchmarks</h2></header><table class=\"findings\"><thead><tr>\
         <th scope=\"col\">Metric</th><th scope=\"col\">Target</th><th scope=\"col\">Measured</th>\
         <th scope=\"col\">Verdict</th><th scope=\"col\">Basis</th></tr></thead><tbody>",
    );
    for finding in &outcome.findings {
        let class = match finding.verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::NotEnoughData | Verdict::NotMeasured => "none",
        };
        let basis = match finding.measured {
            Some(_) => format!("n = {} {}", thousands(finding.samples), finding.samples_of),
            None => String::new(),
        };
        let parts: Vec<&str> = [basis.as_str(), finding.note.as_deref().unwrap_or("")]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{}</th><td class=\"mut\">{}</td><td class=\"measured\">{}</td>\
             <td><span class=\"state {class}\">{}</span></td><td class=\"mut note-cell\">{}</td></tr>",
            finding.name,
            escaped(&finding.target),
            finding.shown(),
            finding.verdict.words(),
            escaped(&parts.join("; ")),
        );
    }
    html.push_str("</tbody></table></section>");
}

fn steps(outcome: &Outcome, html: &mut String) {
    if outcome.figures.steps.is_empty() {
        return;
    }
    html.push_str(
        "<section class=\"panel\"><header><h2>Steps</h2></header><div class=\"scroll\"><table><thead><tr><th scope=\"col\" class=\"num\">Messages/s</th>\
         <th scope=\"col\" class=\"num\">Deliveries/s</th><th scope=\"col\" class=\"num\">p95</th>\
         <th scope=\"col\" class=\"num\">p99</th><th scope=\"col\">Held</th></tr></thead><tbody>",
    );
    for step in &outcome.figures.steps {
        let (class, words) =
            if step.held { ("pass", "held") } else { ("fail", step.why.as_deref().unwrap_or("not held")) };
        let _ = write!(
            html,
            "<tr><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td>\
             <td><span class=\"state {class}\">{}</span></td></tr>",
            thousands(step.messages_per_second.round() as u64),
            thousands(step.deliveries_per_second.round() as u64),
            ms(step.p95_ms),
            ms(step.p99_ms),
            escaped(words)
        );
    }
    html.push_str("</tbody></table></div></section>");
}

fn figures(outcome: &Outcome, html: &mut String) {
    html.push_str(
        "<section class=\"panel\"><header><h2>Figures</h2></header><table class=\"figures\"><tbody>",
    );
    for (name, value) in load_test::figures(outcome) {
        let _ = write!(html, "<tr><th scope=\"row\">{name}</th><td>{}</td></tr>", escaped(&value));
    }
    html.push_str("</tbody></table></section>");
}

fn over_time(points: &[Point], html: &mut String) {
    html.push_str(
        "<details class=\"panel\"><summary>The charts as a table</summary><div class=\"scroll\"><table><thead><tr>",
    );
    for name in
        ["s", "p50", "p95", "p99", "Streams", "Deliveries/s", "Messages/s", "PSS MB", "RSS MB", "CPU %"]
    {
        let _ = write!(html, "<th scope=\"col\" class=\"num\">{name}</th>");
    }
    html.push_str("</tr></thead><tbody>");
    for point in points {
        let number = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| format!("{value:.1}"));
        let cells = [
            thousands(point.at_s),
            ms(point.p50_ms),
            ms(point.p95_ms),
            ms(point.p99_ms),
            thousands(point.streams.into()),
            thousands(point.deliveries_per_second.round() as u64),
            thousands(point.messages_per_second.round() as u64),
            number(point.pss_mb),
            number(point.rss_mb),
            number(point.cpu_percent),
        ];
        let cells: String = cells.iter().map(|cell| format!("<td class=\"num\">{cell}</td>")).collect();
        let _ = write!(html, "<tr>{cells}</tr>");
    }
    html.push_str("</tbody></table></div></details>");
}

fn ms(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), |value| format!("{value:.2} ms"))
}

/// `2026-11-23 14:05 UTC`.
fn when(unix_ms: i64) -> String {
    let (days, minutes) = (unix_ms.div_euclid(86_400_000), unix_ms.rem_euclid(86_400_000) / 60_000);
    // Civil from days: eras of 400 years that begin in March, so that the leap day is the last of a year.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", minutes / 60, minutes % 60)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let check = |ms, expected: &str| assert_eq!(when(ms), expected);
        check(0, "1970-01-01 00:00 UTC");
        check(951_782_400_000, "2000-02-29 00:00 UTC");
        check(1_795_442_700_000, "2026-11-23 14:05 UTC");
    }

    #[test]
    fn what_a_scenario_file_says_cannot_become_markup() {
        assert_eq!(escaped("<b a=\"&\">"), "&lt;b a=&quot;&amp;&quot;&gt;");
    }
}
