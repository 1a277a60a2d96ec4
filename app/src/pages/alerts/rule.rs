//! `/alerts/rules/{name}` and `/alerts/rules/new`: a rule as a sentence, what the draft would have done, and who changed it.
//!
//! The draft is in the address: the button Backtest sends the form back to this page. With scripts the same happens while
//! one types, and only the parts of the draft are put in.

use super::{
    page, rule_backtest as backtest,
    rule_form::{self as form, FORM},
    rule_rest,
    rule_versions::versions,
};
use crate::{
    alerts::{
        draft::{Draft, Watch},
        shape::Look,
        strip::Patterns,
        words::moment,
    },
    api::{self, Failure},
    pages::missing::answer_with,
    text::html::query_fields,
};
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_params_map};
use streamgauge_core::page::alerts::{Alerts, Backtest, RuleHistory, RuleView};

const DAYS: i64 = 30;

/// Everything that the page shows.
pub struct Edit {
    pub alerts: Alerts,
    /// `None`: a new one.
    pub rule: Option<RuleView>,
    pub saved: Option<Draft>,
    pub draft: Draft,
    pub history: RuleHistory,
    /// `None`: not asked for.
    pub tested: Option<Result<Backtest, Vec<String>>>,
    /// The version that the draft began from.
    pub version: i64,
    pub now: i64,
}

impl Edit {
    /// Something differs from what is saved.
    pub fn is_changed(&self) -> bool {
        self.saved.as_ref().is_none_or(|saved| *saved != self.draft)
    }

    pub fn address(&self) -> String {
        self.rule
            .as_ref()
            .map_or_else(|| "/alerts/rules/new".into(), |rule| format!("/alerts/rules/{}", rule.name))
    }

    pub fn is_read_only(&self) -> bool {
        self.alerts.file.is_some()
    }

    /// Somebody saved another version since this draft was begun.
    fn is_overtaken(&self) -> bool {
        self.rule.as_ref().is_some_and(|rule| rule.version != self.version)
    }
}

#[component]
pub fn NewRulePage() -> impl IntoView {
    shown(None)
}

#[component]
pub fn RulePage() -> impl IntoView {
    shown(use_params_map().with_untracked(|params| params.get("name")))
}

fn shown(name: Option<String>) -> AnyView {
    let fields = use_location().search.with_untracked(|search| query_fields(search));
    page(name.clone().unwrap_or_else(|| "New rule".into()), move || {
        let read = read(name.clone(), fields.clone());
        async move {
            Ok(match read.await? {
                Some(edit) => whole(&edit),
                None => missing(),
            })
        }
    })
}

/// `None`: no such rule. Everything is asked for before the first wait: the context is there only until then.
fn read(
    name: Option<String>,
    fields: Vec<(String, String)>,
) -> impl Future<Output = Result<Option<Edit>, Failure>> + Send {
    let (alerts, now) = (api::alerts::overview(), api::alerts::now());
    let history = name.clone().map(api::alerts::history);
    let test = api::alerts::backtester();
    async move {
        let alerts = alerts.await?;
        let rule = alerts.rules.iter().find(|rule| Some(&rule.name) == name.as_ref()).cloned();
        if name.is_some() && rule.is_none() {
            return Ok(None);
        }
        let saved = rule.as_ref().map(|rule| Draft::of_yaml(&rule.yaml));
        let draft = drafted(&fields, saved.as_ref());
        let is_asked = fields
            .iter()
            .any(|(name, _)| ["backtest", "metric", "objective", "yaml"].contains(&name.as_str()));
        let tested = match is_asked {
            true => Some(test(draft.yaml(), now - DAYS * 86_400_000, now).await?),
            false => None,
        };
        let version =
            fields.iter().find(|(name, _)| name == "version").and_then(|(_, text)| text.parse().ok());
        let version = version.unwrap_or_else(|| rule.as_ref().map_or(0, |rule| rule.version));
        let history = match history {
            Some(history) => history.await?,
            None => RuleHistory::default(),
        };
        Ok(Some(Edit { alerts, rule, saved, draft, history, tested, version, now }))
    }
}

/// Out of the address, or else what is saved.
fn drafted(fields: &[(String, String)], saved: Option<&Draft>) -> Draft {
    let has = |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, text)| text.as_str());
    match (has("yaml"), has("metric").or_else(|| has("objective"))) {
        (Some(yaml), _) => Draft::of_yaml(yaml),
        (None, Some(_)) => Draft::of_fields(fields),
        (None, None) => saved.cloned().unwrap_or_else(|| {
            let is_burn = has("kind") == Some("burn");
            if is_burn { Draft { watch: Watch::burn(), ..Draft::default() } } else { Draft::default() }
        }),
    }
}

fn missing() -> AnyView {
    answer_with(http::StatusCode::NOT_FOUND);
    view! {
        <header class="top"><h1>"No such rule"</h1></header>
        <p>"It was never saved, or it was deleted. "<a href="/alerts/rules">"All rules"</a></p>
    }
    .into_any()
}

