//! What a rule holds beside its sentence: controls of the same form.

use super::{
    rule::Edit,
    rule_form::{FORM, bare},
};
use crate::alerts::{
    action::hidden,
    draft::{Watch, unit_of},
};
use leptos::prelude::*;

pub fn rest(edit: &Edit) -> AnyView {
    let draft = &edit.draft;
    let text = |id: &'static str, label: &'static str, value: &str, hint: &'static str| {
        view! {
            <dt><label for=id>{label}</label></dt>
            <dd>
                <input form=FORM type="text" id=id name=id maxlength="500" value=value.to_owned() />
                <small>{hint}</small>
            </dd>
        }
    };
    let modes =
        [("robust", "robust: sure, against chance and bursts"), ("literal", "literal: as Prometheus")];
    let mode = modes.map(|(value, words)| {
        view! { <option value=value selected=draft.mode == value>{words}</option> }
    });
    let parents = edit.alerts.rules.iter().filter(|rule| rule.name != draft.name).map(|rule| {
        let selected = rule.name == draft.depends_on;
        view! { <option value=rule.name.clone() selected=selected>{format!("{} fires", rule.name)}</option> }
    });
    let level = match &draft.watch {
        Watch::Condition { metric, recover, eager, .. } => {
            let unit = unit_of(metric);
            view! {
                <dt><label for="recover">"Recovers at"</label></dt>
                <dd>
                    <input form=FORM type="text" inputmode="decimal" class="short" id="recover" name="recover" maxlength="20" value=bare(recover, unit) />
                    <small>{unit}" or better; empty: the threshold"</small>
                </dd>
                <dt>"Early"</dt>
                <dd>
                    <label class="check"><input form=FORM type="checkbox" name="eager" value="true" checked=*eager />"fire before the whole duration shows it"</label>
                </dd>
            }
            .into_any()
        }
        Watch::Burn { .. } => ().into_any(),
    };
    let delete = (edit.rule.is_some() && !edit.is_read_only()).then(|| delete(edit));
    view! {
        <section class="panel" id="rest" aria-labelledby="rest-title">
            <header><h2 id="rest-title">"The rest of the rule"</h2><p class="legend">"defaults fit most rules"</p></header>
            <div class="row even tight">
                <dl class="opts">
                    {level}
                    {text("keep_firing_for", "Clear for", &draft.keep_firing_for, "before it resolves; empty: its duration, 5m at least")}
                    <dt><label for="mode">"Test"</label></dt>
                    <dd><select form=FORM id="mode" name="mode">{mode.into_iter().collect_view()}</select></dd>
                    {text("confidence", "Sure to", &draft.confidence, "90% to 99.9999%")}
                    <dt>"Without data"</dt>
                    <dd><span>"keeps its state, and says “blind since”"</span></dd>
                </dl>
                <dl class="opts">
                    <dt><label for="depends_on">"Muted while"</label></dt>
                    <dd>
                        <select form=FORM id="depends_on" name="depends_on">
                            <option value="">"never"</option>
                            {parents.collect_view()}
                        </select>
                    </dd>
                    {text("node", "Node", &draft.node, "empty: all nodes")}
                    {text("region", "Region", &draft.region, "empty: all regions together")}
                    {text("runbook", "Runbook", &draft.runbook, "https://…")}
                    {text("description", "Description", &draft.description, "")}
                    <dt>"On"</dt>
                    <dd>
                        <input form=FORM type="hidden" name="enabled" value="false" />
                        <label class="check"><input form=FORM type="checkbox" name="enabled" value="true" checked=draft.enabled />"judged every 10 s"</label>
                    </dd>
                </dl>
            </div>
            {delete}
        </section>
    }
    .into_any()
}

fn delete(edit: &Edit) -> AnyView {
    let Some(rule) = &edit.rule else { return ().into_any() };
    view! {
        <details class="figures delete">
            <summary>"Delete this rule"</summary>
            <form method="post" action=format!("/api/admin/alerts/{}/end", rule.name)>
                {hidden("back", "/alerts/rules")}
                {hidden("version", &rule.version.to_string())}
                <p>"An open incident is resolved, and says that the rule was deleted. Its history stays."</p>
                <button class="button">{format!("Delete {}", rule.name)}</button>
            </form>
        </details>
    }
    .into_any()
}
