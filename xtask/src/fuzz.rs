//! The fuzz targets, on the stable toolchain: the flags are those by which libFuzzer sees which code ran.

use crate::process::run;
use crate::steps::{Failure, Outcome, step};
use crate::tools;
use crate::workspace::Workspace;
use std::fs::{self, File};
use std::process::Command;

const TARGETS: [&str; 3] = ["beacon", "follow", "framer"];

/// What cargo-fuzz passes too, without the sanitizers, which need another toolchain.
const FLAGS: [&str; 6] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Each target for so many seconds. What breaks one is left in `target/fuzz/artifacts`; mended, it becomes a seed.
pub fn fuzz(workspace: &Workspace, seconds: u32) -> Outcome {
    tools::cxx()?;
    let folder = workspace.target.join("fuzz");
    let artifacts = folder.join("artifacts/");
    fs::create_dir_all(&artifacts)?;
    // A named target, so that build scripts are built without the flags.
    let host = host()?;
    step("fuzz targets", || {
        let mut build = Command::new("cargo");
        build.args(["build", "--quiet", "--locked", "--release", "--target", &host, "--manifest-path"]);
        build.arg(workspace.root.join("fuzz/Cargo.toml")).arg("--target-dir").arg(&folder);
        run(build.env("RUSTFLAGS", FLAGS.join(" ")))
    })?;
    for target in TARGETS {
        let corpus = folder.join("corpus").join(target);
        fs::create_dir_all(&corpus)?;
        // libFuzzer says much; what counts is whether it ends well.
        let log = folder.join(format!("{target}.log"));
        step(&format!("{target} for {seconds} s (see {})", log.display()), || {
            let mut fuzzer = Command::new(folder.join(&host).join("release").join(target));
            fuzzer.arg(&corpus).arg(workspace.root.join("fuzz/seeds").join(target));
            fuzzer
                .arg(format!("-max_total_time={seconds}"))
                .arg("-max_len=8192")
                .args(["-verbosity=0", "-print_final_stats=1"]);
            fuzzer.arg(format!("-artifact_prefix={}", artifacts.display()));
            run(fuzzer.stderr(File::create(&log)?))
        })?;
    }
    Ok(())
}

fn host() -> Outcome<String> {
    let output = Command::new("rustc").arg("-vV").output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Failure("rustc does not say for which machine it builds.".into()))
}
