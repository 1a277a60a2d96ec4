//! What a draft would have done with the stored history, by the function that runs live; and the saved rule beside it.

use super::{rule::Edit, rule_form::FORM};
use crate::{
    alerts::{
        chart::{Area, Line, SpanChart, keys},
        draft::{Draft, Watch},
        words::{lasted, level, short},
    },
    text::{
        number::{count, fixed},
        time::{self, Zone},
    },
};
use leptos::prelude::*;
use streamgauge_core::page::alerts::{Backtest, Fired, Outcome};

/// What is shorter is probably noise.
const BRIEF_MS: i64 = 120_000;

pub fn panel(edit: &Edit) -> AnyView {
    let title = view! { <header><h2 id="backtest-title">"Backtest, 30 days"</h2></header> };
    match &edit.tested {
        None => view! {
            {title}
            <div class="empty">
                <h2>"What would this rule have done?"</h2>
                <p>"The draft is judged over the stored samples of 30 days, by the function that runs live."</p>
                <p><button class="button" form=FORM name="backtest" value="1">"Backtest"</button></p>
            </div>
        }
        .into_any(),
        Some(Err(_)) => view! { {title} <p class="mut">"There is no backtest of a faulty rule: see above what is allowed."</p> }.into_any(),
        Some(Ok(backtest)) => tested(edit, backtest),
    }
}

fn tested(edit: &Edit, backtest: &Backtest) -> AnyView {
    let name = match &edit.rule {
        Some(rule) => short(&rule.name, &rule.title),
        None => match &edit.draft.watch {
            Watch::Condition { metric, .. } => metric.replace('_', " "),
            Watch::Burn { objective, .. } => format!("{objective} budget"),
        },
    };
    let headline = headline(backtest);
    let unit = &backtest.unit;
    let mut levels = Vec::new();
    if let Some(limit) = backtest.threshold {
        levels.push(Line { level: limit, words: format!("draft {}", level(limit, unit)), class: "limit" });
    }
    let saved_limit = edit.rule.as_ref().and_then(|rule| rule.threshold).filter(|_| edit.is_changed());
    if let Some(limit) = saved_limit.filter(|limit| Some(*limit) != backtest.threshold) {
        levels.push(Line { level: limit, words: format!("saved {}", level(limit, unit)), class: "back" });
    }
    let saved_only = saved_only(backtest);
    let date = |at: i64| {
        if at.div_euclid(86_400_000) == edit.now.div_euclid(86_400_000) {
            "today".into()
        } else {
            Zone::Utc.date(at / 1_000)
        }
    };
    let area = |fired: &Fired, class: &'static str| {
        let to = fired.to.unwrap_or(backtest.to);
        let second = if class == "old" { "saved only".into() } else { lasted(fired.from, to) };
        Area { from: fired.from, to, class, head: Some((date(fired.from), second)) }
    };
    let mut areas: Vec<Area> = backtest.incidents.iter().map(|fired| area(fired, "fire")).collect();
    areas.extend(saved_only.iter().map(|fired| area(fired, "old")));
    areas.sort_by_key(|area| area.from);
    let step = match backtest.values.as_slice() {
        [first, second, ..] => second.at - first.at,
        _ => 0,
    };
    let most = if backtest.below { "lowest" } else { "highest" };
    let mut key = vec![
        ("line", if backtest.below { "lowest of a step" } else { "highest of a step" }),
        ("fire", "would fire"),
    ];
    if !saved_only.is_empty() {
        key.push(("old", "saved rule only"));
    }
    let chart = SpanChart {
        id: "backtest-chart",
        title: format!("{name}, {most} of each {}", time::span(step / 1_000)),
        unit,
        from: backtest.from,
        to: backtest.to,
        values: &backtest.values,
        below: backtest.below,
        lines: levels,
        areas,
        flags: Vec::new(),
        said: format!("{name} over 30 days. {headline}"),
        caption: String::new(),
        open: false,
    };
    let scale = if chart.is_logarithmic() { " Logarithmic." } else { "" };
    let caption = format!(
        "{} of the 30 days are covered; n = {}.{scale} Spans are drawn wider than they lasted.",
        percent(backtest.covered),
        count(backtest.n, "event or sample", "events or samples")
    );
    let chart = SpanChart { caption, ..chart };
    let cannot = backtest.cannot_tell.iter().map(|text| view! { <li>{text.clone()}</li> }).collect_view();
    let cannot = (!backtest.cannot_tell.is_empty()).then(|| view! { <ul class="cannot">{cannot}</ul> });
    view! {
        <header><h2 id="backtest-title">"Backtest, 30 days"</h2><p class="legend">"judged by the function that runs live"</p></header>
        <p class="say" data-say="">{headline}</p>
        <p class="mut">{detail(backtest)}</p>
        {chart.view(keys(&key))}
        {thresholds(backtest)}
        {cannot}
    }
    .into_any()
}

