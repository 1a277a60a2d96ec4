//! The API's document against servers that run, by Schemathesis: it makes requests out of the schemas, those that must be
//! accepted and those that must be refused, and compares each answer with the document. `tests/schemathesis` says what
//! is left out, and why.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::process::{Running, check_interrupted, spawn};
use crate::serve::build_server;
use crate::services::Scratch;
use crate::steps::{Failure, Outcome, fail, step};
use crate::tools;
use crate::workspace::Workspace;

/// A private PostgreSQL is made first.
const LISTENS_WITHIN: Duration = Duration::from_secs(60);
/// For both servers, which are asked at the same time.
const ASKED_WITHIN: Duration = Duration::from_secs(240);
const SCOPES: [&str; 3] = ["publish", "admin", "metrics"];
/// By the document's tags, each is asked once: what a key opens where access is closed, the rest where it is open.
const BY_KEY: [&str; 3] = ["publish", "admin", "gauge"];
const BY_ANYBODY: [&str; 3] = ["follow", "people", "ops"];

/// Without the tests around it.
pub fn alone(workspace: &Workspace) -> Outcome {
    tools::postgres()?;
    // The server's build embeds this folder.
    fs::create_dir_all(workspace.site())?;
    build_server(workspace, false)?;
    contract(workspace)
}

/// With the server that was built.
pub fn contract(workspace: &Workspace) -> Outcome {
    let schemathesis = tools::schemathesis(workspace)?;
    let scratch = Scratch::new(workspace, "contract")?;
    let (open, closed) = step("two servers, with open and with closed access", || {
        let key = make_key(workspace, &scratch.path.join("closed"))?;
        let start = |name, key| Server::start(workspace, &scratch.path.join(name), key);
        Ok((start("open", None)?, start("closed", Some(key))?))
    })?;
    step("the API's document, by Schemathesis", || {
        let ask = |server: &Server| Asking::begin(workspace, &schemathesis, server);
        let mut asking = [ask(&open)?, ask(&closed)?];
        let deadline = Instant::now() + ASKED_WITHIN;
        asking.iter_mut().try_for_each(|asking| asking.judge(deadline))
    })
}

fn streamgauge(workspace: &Workspace, folder: &Path) -> Command {
    let mut command = Command::new(workspace.target.join("debug/streamgauge"));
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("STREAMGAUGE_"))
    {
        command.env_remove(name);
    }
    command.env("STREAMGAUGE_DATA_DIR", folder).stdin(Stdio::null());
    command
}

/// With the first key, access is closed.
fn make_key(workspace: &Workspace, folder: &Path) -> Outcome<String> {
    let mut create = streamgauge(workspace, folder);
    let output = create.args(["key", "create", "--name", "schemathesis", "--scope"]).args(SCOPES).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let key = said.lines().next().map(str::to_owned).filter(|_| output.status.success());
    key.ok_or_else(|| Failure(format!("No key could be made: {}", String::from_utf8_lossy(&output.stderr))))
}

struct Server {
    process: Running,
    folder: PathBuf,
    port: u16,
    key: Option<String>,
}

impl Server {
    fn start(workspace: &Workspace, folder: &Path, key: Option<String>) -> Outcome<Server> {
        let log = folder.with_extension("log");
        let mut serve = streamgauge(workspace, folder);
        serve.args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::null()).stderr(File::create(&log)?);
        let process = spawn(&mut serve)?;
        let mut server = Server { process, folder: folder.to_owned(), port: 0, key };
        let deadline = Instant::now() + LISTENS_WITHIN;
        loop {
            check_interrupted()?;
            let said = fs::read_to_string(&log)?;
            if let Some(port) = port(&said) {
                server.port = port;
                return Ok(server);
            }
            if server.process.ended()?.is_some() || Instant::now() > deadline {
                return fail(format!("The server does not listen: {said}"));
            }
            sleep(Duration::from_millis(50));
        }
    }
}

/// Out of the line that says where it listens.
fn port(log: &str) -> Option<u16> {
    let (_, after) = log.split_once("listens on http://")?;
    after.split_once(';')?.0.rsplit_once(':')?.1.parse().ok()
}

/// One run of Schemathesis against one server.
struct Asking {
    process: Running,
    report: PathBuf,
    name: String,
}

impl Asking {
    fn begin(workspace: &Workspace, program: &Path, server: &Server) -> Outcome<Asking> {
        let settings = workspace.root.join("tests/schemathesis");
        let report = server.folder.with_extension("report");
        let output = File::create(&report)?;
        let mut command = Command::new(program);
        command.arg("--config-file").arg(settings.join("schemathesis.toml"));
        command.args(["run", &format!("http://127.0.0.1:{}/api/openapi.json", server.port)]);
        let tags = if server.key.is_some() { BY_KEY } else { BY_ANYBODY };
        command.args(tags.iter().flat_map(|tag| ["--include-tag", tag]));
        if let Some(key) = &server.key {
            command.args(["--header", &format!("Authorization: Bearer {key}")]);
        }
        command.env("SCHEMATHESIS_HOOKS", settings.join("hooks.py"));
        // It leaves notes where it runs.
        command.current_dir(server.folder.parent().unwrap_or(Path::new("/")));
        command.stdout(output.try_clone()?).stderr(output);
        let name = server.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Asking { process: spawn(&mut command)?, report, name })
    }

    fn judge(&mut self, deadline: Instant) -> Outcome {
        let status = loop {
            check_interrupted()?;
            if let Some(status) = self.process.ended()? {
                break status;
            }
            if Instant::now() > deadline {
                let seconds = ASKED_WITHIN.as_secs();
                return fail(format!("Schemathesis took longer than {seconds} s with {} access.", self.name));
            }
            sleep(Duration::from_millis(50));
        };
        let report = fs::read_to_string(&self.report)?;
        if status.success() {
            let cases = report.lines().find(|line| line.contains(" generated, ")).unwrap_or_default();
            println!("{} access: {}", self.name, cases.trim());
            return Ok(());
        }
        println!("{report}");
        fail(format!("Schemathesis found differences with {} access: its report stands above.", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_the_log() {
        let log =
            "INFO x\nINFO Streamgauge listens on http://127.0.0.1:4711; access is open to this machine\n";
        assert_eq!((port(log), port("INFO Streamgauge listens on http://127")), (Some(4_711), None));
    }
}
