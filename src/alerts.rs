//! `streamgauge alerts`: checks a file of rules, runs scenario files, and moves rules between files and a running server by
//! its API.

use crate::alerting::Book;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::{fmt::Write, fs, path::Path, time::Duration};
use streamgauge_core::{
    alert::{file::AlertFile, scenario},
    page::alerts::{Alerts, Backtest},
};

/// A backtest of a year of percentiles is the longest answer.
const PATIENCE: Duration = Duration::from_secs(120);

pub enum Task {
    /// Without a server.
    Check {
        file: String,
    },
    Export,
    Import {
        file: String,
    },
    /// `from` and `to` as the command has them.
    Backtest {
        file: String,
        from: Option<String>,
        to: Option<String>,
    },
}

/// Where the server is.
pub struct Target {
    pub url: String,
    pub key: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum AlertsError {
    #[error("{0}: {1}.")]
    File(String, std::io::Error),
    /// Every fault with its line.
    #[error("{0} cannot be used:\n{1}")]
    Rules(String, String),
    #[error(
        "{0} is {1:?}, but must be a date such as 2026-11-29, a time such as 2026-11-29T14:00Z, or a time ago such as 30d."
    )]
    Time(&'static str, String),
    #[error("the server at {0} did not answer: {1}.")]
    Unreachable(String, reqwest::Error),
    #[error("the server answered {0}: {1}")]
    Refused(StatusCode, String),
    #[error("the runtime does not start: {0}.")]
    Runtime(#[from] std::io::Error),
}

impl AlertsError {
    /// The fault is in what the operator wrote.
    pub fn is_usage(&self) -> bool {
        matches!(self, AlertsError::File(..) | AlertsError::Rules(..) | AlertsError::Time(..))
    }
}

/// Answers what it has to say.
pub fn run(task: Task, target: &Target) -> Result<String, AlertsError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match task {
        Task::Check { file } => {
            let book = read(&file)?;
            let count = book.entries.len();
            let rules = if count == 1 { "rule" } else { "rules" };
            Ok(format!("{file}: {count} {rules}, no fault.\n"))
        }
        Task::Export => runtime.block_on(export(target)),
        Task::Import { file } => {
            let book = read(&file)?;
            runtime.block_on(import(target, &book))
        }
        Task::Backtest { file, from, to } => {
            let book = read(&file)?;
            let now = crate::clock::now_ms();
            let to = time("--to", to.as_deref(), now)?.unwrap_or(now);
            let from = time("--from", from.as_deref(), now)?.unwrap_or(to - 30 * 86_400_000);
            runtime.block_on(backtest(target, &book, from, to))
        }
    }
}

/// Runs scenario files: what there is to say, and the exit status.
pub fn test(files: &[String]) -> (String, u8) {
    let read_file = |path: &str| fs::read_to_string(path).map_err(|error| format!("{error}."));
    let outcome = scenario::command(files, &read_file, &|name| std::env::var(name).ok());
    (outcome.text, outcome.exit)
}

fn read(file: &str) -> Result<Book, AlertsError> {
    let bytes = fs::read(Path::new(file)).map_err(|error| AlertsError::File(file.to_owned(), error))?;
    Book::of_file(file, &bytes, |name| std::env::var(name).ok())
        .map_err(|bad| AlertsError::Rules(file.to_owned(), bad.to_string()))
}

/// Unix milliseconds.
fn time(option: &'static str, text: Option<&str>, now: i64) -> Result<Option<i64>, AlertsError> {
    let Some(text) = text else { return Ok(None) };
    let ago = text.strip_suffix('d').and_then(|days| days.parse::<u16>().ok());
    let ago = ago.map(|days| now - i64::from(days) * 86_400_000);
    let date = || {
        let date = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
    };
    let moment = || Some(chrono::DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis());
    let minute = || {
        let minute = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%MZ").ok()?;
        Some(minute.and_utc().timestamp_millis())
    };
    let found = ago.or_else(date).or_else(moment).or_else(minute);
    found.map(Some).ok_or_else(|| AlertsError::Time(option, text.to_owned()))
}