fn percent(share: f64) -> String {
    // Never rounded up: 99.97 % is not all.
    let tenths = (share.clamp(0.0, 1.0) * 1_000.0).floor() / 10.0;
    format!("{}\u{a0}%", fixed(tenths, if tenths >= 100.0 { 0 } else { 1 }))
}

fn headline(backtest: &Backtest) -> String {
    let times = match backtest.fires {
        0 => return "Would not have fired.".into(),
        1 => "once".to_owned(),
        many => format!("{many} times"),
    };
    format!("Would have fired {times}, {} in all.", lasted(0, backtest.firing_seconds * 1_000))
}

/// Longest and shortest, likely noise, and what people judged of the incidents of that time.
fn detail(backtest: &Backtest) -> String {
    let length = |fired: &Fired| fired.to.unwrap_or(backtest.to) - fired.from;
    let lengths = || backtest.incidents.iter().map(length);
    let mut words = Vec::new();
    match (lengths().max(), lengths().min()) {
        (Some(longest), Some(shortest)) if backtest.fires > 1 => {
            words.push(format!("Longest {}, shortest {}.", lasted(0, longest), lasted(0, shortest)));
        }
        _ => {}
    }
    let brief = lengths().filter(|length| *length < BRIEF_MS).count() as u64;
    if brief > 0 {
        words.push(format!("{} cleared in less than 2\u{a0}min, which is likely noise.", brief));
    }
    let judged =
        |list: &[Fired], outcome: Outcome| list.iter().filter(|fired| fired.outcome == Some(outcome)).count();
    for (outcome, of) in [(Outcome::Real, "judged real"), (Outcome::False, "judged false")] {
        let found = judged(&backtest.incidents, outcome);
        let all = judged(&saved_only(backtest), outcome) + found;
        if all > 0 {
            words.push(format!("It finds {found} of {} {of}.", count(all as u64, "incident", "incidents")));
        }
    }
    words.join(" ")
}

fn overlap(one: &Fired, other: &Fired) -> bool {
    let end = |fired: &Fired| fired.to.unwrap_or(i64::MAX);
    one.from < end(other) && other.from < end(one)
}

/// Firings of the saved rule that the draft does not have.
fn saved_only(backtest: &Backtest) -> Vec<Fired> {
    let saved = backtest.saved.iter().flatten();
    saved.filter(|saved| !backtest.incidents.iter().any(|fired| overlap(saved, fired))).cloned().collect()
}

/// Firings at each threshold, so that nobody has to drag to find the knee. Each is a button of the form; with scripts a
/// slider stands above them.
fn thresholds(backtest: &Backtest) -> AnyView {
    let (Some(first), Some(last), Some(chosen)) =
        (backtest.thresholds.first(), backtest.thresholds.last(), backtest.threshold)
    else {
        return ().into_any();
    };
    let unit = &backtest.unit;
    let nearest = backtest
        .thresholds
        .iter()
        .map(|at| at.threshold)
        .min_by(|one, other| (one - chosen).abs().total_cmp(&(other - chosen).abs()));
    let button = |at: &streamgauge_core::page::alerts::AtThreshold| {
        let current = (nearest == Some(at.threshold)).to_string();
        let words = level(at.threshold, unit);
        let value = words.replace('\u{a0}', "");
        let said = format!("{words}: fires {}", count(at.fires, "time", "times"));
        view! {
            <button class="step" form=FORM name="threshold" value=value aria-pressed=current aria-label=said>
                <b>{at.fires}</b>
                <span>{words}</span>
            </button>
        }
    };
    let step = (last.threshold - first.threshold) / 100.0;
    let number = |value: f64| level(value, "").replace(',', "");
    view! {
        <div class="slide">
            <label for="slider">"Threshold"</label>
            <input type="range" id="slider" data-slider="" hidden min=number(first.threshold) max=number(last.threshold) step=number(step) value=number(chosen) aria-valuetext=level(chosen, unit) />
            <output for="slider">{level(chosen, unit)}</output>
            <div class="scale" role="group" aria-label="Firings in 30 days at each threshold">{backtest.thresholds.iter().map(button).collect_view()}</div>
        </div>
        <p class="cap">"Bold: firings in 30 days at that threshold."</p>
    }
    .into_any()
}

