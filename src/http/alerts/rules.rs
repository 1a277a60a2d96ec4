//! The view of all rules, edits of one, its versions, backtests.

use super::{
    super::{
        body::{self, MAX_JSON, whole},
        extract::Asked,
        problem::Problem,
    },
    Paged, failed,
    form::{self, Fields, Sent, is_form},
    shown_anew,
};
use crate::{
    alerting::{BadRules, Unfit, checked, item},
    clock,
    node::Node,
    store::alerts::{Deleted, Put, StoredRule},
};
use axum::{
    Extension, Json,
    extract::{FromRequest, Path, Request, State},
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use streamgauge_core::{
    access::Actor,
    alert::file::Rule,
    page::alerts::{Alerts, Backtest, RuleHistory},
    text::is_label,
};

/// Names that are routes.
const TAKEN: [&str; 2] = ["backtest", "new"];

pub async fn list(State(node): State<Arc<Node>>) -> Json<Alerts> {
    Json((*node.alerting.shown().alerts).clone())
}

/// A rule as somebody sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// YAML, one item of `alerts:`; or the same as JSON.
    rule: Value,
    /// The version that was edited; 0 for a new rule.
    version: Option<i64>,
}

impl Fields for Draft {
    const NUMBERS: &'static [&'static str] = &["version"];
}

fn text(rule: &Value) -> String {
    // JSON is YAML too.
    rule.as_str().map_or_else(|| rule.to_string(), str::to_owned)
}

#[derive(Serialize)]
struct Saved {
    name: String,
    version: i64,
}

impl From<BadRules> for Problem {
    fn from(bad: BadRules) -> Problem {
        Problem::field("rule", bad.to_string())
    }
}

