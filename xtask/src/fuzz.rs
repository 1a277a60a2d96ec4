//! The fuzz targets, on the stable toolchain: the flags are those by which libFuzzer sees which code ran.

use crate::process::run;
use crate::steps::{Outcome, step};
use crate::workspace::Workspace;
use std::fs;
use std::process::Command;

const TARGETS: [&str; 2] = ["beacon", "framer"];

/// What cargo-fuzz passes too, without the sanitizers, which need another toolchain.
const FLAGS: [&str; 6] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Each target for so many seconds. What breaks one is left in `target/fuzz/artifacts`.
pub fn fuzz(workspace: &Workspace, seconds: u32) -> Outcome {
    let folder = workspace.target.join("fuzz");
    let artifacts = folder.join("artifacts/");
    fs::create_dir_all(&artifacts)?;
    // A target of its own: with other flags everything would be built anew.
    let host = "x86_64-unknown-linux-gnu";
    step("fuzz targets", || {
        let mut build = Command::new("cargo");
        build.args(["build", "--quiet", "--release", "--target", host, "--manifest-path"]);
        build.arg(workspace.root.join("fuzz/Cargo.toml")).arg("--target-dir").arg(&folder);
        run(build.env("RUSTFLAGS", FLAGS.join(" ")))
    })?;
    for target in TARGETS {
        let corpus = folder.join("corpus").join(target);
        fs::create_dir_all(&corpus)?;
        step(&format!("{target} for {seconds} s"), || {
            let mut fuzzer = Command::new(folder.join(host).join("release").join(target));
            fuzzer.arg(&corpus).arg(workspace.root.join("fuzz/seeds").join(target));
            fuzzer.arg(format!("-max_total_time={seconds}")).arg("-max_len=8192").arg("-print_final_stats=0");
            fuzzer.arg(format!("-artifact_prefix={}", artifacts.display()));
            run(&mut fuzzer)
        })?;
    }
    Ok(())
}
