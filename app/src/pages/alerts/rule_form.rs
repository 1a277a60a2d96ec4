//! A rule as a sentence whose words are controls. All controls belong to one form, wherever they stand.

use super::rule::Edit;
use crate::alerts::{
    action::hidden,
    draft::{Draft, Watch, unit_of},
};
use leptos::prelude::*;
use std::collections::BTreeSet;
use streamgauge_core::{
    alert::file::{burn::OBJECTIVES, subject::Subject},
    page::alerts::Backtest,
};

/// The form's id.
pub const FORM: &str = "rule";
/// Watched most; they stand before the others.
const USUAL: [&str; 6] = [
    "error_rate",
    "avg_latency",
    "connection_success_rate",
    "memory_usage",
    "redis_latency",
    "active_connections",
];
const DURATIONS: [&str; 10] = ["10s", "30s", "1m", "2m", "3m", "5m", "10m", "15m", "30m", "1h"];
const WINDOWS: [&str; 9] = ["5m", "30m", "1h", "2h", "6h", "12h", "1d", "3d", "7d"];

/// What a control was before: it is marked, and says so.
fn was<'a>(edit: &'a Edit, read: impl Fn(&'a Draft) -> Option<&'a str>) -> (String, bool) {
    let saved = edit.saved.as_ref().and_then(&read).map(str::to_owned);
    let changed = saved.is_some() && saved.as_deref() != read(&edit.draft);
    (saved.unwrap_or_default(), changed)
}

fn mark(changed: bool) -> &'static str {
    if changed { "chg" } else { "" }
}

/// A control that is chosen from a list. What is chosen and not in the list is added to it.
fn choice(
    name: &'static str,
    label: &'static str,
    options: &[(String, String)],
    chosen: &str,
    (saved, changed): (String, bool),
) -> AnyView {
    let mut options = options.to_vec();
    if !options.iter().any(|(value, _)| value == chosen) {
        options.insert(0, (chosen.to_owned(), chosen.to_owned()));
    }
    let words =
        options.iter().find(|(value, _)| *value == saved).map_or(saved.clone(), |(_, words)| words.clone());
    let option = |(value, words): (String, String)| {
        let selected = value == chosen;
        view! { <option value=value selected=selected>{words}</option> }
    };
    let was = (!saved.is_empty()).then(|| view! { <small class="was">{format!("was {words}")}</small> });
    view! {
        <select form=FORM name=name aria-label=label class=mark(changed) data-saved=saved>
            {options.into_iter().map(option).collect_view()}
        </select>
        {was}
    }
    .into_any()
}

fn same(options: &[&str]) -> Vec<(String, String)> {
    options.iter().map(|option| ((*option).to_owned(), spelled(option))).collect()
}

/// "5 min" of "5m", "1 h 30 min" of "1h30m".
pub fn spelled(duration: &str) -> String {
    let mut words = String::new();
    for letter in duration.chars() {
        match letter {
            'd' => words.push_str(" d "),
            'h' => words.push_str(" h "),
            'm' => words.push_str(" min "),
            's' => words.push_str(" s "),
            letter => words.push(letter),
        }
    }
    words.trim().replace(' ', "\u{a0}")
}

fn metrics(chosen: &str) -> AnyView {
    let option = |name: &str| {
        let (unit, selected) = (unit_of(name), name == chosen);
        view! { <option value=name.to_owned() data-unit=unit selected=selected>{name.replace('_', " ")}</option> }
    };
    let names: BTreeSet<String> = Subject::all().map(Subject::name).collect();
    let unknown = (!names.contains(chosen)).then(|| option(chosen));
    let others = names.iter().filter(|name| !USUAL.contains(&name.as_str())).map(|name| option(name));
    view! {
        {unknown}
        <optgroup label="Watched most">{USUAL.map(option).into_iter().collect_view()}</optgroup>
        <optgroup label="All others">{others.collect_view()}</optgroup>
    }
    .into_any()
}