/// With a file, the file is the truth.
fn editable(node: &Node) -> Result<(), Problem> {
    match node.alerting.file().and_then(|book| book.path.as_deref()) {
        None => Ok(()),
        Some(path) => {
            let detail = format!(
                "The rules are in the file {path}, so they are read-only here. Edit the file and restart."
            );
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
    }
}

fn conflict(now: Option<i64>) -> Problem {
    let detail = match now {
        Some(version) => {
            format!("Somebody else has changed the rule: it is at version {version} now. Load it again.")
        }
        None => "There is no such rule any more.".to_owned(),
    };
    Problem::new(StatusCode::PRECONDITION_FAILED, detail)
}

/// `If-Match: "3"`.
fn expected(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let version =
        value.to_str().ok().map(|text| text.trim().trim_matches('"')).and_then(|text| text.parse().ok());
    match version {
        Some(version) if version >= 0 => Ok(Some(version)),
        _ => Err(Problem::new(StatusCode::BAD_REQUEST, "If-Match must be the rule's version.")),
    }
}

async fn save(
    node: &Node,
    actor: &Actor,
    rule: &Rule,
    expected: Option<i64>,
) -> Result<(StatusCode, Saved), Problem> {
    if TAKEN.contains(&rule.name.as_str()) {
        return Err(Problem::field("name", format!("`{}` is not allowed as a name.", rule.name)));
    }
    let stored = StoredRule { name: rule.name.clone(), version: 0, yaml: item(rule), enabled: rule.enabled };
    let put = node.store.alerts().put_rule(&stored, expected, actor).await;
    let (status, version) = match put.map_err(|error| failed(&error))? {
        Put::Created(version) => (StatusCode::CREATED, version),
        Put::Changed(version) => (StatusCode::OK, version),
        Put::Conflict(now) => return Err(conflict(now)),
    };
    tracing::info!(%actor, rule = rule.name, version, "an alert rule was saved");
    shown_anew(node).await;
    Ok((status, Saved { name: rule.name.clone(), version }))
}

fn saved((status, saved): (StatusCode, Saved)) -> Response {
    let mut response = (status, Json(&saved)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", saved.version)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The book to check against is read anew: two edits within a moment must see each other.
async fn check(node: &Node, text: &str) -> Result<Rule, Problem> {
    shown_anew(node).await;
    Ok(checked(text, node.alerting.shown().book())?)
}

/// Creates or replaces the rule of the path: JSON, or the YAML itself. `If-Match` guards another's change.
pub async fn put(
    State(node): State<Arc<Node>>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    editable(&node)?;
    let if_match = expected(request.headers())?;
    let is_yaml = ["application/yaml", "text/yaml"].iter().any(|kind| body::says(request.headers(), kind));
    let (text, version) = if is_yaml {
        let bytes = whole(request.into_body(), MAX_JSON).await?;
        let text = String::from_utf8(bytes.into());
        (text.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "The body is not UTF-8."))?, None)
    } else {
        let (draft, _) = Sent::<Draft>::from_request(request, &()).await?.split();
        (text(&draft.rule), draft.version)
    };
    let rule = check(&node, &text).await?;
    if rule.name != name {
        let detail = "The rule's name must be the one in the address. To rename a rule, save it anew and delete the old one.";
        return Err(Problem::field("name", detail));
    }
    save(&node, &actor, &rule, if_match.or(version)).await.map(saved)
}

/// The same for forms and for clients that do not read the name out of the rule.
pub async fn add(
    State(node): State<Arc<Node>>,
    Extension(actor): Extension<Actor>,
    request: Request,
) -> Result<Response, Problem> {
    if is_form(&request) {
        return by_form(&node, &actor, request).await;
    }
    editable(&node)?;
    let (draft, _) = Sent::<Draft>::from_request(request, &()).await?.split();
    let rule = check(&node, &text(&draft.rule)).await?;
    save(&node, &actor, &rule, draft.version).await.map(saved)
}

/// The longest draft that fits an address.
const LONGEST_DRAFT: usize = 6 * 1024;

/// Whether a form as it was sent can stand in an address.
fn is_address(sent: &str) -> bool {
    sent.len() <= LONGEST_DRAFT && sent.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The rule as `yaml`, or field by field. What cannot be saved is shown on the rule's page again, which says why.
async fn by_form(node: &Node, actor: &Actor, request: Request) -> Result<Response, Problem> {
    let (fields, sent) = form::fields(request).await?;
    editable(node)?;
    let field = |name: &str| {
        let found = fields.iter().find(|(field, _)| field == name);
        found.map(|(_, text)| text.as_str()).filter(|text| !text.trim().is_empty())
    };
    let yaml = field("yaml").map_or_else(|| streamgauge_app::rule_yaml(&fields), str::to_owned);
    let version: Option<i64> = field("version").and_then(|version| version.trim().parse().ok());
    let done = async {
        let rule = check(node, &yaml).await?;
        save(node, actor, &rule, version).await
    };
    match done.await {
        Ok(_) => Ok(Sent::<()>::answer(Some(field("back").unwrap_or("/alerts/rules")), ())),
        Err(problem) if problem.status().is_client_error() && is_address(&sent) => {
            let is_name = |name: &&str| {
                name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
            };
            let page = field("name").filter(is_name).filter(|_| version.is_some_and(|version| version > 0));
            let back = format!("/alerts/rules/{}?{sent}", page.unwrap_or("new"));
            Ok(Redirect::to(&back).into_response())
        }
        Err(problem) => Err(problem),
    }
}

async fn delete(
    node: &Node,
    actor: &Actor,
    name: &str,
    expected: Option<i64>,
) -> Result<StatusCode, Problem> {
    editable(node)?;
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "There is no such rule.");
    if !is_label(name, 64) {
        return Err(unknown());
    }
    shown_anew(node).await;
    let shown = node.alerting.shown();
    let children = shown.book().entries.iter().map(|entry| &entry.rule);
    if let Some(child) = children.into_iter().find(|rule| rule.depends_on.as_deref() == Some(name)) {
        let detail = format!("The rule {} depends on it. Change that one first.", child.name);
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    let deleted = node.store.alerts().delete_rule(name, expected, actor).await;
    match deleted.map_err(|error| failed(&error))? {
        Deleted::Done => {}
        Deleted::Unknown => return Err(unknown()),
        Deleted::Conflict(version) => return Err(conflict(Some(version))),
    }
    tracing::info!(%actor, rule = name, "an alert rule was deleted");
    shown_anew(node).await;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn remove(
    State(node): State<Arc<Node>>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    delete(&node, &actor, &name, expected(&headers)?).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deletion {
    version: Option<i64>,
}

impl Fields for Deletion {
    const NUMBERS: &'static [&'static str] = &["version"];
}

/// The same for forms, which know no DELETE.
pub async fn remove_by_form(
    State(node): State<Arc<Node>>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
    sent: Sent<Deletion>,
) -> Result<Response, Problem> {
    let (Deletion { version }, back) = sent.split();
    let done = delete(&node, &actor, &name, version).await?;
    Ok(Sent::<()>::answer(back.as_deref(), done))
}

/// The versions of a rule, newest first; also of one that was deleted.
pub async fn history(
    State(node): State<Arc<Node>>,
    Path(name): Path<String>,
    Asked(paged): Asked<Paged>,
) -> Result<Json<RuleHistory>, Problem> {
    let (before, most) = paged.check()?;
    // What no rule can be called has no versions, and is no text to PostgreSQL either.
    if !is_label(&name, 64) {
        return Ok(Json(RuleHistory::default()));
    }
    let history = node.store.alerts().rule_history(&name, before, most).await;
    history.map(Json).map_err(|error| failed(&error))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    rule: Value,
    /// Unix milliseconds; the last 30 days, if they are not given.
    from: Option<i64>,
    to: Option<i64>,
}

impl Fields for Question {
    const NUMBERS: &'static [&'static str] = &["from", "to"];
}

/// When the rule would have fired, over stored history, by the function that runs live.
pub async fn backtest(
    State(node): State<Arc<Node>>,
    sent: Sent<Question>,
) -> Result<Json<Backtest>, Problem> {
    let (question, _) = sent.split();
    let now = clock::now_ms();
    let to = question.to.unwrap_or(now);
    let from = question.from.unwrap_or(to.saturating_sub(30 * 86_400_000));
    let found = node.alerting.backtest(&node.store, &text(&question.rule), (from, to), now).await;
    found.map(Json).map_err(|unfit| match unfit {
        Unfit::Rule(bad) => bad.into(),
        Unfit::Window => {
            Problem::field("from", "from and to must be Unix milliseconds, from a minute to 366 days apart.")
        }
        Unfit::Busy => Problem::too_many("Other backtests run. Try again in a moment."),
        Unfit::Store(error) => failed(&error),
    })
}