fn request(target: &Target, method: Method, path: &str) -> Result<RequestBuilder, AlertsError> {
    let unreachable = |error| AlertsError::Unreachable(target.url.clone(), error);
    let client = Client::builder().timeout(PATIENCE).build().map_err(unreachable)?;
    let request = client.request(method, format!("{}{path}", target.url.trim_end_matches('/')));
    Ok(match &target.key {
        Some(key) => request.bearer_auth(key),
        None => request,
    })
}

async fn sent(target: &Target, request: RequestBuilder) -> Result<Value, AlertsError> {
    let unreachable = |error| AlertsError::Unreachable(target.url.clone(), error);
    let answer = request.send().await.map_err(unreachable)?;
    let status = answer.status();
    let value: Value = answer.json().await.unwrap_or_default();
    if status.is_success() {
        return Ok(value);
    }
    Err(AlertsError::Refused(status, value["detail"].as_str().unwrap_or_default().to_owned()))
}

async fn export(target: &Target) -> Result<String, AlertsError> {
    let alerts = sent(target, request(target, Method::GET, "/api/admin/alerts")?).await?;
    let alerts: Alerts = serde_json::from_value(alerts).unwrap_or_default();
    let mut text = String::from("alerts:\n");
    for line in alerts.rules.iter().flat_map(|rule| rule.yaml.lines()) {
        text.extend(["  ", line, "\n"]);
    }
    Ok(text)
}

/// Rules that others depend on come first, so that each is checked beside those that it names.
async fn import(target: &Target, book: &Book) -> Result<String, AlertsError> {
    let mut said = String::new();
    let mut done: Vec<&str> = Vec::new();
    while done.len() < book.entries.len() {
        let before = done.len();
        for entry in &book.entries {
            let rule = &entry.rule;
            let waits = rule.depends_on.as_deref().is_some_and(|parent| !done.contains(&parent));
            if waits || done.contains(&rule.name.as_str()) {
                continue;
            }
            let path = format!("/api/admin/alerts/{}", rule.name);
            let body = json!({ "rule": entry.yaml });
            let saved = sent(target, request(target, Method::PUT, &path)?.json(&body)).await?;
            // Writing to a string cannot fail.
            let _ = writeln!(said, "{}: version {}", rule.name, saved["version"]);
            done.push(&rule.name);
        }
        if done.len() == before {
            // A file without fault has no circle.
            break;
        }
    }
    said.push_str("Rules of the server that are not in the file were left as they are.\n");
    Ok(said)
}

async fn backtest(target: &Target, book: &Book, from: i64, to: i64) -> Result<String, AlertsError> {
    let mut said = String::new();
    for entry in &book.entries {
        // By itself: the rule that it depends on would not change when it fires.
        let file = AlertFile {
            rules: vec![streamgauge_core::alert::file::Rule { depends_on: None, ..entry.rule.clone() }],
            ..AlertFile::default()
        };
        let body = json!({ "rule": file.export(), "from": from, "to": to });
        let found = request(target, Method::POST, "/api/admin/alerts/backtest")?.json(&body);
        let found: Backtest = serde_json::from_value(sent(target, found).await?).unwrap_or_default();
        let covered = found.covered * 100.0;
        let times = if found.fires == 1 { "time" } else { "times" };
        let _ = writeln!(
            said,
            "{}: fires {} {times}, {} s in all; {covered:.0} % of the time is stored",
            entry.rule.name, found.fires, found.firing_seconds
        );
        for fired in &found.incidents {
            let minute = crate::alerting::words::utc;
            let to = fired.to.map_or_else(|| "still fires".to_owned(), minute);
            let _ = writeln!(said, "  {} to {to}", minute(fired.from));
        }
        for sentence in found.cannot_tell.iter().chain(&found.hints) {
            let _ = writeln!(said, "  {sentence}");
        }
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_moments_or_days_ago() {
        let now = 1_795_960_800_000;
        let check =
            |text: &str, expected| assert_eq!(time("--from", Some(text), now).ok(), expected, "{text}");
        check("2026-11-29", Some(Some(1_795_910_400_000)));
        check("2026-11-29T14:00Z", Some(Some(now)));
        check("2026-11-29T14:00:00Z", Some(Some(now)));
        check("1d", Some(Some(now - 86_400_000)));
        check("soon", None);
    }
}
