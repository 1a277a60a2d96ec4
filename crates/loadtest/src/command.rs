//! From the command line to the exit status.

use crate::{
    args::Args,
    call,
    report::{self, Lines},
    run::{self, Options, RunError},
    wire::request::Requests,
};
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use std::{
    fs,
    path::Path,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

/// EX_USAGE of sysexits.h: the command line or a scenario is wrong.
pub const USAGE: u8 = 64;
/// EX_UNAVAILABLE: the server cannot be reached.
const UNAVAILABLE: u8 = 69;
/// EX_CANTCREAT: a file cannot be written.
const NOT_WRITTEN: u8 = 73;
/// EX_NOPERM: the server does not take the key.
const NO_KEY: u8 = 77;

pub fn command() -> clap::Command {
    Args::command()
}

pub fn main(matches: &ArgMatches) -> ExitCode {
    let fail = |status: u8, error: &dyn std::fmt::Display| {
        eprintln!("streamgauge: {error}");
        ExitCode::from(status)
    };
    let args = match Args::from_arg_matches(matches) {
        Ok(args) => args,
        Err(error) => return fail(USAGE, &error),
    };
    let options = match args.options() {
        Ok(Ok(options)) => options,
        Ok(Err(error)) => return fail(UNAVAILABLE, &error),
        Err(error) => return fail(USAGE, &error),
    };
    let stop = Arc::new(AtomicBool::new(false));
    // The second time it ends at once.
    let asked_twice =
        signal_hook::flag::register_conditional_default(signal_hook::consts::SIGINT, stop.clone());
    if let Err(error) =
        asked_twice.and_then(|_| signal_hook::flag::register(signal_hook::consts::SIGINT, stop.clone()))
    {
        return fail(1, &RunError::Start(error));
    }
    let mut lines = Lines::default();
    let told = run::run(&options, &stop, |progress| {
        if let Some(line) = lines.line(progress) {
            eprintln!("{line}");
        }
    });
    let outcome = match told {
        Ok(outcome) => outcome,
        Err(error @ RunError::Unreachable(..)) => return fail(UNAVAILABLE, &error),
        Err(error @ RunError::NoKey(..)) => return fail(NO_KEY, &error),
        Err(error @ RunError::Files { .. }) => return fail(USAGE, &error),
        Err(error @ RunError::Start(_)) => return fail(1, &error),
    };
    print!("{}", report::table(&outcome));
    let json = serde_json::to_string(&outcome).unwrap_or_default();
    let written = write(args.json.as_deref(), &json).and_then(|()| match &args.html {
        Some(_) => write(args.html.as_deref(), &streamgauge_app::load_test_file(&outcome)),
        None => Ok(()),
    });
    if !args.no_post {
        eprintln!("{}", post(&options, &json));
    }
    match written {
        Err(error) => fail(NOT_WRITTEN, &error),
        Ok(()) if outcome.passed => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
    }
}

fn write(path: Option<&Path>, text: &str) -> Result<(), String> {
    let Some(path) = path else { return Ok(()) };
    fs::write(path, text).map_err(|error| format!("{} cannot be written: {error}.", path.display()))
}

/// Hands the result to the server to keep; answers what became of it. It changes nothing in what was measured.
fn post(options: &Options, json: &str) -> String {
    let requests = Requests::new(&options.target.authority, options.key.as_deref(), "");
    let mut request = Vec::new();
    requests.post("/api/admin/load-tests", json.as_bytes(), &mut request);
    match call::call(&options.target, &request) {
        Ok(answer) if (200..300).contains(&answer.status) => {
            let page = page(&answer.body).unwrap_or_else(|| "/load-tests".into());
            format!("The server keeps the result: {}{page}", options.url.trim_end_matches('/'))
        }
        Ok(answer) if answer.status == 404 => {
            "The result was not posted: this server keeps no load tests.".into()
        }
        Ok(answer) if answer.status == 403 => {
            "The result was not posted: that takes a key with the scope admin beside publish.".into()
        }
        Ok(answer) => format!("The result was not posted: the server answered {}.", answer.status),
        Err(error) => format!("The result was not posted: {error}."),
    }
}

/// The run's own page, as the server's answer names it.
fn page(body: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    answer["url"].as_str().filter(|url| url.starts_with('/')).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_servers_answer_names_the_page() {
        let check = |body: &str, expected: Option<&str>| {
            assert_eq!(super::page(body.as_bytes()).as_deref(), expected, "{body}");
        };
        check(r#"{"id":7,"url":"/load-tests/7"}"#, Some("/load-tests/7"));
        check(r#"{"url":"javascript:"}"#, None);
        check("", None);
    }

    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
