//! Forms of one button, and short ones. They post to the API and come back; they need no script.

use leptos::prelude::*;

/// A form of hidden fields and one button.
pub struct Act<'a> {
    /// Below `/api/admin/`.
    pub route: String,
    /// Where the answer leads, a local path.
    pub back: &'a str,
    pub label: String,
    /// Said behind the label to those who do not see what it stands beside.
    pub of: &'a str,
    pub primary: bool,
    pub fields: &'a [(&'a str, &'a str)],
}

impl Act<'_> {
    pub fn view(self) -> AnyView {
        let class = if self.primary { "button primary" } else { "button" };
        let of = (!self.of.is_empty()).then(|| format!(" {}", self.of));
        let of = of.map(|of| view! { <span class="sr">{of}</span> });
        view! {
            <form method="post" action=format!("/api/admin/{}", self.route)>
                {hidden("back", self.back)}
                {self.fields.iter().map(|(name, value)| hidden(name, value)).collect_view()}
                <button class=class>{self.label} {of}</button>
            </form>
        }
        .into_any()
    }
}

/// "Silence 1 h": the reason says where it came from, since every silence has one.
pub fn silence_an_hour(rule: &str, of: &str, back: &str, now: i64) -> AnyView {
    let until = (now + 3_600_000).to_string();
    Act {
        route: "silences".into(),
        back,
        label: "Silence 1\u{a0}h".into(),
        of,
        primary: false,
        fields: &[("rule", rule), ("until", &until), ("reason", "Silenced for an hour by the button")],
    }
    .view()
}

pub fn hidden(name: &str, value: &str) -> AnyView {
    view! { <input type="hidden" name=name.to_owned() value=value.to_owned() /> }.into_any()
}

/// Ends that a silence may have, as `until` has them, and in words.
pub fn ends(now: i64) -> AnyView {
    let hours =
        [(1, "1 hour"), (4, "4 hours"), (12, "12 hours"), (24, "1 day"), (72, "3 days"), (168, "7 days")];
    let option = |(hours, words): (i64, &'static str)| {
        // A minute less than the most that is allowed, since the form is read for a while before it is sent.
        let until = now + hours * 3_600_000 - if hours == 168 { 60_000 } else { 0 };
        let end = super::words::when(until, now);
        view! { <option value=until.to_string()>{format!("{words}, to {end}")}</option> }
    };
    view! {
        {hours.map(option).into_iter().collect_view()}
        <option value="resolved">"until it is resolved"</option>
    }
    .into_any()
}
