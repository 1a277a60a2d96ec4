mod faults; // each fault with its line and sentence
mod good; // files that are right, the shipped one and the documented one
mod properties; // written back, and any bytes

use super::{AlertFile, Fault, Place, parse};

fn environment(name: &str) -> Option<String> {
    let value = match name {
        "SMTP_PASSWORD" => "hunter2@home",
        "SLACK_WEBHOOK_URL" => "https://hooks.slack.example/hunter2\n",
        "PAGERDUTY_KEY" | "PAGERDUTY_SECRET" | "HOOK_SECRET" | "TELEGRAM_TOKEN" => "hunter2",
        "TEAMS_URL" => "https://teams.example/hunter2",
        _ => return None,
    };
    Some(value.to_owned())
}

fn read(text: &str) -> Result<AlertFile, Vec<Fault>> {
    parse(text, Place::Database, environment)
}