pub fn sentence(edit: &Edit) -> AnyView {
    let draft = &edit.draft;
    let what = match &draft.watch {
        Watch::Condition { .. } => condition(edit),
        Watch::Burn { .. } => burn(edit),
    };
    let severities = ["info", "warning", "critical"].map(|word| (word.to_owned(), word.to_owned()));
    let severity = choice(
        "severity",
        "Severity",
        &severities,
        &draft.severity,
        was(edit, |draft| Some(&draft.severity)),
    );
    let name = match &edit.rule {
        Some(rule) => hidden("name", &rule.name),
        None => view! {
            <p class="naming">
                <label for="name">"Name"</label>
                <input type="text" id="name" name="name" required maxlength="64" pattern="[A-Za-z][A-Za-z0-9_.\\-]*" value=draft.name.clone() placeholder="Checkout_Latency" aria-describedby="name-help" />
                <small class="mut" id="name-help">"a letter, then letters, digits, _ - ."</small>
                {kinds(&draft.watch)}
            </p>
        }
        .into_any(),
    };
    let kind = matches!(draft.watch, Watch::Burn { .. }).then(|| hidden("kind", "burn"));
    view! {
        <section class="panel" aria-labelledby="sentence">
            <h2 id="sentence" class="sr">"The rule"</h2>
            <form id=FORM method="get" action=edit.address() data-draft="">
                {name} {kind}
                {hidden("version", &edit.rule.as_ref().map_or(0, |rule| rule.version).to_string())}
                {hidden("back", &edit.address())}
                <p class="sentence">
                    {what}
                    <span class="nb">"severity "{severity}","</span>
                    " notify "
                    {channels(edit)}
                </p>
            </form>
            <div data-part="hints">{hints(edit)}</div>
        </section>
    }
    .into_any()
}

/// A level, or a budget.
fn kinds(watch: &Watch) -> AnyView {
    let link = |path: &'static str, words: &'static str, here: bool| {
        let current = here.then_some("true");
        view! { <a href=path aria-current=current>{words}</a> }
    };
    let is_burn = matches!(watch, Watch::Burn { .. });
    view! {
        <span class="seg">
            {link("/alerts/rules/new", "a metric's level", !is_burn)}
            {link("/alerts/rules/new?kind=burn", "a budget's burn", is_burn)}
        </span>
    }
    .into_any()
}

/// Without the unit that stands behind the control.
pub fn bare(quantity: &str, unit: &str) -> String {
    quantity.strip_suffix(unit).map_or(quantity, str::trim_end).to_owned()
}

fn condition(edit: &Edit) -> AnyView {
    let Watch::Condition { metric, comparison, threshold, duration, .. } = &edit.draft.watch else {
        return ().into_any();
    };
    let unit = unit_of(metric);
    let of = |read: fn(&Watch) -> Option<&str>| was(edit, move |draft| read(&draft.watch));
    let (saved_metric, metric_changed) = of(|watch| match watch {
        Watch::Condition { metric, .. } => Some(metric),
        Watch::Burn { .. } => None,
    });
    let compared = of(|watch| match watch {
        Watch::Condition { comparison, .. } => Some(comparison),
        Watch::Burn { .. } => None,
    });
    let (saved_threshold, threshold_changed) = of(|watch| match watch {
        Watch::Condition { threshold, .. } => Some(threshold),
        Watch::Burn { .. } => None,
    });
    let lasting = of(|watch| match watch {
        Watch::Condition { duration, .. } => Some(duration),
        Watch::Burn { .. } => None,
    });
    let comparisons = [(">", "is above"), (">=", "is at least"), ("<", "is below"), ("<=", "is at most")];
    let comparisons = comparisons.map(|(sign, words)| (sign.to_owned(), words.to_owned()));
    let was = (!saved_threshold.is_empty())
        .then(|| view! { <small class="was">{format!("was {saved_threshold}")}</small> });
    let saved = bare(&saved_threshold, unit);
    view! {
        "When "
        <select form=FORM name="metric" aria-label="Metric" class=mark(metric_changed) data-saved=saved_metric>{metrics(metric)}</select>
        " "
        {choice("comparison", "Comparison", &comparisons, comparison, compared)}
        " "
        <span class="nw">
            <input form=FORM type="text" inputmode="decimal" name="threshold" aria-label="Threshold" required maxlength="20" value=bare(threshold, unit) class=mark(threshold_changed) data-saved=saved />
            " "<span data-unit="">{unit}</span>" "{was}
        </span>
        " for "
        <span class="nb">{choice("duration", "Duration", &same(&DURATIONS), duration, lasting)}","</span>
        " "
    }
    .into_any()
}

