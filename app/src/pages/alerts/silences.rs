//! `/alerts/silences`: what keeps rules quiet now and later, and forms to begin and to end it.

use super::{Read, Tab, head, page, read};
use crate::{
    alerts::{
        action::{Act, ends, hidden},
        words::{listed, moment},
    },
    text::time::{self, Zone},
};
use leptos::prelude::*;
use streamgauge_core::page::alerts::{Maintenance, RuleView, Silence};

const HERE: &str = "/alerts/silences";

#[component]
pub fn SilencesPage() -> impl IntoView {
    page("Silences and maintenance".into(), || {
        let read = read();
        async move {
            let read = read.await?;
            Ok(view! {
                {head(&read, Tab::Silences)}
                <div class="parts" data-part="body">
                    {silences(&read)}
                    {maintenance(&read)}
                </div>
                <div class="row even" id="new">
                    {new_silence(&read)}
                    {new_maintenance(&read)}
                </div>
            }
            .into_any())
        }
    })
}

fn of(rule: &str) -> String {
    if rule == "*" { "All rules".into() } else { rule.to_owned() }
}

fn silences(read: &Read) -> AnyView {
    let now = read.now;
    let row = |silence: &Silence| {
        let end = match (silence.ended_at, silence.ends_at) {
            (Some(ended), _) => view! { "ended "{moment(ended, now)} }.into_any(),
            (None, Some(end)) => view! { "until "{moment(end, now)} }.into_any(),
            (None, None) => "until it is resolved".into_any(),
        };
        let mutes = match (silence.ended_at, silence.mutes.as_slice()) {
            (Some(_), _) => "\u{2013}".to_owned(),
            (None, []) => "nothing now".to_owned(),
            (None, names) => listed(names),
        };
        let act = silence.ended_at.is_none().then(|| {
            Act {
                route: format!("silences/{}/end", silence.id),
                back: HERE,
                label: "End now".into(),
                of: &format!("the silence of {}", of(&silence.rule)),
                primary: false,
                fields: &[],
            }
            .view()
        });
        let class = if silence.ended_at.is_some() { "over" } else { "" };
        view! {
            <tr class=class>
                <th scope="row">{of(&silence.rule)}</th>
                <td data-label="End, UTC">{end}</td>
                <td data-label="Mutes">{mutes}</td>
                <td data-label="Reason">{silence.reason.clone()}</td>
                <td data-label="By">{silence.author.clone()}</td>
                <td class="num">{act}</td>
            </tr>
        }
    };
    let body = if read.silences.rows.is_empty() {
        view! { <p class="mut">"No silence was ever set. A silence mutes notifications; incidents are recorded all the same."</p> }
            .into_any()
    } else {
        view! {
            <table class="stack">
                <thead>
                    <tr>
                        <th scope="col">"Rule"</th>
                        <th scope="col">"End, UTC"</th>
                        <th scope="col">"Mutes"</th>
                        <th scope="col">"Reason"</th>
                        <th scope="col">"By"</th>
                        <th scope="col"><span class="sr">"End it"</span></th>
                    </tr>
                </thead>
                <tbody>{read.silences.rows.iter().map(row).collect_view()}</tbody>
            </table>
        }
        .into_any()
    };
    view! {
        <section class="panel hushes" aria-labelledby="silences">
            <header><h2 id="silences">"Silences"</h2><p class="legend">"7 days at most; when one ends and its rule still fires, that is notified at once"</p></header>
            {body}
        </section>
    }
    .into_any()
}

fn maintenance(read: &Read) -> AnyView {
    let now = read.now;
    let row = |window: &Maintenance| {
        let plan = match (&window.cron, window.starts_at, window.ends_at) {
            (Some(cron), _, _) => {
                let length = window.duration.map_or_else(String::new, time::span);
                let zone = window.zone.clone().unwrap_or_else(|| "UTC".into());
                view! { <code>{cron.clone()}</code>{format!(" for {length}, {zone}")} }.into_any()
            }
            (None, Some(from), Some(to)) => {
                view! { "once, "{moment(from, now)}" to "{moment(to, now)} }.into_any()
            }
            _ => "\u{2013}".into_any(),
        };
        let next = match (window.active, window.next_from, window.next_to) {
            (true, _, Some(to)) => view! { <b>"now"</b>", until "{moment(to, now)} }.into_any(),
            (_, Some(from), _) => moment(from, now).into_any(),
            _ => "over".into_any(),
        };
        let act = (window.active || window.next_from.is_some()).then(|| {
            Act {
                route: format!("maintenance/{}/end", window.id),
                back: HERE,
                label: if window.cron.is_some() { "Remove".into() } else { "End now".into() },
                of: &format!("the maintenance {}", window.reason),
                primary: false,
                fields: &[],
            }
            .view()
        });
        view! {
            <tr>
                <th scope="row">{window.reason.clone()}</th>
                <td data-label="Rules">{of(&window.rule)}</td>
                <td data-label="When">{plan}</td>
                <td data-label="Next, UTC">{next}</td>
                <td data-label="By">{window.author.clone()}</td>
                <td class="num">{act}</td>
            </tr>
        }
    };
    let body = if read.maintenance.rows.is_empty() {
        view! { <p class="mut">"No maintenance is planned. During maintenance rules are judged and recorded, and nothing is notified."</p> }
            .into_any()
    } else {
        view! {
            <table class="stack">
                <thead>
                    <tr>
                        <th scope="col">"Reason"</th>
                        <th scope="col">"Rules"</th>
                        <th scope="col">"When"</th>
                        <th scope="col">"Next, UTC"</th>
                        <th scope="col">"By"</th>
                        <th scope="col"><span class="sr">"End it"</span></th>
                    </tr>
                </thead>
                <tbody>{read.maintenance.rows.iter().map(row).collect_view()}</tbody>
            </table>
        }
        .into_any()
    };
    view! {
        <section class="panel hushes" aria-labelledby="maintenance">
            <header><h2 id="maintenance">"Maintenance"</h2><p class="legend">"once, or again and again"</p></header>
            {body}
        </section>
    }
    .into_any()
}

