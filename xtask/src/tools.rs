//! What has to be on the machine: looked for, installed where we may, otherwise named with how to get it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use private_postgres::Postgres;

use crate::process::run;
use crate::site::WASM_TARGET;
use crate::steps::{Failure, Outcome, fail, step};
use crate::workspace::Workspace;

pub fn postgres() -> Outcome {
    need("PostgreSQL", "postgresql", "postgresql", || Postgres::find_binaries().is_ok())
}

pub fn redis() -> Outcome {
    need("Redis", "redis-server", "redis", || on_path("redis-server").is_some())
}

/// Prometheus' judge of rules, which alert rules in literal mode are compared with.
pub fn promtool() -> Outcome {
    need("promtool", "prometheus", "prometheus", || on_path("promtool").is_some())
}

pub fn nginx() -> Outcome {
    // Debian keeps it where only root looks.
    need("nginx", "nginx", "nginx", || on_path("nginx").is_some() || Path::new("/usr/sbin/nginx").exists())
}

/// For libFuzzer.
pub fn cxx() -> Outcome {
    need("a C++ compiler", "g++", "gcc", || on_path("c++").is_some())
}

/// A Chromium for Playwright: Debian's, or whichever `CHROMIUM` names.
pub fn chromium() -> Outcome<PathBuf> {
    if let Some(named) = env::var_os("CHROMIUM") {
        return Ok(PathBuf::from(named));
    }
    let find = || ["chromium", "chromium-browser", "google-chrome"].iter().find_map(|name| on_path(name));
    need("Chromium", "chromium", "--cask chromium", || find().is_some())?;
    find().ok_or_else(|| Failure("Chromium was not found.".into()))
}

pub fn node() -> Outcome {
    match node_version() {
        Some(version) if version >= 20 && on_path("npm").is_some() => Ok(()),
        Some(version) => {
            fail(format!("Node {version} was found, but the browser tests need Node 20 or newer with npm."))
        }
        None => fail(
            "The browser tests need Node 20 or newer with npm: install it from nodejs.org or your system's packages.",
        ),
    }
}

fn node_version() -> Option<u32> {
    let output = Command::new("node").arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    version.trim_start_matches('v').split('.').next()?.parse().ok()
}

/// The npm packages of `end2end`, when they are not those of the lock file yet.
pub fn npm_packages(workspace: &Workspace) -> Outcome {
    let folder = workspace.root.join("end2end");
    let modified = |name: &str| std::fs::metadata(folder.join(name)).and_then(|meta| meta.modified());
    // npm writes this file at the end of an installation.
    if let (Ok(lock), Ok(installed)) =
        (modified("package-lock.json"), modified("node_modules/.package-lock.json"))
        && installed >= lock
    {
        return Ok(());
    }
    step("npm packages", || {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
        run(npm.current_dir(folder).env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1").stdout(Stdio::null()))
    })
}

/// From npm, because Debian's is too old. Building goes on without it.
pub fn wasm_opt(workspace: &Workspace) -> Option<PathBuf> {
    node().and_then(|()| npm_packages(workspace)).ok()?;
    let program = workspace.root.join("end2end/node_modules/.bin/wasm-opt");
    program.exists().then_some(program)
}

/// Schemathesis, in an environment of its own below `target`, each package by its hash. Made anew when they change.
pub fn schemathesis(workspace: &Workspace) -> Outcome<PathBuf> {
    let wanted = workspace.root.join("tests/schemathesis/requirements.txt");
    let folder = workspace.target.join("schemathesis");
    let installed = folder.join("requirements.txt");
    let program = folder.join("bin/schemathesis");
    if program.exists() && std::fs::read(&installed).ok() == Some(std::fs::read(&wanted)?) {
        return Ok(program);
    }
    python()?;
    step("Schemathesis", || {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--requirement"]);
        run(pip.arg(&wanted))?;
        // Last: without it the next run begins anew.
        std::fs::copy(&wanted, &installed)?;
        Ok(())
    })?;
    Ok(program)
}

/// Debian has the module that fills a virtual environment in a package of its own.
fn python() -> Outcome {
    let runs = |code: &str| {
        let mut python = Command::new("python3");
        let output = python.args(["-c", code]).stderr(Stdio::null()).status();
        output.is_ok_and(|status| status.success())
    };
    need("Python 3 with venv", "python3-venv", "python", || runs("import ensurepip, venv"))?;
    if runs("import sys; sys.exit(sys.version_info < (3, 11))") {
        return Ok(());
    }
    fail("Schemathesis, which tests the API, needs Python 3.11 or newer as `python3`.")
}

pub fn wasm_target() -> Outcome {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output()?;
    let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_string();
    if Path::new(&sysroot).join("lib/rustlib").join(WASM_TARGET).join("lib").exists() {
        return Ok(());
    }
    if on_path("rustup").is_none() {
        return fail(format!(
            "Rust's target {WASM_TARGET} is missing: install it with the package manager that Rust came with."
        ));
    }
    step("Rust's target for WASM", || run(Command::new("rustup").args(["target", "add", WASM_TARGET])))
}

/// Debian's package is installed when we are root there; elsewhere a sentence says what is missing.
fn need(what: &str, debian: &str, homebrew: &str, is_there: impl Fn() -> bool) -> Outcome {
    if is_there() {
        return Ok(());
    }
    if may_install() {
        step(&format!("{what} is missing: apt-get install {debian}"), || {
            run(apt_get().arg("update"))?;
            run(apt_get().args(["install", "--yes", "--no-install-recommends", debian]))
        })?;
        if is_there() {
            return Ok(());
        }
        return fail(format!("{what} was not found, although Debian's package `{debian}` is installed."));
    }
    fail(format!(
        "{what} is missing: install it (Debian and Ubuntu: `sudo apt-get install {debian}`; macOS: `brew install {homebrew}`)."
    ))
}

fn may_install() -> bool {
    rustix::process::geteuid().is_root() && Path::new("/usr/bin/apt-get").exists()
}

/// Without questions: nobody may be there to answer them.
fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.arg("-qq").env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
    command
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}