fn burn(edit: &Edit) -> AnyView {
    let Watch::Burn { objective, factor, long, short } = &edit.draft.watch else { return ().into_any() };
    let of = |read: fn(&Watch) -> Option<&str>| was(edit, move |draft| read(&draft.watch));
    let objectives = OBJECTIVES.map(|(name, _)| (name.to_owned(), name.to_owned()));
    let named = of(|watch| match watch {
        Watch::Burn { objective, .. } => Some(objective),
        Watch::Condition { .. } => None,
    });
    let (saved_factor, changed) = of(|watch| match watch {
        Watch::Burn { factor, .. } => Some(factor),
        Watch::Condition { .. } => None,
    });
    let longer = of(|watch| match watch {
        Watch::Burn { long, .. } => Some(long),
        Watch::Condition { .. } => None,
    });
    let shorter = of(|watch| match watch {
        Watch::Burn { short, .. } => Some(short),
        Watch::Condition { .. } => None,
    });
    let was = (!saved_factor.is_empty())
        .then(|| view! { <small class="was">{format!("was {saved_factor}")}</small> });
    view! {
        "When the error budget of "
        {choice("objective", "Objective", &objectives, objective, named)}
        " burns "
        <span class="nw">
            <input form=FORM type="text" inputmode="decimal" name="factor" aria-label="Factor" required maxlength="12" value=factor.clone() class=mark(changed) data-saved=saved_factor />
            " times too fast "{was}
        </span>
        " over "
        {choice("long", "Long window", &same(&WINDOWS), long, longer)}
        " and still over "
        <span class="nb">{choice("short", "Short window", &same(&WINDOWS), short, shorter)}","</span>
        " "
    }
    .into_any()
}

fn channels(edit: &Edit) -> AnyView {
    let of_rules = edit.alerts.rules.iter().flat_map(|rule| &rule.notification);
    let mut names: BTreeSet<&str> = of_rules.chain(&edit.draft.notification).map(String::as_str).collect();
    names.extend(edit.alerts.not_set_up.iter().map(String::as_str));
    names.extend(["email", "slack", "pagerduty"].into_iter().filter(|_| edit.alerts.file.is_none()));
    let chip = |name: &str| {
        let checked = edit.draft.notification.iter().any(|chosen| chosen == name);
        let missing = edit.alerts.not_set_up.iter().any(|channel| channel == name);
        let note = missing.then(|| view! { <small>" not set up"</small> });
        let class = if missing { "chip off" } else { "chip" };
        view! {
            <label class=class>
                <input form=FORM type="checkbox" name="notification" value=name.to_owned() checked=checked />
                {name.to_owned()} {note}
            </label>
        }
    };
    view! { <span class="tell" role="group" aria-label="Channels">{names.into_iter().map(chip).collect_view()}</span> }
        .into_any()
}

/// What is wrong with the draft, and what it means.
fn hints(edit: &Edit) -> AnyView {
    match &edit.tested {
        None => ().into_any(),
        Some(Err(faults)) => view! {
            <div class="faults" role="alert">
                <p><b>"This rule cannot be saved yet."</b></p>
                <ul>{faults.iter().map(|fault| view! { <li>{fault.clone()}</li> }).collect_view()}</ul>
            </div>
        }
        .into_any(),
        Some(Ok(Backtest { hints, .. })) => {
            let hint = |text: &String| {
                let few = text.starts_with("Too few");
                let class = if few { "sign warn" } else { "sign mute" };
                view! {
                    <p class="hint">
                        <svg class=class viewBox="0 0 12 12" aria-hidden="true"><circle cx="6" cy="6" r="5"></circle><path d="M6 5.6v3M6 3.3v.1"></path></svg>
                        <span>{text.clone()}</span>
                    </p>
                }
            };
            hints.iter().map(hint).collect_view().into_any()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spelled() {
        let check = |text, expected: &str| assert_eq!(spelled(text), expected.replace('_', "\u{a0}"));
        check("5m", "5_min");
        check("1h30m", "1_h_30_min");
        check("10s", "10_s");
    }

    #[test]
    fn a_unit_stands_behind_its_control_once() {
        assert_eq!(bare("1.5%", "%"), "1.5");
        assert_eq!(bare("2 s", "ms"), "2 s");
        assert_eq!(bare("500 ms", "ms"), "500");
    }
}