fn rule_choice(id: &'static str, rules: &[RuleView]) -> AnyView {
    let option = |rule: &RuleView| view! { <option value=rule.name.clone()>{rule.name.clone()}</option> };
    view! {
        <label for=id>"Rule"</label>
        <select id=id name="rule">
            <option value="*">"All rules"</option>
            {rules.iter().map(option).collect_view()}
        </select>
    }
    .into_any()
}

fn new_silence(read: &Read) -> AnyView {
    view! {
        <section class="panel" aria-labelledby="new-silence">
            <header><h2 id="new-silence">"New silence"</h2></header>
            <form class="fields" method="post" action="/api/admin/silences">
                {hidden("back", HERE)}
                {rule_choice("silence-rule", &read.alerts.rules)}
                <label for="until">"For"</label>
                <select id="until" name="until">{ends(read.now)}</select>
                <label for="silence-reason">"Reason"</label>
                <input type="text" id="silence-reason" name="reason" required maxlength="200" />
                <span></span>
                <button class="button">"Silence"</button>
            </form>
        </section>
    }
    .into_any()
}

fn new_maintenance(read: &Read) -> AnyView {
    let minute = |at: i64| {
        let iso = time::iso(at / 1_000);
        iso[..16].to_owned()
    };
    let hour = 3_600_000;
    let next = (read.now / hour + 1) * hour;
    let zones = [
        "UTC",
        "Europe/Berlin",
        "Europe/London",
        "America/New_York",
        "America/Los_Angeles",
        "Asia/Kolkata",
        "Asia/Tokyo",
    ];
    let zone = |id: &'static str| {
        view! {
            <label for=id>"Time zone"</label>
            <input type="text" id=id name="zone" value="UTC" list="zones" required maxlength="40" />
        }
    };
    view! {
        <section class="panel" aria-labelledby="new-maintenance">
            <header><h2 id="new-maintenance">"New maintenance"</h2></header>
            <datalist id="zones">{zones.map(|zone| view! { <option value=zone></option> }).into_iter().collect_view()}</datalist>
            <details class="choice" open name="maintenance">
                <summary>"Once"</summary>
                <form class="fields" method="post" action="/api/admin/maintenance">
                    {hidden("back", HERE)}
                    {rule_choice("once-rule", &read.alerts.rules)}
                    <label for="from">"From"</label>
                    <input type="datetime-local" id="from" name="from" required value=minute(next) />
                    <label for="to">"To"</label>
                    <input type="datetime-local" id="to" name="to" required value=minute(next + hour) />
                    {zone("once-zone")}
                    <label for="once-reason">"Reason"</label>
                    <input type="text" id="once-reason" name="reason" required maxlength="200" />
                    <span></span>
                    <button class="button">"Plan it"</button>
                </form>
            </details>
            <details class="choice" name="maintenance">
                <summary>"Again and again"</summary>
                <form class="fields" method="post" action="/api/admin/maintenance">
                    {hidden("back", HERE)}
                    {rule_choice("cron-rule", &read.alerts.rules)}
                    <label for="cron">"Begins, as cron"</label>
                    <input type="text" id="cron" name="cron" required value="0 2 * * 0" maxlength="64" aria-describedby="cron-help" />
                    <span></span>
                    <small class="mut" id="cron-help">"minute, hour, day, month, weekday: Sundays at 02:00"</small>
                    <label for="duration">"Lasts"</label>
                    <input type="text" id="duration" name="duration" required value="1h" maxlength="12" />
                    {zone("cron-zone")}
                    <label for="cron-reason">"Reason"</label>
                    <input type="text" id="cron-reason" name="reason" required maxlength="200" />
                    <span></span>
                    <button class="button">"Plan it"</button>
                </form>
            </details>
            <p class="cap">{format!("Now it is {} UTC.", Zone::Utc.minute(read.now / 1_000))}</p>
        </section>
    }
    .into_any()
}
