//! What has to be on the machine: looked for, installed where we may, otherwise named with how to get it.

use std::path::Path;
use std::process::{Command, Stdio};

use private_postgres::Postgres;

use crate::process::run;
use crate::steps::{Outcome, fail, step};

pub fn postgres() -> Outcome {
    need("PostgreSQL", "postgresql", || {
        Postgres::find_binaries().is_ok()
    })
}

/// Debian's package is installed when we are root there; elsewhere a sentence says what is missing.
fn need(what: &str, package: &str, is_there: impl Fn() -> bool) -> Outcome {
    if is_there() {
        return Ok(());
    }
    if may_install() {
        step(
            &format!("{what} is missing: apt-get install {package}"),
            || {
                run(apt_get().arg("update"))?;
                run(apt_get().args(["install", "--yes", "--no-install-recommends", package]))
            },
        )?;
        if is_there() {
            return Ok(());
        }
        return fail(format!(
            "{what} was not found, although Debian's package `{package}` is installed."
        ));
    }
    fail(format!(
        "{what} is missing: install it (Debian and Ubuntu: `sudo apt-get install {package}`; macOS: `brew install {package}`)."
    ))
}

fn may_install() -> bool {
    rustix::process::geteuid().is_root() && Path::new("/usr/bin/apt-get").exists()
}

/// Without questions: nobody may be there to answer them.
fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .arg("-qq")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(Stdio::null());
    command
}
