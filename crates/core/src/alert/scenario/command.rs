//! `streamgauge alerts test`: several files, one text and one exit code.

use super::{Around, read};
use std::fmt::Write;

/// What the command prints and exits with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub text: String,
    /// 0: all is as expected. 1: something is not. 64: a file cannot be used.
    pub exit: u8,
}

/// `read_file` gives the text of a path; `environment` what rules' files ask of it. Paths of `rule_files` are relative to the
/// scenario that names them.
pub fn command(
    files: &[String],
    read_file: &dyn Fn(&str) -> Result<String, String>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Outcome {
    let mut outcome = Outcome { text: String::new(), exit: 0 };
    for file in files {
        let (text, exit) = one(file, read_file, environment);
        outcome.text += &text;
        // A file that cannot be used weighs more than one that fails.
        outcome.exit = outcome.exit.max(exit);
    }
    outcome
}

struct Beside<'a> {
    scenario: &'a str,
    read_file: &'a dyn Fn(&str) -> Result<String, String>,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Around for Beside<'_> {
    fn file(&self, name: &str) -> Result<String, String> {
        let folder = std::path::Path::new(self.scenario).parent().unwrap_or(std::path::Path::new(""));
        (self.read_file)(&folder.join(name).to_string_lossy())
    }

    fn environment(&self, name: &str) -> Option<String> {
        (self.environment)(name)
    }
}

fn one(
    file: &str,
    read_file: &dyn Fn(&str) -> Result<String, String>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> (String, u8) {
    let text = match read_file(file) {
        Ok(text) => text,
        Err(why) => return (format!("{file}: {why}\n"), 64),
    };
    let scenario = match read(&text, &Beside { scenario: file, read_file, environment }) {
        Ok(scenario) => scenario,
        Err(faults) => {
            let lines = faults.iter().map(|fault| format!("{file}: {fault}\n"));
            return (lines.collect(), 64);
        }
    };
    let report = scenario.run();
    if report.is_as_expected() {
        return (format!("{file}: {} tests, {} checks, all as expected\n", report.tests, report.checks), 0);
    }
    let mut said = format!(
        "{file}: {} of {} checks are not as expected (- expected, + found)\n",
        report.failures.len(),
        report.checks
    );
    for failure in &report.failures {
        // Text written to memory: nothing can fail.
        let _ = write!(said, "{failure}");
    }
    (said, 1)
}