fn whole(edit: &Edit) -> AnyView {
    view! {
        {head(edit)}
        {notes(edit)}
        {form::sentence(edit)}
        <div class="row two loose">
            <section class="panel" data-part="backtest" aria-labelledby="backtest-title">{backtest::panel(edit)}</section>
            <div class="stackcol">
                <div data-part="against">{backtest::against(edit)}</div>
                {versions(edit)}
            </div>
        </div>
        {rule_rest::rest(edit)}
        {yaml(edit)}
        <Patterns />
    }
    .into_any()
}

fn head(edit: &Edit) -> AnyView {
    let title = edit.rule.as_ref().map_or_else(|| "New rule".to_owned(), |rule| rule.name.clone());
    let state = edit.rule.as_ref().map(|rule| {
        let since = rule.since.map(|since| view! { <span>"since "<b>{moment(since, edit.now)}</b></span> });
        view! { {Look::of_rule(rule).view()} {since} }
    });
    let version = match (&edit.rule, edit.is_changed()) {
        (None, _) => view! { <span>"not saved"</span> }.into_any(),
        (Some(_), _) if edit.is_read_only() => {
            let file = edit.alerts.file.clone();
            view! { <span>"in the file "<code>{file}</code>", read-only here"</span> }.into_any()
        }
        (Some(rule), true) => {
            view! { <span>{format!("draft of version {}, ", rule.version + 1)}<b>"not saved"</b></span> }
                .into_any()
        }
        (Some(rule), false) => view! { <span>{format!("version {}", rule.version)}</span> }.into_any(),
    };
    let keeps = edit.rule.as_ref().and_then(|rule| rule.incident).filter(|_| !edit.is_read_only()).map(|id| {
        view! {
            <span>"Saving keeps incident "<a href=format!("/alerts/incidents/{id}")>{format!("#{id}")}</a>" open and notes the change in it"</span>
        }
    });
    let save = (!edit.is_read_only()).then(|| {
        let label = match &edit.rule {
            Some(rule) => format!("Save version {}", rule.version + 1),
            None => "Create the rule".into(),
        };
        view! { <button class="button primary" form=FORM formmethod="post" formaction="/api/admin/alerts">{label}</button> }
    });
    let discard = (edit.rule.is_some() && edit.is_changed())
        .then(|| view! { <a class="button" href=edit.address()>"Discard"</a> });
    let why = edit.rule.as_ref().filter(|rule| !rule.reason.is_empty()).map(|rule| {
        view! { <p class="how"><b>"Now: "</b>{rule.reason.clone()}</p> }
    });
    view! {
        <header class="top incident-top">
            <div>
                <p class="crumb"><a href="/alerts">"Alerts"</a>" / "<a href="/alerts/rules">"Rules"</a></p>
                <h1>{title}</h1>
                <p class="meta" data-part="meta">{state} {version} {keeps}</p>
                {why}
            </div>
            <div class="tools">
                <span data-part="discard">{discard}</span>
                <button class="button" form=FORM name="backtest" value="1" data-scriptless="">"Backtest"</button>
                {save}
            </div>
        </header>
        <p class="sr" role="status" data-said=""></p>
    }
    .into_any()
}

/// What must be known before one saves.
fn notes(edit: &Edit) -> AnyView {
    let overtaken = edit.is_overtaken().then(|| {
        let by = edit.history.rows.first().map(|newest| {
            view! { " by "<b>{newest.actor.clone()}</b>", "{moment(newest.at, edit.now)} }
        });
        let now = edit.rule.as_ref().map_or(0, |rule| rule.version);
        view! {
            <p class="notice warning" role="alert">
                <b>{format!("Version {now} was saved{}", if by.is_some() { "" } else { " meanwhile" })}{by}"."</b>
                {format!(" Your draft began from version {}, and was not saved. Compare it with the rule as it is now: ", edit.version)}
                <a href=edit.address()>"discard the draft"</a>", or save it over the newer version."
            </p>
        }
    });
    let read_only = edit.is_read_only().then(|| {
        view! {
            <p class="notice info">
                <b>"A file rules: "<code>{edit.alerts.file.clone()}</code>"."</b>
                " What you change here is a draft for the backtest. Copy its YAML into the file, and restart the server."
            </p>
        }
    });
    view! { {overtaken} {read_only} }.into_any()
}

fn yaml(edit: &Edit) -> AnyView {
    view! {
        <section class="panel" aria-labelledby="yaml">
            <header>
                <h2 id="yaml">"As YAML"</h2>
                <p class="legend"><span>"for a file of "<code>"--alerts"</code>", or for the API"</span></p>
            </header>
            <div data-part="yaml" class="yaml"><pre tabindex="0" role="region" aria-label="The draft as YAML"><code>{edit.draft.yaml()}</code></pre></div>
        </section>
    }
    .into_any()
}