/// Saved against draft, incident by incident, with what people judged.
pub fn against(edit: &Edit) -> AnyView {
    let Some(Ok(backtest)) = &edit.tested else { return ().into_any() };
    let Some(saved) = &backtest.saved else { return ().into_any() };
    let mut rows: Vec<(i64, Option<&Fired>, Option<&Fired>)> = backtest
        .incidents
        .iter()
        .map(|fired| (fired.from, saved.iter().find(|saved| overlap(saved, fired)), Some(fired)))
        .collect();
    let alone = saved.iter().filter(|saved| !backtest.incidents.iter().any(|fired| overlap(saved, fired)));
    rows.extend(alone.map(|saved| (saved.from, Some(saved), None)));
    rows.sort_by_key(|(from, ..)| *from);
    let long = |fired: Option<&Fired>| {
        fired.map_or_else(|| "\u{2013}".into(), |fired| lasted(fired.from, fired.to.unwrap_or(backtest.to)))
    };
    let row = |(from, saved, draft): &(i64, Option<&Fired>, Option<&Fired>)| {
        let known = draft.filter(|fired| fired.outcome.is_some() || fired.incident.is_some()).or(*saved);
        let judged = known.map(|fired| {
            let words = fired.outcome.map_or("not judged", |outcome| outcome.as_str());
            match fired.incident {
                Some(id) => {
                    view! { <a href=format!("/alerts/incidents/{id}")>{format!("{words}, #{id}")}</a> }
                        .into_any()
                }
                None if fired.outcome.is_some() => words.into_any(),
                None => "\u{2013}".into_any(),
            }
        });
        let at = from / 1_000;
        view! {
            <tr>
                <th scope="row">{format!("{}, {}", Zone::Utc.date(at), Zone::Utc.minute(at))}</th>
                <td class="num">{long(*saved)}</td>
                <td class="num"><b>{long(*draft)}</b></td>
                <td>{judged}</td>
            </tr>
        }
    };
    let all = |list: &[Fired]| -> i64 {
        list.iter().map(|fired| fired.to.unwrap_or(backtest.to) - fired.from).sum()
    };
    let draft_all = backtest.firing_seconds * 1_000;
    let shown = rows.len().min(12);
    let skipped = rows.len() - shown;
    let skipped = (skipped > 0)
        .then(|| view! { <p class="cap">{format!("The newest {shown} of {}.", rows.len())}</p> });
    let newest = &rows[rows.len() - shown..];
    view! {
        <section class="panel" aria-labelledby="against">
            <header><h2 id="against">"Saved against draft"</h2><p class="legend">{differences(edit)}</p></header>
            <table class="versus">
                <thead>
                    <tr>
                        <th scope="col">"Began, UTC"</th>
                        <th scope="col" class="num">"Saved"</th>
                        <th scope="col" class="num">"Draft"</th>
                        <th scope="col">"Judged"</th>
                    </tr>
                </thead>
                <tbody>{newest.iter().map(row).collect_view()}</tbody>
                <tfoot>
                    <tr><th scope="row">"Fired"</th><td class="num">{times(saved.len())}</td><td class="num"><b>{times(backtest.incidents.len())}</b></td><td></td></tr>
                    <tr><th scope="row">"In all"</th><td class="num">{lasted(0, all(saved))}</td><td class="num"><b>{lasted(0, draft_all)}</b></td><td></td></tr>
                </tfoot>
            </table>
            {skipped}
        </section>
    }
    .into_any()
}

fn times(many: usize) -> String {
    count(many as u64, "time", "times")
}

/// "threshold 1 % to 1.5 %", or that there is none.
fn differences(edit: &Edit) -> String {
    let changes = edit.saved.as_ref().map(|saved: &Draft| saved.changes(&edit.draft)).unwrap_or_default();
    match changes.as_slice() {
        [] => "no difference yet".into(),
        [(name, Some(old), Some(new))] => format!("{}: {old} to {new}", name.replace('_', " ")),
        many => count(many.len() as u64, "field differs", "fields differ"),
    }
}
