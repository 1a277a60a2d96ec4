//! What must hold before a change lands. The cheap checks come first.

use std::fs;

use crate::process::{cargo, run};
use crate::steps::{Outcome, fail, step};
use crate::test::test;
use crate::workspace::Workspace;
use crate::{fuzz, nevers, prepare, site, tools};

/// What the WASM may weigh as brotli, for a first visit on a phone. The bar is 300 kB (docs/benchmarks.md); the ceiling stays
/// close to what there is, so that a change that needs more says for what. Last: levels and firing times of alerts in charts, 2 kB.
const WASM_CEILING: u64 = 256_000;
/// So long each fuzz target runs: its seeds, and whether it still builds. Finding what is new takes hours.
const FUZZ_SECONDS: u32 = 5;
/// What the browser SDK may weigh as brotli, comments and all: it is served as it is written.
const SDK_CEILING: u64 = 5_000;

pub fn ci(workspace: &Workspace) -> Outcome {
    step("formatting", || run(cargo("fmt").args(["--all", "--check"]).current_dir(&workspace.root)))?;
    step("the architecture's nevers", || nevers::check(workspace))?;
    // The server's build embeds this folder, so it has to be there before anything is in it.
    fs::create_dir_all(workspace.site())?;
    clippy(workspace, "clippy", &["--workspace", "--exclude", "xtask", "--all-targets"])?;
    clippy(workspace, "clippy of xtask", &["--package", "xtask", "--all-targets"])?;
    tools::wasm_target()?;
    let wasm = ["--package", "streamgauge-hydrate", "--target", site::WASM_TARGET];
    clippy(workspace, "clippy for WASM", &wasm)?;
    println!("cargo xtask prepare --check");
    prepare::prepare(workspace, true)?;
    println!("cargo xtask fuzz --seconds {FUZZ_SECONDS}");
    fuzz::fuzz(workspace, FUZZ_SECONDS)?;
    println!("cargo xtask test");
    let manifest = test(workspace)?;
    check_budget("the WASM", site::brotli_size(workspace, &manifest.wasm)?, WASM_CEILING)?;
    check_budget("the SDK", site::brotli_size(workspace, site::SDK)?, SDK_CEILING)
}

fn clippy(workspace: &Workspace, name: &str, what: &[&str]) -> Outcome {
    step(name, || {
        let mut clippy = cargo("clippy");
        clippy.args(what).args(["--", "--deny", "warnings"]);
        run(clippy.current_dir(&workspace.root))
    })
}

fn check_budget(what: &str, size: u64, ceiling: u64) -> Outcome {
    let said = format!("{what} is {:.2} kB as brotli, of {} kB allowed", size as f64 / 1e3, ceiling / 1000);
    if size > ceiling {
        return fail(format!("Too large: {said}."));
    }
    println!("✓ {said}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_a_limit() {
        assert!(check_budget("the SDK", SDK_CEILING, SDK_CEILING).is_ok());
        assert!(check_budget("the SDK", SDK_CEILING + 1, SDK_CEILING).is_err());
    }
}
