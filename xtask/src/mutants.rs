//! Mutation testing of core: cargo-mutants changes one place at a time, and core's own tests have to fail.
//!
//! Texts are left out: which words a sentence has is no decision.

use clap::Args;
use serde_json::Value;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::process::{cargo, run};
use crate::steps::{Outcome, fail, step};
use crate::workspace::Workspace;

/// Of the mutants that compile, so many percent must be caught.
const BAR: f64 = 95.0;
const VERSION: &str = "27.1.0";
/// Functions that return text.
const TEXTS: &str = r"-> (&('static )?str|String|Option<String>|Option<&('static )?str>|Cow<.*str>) with";
/// cargo-mutants' exit codes for "some were missed" and "some ran out of time"; what was found counts then.
const FOUND_SOME: [i32; 2] = [2, 3];

#[derive(Args)]
pub struct Options {
    /// Only lines that differ from main
    #[arg(long)]
    change: bool,
    /// One part of all mutants, such as 1/20
    #[arg(long, value_name = "K/N")]
    shard: Option<String>,
}

pub fn mutants(workspace: &Workspace, options: &Options) -> Outcome {
    install()?;
    let folder = workspace.target.join("mutants");
    fs::create_dir_all(&folder)?;
    // cargo-mutants knows no `--quiet`.
    let mut command = Command::new("cargo");
    command.args([
        "mutants",
        "--package",
        "streamgauge-core",
        "--all-features",
        "--no-times",
        "--exclude-re",
        TEXTS,
    ]);
    command.arg("--output").arg(&folder).current_dir(&workspace.root);
    if options.change {
        let difference = folder.join("change.diff");
        let mut git = Command::new("git");
        git.args(["diff", &base(workspace), "--", "crates/core"]).current_dir(&workspace.root);
        run(git.stdout(Stdio::from(File::create(&difference)?)))?;
        if fs::metadata(&difference)?.len() == 0 {
            eprintln!("Core does not differ from main.");
            return Ok(());
        }
        command.arg("--in-diff").arg(difference);
    }
    if let Some(shard) = &options.shard {
        // Each part has mutants of all files, so that one part is a sample.
        command.args(["--shard", shard, "--sharding", "round-robin"]);
    }
    // The simulation takes long, and says little about one changed line.
    command.args(["--", "--lib"]);
    let status = command.status()?;
    if !status.success() && !status.code().is_some_and(|code| FOUND_SOME.contains(&code)) {
        return fail(format!("cargo mutants ended with {status}."));
    }
    let outcomes = fs::read_to_string(folder.join("mutants.out/outcomes.json"))?;
    judge(&Counts::of(&serde_json::from_str(&outcomes)?))
}

/// What the work tree is compared with: where it left main, or on main itself what was last committed.
fn base(workspace: &Workspace) -> String {
    let mut git = Command::new("git");
    git.args(["merge-base", "HEAD", "main"]).current_dir(&workspace.root);
    let found = git.output().ok().filter(|output| output.status.success());
    found.map_or_else(|| "HEAD".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn install() -> Outcome {
    let found = Command::new("cargo").args(["mutants", "--version"]).stderr(Stdio::null()).output()?;
    if found.status.success() {
        return Ok(());
    }
    step("cargo-mutants", || {
        run(cargo("install").args(["--quiet", "--locked", "cargo-mutants", "--version", VERSION]))
    })
}

#[derive(Debug, PartialEq)]
struct Counts {
    /// A test failed, or ran out of time.
    caught: u64,
    missed: u64,
}

impl Counts {
    fn of(outcomes: &Value) -> Counts {
        let count = |name: &str| outcomes[name].as_u64().unwrap_or_default();
        Counts { caught: count("caught") + count("timeout"), missed: count("missed") }
    }
}

fn judge(counts: &Counts) -> Outcome {
    let viable = counts.caught + counts.missed;
    if viable == 0 {
        return fail("No mutant was tried.".to_owned());
    }
    let percent = counts.caught as f64 * 100.0 / viable as f64;
    eprintln!(
        "{} of {viable} viable mutants were caught: {percent:.1} %, the bar is {BAR} %.",
        counts.caught
    );
    if percent < BAR {
        let list = PathBuf::from("mutants/mutants.out/missed.txt");
        return fail(format!(
            "Too few mutants were caught. Those missed are in the target folder: {}.",
            list.display()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_share_of_those_that_compile_is_judged() {
        let counts = Counts::of(&json!({ "caught": 93, "timeout": 2, "missed": 5, "unviable": 40 }));
        assert_eq!(counts, Counts { caught: 95, missed: 5 });
        assert!(judge(&counts).is_ok());
        assert!(judge(&Counts { caught: 94, missed: 6 }).is_err());
        assert!(judge(&Counts { caught: 0, missed: 0 }).is_err());
    }
}
