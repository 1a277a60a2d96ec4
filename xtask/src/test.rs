//! Every test: Rust against real services, then a real browser against the real server.

use std::io::{BufRead, BufReader, IsTerminal};
use std::process::{Command, Stdio};

use crate::contract::contract;
use crate::process::{cargo, check_interrupted, described, spawn};
use crate::serve::build_server;
use crate::services::Scratch;
use crate::site::{self, Manifest};
use crate::steps::{Outcome, fail, step};
use crate::tools;
use crate::workspace::Workspace;

/// Tests keep the folders of their services below the one that this names; it is cleared at the end.
const FOLDER: &str = "STREAMGAUGE_TEST_DIR";

#[derive(Default, Debug, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

pub fn test(workspace: &Workspace) -> Outcome<Manifest> {
    tools::postgres()?;
    tools::redis()?;
    tools::promtool()?;
    tools::nginx()?;
    let chromium = tools::chromium()?;
    tools::node()?;
    tools::npm_packages(workspace)?;
    tools::schemathesis(workspace)?;
    let manifest = site::build(workspace)?;
    build_server(workspace, false)?;

    let scratch = Scratch::new(workspace, "test")?;
    let mut count = Count::default();
    // xtask apart: built together with the others, shared dependencies would get more features and be
    // compiled a second time.
    for (name, packages) in [
        ("Rust tests", &["--workspace", "--exclude", "xtask"][..]),
        ("Rust tests of xtask", &["--package", "xtask"]),
    ] {
        let mut command = cargo("test");
        command.args(packages).arg("--no-fail-fast").current_dir(&workspace.root);
        command.env(FOLDER, &scratch.path);
        // Most tests of the server wait most of their time: one more than there are cores keeps the cores busy.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        command.env("RUST_TEST_THREADS", (cores + 1).to_string());
        step(name, || counted(&mut command, &mut count))?;
    }
    contract(workspace)?;
    let mut playwright = Command::new("npx");
    playwright.args(["playwright", "test"]).current_dir(workspace.root.join("end2end"));
    playwright.env(FOLDER, &scratch.path).env("CHROMIUM", chromium);
    playwright.env("STREAMGAUGE_BINARY", workspace.target.join("debug/streamgauge"));
    step("browser tests", || counted(&mut playwright, &mut count))?;

    println!("{} passed, {} failed, {} skipped", count.passed, count.failed, count.skipped);
    Ok(manifest)
}

/// Runs tests, passes on what they say, and adds up their own summaries.
fn counted(command: &mut Command, count: &mut Count) -> Outcome {
    if std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always").env("FORCE_COLOR", "1");
    }
    let mut running = spawn(command.stdout(Stdio::piped()))?;
    for line in running.output().into_iter().flat_map(|output| BufReader::new(output).lines()) {
        let line = line?;
        println!("{line}");
        add(&line, count);
    }
    let status = running.wait()?;
    check_interrupted()?;
    if status.success() {
        return Ok(());
    }
    println!("{} passed, {} failed, {} skipped", count.passed, count.failed, count.skipped);
    fail(format!("`{}` failed: what it said stands above.", described(command)))
}

/// cargo: `test result: ok. 7 passed; 0 failed; 1 ignored; …`. Playwright: `  7 passed (2.1s)`, `  1 failed`.
fn add(line: &str, count: &mut Count) {
    let plain = without_colours(line);
    let plain = plain.trim();
    let summary = plain.strip_prefix("test result:").unwrap_or(plain);
    let of_cargo = summary.len() < plain.len();
    let words: Vec<&str> = summary.split_whitespace().map(|word| word.trim_end_matches([';', ','])).collect();
    for (place, pair) in words.windows(2).enumerate() {
        let (Ok(number), true) = (pair[0].parse::<u64>(), of_cargo || place == 0) else {
            continue;
        };
        // A line of a test's own output may begin the same way; Playwright's ends there or with a time.
        if !of_cargo && words.get(2).is_some_and(|word| !word.starts_with('(')) {
            continue;
        }
        match pair[1] {
            "passed" => count.passed += number,
            "failed" => count.failed += number,
            "ignored" | "skipped" => count.skipped += number,
            _ => {}
        }
    }
}

fn without_colours(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, escape)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = escape.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &str, passed: u64, failed: u64, skipped: u64) {
        let mut count = Count::default();
        lines.lines().for_each(|line| add(line, &mut count));
        assert_eq!(count, Count { passed, failed, skipped }, "{lines}");
    }

    #[test]
    fn the_summaries_of_both_runners_are_added_up() {
        check(
            "test result: ok. 7 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            7,
            0,
            1,
        );
        check("test result: \u{1b}[31mFAILED\u{1b}[0m. 3 passed; 1 failed; 0 ignored", 3, 1, 0);
        check("  1 failed\n    [on] › health.spec.ts:3:5 › it\n  2 skipped\n  4 passed (2.1s)", 4, 1, 2);
        check("7 passed cars on the road\ntest seen ... ok\n", 0, 0, 0);
    }
}
